"""Spans as observations, by day and model, of traces that pass filters (Langfuse's daily metrics).

Every span is an observation on the UTC day of its own start; filters ask the trace. A trace's timestamp is its earliest
start. Tokens and cost are those of counted calls; every other observation contributes zeros.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from typing import Any, NamedTuple

import sqlalchemy as sa

from otel_llm.store import schema
from otel_llm.store.engines.base import Functions
from otel_llm.store.queries import call
from otel_llm.store.queries.call import SPAN, Column, Columns
from otel_llm.store.queries.calls import equals, holds_most, storable
from otel_llm.store.queries.reach import reach_from
from otel_llm.store.queries.reading import AnyRow, Reader
from otel_llm.store.queries.trace_values import TraceIds, precedence, traces_with
from otel_llm.store.queries.window import EVER, MAX_NS, MIN_NS, NS_PER_S, Window, within

DEFAULT_ENVIRONMENT = "default"
TRACES_AT_ONCE = 25_000
"""Traces whose observations are counted in one statement, unless more begin on one day. To tell the traces of all days and
models apart at once takes DuckDB twice as long, and ten times the memory."""
Condition = Callable[[Columns], Column]


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceFilter:
    """Conditions on traces that all must hold; None and () ask for nothing."""

    trace_name: str | None = None
    user_id: str | None = None
    tags: Sequence[str] = ()
    """All of, among the tags of all spans."""
    environments: Sequence[str] = ()
    """Any of, asked of the trace's earliest span and of each observation."""
    window: Window = EVER
    """When the trace begins."""

    @property
    def only_window(self) -> bool:
        """True when nothing is asked of a trace but when it begins."""
        return self == TraceFilter(window=self.window)


class ModelDay(NamedTuple):
    """What one model did on one day; ``model`` None for observations without one. Cost in USD, exact to 12 places."""

    model: str | None
    input_tokens: int
    output_tokens: int
    total_tokens: int
    traces: int
    observations: int
    cost: Decimal


class Day(NamedTuple):
    """One UTC day (epoch seconds of its midnight): the traces that began on it, the observations that did."""

    start: int
    traces: int
    models: list[ModelDay]

    @property
    def observations(self) -> int:
        """Observations of all models."""
        return sum(row.observations for row in self.models)

    @property
    def cost(self) -> Decimal:
        """Cost of all models in USD."""
        return sum((row.cost for row in self.models), Decimal(0))


def daily_observations(reader: Reader, project: str, filters: TraceFilter) -> list[Day]:
    """Every day with observations, newest first; its models by total tokens descending, then name, None last."""
    begun = _begun(reader, project, filters.window, _candidates(project, filters, EVER))
    traces = _traces(reader.functions, project, filters, begun)
    observations = _observations(reader.functions, project, filters)
    beginnings = _beginnings(reader.functions, traces)
    days: dict[int, int] = {}
    if filters.only_window:
        days.update((int(row.day_start), int(row.trace_count)) for row in reader.rows(beginnings))
        counted = [observations.where(*begun.during(SPAN, part)) for part in _parts(begun.starts, days)]
    else:  # the traces that pass are found once
        passing = (*begun.during(SPAN, begun.starts), SPAN.trace_id.in_(sa.select(traces.c.of_trace)))
        counted = [sa.select(sa.union_all(observations.where(*passing), beginnings).subquery("days"))]
    models: dict[int, list[ModelDay]] = {}
    for row in (row for statement in counted for row in reader.rows(statement)):
        if row.observation_count:
            models.setdefault(int(row.day_start), []).append(_model_day(row))
        else:
            days[int(row.day_start)] = int(row.trace_count)
    return [Day(day, days.get(day, 0), sorted(models[day], key=_rank)) for day in sorted(models, reverse=True)]


def _rank(row: ModelDay) -> tuple[bool, int, str]:
    return row.model is None, -row.total_tokens, row.model or ""


def _has_tag(functions: Functions, of: Columns, tag: str) -> Column:
    return functions.list_has(of.tags, tag) if storable(tag) else sa.false()


def _environment(of: Columns) -> Column:
    return sa.func.coalesce(of.environment, DEFAULT_ENVIRONMENT)


