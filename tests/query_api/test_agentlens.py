"""AgentLens's rules: ranges, filters, granularities, events."""

import time
from typing import Any

import pytest

from .call_rows import DAY, NOON, SECOND, at, call, span_id, step, trace
from .conftest import QueryServer

PATH = "/api/analytics/llm"
ALL = {"from": "2020-01-01", "to": "2030-01-01"}
ZEROS = {
    "totalCalls": 0,
    "totalCostUsd": 0,
    "totalInputTokens": 0,
    "totalOutputTokens": 0,
    "avgLatencyMs": 0,
    "avgCostPerCall": 0,
}


@pytest.mark.parametrize("granularity", ["", "minute", "DAY", "month", "hours"])
def test_an_invalid_granularity_is_400(query_server: QueryServer, granularity: str) -> None:
    response = query_server.client.get(PATH, query_string={"granularity": granularity})
    assert (response.status_code, response.get_json()) == (
        400,
        {"error": "Invalid granularity. Use: hour, day, week", "status": 400},
    )


@pytest.mark.parametrize("path", [PATH, "/api/events"])
@pytest.mark.parametrize("name", ["from", "to"])
@pytest.mark.parametrize(
    "text", ["garbage", "1738000000", "2026-02-30", "2026-2-8", "2026-02-08T25:00:00Z", "2026-02-08T10:00:00+24:00", "2026-02"]
)
def test_an_unparsable_time_is_400(query_server: QueryServer, path: str, name: str, text: str) -> None:
    response = query_server.client.get(path, query_string={name: text})
    body = response.get_json()
    assert (response.status_code, body["status"]) == (400, 400)
    assert name in body["error"]


def calls(query_server: QueryServer, **parameters: Any) -> int:
    return int(query_server.get(PATH, **parameters)["summary"]["totalCalls"])


def test_the_default_range_is_the_last_24_hours_by_end(query_server: QueryServer) -> None:
    now = time.time_ns()
    query_server.store(
        [
            call(start_ns=now - 2 * DAY, ms=1.5 * DAY / 1e6),  # began before the range and ended in it
            call(start_ns=now - 2 * DAY),
            call(start_ns=now - SECOND, ms=3_600_000),  # ends in the future
        ]
    )
    assert calls(query_server) == calls(query_server, **{"from": "", "to": ""}) == 1


@pytest.mark.parametrize(
    ("first", "last", "count"),
    [
        ("2025-01-23", "2025-01-24", 2),
        ("2025-01-23T12:00:01Z", "2025-01-23T12:00:01.5Z", 2),
        ("2025-01-23T12:00:01.000000001Z", "2025-01-24", 1),
        ("2025-01-23", "2025-01-23T12:00:01.499999999Z", 1),
        ("2025-01-23T14:00:01+02:00", "2025-01-23T06:30:01-05:30", 1),
        ("2025-01-23 12:00:01", "2025-01-23T12:00:01", 1),
        ("2025-01-24", "2025-01-23", 0),
        ("0001-01-01", "9999-12-31", 2),
        ("2025-01-22", "2025-01-23", 0),
    ],
)
def test_both_ends_are_inclusive_real_times(query_server: QueryServer, first: str, last: str, count: int) -> None:
    query_server.store([call(ms=1_000), call(ms=1_500)])
    assert calls(query_server, **{"from": first, "to": last}) == count


def test_an_empty_range_gives_zeros(query_server: QueryServer) -> None:
    found = query_server.get(PATH, **{"from": "2026-01-02", "to": "2026-01-01"})
    assert found == {"summary": ZEROS, "byModel": [], "byTime": []}


def test_filters_are_exact_single_values_and_the_first_of_repeated_ones(query_server: QueryServer) -> None:
    query_server.store([call(request_model="a,b"), call(request_model="A"), call(provider=None)])
    assert calls(query_server, model="a,b", **ALL) == 1
    assert calls(query_server, model="a", **ALL) == 0
    assert calls(query_server, model=["A", "a,b"], **ALL) == 1
    assert calls(query_server, provider="unknown", **ALL) == 1
    assert calls(query_server, model="", provider="", agentId="", nonsense="1", **ALL) == 3
    assert calls(query_server, model="%00", agentId="\ud7ff", **ALL) == 0


def test_embeddings_and_outer_copies_are_left_out(query_server: QueryServer) -> None:
    query_server.store([call(), call(role="embedding"), call(counted=False), step(role="agent")])
    assert calls(query_server, **ALL) == 1


