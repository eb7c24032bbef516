"""What is measured about a slice of calls: one table of name to SQL, unit and meaning.

Definitions are those of :mod:`otel_llm.store.queries.call` and :mod:`~otel_llm.store.queries.metrics`. Two house rules
differ from LangDB's views: a call without a time to first token is left out of it, and a ratio over nothing is None.
"""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import sqlalchemy as sa

from otel_llm.store.engines.base import Functions
from otel_llm.store.queries import call
from otel_llm.store.queries.call import SPAN, Column
from otel_llm.store.queries.metrics import METRICS

_MS = 1e-6  # from ns
_ZERO: Column = sa.literal_column("0.0", sa.Double())


class Measure(NamedTuple):
    """One number about some calls. ``additive`` ones are 0 over no calls and may be stacked; the others are None."""

    meaning: str
    unit: str
    sql: Callable[[Functions], Column]
    additive: bool = False
    scale: float | None = None
    """What the SQL value is multiplied with; None leaves integers exact."""


class Spread(NamedTuple):
    """A value of single calls whose percentiles are measured, ``<name>_p50`` and so on."""

    meaning: str
    unit: str
    value: Callable[[], Column]
    scale: float


PERCENTS = (50, 90, 95, 99)

SPREADS: dict[str, Spread] = {
    "latency": Spread("time from start to end", "ms", call.duration_ns, _MS),
    "ttft": Spread("time to first token of the calls that have one", "ms", lambda: SPAN.ttft_ns, _MS),
    "tps": Spread("input and output tokens per second", "tokens/s", call.tokens_per_second, 1.0),
    "tpot": Spread("time per output token", "ms", call.seconds_per_output_token, 1e3),
}


def _sum(column: str) -> Callable[[Functions], Column]:
    return lambda functions: sa.func.coalesce(functions.exact_sum(SPAN[column]), 0)


def _count_if(condition: Callable[[], Column]) -> Callable[[Functions], Column]:
    return lambda functions: sa.func.sum(sa.case((condition(), 1), else_=0))


def _double(value: Column) -> Column:
    return sa.cast(value, sa.Double())


def _ratio(over: Callable[[Functions], Column], under: Callable[[Functions], Column]) -> Callable[[Functions], Column]:
    # typed, or SQLAlchemy makes the divisor a decimal, which large sums do not fit
    return lambda functions: _double(over(functions)) / sa.func.nullif(_double(under(functions)), _ZERO, type_=sa.Double())


def _tokens(functions: Functions) -> Column:
    return _sum("input_tokens")(functions) + _sum("output_tokens")(functions)


def _unpriced() -> Column:
    return sa.and_(call.cost().is_(None), sa.or_(SPAN.input_tokens.is_not(None), SPAN.output_tokens.is_not(None)))


def _ttft_sum(functions: Functions) -> Column:
    return functions.exact_sum(SPAN.ttft_ns)


MEASURES: dict[str, Measure] = {
    "calls": Measure("LLM calls, each counted once", "calls", METRICS["call_count"], True),
    "errors": Measure("calls that failed", "calls", METRICS["error_count"], True),
    "error_rate": Measure("failed calls / calls", "fraction", _ratio(METRICS["error_count"], METRICS["call_count"])),
    "cost": Measure("reported cost, else computed", "USD", METRICS["cost_sum"], True, 1.0),
    "cost_per_call": Measure("cost / calls", "USD", _ratio(METRICS["cost_sum"], METRICS["call_count"])),
    "tokens": Measure("input and output tokens", "tokens", _tokens, True),
    "input_tokens": Measure("input tokens, cached ones included", "tokens", _sum("input_tokens"), True),
    "output_tokens": Measure("output tokens, reasoning included", "tokens", _sum("output_tokens"), True),
    "cache_read_tokens": Measure("input tokens read from a cache", "tokens", _sum("cache_read_tokens"), True),
    "cache_write_tokens": Measure("input tokens written to a cache", "tokens", _sum("cache_write_tokens"), True),
    "reasoning_tokens": Measure("output tokens spent on reasoning", "tokens", _sum("reasoning_tokens"), True),
    "unpriced_calls": Measure("calls with tokens and without a cost", "calls", _count_if(_unpriced), True),
    "calls_with_ttft": Measure(
        "calls with a time to first token", "calls", lambda functions: sa.func.count(SPAN.ttft_ns), True
    ),
    "latency_avg": Measure("mean latency", "ms", _ratio(METRICS["duration_ns_sum"], METRICS["call_count"]), False, _MS),
    "ttft_avg": Measure(
        "mean time to first token of the calls that have one",
        "ms",
        _ratio(_ttft_sum, lambda functions: sa.func.count(SPAN.ttft_ns)),
        False,
        _MS,
    ),
    "tps": Measure("tokens / summed latency", "tokens/s", _ratio(_tokens, METRICS["duration_ns_sum"]), False, 1e9),
    "tpot": Measure(
        "summed latency / output tokens", "ms", _ratio(METRICS["duration_ns_sum"], METRICS["output_sum"]), False, _MS
    ),
}
MEASURES |= {
    f"{name}_p{percent}": Measure(
        f"{spread.meaning}, percentile {percent}",
        spread.unit,
        lambda functions, spread=spread, percent=percent: functions.percentile(spread.value(), percent / 100),  # type: ignore[misc]  # mypy infers no lambda with defaults
        False,
        spread.scale,
    )
    for name, spread in SPREADS.items()
    for percent in PERCENTS
}
"""Every measure by name."""

PERCENTILES = frozenset(f"{name}_p{percent}" for name in SPREADS for percent in PERCENTS)
"""Measures that cost a sort."""


def columns(functions: Functions, names: Iterable[str]) -> list[sa.Label[Any]]:
    """The named measures as columns labelled ``m_<name>``; percentiles of one value share their work."""
    wanted = list(names)
    found: dict[str, Column] = {}
    for spread_name, spread in SPREADS.items():
        percents = [percent for percent in PERCENTS if f"{spread_name}_p{percent}" in wanted]
        shared = functions.percentiles(spread.value(), [percent / 100 for percent in percents]) if percents else []
        found |= {f"{spread_name}_p{percent}": column for percent, column in zip(percents, shared, strict=True)}
    return [(found[name] if name in found else MEASURES[name].sql(functions)).label(f"m_{name}") for name in wanted]


def values(row: sa.RowMapping, names: Iterable[str]) -> dict[str, float | int | None]:
    """The named measures of a row that has the columns of :func:`columns`."""
    return {name: _value(MEASURES[name], row[f"m_{name}"]) for name in names}


def nothing(names: Iterable[str]) -> dict[str, float | int | None]:
    """The named measures over no calls."""
    return {name: (0.0 if MEASURES[name].scale else 0) if MEASURES[name].additive else None for name in names}


def _value(measure: Measure, found: Any) -> float | int | None:
    if found is None:
        return (0.0 if measure.scale else 0) if measure.additive else None
    if measure.additive and measure.scale is None:
        return int(found)
    return float(found) * (measure.scale or 1.0)
