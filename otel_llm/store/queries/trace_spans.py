"""One trace: its spans as a tree, in the order a waterfall shows them, each with what is below it in sum."""

from collections.abc import Iterable
from typing import Any, NamedTuple

import sqlalchemy as sa

from otel_llm.spans import FIELD_NAMES
from otel_llm.store import schema
from otel_llm.store.queries.call import SPAN
from otel_llm.store.queries.reach import of_trace
from otel_llm.store.queries.reading import Reader

MAX_SPANS = 10_000
"""Most spans of a trace that are shown, the earliest first."""
DETAIL_FIELDS = ("attributes", "resource_attributes", "events", "links", "metadata")
"""The long fields; everything else is small."""

Span = dict[str, Any]
"""Canonical field to stored value (:data:`otel_llm.spans.FIELDS`)."""


class Sums(NamedTuple):
    """What the counted calls in a part of the tree add up to; cost in USD."""

    calls: int
    errors: int
    input_tokens: int
    output_tokens: int
    cost: float


class Node(NamedTuple):
    """A span in its place. ``orphan``: its parent is not stored (not yet, or it belongs to another system)."""

    span: Span
    depth: int
    orphan: bool
    children: int
    below: Sums
    """The span itself and everything below it."""


class Trace(NamedTuple):
    """``nodes`` in depth-first order, siblings by start. ``spans`` is how many are stored, shown or not."""

    nodes: list[Node]
    spans: int
    total: Sums


class _Place(NamedTuple):
    """Where a span stands; ``above`` is the place of its parent."""

    span_id: bytes
    depth: int
    above: int | None


def trace_spans(reader: Reader, project: str, trace_id: bytes, *, detail: bool) -> Trace | None:
    """A trace of the project; None when no span of it is stored. Without ``detail`` the long fields are left out."""
    here = of_trace(reader, project, trace_id)
    names = [name for name in FIELD_NAMES if detail or name not in DETAIL_FIELDS]
    statement = sa.select(*(SPAN[name] for name in names)).where(*here).order_by(SPAN.start_ns, SPAN.span_id)
    rows: list[Span] = [dict(row._mapping) for row in reader.rows(statement.limit(MAX_SPANS))]
    if not rows:
        return None
    stored = len(rows)
    if stored == MAX_SPANS:
        stored = int(reader.row(sa.select(sa.func.count()).select_from(schema.spans).where(*here))[0])
    return Trace(tree(rows), stored, _sum(map(_own, rows)))


def span(reader: Reader, project: str, trace_id: bytes, span_id: bytes) -> Span | None:
    """One span in full; None when it is not stored."""
    here = of_trace(reader, project, trace_id, SPAN.span_id == span_id)
    statement = sa.select(*(SPAN[name] for name in FIELD_NAMES)).where(*here)
    rows = reader.rows(statement.limit(1))
    return dict(rows[0]._mapping) if rows else None


def tree(rows: list[Span]) -> list[Node]:
    """The spans (ascending by start) in depth-first order. Parent links in circles, or to nothing, make roots."""
    known = {bytes(row["span_id"]): row for row in rows}
    children: dict[bytes, list[bytes]] = {}
    roots: list[bytes] = []
    for span_id, row in known.items():
        parent = row["parent_span_id"]
        parent = None if parent is None else bytes(parent)
        if parent is None or parent not in known or parent == span_id:
            roots.append(span_id)
        else:
            children.setdefault(parent, []).append(span_id)
    ordered: list[_Place] = []
    seen: set[bytes] = set()
    # what no root leads to is a circle: it is entered at its earliest span
    for root in (*roots, *known):
        waiting = [_Place(root, 0, None)]
        while waiting:
            place = waiting.pop()
            if place.span_id in seen:
                continue
            seen.add(place.span_id)
            here = len(ordered)
            ordered.append(place)
            waiting.extend(_Place(child, place.depth + 1, here) for child in reversed(children.get(place.span_id, ())))
    below = [_own(known[place.span_id]) for place in ordered]
    for here in range(len(ordered) - 1, -1, -1):  # what is below a span comes after it
        above = ordered[here].above
        if above is not None:
            below[above] = _sum((below[above], below[here]))
    return [
        Node(
            known[place.span_id],
            place.depth,
            place.depth == 0 and known[place.span_id]["parent_span_id"] is not None,
            len(children.get(place.span_id, ())),
            sums,
        )
        for place, sums in zip(ordered, below, strict=True)
    ]


def _own(row: Span) -> Sums:
    if not row["counted"]:
        return Sums(0, 0, 0, 0, 0.0)
    cost = row["cost_reported"] if row["cost_reported"] is not None else row["cost_computed"]
    return Sums(1, int(bool(row["error"])), row["input_tokens"] or 0, row["output_tokens"] or 0, cost or 0.0)


def _sum(parts: Iterable[Sums]) -> Sums:
    return Sums(*(sum(column) for column in zip(*parts, strict=True)))
