"""One request of every kind the query API answers, over the world of :mod:`tests.query_api.world`."""

from typing import Any, NamedTuple

from flask.testing import FlaskClient

from tests.query_api.call_rows import DAY
from tests.query_api.world import DAYS, FIRST

_FROM, _TO = "2025-01-28T00:00:00Z", "2025-02-05T00:00:00Z"
_WINDOW = {"from": _FROM, "to": _TO}
_US = {"start_time_us": FIRST // 1_000, "end_time_us": (FIRST + (DAYS + 2) * DAY) // 1_000}


class Request(NamedTuple):
    """What is asked: a GET with a query, or a POST with a body. ``{trace}`` and ``{span}`` stand for ids in hex."""

    path: str
    query: dict[str, Any] | None = None
    body: dict[str, Any] | None = None

    def ask(self, client: FlaskClient, trace: str = "", span: str = "") -> Any:
        """The JSON of the answer, which must be a success."""
        path = self.path.format(trace=trace, span=span)
        response = client.get(path, query_string=self.query) if self.body is None else client.post(path, json=self.body)
        assert response.status_code == 200, response.text
        return response.get_json()


REQUESTS: dict[str, Request] = {
    "langfuse_daily": Request("/api/public/metrics/daily"),
    "langfuse_daily_filtered": Request(
        "/api/public/metrics/daily",
        {
            "traceName": "named",
            "userId": "ann",
            "tags": "alpha",
            "environment": "production,dev",
            "fromTimestamp": _FROM,
            "toTimestamp": _TO,
        },
    ),
    "langdb_usage_total": Request("/usage/total", body=_US),
    "langdb_usage_models": Request("/usage/models", body={**_US, "min_unit": "month", "user_id": "bob"}),
    "langdb_analytics": Request("/analytics", body={**_US, "groupBy": ["provider", "model", "tag"], "tag_keys": ["team"]}),
    "langdb_analytics_by_tags": Request("/analytics", body={**_US, "groupBy": ["tag"], "min_unit": "day"}),
    "langdb_analytics_of_user": Request(
        "/analytics", body={**_US, "user_id": "ann", "user_name": "Ann", "user_tags": ["alpha", 'quo"te']}
    ),
    "langdb_summary": Request("/analytics/summary", body={**_US, "groupBy": ["provider"]}),
    "langdb_thread_cost": Request("/threads/s-1/cost"),
    "flashback_daily": Request("/aistats/daily", {"startDate": _FROM, "endDate": _TO}),
    "flashback_daily_filtered": Request(
        "/aistats/daily",
        {"startDate": _FROM, "endDate": _TO, "userUuid": "ann,bob", "llmType": "openai", "conversationUuid": "s-1,s-2"},
    ),
    "flashback_minute": Request("/aistats/minute", {"startDate": _FROM, "endDate": _TO}),
    "agentlens_llm": Request("/api/analytics/llm", {**_WINDOW, "granularity": "week"}),
    "agentlens_llm_filtered": Request(
        "/api/analytics/llm", {**_WINDOW, "agentId": "planner", "model": "gpt-4o", "provider": "openai"}
    ),
    "agentlens_events": Request("/api/events", {"eventType": "llm_response", **_WINDOW, "limit": "7", "order": "asc"}),
    "stats": Request("/api/v1/stats", {**_WINDOW, "user": "cy"}),
    "models": Request("/api/v1/models", _WINDOW),
    "calls": Request("/api/v1/calls", {**_WINDOW, "limit": "5"}),
    "overview": Request("/api/v1/overview", _WINDOW),
    "series": Request("/api/v1/series", {**_WINDOW, "split": "provider"}),
    "series_by_agent": Request(
        "/api/v1/series",
        {**_WINDOW, "split": "agent", "top": "2", "trace_name": "named", "offset": "-7200", "measures": "calls,tps_p90,tokens"},
    ),
    "top_by_tag": Request("/api/v1/top", {**_WINDOW, "by": "tag", "sort": "calls", "limit": "3"}),
    "calls_search_lacking": Request(
        "/api/v1/calls/search",
        {**_WINDOW, "without": "user,ttft", "tag": "team=x", "session": ["s-1", "s-2"], "sort": "errors"},
    ),
    "top": Request("/api/v1/top", {**_WINDOW, "by": "user,model"}),
    "calls_search": Request("/api/v1/calls/search", {**_WINDOW, "sort": "costliest"}),
    "data_health": Request("/api/v1/data-health", _WINDOW),
    "trace": Request("/api/v1/traces/{trace}"),
    "trace_span": Request("/api/v1/traces/{trace}/spans/{span}"),
    "trace_why": Request("/api/v1/traces/{trace}/why"),
}
