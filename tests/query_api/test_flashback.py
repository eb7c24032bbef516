"""Flashback's rules: ranges, lists, dimensions, policy findings, guardrails' own calls."""

import time
from typing import Any

import pytest

from otel_llm.spans import Finding

from .call_rows import DAY, NOON, at, call, span_id, step, trace
from .conftest import QueryServer

PATH = "/aistats/daily"
JANUARY = {"startDate": "2025-01-01", "endDate": "2025-01-31"}


def rows(query_server: QueryServer, **parameters: Any) -> list[dict[str, Any]]:
    found = query_server.get(PATH, **parameters)
    assert found["success"] is True
    return list(found["data"])


@pytest.mark.parametrize(
    "parameters",
    [
        {"startDate": "x"},
        {"endDate": "2024-02-30"},
        {"startDate": "2024-01-01T00:00:00.000Zjunk"},
        {"startDate": "1704067200"},
        {"startDate": "01/02/2024"},
    ],
)
def test_unreadable_dates_are_400(query_server: QueryServer, parameters: dict[str, str]) -> None:
    response = query_server.client.get(PATH, query_string=parameters)
    assert response.status_code == 400
    assert response.get_json() == {
        "success": False,
        "message": f"{next(iter(parameters))} must be an ISO 8601 date or date-time",
    }


def test_a_start_after_the_end_is_400(query_server: QueryServer) -> None:
    response = query_server.client.get(PATH, query_string={"startDate": "2024-01-02", "endDate": "2024-01-01"})
    assert (response.status_code, response.get_json()) == (
        400,
        {"success": False, "message": "startDate cannot be greater than endDate"},
    )
    rows(query_server, startDate="2024-01-01T18:00:00", endDate="2024-01-01")  # the day's end is later


@pytest.mark.parametrize(
    ("start", "end", "calls"),
    [
        ("2025-01-23", "2025-01-23", 2),
        ("2025-01-23T12:00:00Z", "2025-01-23T12:00:00.000Z", 2),  # covers its millisecond
        ("2025-01-23T12:00:00Z", "2025-01-23T12:00:00.000000000Z", 1),
        ("2025-01-23T12:00:00.001Z", "2025-01-24", 0),
        ("2025-01-23T14:00:00+02:00", "2025-01-23T12:00:01", 2),
        ("2025-01-24", "", 0),
        ("2025-01-01", "", 2),
        ("", "2025-01-23", 2),
        ("", "2025-02-21", 2),
        ("", "2025-02-22", 0),
        ("0001-01-01", "9999-12-31", 2),
    ],
)
def test_both_dates_are_inclusive(query_server: QueryServer, start: str, end: str, calls: int) -> None:
    query_server.store([call(), call(start_ns=NOON + 999_999)])
    assert sum(row["apiCalls"] for row in rows(query_server, startDate=start, endDate=end)) == calls


def test_without_dates_the_last_30_days(query_server: QueryServer) -> None:
    now = time.time_ns()
    query_server.store([call(start_ns=now - 29 * DAY), call(start_ns=now - 31 * DAY)])
    assert sum(row["apiCalls"] for row in rows(query_server)) == 1


def test_absent_dimensions_are_empty_texts(query_server: QueryServer) -> None:
    query_server.store([call(provider=None, request_model=None, ms=1.5)])
    (row,) = rows(query_server, **JANUARY)
    names = ("aiLlmId", "repoAiApiKeyId", "llmType", "llmModel", "host", "userUuid", "conversationUuid")
    assert {row[name] for name in names} == {""}
    assert (row["repoId"], row["latency_ms"], row["activeConversations"]) == ("default", 1.5, 0)
    assert (row["tokensIn"], row["llmTokensOut"]) == ("0", "0")


