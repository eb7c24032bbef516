"""Stencils: a span that differs from one read before in ids, counts and times only is filled in, not read anew.

An instrumentation writes the same keys in the same order on all of its spans, and most of their values again and again;
what is new on each span are response ids, users, token counts, durations. The attributes of one key order (a *shape*) are
therefore told apart: *varying* ones feed fields that decide nothing about others, or none at all; the rest is *fixed*. All
that the fixed ones, the name, the kind and the status decide together is kept as the row of the first span that had them
(a *stencil*). The next such span copies it and reads its varying attributes.

Nothing is decided here: a stencil is a result of the reading in :mod:`otel_llm.conventions.extract`, and whatever is out of
the ordinary (an unreadable value, a count of zero, an event) goes back to it. Which attributes vary is learned from the
spans that were read there.
"""

import struct
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from math import isfinite
from operator import itemgetter
from typing import Any, Final, NamedTuple

import msgspec

from otel_llm.conventions import values
from otel_llm.conventions.content import Guard
from otel_llm.conventions.frames import Frames
from otel_llm.conventions.pattern import MAX_CHOICES, Gathered, Matched, Pattern, TooMuch, Values, Varying, form_of
from otel_llm.conventions.routes import WIDE, Plan
from otel_llm.conventions.slots import SLOT
from otel_llm.conventions.values import BadValueError
from otel_llm.conventions.wire import DOUBLE_TAG, MAX_PAIR_BYTES, TEXT_TAG, VALUE_TAG, read_pair, value_at

VARYING_AFTER: Final = 24
"""Different values of an attribute after which it is taken as varying."""
MAX_SHAPES: Final = 64
"""Shapes of one resource and scope."""
MAX_STENCILS: Final = 512
"""Stencils of a shape. More come of many attributes with a few values each: then the busiest of them varies."""
MAX_MISSES: Final = 4096
"""Spans of a shape without a stencil, more than those with one, after which it is given up."""
MAX_BYTES: Final = 64 << 20
"""Bytes of the shapes and stencils in the process, by estimate; beyond that all is learned anew. A stencil of 18 attributes
takes about 4 kB."""
MAX_CELLS: Final = 65_536
"""Values of varying attributes remembered in the process, each of at most 256 bytes."""
MAX_COLUMN_CELLS: Final = 1024
"""Values remembered of one attribute; ids never come again and only pass through."""

PATTERN_AFTER: Final = 512
"""Spans filled in after which a shape gets a pattern, and four times as many after which it gets the next one."""

MANY: Final = 4
"""Spans that are worth looking for a pattern in; for several patterns it takes twice as many."""

_MEASURED: Final = ("input_tokens", "output_tokens", "total_tokens")
_FREE: Final = frozenset(
    SLOT[name]
    for name in (
        *_MEASURED,
        "cache_read_tokens",
        "cache_write_tokens",
        "cache_write_1h_tokens",
        "cache_write_5m_tokens",
        "reasoning_tokens",
        "inclusive_detail",
        "cost_reported_input",
        "cost_reported_output",
        "user_id",
        "user_name",
        "session_id",
        "response_id",
        "provider_request_id",
        "trace_name",
        "prompt_version",
        "release",
        "version",
        "agentlens_agent_id",
        "server_ttft",
        "ai_llm_id",
        "api_key_id",
        "repo_id",
    )
)
"""Fields that no decision about another field asks for, or that are settled anew on each span."""
_FREE_GATHERED: Final = frozenset(SLOT[name] for name in ("ttft", "first_token_at", "cost"))
"""The same for fields that collect several sources."""
_COUNTED: Final = tuple(SLOT[name] for name in _MEASURED)

_BYTES_OF_STENCIL: Final = 2000
"""Its row and lists; the texts in it are counted."""
_BYTES_OF_KEY: Final = 1000
"""An attribute of a shape: digests of the values that were seen."""

_double: Final = struct.Struct("<d").pack
_encode: Final = msgspec.json.Encoder().encode
_NUL: Final = "\\u0000"
_QUOTE: Final = b'"'
_PLAIN: Final = bytes(byte for byte in range(0x20, 0x100) if byte not in b'"\\\x7f')
"""UTF-8 of what is written in JSON as it is."""


class Target(NamedTuple):
    """What a varying attribute feeds: a slot by a reader; ``rank`` and ``label`` where the slot collects."""

    slot: int
    read: Callable[[Any], Any]
    gathered: tuple[int, str] | None


