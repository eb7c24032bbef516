"""Log records that are calls or findings; all others ignored with a reason."""

from collections.abc import Mapping
from typing import Any

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

from otel_llm.conventions.anyvalue import key_values
from otel_llm.conventions.content import ContentPolicy
from otel_llm.conventions.counting import decide
from otel_llm.conventions.extraction import Extraction
from otel_llm.conventions.logs import extract_logs
from otel_llm.spans import SpanBatch
from tests.conventions.corpus import NOW_NS, SCENARIOS, Scenario
from tests.conventions.otlp import START_NS, TRACE_ID, extract, request, span


def record(name: str, attributes: Mapping[str, Any], *, as_body: bool = False, **fields: Any) -> LogRecord:
    made = LogRecord(time_unix_nano=START_NS, **fields)
    if as_body:
        made.body.string_value = name
    else:
        made.event_name = name
    made.attributes.extend(key_values(dict(attributes)))
    return made


def logs(*records: LogRecord, service: str = "app", scope: str = "") -> Extraction:
    message = ExportLogsServiceRequest()
    resource_logs = message.resource_logs.add()
    resource_logs.resource.attributes.extend(key_values({"service.name": service}))
    scope_logs = resource_logs.scope_logs.add()
    scope_logs.scope.name = scope
    scope_logs.log_records.extend(records)
    return extract_logs(message, project="p", key_id="k", now_ns=NOW_NS, content=ContentPolicy())


CLAUDE = {
    "model": "claude-sonnet-4-5",
    "input_tokens": "220",
    "output_tokens": "20",
    "cache_read_tokens": "1024",
    "cache_creation_tokens": "256",
    "cost_usd": "0.0022272",
    "duration_ms": "1500",
    "request_id": "req_1",
    "session.id": "s-1",
    "user.id": "u-1",
}


@pytest.mark.parametrize(
    ("name", "as_body"), [("claude_code.api_request", True), ("claude_code.api_request", False), ("api_request", False)]
)
def test_a_claude_code_request_is_a_call(name: str, as_body: bool) -> None:
    extraction = logs(record(name, {"event.name": "api_request", **CLAUDE}, as_body=as_body), service="claude-code")
    [found] = extraction.batch.rows()
    assert (found["role"], found["provider"], found["request_model"]) == ("generation", "anthropic", "claude-sonnet-4-5")
    assert (found["input_tokens"], found["output_tokens"], found["cost_reported"]) == (1500, 20, 0.0022272)
    assert (found["user_id"], found["session_id"], found["response_id"]) == ("u-1", "s-1", "req_1")
    assert (found["start_ns"], found["end_ns"]) == (START_NS - 1_500_000_000, START_NS)
    assert not found["error"]


def test_a_resent_record_is_the_same_call_and_another_request_is_not() -> None:
    first, again = (logs(record("claude_code.api_request", CLAUDE)).batch.key(0) for _ in range(2))
    other = logs(record("claude_code.api_request", {**CLAUDE, "request_id": "req_2"})).batch.key(0)
    assert first == again
    assert first[1] == other[1]  # one session is one trace
    assert first[2] != other[2]


def test_a_claude_code_error_is_a_failed_call() -> None:
    attributes = {"model": "claude-sonnet-4-5", "error": "Overloaded", "status_code": "529", "duration_ms": "100"}
    [found] = logs(record("claude_code.api_error", attributes)).batch.rows()
    assert (found["role"], found["error"], found["error_type"], found["error_message"]) == (
        "generation",
        True,
        "529",
        "Overloaded",
    )


def test_a_call_that_has_a_span_too_counts_once() -> None:
    seen = span(
        {
            "span.type": "llm_request",
            "model": "claude-sonnet-4-5",
            "input_tokens": 220,
            "output_tokens": 20,
            "request_id": "req_1",
        },
        name="claude_code.llm_request",
        parent_span_id=b"\x07" * 8,
    )
    spans = extract(request(seen, scope="com.anthropic.claude_code.tracing")).batch
    logged = logs(record("claude_code.api_request", CLAUDE, trace_id=TRACE_ID, span_id=b"\x07" * 8)).batch
    decisions = decide(SpanBatch.concat([spans, logged]).slim())
    assert [decisions[spans.key(0)].counted, decisions[logged.key(0)].counted] == [True, False]


def test_codex_joins_the_request_and_the_completion() -> None:
    conversation = {"conversation.id": "c-1", "model": "gpt-5-codex"}
    extraction = logs(
        record("", {"event.name": "codex.api_request", **conversation, "duration_ms": 800, "http.response.status_code": 200}),
        record("", {"event.name": "codex.sse_event", "event.kind": "response.created", **conversation}),
        record(
            "",
            {
                "event.name": "codex.sse_event",
                "event.kind": "response.completed",
                **conversation,
                "input_token_count": 100,
                "output_token_count": 20,
                "cached_token_count": 64,
                "reasoning_token_count": 12,
            },
        ),
    )
    [found] = extraction.batch.rows()
    assert (found["input_tokens"], found["output_tokens"], found["cache_read_tokens"], found["reasoning_tokens"]) == (
        100,
        20,
        64,
        12,
    )
    assert (found["provider"], found["session_id"]) == ("openai", "c-1")
    assert found["end_ns"] - found["start_ns"] == 800_000_000
    assert extraction.ignored == {"joined_with_completion": 1, "no_call_event": 1}
    assert extraction.received == 3


