"""Every number of overview, series and top equals what plain Python computes from the same spans.

``tests/store/test_endpoints.py`` shows that the other engines answer alike.
"""

import itertools
import json
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from otel_llm.store.queries.measures import MEASURES
from otel_llm.store.queries.slices import DIMENSIONS
from tests.query_api.call_rows import DAY, SECOND
from tests.query_api.conftest import QueryServer
from tests.query_api.oracle import Oracle
from tests.query_api.world import DAYS, FIRST, world
from tests.v1.plain_measures import measures

Row = dict[str, Any]
Seeded = tuple[QueryServer, Oracle]

FROM, TO = FIRST + DAY + 3_600 * SECOND, FIRST + (DAYS - 1) * DAY
FROM_TEXT, TO_TEXT = "2025-01-29T01:00:00Z", "2025-02-02T00:00:00Z"
WINDOW = {"from": FROM_TEXT, "to": TO_TEXT}
ALL = ",".join(MEASURES)


def dimension(oracle: Oracle, name: str) -> Callable[[Row], str | None]:
    """A dimension of a call, the slow way."""
    own = {
        "provider": "provider",
        "service": "service_name",
        "error_type": "error_type",
        "scope": "scope_name",
        "key": "key_id",
    }
    ways: dict[str, Callable[[Row], str | None]] = {
        "model": oracle.model,
        "user": lambda row: oracle.effective(row, "user_id"),
        "session": lambda row: oracle.effective(row, "session_id"),
        "trace_name": lambda row: oracle.effective(row, "trace_name"),
        "agent": lambda row: (
            next((row[part] for part in ("agent_name", "agent_id", "agentlens_agent_id") if row[part] is not None), None)
            or nearest_agent(oracle, row)
            or oracle.of_trace(row, "agent_name")
        ),
        "environment": lambda row: row["environment"] or "default",
        "role": lambda row: row["role"],
    }
    return ways.get(name) or (lambda row: row.get(own[name]))


def nearest_agent(oracle: Oracle, row: Row) -> str | None:
    """The name of the nearest agent above a call."""
    spans = {span["span_id"]: span for span in oracle.traces[row["trace_id"]]}
    for _ in range(len(spans)):
        above = spans.get(row["parent_span_id"])
        if above is None or above["agent_name"] is not None:
            return above and above["agent_name"]
        row = above
    return None


@pytest.fixture(scope="module")
def v1_world() -> Iterator[Seeded]:
    """A server over some hundred traces, and the rows."""
    server = QueryServer()
    rows, _ = world(seed=4711, traces=120)
    for place, row in enumerate(rows):
        row |= {"cache_read_tokens": place % 7 or None, "reasoning_tokens": place % 3 or None, "cache_write_tokens": 2**60}
        if row["agent_name"] is not None and place % 2:
            row["agent_name"] = "critic"
    server.store(rows)
    yield server, Oracle(rows, [])
    server.close()


def within(oracle: Oracle, first: int = FROM, end: int = TO) -> list[Row]:
    return [row for row in oracle.calls if first <= row["start_ns"] < end]


def same(found: dict[str, Any], expected: dict[str, Any]) -> None:
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        if value is None or isinstance(value, int):
            assert (type(found[name]), found[name]) == (type(value), value), name
        else:
            assert found[name] == pytest.approx(value, rel=1e-9, abs=1e-9), name


def test_overview_has_the_figures_of_the_window_and_of_the_one_before(v1_world: Seeded) -> None:
    server, oracle = v1_world
    answer = server.get("/api/v1/overview", **WINDOW)
    now, before = measures(within(oracle)), measures(within(oracle, 2 * FROM - TO, FROM))
    same(
        {row["measure"]: row["value"] for row in answer["figures"]},
        {row["measure"]: now[row["measure"]] for row in answer["figures"]},
    )
    for row in answer["figures"]:
        previous = before[row["measure"]]
        assert row["previous"] == (None if previous is None else pytest.approx(previous))
        if previous and row["value"] is not None:
            assert row["change"] == pytest.approx(row["value"] / previous - 1)
    assert (answer["from"], answer["to"], answer["previous"]["to"]) == (FROM_TEXT, TO_TEXT, FROM_TEXT)
    assert now["calls"] > 100
    assert before["calls"] > 10


