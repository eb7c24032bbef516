"""Whatever is sent, with everything real behind the receiver: no INTERNAL, no 5xx, no traceback, counters that add up."""

import gzip
import json
import logging
import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from otel_llm.collector import Collector
from otel_llm.config import Settings
from otel_llm.otlp.signals import SIGNALS
from receiver.server import Receiver
from tests.effort import examples
from tests.otlp.test_json import JSON, fields_of

from .requests import traces

FINE = {200, 400, 408, 413, 415, 429}


class Real:
    def __init__(self, folder: Path) -> None:
        defaults = {"grpc_port": 0, "otlp_http_port": 0, "api_port": 0, "max_message_bytes": 4_000_000}
        self.collector = Collector(Settings(database_url=f"duckdb:///{folder / 'fuzz.duckdb'}", **defaults))
        self.collector.start()
        self.receiver = Receiver(self.collector)
        self.receiver.start()
        self.channel = grpc.insecure_channel(f"127.0.0.1:{self.receiver.grpc.port}")
        self.session = requests.Session()

    def close(self) -> None:
        self.channel.close()
        self.session.close()
        self.receiver.stop()
        self.collector.stop()

    def grpc(self, signal: str, body: bytes) -> str:
        try:
            self.channel.unary_unary(f"/{SIGNALS[signal].service}/Export")(body, timeout=10)
        except grpc.RpcError as error:
            return str(error.code().name)
        return "OK"

    def post(self, path: str, body: bytes, **headers: str) -> int:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        answer = self.session.post(self.receiver.http.url + path, data=body, headers=sent, timeout=10)
        assert "Traceback" not in answer.text
        return answer.status_code

    def adds_up(self) -> bool:
        counts = self.collector.accounting.snapshot()
        return all(
            counts[signal]["received"]
            == counts[signal]["stored"]
            + counts[signal]["duplicate"]
            + sum(counts[signal]["ignored"].values())
            + sum(counts[signal]["rejected"].values())
            for signal in ("spans", "log_records", "data_points")
        )


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Real]:
    real = Real(tmp_path_factory.mktemp("fuzz"))
    yield real
    assert real.adds_up()
    assert real.collector.budget.used == 0
    real.close()


@pytest.fixture(autouse=True)
def nothing_unforeseen(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    yield
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR] == []