AGENTS: list[tuple[dict[str, Any], str, bool]] = [
    ({"agent_name": "n", "agent_id": "i"}, "n", True),
    ({"agent_name": "n", "agent_id": "i"}, "i", True),
    ({"agent_name": "n", "agentlens_agent_id": "l", "service_name": "s"}, "l", False),
    ({"agentlens_agent_id": "l", "service_name": "s"}, "l", True),
    ({"agentlens_agent_id": "l", "service_name": "s"}, "s", False),
    ({"service_name": "s"}, "s", True),
    ({}, "s", False),
]


@pytest.mark.parametrize(("values", "agent", "matches"), AGENTS)
def test_the_first_identity_a_call_has_is_its_agent(
    query_server: QueryServer, values: dict[str, Any], agent: str, matches: bool
) -> None:
    root = step(trace_id=trace(1), span_id=span_id(1), agent_name="s", agent_id="l")  # nothing is inherited from it
    query_server.store([root, call(trace_id=trace(1), parent_span_id=span_id(1), **values)])
    assert calls(query_server, agentId=agent, **ALL) == int(matches)


def test_a_week_is_its_monday(query_server: QueryServer) -> None:
    days = ["2024-12-30", "2024-12-31", "2025-01-05", "2025-01-06", "2026-01-01"]
    query_server.store([call(start_ns=at(f"{day}T00:00:00"), ms=0) for day in days])
    found = query_server.get(PATH, granularity="week", **ALL)["byTime"]
    assert [(row["bucket"], row["calls"]) for row in found] == [
        ("2024-12-30T00:00:00Z", 3),
        ("2025-01-06T00:00:00Z", 1),
        ("2025-12-29T00:00:00Z", 1),
    ]


# events


def test_events_in_the_shape_of_the_command_line(query_server: QueryServer) -> None:
    query_server.store(
        [
            call(
                trace_id=trace(1),
                span_id=span_id(2),
                ms=1_500.5,
                input_tokens=10,
                output_tokens=5,
                cost_reported=0.25,
                reasoning_tokens=2,
                finish_reasons='["length"]',
                service_name="svc",
            )
        ]
    )
    found = query_server.get("/api/events", eventType="llm_response")
    (event,) = found.pop("events")
    assert found == {"total": 1, "hasMore": False}
    assert event["timestamp"] == "2025-01-23T12:00:01.500Z"
    assert (event["eventType"], event["agentId"], event["severity"]) == ("llm_response", "svc", "info")
    assert event["sessionId"] == f"trace-{trace(1).hex()}"
    assert event["payload"] == {
        "callId": span_id(2).hex(),
        "provider": "openai",
        "model": "gpt-4o",
        "completion": None,
        "finishReason": "length",
        "usage": {"inputTokens": 10, "outputTokens": 5, "totalTokens": 15, "thinkingTokens": 2},
        "costUsd": 0.25,
        "latencyMs": 1500.5,
    }


def test_pages_of_events(query_server: QueryServer) -> None:
    query_server.store([call(start_ns=NOON + number * SECOND, output_tokens=number) for number in range(60)])

    def tokens(**parameters: Any) -> list[int]:
        events = query_server.get("/api/events", **parameters)["events"]
        return [event["payload"]["usage"]["outputTokens"] for event in events]

    assert tokens() == list(range(59, 9, -1))
    assert tokens(limit=2) == [59, 58]
    assert tokens(limit=2, order="asc", offset=3) == [3, 4]
    assert len(tokens(limit="", offset="", order="")) == 50
    assert len(tokens(limit=9999)) == 60
    assert tokens(offset=10**30) == []
    assert query_server.get("/api/events", limit=10)["hasMore"] is True
    assert query_server.get("/api/events", limit=10, offset=50)["hasMore"] is False


@pytest.mark.parametrize(
    "parameters",
    [
        *({"limit": text} for text in ("0", "-1", "x", "1.5", "1e2", " 1", "+1", "10 events", "٣")),
        *({"offset": text} for text in ("-1", "x", "0.0")),
        *({"order": text} for text in ("ASC", "newest", "desc,asc")),
    ],
)
def test_a_page_that_cannot_be_read_is_400_and_names_the_parameter(
    query_server: QueryServer, parameters: dict[str, str]
) -> None:
    response = query_server.client.get("/api/events", query_string=parameters)
    body = response.get_json()
    assert (response.status_code, body["status"]) == (400, 400)
    assert body["error"].startswith(f"Invalid {next(iter(parameters))}. Use")


@pytest.mark.parametrize(("kinds", "count"), [("", 1), ("llm_response", 1), ("llm_call,llm_response", 1), ("tool_call", 0)])
def test_only_finished_calls_are_events(query_server: QueryServer, kinds: str, count: int) -> None:
    query_server.store([call(), call(role="embedding"), step()])
    assert query_server.get("/api/events", eventType=kinds)["total"] == count
