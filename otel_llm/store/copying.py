"""Moves everything from one store to another, window of time by window, whatever the engines.

A window whose fingerprint (how many rows, and sums over what tells them apart) is equal on both sides is skipped. So a copy
that was stopped goes on where it was, a second run over a store that grew brings the rest, and a run that finds nothing to
do has compared both stores. Rows are copied as they are: nothing is counted or priced anew.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import sqlalchemy as sa

from otel_llm.spans import FIELD_NAMES, Finding, MetricPoint, Rejection, SpanBatch
from otel_llm.store import schema
from otel_llm.store.engines.base import Change, Engine, WriteSession

PAGE_ROWS = 2_000
"""Rows held in memory at a time: a few MB, and some 100 MB when spans carry captured content at its limit."""
MARGIN_NS = 3_600_000_000_000
"""How far away a copy of a span that the target has already may start."""

Progress = Callable[[int], None]
"""Told the number of rows that were looked at."""


@dataclass(slots=True)
class Copied:
    """What a run did: rows looked at and rows written, by table."""

    seen: Counter[str] = field(default_factory=Counter)
    written: Counter[str] = field(default_factory=Counter)


class _Window(NamedTuple):
    first_ns: int
    last_ns: int
    rows: int


class _Kind(NamedTuple):
    """A table and the column its rows are walked by."""

    table: sa.Table
    time: str


_KINDS = (
    _Kind(schema.spans, "start_ns"),
    _Kind(schema.findings, "time_ns"),
    _Kind(schema.metric_points, "time_ns"),
    _Kind(schema.rejections, "time_ns"),
    _Kind(schema.projects, "updated_ns"),
    _Kind(schema.keys, "updated_ns"),
    _Kind(schema.audit, "time_ns"),
)
_RECORDS: dict[str, tuple[type[Any], str]] = {
    "findings": (Finding, "findings"),
    "metric_points": (MetricPoint, "metric_points"),
    "rejections": (Rejection, "rejections"),
}


def total_rows(source: Engine) -> int:
    """Rows there are to look at."""
    with source.sql.connect() as connection:
        return sum(int(connection.execute(sa.select(sa.func.count()).select_from(kind.table)).scalar_one()) for kind in _KINDS)


def copy_store(source: Engine, target: Engine, progress: Progress = lambda rows: None) -> Copied:
    """Brings everything the source holds to the target. May be stopped at any time and run again."""
    done = Copied()
    for kind in _KINDS:
        name = kind.table.name
        for window in _windows(source, kind):
            done.seen[name] += window.rows
            if _fingerprint(source, kind, window) != _fingerprint(target, kind, window):
                copy = _copy_spans if kind.table is schema.spans else _copy_rows
                done.written[name] += copy(source, target, kind, window)
            progress(window.rows)
    if done.written:
        target.checkpoint()
    return done


def _windows(source: Engine, kind: _Kind) -> Iterator[_Window]:
    """Consecutive windows over all rows, each of about a page; more only when so many rows share one nanosecond."""
    column = kind.table.c[kind.time]
    first = _scalar(source, sa.select(sa.func.min(column)).select_from(kind.table).having(sa.func.count() > 0))
    last = _scalar(source, sa.select(sa.func.max(column)).select_from(kind.table).having(sa.func.count() > 0))
    if first is None or last is None:
        return
    width = last - first + 1
    while first <= last:
        end = min(first + width - 1, last)
        rows = _scalar(source, sa.select(sa.func.count()).select_from(kind.table).where(column.between(first, end))) or 0
        if rows > PAGE_ROWS and end > first:
            width = max(1, min(width // 2, width * PAGE_ROWS // rows))
            continue
        if rows:
            yield _Window(first, end, rows)
        if rows < PAGE_ROWS // 2:
            width *= 2
        first = end + 1
        if not rows:
            later = sa.select(sa.func.min(column)).select_from(kind.table).where(column >= first)
            first = _scalar(source, later) or last + 1


def _fingerprint(engine: Engine, kind: _Kind, window: _Window) -> tuple[int, ...]:
    columns = kind.table.c
    exact_sum = engine.functions.exact_sum
    sums: list[Any] = [sa.func.count()]
    if kind.table is schema.spans:
        sums += [exact_sum(columns[name]) for name in ("start_ns", "end_ns", "attribute_count", "input_tokens")]
        sums += [sa.func.sum(sa.case((columns.counted == sa.true(), 1), else_=0)), sa.func.count(columns.filled)]
    else:
        sums.append(exact_sum(columns[kind.time]))
    query = sa.select(*sums).select_from(kind.table).where(columns[kind.time].between(window.first_ns, window.last_ns))
    with engine.sql.connect() as connection:
        return tuple(int(value or 0) for value in connection.execute(query).one())


def _pages(source: Engine, kind: _Kind, window: _Window, names: tuple[str, ...]) -> Iterator[list[tuple[Any, ...]]]:
    columns = kind.table.c
    query = sa.select(*(columns[name] for name in names)).where(columns[kind.time].between(window.first_ns, window.last_ns))
    if window.rows > PAGE_ROWS:
        query = query.order_by(*(column for column in columns if column.name in ("project", "trace_id", "span_id")))
    for offset in range(0, window.rows, PAGE_ROWS):
        page = query.limit(PAGE_ROWS).offset(offset) if window.rows > PAGE_ROWS else query
        with source.sql.connect() as connection:
            yield [tuple(row) for row in connection.execute(page)]


def _copy_spans(source: Engine, target: Engine, kind: _Kind, window: _Window) -> int:
    return sum(_put_spans(target, window, rows) for rows in _pages(source, kind, window, FIELD_NAMES) if rows)


def _put_spans(target: Engine, window: _Window, rows: list[tuple[Any, ...]]) -> int:
    columns = {name: list(values) for name, values in zip(FIELD_NAMES, zip(*rows, strict=True), strict=True)}
    batch = SpanBatch.of_columns(columns, len(rows))
    slims = batch.slim()
    traces = {(slim.project, slim.trace_id) for slim in slims}

    def put(session: WriteSession) -> int:
        there = {
            slim.key: slim for slim in session.related(traces, (), window.first_ns - MARGIN_NS, window.last_ns + MARGIN_NS)
        }
        insert = [row for row, slim in enumerate(slims) if slim.key not in there]
        replace = [
            row
            for row, slim in enumerate(slims)
            if (old := there.get(slim.key)) is not None and old != slim and old.weight <= slim.weight
        ]
        if replace:  # an engine may need to have read what it replaces
            session.fetch([slims[row].key for row in replace], window.first_ns - MARGIN_NS, window.last_ns + MARGIN_NS)
        if insert or replace:
            session.apply(Change(insert=batch.take(insert), replace=batch.take(replace)))
        return len(insert) + len(replace)

    return target.commit(traces, (), put)


def _copy_rows(source: Engine, target: Engine, kind: _Kind, window: _Window) -> int:
    """Small tables: rows the target lacks, each as often as the source has it more often."""
    names = tuple(column.name for column in kind.table.columns)
    there: Counter[tuple[Any, ...]] = Counter()
    for rows in _pages(target, kind, window._replace(rows=_count(target, kind, window)), names):
        there.update(map(_plain, rows))
    written = 0
    for rows in _pages(source, kind, window, names):
        missing = []
        for row in map(_plain, rows):
            if there[row] > 0:
                there[row] -= 1
            else:
                missing.append(row)
        if missing:
            _put_rows(target, kind.table, names, missing)
            written += len(missing)
    return written


def _put_rows(target: Engine, table: sa.Table, names: tuple[str, ...], rows: list[tuple[Any, ...]]) -> None:
    record = _RECORDS.get(table.name)
    if record is None:
        with target.sql.begin() as connection:
            connection.execute(sa.insert(table), [dict(zip(names, row, strict=True)) for row in rows])
        return
    make, part = record
    change = Change()
    setattr(change, part, [make(**dict(zip(names, row, strict=True))) for row in rows])
    target.commit((), (), lambda session: session.apply(change))


def _plain(row: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(bytes(value) if isinstance(value, (bytearray, memoryview)) else value for value in row)


def _count(engine: Engine, kind: _Kind, window: _Window) -> int:
    column = kind.table.c[kind.time]
    query = sa.select(sa.func.count()).select_from(kind.table).where(column.between(window.first_ns, window.last_ns))
    return _scalar(engine, query) or 0


def _scalar(engine: Engine, query: sa.Select[Any]) -> int | None:
    with engine.sql.connect() as connection:
        value = connection.execute(query).scalar()
    return None if value is None else int(value)
