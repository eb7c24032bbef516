"""What the numbers lack, and where it is lost: unpriced models, instrumentations without usage, duplicates, refusals."""

from typing import Any, NamedTuple

import sqlalchemy as sa

from otel_llm.store import schema
from otel_llm.store.copies import DUPLICATE
from otel_llm.store.queries import call
from otel_llm.store.queries.call import SPAN, Column
from otel_llm.store.queries.reading import Reader
from otel_llm.store.queries.window import Window

MAX_GROUPS = 200


class Unpriced(NamedTuple):
    """A model whose calls have tokens and no cost at all."""

    provider: str | None
    model: str | None
    calls: int
    input_tokens: int
    output_tokens: int
    last_ns: int


class Instrumentation(NamedTuple):
    """What the counted calls of one instrumentation scope carry."""

    scope: str | None
    version: str | None
    dialect: str
    calls: int
    errors: int
    without_tokens: int
    """Calls without tokens, failed ones left out: those have none."""
    streaming: int
    without_ttft: int
    """Streamed calls without a time to first token."""
    without_model: int
    without_provider: int
    adjusted: int
    """Calls whose reported tokens were normalised."""


class Suppressed(NamedTuple):
    """Records that are not counted because another one stands for the call. ``example`` is one of their traces."""

    scope: str | None
    reason: str
    records: int
    example: bytes


class Refused(NamedTuple):
    """Items that were refused, kept for the audit (at most 100 of one request). ``detail`` is that of one of them."""

    signal: str
    reason: str
    items: int
    detail: str
    last_ns: int


def unpriced(reader: Reader, project: str, window: Window) -> list[Unpriced]:
    """Models without a price, most tokens first."""
    functions = reader.functions
    tokens = [sa.func.coalesce(functions.exact_sum(column), 0) for column in (SPAN.input_tokens, SPAN.output_tokens)]
    statement = (
        sa.select(
            SPAN.provider,
            call.model().label("model_label"),
            sa.func.count(),
            *tokens,
            sa.func.max(SPAN.start_ns),
        )
        .where(
            *_counted(project, window),
            call.cost().is_(None),
            sa.or_(SPAN.input_tokens.is_not(None), SPAN.output_tokens.is_not(None)),
        )
        .group_by(SPAN.provider, call.model())
        .order_by((tokens[0] + tokens[1]).desc(), SPAN.provider, call.model())
        .limit(MAX_GROUPS)
    )
    return [Unpriced(row[0], row[1], *map(int, row[2:])) for row in reader.rows(statement)]


def instrumentations(reader: Reader, project: str, window: Window) -> list[Instrumentation]:
    """Each instrumentation that recorded counted calls, most calls first."""
    succeeded = SPAN.error == sa.false()
    streams = SPAN.is_streaming == sa.true()
    statement = (
        sa.select(
            SPAN.scope_name,
            SPAN.scope_version,
            SPAN.dialect,
            sa.func.count(),
            _count(SPAN.error == sa.true()),
            _count(sa.and_(succeeded, SPAN.input_tokens.is_(None), SPAN.output_tokens.is_(None))),
            _count(streams),
            _count(sa.and_(succeeded, streams, SPAN.ttft_ns.is_(None))),
            _count(call.model().is_(None)),
            _count(SPAN.provider.is_(None)),
            sa.func.count(SPAN.tokens_adjusted),
        )
        .where(*_counted(project, window))
        .group_by(SPAN.scope_name, SPAN.scope_version, SPAN.dialect)
        .order_by(sa.func.count().desc(), SPAN.scope_name, SPAN.scope_version, SPAN.dialect)
        .limit(MAX_GROUPS)
    )
    return [Instrumentation(row[0], row[1], row[2], *map(int, row[3:])) for row in reader.rows(statement)]


def suppressed(reader: Reader, project: str, window: Window) -> list[Suppressed]:
    """Records of calls that are counted elsewhere, by instrumentation and reason, most first."""
    example = reader.functions.first_by(SPAN.trace_id, SPAN.trace_id)  # PostgreSQL has no min of bytes
    statement = (
        sa.select(SPAN.scope_name, SPAN.reason, sa.func.count(), example)
        .where(SPAN.project == project, SPAN.start_ns.between(*window), SPAN.counted == sa.false())
        .group_by(SPAN.scope_name, SPAN.reason)
        .order_by(sa.func.count().desc(), SPAN.scope_name, SPAN.reason)
        .limit(MAX_GROUPS)
    )
    return [Suppressed(row[0], row[1] or "", int(row[2]), bytes(row[3])) for row in reader.rows(statement)]


def refused(reader: Reader, project: str, window: Window) -> list[Refused]:
    """Refused items by reason, most first; placed by when they arrived."""
    of = schema.rejections.c
    statement = (
        sa.select(of.signal, of.reason, sa.func.count(), sa.func.max(of.detail), sa.func.max(of.time_ns))
        .where(of.project == project, of.time_ns.between(*window), of.reason != DUPLICATE)
        .group_by(of.signal, of.reason)
        .order_by(sa.func.count().desc(), of.signal, of.reason)
        .limit(MAX_GROUPS)
    )
    return [Refused(row[0], row[1], int(row[2]), row[3], int(row[4])) for row in reader.rows(statement)]


def span_totals(reader: Reader, project: str, window: Window) -> dict[str, int]:
    """All stored spans of the window, and how many of them are calls, counted and not."""
    statement = sa.select(sa.func.count(), sa.func.count(SPAN.counted), _count(SPAN.counted == sa.true())).where(
        SPAN.project == project, SPAN.start_ns.between(*window)
    )
    spans, records, counted = (int(value or 0) for value in reader.row(statement))
    return {"spans": spans, "call_records": records, "counted_calls": counted}


def _counted(project: str, window: Window) -> list[Any]:
    return [SPAN.project == project, SPAN.start_ns.between(*window), call.counted()]


def _count(condition: Any) -> Column:
    return sa.func.sum(sa.case((condition, 1), else_=0))
