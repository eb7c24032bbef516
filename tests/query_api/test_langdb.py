"""LangDB's rules: bodies, ranges, groups, inheritance, exact sums."""

import json
import time
from typing import Any

import pytest

from .call_rows import DAY, NOON, SECOND, at, call, span_id, step, trace
from .conftest import QueryServer

EVER = {"start_time_us": 0, "end_time_us": 4_000_000_000_000_000}
PATHS = ["/usage/total", "/usage/models", "/analytics", "/analytics/summary"]
MONTH_US = 30 * 86_400 * 10**6


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "data", [None, b"", b"  \n", b"{}", b'{"start_time_us": null, "user_id": "", "user_tags": [], "x": 1}']
)
def test_a_body_is_optional_and_the_range_is_the_last_30_days(query_server: QueryServer, path: str, data: bytes | None) -> None:
    now = time.time_ns()
    query_server.store([call(start_ns=now - DAY), call(start_ns=now - 31 * DAY), call(start_ns=now + DAY)])
    found = query_server.client.post(path, data=data).get_json()
    start, end = (
        found[name] for name in (("period_start", "period_end") if "usage" in path else ("start_time_us", "end_time_us"))
    )
    assert end - start == MONTH_US
    assert abs(end * 1_000 - time.time_ns()) < 60 * SECOND
    if path == "/analytics/summary":
        assert [row["total_requests"] for row in found["summary"]] == [1]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "data",
    [
        b"{",
        b"nonsense",
        b"[]",
        b"null",
        b'"text"',
        b"1",
        b"\xff\xfe",
        b'{"a": NaN}',
        b"{} {}",
        b'{"user_id": "\\ud800"}',
        b"[" * 50_000,
        b'{"a":' * 50_000,
        b'{"start_time_us": "1"}',
        b'{"start_time_us": 1.5}',
        b'{"start_time_us": true}',
        b'{"end_time_us": []}',
        b'{"user_id": 1}',
        b'{"user_name": {}}',
        b'{"user_tags": "a"}',
        b'{"user_tags": [1]}',
        b'{"start_time_us": 2, "end_time_us": 1}',
        b'{"start_time_us": 99999999999999999}',
        b'{"start_time_us": ' + b"9" * 5_000 + b"}",
    ],
)
def test_bodies_that_cannot_be_read_are_400(query_server: QueryServer, path: str, data: bytes) -> None:
    response = query_server.client.post(path, data=data)
    assert response.status_code == 400, response.text
    assert response.get_json().keys() == {"error", "message"}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/analytics", {"groupBy": ["user"]}),
        ("/analytics/summary", {"groupBy": ["Provider"]}),
        ("/analytics", {"groupBy": "provider"}),
        ("/analytics", {"groupBy": [None]}),
        ("/analytics", {"groupBy": ["tag"], "tag_keys": [1]}),
        ("/analytics", {"tag_keys": "run"}),
        ("/analytics", {"min_unit": "week"}),
        ("/usage/models", {"min_unit": "week"}),
        ("/usage/models", {"min_unit": 1}),
    ],
)
def test_values_outside_the_documented_ones_are_400(query_server: QueryServer, path: str, body: dict[str, Any]) -> None:
    assert query_server.client.post(path, json=body).status_code == 400


def test_keys_of_other_endpoints_are_ignored(query_server: QueryServer) -> None:
    query_server.post("/usage/total", {"groupBy": "nonsense", "min_unit": 7, "tag_keys": 1})
    query_server.post("/analytics/summary", {"min_unit": "week"})


def test_one_absent_bound_follows_from_the_other(query_server: QueryServer) -> None:
    found = query_server.post("/usage/total", {"end_time_us": 10**15})
    assert (found["period_start"], found["period_end"]) == (10**15 - MONTH_US, 10**15)
    found = query_server.post("/usage/total", {"start_time_us": 10**15})
    assert found["period_start"] == 10**15
    assert abs(found["period_end"] * 1_000 - time.time_ns()) < 60 * SECOND


def test_start_is_inclusive_end_is_exclusive_and_both_are_microseconds(query_server: QueryServer) -> None:
    first, end = NOON // 1_000, NOON // 1_000 + 2
    query_server.store(
        [
            call(start_ns=NOON + offset, output_tokens=tokens)
            for offset, tokens in ((-1, 1), (0, 10), (1_999, 100), (2_000, 1_000))
        ]
    )
    found = query_server.post("/usage/total", {"start_time_us": first, "end_time_us": end})
    assert found["total"]["total_output_tokens"] == 110


@pytest.mark.parametrize("path", PATHS)
def test_times_beyond_the_storable_range_are_clamped(query_server: QueryServer, path: str) -> None:
    query_server.store([call()])
    found = query_server.post(path, {"start_time_us": -(10**30), "end_time_us": 10**30})
    assert found.get("total", {"total_cost": 0.0})["total_cost"] == 0.0
    assert found.get("models", found.get("timeseries", found.get("summary"))) != []
    far = query_server.post(path, {"start_time_us": 10**18, "end_time_us": 10**30})
    assert far.get("models", far.get("timeseries", far.get("summary"))) in ([], None)


