"""Every field of every endpoint equals what the slow oracle computes from the same spans."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from math import isclose
from typing import Any

import pytest

from otel_llm.spans import Finding
from otel_llm.store.queries import daily_observations
from otel_llm.store.queries.daily_observations import TRACES_AT_ONCE
from tests.effort import examples
from tests.engines import ENGINES, url_of

from .call_rows import DAY, SECOND
from .conftest import QueryServer
from .oracle import Oracle
from .world import DAYS, FIRST, world

World = tuple[QueryServer, Oracle]
MID = FIRST + 2 * DAY + 12_345_678_901_234


@pytest.fixture(scope="module", params=ENGINES)
def seeded_world(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, new_query_server: Callable[..., QueryServer]
) -> World:
    """A server over some thousand spans, and its oracle."""
    server = new_query_server(database_url=url_of(request, request.param, tmp_path_factory.mktemp("world")))
    rows, findings = rows_of_the_world()
    for begin in range(0, len(rows), 1_000):
        server.store(rows[begin : begin + 1_000])
    server.store([], findings)
    return server, oracle_of_the_world()


@cache
def rows_of_the_world() -> tuple[list[dict[str, Any]], list[Finding]]:
    """The spans and findings, the same for every engine."""
    return world(seed=20250128, traces=450)


@cache
def oracle_of_the_world() -> Oracle:
    """Their oracle: it computes an answer once, whichever engine is asked."""
    oracle = Oracle(*rows_of_the_world())
    for answer in ("analytics", "daily", "langdb_calls", "stats", "usage_models"):
        setattr(oracle, answer, remembered(getattr(oracle, answer)))
    return oracle


def remembered(answer: Callable[..., Any]) -> Callable[..., Any]:
    """The same, computed once for each question."""
    known: dict[str, Any] = {}

    def look_up(*question: Any, **filters: Any) -> Any:
        key = repr((question, filters))
        if key not in known:
            known[key] = answer(*question, **filters)
        return known[key]

    return look_up


def same(found: Any, expected: Any) -> None:
    """Equal keys, texts and integers; doubles equal to 1e-9 (sums are added in another order)."""
    if isinstance(expected, dict):
        assert isinstance(found, dict)
        assert found.keys() == expected.keys()
        for key, value in expected.items():
            if key in ("tps_p50", "tps_p90", "tps_p95", "tps_p99", "tps"):
                assert isclose(found[key], value, rel_tol=1e-9, abs_tol=1e-9), (key, found[key], value)
            else:
                same(found[key], value)
    elif isinstance(expected, list):
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            same(one, other)
    elif isinstance(expected, float):
        assert isclose(found, expected, rel_tol=1e-9, abs_tol=1e-9), (found, expected)
    else:
        assert type(found) is type(expected)
        assert found == expected


def us(time_ns: int) -> int:
    return time_ns // 1_000


RANGES = [
    (us(FIRST) - 10**12, us(FIRST) + 10**13),
    (us(MID), us(MID) + 86_400_000_000),
    (us(FIRST + 3 * DAY), us(FIRST + 3 * DAY)),
]
USER_FILTERS: list[dict[str, Any]] = [
    {},
    {"user_id": "ann"},
    {"user_name": "Bob"},
    {"user_tags": ["alpha", 'quo"te']},
    {"user_id": "bob", "user_name": "Ann"},
    {"user_id": "cy", "user_name": "Bob", "user_tags": ["gamma,delta"]},
    {"user_id": "nobody"},
]


@pytest.mark.parametrize("start_end", RANGES)
@pytest.mark.parametrize("users", USER_FILTERS)
def test_langdb_usage(seeded_world: World, start_end: tuple[int, int], users: dict[str, Any]) -> None:
    server, oracle = seeded_world
    body = {"start_time_us": start_end[0], "end_time_us": start_end[1], **users}
    found = server.post("/usage/total", body)
    period = {"period_start": start_end[0], "period_end": start_end[1]}
    same(found, {"total": oracle.usage(oracle.langdb_calls(body)), **period})
    every: list[str | None] = ["minute", "hour", "day", "month", None]
    turn = RANGES.index(start_end) + USER_FILTERS.index(users)
    for unit in (every * 2)[turn % 5 :][: examples(5, 2)]:
        body = {key: value for key, value in body.items() if key != "min_unit"} | ({"min_unit": unit} if unit else {})
        same(server.post("/usage/models", body), {"models": oracle.usage_models(body), **period})


GROUPINGS: list[tuple[list[str], list[str] | None, dict[str, Any]]] = [
    ([], None, {}),
    ([], None, {"user_id": "ann"}),
    (["provider"], ["env"], {}),
    (["model"], None, {"user_tags": ["alpha"]}),
    (["tag"], None, {}),
    (["tag"], ["we/ird~key", "nope", "team"], {}),
    (["tag", "provider"], ["env"], {"user_id": "ann"}),
    (["model", "tag", "provider"], None, {}),
]


@pytest.mark.parametrize(("groups", "tag_keys", "users"), GROUPINGS)
def test_langdb_analytics(seeded_world: World, groups: list[str], tag_keys: list[str] | None, users: dict[str, Any]) -> None:
    server, oracle = seeded_world
    start, end = RANGES[0]
    body = {"start_time_us": start, "end_time_us": end, "groupBy": groups, **users}
    if tag_keys:
        body["tag_keys"] = tag_keys
    period = {"start_time_us": start, "end_time_us": end}
    found = server.post("/analytics", body | {"min_unit": "day"})
    same(found, {"timeseries": oracle.analytics(body, "day"), **period})
    summary = server.post("/analytics/summary", body)["summary"]
    expected = oracle.analytics(body, None)
    assert [row["total_cost"] for row in summary] == sorted((row["total_cost"] for row in summary), reverse=True)
    by_group = {tuple(row.get("tag_tuple", ())): row for row in expected}
    assert len(summary) == len(by_group)
    for row in summary:
        same(row, by_group[tuple(row.get("tag_tuple", ()))])


@pytest.mark.parametrize("unit", ["minute", "hour", "month"])
def test_langdb_analytics_by_every_unit(seeded_world: World, unit: str) -> None:
    server, oracle = seeded_world
    body = {"start_time_us": RANGES[1][0], "end_time_us": RANGES[1][1], "groupBy": ["provider"]}
    same(server.post("/analytics", body | {"min_unit": unit})["timeseries"], oracle.analytics(body, unit))
    if unit == "hour":
        same(server.post("/analytics", body)["timeseries"], oracle.analytics(body, unit))


def test_langdb_thread_cost(seeded_world: World) -> None:
    server, oracle = seeded_world
    for session in ("s-1", "s-2", "nothing"):
        calls = [row for row in oracle.calls if oracle.effective(row, "session_id") == session]
        same(server.get(f"/threads/{session}/cost"), oracle.usage(calls))


def iso(time_ns: int) -> str:
    """A time with nanoseconds, as text."""
    return f"{datetime.fromtimestamp(time_ns // SECOND, UTC):%Y-%m-%dT%H:%M:%S}.{time_ns % SECOND:09d}Z"


UNITS = ["hour", "day", "week"]
LENSES: list[dict[str, str]] = [
    {},
    {"agentId": "planner"},
    {"agentId": "a-7"},
    {"agentId": "lens", "provider": "openai"},
    {"agentId": "svc"},
    {"model": "unknown"},
    {"model": "openai/gpt-4o", "provider": "unknown"},
]


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("filters", LENSES)
def test_agentlens_analytics(seeded_world: World, unit: str, filters: dict[str, str]) -> None:
    server, oracle = seeded_world
    exact = sorted(row["end_ns"] for row in oracle.calls if row["role"] == "generation")
    windows = [(0, FIRST + 40 * DAY), (exact[200], exact[500])]  # both ends of the second lie on a call
    turn = LENSES.index(filters) + UNITS.index(unit)
    for first, last in (windows * 2)[turn % 2 :][: examples(2, 1)]:
        calls = oracle.agentlens_calls(first, last, filters.get("agentId"), filters.get("model"), filters.get("provider"))
        found = server.get("/api/analytics/llm", **{"from": iso(first), "to": iso(last), "granularity": unit}, **filters)
        same(found, oracle.llm(calls, unit))


@pytest.mark.parametrize("order", ["asc", "desc"])
def test_agentlens_events(seeded_world: World, order: str) -> None:
    server, oracle = seeded_world
    calls = oracle.agentlens_calls(FIRST, FIRST + DAYS * DAY, "planner", None, None)
    calls.sort(key=lambda row: (row["end_ns"], row["trace_id"], row["span_id"]), reverse=order == "desc")
    parameters = {"from": iso(FIRST), "to": iso(FIRST + DAYS * DAY), "agentId": "planner", "order": order}
    found = server.get("/api/events", eventType="llm_response", limit=20, offset=10, **parameters)
    assert (found["total"], found["hasMore"]) == (len(calls), True)
    for event, row in zip(found["events"], calls[10:30], strict=True):
        payload = event["payload"]
        assert payload["callId"] == row["span_id"].hex()
        assert payload["model"] == (oracle.model(row) or "unknown")
        assert payload["usage"]["inputTokens"] == (row["input_tokens"] or 0)
        assert payload["costUsd"] == pytest.approx(oracle.cost(row))
        assert payload["latencyMs"] == (row["end_ns"] - row["start_ns"]) / 1e6
        assert event["sessionId"] == (oracle.effective(row, "session_id") or f"trace-{row['trace_id'].hex()}")
        assert event["metadata"]["userId"] == oracle.effective(row, "user_id")
        assert event["timestamp"] == iso(row["end_ns"])[:23] + "Z"


LANGFUSE: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({}, {}),
    ({"userId": "ann"}, {"user": "ann"}),
    ({"traceName": "run"}, {"name": "run"}),
    ({"traceName": "named", "userId": "bob"}, {"name": "named", "user": "bob"}),
    ({"tags": "alpha,beta"}, {"tags": ["alpha", "beta"]}),
    ({"tags": ["gamma,delta", 'quo"te']}, {"tags": ["gamma,delta", 'quo"te']}),
    ({"environment": "default"}, {"environments": ["default"]}),
    ({"environment": "production,dev", "tags": "beta"}, {"environments": ["production", "dev"], "tags": ["beta"]}),
    ({"environment": "Production"}, {"environments": ["Production"]}),
    ({"fromTimestamp": iso(MID)}, {"first": MID}),
    ({"toTimestamp": iso(MID)}, {"end": MID}),
    ({"fromTimestamp": iso(MID - DAY), "toTimestamp": iso(MID)}, {"first": MID - DAY, "end": MID}),
    ({"fromTimestamp": iso(MID), "toTimestamp": iso(MID + 3_600 * SECOND)}, {"first": MID, "end": MID + 3_600 * SECOND}),
    (
        {"fromTimestamp": iso(FIRST + DAY), "toTimestamp": iso(FIRST + DAYS * DAY)},
        {"first": FIRST + DAY, "end": FIRST + DAYS * DAY},
    ),
    (
        {"fromTimestamp": iso(MID - DAY), "toTimestamp": iso(MID), "traceName": "run"},
        {"first": MID - DAY, "end": MID, "name": "run"},
    ),
    (
        {"fromTimestamp": iso(FIRST + DAY), "toTimestamp": iso(MID), "environment": "default", "userId": "ann"},
        {"first": FIRST + DAY, "end": MID, "environments": ["default"], "user": "ann"},
    ),
]


@pytest.mark.parametrize("traces_at_once", [TRACES_AT_ONCE, 60])
@pytest.mark.parametrize(("parameters", "filters"), LANGFUSE)
def test_langfuse_daily(
    seeded_world: World,
    monkeypatch: pytest.MonkeyPatch,
    parameters: dict[str, Any],
    filters: dict[str, Any],
    traces_at_once: int,
) -> None:
    monkeypatch.setattr(daily_observations, "TRACES_AT_ONCE", traces_at_once)
    server, oracle = seeded_world
    expected = oracle.daily(**filters)
    response = server.client.get("/api/public/metrics/daily", query_string={**parameters, "limit": 100})
    found = json.loads(response.text, parse_float=Decimal)
    assert found["meta"] == {"page": 1, "limit": 100, "totalItems": len(expected), "totalPages": 1 if expected else 0}
    assert found["data"] == expected  # exact: integers and decimal sums


def test_langfuse_pages(seeded_world: World) -> None:
    server, oracle = seeded_world
    days = [day["date"] for day in oracle.daily()]
    for page in range(1, 6):
        found = server.get("/api/public/metrics/daily", page=page, limit=3)
        assert [day["date"] for day in found["data"]] == days[(page - 1) * 3 : page * 3]
        assert found["meta"] == {"page": page, "limit": 3, "totalItems": len(days), "totalPages": -(-len(days) // 3)}


FLASHBACK: list[tuple[dict[str, str], dict[str, set[str]]]] = [
    ({}, {}),
    ({"llmType": "OPENAI"}, {"llmType": {"openai"}}),
    ({"llmType": "azure.ai.openai,GCP.Gemini"}, {"llmType": {"openai", "google"}}),
    ({"llmType": "aws.bedrock,,anthropic"}, {"llmType": {"aws", "anthropic"}}),
    ({"repoId": "ns/svc,default"}, {"repoId": {"ns/svc", "default"}}),
    ({"aiLlmId": "llm-1", "hosts": "10.0.0.1"}, {"aiLlmId": {"llm-1"}, "hosts": {"10.0.0.1"}}),
    ({"aiLlmId": "openai:api.openai.com:443"}, {"aiLlmId": {"openai:api.openai.com:443"}}),
    ({"repoAiApiKeyId": "key-1,pk-1"}, {"repoAiApiKeyId": {"key-1", "pk-1"}}),
    ({"llmModel": "gpt-4o"}, {"llmModel": {"gpt-4o"}}),
    ({"userUuid": "ann,bob"}, {"userUuid": {"ann", "bob"}}),
    ({"conversationUuid": "s-1"}, {"conversationUuid": {"s-1"}}),
    ({"repoId": "nowhere"}, {"repoId": {"nowhere"}}),
]


@pytest.mark.parametrize("unit", ["day", "minute"])
@pytest.mark.parametrize(("parameters", "filters"), FLASHBACK)
def test_flashback_stats(seeded_world: World, unit: str, parameters: dict[str, str], filters: dict[str, set[str]]) -> None:
    server, oracle = seeded_world
    path = "/aistats/daily" if unit == "day" else "/aistats/minute"
    first, last = FIRST + DAY, FIRST + 4 * DAY - 1
    found = server.get(path, startDate="2025-01-29", endDate="2025-01-31", **parameters)
    assert found["success"] is True
    same(found["data"], oracle.stats(first, last, filters, unit))


def test_the_world_has_what_the_oracle_is_about(seeded_world: World) -> None:
    """Guards the generator: each special case occurs often enough to be tested."""
    _, oracle = seeded_world
    guards, call_of = oracle.attribution()
    assert len(guards) > 30
    homeless = [finding for finding in oracle.findings if call_of(finding.trace_id, finding.span_id) is None]
    assert len(homeless) > 10
    assert len(oracle.findings) > 150
    days = {row["start_ns"] // DAY for row in oracle.rows}
    assert len(days) > DAYS
    inherited = [row for row in oracle.calls if row["user_id"] is None and oracle.effective(row, "user_id")]
    assert len(inherited) > 200
    assert any(row["counted"] is False for row in oracle.rows)
    assert sum(row["input_tokens"] or 0 for row in oracle.calls) > 2**64
