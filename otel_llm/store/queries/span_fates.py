"""What became of the spans of a trace: stored, counted or not and why, refused and why."""

from typing import Any, NamedTuple

import sqlalchemy as sa

from otel_llm.spans import CALL_ROLES
from otel_llm.store import schema
from otel_llm.store.copies import DUPLICATE
from otel_llm.store.queries.call import SPAN
from otel_llm.store.queries.instants import iso
from otel_llm.store.queries.reach import of_trace
from otel_llm.store.queries.reading import Reader

MAX_SPANS = 10_000

REASONS: dict[str, str] = {
    "only_record": "No other span records this call.",
    "client_of_server_mirror": "The client's record of the call; the server's own record of it is not counted.",
    "kept_of_same_response_id": "The best of several records with the same response id.",
    "innermost_with_usage": "The innermost of nested records that carries usage; the outer ones are not counted.",
    "innermost_call": "The innermost of nested records; the outer ones are not counted.",
    "outer_with_usage": "The outer record carries the usage; the inner ones, without usage, are not counted.",
    "server_mirror": "The call seen from the server's end; the client's record of it is counted.",
    "same_response_id": "Another span of this trace has the same response id and is counted instead.",
    "same_response_id_other_trace": "A span of another trace has the same response id and is counted instead.",
    "logged_by_span": "A log record of a call that a span records better.",
    "outer_of_counted_call": "An inner span records the same call and is counted instead.",
    "inner_without_usage": "An outer span records the same call, with its usage, and is counted instead.",
}
"""Stored reason of a decision, in words."""

DUPLICATES = (
    "A span that comes again is stored once: the copy with the later end stays, then the one with more attributes, else the "
    "first. Its other copies are counted as duplicates in the totals."
)


class Fate(NamedTuple):
    """One span (or log record, or data point) that carried these ids. ``outcome`` is counted, not_counted, stored (no call),
    duplicate or rejected."""

    trace_id: str
    span_id: str
    name: str
    outcome: str
    reason: str
    detail: str
    time_ns: int
    counted_instead: str


def span_fates(reader: Reader, project: str, trace_id: bytes) -> list[Fate]:
    """Everything known of a trace, by time. Empty when nothing with this id was ever received."""
    columns = ("trace_id", "span_id", "name", "role", "start_ns", "counted", "suppressed_by", "reason")
    stored = (
        sa.select(*(SPAN[name] for name in columns))
        .where(*of_trace(reader, project, trace_id))
        .order_by(SPAN.start_ns, SPAN.span_id)
        .limit(MAX_SPANS)
    )
    refused = schema.rejections
    rejected = (
        sa.select(refused)
        .where(refused.c.project == project, refused.c.trace_id == trace_id.hex())
        .order_by(refused.c.time_ns)
        .limit(MAX_SPANS)
    )
    found = [_of_span(row) for row in reader.rows(stored)]
    found += [_of_entry(row) for row in reader.rows(rejected)]
    return sorted(found, key=lambda fate: fate.time_ns)


def why(reader: Reader, project: str, trace_id: bytes) -> dict[str, Any]:
    """:func:`span_fates` as a JSON document: what the endpoint answers and the command line prints."""
    return {
        "trace_id": trace_id.hex(),
        "duplicates": DUPLICATES,
        "spans": [
            {
                "time": iso(fate.time_ns),
                "trace_id": fate.trace_id,
                "span_id": fate.span_id,
                "name": fate.name,
                "outcome": fate.outcome,
                "reason": fate.reason,
                "detail": fate.detail,
                "counted_instead": fate.counted_instead,
            }
            for fate in span_fates(reader, project, trace_id)
        ],
    }


def _of_entry(row: sa.Row[Any]) -> Fate:
    """What was received and is no row of its own: a refused item, or one more copy of a span."""
    outcome, detail = (DUPLICATE, DUPLICATES) if row.reason == DUPLICATE else ("rejected", row.detail)
    return Fate(row.trace_id, row.span_id, "", outcome, row.reason, detail, int(row.time_ns), "")


def _of_span(row: sa.Row[Any]) -> Fate:
    is_call = row.role in CALL_ROLES
    outcome = "stored" if not is_call else "counted" if row.counted else "not_counted"
    reason = (row.reason or "") if is_call else "no_call"
    detail = REASONS.get(reason, "") if is_call else f"Stored as {row.role}: not an LLM call, so it adds to no sum."
    instead = bytes(row.suppressed_by).hex() if row.suppressed_by is not None else ""
    ids = (bytes(row.trace_id).hex(), bytes(row.span_id).hex())
    return Fate(*ids, row.name, outcome, reason, detail, int(row.start_ns), instead)
