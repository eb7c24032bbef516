"""Langfuse's rules: parameters, what counts as an observation, exact money."""

import json
from decimal import Decimal
from typing import Any

import pytest

from .call_rows import DAY, NOON, at, call, span_id, step, trace
from .conftest import QueryServer

PATH = "/api/public/metrics/daily"
NAN = {"code": "invalid_type", "expected": "number", "message": "Invalid input: expected number, received NaN"}
DATETIME = {"code": "invalid_format", "format": "datetime", "message": "Invalid ISO datetime"}
REPEATED = {"code": "invalid_type", "expected": "string", "message": "Invalid input: expected string, received array"}
INVALID: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"limit": "101"}, {"code": "too_big", "maximum": 100, "message": "Too big: expected number to be <=100"}),
    ({"limit": "0"}, {"code": "too_small", "minimum": 1, "inclusive": True, "message": "Too small: expected number to be >=1"}),
    ({"page": "0"}, {"code": "too_small", "minimum": 0, "inclusive": False, "message": "Too small: expected number to be >0"}),
    ({"page": "-1"}, {"code": "too_small"}),
    ({"limit": "abc"}, NAN),
    ({"limit": ["1", "2"]}, NAN),
    ({"page": "1_0"}, NAN),
    ({"page": "1.5"}, {"code": "invalid_type", "expected": "int"}),
    ({"page": "1e400"}, {"code": "invalid_type"}),
    ({"page": "9007199254740992"}, {"code": "too_big"}),
    ({"traceName": ["a", "b"]}, REPEATED),
    ({"userId": ["a", "a"]}, REPEATED),
    ({"fromTimestamp": ["2024-01-01T00:00:00Z", "2024-01-01T00:00:00Z"]}, REPEATED),
    *(
        ({"fromTimestamp": text}, DATETIME)
        for text in (
            "",
            "2024-01-01",
            "2024-01-01T00:00:00",
            "2024-01-01T00:00Z",
            "2024-01-01T00:00:00+0200",
            "2024-01-01T00:00:00 02:00",
            "2024-01-01 00:00:00Z",
            "2024-13-01T00:00:00Z",
            "2024-02-30T00:00:00Z",
            "2023-02-29T00:00:00Z",
            "2024-01-01T24:00:00Z",
            "2024-01-01T00:00:60Z",
            "2024-01-01T00:00:00+25:00",
            "2024-01-01T00:00:00.Z",
            "١٢٣٤-01-01T00:00:00Z",
            "1704067200",
            "now",
        )
    ),
    ({"toTimestamp": "x"}, DATETIME),
]


@pytest.mark.parametrize(("parameters", "issue"), INVALID)
def test_invalid_parameters_are_listed(query_server: QueryServer, parameters: dict[str, Any], issue: dict[str, Any]) -> None:
    response = query_server.client.get(PATH, query_string=parameters)
    body = response.get_json()
    assert response.status_code == 400
    assert body.keys() == {"message", "error"}
    assert body["message"] == "Invalid request data"
    (found,) = body["error"]
    assert found["path"] == list(parameters)
    assert found["message"]
    assert issue.items() <= found.items()


def test_everything_wrong_is_listed_at_once(query_server: QueryServer) -> None:
    response = query_server.client.get(PATH, query_string={"page": "x", "limit": "0", "toTimestamp": "?"})
    assert [issue["path"] for issue in response.get_json()["error"]] == [["page"], ["limit"], ["toTimestamp"]]


@pytest.mark.parametrize(
    "parameters",
    [
        {"page": "", "limit": ""},
        {"page": " 1 ", "limit": "5e1"},
        {"page": "0x1", "limit": "50.0"},
        {"traceName": "", "userId": "", "tags": "", "environment": ""},
        {"unknown": "1", "sessionId": "x"},
    ],
)
def test_forms_that_mean_the_default(query_server: QueryServer, parameters: dict[str, Any]) -> None:
    query_server.store([call()])
    found = query_server.get(PATH, **parameters)
    assert found["meta"] == {"page": 1, "limit": 50, "totalItems": 1, "totalPages": 1}


def test_an_empty_store_has_no_pages(query_server: QueryServer) -> None:
    assert query_server.get(PATH) == {"data": [], "meta": {"page": 1, "limit": 50, "totalItems": 0, "totalPages": 0}}


def test_a_page_beyond_the_last_is_empty(query_server: QueryServer) -> None:
    query_server.store([call()])
    found = query_server.get(PATH, page=9_007_199_254_740_991, limit=100)
    assert (found["data"], found["meta"]["totalItems"]) == ([], 1)