Cell = tuple[str, tuple[tuple[int, Any], ...], tuple[Any, ...]]
"""One value of a varying attribute: its piece of the JSON text, slots with what they hold, and what they hold alone."""
_DROPPED: Final[Cell] = ("", (), ())
"""Every value of message content."""


class Column:
    """One varying attribute of a shape."""

    __slots__ = ("_kept", "_key", "_memory", "_nothing", "_prefix", "_treat", "cells", "forms", "head", "targets")

    def __init__(
        self,
        head: bytes,
        key: str,
        targets: tuple[Target, ...],
        treat: Callable[[Any], Any] | None,
        memory: "Memory",
        *,
        kept: bool,
    ) -> None:
        """``head`` are the encoded key's bytes; ``treat`` is what the guard does to the attribute's values; those of an
        attribute that is not ``kept`` need only be readable."""
        self.head = head
        self._key = key
        self._kept = kept
        self._prefix = _encode(key).decode() + ":"
        self.targets = targets
        self._treat = treat
        self._memory = memory
        self._nothing: Cell = ("", tuple((target.slot, None) for target in targets), (None,) * len(targets))
        self.cells: dict[bytes, Cell] = {}
        self.forms: set[tuple[int, int]] = set()
        """How the values were written, see :func:`otel_llm.conventions.pattern.form_of`."""

    @property
    def kind(self) -> int | None:
        """The tag of all values that have been seen, when those are texts or numbers and are stored as they are; else None."""
        tags = {tag for tag, _ in tuple(self.forms)}  # a copy: another thread may add to them
        if self._kept and self._treat is None and tags in ({TEXT_TAG}, {DOUBLE_TAG}):
            return tags.pop()
        return None

    def around(self, kind: int | None) -> tuple[str, str]:
        """What comes before and behind each value in the JSON text, by the kind of the values."""
        if kind is None:
            return "", ""
        return (self._prefix + '"', '"') if kind == TEXT_TAG else (self._prefix, "")

    def read_all(self, found: Sequence[Any], kind: int | None) -> Values:
        """The values of many spans: bytes of texts, numbers, or encoded attributes, by the kind."""
        if kind is None:
            return self._read_cells(found)
        alike = self._read_texts(found) if kind == TEXT_TAG else self._read_numbers(found)
        if alike is not None:
            return alike
        read = self._read_cells([self._encoded(value, kind) for value in found])
        before, behind = map(len, self.around(kind))
        return read._replace(pieces=[piece[before : len(piece) - behind] for piece in read.pieces])

    def _encoded(self, value: Any, kind: int) -> bytes:
        """The encoded attribute of a short text or a number."""
        content = bytes((kind, len(value))) + value if kind == TEXT_TAG else bytes((kind,)) + _double(value)
        return self.head + bytes((VALUE_TAG, len(content))) + content

    def _read_cells(self, encoded: Sequence[bytes]) -> Values:
        cells: list[Any] = list(map(self.cells.get, encoded))
        if cells.count(None) * 2 > len(cells):
            alike = self._read_integers(encoded)
            if alike is not None:
                return alike
        bad: list[int] = []
        if not all(cells):
            for row, cell in enumerate(cells):
                if cell is None:
                    read = self.read(encoded[row])
                    if read is None:
                        bad.append(row)
                    cells[row] = read or self._nothing
        pieces, _, held = zip(*cells, strict=True)
        return Values(pieces, list(map(list, zip(*held, strict=True))), bad)

    def _read_texts(self, encoded: Sequence[bytes]) -> Values | None:
        """Texts that need no escape; None when one of them is not."""
        together = _QUOTE.join(encoded)
        if together.translate(None, _PLAIN) != _QUOTE * (len(encoded) - 1):
            return None
        try:
            found = together.decode().split('"')
        except UnicodeDecodeError:
            return None
        return self._fed(found, found)

    def _read_integers(self, encoded: Sequence[bytes]) -> Values | None:
        """Integers of few bytes, of encoded attributes; None when one of them is something else."""
        head, start = self.head, len(self.head)
        if not self._kept or self._treat is not None or not all(each.startswith(head) for each in encoded):
            return None
        found = [value_at(each, start) for each in encoded]
        if set(map(type, found)) != {int}:
            return None
        return self._fed([self._prefix + text for text in _encode(found)[1:-1].decode().split(",")], found)

    def _read_numbers(self, found: Sequence[float]) -> Values | None:
        """Finite numbers; None when one of them is not."""
        return self._fed(_encode(found)[1:-1].decode().split(","), found) if isfinite(sum(found)) else None

    def _fed(self, pieces: Sequence[str], found: Sequence[Any]) -> Values | None:
        """What the targets are fed of values; None when one of them is out of the ordinary."""
        fed: list[Any] = []
        for _, read, gathered in self.targets:
            each = _read_each(read, found)
            if each is None:
                return None
            fed.append(each if gathered is None else Gathered(*gathered, each))
        return Values(pieces, fed, ())

    def read(self, encoded: bytes) -> Cell | None:
        """The cell of a value that is not remembered; None when the value is to be read as part of its span."""
        head = self.head
        if not encoded.startswith(head):
            return None
        form = form_of(encoded, head)
        if form is not None and len(self.forms) <= MAX_CHOICES:
            self.forms.add(form)
        value = value_at(encoded, len(head))
        if value is None:
            pair = read_pair(encoded)
            if pair is None or pair[0] != self._key or pair[1] is None:
                return None
            value = pair[1]
        if not self._kept:
            return _DROPPED
        text = _encode(value).decode()
        if _NUL in text:  # before the treatment: what is hashed is the clean text
            return None
        if self._treat is not None:
            value = self._treat(value)
            text = _encode(value).decode()
        fed = []
        for slot, read, gathered in self.targets:
            try:
                found = read(value)
            except BadValueError:
                return None
            if found is None:
                return None
            fed.append((slot, found if gathered is None else [(*gathered, found)]))
        cell = (self._prefix + text, tuple(fed), tuple(found for _, found in fed))
        if len(encoded) > MAX_PAIR_BYTES:
            return cell
        memory = self._memory
        if len(self.cells) >= MAX_COLUMN_CELLS or memory.cells >= MAX_CELLS:
            memory.forget(self.cells)
        self.cells[encoded] = cell
        memory.cells += 1
        return cell


