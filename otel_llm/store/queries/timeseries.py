"""Measures over time, in buckets of any width, split by a dimension: the largest groups apart, the rest as one."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import sqlalchemy as sa

from otel_llm.store.queries import measures
from otel_llm.store.queries.call import SPAN, Column
from otel_llm.store.queries.calls import storable
from otel_llm.store.queries.reading import Reader
from otel_llm.store.queries.slices import Slice, SlicedCalls
from otel_llm.store.queries.tags import tags_of
from otel_llm.store.queries.window import NS_PER_S

_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400
STEPS_S = (
    *(1, 5, 10, 30),
    *(minutes * _MINUTE for minutes in (1, 2, 5, 10, 15, 30)),
    *(hours * _HOUR for hours in (1, 2, 3, 6, 12)),
    *(days * _DAY for days in (1, 2, 7, 30, 90, 365)),
)
"""Widths a person can read off an axis."""
TARGET_BUCKETS = 120
"""A plot of 700 px shows bars of 5 px."""
MAX_BUCKETS = 2_000
_REST = "\x01rest"
"""No stored text: texts from OTLP may hold control characters, but none begins with this one and is that word alone."""


class Group(NamedTuple):
    """One line of the plot. ``value`` None: calls without a value; ``rest``: all groups that are not shown apart."""

    value: str | None
    rest: bool
    points: dict[str, list[float | int | None]]
    """Measure to one value for each bucket."""


class TimeSeries(NamedTuple):
    """``starts`` are epoch seconds of every bucket of the window, those without calls too."""

    step_s: int
    starts: list[int]
    groups: list[Group]


def step_for(seconds: float, target: int = TARGET_BUCKETS) -> int:
    """The narrowest readable bucket that cuts a window into no more than ``target`` pieces."""
    return next((step for step in STEPS_S if seconds <= step * target), STEPS_S[-1])


def timeseries(
    reader: Reader,
    project: str,
    chosen: Slice,
    names: Sequence[str],
    *,
    step_s: int,
    offset_s: int = 0,
    split: str | None = None,
    top: int = 8,
    rank_by: str = "calls",
) -> TimeSeries:
    """The named measures in buckets of ``step_s`` seconds that begin at multiples of it, moved by ``offset_s`` (for days
    that begin at local midnight). Groups by ``rank_by`` descending, the rest last. Calls with two tags count in two
    groups."""
    starts = _starts(chosen, step_s, offset_s)
    width = (step_s, offset_s)
    if split is None:
        groups = [Group(None, False, _points(reader, SlicedCalls(reader.functions, project, chosen), names, starts, width))]
    elif split == "tag":
        groups = [
            Group(tag, False, _points(reader, SlicedCalls(reader.functions, project, narrowed), names, starts, width))
            for tag in tags_of(reader, project, chosen.window, top)
            for narrowed in [replace(chosen, tags=[tag])]
            if not chosen.tags or tag in chosen.tags
        ]
    else:
        groups = _split(reader, project, chosen, names, starts, width, split, top, rank_by)
    return TimeSeries(step_s, starts, groups)


def _starts(chosen: Slice, step_s: int, offset_s: int) -> list[int]:
    first_ns, last_ns = chosen.window
    first_s, last_s = first_ns // NS_PER_S, last_ns // NS_PER_S
    begin = first_s - (first_s - offset_s) % step_s
    return list(range(begin, last_s + 1, step_s))


def _bucket(width: tuple[int, int]) -> Column:
    """Start of the bucket in ns. Times are never negative, so the remainder is that of every database."""
    step_s, offset_s = width
    moved = offset_s % step_s
    step, shift = (sa.literal_column(str(seconds * NS_PER_S), sa.BigInteger()) for seconds in (step_s, step_s - moved))
    return (SPAN.start_ns - sa.func.mod(SPAN.start_ns + shift, step)).label("bucket_ns")


def _split(
    reader: Reader,
    project: str,
    chosen: Slice,
    names: Sequence[str],
    starts: list[int],
    width: tuple[int, int],
    split: str,
    top: int,
    rank_by: str,
) -> list[Group]:
    calls = SlicedCalls(reader.functions, project, chosen, by=[split])
    column = calls.dimension(split)
    ranked = calls.grouped([column.label("d_0")], *measures.columns(reader.functions, [rank_by]))
    order: Column = sa.literal_column("2").desc().nulls_last()
    found = reader.rows(ranked.order_by(order, sa.literal_column("1")).limit(top + 1))
    largest = [row.d_0 for row in found[:top]]
    key: Column = column
    if len(found) > top:
        shown = [value for value in largest if value is not None and storable(value)]
        keep: Column = column.in_(shown)
        if None in largest:
            keep = sa.or_(keep, column.is_(None))
        key = sa.case((keep, column), else_=_REST)
    lines: dict[str | None, dict[str, list[float | int | None]]] = {}
    columns = measures.columns(reader.functions, names)
    places = {start: place for place, start in enumerate(starts)}
    for row in reader.rows(calls.grouped([_bucket(width), key.label("d_0")], *columns)):
        values = lines.setdefault(row.d_0, _empty(names, len(starts)))
        _fill(values, places, row, names)
    order_of = {value: place for place, value in enumerate(largest)}
    return [
        Group(None if value == _REST else value, value == _REST, points)
        for value, points in sorted(lines.items(), key=lambda item: order_of.get(item[0], top))
    ]


def _points(
    reader: Reader, calls: SlicedCalls, names: Sequence[str], starts: list[int], width: tuple[int, int]
) -> dict[str, list[float | int | None]]:
    values = _empty(names, len(starts))
    places = {start: place for place, start in enumerate(starts)}
    for row in reader.rows(calls.grouped([_bucket(width)], *measures.columns(reader.functions, names))):
        _fill(values, places, row, names)
    return values


def _empty(names: Sequence[str], size: int) -> dict[str, list[float | int | None]]:
    return {name: [value] * size for name, value in measures.nothing(names).items()}


def _fill(points: dict[str, list[float | int | None]], places: dict[int, int], row: Any, names: Sequence[str]) -> None:
    place = places.get(int(row.bucket_ns) // NS_PER_S)
    if place is not None:
        for name, value in measures.values(row._mapping, names).items():
            points[name][place] = value
