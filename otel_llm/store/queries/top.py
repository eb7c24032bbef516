"""The largest groups of a slice of calls: models, providers, users, sessions, agents, services, tags, or pairs of them."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import sqlalchemy as sa

from otel_llm.store.queries import measures
from otel_llm.store.queries.call import SPAN, Column
from otel_llm.store.queries.calls import storable
from otel_llm.store.queries.reading import Reader
from otel_llm.store.queries.slices import DIMENSIONS, Slice, SlicedCalls
from otel_llm.store.queries.tags import tags_of

MAX_TAGS = 50
"""Each tag is a query of its own."""


class Row(NamedTuple):
    """One group. ``values`` has one text (None: no value) for each dimension."""

    values: tuple[str | None, ...]
    figures: dict[str, float | int | None]
    last_ns: int
    """Start of its last call."""


class Top(NamedTuple):
    """The first rows in order, how many groups there are, and the figures (no percentiles) over all calls of the slice."""

    rows: list[Row]
    groups: int
    total: dict[str, float | int | None]


def top(
    reader: Reader,
    project: str,
    chosen: Slice,
    by: Sequence[str],
    names: Sequence[str],
    *,
    sort: str,
    descending: bool = True,
    limit: int = 10,
) -> Top:
    """The ``limit`` groups with the largest (or smallest) ``sort``; ties in the order of their texts."""
    functions = reader.functions
    everything = SlicedCalls(functions, project, chosen)
    in_total = [name for name in names if name not in measures.PERCENTILES]
    total = measures.values(reader.row(everything.grouped((), *measures.columns(functions, in_total)))._mapping, in_total)
    if list(by) == ["tag"]:
        return _tags(reader, project, chosen, names, total, sort=sort, descending=descending, limit=limit)
    calls = SlicedCalls(functions, project, chosen, by=by)
    keys = [calls.dimension(name).label(f"d_{place}") for place, name in enumerate(by)]
    # Percentiles of every group would be sorted to show a few: those that do not decide the order are asked for later,
    # unless asking again is dearer because values are inherited.
    again = not any(DIMENSIONS[name].inherits for name in by)
    later = [name for name in names if again and name != sort and name in measures.PERCENTILES]
    first = [name for name in names if name not in later]
    columns = [*measures.columns(functions, first), sa.func.max(SPAN.start_ns).label("last_ns")]
    groups = calls.grouped(keys, *columns).subquery("all_groups").c
    order: Column = groups[f"m_{sort}"]
    order = order.desc() if descending else order.asc()
    ties = [groups[key.name].asc().nulls_last() for key in keys]
    statement = sa.select(*groups, sa.func.count().over().label("group_count"))
    found = reader.rows(statement.order_by(order.nulls_last(), *ties).limit(limit))
    rows = [Row(_texts(row, len(by)), measures.values(row._mapping, first), int(row.last_ns)) for row in found]
    if later and rows:
        rows = _with_later(reader, calls, keys, rows, later, names)
    return Top(rows, int(found[0].group_count) if found else 0, total)


def _with_later(
    reader: Reader, calls: SlicedCalls, keys: Sequence[Any], rows: list[Row], later: Sequence[str], names: Sequence[str]
) -> list[Row]:
    wanted = sa.or_(*(sa.and_(*(_is(key.element, value) for key, value in zip(keys, row.values, strict=True))) for row in rows))
    statement = calls.grouped(keys, *measures.columns(reader.functions, later)).where(wanted)
    found = {_texts(row, len(keys)): measures.values(row._mapping, later) for row in reader.rows(statement)}
    complete = []
    for row in rows:
        figures = row.figures | found.get(row.values, measures.nothing(later))
        complete.append(row._replace(figures={name: figures[name] for name in names}))
    return complete


def _is(column: Any, value: str | None) -> Any:
    if value is None:
        return column.is_(None)
    return column == value if storable(value) else sa.false()


def _texts(row: Any, width: int) -> tuple[str | None, ...]:
    return tuple(row[:width])


def _tags(
    reader: Reader,
    project: str,
    chosen: Slice,
    names: Sequence[str],
    total: dict[str, float | int | None],
    *,
    sort: str,
    descending: bool,
    limit: int,
) -> Top:
    rows = []
    wanted = list(dict.fromkeys([*names, "calls", sort]))
    for tag in tags_of(reader, project, chosen.window, MAX_TAGS):
        if chosen.tags and tag not in chosen.tags:
            continue
        calls = SlicedCalls(reader.functions, project, replace(chosen, tags=[tag]))
        columns = (*measures.columns(reader.functions, wanted), sa.func.max(SPAN.start_ns).label("last_ns"))
        row = reader.row(calls.grouped((), *columns))
        figures = measures.values(row._mapping, wanted)
        if figures["calls"]:
            rows.append(Row((tag,), figures, int(row.last_ns)))
    rows.sort(key=lambda row: (row.figures[sort] is None, (-1 if descending else 1) * (row.figures[sort] or 0), row.values))
    shown = [row._replace(figures={name: row.figures[name] for name in names}) for row in rows[:limit]]
    return Top(shown, len(rows), total)
