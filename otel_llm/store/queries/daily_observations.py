"""Spans as observations, by day and model, of traces that pass filters (Langfuse's daily metrics).

Every span is an observation on the UTC day of its own start; filters ask the trace. A trace's timestamp is its earliest
start. Tokens and cost are those of counted calls; every other observation contributes zeros.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NamedTuple

import sqlalchemy as sa

from otel_llm.store import schema
from otel_llm.store.engines.base import Functions
from otel_llm.store.queries import call
from otel_llm.store.queries.call import SPAN, Column, Columns
from otel_llm.store.queries.calls import equals, holds_most, storable
from otel_llm.store.queries.reading import AnyRow, AnySelect, Reader
from otel_llm.store.queries.trace_values import TraceIds, precedence, traces_with
from otel_llm.store.queries.window import EVER, MAX_NS, MIN_NS, Window

DEFAULT_ENVIRONMENT = "default"
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
    begun_on: dict[int, int] = {}
    models: dict[int, list[ModelDay]] = {}
    for row in reader.rows(_statement(reader, project, filters)):
        if row.observation_count:
            models.setdefault(int(row.day_start), []).append(_model_day(row))
        else:
            begun_on[int(row.day_start)] = int(row.trace_count)
    return [Day(day, begun_on.get(day, 0), sorted(models[day], key=_rank)) for day in sorted(models, reverse=True)]


def _rank(row: ModelDay) -> tuple[bool, int, str]:
    return row.model is None, -row.total_tokens, row.model or ""


def _has_tag(functions: Functions, of: Columns, tag: str) -> Column:
    return functions.list_has(of.tags, tag) if storable(tag) else sa.false()


def _environment(of: Columns) -> Column:
    return sa.func.coalesce(of.environment, DEFAULT_ENVIRONMENT)


class _Borders(NamedTuple):
    """Traces with spans on both sides of an end of the window; None where the store has nothing on the far side."""

    early: sa.CTE | None
    """These began before the window, so they are not in it."""
    late: sa.CTE | None
    """These went on behind it, with all that they are judged by and show."""

    def within(self, of: Columns, window: Window) -> list[Column]:
        """Spans of the traces that began in the window."""
        conditions: list[Column] = []
        if window.first_ns > MIN_NS:
            conditions.append(of.start_ns >= window.first_ns)
        if self.early is not None:
            conditions.append(of.trace_id.not_in(sa.select(self.early.c.of_trace)))
        if window.last_ns < MAX_NS:
            goes_on = [] if self.late is None else [of.trace_id.in_(sa.select(self.late.c.of_trace))]
            conditions.append(sa.or_(of.start_ns <= window.last_ns, *goes_on))
        return conditions


def _borders(reader: Reader, project: str, window: Window, among: Sequence[TraceIds]) -> _Borders:
    """Most windows reach one end of the store or both, which saves asking what their traces did beyond it. Only traces that
    are in all of ``among`` matter: where a trace is looked up by its key the others are spared that, and where columns are
    read, naming them once more costs more than it saves."""
    if reader.capabilities.columnar:
        among = ()
    mostly_inside = holds_most(reader, window)

    def inside(of: Columns) -> Column:
        return sa.and_(of.start_ns >= window.first_ns, of.start_ns <= window.last_ns)

    def crossing(name: str, outside: Condition) -> sa.CTE | None:
        if not reader.any(traces_with(project, outside)):
            return None
        # The side with fewer spans is remembered, the other one is looked through.
        few, many = (outside, inside) if mostly_inside else (inside, outside)
        remembered = traces_with(project, lambda of: sa.and_(few(of), *(of.trace_id.in_(traces) for traces in among)))
        both = traces_with(project, lambda of: sa.and_(many(of), of.trace_id.in_(remembered)))
        return both.with_only_columns(both.selected_columns.trace_id.label("of_trace")).cte(name)

    return _Borders(
        crossing("early", lambda of: of.start_ns < window.first_ns) if window.first_ns > MIN_NS else None,
        crossing("late", lambda of: of.start_ns > window.last_ns) if window.last_ns < MAX_NS else None,
    )


def _statement(reader: Reader, project: str, filters: TraceFilter) -> AnySelect:
    """A row for each day and model, and a row without observations for each day on which traces begin."""
    functions = reader.functions
    candidates = _candidates(project, filters)
    borders = _borders(reader, project, filters.window, candidates)
    traces = _traces(functions, project, filters, borders, candidates)
    observations = _observations(functions, project, filters).where(*borders.within(SPAN, filters.window))
    if not filters.only_window:
        observations = observations.where(SPAN.trace_id.in_(sa.select(traces.c.of_trace)))
    begun = functions.bucket(traces.c.trace_start, "day").label("day_start")
    nothing = [sa.null()] * 4
    beginnings = sa.select(begun, sa.null(), sa.literal_column("0"), sa.func.count(), *nothing).group_by(sa.literal_column("1"))
    return sa.select(sa.union_all(observations, beginnings).subquery("days"))


def _candidates(project: str, filters: TraceFilter) -> list[TraceIds]:
    """For each filter on user or name, the traces in which some span has it: no other trace can pass. Tags and environments,
    which most spans of a project share, name too many to save work."""
    asked: list[Condition] = []
    if filters.user_id is not None:
        asked.append(lambda of: equals(of.user_id, filters.user_id))
    if filters.trace_name is not None:
        asked.append(lambda of: equals(_own_trace_name(of), filters.trace_name))
    return [traces_with(project, condition) for condition in asked]


def _traces(
    functions: Functions, project: str, filters: TraceFilter, borders: _Borders, candidates: Sequence[TraceIds]
) -> sa.CTE:
    """``of_trace`` and ``trace_start`` of the traces that pass, judged over all their spans, wherever these lie in time."""
    span = schema.spans.alias()
    of = span.c
    conditions: list[Column] = [of.project == project, *borders.within(of, filters.window)]
    conditions += [of.trace_id.in_(traces) for traces in candidates]
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
