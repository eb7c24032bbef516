"""What a call costs at one moment: compiled prices, cheap enough to run for every span.

Input is split into uncached, cache read and cache written tokens, output into reasoning and the rest; a part without a rate
of its own costs what its whole costs. Thresholds apply to all tokens of a call, by its total input.
"""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import NamedTuple

_DAY_NS = 86_400_000_000_000

Modal = Callable[[str, int, int, int, int, int, int], float | None]
"""(modality_tokens, input, output, cache read, cache write, cache write 1h, reasoning) -> USD; None when it cannot say."""


class Rates(NamedTuple):
    """USD per million tokens, and USD per call."""

    input: float
    output: float
    cache_read: float
    cache_write: float
    cache_write_1h: float
    reasoning: float
    call: float = 0.0


class Tariff:
    """Prices in force at one moment.

    ``bands`` are (threshold, rates) from the highest threshold down, the last one -1: the first whose threshold the input
    exceeds applies. ``modal`` prices calls with text, image or audio token counts, where the price table tells them apart.
    """

    __slots__ = ("_bands", "modal", "source")

    def __init__(self, bands: Sequence[tuple[int, Rates]], source: str, modal: Modal | None = None) -> None:
        self._bands = tuple(bands)
        self.source = source
        self.modal = modal

    def cost(
        self,
        input_tokens: int | None,
        output_tokens: int | None,
        cache_read: int | None,
        cache_write: int | None,
        cache_write_1h: int | None,
        reasoning: int | None,
    ) -> float:
        """USD of one call. Counts that are None are 0; parts that exceed their whole never make it negative."""
        total = input_tokens or 0
        for threshold, rates in self._bands:  # noqa: B007 the last band always applies
            if total > threshold:
                break
        cost = 0.0
        if cache_read:
            total -= cache_read
            cost = cache_read * rates.cache_read
        if cache_write:
            total -= cache_write
            hour = min(cache_write_1h or 0, cache_write)
            cost += (cache_write - hour) * rates.cache_write + hour * rates.cache_write_1h
        if total > 0:
            cost += total * rates.input
        if output_tokens:
            if reasoning:
                thought = min(reasoning, output_tokens)
                cost += (output_tokens - thought) * rates.output + thought * rates.reasoning
            else:
                cost += output_tokens * rates.output
        return cost / 1_000_000 + rates.call


Day = tuple[tuple[int, Tariff | None], ...]
"""(ns since midnight UTC, tariff from then on), the first from 0."""


class Timeline:
    """The tariffs of one model over time. None where it has no price."""

    __slots__ = ("_periods", "_starts")

    def __init__(self, starts: Sequence[int], periods: Sequence[Day]) -> None:
        """``periods[0]`` holds before ``starts[0]`` (ns since 1970, rising), ``periods[i]`` from ``starts[i - 1]`` on."""
        self._starts = list(starts)
        self._periods = list(periods)

    def is_steady(self, first_ns: int, last_ns: int) -> bool:
        """True when one tariff is in force from one time to another, ns since 1970."""
        period = bisect_right(self._starts, first_ns)
        return len(self._periods[period]) == 1 and period == bisect_right(self._starts, last_ns)

    def at(self, time_ns: int) -> Tariff | None:
        """The tariff at a time, ns since 1970."""
        day = self._periods[bisect_right(self._starts, time_ns)]
        if len(day) == 1:
            return day[0][1]
        since_midnight = time_ns % _DAY_NS
        return next(tariff for start, tariff in reversed(day) if start <= since_midnight)