fuzzed = settings(max_examples=examples(60, 25), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@fuzzed
@given(signal=st.sampled_from(list(SIGNALS)), body=st.binary(max_size=300))
def test_any_bytes_over_grpc(real, signal, body):
    assert real.grpc(signal, body) in ("OK", "INVALID_ARGUMENT", "RESOURCE_EXHAUSTED")


@fuzzed
@given(
    signal=st.sampled_from(list(SIGNALS)),
    body=st.binary(max_size=300),
    media=st.sampled_from(["application/x-protobuf", "application/json", "text/plain"]),
    encoding=st.sampled_from(["", "gzip", "deflate", "zstd", "gzip, gzip", "br", "identity"]),
)
def test_any_bytes_over_http(real, signal, body, media, encoding):
    assert real.post(f"/v1/{signal}", body, content_type=media, content_encoding=encoding) in FINE


@fuzzed
@given(signal=st.sampled_from(list(SIGNALS)), data=st.data())
def test_any_well_formed_request_over_grpc(real, signal, data):
    request = SIGNALS[signal].request(**data.draw(fields_of(SIGNALS[signal].descriptor)))
    assert real.grpc(signal, request.SerializeToString()) == "OK"


@fuzzed
@given(data=st.data())
def test_any_well_formed_request_with_flipped_bytes_over_grpc(real, data):
    signal = data.draw(st.sampled_from(list(SIGNALS)))
    body = bytearray(SIGNALS[signal].request(**data.draw(fields_of(SIGNALS[signal].descriptor))).SerializeToString())
    for position in data.draw(st.lists(st.integers(0, max(0, len(body) - 1)), max_size=3)):
        if body:
            body[position] ^= data.draw(st.integers(1, 255))
    assert real.grpc(signal, bytes(body)) in ("OK", "INVALID_ARGUMENT", "RESOURCE_EXHAUSTED")


@fuzzed
@given(signal=st.sampled_from(list(SIGNALS)), document=JSON)
def test_any_json_over_http(real, signal, document):
    assert real.post(f"/v1/{signal}", json.dumps(document).encode(), content_type="application/json") in FINE


@fuzzed
@given(span=JSON, attributes=st.lists(JSON, max_size=3))
def test_any_span_in_json_does_not_cost_the_good_one_beside_it(real, span, attributes):
    good = {"traceId": os.urandom(16).hex(), "spanId": os.urandom(8).hex(), "name": "good", "attributes": attributes}
    before = real.collector.accounting.snapshot()["spans"]["stored"]
    document = {"resourceSpans": [{"scopeSpans": [{"spans": [span, good]}]}]}
    assert real.post("/v1/traces", json.dumps(document).encode(), content_type="application/json") == 200
    assert real.collector.accounting.snapshot()["spans"]["stored"] - before >= 1


@fuzzed
@given(
    headers=st.dictionaries(
        st.sampled_from(["authorization", "x-api-key", "x-project-id", "content-type", "origin"]),
        st.text(st.characters(codec="latin-1", exclude_categories=["Cc"]), max_size=30).map(str.strip),
    )
)
def test_any_headers_over_http(real, headers):
    sent = {name: value.encode("latin-1") for name, value in headers.items()}
    answer = real.session.post(real.receiver.http.url + "/v1/traces", data=b"", headers=sent, timeout=10)
    assert answer.status_code in FINE | {401, 403}


def test_values_nested_as_deep_as_they_come(real):
    def body_of(depth: int) -> bytes:
        value: Any = {"stringValue": "x"}
        for _ in range(depth):
            value = (
                {"arrayValue": {"values": [value]}}
                if depth % 2
                else {"kvlistValue": {"values": [{"key": "k", "value": value}]}}
            )
        span = {"traceId": os.urandom(16).hex(), "spanId": os.urandom(8).hex(), "attributes": [{"key": "a", "value": value}]}
        return json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}).encode()

    for depth in (1, 10, 31, 47, 48, 80, 150):
        assert real.post("/v1/traces", body_of(depth), content_type="application/json") == 200
    for body in (b"[" * 1_000_000, b'{"resourceSpans":[' * 100_000):
        assert real.post("/v1/traces", body, content_type="application/json") == 400


def test_every_combination_of_protocol_and_compression_stores_the_same_span_once(real):
    request = traces("same")
    body = request.SerializeToString()
    before = real.collector.accounting.snapshot()["spans"]
    assert real.grpc("traces", body) == "OK"
    assert real.post("/v1/traces", body, content_type="application/x-protobuf") == 200
    assert real.post("/v1/traces", gzip.compress(body), content_type="application/x-protobuf", content_encoding="gzip") == 200
    span = request.resource_spans[0].scope_spans[0].spans[0]
    document = {"traceId": span.trace_id.hex().upper(), "spanId": span.span_id.hex(), "name": "same"}
    text = json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [document]}]}]}).encode()
    assert real.post("/api/public/otel/v1/traces", text, content_type="application/json") == 200
    after = real.collector.accounting.snapshot()["spans"]
    # times are missing in all, so the time of arrival stands for them and a later copy may replace an earlier one
    assert after["received"] - before["received"] == 4
    with real.collector.engine.sql.connect() as connection:
        found = connection.exec_driver_sql("select count(*) from spans where name = 'same'").scalar()
    assert found == 1


def test_counters_add_up_at_every_instant_while_requests_arrive(real):
    def send(number: int) -> None:
        bad = number % 3 == 0
        request = traces(*("x" for _ in range(20)))
        if bad:
            request.resource_spans[0].scope_spans[0].spans[3].span_id = b"short"
        assert real.grpc("traces", request.SerializeToString()) == "OK"

    watching = threading.Event()
    wrong: list[bool] = []

    def watch() -> None:
        while not watching.is_set():
            if not real.adds_up():
                wrong.append(True)

    watcher = threading.Thread(target=watch)
    watcher.start()
    with ThreadPoolExecutor(8) as clients:
        list(clients.map(send, range(60)))
    watching.set()
    watcher.join()
    assert not wrong
