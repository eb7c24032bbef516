import gzip
import http.client
import json
import logging
import socket
import threading
import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
import requests
from backports import zstd
from google.protobuf.json_format import MessageToDict
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status

from otel_llm.access.caller import Caller
from otel_llm.errors import Overloaded, StoreUnavailable
from otel_llm.otlp.signals import SIGNALS

from .backend import Answer, Running
from .requests import REQUESTS, traces

PROTOBUF, JSON = "application/x-protobuf", "application/json"
TEAM_A = Caller("team-a", "pk-a", frozenset({"ingest"}))
READER = Caller("team-a", "pk-r", frozenset({"read"}))
TRACES_JSON = {"resourceSpans": [{"scopeSpans": [{"spans": [{"traceId": "5b" * 16, "spanId": "ee" * 8, "name": "chat"}]}]}]}


def post(running: Running, body: bytes, *, path: str = "/v1/traces", media: str = PROTOBUF, **headers: str) -> Any:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return requests.post(running.url + path, data=body, headers={"content-type": media} | sent, timeout=10)


@pytest.mark.parametrize("prefix", ["", "/api/public/otel"])
@pytest.mark.parametrize("signal", SIGNALS)
def test_every_signal_is_served_on_both_paths(running, signal, prefix):
    request = REQUESTS[signal]()
    answer = post(running, request.SerializeToString(), path=f"{prefix}/v1/{signal}")
    assert (answer.status_code, answer.headers["content-type"]) == (200, PROTOBUF)
    assert not SIGNALS[signal].response.FromString(answer.content).HasField("partial_success")
    assert running.pipeline.requests[0][:2] == (signal, request)


@pytest.mark.parametrize("signal", SIGNALS)
def test_json_is_answered_in_json(running, signal):
    answer = post(running, b"{}", path=f"/v1/{signal}", media="application/json; charset=utf-8")
    assert (answer.status_code, answer.headers["content-type"], answer.json()) == (200, JSON, {})


def test_json_spans_arrive_as_the_same_messages(running):
    post(running, json.dumps(TRACES_JSON).encode(), media=JSON)
    assert running.pipeline.spans[0].trace_id == b"\x5b" * 16


def test_partial_success_in_both_encodings(running):
    running.pipeline.answer = Answer(3, "3 spans rejected: bad id")
    partial = SIGNALS["traces"].response.FromString(post(running, b"").content).partial_success
    assert (partial.rejected_spans, partial.error_message) == (3, "3 spans rejected: bad id")
    assert post(running, b"{}", media=JSON).json() == {
        "partialSuccess": {"rejectedSpans": "3", "errorMessage": "3 spans rejected: bad id"}
    }


@pytest.mark.parametrize(
    ("encoding", "compress"),
    [("gzip", gzip.compress), ("deflate", zlib.compress), ("zstd", zstd.compress), ("GZIP", gzip.compress)],
)
@pytest.mark.parametrize("media", [PROTOBUF, JSON])
def test_compressed_bodies_are_read(running, encoding, compress, media):
    body = json.dumps(TRACES_JSON).encode() if media == JSON else traces("chat").SerializeToString()
    assert post(running, compress(body), media=media, content_encoding=encoding).status_code == 200
    assert running.pipeline.spans[0].name == "chat"


@pytest.mark.parametrize("media", [PROTOBUF, JSON])
def test_garbage_is_a_400_with_a_status_in_the_encoding_of_the_request(running, media):
    answer = post(running, b"\x0a\x7fgarbage", media=media)
    assert (answer.status_code, answer.headers["content-type"]) == (400, media)
    status = Status.FromString(answer.content) if media == PROTOBUF else Status(**answer.json())
    assert status.code == 3
    assert "not an ExportTraceServiceRequest" in status.message
    assert running.backend.refused == {"undecodable": 1}


@pytest.mark.parametrize("media", ["text/plain", "", "multipart/form-data", "application/x-www-form-urlencoded"])
def test_other_content_types_are_415(running, media):
    answer = post(running, b"x", media=media)
    assert answer.status_code == 415
    assert answer.json() == {"code": 12, "message": answer.json()["message"]}
    assert "application/x-protobuf" in answer.json()["message"]


