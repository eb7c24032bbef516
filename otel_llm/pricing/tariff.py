"""What a call costs at one moment: compiled prices, cheap enough to run for every span.

Input is split into uncached, cache read and cache written tokens, output into reasoning and the rest; a part without a rate
of its own costs what its whole costs. Thresholds apply to all tokens of a call, by its total input.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

_DAY_NS = 86_400_000_000_000
_NO_END = 1 << 64  # tokens

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

    __slots__ = ("_bands", "lowest", "lowest_to", "modal", "source")

    def __init__(self, bands: Sequence[tuple[int, Rates]], source: str, modal: Modal | None = None) -> None:
        self._bands = tuple((threshold, tuple(rates)) for threshold, rates in bands)
        self.lowest = self._bands[-1][1]
        """The rates of most calls; a plain tuple in the order of :class:`Rates`, as it is taken apart faster."""
        self.lowest_to = self._bands[-2][0] if len(bands) > 1 else _NO_END
        """The highest input that these hold for."""
        self.source = source
        self.modal = modal

    def rates(self, input_tokens: int) -> tuple[float, ...]:
        """The rates of a call, in the order of :class:`Rates`."""
        return next((rates for threshold, rates in self._bands if input_tokens > threshold), self.lowest)


Counts = Iterable[int | None]


def costs(
    tariffs: Iterable[Tariff | None],
    input_tokens: Counts,
    output_tokens: Counts,
    cache_read: Counts,
    cache_write: Counts,
    cache_write_1h: Counts,
    reasoning: Counts,
) -> list[float | None]:
    """USD of calls, each by its tariff, from columns of equal length. None without a tariff, and without token counts.

    Counts that are None are 0; parts that exceed their whole never make a cost negative.
    """
    found: list[float | None] = []
    append = found.append
    for tariff, total, outgoing, read, write, write_1h, thought in zip(
        tariffs, input_tokens, output_tokens, cache_read, cache_write, cache_write_1h, reasoning, strict=True
    ):
        if tariff is None or (total is None and outgoing is None):
            append(None)
            continue
        left = total or 0
        rates = tariff.lowest if left <= tariff.lowest_to else tariff.rates(left)
        input_rate, output_rate, read_rate, write_rate, write_1h_rate, thought_rate, call = rates
        cost = 0.0
        if read:
            left -= read
            cost = read * read_rate
        if write:
            left -= write
            hour = min(write_1h or 0, write)
            cost += (write - hour) * write_rate + hour * write_1h_rate
        if left > 0:
            cost += left * input_rate
        if outgoing:
            if thought:
                hidden = min(thought, outgoing)
                cost += (outgoing - hidden) * output_rate + hidden * thought_rate
            else:
                cost += outgoing * output_rate
        append(cost / 1_000_000 + call)
    return found


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
