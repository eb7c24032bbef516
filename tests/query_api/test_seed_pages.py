"""The numbers printed on the documentation pages of the four products, from spans that give them.

Durations were derived from the printed percentiles, which interpolate linearly, and the printed sums.
"""

from typing import Any

import pytest

from otel_llm.spans import Finding

from .call_rows import DAY, SECOND, at, call, step, trace
from .conftest import QueryServer


def calls(start: str, durations_us: list[int], tokens: list[int], output: list[int], cost: float, **values: Any) -> list[Any]:
    """Calls with these durations, total tokens and output tokens, sharing a cost."""
    return [
        call(
            start_ns=at(start) + index * SECOND,
            ms=duration / 1_000,
            input_tokens=total - out,
            output_tokens=out,
            cost_computed=cost / len(tokens),
            **values,
        )
        for index, (duration, total, out) in enumerate(zip(durations_us, tokens, output, strict=True))
    ]


OPENAI_HOUR = {
    "hour": "2025-01-23 04:00:00",
    "total_requests": 2,
    "avg_duration": 814.4,
    "duration": 814.4,
    "duration_p99": 1125.4,
    "duration_p95": 1100.0,
    "duration_p90": 1068.3,
    "duration_p50": 814.4,
    "total_duration": 1628.778,
    "total_input_tokens": 72,
    "total_output_tokens": 38,
    "error_rate": 0.0,
    "error_request_count": 0,
    "avg_ttft": 814.4,
    "ttft": 814.4,
    "ttft_p99": 1125.4,
    "ttft_p95": 1100.0,
    "ttft_p90": 1068.3,
    "ttft_p50": 814.4,
    "tps": 67.54,
    "tps_p99": 110.03,
    "tps_p95": 107.55,
    "tps_p90": 104.45,
    "tps_p50": 79.63,
    "tpot": 0.04,
    "tpot_p99": 0.06,
    "tpot_p95": 0.06,
    "tpot_p90": 0.06,
    "tpot_p50": 0.04,
    "tag_tuple": ["openai"],
}
TOGETHER_SUMMARY = {
    "tag_tuple": ["together_ai"],  # printed as togetherai; providers are shown normalised
    "total_requests": 8,
    "total_duration": 5242.402,
    "avg_duration": 655.3,
    "duration": 655.3,
    "duration_p99": 969.2,
    "duration_p95": 962.5,
    "duration_p90": 954.1,
    "duration_p50": 624.3,
    "total_input_tokens": 853,
    "total_output_tokens": 200,
    "avg_ttft": 655.3,
    "ttft": 655.3,
    "ttft_p99": 969.2,
    "ttft_p95": 962.5,
    "ttft_p90": 954.1,
    "ttft_p50": 624.3,
    "tps": 200.86,
    "tps_p99": 336.04,
    "tps_p95": 304.95,
    "tps_p90": 266.08,
    "tps_p50": 186.24,
    "tpot": 0.03,
    "tpot_p99": 0.04,
    "tpot_p95": 0.04,
    "tpot_p90": 0.04,
    "tpot_p50": 0.03,
    "error_rate": 0.0,
    "error_request_count": 0,
}
USER_SUMMARY = {
    "total_requests": 4,
    "total_duration": 31645.018,
    "avg_duration": 7911.3,
    "duration": 7911.3,
    "duration_p99": 9819.3,
    "duration_p95": 9809.0,
    "duration_p90": 9796.1,
    "duration_p50": 8193.2,
    "total_input_tokens": 4429,
    "total_output_tokens": 458,
    "avg_ttft": 7911.3,
    "ttft": 7911.3,
    "ttft_p99": 9819.3,
    "ttft_p95": 9809.0,
    "ttft_p90": 9796.1,
    "ttft_p50": 8193.2,
    "tps": 154.43,
    "tps_p99": 207.79,
    "tps_p95": 206.1,
    "tps_p90": 203.99,
    "tps_p50": 160.85,
    "tpot": 0.07,
    "tpot_p99": 0.1,
    "tpot_p95": 0.09,
    "tpot_p90": 0.09,
    "tpot_p50": 0.07,
    "error_rate": 0.0,
    "error_request_count": 0,
}
EVER = {"start_time_us": 1737576094363076 - 30 * 86_400_000_000, "end_time_us": 1740168094363076}


