"""Headline figures of a slice of calls, and those of the window before it."""

from dataclasses import replace
from typing import NamedTuple

from otel_llm.store.queries import measures
from otel_llm.store.queries.reading import Reader
from otel_llm.store.queries.slices import Slice, SlicedCalls
from otel_llm.store.queries.window import Window

Figures = dict[str, float | int | None]

HEADLINES = (
    "calls",
    "errors",
    "error_rate",
    "cost",
    "cost_per_call",
    "tokens",
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "reasoning_tokens",
    "unpriced_calls",
    "calls_with_ttft",
    "latency_avg",
    "latency_p50",
    "latency_p95",
    "ttft_avg",
    "ttft_p50",
    "ttft_p95",
    "tps",
    "tpot",
)


class Overview(NamedTuple):
    """The same figures over a window and over the window of equal length that ends where it begins."""

    previous_window: Window
    current: Figures
    previous: Figures


def overview(reader: Reader, project: str, chosen: Slice) -> Overview:
    """The headline figures of a slice whose window has two ends."""
    first, last = chosen.window
    earlier = Window.before(first - (last - first + 1), first)
    return Overview(earlier, _figures(reader, project, chosen), _figures(reader, project, replace(chosen, window=earlier)))


def _figures(reader: Reader, project: str, chosen: Slice) -> Figures:
    calls = SlicedCalls(reader.functions, project, chosen)
    row = reader.row(calls.grouped((), *measures.columns(reader.functions, HEADLINES)))
    return measures.values(row._mapping, HEADLINES)