def test_every_measure_is_the_one_that_plain_python_computes(v1_world: Seeded) -> None:
    server, oracle = v1_world
    answer = server.get("/api/v1/series", **WINDOW, measures=ALL, step=366 * 86_400)
    assert len(answer["starts"]) == 1
    same({name: points[0] for name, points in answer["groups"][0]["points"].items()}, measures(within(oracle)))


@pytest.mark.parametrize(("step", "offset"), [(86_400, 0), (86_400, -7_200), (21_600, 0), (7 * 86_400, 12_600)])
def test_series_has_every_bucket_of_the_window(v1_world: Seeded, step: int, offset: int) -> None:
    server, oracle = v1_world
    answer = server.get("/api/v1/series", **WINDOW, measures="calls,cost,latency_p95", step=step, offset=offset)
    starts = answer["starts"]
    assert starts[0] * SECOND <= FROM < (starts[0] + step) * SECOND
    assert starts[-1] * SECOND < TO <= (starts[-1] + step) * SECOND
    assert all((start - offset) % step == 0 for start in starts)
    assert [late - early for early, late in itertools.pairwise(starts)] == [step] * (len(starts) - 1)
    points = answer["groups"][0]["points"]
    for place, start in enumerate(starts):
        expected = measures(row for row in within(oracle) if start * SECOND <= row["start_ns"] < (start + step) * SECOND)
        same({name: values[place] for name, values in points.items()}, {name: expected[name] for name in points})


@pytest.mark.parametrize("name", [name for name in DIMENSIONS if name not in ("error_type", "scope")])
def test_series_split_by_a_dimension(v1_world: Seeded, name: str) -> None:
    server, oracle = v1_world
    value_of = dimension(oracle, name)
    groups: dict[str | None, list[Row]] = defaultdict(list)
    for row in within(oracle):
        groups[value_of(row)].append(row)
    answer = server.get("/api/v1/series", **WINDOW, measures="calls,latency_p50", step=366 * 86_400, split=name, top=3)
    ranked = sorted(groups, key=lambda value: -len(groups[value]))
    shown = [group for group in answer["groups"] if not group["rest"]]
    assert [len(groups[group["value"]]) for group in shown] == [len(groups[value]) for value in ranked[:3]]
    rest = [row for value, rows in groups.items() if value not in [group["value"] for group in shown] for row in rows]
    assert [group["rest"] for group in answer["groups"]] == [False] * len(shown) + [True] * (len(groups) > 3)
    for group in answer["groups"]:
        expected = measures(rest if group["rest"] else groups[group["value"]])
        same({key: values[0] for key, values in group["points"].items()}, {key: expected[key] for key in group["points"]})


@pytest.mark.parametrize(
    "by", [*(name for name in DIMENSIONS if name not in ("error_type", "scope")), "provider,model", "user,role"]
)
@pytest.mark.parametrize("sort", ["calls", "latency_p95"])
def test_top_lists_every_group_in_order(v1_world: Seeded, by: str, sort: str) -> None:
    server, oracle = v1_world
    values_of = [dimension(oracle, name) for name in by.split(",")]
    groups: dict[tuple[str | None, ...], list[Row]] = defaultdict(list)
    for row in within(oracle):
        groups[tuple(value_of(row) for value_of in values_of)].append(row)
    names = "calls,tokens,latency_p95,ttft_p50"
    answer = server.get("/api/v1/top", **WINDOW, by=by, sort=sort, measures=names, limit=1000)
    assert answer["groups"] == len(groups) == len(answer["rows"])
    order = [row[sort] for row in answer["rows"]]
    assert order == sorted(order, reverse=True)
    for row in answer["rows"]:
        members = groups[tuple(row[name] for name in by.split(","))]
        expected = measures(members)
        same({name: row[name] for name in names.split(",")}, {name: expected[name] for name in names.split(",")})
        if sort == "calls":
            assert row["share"] == pytest.approx(len(members) / len(within(oracle)))