def test_langdb_analytics_page(query_server: QueryServer) -> None:
    query_server.store(calls("2025-01-23T04:00:00", [497_038, 1_131_740], [55, 55], [19, 19], 0.000672))
    found = query_server.post("/analytics", {"groupBy": ["provider"], **EVER})
    (row,) = found["timeseries"]
    assert row.pop("total_cost") == pytest.approx(0.0006719999999999999, rel=1e-12)
    assert row == OPENAI_HOUR


def test_langdb_summary_page_grouped(query_server: QueryServer) -> None:
    durations = [436_280, 451_088, 518_640, 597_047, 651_534, 670_000, 946_893, 970_920]
    tokens = [150, 105, 110, 116, 116, 115, 168, 173]
    output = [29, 29, 20, 22, 26, 25, 25, 24]
    query_server.store(calls("2025-01-23T04:00:00", durations, tokens, output, 0.00151632, provider="together_ai"))
    (row,) = query_server.post("/analytics/summary", {"groupBy": ["provider"], **EVER})["summary"]
    assert row.pop("total_cost") == pytest.approx(0.0015163199999999998, rel=1e-12)
    assert row == TOGETHER_SUMMARY


def test_langdb_summary_page_of_a_user(query_server: QueryServer) -> None:
    durations = [5_436_809, 6_650_489, 9_735_830, 9_821_890]
    mrunmay = {"user_id": "123", "user_name": "mrunmay", "user_tags": '["testings", "paid"]'}
    query_server.store(
        calls("2025-02-21T10:00:00", durations, [1132, 612, 1890, 1253], [110, 120, 100, 128], 0.00112698, **mrunmay)
    )
    query_server.store(calls("2025-02-21T10:00:00", [1], [1], [1], 1.0, user_id="124"))
    asked = {"user_id": "123", "user_name": "mrunmay", "user_tags": ["websearch", "testings"], **EVER}
    found = query_server.post("/analytics/summary", asked)
    assert (found["start_time_us"], found["end_time_us"]) == (EVER["start_time_us"], EVER["end_time_us"])
    (row,) = found["summary"]
    assert row.pop("total_cost") == pytest.approx(0.00112698, rel=1e-12)
    assert row == USER_SUMMARY


def test_langdb_usage_page(query_server: QueryServer) -> None:
    mini = {"request_model": "gpt-4o-mini", "user_id": "123", "user_tags": '["websearch"]'}
    query_server.store(
        [
            call(start_ns=at("2025-02-14T08:10:00"), input_tokens=13408, output_tokens=2169, cost_computed=0.00397512, **mini),
            call(start_ns=at("2025-02-13T08:20:00"), input_tokens=55612, output_tokens=786, cost_computed=0.01057608, **mini),
            call(start_ns=at("2025-02-01T00:00:00"), input_tokens=4112366, output_tokens=203592, cost_computed=11.875887486),
        ]
    )
    period = {"start_time_us": 1737504000000000, "end_time_us": 1740131013885000}
    total = query_server.post("/usage/total", period)
    assert total == {
        "total": {
            "total_input_tokens": 4181386,
            "total_output_tokens": 206547,
            "total_cost": pytest.approx(11.890438685999994, rel=1e-9),
        },
        "period_start": 1737504000000000,
        "period_end": 1740131013885000,
    }
    found = query_server.post(
        "/usage/models", {**period, "min_unit": "hour", "user_id": "123", "user_tags": ["x", "websearch"]}
    )
    assert found["models"] == [
        {
            "hour": "2025-02-14 08:00:00",
            "provider": "openai",
            "model_name": "gpt-4o-mini",
            "total_input_tokens": 13408,
            "total_output_tokens": 2169,
            "total_cost": pytest.approx(0.0039751199999999995),
        },
        {
            "hour": "2025-02-13 08:00:00",
            "provider": "openai",
            "model_name": "gpt-4o-mini",
            "total_input_tokens": 55612,
            "total_output_tokens": 786,
            "total_cost": pytest.approx(0.01057608),
        },
    ]


