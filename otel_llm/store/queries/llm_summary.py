"""Calls in sum, by model and by time, placed by when they ended (AgentLens's analytics)."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from otel_llm.store.queries import dimensions
from otel_llm.store.queries.call import SPAN
from otel_llm.store.queries.calls import CallFilter, asked_calls
from otel_llm.store.queries.metrics import TOTALS, aggregates, positions, together
from otel_llm.store.queries.reading import Reader
from otel_llm.store.queries.window import Window

GENERATIONS = frozenset({"generation"})
"""AgentLens counts no embeddings."""


class Totals(NamedTuple):
    """Sums over calls; cost in USD, durations in ns."""

    calls: int
    cost: float
    input_tokens: int
    output_tokens: int
    duration_ns: int

    @property
    def mean_ms(self) -> float:
        """Mean duration in ms, 0 without calls."""
        return self.duration_ns / (self.calls * 1_000_000) if self.calls else 0.0

    @property
    def mean_cost(self) -> float:
        """Mean cost in USD, 0 without calls."""
        return self.cost / self.calls if self.calls else 0.0


class ModelTotals(NamedTuple):
    """Totals of one model."""

    provider: str
    model: str
    totals: Totals


class BucketTotals(NamedTuple):
    """Totals of one bucket, which starts at ``bucket`` (epoch seconds, UTC)."""

    bucket: int
    totals: Totals


class LlmSummary(NamedTuple):
    """``by_model`` by cost descending, ``by_time`` ascending; buckets without calls are left out."""

    totals: Totals
    by_model: list[ModelTotals]
    by_time: list[BucketTotals]


def llm_summary(reader: Reader, project: str, window: Window, filters: CallFilter, unit: str) -> LlmSummary:
    """The summary of the generations that ended in the window."""
    calls = asked_calls(reader, project, window, filters, by="end")
    functions = reader.functions
    bucket = functions.bucket(SPAN.end_ns, unit).label("bucket_start")
    stored = [SPAN[name] for name in ("provider", "request_model", "response_model")]
    # One look at the calls gives groups that add up to both lists.
    groups = calls.grouped([bucket, *stored], *aggregates(functions, TOTALS)).cte("few")
    few = groups.c
    sums = together(functions, few, TOTALS)
    nothing = sa.null()
    names = [dimensions.provider(few).label("provider_name"), dimensions.model(few).label("model_label")]
    models = sa.select(*names, nothing.label("bucket_start"), *sums).group_by(*positions(2))
    buckets = sa.select(nothing, nothing, few.bucket_start, *sums).group_by(few.bucket_start)
    by_model: list[ModelTotals] = []
    by_time: list[BucketTotals] = []
    for row in reader.rows(sa.select(sa.union_all(models, buckets).subquery("lists"))):
        if row.bucket_start is None:
            by_model.append(ModelTotals(row.provider_name, row.model_label, _totals(row)))
        else:
            by_time.append(BucketTotals(int(row.bucket_start), _totals(row)))
    return LlmSummary(
        _together([row.totals for row in by_model]),
        sorted(by_model, key=lambda row: (-_known_digits(row.totals.cost), row.provider, row.model)),
        sorted(by_time, key=lambda row: row.bucket),
    )


def _known_digits(amount: float) -> float:
    """An amount without the last digits, in which sums of the same amounts may differ by their order."""
    return float(f"{amount:.12g}")


def _together(parts: Sequence[Totals]) -> Totals:
    return Totals(
        sum(part.calls for part in parts),
        math.fsum(part.cost for part in parts),
        sum(part.input_tokens for part in parts),
        sum(part.output_tokens for part in parts),
        sum(part.duration_ns for part in parts),
    )


def _totals(row: sa.Row[Any]) -> Totals:
    return Totals(
        int(row.call_count),
        float(row.cost_sum or 0.0),
        int(row.input_sum or 0),
        int(row.output_sum or 0),
        int(row.duration_ns_sum or 0),
    )
