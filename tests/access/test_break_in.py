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

from otel_llm import __version__
from tests.cli.conftest import ServerProcess, ask, credentials, otel_llm, spans
from tests.query_api.conftest import QueryServer

Key = dict[str, Any]

CANARY = "canary-model-of-alpha"
INPUT_TOKENS, OUTPUT_TOKENS = 76_543, 98_321
SPANS = 4
OF_ALPHA = (
    CANARY,
    "user-of-alpha",
    "session-of-alpha",
    "service-of-alpha",
    *map(str, (INPUT_TOKENS, OUTPUT_TOKENS, SPANS * INPUT_TOKENS, SPANS * OUTPUT_TOKENS)),
)
"""What every answer about alpha's calls holds something of, and no answer to anybody else."""

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
    ("GET", "/api/v1/unpriced", None),
    ("GET", "/api/v1/overview", None),
    ("GET", "/api/v1/series?split=model", None),
    ("GET", "/api/v1/top?by=model", None),
    ("GET", "/api/v1/top?by=model&format=csv", None),
    ("GET", "/api/v1/calls/search", None),
    ("GET", "/api/v1/calls/search?format=csv", None),
    ("GET", "/api/v1/traces/{trace}", None),
    ("GET", "/api/v1/traces/{trace}?format=csv", None),
    ("GET", "/api/v1/traces/{trace}/spans/{span}", None),
    ("GET", "/api/v1/traces/{trace}/why", None),
    ("GET", "/api/v1/traces/{trace}/explain", None),
    ("GET", "/api/v1/data-health", None),
    ("GET", "/metrics", None),
]
"""Every endpoint that answers with data of a project."""
WITHOUT_DATA = {
    *("/healthz", "/openapi.json", "/favicon.ico", "/ui", "/ui/", "/ui/login", "/ui/logout", "/api/v1/info"),
    *("/ui/<path:unknown>", "/ui/assets/<digest>/<path:name>"),
}
"""Endpoints that have none, or whose own tests say what they tell to whom (health, info, the pages around the data)."""
PAGES = ["/", "/ui/usage", "/ui/calls", "/ui/health", "/ui/traces/{trace}"]
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
    trace: str
    span: str

    def call(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> tuple[int, Any]:
        path = path.replace("{trace}", self.trace).replace("{span}", self.span)
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
        sent = spans(SPANS, model=CANARY, user="user-of-alpha")
        sent["resourceSpans"][0]["resource"]["attributes"][0]["value"] = {"stringValue": "service-of-alpha"}
        found = sent["resourceSpans"][0]["scopeSpans"][0]["spans"]
        for span in found:
            span["attributes"].append({"key": "session.id", "value": {"stringValue": "session-of-alpha"}})
            for attribute in span["attributes"]:
                tokens = {"gen_ai.usage.input_tokens": INPUT_TOKENS, "gen_ai.usage.output_tokens": OUTPUT_TOKENS}
                if attribute["key"] in tokens:
                    attribute["value"] = {"intValue": str(tokens[attribute["key"]])}
        assert ask(server.otlp_url + "/v1/traces", method="POST", body=sent, headers=bearer(keys["alpha ingest"]))[0] == 200
        yield Site(server, keys, found[0]["traceId"], found[0]["spanId"])
    finally:
        server.kill()


@pytest.mark.parametrize(("method", "path", "body"), READS, ids=lambda value: value if isinstance(value, str) else "")
class TestReading:
    """Every endpoint that answers questions."""

    def test_the_owner_sees_its_data(self, site: Site, method: str, path: str, body: Any) -> None:
        status, answer = site.call(method, path, body, bearer(site.keys["alpha read"]))
        assert status == 200
        told = [sign for sign in OF_ALPHA if sign in json.dumps(answer)]
        assert told, "the data is there: the tests below would pass on an empty store too"

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
            assert not _told_of_alpha(answer)
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
            assert status in (200, 400, 404), (trick, headers)
            assert not _told_of_alpha(answer), trick
            assert '"alpha"' not in json.dumps(answer)


def _told_of_alpha(answer: Any) -> list[str]:
    return [sign for sign in OF_ALPHA if sign in json.dumps(answer)]


def test_every_endpoint_is_attacked() -> None:
    server = QueryServer()
    server.close()
    rules = {rule.rule for rule in server.app.url_map.iter_rules() if not rule.rule.startswith("/api/v1/admin")}
    names = {"<trace_id>": "{trace}", "<span_id>": "{span}", "<path:thread_id>": "session-of-alpha"}
    attacked = {path.partition("?")[0] for _, path, _ in READS} | set(PAGES)

    def named(rule: str) -> str:
        for form, value in names.items():
            rule = rule.replace(form, value)
        return rule

    assert {named(rule) for rule in rules} - attacked == WITHOUT_DATA


@pytest.mark.parametrize("path", PAGES)
def test_pages_hold_no_data_and_are_shown_to_readers_only(site: Site, path: str) -> None:
    for headers in (
        {},
        bearer(site.keys["beta read"]),
        {"cookie": f"otel_llm_session={site.keys['alpha read']['secret_key']}"},
    ):
        assert not _told_of_alpha(site.call("GET", path, headers=headers)[1])
    assert "Log in" in site.call("GET", path)[1], "a stranger is sent to the login"
    assert site.call("GET", path, headers=bearer(site.keys["alpha ingest"]))[0] == 403


def test_health_and_metrics_count_what_came_for_the_own_project(site: Site) -> None:
    def received(key: str) -> tuple[int, str]:
        headers = bearer(site.keys[key])
        lines = site.call("GET", "/metrics", headers=headers)[1].splitlines()
        [line] = [line for line in lines if line.startswith('otel_llm_ingest_received_total{signal="spans"}')]
        return site.call("GET", "/healthz", headers=headers)[1]["spans"]["received"], line.split()[-1]

    assert received("alpha read") == (SPANS, f"{SPANS}.0")
    assert received("beta read") == (0, "0.0")
    assert (
        site.call("GET", "/api/v1/data-health", headers=bearer(site.keys["beta read"]))[1]["since_start"]["spans"]["received"]
        == 0
    )
    info = site.call("GET", "/api/v1/info", headers=bearer(site.keys["beta read"]))[1]
    assert (info["project"], info["spans"], info["first"]) == ("beta", 0, None)
    assert site.call("GET", "/api/v1/info")[0] == 401


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


@pytest.mark.parametrize("key", ["", "alpha ingest", "wrong"])
def test_health_tells_strangers_that_the_server_is_ready_and_nothing_else(site: Site, key: str) -> None:
    headers = bearer(site.keys.get(key, {"secret_key": "sk-otel-wrong"})) if key else {}
    assert site.call("GET", "/healthz", headers=headers) == (200, {"status": "ok"})
    assert ask(site.server.otlp_url + "/healthz", headers=headers) == (200, {"status": "ok"})


def test_health_tells_readers_the_version_and_the_counters(site: Site) -> None:
    status, answer = site.call("GET", "/healthz", headers=bearer(site.keys["alpha read"]))
    assert status == 200
    assert set(answer) == {*("status", "version", "spans", "log_records", "data_points"), "values_dropped", "requests_refused"}


def test_the_description_of_the_api_tells_no_version_and_no_data(site: Site) -> None:
    status, answer = site.call("GET", "/openapi.json")
    assert status == 200
    assert __version__ not in json.dumps(answer["info"])
    assert not _told_of_alpha(answer)


def test_the_log_of_all_this_holds_no_secret(site: Site) -> None:
    log = "\n".join(site.server.log)
    assert "refused a request from 127.0.0.1" in log
    for key in site.keys.values():
        assert key["secret_key"] not in log
    assert "Traceback" not in log