DIMENSIONS: list[tuple[dict[str, Any], str, str]] = [
    ({"repo_id": "r", "service_name": "s"}, "repoId", "r"),
    ({"service_namespace": "n", "service_name": "s"}, "repoId", "n/s"),
    ({"service_name": "s"}, "repoId", "s"),
    ({"service_namespace": "n"}, "repoId", "n"),
    ({"ai_llm_id": "l", "server_address": "h"}, "aiLlmId", "l"),
    ({"server_address": "h", "server_port": 8080}, "aiLlmId", "openai:h:8080"),
    ({"server_address": "h"}, "aiLlmId", "openai:h"),
    ({"server_port": 8080}, "aiLlmId", "openai"),
    ({"server_address": "h", "provider": None}, "aiLlmId", "h"),
    ({"api_key_id": "a", "key_id": "pk"}, "repoAiApiKeyId", "a"),
    ({"key_id": "pk"}, "repoAiApiKeyId", "pk"),
    ({"provider": "azure.ai.openai"}, "llmType", "openai"),
    ({"provider": "azure.ai.inference"}, "llmType", "openai"),
    ({"provider": "gcp.vertex_ai"}, "llmType", "google"),
    ({"provider": "aws.bedrock"}, "llmType", "aws"),
    ({"provider": "mistral_ai"}, "llmType", "mistral_ai"),
    ({"response_model": "gpt-4o-2024", "request_model": "gpt-4o"}, "llmModel", "gpt-4o-2024"),
    ({"request_model": "openai/gpt-4o"}, "llmModel", "openai/gpt-4o"),
    ({"server_address": "h"}, "host", "h"),
]


@pytest.mark.parametrize(("values", "column", "shown"), DIMENSIONS)
def test_dimensions(query_server: QueryServer, values: dict[str, Any], column: str, shown: str) -> None:
    query_server.store([call(**values)])
    (row,) = rows(query_server, **JANUARY)
    assert row[column] == shown
    parameter = "hosts" if column == "host" else column
    assert rows(query_server, **JANUARY, **{parameter: f"other,,{shown}"}) == [row]
    assert rows(query_server, **JANUARY, **{parameter: "other"}) == []


@pytest.mark.parametrize(
    ("text", "count"),
    [("OPENAI", 2), ("openai", 2), ("Azure.AI.OpenAI", 2), ("gcp.gemini", 1), ("GOOGLE", 1), ("google,openai", 3), ("aws", 0)],
)
def test_llm_types_are_compared_in_either_form_and_any_case(query_server: QueryServer, text: str, count: int) -> None:
    query_server.store([call(), call(provider="azure.ai.openai"), call(provider="gcp.vertex_ai")])
    assert sum(row["apiCalls"] for row in rows(query_server, llmType=text, **JANUARY)) == count


