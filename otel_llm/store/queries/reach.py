"""How far traces reach in time: a trace may lie anywhere, and to look for its spans nowhere else spares reading the store."""

from collections.abc import Iterable

import sqlalchemy as sa

from otel_llm.store.engines.base import TracePlaces
from otel_llm.store.queries.call import SPAN
from otel_llm.store.queries.reading import Column, Reader
from otel_llm.store.queries.window import EVER, MAX_NS, MIN_NS, Window, clamp, within

NEVER = Window(MAX_NS, MIN_NS)


def reach_of(reader: Reader, project: str, traces: Iterable[bytes]) -> Window:
    """A time in which all spans of some traces start; any time on an engine that finds these without it."""
    places = reader.functions.places
    if places is None:
        return EVER
    of = places.table.c
    return _reach(reader, places, of.project == project, of.trace_key.in_(sorted(map(places.key_of, traces))))


def of_trace(reader: Reader, project: str, trace_id: bytes, *more: Column) -> list[Column]:
    """Conditions for the spans of a trace that meet ``more``; they are looked for in the time alone that it lies in."""
    reach = reach_of(reader, project, [trace_id])
    return [SPAN.project == project, SPAN.trace_id == trace_id, *more, *within(SPAN.start_ns, reach)]


def reach_from(reader: Reader, project: str, window: Window, *, mostly_inside: bool) -> Window:
    """A time in which all spans of the traces start that have one in a window; any time on an engine that does not know.
    ``mostly_inside`` says that the window holds most of the store: it may leave out those that lie in the window alone."""
    places = reader.functions.places
    if places is None:
        return EVER
    of = places.table.c
    inside = _keys(places, project, window)
    if mostly_inside:
        before, after = Window(MIN_NS, window.first_ns), Window(window.last_ns, MAX_NS)
        outside = sa.union_all(*(_keys(places, project, side) for side in (before, after))).subquery("outside")
        inside = inside.where(inside.selected_columns[0].in_(sa.select(outside)))
    return _reach(reader, places, of.project == project, of.trace_key.in_(inside))


def _keys(places: TracePlaces, project: str, window: Window) -> sa.Select[tuple[int]]:
    """The traces that may have a span in a window."""
    of = places.table.alias().c
    return sa.select(of.trace_key).where(of.project == project, *within(of.time_ns, _widened(window, places.slack_ns)))


def _reach(reader: Reader, places: TracePlaces, *conditions: Column) -> Window:
    time_ns = places.table.c.time_ns
    first, last = reader.row(sa.select(sa.func.min(time_ns), sa.func.max(time_ns)).where(*conditions))
    return NEVER if first is None or last is None else _widened(Window(int(first), int(last)), places.slack_ns)


def _widened(window: Window, by_ns: int) -> Window:
    """An open end stays open."""
    return Window(clamp(window.first_ns - by_ns), clamp(window.last_ns + by_ns))