def test_other_content_encodings_are_415(running):
    answer = post(running, b"x", content_encoding="br")
    assert answer.status_code == 415
    assert "gzip" in Status.FromString(answer.content).message


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "HEAD"])
def test_other_methods_are_405_and_name_the_allowed_one(running, method):
    answer = requests.request(method, running.url + "/v1/traces", timeout=5)
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST, OPTIONS")
    assert method == "HEAD" or answer.json()["code"] == 12


@pytest.mark.parametrize("path", ["/", "/v1", "/v1/profiles", "/v2/traces", "/v1/traces/x", "/%00", "/api/public/otel"])
def test_other_paths_are_404(running, path):
    answer = post(running, b"", path=path)
    assert answer.status_code == 404
    assert Status.FromString(answer.content).code == 5


def test_health_needs_no_key(running):
    running.backend.door.keys["sk-a"] = TEAM_A
    assert requests.get(running.url + "/healthz", timeout=5).json() == {"status": "ok"}


@pytest.mark.parametrize(
    ("error", "status", "code", "hint"),
    [
        (Overloaded("full", 1.2), 429, 8, "2"),
        (StoreUnavailable("down"), 503, 14, "1"),
        (StoreUnavailable("down", 60), 503, 14, "3"),
    ],
)
@pytest.mark.parametrize("media", [PROTOBUF, JSON])
def test_retryable_errors_carry_retry_after_and_retry_info(running, error, status, code, hint, media):
    running.pipeline.error = error
    answer = post(running, b"{}" if media == JSON else b"", media=media)
    assert (answer.status_code, answer.headers["retry-after"]) == (status, hint)
    if media == JSON:
        assert answer.json()["code"] == code
        assert answer.json()["details"][0]["@type"] == "type.googleapis.com/google.rpc.RetryInfo"
    else:
        assert Status.FromString(answer.content).code == code
        assert Status.FromString(answer.content).details[0].Unpack(RetryInfo())


def test_an_unforeseen_error_is_500_neutral_and_logged_once(running, caplog):
    running.pipeline.error = RuntimeError("secret detail")
    with caplog.at_level(logging.ERROR):
        answer = post(running, b"{}", media=JSON)
    assert (answer.status_code, answer.json()["code"]) == (500, 13)
    assert "secret" not in answer.text
    assert len([record for record in caplog.records if record.exc_info]) == 1


def test_an_answer_that_cannot_be_written_is_an_error_and_leaves_nothing_held(running):
    running.pipeline.answer = Answer(1, "a lone surrogate \ud800 has no UTF-8 form")
    assert post(running, b"{}", media=JSON).status_code == 500
    assert running.backend.budget.used == 0


@pytest.mark.parametrize(
    "headers", [{"authorization": "Bearer sk-a"}, {"authorization": "Basic cGstYTpzay1h"}, {"x_api_key": "sk-a"}]
)
def test_every_credential_style_opens_the_door(running, headers):
    running.backend.door.keys["sk-a"] = TEAM_A
    assert post(running, b"", **headers).status_code == 200
    assert running.pipeline.requests[0][2] is TEAM_A


@pytest.mark.parametrize(
    ("headers", "status", "code", "counted"),
    [
        ({}, 401, 16, []),
        ({"x_api_key": "wrong"}, 401, 16, []),
        ({"x_api_key": "sk-r"}, 403, 7, []),
        ({"x_api_key": "sk-a", "x_project_id": "team-b"}, 403, 7, ["foreign project named"]),
        ({"x_api_key": "sk-d"}, 403, 7, ["project deleted"]),
    ],
)
def test_the_door_stays_closed_to_others(running, headers, status, code, counted):
    gone = replace(TEAM_A, project="gone")
    running.backend.door.keys.update({"sk-a": TEAM_A, "sk-r": READER, "sk-d": gone})
    running.backend.door.deleted.add("gone")
    answer = post(running, b"", **headers)
    assert [reason for reason, *_ in running.backend.door.refusals] == counted
    assert (answer.status_code, Status.FromString(answer.content).code) == (status, code)
    assert ("www-authenticate" in answer.headers) == (status == 401)
    assert not running.pipeline.requests