def langfuse_day(
    first_trace: int, start: int, model: str, traces: int, usage: tuple[int, int], cost: float
) -> list[dict[str, Any]]:
    """Two observations in each of some traces of john's copilot; the first carries usage and cost of all."""
    rows = []
    for number in range(first_trace, first_trace + traces):
        values = {"trace_id": trace(number), "request_model": model, "trace_name": "my-copilot", "user_id": "john"}
        rows += [call(start_ns=start, **values), call(start_ns=start + SECOND, **values)]
    rows[0] |= {"input_tokens": usage[0], "output_tokens": usage[1], "cost_reported": cost}
    return rows


def test_langfuse_daily_metrics_page(query_server: QueryServer) -> None:
    today = at("2024-02-18T09:00:00")
    query_server.store(langfuse_day(1, today, "llama2", 1000, (1200, 1300), 50.19))
    query_server.store(langfuse_day(2001, today, "gpt-4", 500, (500, 550), 52.0))
    query_server.store(langfuse_day(4001, today - DAY, "llama2", 1250, (1000, 1100), 250.0))
    for day in range(2, 60):
        query_server.store(langfuse_day(10_000 + day, today - day * DAY, "llama2", 1, (1, 1), 0.1))
    found = query_server.get("/api/public/metrics/daily", traceName="my-copilot", userId="john", limit=2)
    assert found == {
        "data": [
            {
                "date": "2024-02-18",
                "countTraces": 1500,
                "countObservations": 3000,
                "totalCost": 102.19,
                "usage": [
                    {
                        "model": "llama2",
                        "inputUsage": 1200,
                        "outputUsage": 1300,
                        "totalUsage": 2500,
                        "countTraces": 1000,
                        "countObservations": 2000,
                        "totalCost": 50.19,
                    },
                    {
                        "model": "gpt-4",
                        "inputUsage": 500,
                        "outputUsage": 550,
                        "totalUsage": 1050,
                        "countTraces": 500,
                        "countObservations": 1000,
                        "totalCost": 52.0,
                    },
                ],
            },
            {
                "date": "2024-02-17",
                "countTraces": 1250,
                "countObservations": 2500,
                "totalCost": 250.0,
                "usage": [
                    {
                        "model": "llama2",
                        "inputUsage": 1000,
                        "outputUsage": 1100,
                        "totalUsage": 2100,
                        "countTraces": 1250,
                        "countObservations": 2500,
                        "totalCost": 250.0,
                    }
                ],
            },
        ],
        "meta": {"page": 1, "limit": 2, "totalItems": 60, "totalPages": 30},
    }


def agentlens_calls(
    end: str, count: int, cost: float, tokens: tuple[int, int], mean_ms: float, **values: Any
) -> list[dict[str, Any]]:
    """Calls that end at one time, with these totals; the first has what does not divide evenly."""
    return [
        call(
            start_ns=at(end) - round(mean_ms * 1_000_000),
            ms=mean_ms,
            cost_reported=cost / count,
            input_tokens=tokens[0] // count + (0 if index else tokens[0] % count),
            output_tokens=tokens[1] // count + (0 if index else tokens[1] % count),
            **values,
        )
        for index in range(count)
    ]


