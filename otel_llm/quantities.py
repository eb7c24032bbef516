"""Durations and sizes as people write them: ``90d``, ``12h``, ``64MiB``, ``20GB``."""

import re

_NUMBER = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]*)\s*")

SECONDS: dict[str, float] = {"ms": 0.001, "s": 1, "m": 60, "min": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400}
"""Unit of a duration, in seconds."""
BYTES: dict[str, int] = {
    "b": 1,
    **{
        unit: 10 ** (3 * power)
        for power, units in enumerate((("kb", "k"), ("mb", "m"), ("gb", "g"), ("tb", "t")), 1)
        for unit in units
    },
    **{unit: 2 ** (10 * power) for power, unit in enumerate(("kib", "mib", "gib", "tib"), 1)},
}
"""Unit of a size, in bytes; decimal and binary prefixes."""

DURATION_FORM = "a duration such as 30s, 15m, 12h, 90d or 4w"
SIZE_FORM = "a size such as 500MB, 64MiB or 20GB"


def _split(text: str, form: str) -> tuple[float, str]:
    match = _NUMBER.fullmatch(text)
    if match is None:
        raise ValueError(f"expected {form}")
    return float(match[1]), match[2]


def seconds(text: str) -> float:
    """Seconds of a duration; a bare number is seconds. Raises ValueError."""
    number, unit = _split(text, DURATION_FORM)
    factor = SECONDS.get(unit.lower() or "s")
    if factor is None:
        raise ValueError(f"expected {DURATION_FORM}")
    return number * factor


def size(text: str) -> int:
    """Bytes of a size; a bare number is bytes. Raises ValueError."""
    number, unit = _split(text, SIZE_FORM)
    factor = BYTES.get(unit.lower() or "b")
    if factor is None:
        raise ValueError(f"expected {SIZE_FORM}")
    return int(number * factor)