def test_the_trace_begins_in_the_range_its_observations_may_lie_beyond(query_server: QueryServer) -> None:
    begin = at("2024-03-01T00:00:00")
    query_server.store(
        [
            step(trace_id=trace(1), start_ns=begin),
            call(trace_id=trace(1), start_ns=begin + 2 * DAY),
            call(trace_id=trace(2), start_ns=begin - 1),
            call(trace_id=trace(2), start_ns=begin + 1),
        ]
    )
    exact = {"fromTimestamp": "2024-03-01T00:00:00Z", "toTimestamp": "2024-03-01T00:00:00.000000001Z"}
    found = query_server.get(PATH, **exact)["data"]
    assert [(day["date"], day["countTraces"], day["countObservations"]) for day in found] == [
        ("2024-03-03", 0, 1),
        ("2024-03-01", 1, 1),
    ]
    offset = {"fromTimestamp": "2024-03-01T02:00:00+02:00", "toTimestamp": "2024-03-01T00:00:01Z"}
    assert query_server.get(PATH, **offset)["data"] == found
    assert query_server.get(PATH, fromTimestamp="2024-03-01T00:00:00Z", toTimestamp="2024-03-01T00:00:00Z")["data"] == []
    assert query_server.get(PATH, fromTimestamp="2025-01-01T00:00:00Z", toTimestamp="2024-01-01T00:00:00Z")["data"] == []
    everything = query_server.get(PATH, fromTimestamp="0001-01-01T00:00:00Z", toTimestamp="9999-12-31T23:59:59Z")
    assert sum(day["countObservations"] for day in everything["data"]) == 4


def test_tags_and_environments_split_only_a_single_value(query_server: QueryServer) -> None:
    query_server.store(
        [
            step(trace_id=trace(1), tags='["a"]', environment="dev"),
            step(trace_id=trace(1), start_ns=NOON + 1, tags='["b"]', environment="dev"),
            step(trace_id=trace(2), tags='["a,b"]'),
        ]
    )

    def traces(**parameters: Any) -> int:
        return sum(day["countTraces"] for day in query_server.get(PATH, **parameters)["data"])

    assert traces(tags="a,b") == traces(tags=["a", "b"]) == 1
    assert traces(tags=["a,b", "a,b"]) == 1
    assert traces(tags=["a,b", "a"]) == 0
    assert traces(tags="A") == 0
    assert traces(environment="dev,default") == traces(environment=["dev", "default"]) == 2
    assert traces(environment=["dev,default", "x"]) == 0


def test_an_environment_is_asked_of_the_trace_and_of_the_observation(query_server: QueryServer) -> None:
    query_server.store(
        [
            step(trace_id=trace(1), environment="dev"),
            step(trace_id=trace(1), start_ns=NOON + 1, environment="prod"),
            step(trace_id=trace(2)),
            step(trace_id=trace(2), start_ns=NOON + 1, environment="dev"),
        ]
    )
    (day,) = query_server.get(PATH, environment="dev")["data"]
    assert (day["countTraces"], day["countObservations"]) == (1, 1)


def test_the_name_of_a_trace(query_server: QueryServer) -> None:
    query_server.store(
        [
            step(trace_id=trace(1), span_id=span_id(1), name="handle request"),
            call(trace_id=trace(1), parent_span_id=span_id(1), name="chat"),
            step(trace_id=trace(2), span_id=span_id(2), name="handle request", trace_name="set"),
            call(trace_id=trace(3), parent_span_id=span_id(8), name="orphan"),
        ]
    )

    def observations(name: str) -> int:
        return sum(day["countObservations"] for day in query_server.get(PATH, traceName=name)["data"])

    assert [observations(name) for name in ("handle request", "set", "chat", "orphan")] == [2, 1, 0, 0]


def test_only_counted_calls_carry_usage_but_every_span_is_an_observation(query_server: QueryServer) -> None:
    usage = {"input_tokens": 5, "output_tokens": 7, "cost_reported": 0.5, "trace_id": trace(1), "request_model": "m"}
    query_server.store(
        [
            call(**usage),
            call(**usage, counted=False, suppressed_by=span_id(1)),
            call(**usage, role="agent", counted=None),
            step(trace_id=trace(1)),
        ]
    )
    (day,) = query_server.get(PATH)["data"]
    named, nameless = day["usage"]
    assert (named["model"], named["countObservations"], named["totalUsage"], named["totalCost"]) == ("m", 2, 12, 0.5)
    assert (nameless["model"], nameless["countObservations"], nameless["totalUsage"]) == (None, 2, 0)


@pytest.mark.parametrize(("total", "shown"), [(None, 12), (11, 12), (12, 12), (40, 40)])
def test_an_explicit_total_counts_when_it_is_no_less_than_its_parts(
    query_server: QueryServer, total: int | None, shown: int
) -> None:
    query_server.store([call(input_tokens=5, output_tokens=7, total_tokens=total)])
    assert query_server.get(PATH)["data"][0]["usage"][0]["totalUsage"] == shown


def test_models_are_ordered_by_usage_then_by_code_point_null_last(query_server: QueryServer) -> None:
    models = [("b", 5), ("a", 5), ("B", 5), ("z", 9), ("é", 5)]
    query_server.store([step(), *(call(request_model=name, output_tokens=n) for name, n in models)])
    shown = [row["model"] for row in query_server.get(PATH)["data"][0]["usage"]]
    assert shown == ["z", "B", "a", "b", "é", None]


def test_money_is_an_exact_decimal(query_server: QueryServer) -> None:
    costs = [0.1, 0.2, 1e-12, 123_456_789.123456]
    query_server.store([call(cost_reported=cost) for cost in costs])
    text = query_server.client.get(PATH).text
    (day,) = json.loads(text, parse_float=Decimal)["data"]
    assert day["totalCost"] == day["usage"][0]["totalCost"] == Decimal("123456789.423456000001")
    query_server.store([call(start_ns=NOON + DAY, cost_reported=cost) for cost in (0.1, 0.2)])
    assert '"totalCost":0.3,' in query_server.client.get(PATH).text
