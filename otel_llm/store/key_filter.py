"""A Bloom filter of keys, added and asked for by the thousand.

A key sets six bits in each of two words of 64, which are near each other. Where and which follows from its hash, whose bytes
are taken apart for all keys at once; words are read by Arrow's ``take``, which waits for many lines of memory at a time where
a loop waits for each. With 32 bits a key, one strange key in about 40,000 looks known.
"""

import struct
import sys
from array import array
from collections.abc import Collection, Sequence
from itertools import islice
from typing import Any, Final, Generic, NamedTuple

from arro3.core import Array

from otel_llm.store.keys import Id

_WORDS = 1 << 21  # 16 MiB a filter
FILTER_KEYS = _WORDS * 2
"""Keys that a filter holds when it is full."""
_AT_ONCE = 1024  # keys; the words of so many stay in a processor's cache between their reading and their writing
_FEW = 24
"""Keys that are looked up one by one: to begin with all at once costs as much as some 25 of them."""
_FOUR_BITS, _FIVE_BITS = (bytes(value & mask for value in range(256)) for mask in (15, 31))


def _patterns() -> list[int]:
    """4096 words with six bits set, drawn once by a fixed rule: what a key may set in a word."""
    state = 0x9E3779B97F4A7C15
    found: list[int] = []
    while len(found) < 4096:
        bits: set[int] = set()
        while len(bits) < 6:
            state = (state * 6_364_136_223_846_793_005 + 1_442_695_040_888_963_407) % 2**64
            bits.add(state >> 58)
        found.append(sum(1 << bit for bit in bits))
    return found


_PATTERNS: Final = _patterns()


class _Marks(NamedTuple):
    """What keys set in one of their two words: for each key the place of the word and the word's bits."""

    places: memoryview
    patterns: Sequence[int]


class Hashed(NamedTuple, Generic[Id]):
    """Some keys of a project, one at least."""

    project: str
    ids: Sequence[Id]
    hashes: bytes
    """Eight random bytes for each id: one of them for the place of each word, two for both places, two for the bits of each
    word."""

    @classmethod
    def of(cls, project: str, ids: Sequence[Id]) -> "Hashed[Id]":
        """The keys, hashed."""
        each = struct.pack(f"{len(ids)}q", *map(hash, ids))
        salt = struct.pack("q", hash(project)) * len(ids)
        mixed = int.from_bytes(each, "little") ^ int.from_bytes(salt, "little")
        return cls(project, ids, mixed.to_bytes(len(each), "little"))

    def numbers(self) -> tuple[int, ...]:
        """The hashes as numbers, the first byte the lowest."""
        return struct.unpack(f"<{len(self.ids)}Q", self.hashes)

    def marks(self, word: int) -> _Marks:
        """What the keys set in their first word, 0, or the second one, 1."""
        own, middle, high, few, many = (self.hashes[at::8] for at in (word, 2, 3, 4 + word, 6 + word))
        patterns = _numbers("H", many, few.translate(_FOUR_BITS)).tolist()
        return _Marks(_numbers("I", own, middle, high.translate(_FIVE_BITS)), list(map(_PATTERNS.__getitem__, patterns)))


def _numbers(code: str, *columns: bytes) -> memoryview:
    """Numbers of the given bytes, the lowest first, where a byte without a column is 0."""
    size = struct.calcsize(code)
    text = bytearray(size * len(columns[0]))
    for at, column in enumerate(columns):
        text[at if sys.byteorder == "little" else size - 1 - at :: size] = column
    return memoryview(text).cast(code)  # type: ignore[call-overload, no-any-return] # it is told of literals only


def _holds(words: "array[int]", number: int) -> bool:
    """True when the words hold what the key of a hash sets in them, as :meth:`Hashed.marks` says."""
    near = number >> 8 & 0xFF00 | number >> 8 & 0x1F0000
    pattern = _PATTERNS[number >> 48 & 0xFF | number >> 24 & 0xF00]
    if words[near | number & 0xFF] & pattern != pattern:
        return False
    pattern = _PATTERNS[number >> 56 | number >> 32 & 0xF00]
    return words[near | number >> 8 & 0xFF] & pattern == pattern


class KeyFilter:
    """Trace and response keys whose spans start no later than ``latest``."""

    __slots__ = ("_arrow", "_words", "keys", "latest")

    def __init__(self) -> None:
        self._words = array("Q", bytes(_WORDS * 8))
        self._arrow = Array.from_buffer(self._words)  # the same memory
        self.keys = 0
        self.latest = 0

    def add(self, project: str, ids: Collection[Any], latest: int) -> None:
        """Takes in keys whose spans start no later than ``latest``."""
        words, read = self._words, self._arrow.take
        coming = iter(ids)
        while some := list(islice(coming, _AT_ONCE)):
            hashed = Hashed.of(project, some)
            for places, patterns in (hashed.marks(0), hashed.marks(1)):
                read(Array.from_buffer(places))  # into the cache
                for place, pattern in zip(places.tolist(), patterns, strict=True):
                    words[place] |= pattern
        self.keys += len(ids)
        self.latest = max(self.latest, latest)

    def among(self, hashed: Hashed[Id]) -> list[Id]:
        """The ids whose keys may be known."""
        if len(hashed.ids) <= _FEW:
            words = self._words
            return [each for each, number in zip(hashed.ids, hashed.numbers(), strict=True) if _holds(words, number)]
        found = self._partly(hashed, 0)
        return self._partly(Hashed.of(hashed.project, found), 1) if found else found

    def _partly(self, hashed: Hashed[Id], word: int) -> list[Id]:
        """The ids whose bits are all set in one of their words."""
        places, patterns = hashed.marks(word)
        held = self._arrow.take(Array.from_buffer(places)).to_pylist()
        return [each for each, bits, pattern in zip(hashed.ids, held, patterns, strict=True) if bits & pattern == pattern]
