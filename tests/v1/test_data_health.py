"""What the numbers lack: found, counted, and with advice."""

from typing import Any

from otel_llm.conventions.counting import _KEPT, ONLY_CALL
from otel_llm.spans import Rejection
from otel_llm.store.engines.base import Change
from otel_llm.store.queries.span_fates import REASONS
from tests.query_api.call_rows import NOON, SECOND, call, span_id, step
from tests.query_api.conftest import QueryServer

WINDOW = {"from": "2025-01-23T00:00:00Z", "to": "2025-01-24T00:00:00Z"}


def health(server: QueryServer) -> dict[str, Any]:
    found: dict[str, Any] = server.get("/api/v1/data-health", **WINDOW)
    return found


def test_models_without_a_price_are_those_with_tokens_and_no_cost(v1_server: QueryServer) -> None:
    used = {"input_tokens": 100, "output_tokens": 10}
    v1_server.store(
        [
            call(response_model="mystery", **used),
            call(response_model="mystery", **used),
            call(response_model="reports-itself", cost_reported=0.1, **used),
            call(response_model="priced", cost_computed=0.1, **used),
            call(response_model="failed", input_tokens=None, output_tokens=None, error=True),
            call(response_model="another-project", project="other", **used),
            call(request_model=None, provider=None, **used),
        ]
    )
    rows = health(v1_server)["unpriced"]
    assert [(row["model"], row["calls"], row["input_tokens"]) for row in rows] == [("mystery", 2, 200), (None, 1, 100)]
    assert "--prices-file" in rows[0]["advice"]
    assert "no model" in rows[1]["advice"]
    # the number leads to exactly the calls behind it
    behind = v1_server.get("/api/v1/calls/search", **WINDOW, without="price", model="mystery")
    assert behind["total"] == 2


def test_each_instrumentation_shows_what_it_leaves_out(v1_server: QueryServer) -> None:
    blind = {"scope_name": "blind", "input_tokens": None, "output_tokens": None, "is_streaming": True}
    v1_server.store(
        [
            call(**blind),
            call(**blind, error=True),
            call(**blind, ttft_ns=5),
            call(scope_name="good", input_tokens=1, output_tokens=1, tokens_adjusted="exclusive_cache"),
            step(scope_name="no calls"),
        ]
    )
    rows = {row["scope"]: row for row in health(v1_server)["instrumentations"]}
    assert rows.keys() == {"blind", "good"}
    assert {key: rows["blind"][key] for key in ("calls", "errors", "without_tokens", "streaming", "without_ttft")} == {
        "calls": 3,
        "errors": 1,
        "without_tokens": 2,
        "streaming": 3,
        "without_ttft": 1,
    }
    assert "include_usage" in rows["blind"]["advice"]
    assert "first token" in rows["blind"]["advice"]
    assert (rows["good"]["advice"], rows["good"]["adjusted"]) == ("", 1)
    assert v1_server.get("/api/v1/calls/search", **WINDOW, scope="blind", without="tokens", status="ok")["total"] == 2


def test_suppressed_records_and_refusals_are_listed_by_reason(v1_server: QueryServer) -> None:
    hidden = {"counted": False, "suppressed_by": span_id(1), "reason": "outer_of_counted_call", "scope_name": "outer"}
    v1_server.store([call(), call(**hidden), call(**hidden)])
    refused = Rejection("default", NOON, "spans", "", "", "invalid_trace_id", "trace_id is all zero")
    with v1_server.engine.write([]) as session:
        session.apply(Change(rejections=[refused, refused, refused._replace(time_ns=NOON + 86_400 * SECOND)]))
    found = health(v1_server)
    assert [(row["scope"], row["records"]) for row in found["suppressed"]] == [("outer", 2)]
    example = v1_server.get(f"/api/v1/traces/{found['suppressed'][0]['example_trace_id']}")
    assert example["spans"][0]["counted"] is False
    assert [(row["reason"], row["items"]) for row in found["rejected"]] == [("invalid_trace_id", 2)]
    assert found["rejected"][0]["advice"]
    assert found["totals"] == {"spans": 3, "call_records": 3, "counted_calls": 1}


def test_every_reason_of_a_decision_has_words() -> None:
    assert {ONLY_CALL.reason, *_KEPT, *_KEPT.values(), "innermost_call"} <= REASONS.keys()
