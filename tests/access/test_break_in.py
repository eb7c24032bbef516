"""Attempts to get in, or further than a key allows, at a running server: every endpoint, every header trick."""

import base64
import json
from collections.abc import Iterator
from typing import Any, NamedTuple

import grpc
import pytest
from google.protobuf.json_format import ParseDict
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import TraceServiceStub

from tests.cli.conftest import ServerProcess, ask, credentials, otel_llm, spans

Key = dict[str, Any]

CANARY = "canary-model-of-alpha"
READS: list[tuple[str, str, Any]] = [
    ("GET", "/api/public/metrics/daily", None),
    ("POST", "/usage/total", {}),
    ("POST", "/usage/models", {}),
    ("POST", "/analytics", {"groupBy": ["model"]}),
    ("POST", "/analytics/summary", {"groupBy": ["model"]}),
    ("GET", "/threads/session-of-alpha/cost", None),
    ("GET", "/aistats/daily", None),
    ("GET", "/aistats/minute", None),
    ("GET", "/api/analytics/llm", None),
    ("GET", "/api/events?eventType=llm_response", None),
    ("GET", "/api/v1/stats", None),
    ("GET", "/api/v1/models", None),
    ("GET", "/api/v1/calls", None),
]
ADMIN: list[tuple[str, str, Any]] = [
    ("GET", "/api/v1/admin/keys", None),
    ("POST", "/api/v1/admin/keys", {}),
    ("DELETE", "/api/v1/admin/keys/pk-otel-none", None),
    ("POST", "/api/v1/admin/keys/pk-otel-none/rotate", {}),
    ("GET", "/api/v1/admin/projects", None),
    ("POST", "/api/v1/admin/projects", {"name": "gamma"}),
    ("DELETE", "/api/v1/admin/projects/beta", None),
    ("GET", "/api/v1/admin/audit", None),
]