def _read_each(read: Callable[[Any], Any], found: Sequence[Any]) -> list[Any] | None:
    """Values, all numbers that are finite or all short texts without quotes, by a reader; None when one says nothing or
    something impossible."""
    if read is values.text and found[0].__class__ is str:
        return list(found) if all(found) else None
    if read is values.seconds and found[0].__class__ is float:
        return values.seconds_of_all(found)
    try:
        each = list(map(read, found))
    except BadValueError:
        return None
    return None if None in each else each


class Stencil(NamedTuple):
    """The row of a span up to what is measured, and the pieces of its attributes' JSON text."""

    row: list[Any]
    pieces: list[str]
    live: int
    """Bits of the slots that hold something, in this row or by a varying attribute."""
    role: str


class Shape:
    """All spans of one resource and scope whose attributes have the same keys in the same order."""

    __slots__ = (
        "_bytes",
        "_filled",
        "_learning",
        "_memory",
        "_patience",
        "_ranks",
        "_seen",
        "counts",
        "keys",
        "misses",
        "pattern",
        "pick",
        "places",
        "plan",
        "stencils",
        "varying",
    )

    def __init__(self, keys: tuple[str, ...], plan: Plan, ranks: Mapping[int, int], memory: "Memory") -> None:
        """``ranks`` are those of what the resource fed."""
        self.keys = keys
        self.plan = plan
        self._ranks = ranks
        self._memory = memory
        self._learning = threading.Lock()
        self._seen: list[set[int] | None] = [set() for _ in keys]
        """Digests of the values of each attribute; None for one that varies."""
        self.varying: tuple[tuple[int, int, dict[bytes, Cell], Column], ...] = ()
        """Attribute's place, its piece's place, cells, column."""
        self.stencils: dict[Any, Stencil] = {}
        self._bytes = 0
        self.pattern: Pattern | None = None
        self._filled = 0
        """Spans that were filled in since the pattern was made: it does not match all that it could."""
        self._patience = PATTERN_AFTER
        self.misses = 0
        self.counts: tuple[int, ...] = ()
        """Slots of token counts that vary: whether one is zero decides more than its field."""
        content = frozenset(plan.content)
        kept = [place for place, key in enumerate(keys) if key not in content]
        self.places = {place: number for number, place in enumerate(kept)}
        """Attribute's place → its piece's place; message content has none."""
        self.pick: Callable[[Any], Any] = _picker(range(len(keys)))

    def learn(self, attributes: list[bytes], guard: Guard | None) -> bool:
        """Notes the values of a span that had no stencil; True when it is worth making one of it."""
        self.misses += 1
        if self.misses > MAX_MISSES:
            return False
        # One thread at a time: what varies and what is picked as fixed must never come from two of them.
        with self._learning:
            if len(self.stencils) >= MAX_STENCILS:
                self._free_the_busiest(attributes, guard)
                return False
            freed = False
            for place, (encoded, seen) in enumerate(zip(attributes, self._seen, strict=True)):
                if seen is not None and len(seen) <= VARYING_AFTER:
                    seen.add(hash(encoded))
                    if len(seen) > VARYING_AFTER and self._vary(place, encoded, guard):
                        freed = True
            if freed:
                self._vary_with_others(attributes, guard)
        return True

    def _vary_with_others(self, attributes: list[bytes], guard: Guard | None) -> None:
        """Makes attributes vary that have many values and waited for the one that goes before them."""
        for place, (encoded, seen) in enumerate(zip(attributes, self._seen, strict=True)):
            if seen is not None and len(seen) > VARYING_AFTER:
                self._vary(place, encoded, guard)

    def filled(self) -> bool:
        """Notes that a span was filled in; True when a pattern was made because of it."""
        self.misses -= 1
        self._filled += 1
        if self._filled < self._patience:
            return False
        with self._learning:
            if self._filled < self._patience:
                return False
            self._filled = 0
            self._patience *= 4
            varying = [Varying(place, piece, column) for place, piece, _, column in self.varying]
            fixed = len(self.keys) - len(varying)
            # A thread may have kept a stencil for what was fixed before.
            stencils = [(key, stencil) for key, stencil in list(self.stencils.items()) if len(key[-1]) == fixed]
            try:
                made = Pattern(stencils, len(self.keys), varying, self.counts, self.plan.dialect)
            except TooMuch:
                made = None
            self._use(made)
            return made is not None

    def learn_layouts(self, pattern: Pattern, frames: Frames, matched: Matched) -> None:
        """Notes how spans are laid out that the expression of a pattern matched."""
        with self._learning:
            if self.pattern is pattern:
                self._resize(pattern.learn(frames, matched))

    def give_up(self, pattern: Pattern) -> None:
        """Lets go of a pattern that matches too little, unless it was replaced already."""
        with self._learning:
            if self.pattern is pattern:
                self._use(None)

    def _use(self, pattern: Pattern | None) -> None:
        old, self.pattern = self.pattern, pattern
        self._resize((pattern.size if pattern else 0) - (old.size if old else 0))

    def _resize(self, by: int) -> None:
        self._bytes += by
        self._memory.bytes += by

    def _free_the_busiest(self, attributes: list[bytes], guard: Guard | None) -> None:
        """Makes the attribute with the most values vary, or starts anew."""
        self._forget()
        fixed = [(len(seen), place) for place, seen in enumerate(self._seen) if seen is not None and len(seen) > 1]
        for _, place in sorted(fixed, reverse=True):
            if self._vary(place, attributes[place], guard):
                return

    def _vary(self, place: int, encoded: bytes, guard: Guard | None) -> bool:
        """Makes an attribute vary; False when its value decides more than its own fields.

        The order below is what lets others read without the lock: whoever picks the new fixed attributes sees the new
        varying ones, and a stencil of before has the value of the attribute in its key.
        """
        key = self.keys[place]
        head = encoded[: encoded[1] + 2]
        targets = self._targets(key)
        if targets is None or head[2:] != key.encode():
            return False
        treat = guard.treatment(key) if guard is not None else None
        self._seen[place] = None
        piece = self.places.get(place, -1)
        column = Column(head, key, targets, treat, self._memory, kept=piece >= 0)
        self.varying = (*self.varying, (place, piece, column.cells, column))
        fed = {target.slot for _, _, _, each in self.varying for target in each.targets}
        self.counts = tuple(slot for slot in _COUNTED if slot in fed)
        places = {entry[0] for entry in self.varying}
        self.pick = _picker(number for number in range(len(self.keys)) if number not in places)
        self._forget()
        self._memory.columns.append(column.cells)
        return True

    def _forget(self) -> None:
        self.pattern = None
        self.stencils.clear()
        self._memory.bytes -= self._bytes
        self._bytes = 0

    def _targets(self, key: str) -> tuple[Target, ...] | None:
        """What an attribute feeds in this shape; None when it must not vary.

        It feeds nothing where another attribute goes before it that varies: such a one says something on every span that is
        filled in, or that a pattern matches.
        """
        plan = self.plan
        if key in plan.content:
            return ()
        if key in plan.parameters or any(key == opened[0] for opened in plan.opened):
            return None
        fed = {target.slot for _, _, _, column in self.varying for target in column.targets}
        found: list[Target] = []
        for slot, first, read, others in plan.steps:
            if key == first and slot in _FREE:
                found.append(Target(slot, read, None))
            elif key == first or (any(key == other for other, _ in others) and slot not in fed):
                return None
        for slot, listed in plan.shared:
            if any(key == candidate.key for candidate in listed):
                if key != listed[0].key and slot in fed:
                    continue
                if key != listed[0].key or slot not in _FREE:
                    return None
                if listed[0].rank <= self._ranks.get(slot, listed[0].rank):  # or the resource's value goes before
                    found.append(Target(slot, listed[0].read, None))
        for slot, rank, label, gathered, read in plan.gathers:
            if gathered == key:
                alone = [entry for entry in plan.gathers if entry[0] == slot]
                if slot not in _FREE_GATHERED or len(alone) > 1:
                    return None
                found.append(Target(slot, read, (rank, label if label is not None else key.split("#", 1)[0])))
        return tuple(found)

    def keep(self, key: Any, row: list[Any], raw: dict[str, Any], role: str) -> None:
        """Makes a stencil of a row that was read, up to what is measured; ``raw`` are its attributes as stored.

        Not of one that could not have been filled in itself: that a response id is missing, or no token was used, may have
        decided what the span is.
        """
        memory = self._memory
        if memory.full or key in self.stencils or any(not row[slot] for slot in self.counts):
            return
        row = row[:]
        live = 0
        for slot in {target.slot for _, _, _, column in self.varying for target in column.targets}:
            if row[slot] is None:
                return
            row[slot] = None
            live |= 1 << slot
        for slot, value in enumerate(row):
            if value is not None:
                live |= 1 << slot
        pieces = [_encode({key: raw[key]})[1:-1].decode() for place, key in enumerate(self.keys) if place in self.places]
        self.stencils[key] = Stencil(row, pieces, live, role)
        self._resize(_BYTES_OF_STENCIL + sum(map(len, pieces)) + sum(map(len, key[-1])))