def test_nothing_matches(query_server: QueryServer) -> None:
    assert query_server.post("/usage/total", EVER)["total"] == {
        "total_input_tokens": 0,
        "total_output_tokens": 0,
        "total_cost": 0.0,
    }
    assert query_server.post("/usage/models", EVER)["models"] == []
    assert query_server.post("/analytics", EVER)["timeseries"] == []
    for body in ({}, {"groupBy": ["provider"]}):
        assert query_server.post("/analytics/summary", EVER | body)["summary"] == []


def test_a_zero_divisor_gives_zero_and_no_percentile(query_server: QueryServer) -> None:
    query_server.store([call(ms=0, output_tokens=0)])
    (row,) = query_server.post("/analytics/summary", EVER)["summary"]
    assert all(row[name] == 0 for name in row if name.startswith(("tps", "tpot", "duration", "ttft")))
    assert row["error_rate"] == 0.0


def test_sums_beyond_int64_are_exact(query_server: QueryServer) -> None:
    largest = 2**63 - 1
    query_server.store([call(input_tokens=largest, output_tokens=largest, total_tokens=largest) for _ in range(3)])
    exact = 3 * largest
    assert query_server.post("/usage/total", EVER)["total"]["total_input_tokens"] == exact
    assert query_server.post("/usage/models", EVER)["models"][0]["total_output_tokens"] == exact
    row = query_server.post("/analytics", EVER)["timeseries"][0]
    assert (row["total_input_tokens"], row["total_output_tokens"]) == (exact, exact)
    assert row["tps"] == pytest.approx(2 * exact / 3)
    llm = query_server.get("/api/analytics/llm", **{"from": "2025-01-01"})
    assert llm["summary"]["totalInputTokens"] == llm["byModel"][0]["outputTokens"] == exact
    usage = query_server.get("/api/public/metrics/daily")["data"][0]["usage"][0]
    assert (usage["inputUsage"], usage["totalUsage"]) == (exact, 2 * exact)
    stats = query_server.get("/aistats/daily", startDate="2025-01-01")["data"][0]
    assert stats["llmTokensIn"] == stats["tokensOut"] == str(exact)


def test_the_provider_prefix_of_a_model_goes_only_where_it_repeats_the_provider(query_server: QueryServer) -> None:
    cases = [
        ("openai", False, "openai/gpt-4o", "gpt-4o"),
        ("openai", None, "OpenAI/gpt-4o", "gpt-4o"),
        ("openai", True, "openai/gpt-4o", "openai/gpt-4o"),
        ("openai", False, "meta-llama/llama", "meta-llama/llama"),
        ("gcp.gemini", False, "google/gemini-2.5", "gemini-2.5"),
        ("aws.bedrock", False, "bedrock/a/b", "a/b"),
        ("openai", False, "openai/", "openai/"),
        ("openai", False, "/gpt", "/gpt"),
        (None, None, "openai/gpt-4o", "openai/gpt-4o"),
    ]
    for index, (provider, inferred, model, _) in enumerate(cases):
        query_server.store(
            [call(start_ns=NOON - index * DAY, provider=provider, provider_inferred=inferred, request_model=model)]
        )
    found = query_server.post("/usage/models", EVER)["models"]
    assert [row["model_name"] for row in found] == [name for *_, name in cases]


def test_missing_provider_and_model_are_unknown(query_server: QueryServer) -> None:
    query_server.store([call(provider=None, request_model=None)])
    (row,) = query_server.post("/analytics", EVER | {"groupBy": ["provider", "model"]})["timeseries"]
    assert row["tag_tuple"] == ["unknown", "unknown"]


def test_tag_groups(query_server: QueryServer) -> None:
    query_server.store(
        [
            call(request_tags=json.dumps({"b": "2", "a": "1"}), cost_reported=1.0),
            call(request_tags=json.dumps({"a": "1", "b": "2"}), cost_reported=2.0),
            call(request_tags=json.dumps({"a": "1&b=2"}), cost_reported=4.0),
            call(cost_reported=8.0),
        ]
    )

    def groups(body: dict[str, Any]) -> list[tuple[list[str], float]]:
        rows = query_server.post("/analytics/summary", EVER | body)["summary"]
        return [(row["tag_tuple"], row["total_cost"]) for row in rows]

    assert groups({"groupBy": ["tag"]}) == [([""], 8.0), (["a=1&b=2"], 7.0)]
    assert groups({"groupBy": ["tag"], "tag_keys": []}) == groups({"groupBy": ["tag"]})
    by_key = groups({"groupBy": ["tag", "provider"], "tag_keys": ["b", "a"]})
    assert by_key == [(["", "", "openai"], 8.0), (["", "1&b=2", "openai"], 4.0), (["2", "1", "openai"], 3.0)]
    assert "tag_tuple" not in query_server.post("/analytics/summary", EVER | {"groupBy": []})["summary"][0]