class _Begun(NamedTuple):
    """The spans of the traces that began in a window, of those in all of ``among``."""

    project: str
    window: Window
    reach: Window
    """Holds all spans of the traces that have one in the window."""
    among: Sequence[TraceIds]

    @property
    def starts(self) -> Window:
        """When those spans start."""
        return Window(self.window.first_ns, self.reach.last_ns)

    def during(self, of: Columns, part: Window) -> list[Column]:
        """Those that start in a part of that time."""
        conditions = within(of.start_ns, part)
        if self.reach.first_ns < self.window.first_ns:
            early = Window(self.reach.first_ns, self.window.first_ns - 1)
            conditions.append(of.trace_id.not_in(self._crossing(part, early)))
        if part.last_ns > self.window.last_ns:
            late = Window(self.window.last_ns + 1, part.last_ns)
            goes_on = of.trace_id.in_(self._crossing(self.window, late))
            conditions.append(sa.or_(of.start_ns <= self.window.last_ns, goes_on))
        return conditions

    def _crossing(self, one: Window, other: Window) -> sa.Select[Any]:
        few, many = sorted((one, other), key=lambda side: side.width)
        return _crossing(self.project, few, many, self.among)


def _traces_during(project: str, window: Window, among: Sequence[TraceIds]) -> sa.Select[Any]:
    return traces_with(project, lambda of: sa.and_(*within(of.start_ns, window), *(of.trace_id.in_(ids) for ids in among)))


def _crossing(project: str, few: Window, many: Window, among: Sequence[TraceIds]) -> sa.Select[Any]:
    """Traces with spans in both windows: those of the one with fewer spans are remembered, the other one is looked through."""
    return _traces_during(project, many, [_traces_during(project, few, among)])


def _begun(reader: Reader, project: str, window: Window, among: Sequence[TraceIds]) -> _Begun:
    """The spans, after a look at how far the traces in the window reach beyond it, so that no more of the store is read. Most
    windows reach one end of the store or both, which saves that. Only traces that are in all of ``among`` matter: where a trace
    is looked up by its key the others are spared that, and where columns are read, naming them once more costs more than it
    saves."""
    if reader.capabilities.columnar:
        among = ()
    first_ns, last_ns = window
    sides: list[Window] = []
    if window.first_ns > MIN_NS:
        sides.append(Window(last_ns=window.first_ns - 1))
    if window.last_ns < MAX_NS:
        sides.append(Window(first_ns=window.last_ns + 1))
    sides = [side for side in sides if reader.any(_traces_during(project, side, ()))]
    mostly_inside = bool(sides) and holds_most(reader, window)
    bound = reach_from(reader, project, window, mostly_inside=mostly_inside) if sides else window
    for side in (side.common(bound) for side in sides):
        if side.is_empty:
            continue
        few_beyond = mostly_inside or (bound != EVER and side.width < window.width)
        traces = _crossing(project, side, window, among) if few_beyond else _traces_during(project, window, among)
        beyond = sa.select(sa.func.min(SPAN.start_ns), sa.func.max(SPAN.start_ns)).where(
            SPAN.project == project, *within(SPAN.start_ns, side), SPAN.trace_id.in_(traces)
        )
        first, last = reader.row(beyond)
        if first is not None and last is not None:
            first_ns, last_ns = min(first_ns, int(first)), max(last_ns, int(last))
    return _Begun(project, window, Window(first_ns, last_ns), among)


def _beginnings(functions: Functions, traces: sa.CTE) -> sa.Select[Any]:
    """A row for each day on which traces begin, with the columns of observations and none of them."""
    day = functions.bucket(traces.c.trace_start, "day").label("day_start")
    none: Column = sa.literal_column("0").label("observation_count")
    begins = sa.func.count().label("trace_count")
    return sa.select(day, sa.null(), none, begins, *[sa.null()] * 4).group_by(sa.literal_column("1"))


def _parts(window: Window, days: Mapping[int, int]) -> list[Window]:
    """A window in parts of whole UTC days, on which not many more than :data:`TRACES_AT_ONCE` begin (``days``: how many do)."""
    begins, traces = [window.first_ns], 0
    for day in sorted(days):
        if traces + days[day] > TRACES_AT_ONCE and traces:
            begins.append(day * NS_PER_S)
            traces = 0
        traces += days[day]
    return [Window.before(*part) for part in pairwise(begins)] + [Window(begins[-1], window.last_ns)]