def _picker(places: Iterable[int]) -> Callable[[Any], Any]:
    """A function that takes the items at some places, however many."""
    listed = tuple(places)
    if len(listed) > 1:
        return itemgetter(*listed)
    return lambda items: tuple(items[place] for place in listed)


class Scope(NamedTuple):
    """An instrumentation scope, as it is stored."""

    name: str
    version: str

    @classmethod
    def of(cls, name: str, version: str) -> "Scope":
        """The scope of these texts."""
        return cls(values.clean(name)[: values.TEXT_CAP], values.clean(version)[: values.TEXT_CAP])


class Family:
    """The shapes of one resource and scope, by number of attributes."""

    __slots__ = ("_by_keys", "_memory", "_ranks", "by_width", "scope")

    def __init__(self, ranks: Mapping[int, int], memory: "Memory") -> None:
        self._ranks = ranks
        self._memory = memory
        self._by_keys: dict[tuple[str, ...], Shape] = {}
        self.by_width: dict[int, list[Shape]] = {}
        self.scope: Scope | None = None
        """None until it was read."""

    def patterns(self) -> list[tuple[Shape, Pattern]]:
        """The shapes that have a pattern, with it."""
        # a copy: another thread may add to them
        return [(shape, shape.pattern) for shape in list(self._by_keys.values()) if shape.pattern is not None]

    def shape(self, keys: tuple[str, ...], plan: Plan) -> Shape | None:
        """The shape of a key order; None when there are too many already."""
        found = self._by_keys.get(keys)
        if found is None:
            memory = self._memory
            if len(self._by_keys) >= MAX_SHAPES or memory.full or len(keys) > WIDE or plan.dialect.name == "spring_ai":
                return None
            memory.bytes += len(keys) * _BYTES_OF_KEY
            found = self._by_keys[keys] = Shape(keys, plan, self._ranks, memory)
            self.by_width.setdefault(len(keys), []).append(found)
        return found


class Memory:
    """What is remembered of all shapes, so that it can be bounded."""

    __slots__ = ("bytes", "cells", "columns")

    def __init__(self) -> None:
        self.cells = 0
        self.bytes = 0
        """Of all shapes and stencils."""
        self.columns: list[dict[bytes, Cell]] = []

    @property
    def full(self) -> bool:
        """True when all of it should be forgotten."""
        return self.bytes >= MAX_BYTES

    def forget(self, cells: dict[bytes, Cell]) -> None:
        """Empties one column, or all of them when there are too many cells."""
        if self.cells >= MAX_CELLS:
            for each in self.columns:
                each.clear()
            self.cells = 0
        else:
            self.cells -= len(cells)
            cells.clear()