def test_a_failed_codex_request_is_a_failed_call() -> None:
    [found] = logs(
        record("codex.api_request", {"model": "gpt-5-codex", "http.response.status_code": 429, "error.message": "limit"})
    ).batch.rows()
    assert (found["role"], found["error"], found["error_type"]) == ("generation", True, "429")


def test_gemini_thoughts_are_added_to_the_output() -> None:
    [found] = logs(
        record(
            "gemini_cli.api_response",
            {
                "model": "gemini-2.5-pro",
                "input_token_count": 100,
                "output_token_count": 8,
                "thoughts_token_count": 12,
                "prompt_id": "p",
            },
        )
    ).batch.rows()
    assert (found["provider"], found["input_tokens"], found["output_tokens"], found["response_id"]) == (
        "gcp.gemini",
        100,
        20,
        None,
    )


DETAILS = {
    "gen_ai.operation.name": "chat",
    "gen_ai.request.model": "gpt-4o",
    "gen_ai.usage.input_tokens": 100,
    "gen_ai.input.messages": "secret",
}


def test_inference_details_stand_in_for_their_span_and_lose_to_it() -> None:
    own = span(DETAILS)
    [found] = logs(
        record("gen_ai.client.inference.operation.details", DETAILS, trace_id=own.trace_id, span_id=own.span_id)
    ).batch.rows()
    assert (found["trace_id"], found["span_id"], found["role"], found["input_tokens"]) == (
        own.trace_id,
        own.span_id,
        "generation",
        100,
    )
    assert found["end_ns"] < own.end_time_unix_nano
    assert "secret" not in found["attributes"]


def test_policy_violations_are_findings_of_their_span() -> None:
    attributes = {"policy.id": "pii", "policy.name": "PII", "policy.action": "BLOCK", "policy.severity": "High"}
    extraction = logs(record("flashback.policy.violation", attributes, trace_id=TRACE_ID, span_id=b"\x01" * 8))
    [finding] = extraction.findings
    assert (finding.policy_id, finding.policy_name, finding.action, finding.severity) == ("pii", "PII", "block", "high")
    assert (finding.trace_id, finding.span_id, finding.time_ns) == (TRACE_ID, b"\x01" * 8, START_NS)
    assert extraction.received == 1
    assert not extraction.ignored
    assert len(extraction.batch) == 0


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("gen_ai.user.message", "message_event"),
        ("gen_ai.choice", "message_event"),
        ("claude_code.tool_result", "no_call_event"),
        ("something else", "log_without_call"),
        ("", "log_without_call"),
    ],
)
def test_other_records_are_ignored_with_a_reason(name: str, reason: str) -> None:
    extraction = logs(record(name, {}))
    assert extraction.ignored == {reason: 1}
    assert extraction.received == 1
    assert len(extraction.batch) == 0


@pytest.mark.parametrize(
    "scenario", [scenario for scenario in SCENARIOS if scenario.requests("logs")], ids=lambda scenario: scenario.name
)
def test_the_logs_of_captured_exports_add_no_call_beside_their_spans(scenario: Scenario) -> None:
    spans = SpanBatch.concat([extract(message).batch for message in scenario.requests("traces")])
    logged = [
        extract_logs(message, project="p", key_id="k", now_ns=NOW_NS, content=ContentPolicy()).batch
        for message in scenario.requests("logs")
    ]
    ends = {spans.key(index): spans["end_ns"][index] for index in range(len(spans))}
    known = [row for batch in logged for row in batch.rows() if ("p", row["trace_id"], row["span_id"]) in ends]
    assert all(row["end_ns"] < ends["p", row["trace_id"], row["span_id"]] for row in known)
    new = [row for batch in logged for row in batch.rows() if ("p", row["trace_id"], row["span_id"]) not in ends]
    decisions = decide(SpanBatch.concat([spans, SpanBatch.of_rows(new)]).slim())
    counted = {key for key, decision in decisions.items() if decision.counted}
    assert counted <= set(ends)
    assert len(counted) == scenario.expected["expect"]["calls"]


@pytest.mark.parametrize("fields", [{"trace_id": b"\x01"}, {"span_id": b"\x02" * 3}, {"time_unix_nano": 2**64 - 1}])
def test_a_call_event_with_impossible_ids_or_times_costs_only_itself(fields: dict[str, Any]) -> None:
    broken = record("claude_code.api_request", CLAUDE)
    for name, value in fields.items():
        setattr(broken, name, value)
    extraction = logs(broken, record("claude_code.api_request", {**CLAUDE, "request_id": "req_2"}))
    assert extraction.received == 2 == len(extraction.batch) + len(extraction.rejections)
    assert (len(extraction.rejections) == 1) == ("time_unix_nano" in fields)