def test_values_no_store_can_hold_match_nothing(query_server: QueryServer) -> None:
    query_server.store([call(user_id="ann", session_id="s", request_tags='{"a": "b"}')])
    for body in ({"user_id": "a\0b"}, {"user_name": "\0"}, {"user_tags": ["\0"]}):
        assert query_server.post("/usage/total", EVER | body)["total"]["total_cost"] == 0.0
    (row,) = query_server.post("/analytics/summary", EVER | {"groupBy": ["tag"], "tag_keys": ["\0", "a"]})["summary"]
    assert row["tag_tuple"] == ["", "b"]
    assert query_server.get("/threads/%00/cost")["total_cost"] == 0


# users and sessions of a trace


def tokens_of(query_server: QueryServer, **body: Any) -> int:
    return int(query_server.post("/usage/total", EVER | body)["total"]["total_output_tokens"])


def test_a_call_belongs_to_the_user_of_its_trace_wherever_that_was_set(query_server: QueryServer) -> None:
    long_ago = at("2024-11-01T00:00:00")
    query_server.store(
        [
            call(trace_id=trace(1), parent_span_id=span_id(9), output_tokens=1),
            step(trace_id=trace(1), parent_span_id=span_id(9), start_ns=long_ago, user_id="early"),
            step(trace_id=trace(1), parent_span_id=span_id(9), start_ns=long_ago + 1, user_id="later"),
            call(trace_id=trace(1), parent_span_id=span_id(9), output_tokens=10, user_id="own"),
            call(output_tokens=100),
        ]
    )
    narrow = {"start_time_us": NOON // 1_000 - 1, "end_time_us": NOON // 1_000 + 1}  # the user was set outside
    assert tokens_of(query_server, user_id="early", **narrow) == 1
    assert tokens_of(query_server, user_id="later") == 0
    assert tokens_of(query_server, user_id="own") == 10


def test_a_late_root_changes_the_answer(query_server: QueryServer) -> None:
    child = {"trace_id": trace(1), "parent_span_id": span_id(9)}
    query_server.store([call(output_tokens=1, **child), step(user_id="guess", start_ns=NOON - DAY, **child)])
    assert tokens_of(query_server, user_id="guess") == 1
    query_server.store([step(trace_id=trace(1), span_id=span_id(9), start_ns=NOON + DAY, user_id="root")])
    assert tokens_of(query_server, user_id="guess") == 0
    assert tokens_of(query_server, user_id="root") == 1


def test_name_and_tags_come_only_from_spans_that_name_the_same_user(query_server: QueryServer) -> None:
    query_server.store(
        [
            step(trace_id=trace(1), span_id=span_id(1), user_id="ann", user_name="Ann", user_tags='["paid"]'),
            call(trace_id=trace(1), parent_span_id=span_id(1), output_tokens=1),
            call(trace_id=trace(1), parent_span_id=span_id(1), output_tokens=10, user_id="bob"),
            call(trace_id=trace(1), parent_span_id=span_id(1), output_tokens=100, user_id="bob", user_name="Bob"),
            call(trace_id=trace(2), output_tokens=1_000, user_name="Ann"),
        ]
    )
    assert tokens_of(query_server, user_name="Ann") == 1_001
    assert tokens_of(query_server, user_name="Bob") == 110  # the second call names bob, and the third says his name
    assert tokens_of(query_server, user_tags=["free", "paid"]) == 1
    assert tokens_of(query_server, user_id="ann", user_name="Ann", user_tags=["paid"]) == 1
    assert tokens_of(query_server, user_id="bob", user_tags=["paid"]) == 0


def test_a_thread_is_a_session_wherever_its_calls_took_it_from(query_server: QueryServer) -> None:
    query_server.store(
        [
            step(trace_id=trace(1), span_id=span_id(1), session_id="a/b c"),
            call(trace_id=trace(1), parent_span_id=span_id(1), input_tokens=3, cost_reported=0.5),
            call(session_id="a/b c", start_ns=NOON - 900 * DAY, output_tokens=4),
            call(session_id="other", output_tokens=7),
        ]
    )
    expected = {"total_cost": 0.5, "total_output_tokens": 4, "total_input_tokens": 3}
    assert query_server.get("/threads/a%2Fb%20c/cost") == expected
    assert query_server.get("/threads/unknown/cost") == {"total_cost": 0.0, "total_output_tokens": 0, "total_input_tokens": 0}


def test_only_the_callers_project_is_seen(query_server: QueryServer) -> None:
    query_server.store([call(output_tokens=1), call(output_tokens=10, project="other"), step(project="other", user_id="x")])
    assert tokens_of(query_server) == 1
