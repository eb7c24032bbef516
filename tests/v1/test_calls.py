"""Single calls page by page: nothing twice, nothing lost, whatever arrives in between."""

import random
from typing import Any

import pytest

from otel_llm.store.queries.call_pages import ORDERS
from tests.query_api.call_rows import MS, NOON, SECOND, call, span_id, step, trace
from tests.query_api.conftest import QueryServer


def some_calls(count: int, *, after: int = 0) -> list[dict[str, Any]]:
    """Calls with many equal and many missing values."""
    pick = random.Random(count + after)
    return [
        call(
            start_ns=NOON + after + pick.randrange(4) * SECOND,
            ms=pick.choice([0, 10, 10, 250.5]),
            error=pick.random() < 0.3,
            cost_reported=pick.choice([None, None, 0.1, 0.25, 1e-7]),
            input_tokens=pick.choice([None, 5, 5, 2**62]),
            output_tokens=pick.choice([None, 0, 7]),
            ttft_ns=pick.choice([None, 0, MS]),
        )
        for _ in range(count)
    ]


def pages(server: QueryServer, limit: int, between: Any = None, **query: Any) -> list[list[dict[str, Any]]]:
    """Every page, from the first to the last."""
    found, cursor = [], None
    while True:
        answer = server.get("/api/v1/calls/search", limit=limit, **query, **({"cursor": cursor} if cursor else {}))
        assert ("total" in answer) == (cursor is None)
        found.append(answer["calls"])
        cursor = answer["next"]
        if cursor is None:
            return found
        if between:
            between()


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("limit", [1, 7, 60, 100])
def test_pages_hold_every_call_once_in_order(v1_server: QueryServer, order: str, limit: int) -> None:
    rows = some_calls(60 if limit > 1 else 20)
    v1_server.store(rows)
    found = [one for page in pages(v1_server, limit, sort=order) for one in page]
    assert sorted(one["span_id"] for one in found) == sorted(row["span_id"].hex() for row in rows)
    tokens = {one["span_id"]: (one["input_tokens"] or 0) + (one["output_tokens"] or 0) for one in found}
    keys: dict[str, Any] = {
        "newest": lambda one: 0,
        "errors": lambda one: one["error"],
        "slowest": lambda one: one["latency_ms"],
        "costliest": lambda one: -1 if one["cost"] is None else one["cost"],
        "largest": lambda one: (
            -1 if one["input_tokens"] is None and one["output_tokens"] is None else float(tokens[one["span_id"]])
        ),
        "ttft": lambda one: -1 if one["ttft_ms"] is None else one["ttft_ms"],
    }
    order_of = [(keys[order](one), one["start"], one["trace_id"], one["span_id"]) for one in found]
    assert order_of == sorted(order_of, reverse=True)


def test_calls_that_arrive_meanwhile_shift_nothing(v1_server: QueryServer) -> None:
    rows = some_calls(30)
    v1_server.store(rows)
    new = iter(range(1, 100))
    found = pages(v1_server, 4, between=lambda: v1_server.store(some_calls(3, after=next(new) * 10 * SECOND)))
    assert [one["span_id"] for page in found for one in page] == [
        row["span_id"].hex() for row in sorted(rows, key=lambda row: (row["start_ns"], row["trace_id"]), reverse=True)
    ]


def test_a_cursor_serves_its_own_order_only(v1_server: QueryServer) -> None:
    v1_server.store(some_calls(5))
    cursor = v1_server.get("/api/v1/calls/search", limit=2, sort="errors")["next"]
    refused = v1_server.client.get("/api/v1/calls/search", query_string={"sort": "newest", "cursor": cursor})
    assert refused.status_code == 400


def test_user_session_and_agent_come_from_the_trace_when_the_call_has_none(v1_server: QueryServer) -> None:
    root = step(trace_id=trace(1), span_id=span_id(1), role="agent", agent_name="planner", user_id="ann", session_id="s")
    own = call(trace_id=trace(1), span_id=span_id(2), parent_span_id=span_id(1), user_id="bob", agent_id="a-7")
    none = call(trace_id=trace(1), span_id=span_id(3), parent_span_id=span_id(1))
    alone = call(trace_id=trace(2), span_id=span_id(4))
    v1_server.store([root, own, none, alone])
    found = {one["span_id"][-1]: one for one in v1_server.get("/api/v1/calls/search")["calls"]}
    assert [(found[key]["user"], found[key]["session"], found[key]["agent"]) for key in "234"] == [
        ("bob", "s", "a-7"),
        ("ann", "s", "planner"),
        (None, None, None),
    ]
    assert v1_server.get("/api/v1/calls/search", agent="planner")["total"] == 1


def test_records_that_are_not_counted_and_spans_that_are_no_calls_are_left_out(v1_server: QueryServer) -> None:
    v1_server.store([call(), call(counted=False, suppressed_by=span_id(9)), step()])
    assert v1_server.get("/api/v1/calls/search")["total"] == 1


def test_a_csv_of_calls_holds_more_than_a_page(v1_server: QueryServer) -> None:
    v1_server.store(some_calls(700))
    response = v1_server.client.get("/api/v1/calls/search?format=csv&sort=slowest")
    assert response.mimetype == "text/csv"
    assert len(response.text.splitlines()) == 701
