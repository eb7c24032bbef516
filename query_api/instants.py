"""Instants in ISO 8601 text, to the nanosecond."""

import re
from datetime import date
from typing import NamedTuple

_FORM = re.compile(
    r"(\d{4})-(\d{2})-(\d{2})"
    r"(?:[Tt ](\d{2}):(\d{2})(?::(\d{2})(?:[.,](\d+))?)?([Zz]|[+-]\d{2}(?::?\d{2})?)?)?",
    re.ASCII,
)
_EPOCH_DAY = date(1970, 1, 1).toordinal()
_NS = 1_000_000_000


class Instant(NamedTuple):
    """A parsed time: ns since 1970, and how precisely it was given."""

    ns: int
    date_only: bool = False
    fraction_digits: int = 0


def parse_instant(text: str) -> Instant | None:
    """The instant of an ISO 8601 date (its midnight) or date-time; UTC when no zone is given. None when it is neither."""
    match = _FORM.fullmatch(text)
    if match is None:
        return None
    year, month, day, hour, minute, second, fraction, zone = match.groups()
    try:
        days = date(int(year), int(month), int(day)).toordinal() - _EPOCH_DAY
    except ValueError:
        return None
    if hour is None:
        return Instant(days * 86_400 * _NS, date_only=True)
    hours, minutes, seconds = int(hour), int(minute), int(second or 0)
    offset = _offset_s(zone)
    if hours > 23 or minutes > 59 or seconds > 59 or offset is None:
        return None
    digits = fraction or ""
    total = days * 86_400 + hours * 3_600 + minutes * 60 + seconds - offset
    return Instant(total * _NS + int(digits[:9].ljust(9, "0")), fraction_digits=len(digits))


def _offset_s(zone: str | None) -> int | None:
    if zone is None or zone in "Zz":
        return 0
    digits = zone[1:].replace(":", "")
    hours, minutes = int(digits[:2]), int(digits[2:] or 0)
    if hours > 23 or minutes > 59:
        return None
    return (hours * 3_600 + minutes * 60) * (-1 if zone[0] == "-" else 1)
