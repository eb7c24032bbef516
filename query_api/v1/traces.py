"""GET /api/v1/traces/{id}: one trace as a waterfall, one of its spans in full, and what became of its spans."""

from typing import Any

from otel_llm.conventions.explain import explain
from otel_llm.spans import CALL_ROLES
from otel_llm.store.queries import explained
from otel_llm.store.queries.reading import Reader
from otel_llm.store.queries.span_fates import REASONS, why
from otel_llm.store.queries.trace_spans import Node, Span, Sums, span, trace_spans
from query_api.errors import ApiError
from query_api.v1 import parameters
from query_api.v1.forms import iso, ms, parsed

COLUMNS = (
    *("span_id", "parent_span_id", "depth", "name", "role", "start", "offset_ms", "latency_ms", "ttft_ms", "provider", "model"),
    *("input_tokens", "output_tokens", "cost", "counted", "reason", "suppressed_by", "error", "error_type", "service", "scope"),
)
WHY_COLUMNS = ("time", "trace_id", "span_id", "name", "outcome", "reason", "detail", "counted_instead")
EXPLAINED = 100
"""Spans explained when no limit is given."""
_JSON_FIELDS = ("attributes", "resource_attributes", "events", "links", "metadata")
_MORE_FIELDS = (
    *("operation", "kind", "scope_version", "dialect", "provider_inferred", "request_model", "response_model", "total_tokens"),
    *(
        "cache_read_tokens",
        "cache_write_tokens",
        "reasoning_tokens",
        "tokens_adjusted",
        "cost_reported",
        "cost_reported_source",
    ),
    *("cost_computed", "cost_computed_source", "ttft_source", "user_id", "user_name", "session_id", "trace_name", "app"),
    *("release", "version", "agent_name", "agent_id", "tool_name", "prompt_name", "prompt_version", "error_message"),
    *("status_code", "response_id", "provider_request_id", "server_address", "server_port", "service_tier", "key_id"),
)
_LISTS = ("tags", "finish_reasons", "request_tags", "user_tags", "filled", "modality_tokens")


def view(reader: Reader, project: str, trace_id: str) -> dict[str, Any]:
    """Every span in the order of a waterfall. ``detail=waterfall`` leaves attributes, events and links out."""
    full = parameters.word("detail", ("full", "waterfall"), "full") == "full"
    found = trace_spans(reader, project, parameters.trace_id_of(trace_id), detail=full)
    if found is None:
        raise ApiError(404, "there is no trace with this id")
    spans = [node.span for node in found.nodes]
    first = min(row["start_ns"] for row in spans)
    last = max(row["end_ns"] for row in spans)
    return {
        "trace_id": trace_id.lower(),
        "start": iso(first),
        "latency_ms": ms(last - first),
        "span_count": found.spans,
        "truncated": found.spans > len(spans),
        "total": _sums(found.total),
        **{name: _first(spans, name) for name in ("user_id", "session_id", "trace_name")},
        "services": sorted({row["service_name"] for row in spans if row["service_name"]}),
        "tags": sorted({tag for row in spans for tag in parsed(row["tags"]) or ()}),
        "spans": [_node(node, first, full=full) for node in found.nodes],
    }


def span_view(reader: Reader, project: str, trace_id: str, span_id: str) -> dict[str, Any]:
    """One span with attributes and events, and the explanation of what was read from which attribute."""
    found = span(reader, project, parameters.trace_id_of(trace_id), parameters.span_id_of(span_id))
    if found is None:
        raise ApiError(404, "there is no span with this id")
    return {**_span(found, found["start_ns"]), **_detail(found), "explain": explain(found)}


def why_view(reader: Reader, project: str, trace_id: str) -> dict[str, Any]:
    """What became of every span that arrived with this trace id. Nothing known is an empty list, not an error."""
    return why(reader, project, parameters.trace_id_of(trace_id))


def explain_view(reader: Reader, project: str, trace_id: str) -> dict[str, Any]:
    """What was read from which attribute of each span, by start; ``span_id`` asks for one of them."""
    trace, asked = parameters.trace_id_of(trace_id), parameters.text("span_id")
    limit = parameters.integer("limit", EXPLAINED, 1, explained.MAX_SPANS)
    found = explained.explained(reader, project, trace, parameters.span_id_of(asked) if asked else None, limit)
    if not found["spans"]:
        raise ApiError(404, "there is no span with this id" if asked else "there is no trace with this id")
    return found


def _node(node: Node, first_ns: int, *, full: bool) -> dict[str, Any]:
    return {
        **_span(node.span, first_ns),
        "depth": node.depth,
        "orphan": node.orphan,
        "children": node.children,
        "below": _sums(node.below),
        **(_detail(node.span) if full else {}),
    }


def _span(row: Span, first_ns: int) -> dict[str, Any]:
    cost = row["cost_reported"] if row["cost_reported"] is not None else row["cost_computed"]
    reason = row["reason"]
    return {
        "trace_id": bytes(row["trace_id"]).hex(),
        "span_id": bytes(row["span_id"]).hex(),
        "parent_span_id": _hex(row["parent_span_id"]),
        "name": row["name"],
        "role": row["role"],
        "is_call": row["role"] in CALL_ROLES,
        "start": iso(row["start_ns"]),
        "offset_ms": ms(row["start_ns"] - first_ns),
        "latency_ms": ms(row["end_ns"] - row["start_ns"]),
        "ttft_ms": ms(row["ttft_ns"]),
        "streaming": row["is_streaming"],
        "provider": row["provider"],
        "model": row["response_model"] or row["request_model"],
        "input_tokens": row["input_tokens"],
        "output_tokens": row["output_tokens"],
        "cost": cost,
        "counted": row["counted"],
        "reason": reason,
        "reason_text": REASONS.get(reason or "", ""),
        "suppressed_by": _hex(row["suppressed_by"]),
        "error": bool(row["error"]),
        "error_type": row["error_type"],
        "service": row["service_name"],
        "environment": row["environment"],
        "scope": row["scope_name"],
        **{name: row[name] for name in _MORE_FIELDS},
        **{name: parsed(row[name]) for name in _LISTS},
    }


def _detail(row: Span) -> dict[str, Any]:
    return {name: parsed(row[name]) for name in _JSON_FIELDS}


def _sums(sums: Sums) -> dict[str, Any]:
    return sums._asdict()


def _hex(value: bytes | None) -> str | None:
    return None if value is None else bytes(value).hex()


def _first(rows: list[Span], name: str) -> Any:
    """The root's value, else that of the earliest span that has one."""
    having = [row for row in rows if row[name] is not None]
    order = min(having, key=lambda row: (row["parent_span_id"] is not None, row["start_ns"], row["span_id"]), default=None)
    return None if order is None else order[name]
