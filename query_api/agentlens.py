"""AgentLens: GET /api/analytics/llm and GET /api/events."""

import re
import time
from typing import TYPE_CHECKING, Any

from flask import Blueprint, Response, request

from otel_llm.store.queries.calls import CallFilter
from otel_llm.store.queries.llm_summary import GENERATIONS, Totals, llm_summary
from otel_llm.store.queries.reading import reading
from otel_llm.store.queries.recent_calls import recent_calls
from otel_llm.store.queries.window import DAY_NS, MAX_NS, MIN_NS, Window
from query_api.access import reader_of
from query_api.agentlens_events import llm_response
from query_api.answers import answer
from query_api.bucket_text import iso
from query_api.errors import ApiError, product_of
from query_api.instants import parse_instant

if TYPE_CHECKING:
    from otel_llm.collector import Collector

GRANULARITIES = ("hour", "day", "week")
LLM_RESPONSE = "llm_response"
"""The one type of event that is served: a finished call."""
DEFAULT_PAGE = 50
MAX_PAGE = 500
ORDERS = ("asc", "desc")
_WHOLE_NUMBER = re.compile(r"\d+", re.ASCII)
_MAX_DIGITS = len(str(MAX_NS))


def blueprint(collector: "Collector") -> Blueprint:
    """The endpoints."""
    routes = Blueprint("agentlens", __name__)
    timeout_s = collector.settings.query_timeout_s

    @routes.get("/api/analytics/llm")
    def analytics_llm() -> Response:
        caller = reader_of(collector.door, product_of(request.path))
        granularity = request.args.get("granularity", "hour")
        if granularity not in GRANULARITIES:
            raise ApiError(400, "Invalid granularity. Use: hour, day, week")
        now = time.time_ns()
        window = Window.of(instant("from", now - DAY_NS), instant("to", now))
        with reading(collector.engine, timeout_s) as reader:
            found = llm_summary(reader, caller.project, window, call_filter(), granularity)
        return answer(
            {
                "summary": {
                    "totalCalls": found.totals.calls,
                    "totalCostUsd": found.totals.cost,
                    "totalInputTokens": found.totals.input_tokens,
                    "totalOutputTokens": found.totals.output_tokens,
                    "avgLatencyMs": found.totals.mean_ms,
                    "avgCostPerCall": found.totals.mean_cost,
                },
                "byModel": [{"provider": row.provider, "model": row.model, **_totals(row.totals)} for row in found.by_model],
                "byTime": [{"bucket": iso(row.bucket), **_totals(row.totals)} for row in found.by_time],
            }
        )

    @routes.get("/api/events")
    def events() -> Response:
        caller = reader_of(collector.door, product_of(request.path))
        window = Window.of(instant("from", MIN_NS), instant("to", MAX_NS))
        limit = min(whole_number("limit", DEFAULT_PAGE, least=1), MAX_PAGE)
        offset = whole_number("offset", 0, least=0)
        order = request.args.get("order") or "desc"
        if order not in ORDERS:
            raise ApiError(400, "Invalid order. Use: asc, desc")
        kinds = request.args.get("eventType", "")
        if kinds and LLM_RESPONSE not in kinds.split(","):
            return answer({"events": [], "total": 0, "hasMore": False})
        with reading(collector.engine, timeout_s) as reader:
            page = recent_calls(
                reader,
                caller.project,
                window,
                call_filter(session_id=request.args.get("sessionId") or None),
                limit=limit,
                offset=offset,
                order="asc" if order == "asc" else "desc",
            )
        return answer(
            {
                "events": [llm_response(call) for call in page.calls],
                "total": page.total,
                "hasMore": offset + len(page.calls) < page.total,
            }
        )

    return routes


def whole_number(name: str, default: int, least: int) -> int:
    """The whole number in a query parameter, as far as a store can count; the default when it is absent or empty. Raises
    ApiError (400)."""
    text = request.args.get(name, "")
    if not text:
        return default
    if not _WHOLE_NUMBER.fullmatch(text):
        raise ApiError(400, f"Invalid {name}. Use a whole number of at least {least}")
    digits = text.lstrip("0") or "0"
    number = int(digits) if len(digits) <= _MAX_DIGITS else MAX_NS
    if number < least:
        raise ApiError(400, f"Invalid {name}. Use a whole number of at least {least}")
    return min(number, MAX_NS)


def instant(name: str, default: int) -> int:
    """The time in a query parameter, in ns; the default when it is absent or empty. Raises ApiError (400)."""
    text = request.args.get(name, "")
    if not text:
        return default
    found = parse_instant(text)
    if found is None:
        raise ApiError(400, f"Invalid {name}. Use ISO 8601, e.g. 2026-02-08 or 2026-02-08T10:00:00Z")
    return found.ns


def call_filter(session_id: str | None = None) -> CallFilter:
    """The filters in the query string; an empty one filters nothing, of a repeated one the first counts."""
    return CallFilter(
        agent=request.args.get("agentId") or None,
        model=request.args.get("model") or None,
        provider=request.args.get("provider") or None,
        session_id=session_id,
        roles=GENERATIONS,
    )


def _totals(totals: Totals) -> dict[str, Any]:
    return {
        "calls": totals.calls,
        "costUsd": totals.cost,
        "inputTokens": totals.input_tokens,
        "outputTokens": totals.output_tokens,
        "avgLatencyMs": totals.mean_ms,
    }
