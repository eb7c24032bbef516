"""Time windows on the storable range."""

from typing import NamedTuple

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

    def __contains__(self, time_ns: object) -> bool:
        return isinstance(time_ns, int) and self.first_ns <= time_ns <= self.last_ns


EVER = Window()
"""The window every storable time is in."""


def clamp(time_ns: int) -> int:
    """The time, or the end of the storable range it lies beyond."""
    return min(max(time_ns, MIN_NS), MAX_NS)
