"""Layouts: where the parts of a span lie when every length in it is known.

Spans of a pattern whose lengths are all alike differ in some places only: ids, times, the values of varying attributes. Such
a span is taken apart by two :class:`struct.Struct`: one gives the bytes between the varying places, which must be those of
the layout, the other the varying parts. That costs a fourth of matching the expression. A layout is learned from a match,
so that the expression alone says what a pattern covers; candidates for a span are found by its first bytes, which hold its
length.

A varying part holds any bytes: its lengths and tags are outside of it, or whoever reads it checks them.
"""

import struct
from collections import Counter
from collections.abc import Sequence
from itertools import compress, repeat
from operator import eq, itemgetter, not_
from typing import Any, Final, NamedTuple

from otel_llm.conventions.frames import SIZES

MAX_LAYOUTS: Final = 128
"""Layouts of a pattern."""
MAX_ALIKE: Final = 4
"""Layouts whose spans begin alike; to try one in vain takes a fifth of matching the expression."""
MAX_LEARNED: Final = 8
"""Layouts learned of one scope; each costs as much as matching ten spans."""
MAX_MISSED: Final = 8192
"""Spans that the layouts of a pattern missed, once there are as many as may be, after which all are learned anew."""
MIN_TRIED: Final = 4096
MIN_SHARE: Final = 4
"""Layouts of which less than one in so many fits when it is tried are not worth it."""

_BYTES_OF_PART: Final = 160
"""A part of a layout: the object of what lies before it, its places in the two Structs, and their formats (measured: 130 to
160)."""

_unpack: Final = struct.Struct.unpack_from


class Part(NamedTuple):
    """A varying part of a span: its place from the span's first byte on, and how a Struct reads it, or passes over it."""

    at: int
    size: int
    form: str


class Layout(NamedTuple):
    """One layout of a pattern's spans."""

    between: struct.Struct
    """Reads what lies between the varying parts."""
    fixed: tuple[bytes, ...]
    """What must be found there."""
    varying: struct.Struct
    fixed_as: int
    """Number of what the fixed attributes are."""

    @classmethod
    def of(cls, span: bytes, parts: Sequence[Part], fixed_as: int) -> "Layout":
        """The layout of a span; ``parts`` are in order and do not overlap."""
        between, varying = ["<"], ["<"]
        at = 0
        for part in parts:
            gap = part.at - at
            between.append(f"{gap}s{part.size}x")
            varying.append(f"{gap}x{part.form}")
            at = part.at + part.size
        rest = len(span) - at
        fixed = struct.Struct("".join([*between, f"{rest}s"]))
        return cls(fixed, fixed.unpack(span), struct.Struct("".join([*varying, f"{rest}x"])), fixed_as)

    def equals(self, other: "Layout") -> bool:
        """True when spans of both are taken apart alike."""
        return self.fixed == other.fixed and self.varying.format == other.varying.format

    @property
    def size(self) -> int:
        """Bytes, by estimate."""
        return sum(map(len, self.fixed)) + _BYTES_OF_PART * len(self.fixed)


class Taken(NamedTuple):
    """Spans that were taken apart."""

    rows: list[tuple[Any, ...]]
    """The varying parts of each."""
    fixed_as: list[int]
    places: list[int]
    left: list[int]
    """Places of the spans without a layout."""


class Layouts:
    """The layouts of one pattern. Threads read them without a lock; :meth:`missed` and :meth:`learn` are for one at a
    time."""

    __slots__ = ("_by_rank", "_missed", "_tried", "_useless", "matched", "size")

    def __init__(self) -> None:
        self._by_rank: tuple[dict[bytes, Layout], ...] = ()
        """First bytes of a span → its first candidate, its second, and so on."""
        self.size = 0
        """Bytes, by estimate."""
        self.matched = self._tried = self._missed = 0
        self._useless = False

    def take(self, encoded: bytes, starts: Sequence[int], heads: Sequence[bytes], places: Sequence[int]) -> Taken:
        """Takes apart those spans of a scope that have a layout. ``starts`` and ``heads`` are of all its spans, ``places`` are
        those that are asked for."""
        taken = Taken([], [], [], [])
        for candidates in self._by_rank:
            if not places:
                break
            places = self._take(candidates, encoded, starts, heads, places, taken)
        taken.left.extend(places)
        taken.left.sort()
        return taken

    def _take(
        self,
        candidates: dict[bytes, Layout],
        encoded: bytes,
        starts: Sequence[int],
        heads: Sequence[bytes],
        places: Sequence[int],
        taken: Taken,
    ) -> Sequence[int]:
        """Tries one candidate of each span; returns the places of those that have others."""
        found = list(map(candidates.get, _at(heads, places)))
        if None in found:
            known = [layout is not None for layout in found]
            taken.left.extend(compress(places, map(not_, known)))
            places = list(compress(places, known))
            found = list(compress(found, known))
            if not found:
                return ()
        between, fixed, varying, fixed_as = zip(*found, strict=True)
        begins = _at(starts, places)
        fits = list(map(eq, map(_unpack, between, repeat(encoded), begins), fixed))
        rest: Sequence[int] = ()
        self._tried += len(fits)
        if not all(fits):
            rest = list(compress(places, map(not_, fits)))
            places, begins = list(compress(places, fits)), list(compress(begins, fits))
            varying, fixed_as = tuple(compress(varying, fits)), tuple(compress(fixed_as, fits))
        self.matched += len(places)
        taken.rows.extend(map(_unpack, varying, repeat(encoded), begins))
        taken.fixed_as.extend(fixed_as)
        taken.places.extend(places)
        return rest

    def missed(self, heads: Sequence[bytes]) -> list[int]:
        """Notes spans that had no layout, by their first bytes; returns which of them are worth learning: one of those that
        begin alike, where these bytes say how long a span is and there is room for one more layout."""
        if self._tried > MIN_TRIED and self.matched * MIN_SHARE < self._tried:
            self._useless = True
            self._forget()
        if self._useless:
            return []
        self._missed += len(heads)
        count = sum(map(len, self._by_rank))
        if count >= MAX_LAYOUTS:
            if self._missed < MAX_MISSED:
                return []
            self._forget()
            count = 0
        self._missed = 0
        full = self._by_rank[-1] if len(self._by_rank) == MAX_ALIKE else {}
        open_heads = Counter(head for head in heads if SIZES[head] and head not in full)
        return [heads.index(head) for head, _ in open_heads.most_common(min(MAX_LAYOUTS - count, MAX_LEARNED))]

    def _forget(self) -> None:
        self._by_rank = ()
        self.size = 0

    def learn(self, head: bytes, layout: Layout) -> None:
        """Adds a layout of spans that begin so, unless it is there or there are enough of them."""
        ranks = self._by_rank
        alike = [candidates[head] for candidates in ranks if head in candidates]
        if len(alike) >= MAX_ALIKE or any(map(layout.equals, alike)):
            return
        rank = len(alike)
        added = {**(ranks[rank] if rank < len(ranks) else {}), head: layout}
        self._by_rank = (*ranks[:rank], added, *ranks[rank + 1 :])
        self.size += layout.size


def _at(items: Sequence[Any], places: Sequence[int]) -> Sequence[Any]:
    """The items at some places."""
    if len(places) == len(items):
        return items
    return itemgetter(*places)(items) if len(places) > 1 else [items[place] for place in places]
