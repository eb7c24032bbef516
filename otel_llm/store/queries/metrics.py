"""The aggregates over counted calls, each defined once.

Names never equal a column's: ClickHouse would read the alias where the column is meant.
"""

from collections.abc import Callable, Iterable

import sqlalchemy as sa

from otel_llm.store.engines.base import Functions
from otel_llm.store.queries import call
from otel_llm.store.queries.call import SPAN, Column, Columns

Metric = Callable[[Functions], Column]

PERCENTILES: dict[str, float] = {"p50": 0.50, "p90": 0.90, "p95": 0.95, "p99": 0.99}
PERCENTILE_VALUES: dict[str, Callable[[], Column]] = {
    "duration_ns": call.duration_ns,
    "ttft_ns": call.ttft_or_duration_ns,
    "tps": call.tokens_per_second,
    "tpot_s": call.seconds_per_output_token,
}


METRICS: dict[str, Metric] = {
    "call_count": lambda functions: sa.func.count(),
    "error_count": lambda functions: sa.func.sum(sa.case((SPAN.error == sa.true(), 1), else_=0)),
    "cost_sum": lambda functions: functions.stable_sum(call.cost()),
    "input_sum": lambda functions: functions.exact_sum(SPAN.input_tokens),
    "output_sum": lambda functions: functions.exact_sum(SPAN.output_tokens),
    "duration_ns_sum": lambda functions: functions.exact_sum(call.duration_ns()),
    "ttft_ns_sum": lambda functions: functions.exact_sum(call.ttft_or_duration_ns()),
}
"""Name to aggregate. Units: cost in USD, times in ns or s as the name says; NULL over no values."""

TOTALS: tuple[str, ...] = ("call_count", "cost_sum", "input_sum", "output_sum", "duration_ns_sum")
"""What every simple summary shows."""


def aggregates(functions: Functions, names: Iterable[str]) -> list[sa.Label[object]]:
    """The named aggregates as labelled columns."""
    return [METRICS[name](functions).label(name) for name in names]


def together(functions: Functions, groups: Columns, names: Iterable[str]) -> list[sa.Label[object]]:
    """The named aggregates over groups that hold them already, under the same names."""
    sums = {name: functions.stable_sum if name == "cost_sum" else functions.exact_sum for name in METRICS}
    return [sums[name](groups[name]).label(name) for name in names]


def positions(count: int) -> list[Column]:
    """The first columns of a statement, to group or sort by."""
    return [sa.literal_column(str(place)) for place in range(1, count + 1)]


def percentiles(functions: Functions) -> list[sa.Label[object]]:
    """The percentiles of every value of :data:`PERCENTILE_VALUES`, those of one value side by side."""
    return [
        column.label(f"{name}_{percentile}")
        for name, value in PERCENTILE_VALUES.items()
        for percentile, column in zip(PERCENTILES, functions.percentiles(value(), list(PERCENTILES.values())), strict=True)
    ]
