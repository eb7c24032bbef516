"""GET /api/v1/calls/search: single calls, filtered, in several orders, page by page."""

import base64
import binascii
import json
import math
from typing import Any

from otel_llm.store.queries.call_pages import ORDERS, Mark, PagedCall, call_page, count
from otel_llm.store.queries.reading import Reader
from otel_llm.store.queries.window import MAX_NS, MIN_NS
from query_api.errors import ApiError
from query_api.v1 import parameters
from query_api.v1.forms import iso, ms

MAX_CALLS = 500
MAX_CSV_CALLS = 100_000

COLUMNS = (
    *("start", "trace_id", "span_id", "name", "role", "provider", "model", "input_tokens", "output_tokens"),
    *("cache_read_tokens", "reasoning_tokens", "cost", "latency_ms", "ttft_ms", "streaming", "error", "error_type"),
    *("user", "session", "agent", "service", "environment", "scope", "reason"),
)


def view(reader: Reader, project: str) -> dict[str, Any]:
    """A page of calls; ``next`` is the ``cursor`` of the following one. ``total`` is told on the first page."""
    chosen = parameters.chosen(parameters.open_window())
    order = parameters.word("sort", ORDERS, "newest")
    is_csv = parameters.text("format") == "csv"
    limit = parameters.integer("limit", MAX_CSV_CALLS if is_csv else 50, 1, MAX_CSV_CALLS if is_csv else MAX_CALLS)
    cursor = parameters.text("cursor")
    after = None if cursor is None else _read(cursor, order)
    page = call_page(reader, project, chosen, order=order, after=after, limit=limit)
    return {
        "sort": order,
        **({"total": count(reader, project, chosen)} if after is None else {}),
        "calls": [_document(call) for call in page.calls],
        "next": None if page.next is None else _write(page.next, order),
    }


def _document(call: PagedCall) -> dict[str, Any]:
    return {
        "start": iso(call.start_ns),
        "trace_id": call.trace_id.hex(),
        "span_id": call.span_id.hex(),
        "name": call.name,
        "role": call.role,
        "provider": call.provider,
        "model": call.model,
        "input_tokens": call.input_tokens,
        "output_tokens": call.output_tokens,
        "cache_read_tokens": call.cache_read_tokens,
        "reasoning_tokens": call.reasoning_tokens,
        "cost": call.cost,
        "latency_ms": ms(call.end_ns - call.start_ns),
        "ttft_ms": ms(call.ttft_ns),
        "streaming": call.is_streaming,
        "error": call.error,
        "error_type": call.error_type,
        "user": call.user_id,
        "session": call.session_id,
        "agent": call.agent,
        "service": call.service_name,
        "environment": call.environment,
        "scope": call.scope_name,
        "reason": call.reason,
    }


def _write(mark: Mark, order: str) -> str:
    """A cursor: where a page of this order ended."""
    place = [order, mark.key, mark.start_ns, mark.trace_id.hex(), mark.span_id.hex()]
    return base64.urlsafe_b64encode(json.dumps(place, separators=(",", ":")).encode()).decode().rstrip("=")


def _read(cursor: str, order: str) -> Mark:
    refusal = ApiError(400, "cursor is the value of next of an earlier page with the same sort")
    try:
        found = json.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True))
        of, key, start_ns, trace_id, span_id = found
        mark = Mark(key, start_ns, bytes.fromhex(trace_id), bytes.fromhex(span_id))
    except (binascii.Error, ValueError, TypeError, RecursionError):
        raise refusal from None
    numbers = isinstance(key, int | float) and not isinstance(key, bool) and isinstance(start_ns, int)
    if (
        of != order
        or not numbers
        or not math.isfinite(key)
        or not all(MIN_NS <= number <= MAX_NS for number in (key, start_ns))
    ):
        raise refusal
    if order in ("errors", "slowest", "ttft") and not isinstance(key, int):
        raise refusal
    return mark
