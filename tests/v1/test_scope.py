"""Who sees what: a key its project, a stranger nothing, a session no more than its key."""

import time

import pytest

from otel_llm.spans import Rejection
from otel_llm.store.engines.base import Change
from tests.query_api.call_rows import call, span_id, trace
from tests.query_api.conftest import QueryServer

TRACE = trace(5).hex()
PATHS = [
    "/api/v1/overview",
    "/api/v1/series?split=user",
    "/api/v1/top?by=user",
    "/api/v1/top?by=tag",
    "/api/v1/calls/search",
    f"/api/v1/traces/{TRACE}",
    f"/api/v1/traces/{TRACE}/spans/{span_id(5).hex()}",
    f"/api/v1/traces/{TRACE}/why",
    "/api/v1/data-health",
    "/api/v1/info",
    "/metrics",
]


@pytest.fixture
def two_projects(v1_server: QueryServer) -> tuple[QueryServer, str, str]:
    """A server with one call of the project ``red``, and the secrets of ``red`` and ``blue``."""
    now = time.time_ns()
    row = call(project="red", trace_id=trace(5), span_id=span_id(5), user_id="SECRET-user", response_model="SECRET-model")
    v1_server.store([row | {"start_ns": now - 10**9, "end_ns": now, "tags": '["SECRET-tag"]', "input_tokens": 3}])
    with v1_server.engine.write([]) as session:
        session.apply(Change(rejections=[Rejection("red", now, "spans", TRACE, "", "SECRET", "SECRET")]))
    return v1_server, v1_server.key("red").secret_key, v1_server.key("blue").secret_key


@pytest.mark.parametrize("path", PATHS)
def test_a_key_sees_its_project_only(two_projects: tuple[QueryServer, str, str], path: str) -> None:
    server, red, blue = two_projects
    own = server.client.get(path, headers={"Authorization": f"Bearer {red}"})
    foreign = server.client.get(path, headers={"Authorization": f"Bearer {blue}", "X-Project-Id": "red"})
    assert own.status_code == 200
    assert "SECRET" not in foreign.text
    if "info" not in path and "overview" not in path:
        assert "SECRET" in own.text


@pytest.mark.parametrize("path", PATHS)
def test_without_a_key_or_scope_nothing_is_told(two_projects: tuple[QueryServer, str, str], path: str) -> None:
    server, *_ = two_projects
    assert server.client.get(path).status_code == 401
    assert server.client.get(path, headers={"X-Api-Key": "sk-guess"}).status_code == 401
    sender = server.key("red", scopes=("ingest",)).secret_key
    assert server.client.get(path, headers={"X-Api-Key": sender}).status_code == 403


@pytest.mark.parametrize("path", PATHS)
def test_a_foreign_host_name_is_refused_while_there_is_no_key(v1_server: QueryServer, path: str) -> None:
    assert v1_server.client.get(path, headers={"Host": "evil.example"}).status_code == 401
    assert v1_server.client.get(path, headers={"Origin": "https://evil.example"}).status_code == 401
