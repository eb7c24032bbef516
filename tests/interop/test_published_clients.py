"""Published clients of the products do not notice that this is another server."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import pytest

from tests.cli.conftest import ask

from .conftest import Shop

Python = Callable[[str, str], Any]
pytestmark = pytest.mark.timeout(400)  # the first run installs the clients


def days(shop: Shop) -> list[str]:
    """The days the calls may lie on: the test may run across midnight."""
    start = shop.now_ns // 10**9 - 1_800
    return [f"{datetime.fromtimestamp(second, UTC):%Y-%m-%d}" for second in (start, start + 4)]


def check_days(shop: Shop, found: dict[str, Any]) -> None:
    """The shop's trace as daily metrics."""
    assert {day["date"] for day in found["data"]} == set(days(shop))
    usage = [row for day in found["data"] for row in day["usage"]]
    calls = [row for row in usage if row["model"] == "gpt-4o"]
    assert sum(row["inputUsage"] for row in calls) == 300
    assert sum(row["outputUsage"] for row in calls) == 60
    assert sum(row["countObservations"] for row in usage) == 4
    assert sum(day["totalCost"] for day in found["data"]) == pytest.approx(0.3)
    assert found["meta"]["page"] == 1


def test_langfuse_for_python(shop: Shop, python_client: Python) -> None:
    found = python_client("langfuse2", "langfuse_daily.py")
    check_days(shop, found["all"])
    check_days(shop, found["filtered"])
    assert len(found["async"]["data"]) == 1
    assert found["nothing"]["data"] == []
    name, status, body = found["bad limit"]
    assert (name, status, body["message"], body["error"][0]["path"]) == ("Error", 400, "Invalid request data", ["limit"])
    name, status, body = found["bad key"]
    assert (name, status) == ("UnauthorizedError", 401)
    assert body["message"].startswith("Invalid credentials")


def test_langfuse_for_javascript(shop: Shop, node_client: Callable[[str], Any]) -> None:
    found = node_client("langfuse_daily.mjs")
    check_days(shop, found["filtered"])
    assert found["all"]["meta"]["limit"] == 50
    status, body = found["bad limit"]
    assert (status, body["error"][0]["code"]) == (400, "too_small")
    assert found["bad key"][0] == 401


def test_pylangdb(python_client: Python) -> None:
    found = python_client("pylangdb", "pylangdb_analytics.py")
    rows = {row["tag_tuple"][0]: row for row in found["analytics"]["summary"]}
    assert rows.keys() == {"r1", "r2", ""}
    assert (rows["r1"]["total_requests"], rows["r1"]["avg_duration"], rows["r1"]["tps"]) == (1, 1000.0, 120.0)
    assert rows["r2"]["error_rate"] == 1.0
    assert {row["total_input_tokens"] for row in found["frame"]} == {100}
    assert len(found["frame"]) == 2  # the client leaves out calls without the tag
    assert found["usage"] == [pytest.approx(0.3), 60, 300]
    assert found["bad key"][0] == 401
    assert found["bad key"][1].keys() == {"error", "message"}
    assert (found["bad project"][0], found["bad project"][1]["error"]) == (400, "Project not found")
    assert found["bad time"][0] == 400


def test_agentlens_for_python(python_client: Python) -> None:
    found = python_client("agentlens", "agentlens_analytics.py")
    for name in ("analytics", "async"):
        summary = found[name]["summary"]
        assert (summary["total_calls"], summary["total_input_tokens"], summary["avg_latency_ms"]) == (3, 300, 1000.0)
        assert summary["total_cost_usd"] == pytest.approx(0.3)
        assert [(row["provider"], row["model"], row["calls"]) for row in found[name]["by_model"]] == [("openai", "gpt-4o", 3)]
    assert sum(row["calls"] for row in found["analytics"]["by_time"]) == 3
    events = found["events"]
    assert (events["total"], events["has_more"], len(events["events"])) == (3, True, 2)
    assert events["events"][0]["session_id"] == "thread-1"
    assert events["events"][0]["payload"]["usage"]["totalTokens"] == 120
    assert found["bad time"][:2] == ["ValidationError", 400]
    assert "from" in found["bad time"][2]
    assert found["bad key"] == ["AuthenticationError", 401, "Invalid or revoked API key"]
    assert found["no key"] == ["AuthenticationError", 401, "Authentication required"]
    assert found["unknown path"][:2] == ["NotFoundError", 404]


def test_langfuse_5_as_a_producer(shop: Shop, python_client: Python) -> None:
    assert python_client("langfuse5", "langfuse_producer.py") == "sent"
    headers = {"authorization": f"Bearer {shop.secret_key}"}
    status, found = ask(
        shop.server.api_url + "/api/public/metrics/daily?userId=langfuse-user&traceName=sdk-trace&tags=sdk&environment=staging",
        headers=headers,
    )
    assert status == 200
    (day,) = found["data"]
    (row,) = [row for row in day["usage"] if row["model"] == "gpt-4o-mini"]
    assert (row["inputUsage"], row["outputUsage"], row["totalCost"]) == (40, 12, 0.25)
    assert (day["countTraces"], day["countObservations"]) == (1, 2)
    status, cost = ask(shop.server.api_url + "/threads/langfuse-session/cost", headers=headers)
    assert (status, cost["total_cost"]) == (200, 0.25)


def test_flashbacks_client_sends_its_request_lines(shop: Shop) -> None:
    """Its package cannot be installed; these are the requests it was seen to send."""
    headers = {"authorization": f"Bearer {shop.secret_key}", "accept": "*/*"}
    start = quote(f"{days(shop)[0]}T00:00:00.000Z", safe="")
    end = quote(f"{days(shop)[1]}T23:59:59.999Z", safe="")
    path = f"{shop.server.api_url}/aistats/daily"
    status, found = ask(f"{path}?startDate={start}&endDate={end}&repoId=repo+1%2Cshop-agent%2C2", headers=headers)
    assert (status, found["success"]) == (200, True)
    assert sum(row["apiCalls"] for row in found["data"]) == 3
    (row, *_) = found["data"]
    assert (row["repoId"], row["llmType"], row["llmModel"], row["host"]) == ("shop-agent", "openai", "gpt-4o", "api.openai.com")
    assert (row["userUuid"], row["conversationUuid"], row["activeConversations"]) == ("john", "thread-1", 1)
    assert row["repoAiApiKeyId"] == shop.public_key
    assert row in ask(path, headers=headers)[1]["data"]
    assert ask(f"{shop.server.api_url}/aistats/minute", headers=headers)[0] == 200
    assert ask(f"{path}?startDate={end}&endDate={start}", headers=headers) == (
        400,
        {"success": False, "message": "startDate cannot be greater than endDate"},
    )
    status, body = ask(path, headers={"authorization": "Bearer wrong"})
    assert (status, body["success"]) == (401, False)