def _candidates(project: str, filters: TraceFilter, window: Window) -> list[TraceIds]:
    """For each filter on user or name, the traces in which some span that starts in a window has it. Tags and environments,
    which most spans of a project share, name too many to save work."""
    asked: list[Condition] = []
    if filters.user_id is not None:
        asked.append(lambda of: equals(of.user_id, filters.user_id))
    if filters.trace_name is not None:
        asked.append(lambda of: equals(_own_trace_name(of), filters.trace_name))
    return [traces_with(project, lambda of, has=has: sa.and_(*within(of.start_ns, window), has(of))) for has in asked]


def _traces(functions: Functions, project: str, filters: TraceFilter, begun: _Begun) -> sa.CTE:
    """``of_trace`` and ``trace_start`` of the traces that pass, judged over all their spans, wherever these lie in time."""
    span = schema.other_spans()
    of = span.c
    conditions: list[Column] = [of.project == project, *begun.during(of, begun.starts)]
    conditions += [of.trace_id.in_(traces) for traces in _candidates(project, filters, begun.starts)]
    having: list[Column] = []
    if filters.user_id is not None:
        having.append(equals(functions.first_by(of.user_id, *precedence(of)), filters.user_id))
    if filters.trace_name is not None:
        having.append(equals(_trace_name(functions, of), filters.trace_name))
    having += [sa.func.max(sa.case((_has_tag(functions, of, tag), 1), else_=0)) == 1 for tag in filters.tags]
    if filters.environments:
        earliest = functions.first_by(_environment(of), of.start_ns, of.span_id)
        having.append(earliest.in_(_storable(filters.environments)))
    return (
        sa.select(of.trace_id.label("of_trace"), sa.func.min(of.start_ns).label("trace_start"))
        .where(*conditions)
        .group_by(of.trace_id)
        .having(*having)
        .cte("traces")
    )


def _own_trace_name(of: Columns) -> Column:
    """The trace name a span can give: the one it sets, else, for a root, its own name."""
    return sa.func.coalesce(of.trace_name, sa.case((of.parent_span_id.is_(None), of.name)))


def _trace_name(functions: Functions, of: Columns) -> Column:
    """The name set by the root, else by the earliest span that sets one, else the root's own name."""
    root_name = sa.case((of.parent_span_id.is_(None), of.name))
    order = precedence(of)
    return sa.func.coalesce(functions.first_by(of.trace_name, *order), functions.first_by(root_name, *order))


def _observations(functions: Functions, project: str, filters: TraceFilter) -> sa.Select[Any]:
    """All observations; which traces pass is for the caller to say."""
    counts = call.counted()
    both = functions.wide(_zero(SPAN.input_tokens)) + functions.wide(_zero(SPAN.output_tokens))
    total = functions.wide(SPAN.total_tokens)
    more = sa.case((SPAN.total_tokens.is_not(None), sa.case((total > both, total - both))))  # most spans report no total
    statement = sa.select(
        functions.bucket(SPAN.start_ns, "day").label("day_start"),
        sa.case((call.is_call(), call.model())).label("model_label"),
        sa.func.count().label("observation_count"),
        sa.func.count(sa.distinct(SPAN.trace_id)).label("trace_count"),
        functions.exact_sum(sa.case((counts, SPAN.input_tokens))).label("input_sum"),
        functions.exact_sum(sa.case((counts, SPAN.output_tokens))).label("output_sum"),
        functions.exact_sum(sa.case((counts, more))).label("more_sum"),
        functions.decimal_sum(sa.case((counts, call.cost()))).label("cost_sum"),
    ).where(SPAN.project == project)
    if filters.environments:
        statement = statement.where(_environment(SPAN).in_(_storable(filters.environments)))
    return statement.group_by(sa.literal_column("1"), sa.literal_column("2"))


def _zero(column: Column) -> Column:
    return sa.func.coalesce(column, 0)


def _storable(values: Sequence[str]) -> list[str]:
    return [value for value in values if storable(value)]


def _model_day(row: AnyRow) -> ModelDay:
    input_tokens, output_tokens = int(row.input_sum or 0), int(row.output_sum or 0)
    return ModelDay(
        row.model_label,
        input_tokens,
        output_tokens,
        input_tokens + output_tokens + int(row.more_sum or 0),
        int(row.trace_count),
        int(row.observation_count),
        Decimal(row.cost_sum or 0),
    )
