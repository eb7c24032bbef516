"""The measures of some calls, the slow way: plain Python, numpy for percentiles."""

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

Row = dict[str, Any]


def cost(row: Row) -> float | None:
    found = row["cost_reported"] if row["cost_reported"] is not None else row["cost_computed"]
    return None if found is None else float(found)


def _tokens(row: Row) -> int:
    return (row["input_tokens"] or 0) + (row["output_tokens"] or 0)


def _sum(rows: list[Row], name: str) -> int:
    return sum(row.get(name) or 0 for row in rows)


def _ratio(over: float, under: float) -> float | None:
    return over / under if under else None


def _percentile(values: list[float], percent: int) -> float | None:
    return float(np.percentile(values, percent)) if values else None


def measures(found: Iterable[Row]) -> dict[str, float | int | None]:
    """Every measure of the API, by its name."""
    rows = list(found)
    durations = [row["end_ns"] - row["start_ns"] for row in rows]
    ttfts = [row["ttft_ns"] for row in rows if row["ttft_ns"] is not None]
    timed = [row for row in rows if row["end_ns"] > row["start_ns"] and row["output_tokens"]]
    seconds = {id(row): (row["end_ns"] - row["start_ns"]) / 1e9 for row in timed}
    spreads = {
        "latency": [duration / 1e6 for duration in durations],
        "ttft": [ttft / 1e6 for ttft in ttfts],
        "tps": [_tokens(row) / seconds[id(row)] for row in timed],
        "tpot": [1e3 * seconds[id(row)] / row["output_tokens"] for row in timed],
    }
    errors = sum(row["error"] for row in rows)
    costs = math.fsum(cost(row) or 0.0 for row in rows)
    known = [row for row in rows if row["input_tokens"] is not None or row["output_tokens"] is not None]
    return {
        "calls": len(rows),
        "errors": errors,
        "error_rate": _ratio(errors, len(rows)),
        "cost": costs,
        "cost_per_call": _ratio(costs, len(rows)) if any(cost(row) is not None for row in rows) else None,
        "tokens": sum(map(_tokens, rows)),
        "input_tokens": _sum(rows, "input_tokens"),
        "output_tokens": _sum(rows, "output_tokens"),
        "cache_read_tokens": _sum(rows, "cache_read_tokens"),
        "cache_write_tokens": _sum(rows, "cache_write_tokens"),
        "reasoning_tokens": _sum(rows, "reasoning_tokens"),
        "unpriced_calls": sum(cost(row) is None for row in known),
        "calls_with_ttft": len(ttfts),
        "latency_avg": _ratio(sum(durations) / 1e6, len(rows)),
        "ttft_avg": _ratio(sum(ttfts) / 1e6, len(ttfts)),
        "tps": _ratio(1e9 * sum(map(_tokens, rows)), sum(durations)),
        "tpot": _ratio(sum(durations) / 1e6, _sum(rows, "output_tokens")),
        **{
            f"{name}_p{percent}": _percentile(values, percent)
            for name, values in spreads.items()
            for percent in (50, 90, 95, 99)
        },
    }
