"""Rounding half up, as LangDB prints numbers (Python and IEEE round half to even)."""

import math
from collections.abc import Sequence

_HALF = 0.5 + 1e-7
"""Interpolation in doubles may be off by that small part of the last digit: a value so close below a half is the half."""


def ratio(numerator: int, denominator: int, places: int) -> float:
    """An exact ratio of non-negative integers, rounded; 0 when the divisor is 0."""
    if denominator == 0:
        return 0.0
    scale: int = 10**places
    return ((2 * numerator * scale + denominator) // (2 * denominator)) / scale


def rounded(values: Sequence[float | None], factor: float, scale: int) -> list[float]:
    """Non-negative doubles times ``factor``, each rounded to a whole number of ``1/scale``; 0 for None."""
    return [0.0 if value is None else math.floor(value * factor + _HALF) / scale for value in values]