def test_top_of_a_few_is_the_beginning_of_top_of_all(v1_world: Seeded) -> None:
    server, _ = v1_world
    for order in ("asc", "desc"):
        query = {**WINDOW, "by": "model", "sort": "cost", "order": order}
        everything = server.get("/api/v1/top", **query, limit=1000)
        few = server.get("/api/v1/top", **query, limit=3)
        assert few["rows"] == everything["rows"][:3]
        assert few["groups"] == everything["groups"]


def test_tags_are_those_of_the_trace_or_of_the_request(v1_world: Seeded) -> None:
    server, oracle = v1_world
    expected: dict[str, int] = defaultdict(int)
    for row in within(oracle):
        tags = {tag for span in oracle.traces[row["trace_id"]] if span["tags"] for tag in json.loads(span["tags"])}
        tags |= {f"{key}={value}" for key, value in json.loads(row["request_tags"] or "{}").items()}
        for tag in tags:
            expected[tag] += 1
    answer = server.get("/api/v1/top", **WINDOW, by="tag", sort="calls", limit=100)
    assert {row["tag"]: row["calls"] for row in answer["rows"]} == dict(expected)
    series = server.get("/api/v1/series", **WINDOW, split="tag", measures="calls", step=366 * 86_400, top=20)
    assert {group["value"]: group["points"]["calls"][0] for group in series["groups"]} == dict(expected)


@pytest.mark.parametrize(
    "filters",
    [
        {"user": "ann"},
        {"user": ["ann", "bob"]},
        {"session": "s-1", "provider": "openai"},
        {"model": ["gpt-4o", "openai/gpt-4o"], "status": "ok"},
        {"agent": "planner"},
        {"environment": "default"},
        {"without": "user"},
        {"without": "cost,ttft"},
        {"without": "provider", "status": "error"},
        {"tag": ["alpha", "team=x"]},
        {"service": "svc", "role": "embedding"},
        {"trace_name": "named"},
        {"user": "nobody"},
        {"user": "nul\0byte"},
    ],
    ids=str,
)
def test_filters_narrow_every_endpoint_alike(v1_world: Seeded, filters: dict[str, Any]) -> None:
    server, oracle = v1_world

    def passes(row: Row) -> bool:
        for name, wanted in filters.items():
            values = wanted if isinstance(wanted, list) else [wanted]
            if name == "status":
                held = row["error"] == (wanted == "error")
            elif name == "without":
                lacks = {
                    "cost": row["cost_reported"] is None and row["cost_computed"] is None,
                    "ttft": row["ttft_ns"] is None,
                }
                held = all(lacks[word] if word in lacks else dimension(oracle, word)(row) is None for word in wanted.split(","))
            elif name == "tag":
                tags = {tag for span in oracle.traces[row["trace_id"]] if span["tags"] for tag in json.loads(span["tags"])}
                tags |= {f"{key}={value}" for key, value in json.loads(row["request_tags"] or "{}").items()}
                held = bool(tags & set(values))
            else:
                held = dimension(oracle, name)(row) in values
            if not held:
                return False
        return True

    expected = [row for row in within(oracle) if passes(row)]
    query = {**WINDOW, **filters}
    overview = {row["measure"]: row["value"] for row in server.get("/api/v1/overview", **query)["figures"]}
    calls = server.get("/api/v1/calls/search", **query, limit=500)
    top = server.get("/api/v1/top", **query, by="model", measures="calls", sort="calls", limit=1000)
    series = server.get("/api/v1/series", **query, measures="calls")
    assert overview["calls"] == calls["total"] == len(expected)
    assert {call["span_id"] for call in calls["calls"]} == {row["span_id"].hex() for row in expected}
    assert sum(row["calls"] for row in top["rows"]) == top["total"]["calls"] == len(expected)
    assert sum(series["groups"][0]["points"]["calls"]) == len(expected)
