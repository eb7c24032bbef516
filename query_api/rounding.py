"""Rounding half up, as LangDB prints numbers (Python and IEEE round half to even)."""

import math

_NOISE = 1e-7
"""Part of the last digit that interpolation in doubles may be off: a value that close below a half counts as the half."""


def ratio(numerator: int, denominator: int, places: int) -> float:
    """An exact ratio of non-negative integers, rounded; 0 when the divisor is 0."""
    if denominator == 0:
        return 0.0
    scale: int = 10**places
    return ((2 * numerator * scale + denominator) // (2 * denominator)) / scale


def rounded(value: float | None, places: int, unit: float = 1.0) -> float:
    """A non-negative double in units of ``unit``, rounded; 0 for None."""
    if value is None:
        return 0.0
    scale: int = 10**places
    return math.floor(value / unit * scale + 0.5 + _NOISE) / scale
