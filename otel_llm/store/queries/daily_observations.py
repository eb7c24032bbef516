"""Spans as observations, by day and model, of traces that pass filters (Langfuse's daily metrics).

Every span is an observation on the UTC day of its own start; filters ask the trace. A trace's timestamp is its earliest
start. Tokens and cost are those of counted calls; every other observation contributes zeros.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NamedTuple

import sqlalchemy as sa

from otel_llm.store import schema
from otel_llm.store.engines.base import Functions
from otel_llm.store.queries import call
from otel_llm.store.queries.call import SPAN, Column, Columns
from otel_llm.store.queries.calls import equals, storable
from otel_llm.store.queries.reading import Reader
from otel_llm.store.queries.trace_values import precedence, traces_with
from otel_llm.store.queries.window import EVER, MIN_NS, Window

DEFAULT_ENVIRONMENT = "default"


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
    def is_open(self) -> bool:
        """True when every trace passes."""
        return self == TraceFilter()


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
    traces = _traces(reader.functions, project, filters)
    begun = reader.functions.bucket(traces.c.trace_start, "day").label("day_start")
    beginnings = sa.select(begun, sa.func.count().label("trace_count")).group_by(sa.literal_column("1"))
    begun_on = {int(row.day_start): int(row.trace_count) for row in reader.rows(beginnings)}
    models: dict[int, list[ModelDay]] = {}
    for row in reader.rows(_observations(reader.functions, project, filters, traces)):
        models.setdefault(int(row.day_start), []).append(_model_day(row))
    return [Day(day, begun_on.get(day, 0), sorted(models[day], key=_rank)) for day in sorted(models, reverse=True)]


def _rank(row: ModelDay) -> tuple[bool, int, str]:
    return row.model is None, -row.total_tokens, row.model or ""


def _has_tag(functions: Functions, of: Columns, tag: str) -> Column:
    return functions.list_has(of.tags, tag) if storable(tag) else sa.false()


def _environment(of: Columns) -> Column:
    return sa.func.coalesce(of.environment, DEFAULT_ENVIRONMENT)


def _traces(functions: Functions, project: str, filters: TraceFilter) -> sa.Subquery:
    """``trace_id`` and ``trace_start`` of the traces that pass, judged over all their spans, wherever these lie in time.

    ``candidates`` only save work: no other trace can pass. Tags and environments, which most spans of a project share,
    are asked of the group at once.
    """
    span = schema.spans.alias()
    of = span.c
    start = sa.func.min(of.start_ns)
    candidates: list[sa.Select[Any]] = []
    having: list[Column] = []
    first_ns, last_ns = filters.window
    if filters.window != EVER:
        candidates.append(traces_with(project, lambda c: sa.and_(c.start_ns >= first_ns, c.start_ns <= last_ns)))
        having += [start >= first_ns, start <= last_ns]
    if filters.user_id is not None:
        candidates.append(traces_with(project, lambda c: equals(c.user_id, filters.user_id)))
        having.append(equals(functions.first_by(of.user_id, *precedence(of)), filters.user_id))
    if filters.trace_name is not None:
        candidates.append(traces_with(project, lambda c: equals(_own_trace_name(c), filters.trace_name)))
        having.append(equals(_trace_name(functions, of), filters.trace_name))
    having += [sa.func.max(sa.case((_has_tag(functions, of, tag), 1), else_=0)) == 1 for tag in filters.tags]
    if filters.environments:
        earliest = functions.first_by(_environment(of), of.start_ns, of.span_id)
        having.append(earliest.in_(_storable(filters.environments)))
    return (
        sa.select(of.trace_id.label("of_trace"), start.label("trace_start"))
        .where(of.project == project, *(of.trace_id.in_(traces) for traces in candidates))
        .group_by(of.trace_id)
        .having(*having)
        .subquery("traces")
    )


def _own_trace_name(of: Columns) -> Column:
    """The trace name a span can give: the one it sets, else, for a root, its own name."""
    return sa.func.coalesce(of.trace_name, sa.case((of.parent_span_id.is_(None), of.name)))


def _trace_name(functions: Functions, of: Columns) -> Column:
    """The name set by the root, else by the earliest span that sets one, else the root's own name."""
    root_name = sa.case((of.parent_span_id.is_(None), of.name))
    order = precedence(of)
    return sa.func.coalesce(functions.first_by(of.trace_name, *order), functions.first_by(root_name, *order))


def _observations(functions: Functions, project: str, filters: TraceFilter, traces: sa.Subquery) -> sa.Select[Any]:
    counts = call.counted()
    both = functions.wide(_zero(SPAN.input_tokens)) + functions.wide(_zero(SPAN.output_tokens))
    total = sa.case((functions.wide(SPAN.total_tokens) >= both, functions.wide(SPAN.total_tokens)), else_=both)
    statement = sa.select(
        functions.bucket(SPAN.start_ns, "day").label("day_start"),
        sa.case((call.is_call(), call.model())).label("model_label"),
        sa.func.count().label("observation_count"),
        sa.func.count(sa.distinct(SPAN.trace_id)).label("trace_count"),
        functions.exact_sum(sa.case((counts, SPAN.input_tokens))).label("input_sum"),
        functions.exact_sum(sa.case((counts, SPAN.output_tokens))).label("output_sum"),
        functions.exact_sum(sa.case((counts, total))).label("total_sum"),
        functions.decimal_sum(sa.case((counts, call.cost()))).label("cost_sum"),
    ).where(SPAN.project == project)
    if not filters.is_open:
        statement = statement.where(SPAN.trace_id.in_(sa.select(traces.c.of_trace)))
    if filters.window.first_ns > MIN_NS:
        statement = statement.where(SPAN.start_ns >= filters.window.first_ns)  # no span of a trace precedes its beginning
    if filters.environments:
        statement = statement.where(_environment(SPAN).in_(_storable(filters.environments)))
    return statement.group_by(sa.literal_column("1"), sa.literal_column("2"))


def _zero(column: Column) -> Column:
    return sa.func.coalesce(column, 0)


def _storable(values: Sequence[str]) -> list[str]:
    return [value for value in values if storable(value)]


def _model_day(row: sa.Row[Any]) -> ModelDay:
    return ModelDay(
        row.model_label,
        int(row.input_sum or 0),
        int(row.output_sum or 0),
        int(row.total_sum or 0),
        int(row.trace_count),
        int(row.observation_count),
        Decimal(row.cost_sum or 0),
    )
