"""Flashback: GET /aistats/daily and /aistats/minute."""

import time
from typing import TYPE_CHECKING

from flask import Blueprint, Response, request

from otel_llm.store.queries.ai_stats import Filters, ai_stats
from otel_llm.store.queries.ai_stats_dimensions import llm_type
from otel_llm.store.queries.reading import reading
from otel_llm.store.queries.window import DAY_NS, Window
from query_api.access import reader_of
from query_api.answers import answer
from query_api.errors import ApiError, product_of
from query_api.flashback_row import shaped
from query_api.instants import Instant, parse_instant

if TYPE_CHECKING:
    from otel_llm.collector import Collector

DEFAULT_RANGE_NS = 30 * DAY_NS
_MS_DIGITS = 3
_MS_NS = 1_000_000

FILTERS: dict[str, str] = {
    "repoId": "repo_id",
    "aiLlmId": "ai_llm_id",
    "repoAiApiKeyId": "api_key_id",
    "hosts": "host",
    "llmType": "llm_type",
    "llmModel": "llm_model",
    "userUuid": "user_id",
    "conversationUuid": "session_id",
}
"""Query parameter to dimension."""


def blueprint(collector: "Collector") -> Blueprint:
    """The endpoints."""
    routes = Blueprint("flashback", __name__)

    def stats(unit: str) -> Response:
        caller = reader_of(collector.door, product_of(request.path))
        window = date_range()
        filters = list_filters()
        with reading(collector.engine, collector.settings.query_timeout_s) as reader:
            rows = ai_stats(reader, caller.project, window, filters, unit)
        return answer({"success": True, "data": [shaped(row) for row in rows]})

    @routes.get("/aistats/daily")
    def daily() -> Response:
        return stats("day")

    @routes.get("/aistats/minute")
    def minute() -> Response:
        return stats("minute")

    return routes


def date_range() -> Window:
    """The window of startDate and endDate, both inclusive. Raises ApiError (400)."""
    start, end = _instant("startDate"), _instant("endDate")
    first = None if start is None else start.ns
    last = None if end is None else _last_ns(end)
    if start is None:
        if last is None:
            last = time.time_ns()
        first = last - DEFAULT_RANGE_NS + 1
    elif first is not None and last is not None and first > last:
        raise ApiError(400, "startDate cannot be greater than endDate")
    return Window.of(first, last)


def list_filters() -> Filters:
    """The comma lists in the query string; empty elements and empty lists filter nothing."""
    filters: dict[str, frozenset[str]] = {}
    for parameter, dimension in FILTERS.items():
        values = [value for text in request.args.getlist(parameter) for value in text.split(",") if value]
        if values:
            filters[dimension] = frozenset(map(llm_type, values) if dimension == "llm_type" else values)
    return filters


def _instant(name: str) -> Instant | None:
    text = request.args.get(name, "")
    if not text:
        return None
    found = parse_instant(text)
    if found is None:
        raise ApiError(400, f"{name} must be an ISO 8601 date or date-time")
    return found


def _last_ns(end: Instant) -> int:
    """The last ns an end covers: a date its day, a time with up to three decimals its millisecond."""
    if end.date_only:
        return end.ns + DAY_NS - 1
    return end.ns + _MS_NS - 1 if end.fraction_digits <= _MS_DIGITS else end.ns