def test_minutes(query_server: QueryServer) -> None:
    query_server.store([call(start_ns=at("2025-01-23T12:00:59")), call(start_ns=at("2025-01-23T12:01:00"))])
    found = query_server.get("/aistats/minute", **JANUARY)["data"]
    assert [row["timestamp"] for row in found] == [at("2025-01-23T12:00:00") // 10**9, at("2025-01-23T12:01:00") // 10**9]


def test_order(query_server: QueryServer) -> None:
    query_server.store(
        [
            call(start_ns=NOON + DAY, repo_id="a"),
            call(repo_id="b", user_id="é"),
            call(repo_id="b", user_id="z"),
            call(repo_id="B"),
        ]
    )
    found = rows(query_server, **JANUARY)
    assert [(row["repoId"], row["userUuid"]) for row in found] == [("B", ""), ("b", "z"), ("b", "é"), ("a", "")]


# policy findings


def finding(
    key: int, trace_number: int, span_number: int, action: str = "alert", severity: str = "low", **values: Any
) -> Finding:
    found = Finding(
        "default", trace(trace_number), span_id(span_number), bytes([key]), NOON, "p", "policy", action, severity, "test"
    )
    return found._replace(**values)


def violations(query_server: QueryServer) -> dict[str, int]:
    """Model to violations, in rows that have any."""
    return {row["llmModel"]: row["policyViolations"] for row in rows(query_server, **JANUARY) if row["policyViolations"]}


def tree(number: int, parent: int | None, model: str | None = None, offset: int = 0, **values: Any) -> dict[str, Any]:
    """A span of trace 1: a call when it has a model."""
    place = {"trace_id": trace(1), "span_id": span_id(number), "parent_span_id": span_id(parent) if parent else None}
    make = call if model else step
    return make(**place, start_ns=NOON + offset, **({"request_model": model} if model else {}) | values)


def test_a_finding_belongs_to_its_own_call_else_the_nearest_above_else_the_earliest(query_server: QueryServer) -> None:
    query_server.store(
        [
            tree(1, None, offset=-5),
            tree(2, 1, "earliest", offset=1),
            tree(3, 1, "outer", offset=2),
            tree(4, 3, role="tool", offset=3),
            tree(5, 4, "inner", offset=4),
            tree(6, 4, role="guardrail", offset=5),
        ],
        [finding(1, 1, 5), finding(2, 1, 6), finding(3, 1, 4), finding(4, 1, 1), finding(5, 1, 99)],
    )
    assert violations(query_server) == {"inner": 1, "outer": 2, "earliest": 2}


def test_a_finding_on_a_copy_of_a_call_belongs_to_the_copy_that_counts(query_server: QueryServer) -> None:
    query_server.store(
        [
            tree(1, None, "first"),
            tree(2, None, "outer copy", offset=1, counted=False, suppressed_by=span_id(3)),
            tree(3, 2, "inner", offset=2),
            call(trace_id=trace(2), span_id=span_id(20), counted=False, suppressed_by=span_id(30)),
            call(trace_id=trace(3), span_id=span_id(30), request_model="in another trace", session_id="s"),
        ],
        [finding(1, 1, 2), finding(2, 2, 20)],
    )
    assert violations(query_server) == {"inner": 1, "in another trace": 1}


def test_a_finding_counts_on_the_day_of_its_call(query_server: QueryServer) -> None:
    query_server.store([tree(1, None, "m")], [finding(1, 1, 1, time_ns=NOON + 40 * DAY)])
    assert violations(query_server) == {"m": 1}
    assert rows(query_server, startDate="2025-02-01", endDate="2025-03-31") == []


def test_a_finding_without_any_call_is_a_row_of_its_own(query_server: QueryServer) -> None:
    root = tree(1, None, user_id="ann", session_id="s", service_name="svc", offset=-DAY)
    query_server.store(
        [root, tree(2, 1, role="guardrail", server_address="h")],
        [finding(1, 1, 2, "BLOCK", "High"), finding(2, 1, 77, "log", ""), finding(3, 8, 1, project="other")],
    )
    found = rows(query_server, **JANUARY)
    assert [(row["userUuid"], row["conversationUuid"], row["apiCalls"], row["latency_ms"]) for row in found] == [
        ("ann", "s", 0, 0)
    ] * 2
    by_host = {row["host"]: row for row in found}
    assert (by_host["h"]["numBlocks"], by_host["h"]["numSeverityHigh"], by_host["h"]["repoId"]) == (1, 1, "default")
    assert (by_host[""]["policyViolations"], by_host[""]["numAlerts"], by_host[""]["repoId"]) == (1, 0, "svc")
    assert {row["timestamp"] for row in found} == {NOON // 10**9 - 12 * 3_600}
    assert [row["host"] for row in rows(query_server, hosts="h", **JANUARY)] == ["h"]


def test_a_circle_of_parents_ends(query_server: QueryServer) -> None:
    query_server.store([tree(1, 2), tree(2, 1), tree(3, None, "m")], [finding(1, 1, 1)])
    assert violations(query_server) == {"m": 1}


# guardrails' own model calls


def test_a_guardrails_model_calls_are_overhead_of_the_guarded_call(query_server: QueryServer) -> None:
    query_server.store(
        [
            tree(1, None, "guarded", input_tokens=100, output_tokens=50),
            tree(2, 1, role="guardrail", input_tokens=11, output_tokens=6, offset=1),  # its total, made of the call below
            tree(3, 2, "judge", input_tokens=10, output_tokens=5, offset=2),
            tree(4, 1, role="guardrail", input_tokens=1, offset=3),  # reports usage without a call span
        ]
    )
    (row,) = rows(query_server, **JANUARY)
    assert (row["llmModel"], row["apiCalls"], row["latency_ms"]) == ("guarded", 1, 1000)
    assert (row["llmTokensIn"], row["llmTokensOut"]) == ("100", "50")
    assert (row["tokensIn"], row["tokensOut"]) == ("111", "55")


def test_a_guardrail_that_guards_no_call_makes_calls_like_any_other(query_server: QueryServer) -> None:
    query_server.store([tree(1, None, role="guardrail"), tree(2, 1, "judge", input_tokens=10)])
    (row,) = rows(query_server, **JANUARY)
    assert (row["llmModel"], row["apiCalls"], row["tokensIn"], row["llmTokensIn"]) == ("judge", 1, "10", "10")


def test_a_guardrail_without_model_calls_changes_nothing(query_server: QueryServer) -> None:
    query_server.store([tree(1, None, "guarded", input_tokens=100), tree(2, 1, role="guardrail")])
    (row,) = rows(query_server, **JANUARY)
    assert (row["tokensIn"], row["llmTokensIn"], row["policyViolations"]) == ("100", "100", 0)