def test_a_100_mb_body_is_413_however_it_is_sent():
    with Running(max_message_bytes=1_000_000) as running:
        body = bytes(100_000_000)
        answer = post(running, body)
        assert (answer.status_code, Status.FromString(answer.content).code) == (413, 8)
        assert "retry-after" not in answer.headers

        def chunks() -> Any:
            for _ in range(4):
                yield bytes(500_000)

        answer = requests.post(running.url + "/v1/traces", data=chunks(), headers={"content-type": PROTOBUF}, timeout=10)
        assert answer.status_code == 413
        assert post(running, gzip.compress(body), content_encoding="gzip").status_code == 413
        assert running.backend.budget.used == 0
        assert running.backend.refused == {"too_large": 3}


def test_a_client_that_asks_first_is_refused_before_it_sends():
    with Running(max_message_bytes=1000) as running:
        address = running.url.removeprefix("http://").split(":")
        with socket.create_connection((address[0], int(address[1])), timeout=5) as connection:
            connection.sendall(
                b"POST /v1/traces HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\n"
                b"content-type: application/json\r\ncontent-length: 99999\r\n\r\n"
            )
            assert connection.recv(1000).startswith(b"HTTP/1.1 413 ")


def test_bytes_in_flight_are_held_and_given_back(running):
    running.pipeline.gate = threading.Event()
    body = traces("x" * 1000).SerializeToString()
    with ThreadPoolExecutor(8) as clients:
        calls = [clients.submit(post, running, body) for _ in range(8)]
        for _ in range(8):
            assert running.pipeline.waiting.acquire(timeout=10)
        assert running.backend.budget.used == 8 * len(body)
        running.pipeline.gate.set()
        assert {call.result().status_code for call in calls} == {200}
    assert running.backend.budget.used == 0


def test_a_full_budget_is_429_while_the_body_arrives_and_while_it_is_decompressed():
    with Running(ingest_budget_bytes=100_000) as running:
        answer = post(running, bytes(200_000))
        assert (answer.status_code, answer.headers["retry-after"]) == (429, "1")
        answer = post(running, gzip.compress(bytes(200_000)), content_encoding="gzip")
        assert answer.status_code == 429
        assert running.backend.budget.used == 0


def test_one_connection_serves_many_requests_also_after_refusals(running):
    connection = http.client.HTTPConnection(running.url.removeprefix("http://"), timeout=5)
    for body, status in ((b"", 200), (b"garbage", 400), (b"", 200)):
        connection.request("POST", "/v1/traces", body, {"content-type": PROTOBUF})
        answer = connection.getresponse()
        answer.read()
        assert answer.status == status
    connection.close()


def test_cross_origin_requests_get_no_permission_by_default(running):
    answer = requests.options(running.url + "/v1/traces", headers={"origin": "https://app.example"}, timeout=5)
    assert answer.status_code == 204
    assert not [name for name in answer.headers if name.lower().startswith("access-control")]


def test_listed_origins_may_send_from_a_browser():
    with Running(cors_origins=("https://app.example",)) as running:
        asked = {"origin": "https://app.example", "access-control-request-headers": "content-type,x-api-key"}
        answer = requests.options(running.url + "/v1/traces", headers=asked, timeout=5)
        assert answer.headers["access-control-allow-origin"] == "https://app.example"
        assert answer.headers["access-control-allow-methods"] == "POST"
        assert answer.headers["access-control-allow-headers"] == "content-type,x-api-key"
        sent = post(running, b"", origin="https://app.example")
        assert sent.headers["access-control-allow-origin"] == "https://app.example"
        assert "access-control-allow-origin" not in post(running, b"", origin="https://evil.example").headers


def test_the_json_of_a_status_is_the_protobuf_json_mapping(running):
    running.pipeline.error = Overloaded("full")
    status = Status.FromString(post(running, b"").content)
    assert post(running, b"{}", media=JSON).json() == MessageToDict(status)