class Site(NamedTuple):
    """A server with two projects; alpha has data, beta has none."""

    server: ServerProcess
    keys: dict[str, Key]

    def call(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> tuple[int, Any]:
        return ask(self.server.api_url + path, method=method, body=body, headers=headers)

    def send(self, headers: dict[str, str]) -> int:
        return ask(self.server.otlp_url + "/v1/traces", method="POST", body=spans(1), headers=headers)[0]

    def send_grpc(self, *metadata: tuple[str, str]) -> grpc.StatusCode:
        request = ParseDict(_hex_ids(spans(1)), ExportTraceServiceRequest())
        with grpc.insecure_channel(self.server.address("OTLP/gRPC")) as channel:
            try:
                TraceServiceStub(channel).Export(request, metadata=metadata, timeout=20)
            except grpc.RpcError as error:
                code = error.code()
                assert isinstance(code, grpc.StatusCode)
                return code
        return grpc.StatusCode.OK


def _hex_ids(request: dict[str, Any]) -> dict[str, Any]:
    """OTLP/JSON writes ids in hex, protobuf's own JSON in base64."""
    for span in request["resourceSpans"][0]["scopeSpans"][0]["spans"]:
        for name in ("traceId", "spanId"):
            span[name] = base64.b64encode(bytes.fromhex(span[name])).decode()
    return request


def bearer(key: Key) -> dict[str, str]:
    return {"authorization": f"Bearer {key['secret_key']}"}


def basic(public_key: str, secret: str) -> dict[str, str]:
    return {"authorization": "Basic " + base64.b64encode(f"{public_key}:{secret}".encode()).decode()}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    env = {"OTEL_LLM_DATABASE_URL": f"duckdb:///{folder / 'spans.duckdb'}"}
    keys: dict[str, Key] = {}
    for project in ("alpha", "beta"):
        for scope in ("ingest", "read", "admin"):
            made = otel_llm("keys", "create", "--project", project, "--scope", scope, folder=folder, **env)
            keys[f"{project} {scope}"] = json.loads(made.stdout)
    server = ServerProcess(folder)
    try:
        sent = spans(4, model=CANARY, user="user-of-alpha")
        for span in sent["resourceSpans"][0]["scopeSpans"][0]["spans"]:
            span["attributes"].append({"key": "session.id", "value": {"stringValue": "session-of-alpha"}})
        assert ask(server.otlp_url + "/v1/traces", method="POST", body=sent, headers=bearer(keys["alpha ingest"]))[0] == 200
        yield Site(server, keys)
    finally:
        server.kill()


@pytest.mark.parametrize(("method", "path", "body"), READS, ids=lambda value: value if isinstance(value, str) else "")
class TestReading:
    """Every endpoint that answers questions."""

    def test_the_owner_sees_its_data(self, site: Site, method: str, path: str, body: Any) -> None:
        status, answer = site.call(method, path, body, bearer(site.keys["alpha read"]))
        assert status == 200
        text = json.dumps(answer)
        assert CANARY in text or "40" in text, "the data is there: the tests below would pass on an empty store too"

    def test_strangers_ingest_keys_and_broken_pairs_see_nothing(self, site: Site, method: str, path: str, body: Any) -> None:
        alpha, beta = site.keys["alpha read"], site.keys["beta read"]
        refused = [
            ({}, 401),
            (basic(alpha["public_key"], beta["secret_key"]), 401),
            (basic(alpha["public_key"], ""), 401),
            (basic(alpha["public_key"], alpha["public_key"]), 401),
            ({"x-api-key": alpha["public_key"]}, 401),
            ({"authorization": f"Bearer {alpha['public_key']}"}, 401),
            ({"authorization": "Bearer null", "x-api-key": alpha["secret_key"]}, 401),
            ({"cookie": f"key={alpha['secret_key']}"}, 401),
            (bearer(site.keys["alpha ingest"]), 403),
        ]
        for headers, expected in refused:
            status, answer = site.call(method, path, body, headers)
            assert status == expected, headers
            assert CANARY not in json.dumps(answer)
            assert "Traceback" not in json.dumps(answer)

    def test_another_project_sees_nothing_whatever_it_names(self, site: Site, method: str, path: str, body: Any) -> None:
        key = bearer(site.keys["beta read"])
        joint = "&" if "?" in path else "?"
        tricks: list[tuple[str, dict[str, str]]] = [
            (path, {}),
            (path, {"x-project-id": "alpha"}),
            (path, {"X-Project-ID": "alpha,beta"}),
            (path, {"x-forwarded-for": "127.0.0.1", "x-real-ip": "127.0.0.1", "forwarded": "for=127.0.0.1"}),
            (f"{path}{joint}project=alpha&project_id=alpha&projectId=alpha", {}),
            (f"{path}{joint}publicKey={site.keys['alpha read']['public_key']}", {}),
            (f"{path}{joint}userId=user-of-alpha&user=user-of-alpha&model={CANARY}", {}),
        ]
        for trick, headers in tricks:
            sent = None if body is None else {**body, "project": "alpha", "project_id": "alpha", "user_id": "user-of-alpha"}
            status, answer = site.call(method, trick, sent, {**key, **headers})
            assert status in (200, 400), (trick, headers)
            text = json.dumps(answer)
            assert CANARY not in text
            assert '"alpha"' not in text
            assert not _numbers(answer) - {0}, answer


def _numbers(answer: Any, name: str = "") -> set[float]:
    """Every number of an answer that counts or sums something."""
    if isinstance(answer, dict):
        return {number for key, value in answer.items() for number in _numbers(value, key)}
    if isinstance(answer, list):
        return {number for value in answer for number in _numbers(value, name)}
    neutral = {"page", "limit", "status", "start_time_us", "end_time_us", "period_start", "period_end", "totalPages"}
    return {answer} if isinstance(answer, int | float) and not isinstance(answer, bool) and name not in neutral else set()


@pytest.mark.parametrize(("method", "path", "body"), ADMIN, ids=lambda value: value if isinstance(value, str) else "")
def test_only_admin_keys_reach_the_admin_endpoints(site: Site, method: str, path: str, body: Any) -> None:
    for name, expected in (("alpha ingest", 403), ("alpha read", 403), ("", 401)):
        headers = bearer(site.keys[name]) if name else {}
        status, answer = site.call(method, path, body, headers)
        assert status == expected
        assert set(answer) <= {"error", "status", "hint"}


def test_an_admin_manages_its_own_project_and_does_not_learn_of_others(site: Site) -> None:
    admin = bearer(site.keys["alpha admin"])
    foreign = site.keys["beta read"]["public_key"]
    assert {key["project"] for key in site.call("GET", "/api/v1/admin/keys", headers=admin)[1]["keys"]} == {"alpha"}
    assert [one["name"] for one in site.call("GET", "/api/v1/admin/projects", headers=admin)[1]["projects"]] == ["alpha"]
    assert site.call("POST", "/api/v1/admin/keys", {"project": "beta"}, admin)[0] == 403
    assert site.call("POST", "/api/v1/admin/projects", {"name": "gamma"}, admin)[0] == 403
    assert site.call("DELETE", "/api/v1/admin/projects/beta", None, admin)[0] == 403
    unknown = site.call("DELETE", "/api/v1/admin/keys/pk-otel-none", None, admin)
    known = site.call("DELETE", f"/api/v1/admin/keys/{foreign}", None, admin)
    assert known[0] == unknown[0] == 404
    assert known[1]["error"].replace(foreign, "pk-otel-none") == unknown[1]["error"]
    assert site.call("POST", f"/api/v1/admin/keys/{foreign}/rotate", {}, admin)[0] == 404
    assert site.call("GET", "/api/v1/stats", headers=bearer(site.keys["beta read"]))[0] == 200, "beta's key is untouched"
    entries = site.call("GET", "/api/v1/admin/audit", headers=admin)[1]["entries"]
    assert {entry["project"] for entry in entries} <= {"alpha", None}
    assert "addresses" not in json.dumps(entries)


@pytest.mark.parametrize(
    "body",
    [
        [],
        "x",
        {"scopes": "admin"},
        {"scopes": [1]},
        {"scopes": ["root"]},
        {"scopes": []},
        {"project": 7},
        {"project": "../alpha"},
        {"expires": "never"},
        {"expires": "999999999999999w"},
        {"expires": "9999-12-31T23:59:59-23:59"},
    ],
    ids=repr,
)
def test_wrong_bodies_of_admin_requests_are_refused_without_a_500(site: Site, body: Any) -> None:
    status, answer = site.call("POST", "/api/v1/admin/keys", body, bearer(site.keys["alpha admin"]))
    assert status in (400, 403)
    assert set(answer) == {"error", "status"}


@pytest.mark.parametrize(("name", "allowed"), [("ingest", True), ("read", False), ("admin", True)])
def test_only_keys_with_the_scope_send_over_both_protocols(site: Site, name: str, allowed: bool) -> None:
    key = site.keys[f"beta {name}"]
    # data of its own would disturb the tests that expect beta to have none, so what is allowed is sent to a third project
    styles = credentials(key)
    if not allowed:
        assert {site.send(style) for style in styles} == {403}
        assert {site.send_grpc(*style.items()) for style in styles} == {grpc.StatusCode.PERMISSION_DENIED}
        return
    foreign = ("x-project-id", "alpha")
    assert {site.send({**style, **dict([foreign])}) for style in styles} == {403}
    assert {site.send_grpc(*style.items(), foreign) for style in styles} == {grpc.StatusCode.PERMISSION_DENIED}


def test_strangers_send_nothing_over_both_protocols(site: Site) -> None:
    alpha, beta = site.keys["alpha ingest"], site.keys["beta ingest"]
    for headers in (
        {},
        {"x-api-key": alpha["public_key"]},
        basic(alpha["public_key"], beta["secret_key"]),
        {"authorization": alpha["secret_key"]},
        {"x-project-id": "alpha"},
    ):
        assert site.send(headers) == 401
        assert site.send_grpc(*headers.items()) == grpc.StatusCode.UNAUTHENTICATED
    assert ask(site.server.api_url + "/api/public/otel/v1/traces", method="POST", body=spans(1))[0] == 401


def test_health_tells_strangers_no_version_and_no_content(site: Site) -> None:
    status, answer = site.call("GET", "/healthz")
    assert status == 200
    text = json.dumps(answer)
    assert "version" not in answer
    assert "alpha" not in text
    assert CANARY not in text
    assert "version" in site.call("GET", "/healthz", headers=bearer(site.keys["alpha read"]))[1]


def test_the_log_of_all_this_holds_no_secret(site: Site) -> None:
    log = "\n".join(site.server.log)
    assert "refused a request from 127.0.0.1" in log
    for key in site.keys.values():
        assert key["secret_key"] not in log
    assert "Traceback" not in log
