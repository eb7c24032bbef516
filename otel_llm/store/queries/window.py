"""Time windows on the storable range."""

from typing import Any, NamedTuple

import sqlalchemy as sa

MIN_NS = -(2**63)
MAX_NS = 2**63 - 1
NS_PER_US = 1_000
NS_PER_S = 1_000_000_000
DAY_NS = 86_400 * NS_PER_S


class Window(NamedTuple):
    """Nanoseconds since 1970, both ends inclusive; empty when the first is later than the last."""

    first_ns: int = MIN_NS
    last_ns: int = MAX_NS

    @classmethod
    def of(cls, first_ns: int | None = None, last_ns: int | None = None) -> "Window":
        """A window, its ends brought into the range a 64-bit column can be compared with; None is open."""
        return cls(
            MIN_NS if first_ns is None else clamp(first_ns),
            MAX_NS if last_ns is None else clamp(last_ns),
        )

    @classmethod
    def before(cls, first_ns: int | None, end_ns: int | None) -> "Window":
        """A window whose end is exclusive."""
        return cls.of(first_ns, None if end_ns is None else end_ns - 1)

    @property
    def width(self) -> int:
        """From the first to the last nanosecond."""
        return self.last_ns - self.first_ns

    @property
    def is_empty(self) -> bool:
        """True when no time is in it."""
        return self.first_ns > self.last_ns

    def common(self, other: "Window") -> "Window":
        """The times in both."""
        return Window(max(self.first_ns, other.first_ns), min(self.last_ns, other.last_ns))

    def __contains__(self, time_ns: object) -> bool:
        return isinstance(time_ns, int) and self.first_ns <= time_ns <= self.last_ns


EVER = Window()
"""The window every storable time is in."""


def clamp(time_ns: int) -> int:
    """The time, or the end of the storable range it lies beyond."""
    return min(max(time_ns, MIN_NS), MAX_NS)


def within(time_ns: sa.ColumnElement[Any], window: Window) -> list[sa.ColumnElement[Any]]:
    """The time lies in the window. An open end asks for nothing: a store by columns would read all times to find them in it."""
    conditions: list[sa.ColumnElement[Any]] = []
    if window.first_ns > MIN_NS:
        conditions.append(time_ns >= window.first_ns)
    if window.last_ns < MAX_NS:
        conditions.append(time_ns <= window.last_ns)
    return conditions
