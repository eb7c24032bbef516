"""Browsers: only pages of the origins in the settings may read answers."""

from collections.abc import Callable

from .conftest import QueryServer

SITE = "https://app.example"


def test_pages_of_a_named_origin_may_ask_and_read(new_query_server: Callable[..., QueryServer]) -> None:
    client = new_query_server(cors_origins=(SITE,)).client
    preflight = client.options(
        "/analytics", headers={"Origin": SITE, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "x"}
    )
    assert preflight.status_code == 204
    assert preflight.headers["Access-Control-Allow-Origin"] == SITE
    assert "POST" in preflight.headers["Access-Control-Allow-Methods"]
    assert "Authorization" in preflight.headers["Access-Control-Allow-Headers"]
    answer = client.post("/analytics", headers={"Origin": SITE})
    assert (answer.status_code, answer.headers["Access-Control-Allow-Origin"]) == (200, SITE)
    assert "Origin" in answer.headers["Vary"]
    assert "Access-Control-Allow-Credentials" not in answer.headers
    refused = client.get("/aistats/daily?startDate=x", headers={"Origin": SITE})
    assert (refused.status_code, refused.headers["Access-Control-Allow-Origin"]) == (400, SITE)


def test_pages_of_other_origins_may_not(new_query_server: Callable[..., QueryServer]) -> None:
    for server in (new_query_server(cors_origins=(SITE,)), new_query_server()):
        for origin in ("https://evil.example", "null", SITE + ".evil.example"):
            preflight = server.client.options("/analytics", headers={"Origin": origin})
            assert preflight.status_code == 405
            assert "Access-Control-Allow-Origin" not in preflight.headers
            assert "Access-Control-Allow-Origin" not in server.client.post("/analytics", headers={"Origin": origin}).headers
