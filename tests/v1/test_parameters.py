"""What the neutral endpoints accept, and how they refuse: status 400 and a sentence that names the parameter."""

import time
from typing import Any

import pytest

from tests.query_api.call_rows import call
from tests.query_api.conftest import QueryServer

TRACE = "/api/v1/traces/" + "0" * 31 + "1"


@pytest.mark.parametrize(
    ("path", "query", "named"),
    [
        ("overview", {"from": "yesterday"}, "from"),
        ("overview", {"to": "2026-02-30"}, "to"),
        ("overview", {"from": "2026-02-02", "to": "2026-02-01"}, "from"),
        ("overview", {"from": "2026-02-02", "to": "2026-02-02"}, "from"),
        ("overview", {"from": "1970-01-01", "to": "2026-01-01"}, "ten years"),
        ("overview", {"status": "bad"}, "status"),
        ("overview", {"without": "luck"}, "without"),
        ("overview", {"streaming": "1"}, "streaming"),
        ("overview", {"format": "xml"}, "format"),
        ("overview", {"user": [f"u{number}" for number in range(51)]}, "user"),
        ("series", {"measures": "calls,love"}, "measures"),
        ("series", {"split": "measures"}, "split"),
        ("series", {"step": "0"}, "step"),
        ("series", {"step": "1"}, "step"),
        ("series", {"step": "1.5"}, "step"),
        ("series", {"points": "100000"}, "points"),
        ("series", {"top": "21"}, "top"),
        ("series", {"offset": "99999"}, "offset"),
        ("series", {"rank": "span_id"}, "rank"),
        ("top", {"by": "password"}, "by"),
        ("top", {"by": "tag,model"}, "by"),
        ("top", {"by": "user,model,provider,agent"}, "by"),
        ("top", {"sort": "1; DROP TABLE spans"}, "sort"),
        ("top", {"order": "up"}, "order"),
        ("top", {"limit": "1001"}, "limit"),
        ("top", {"limit": "-1"}, "limit"),
        ("calls/search", {"sort": "oldest"}, "sort"),
        ("calls/search", {"limit": "0"}, "limit"),
        ("calls/search", {"limit": "5000"}, "limit"),
        ("calls/search", {"cursor": "abc"}, "cursor"),
        ("calls/search", {"cursor": "ä" * 9}, "cursor"),
        ("calls/search", {"cursor": "WyJuZXdlc3QiLC0xLDEsIjAwIl0"}, "cursor"),
        ("calls/search", {"cursor": "WyJlcnJvcnMiLDEsMSwiMDAiLCIwMCJd"}, "cursor"),
        ("traces/12", {}, "trace id"),
        ("traces/" + "g" * 32, {}, "trace id"),
        ("traces/" + "0" * 32 + "/spans/1", {}, "span id"),
        ("traces/" + "0" * 32, {"detail": "all"}, "detail"),
        ("data-health", {"table": "users", "format": "csv"}, "table"),
    ],
    ids=lambda value: str(value)[:60],
)
def test_a_bad_parameter_is_named(v1_server: QueryServer, path: str, query: dict[str, Any], named: str) -> None:
    response = v1_server.client.get(f"/api/v1/{path}", query_string=query)
    assert response.status_code == 400
    body = response.get_json()
    assert body["status"] == 400
    assert named in body["error"]


def test_an_empty_parameter_counts_as_absent_and_an_unknown_one_is_ignored(v1_server: QueryServer) -> None:
    now = time.time_ns()
    v1_server.store([call(start_ns=now - 10**9, user_id="ann")])
    empty = dict.fromkeys(("from", "to", "user", "status", "without", "streaming", "step", "split", "measures"), "")
    answer = v1_server.get("/api/v1/series", **empty, colour="blue")
    assert sum(answer["groups"][0]["points"]["calls"]) == 1


def test_the_default_window_is_the_last_day(v1_server: QueryServer) -> None:
    now = time.time_ns()
    v1_server.store([call(start_ns=now - hours * 3_600 * 10**9) for hours in (1, 23, 25, 47, 49)])
    figures = {row["measure"]: row for row in v1_server.get("/api/v1/overview")["figures"]}
    assert (figures["calls"]["value"], figures["calls"]["previous"]) == (2, 2)
    assert len(v1_server.get("/api/v1/calls/search")["calls"]) == 5


@pytest.mark.parametrize(
    ("hours", "step"), [(1, 30), (6, 300), (24, 900), (7 * 24, 2 * 3_600), (30 * 24, 6 * 3_600), (365 * 24, 7 * 86_400)]
)
def test_the_bucket_size_follows_the_window(v1_server: QueryServer, hours: int, step: int) -> None:
    first = time.gmtime(1_767_225_600 - hours * 3_600)
    answer = v1_server.get(
        "/api/v1/series", **{"from": time.strftime("%Y-%m-%dT%H:%M:%SZ", first), "to": "2026-01-01T00:00:00Z"}
    )
    assert answer["step"] == step
    assert len(answer["starts"]) <= 121


def test_windows_at_the_ends_of_time_are_served(v1_server: QueryServer) -> None:
    assert v1_server.get("/api/v1/overview", **{"from": "1969-06-01", "to": "1970-06-01"})["figures"][0]["value"] == 0
    late = v1_server.client.get("/api/v1/overview", query_string={"from": "2261-01-01", "to": "2270-01-01"})
    assert late.status_code == 200
    beyond = v1_server.client.get("/api/v1/overview", query_string={"from": "9990-01-01", "to": "9999-01-01"})
    assert beyond.status_code in (200, 400)


def test_only_get_is_allowed(v1_server: QueryServer) -> None:
    response = v1_server.client.post("/api/v1/overview")
    assert response.status_code == 405
    assert response.get_json()["status"] == 405
