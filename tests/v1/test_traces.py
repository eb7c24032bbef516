"""One trace: the tree of its spans, what each adds up to, why it counts, what became of the rest."""

import itertools
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from otel_llm.spans import FIELD_NAMES, Rejection
from otel_llm.store.engines.base import Change
from otel_llm.store.queries.trace_spans import tree
from tests.query_api.call_rows import NOON, SECOND, call, span_id, step, trace
from tests.query_api.conftest import QueryServer

TRACE = trace(7).hex()


def member(number: int, parent: int | None, **values: Any) -> dict[str, Any]:
    """A span of the trace; numbers are ids."""
    make = step if values.pop("no_call", False) else call
    place = {"trace_id": trace(7), "span_id": span_id(number), "parent_span_id": span_id(parent) if parent else None}
    return make(**place, start_ns=NOON + number * SECOND, **values)


def stored(server: QueryServer, *rows: dict[str, Any]) -> dict[str, Any]:
    server.store(list(rows))
    return server.get(f"/api/v1/traces/{TRACE}")


def test_spans_come_in_the_order_of_a_waterfall_with_sums_below(v1_server: QueryServer) -> None:
    tokens = {"input_tokens": 10, "output_tokens": 5, "cost_reported": 0.5}
    answer = stored(
        v1_server,
        member(1, None, no_call=True, ms=9_000),
        member(2, 1, no_call=True),
        member(3, 2, **tokens),
        member(4, 2, **tokens, counted=False, suppressed_by=span_id(3), reason="outer_of_counted_call"),
        member(5, 1, **tokens, error=True),
    )
    spans = answer["spans"]
    assert [(int(span["span_id"], 16), span["depth"]) for span in spans] == [(1, 0), (2, 1), (3, 2), (4, 2), (5, 1)]
    assert spans[0]["below"] == {"calls": 2, "errors": 1, "input_tokens": 20, "output_tokens": 10, "cost": 1.0}
    assert spans[1]["below"]["calls"] == 1
    assert spans[3]["below"]["calls"] == 0
    assert answer["total"] == spans[0]["below"]
    assert [span["offset_ms"] for span in spans] == [0, 1_000, 2_000, 3_000, 4_000]
    assert (answer["span_count"], answer["truncated"]) == (5, False)
    assert spans[3]["suppressed_by"] == span_id(3).hex()
    assert "inner span" in spans[3]["reason_text"]


def test_a_span_whose_parent_is_missing_is_an_orphan_at_the_top(v1_server: QueryServer) -> None:
    answer = stored(v1_server, member(1, None), member(2, 99))
    assert [(span["depth"], span["orphan"]) for span in answer["spans"]] == [(0, False), (0, True)]


@given(st.lists(st.integers(0, 12), min_size=1, max_size=12))
def test_any_parent_links_give_every_span_once_with_true_sums(parents: list[int]) -> None:
    rows = [dict.fromkeys(FIELD_NAMES) | member(number, parent) for number, parent in enumerate(parents, 1)]
    nodes = tree(rows)
    assert sorted(node.span["span_id"] for node in nodes) == sorted(row["span_id"] for row in rows)
    assert sum(node.below.calls for node in nodes if node.depth == 0) == len(rows)
    depths = [node.depth for node in nodes]
    assert depths[0] == 0
    assert all(late <= early + 1 for early, late in itertools.pairwise(depths))


def test_a_flat_trace_of_ten_thousand_spans_is_summed_in_no_time() -> None:
    rows = [dict.fromkeys(FIELD_NAMES) | member(number, 1 if number > 1 else None) for number in range(1, 10_001)]
    assert tree(rows)[0].below.calls == 10_000


def test_more_spans_than_can_be_shown_are_told(v1_server: QueryServer) -> None:
    v1_server.store([member(number, None, no_call=True) for number in range(1, 10_011)])
    answer = v1_server.get(f"/api/v1/traces/{TRACE}", detail="waterfall")
    assert (len(answer["spans"]), answer["span_count"], answer["truncated"]) == (10_000, 10_010, True)
    assert "attributes" not in answer["spans"][0]


def test_attributes_and_events_are_objects_and_lists(v1_server: QueryServer) -> None:
    answer = stored(
        v1_server,
        member(1, None, attributes='{"gen_ai.system":"openai","n":3}', events='[{"name":"exception"}]', tags='["b","a"]'),
    )
    assert answer["spans"][0]["attributes"] == {"gen_ai.system": "openai", "n": 3}
    assert answer["spans"][0]["events"] == [{"name": "exception"}]
    assert answer["tags"] == ["a", "b"]


def test_one_span_is_explained(v1_server: QueryServer) -> None:
    attributes = '{"gen_ai.operation.name":"chat","gen_ai.system":"openai","gen_ai.usage.prompt_tokens":12}'
    v1_server.store([member(1, None, attributes=attributes, input_tokens=12, operation="chat")])
    answer = v1_server.get(f"/api/v1/traces/{TRACE}/spans/{span_id(1).hex()}")
    assert answer["attributes"]["gen_ai.system"] == "openai"
    sources = answer["explain"]["fields"]["input_tokens"]["candidates"]
    assert [item["attribute"] for item in sources if item["wins"]] == ["gen_ai.usage.prompt_tokens"]


def test_why_tells_of_every_span_that_arrived(v1_server: QueryServer) -> None:
    v1_server.store(
        [
            member(1, None, no_call=True),
            member(2, 1, reason="innermost_with_usage"),
            member(3, 1, counted=False, suppressed_by=span_id(2), reason="outer_of_counted_call"),
        ]
    )
    refused = Rejection("default", NOON, "spans", TRACE, "00", "invalid_span_id", "span_id has 1 bytes, not 8")
    other = refused._replace(project="other")
    with v1_server.engine.write([]) as session:
        session.apply(Change(rejections=[refused, other]))
    found = v1_server.get(f"/api/v1/traces/{TRACE}/why")["spans"]
    assert [(span["outcome"], span["reason"]) for span in found] == [
        ("rejected", "invalid_span_id"),
        ("stored", "no_call"),
        ("counted", "innermost_with_usage"),
        ("not_counted", "outer_of_counted_call"),
    ]
    assert found[3]["counted_instead"] == span_id(2).hex()
    assert all(span["detail"] for span in found)
    assert v1_server.get(f"/api/v1/traces/{'9' * 32}/why")["spans"] == []


def test_an_unknown_trace_or_span_is_not_found(v1_server: QueryServer) -> None:
    v1_server.store([member(1, None)])
    for path in (f"traces/{'9' * 32}", f"traces/{TRACE}/spans/{'9' * 16}"):
        response = v1_server.client.get(f"/api/v1/{path}")
        assert (response.status_code, response.get_json()["status"]) == (404, 404)
