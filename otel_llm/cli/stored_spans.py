"""Every stored span of a project in pages, oldest first, without holding them all."""

from collections.abc import Generator
from typing import Any

import sqlalchemy as sa

from otel_llm.store import schema
from otel_llm.store.engines.base import Engine

PAGE = 5_000
"""Spans in memory at once; a span with its attributes is a few kB."""


def stored_spans(
    engine: Engine, project: str, start_ns: int | None = None, end_ns: int | None = None, *, calls_only: bool = False
) -> Generator[list[dict[str, Any]], None, None]:
    """Pages of rows (column → value) whose start is in the range, ordered by start, trace id and span id.

    ``calls_only`` gives counted LLM calls alone.
    """
    span = schema.spans.c
    order = (span.start_ns, span.trace_id, span.span_id)
    wanted = [span.project == project]
    if start_ns is not None:
        wanted.append(span.start_ns >= start_ns)
    if end_ns is not None:
        wanted.append(span.start_ns < end_ns)
    if calls_only:
        wanted.append(span.counted.is_(True))
    after: tuple[Any, ...] | None = None
    with engine.sql.connect() as connection:
        while True:
            conditions = [*wanted] if after is None else [*wanted, _after(order, after)]
            page = sa.select(schema.spans).where(*conditions).order_by(*order).limit(PAGE)
            rows = [dict(row) for row in connection.execute(page).mappings()]
            if rows:
                yield rows
            if len(rows) < PAGE:
                return
            last = rows[-1]
            after = last["start_ns"], last["trace_id"], last["span_id"]


def _after(order: tuple[sa.ColumnElement[Any], ...], last: tuple[Any, ...]) -> sa.ColumnElement[bool]:
    """Keyset paging, spelled out: row value comparison is not the same on every engine."""
    start, trace, span = order
    return sa.or_(
        start > last[0],
        sa.and_(start == last[0], sa.or_(trace > last[1], sa.and_(trace == last[1], span > last[2]))),
    )