def test_agentlens_page(query_server: QueryServer) -> None:
    claude = {"provider": "anthropic", "request_model": "claude-sonnet-4-20250514"}
    other = {"provider": "google", "request_model": "gemini"}
    query_server.store(agentlens_calls("2026-02-08T12:30:00", 20, 8.5, (100_000, 30_000), 1500, **claude))
    query_server.store(agentlens_calls("2026-02-08T10:30:00", 5, 1.2, (15_000, 5_000), 900))
    query_server.store(agentlens_calls("2026-02-08T13:00:00", 10, 1.8, (20_000, 10_000), 900))
    query_server.store(agentlens_calls("2026-02-08T11:59:59", 7, 0.84, (15_000, 5_000), 9_000 / 7, **other))
    query_server.store(
        [call(start_ns=at("2026-02-08T11:00:00"), ms=0, input_tokens=1_000, output_tokens=100, role="embedding")]
    )
    found = query_server.get("/api/analytics/llm", **{"from": "2026-02-08", "to": "2026-02-09"})
    summary = found["summary"]
    assert summary["totalCalls"] == 42
    assert summary["totalCostUsd"] == pytest.approx(12.34)
    assert (summary["totalInputTokens"], summary["totalOutputTokens"]) == (150_000, 50_000)
    assert summary["avgLatencyMs"] == pytest.approx(1250)
    assert round(summary["avgCostPerCall"], 2) == 0.29
    assert found["byModel"][:2] == [
        {
            "provider": "anthropic",
            "model": "claude-sonnet-4-20250514",
            "calls": 20,
            "costUsd": pytest.approx(8.5),
            "inputTokens": 100_000,
            "outputTokens": 30_000,
            "avgLatencyMs": 1500,
        },
        {
            "provider": "openai",
            "model": "gpt-4o",
            "calls": 15,
            "costUsd": pytest.approx(3.0),
            "inputTokens": 35_000,
            "outputTokens": 15_000,
            "avgLatencyMs": 900,
        },
    ]
    assert found["byTime"][0] == {
        "bucket": "2026-02-08T10:00:00Z",
        "calls": 5,
        "costUsd": pytest.approx(1.2),
        "inputTokens": 15_000,
        "outputTokens": 5_000,
        "avgLatencyMs": 900,
    }


def test_flashback_page(query_server: QueryServer) -> None:
    where = {
        "repo_id": "repo-id-1",
        "ai_llm_id": "llm-id-1",
        "api_key_id": "api-key-id-1",
        "request_model": "gpt-4",
        "server_address": "api.openai.com",
        "user_id": "user-uuid-1",
        "session_id": "conv-uuid-1",
    }
    rows = [call(start_ns=at("2024-01-01T08:00:00"), ms=250, input_tokens=60, output_tokens=32, **where) for _ in range(25)]
    guardrail = step(trace_id=rows[0]["trace_id"], parent_span_id=rows[0]["span_id"], role="guardrail")
    found_on = ("default", guardrail["trace_id"], guardrail["span_id"])
    query_server.store(
        [*rows, guardrail],
        [
            Finding(*found_on, b"1", at("2024-01-01T08:00:00"), "p-1", "secrets", "alert", "high", "test"),
            Finding(*found_on, b"2", at("2024-01-01T08:00:00"), "p-2", "tone", "log", "medium", "test"),
        ],
    )
    found = query_server.get("/aistats/daily", startDate="2024-01-01T00:00:00.000Z", endDate="2024-01-31T23:59:59.999Z")
    assert found == {
        "success": True,
        "data": [
            {
                "timestamp": 1704067200,
                "repoId": "repo-id-1",
                "aiLlmId": "llm-id-1",
                "repoAiApiKeyId": "api-key-id-1",
                "tokensIn": "1500",
                "tokensOut": "800",
                "llmTokensIn": "1500",
                "llmTokensOut": "800",
                "activeConversations": 1,  # printed as 5, which one conversationUuid cannot be
                "apiCalls": 25,
                "policyViolations": 2,
                "numAlerts": 1,
                "numBlocks": 0,
                "numSeverityLow": 0,
                "numSeverityMedium": 1,
                "numSeverityHigh": 1,
                "latency_ms": 250,
                "llmType": "openai",
                "llmModel": "gpt-4",
                "host": "api.openai.com",
                "userUuid": "user-uuid-1",
                "conversationUuid": "conv-uuid-1",
            }
        ],
    }
