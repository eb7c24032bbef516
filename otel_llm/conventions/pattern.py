"""Patterns: like spans found in a request's bytes by one regular expression, and turned into columns at once.

A :class:`~otel_llm.conventions.stencil.Shape` says how a span's attributes follow each other, which of them vary, and what
the others decide together. Written as a regular expression over the encoded span it finds what is new on a span in one
pass: no span and no attribute becomes an object. What the spans of a scope have in one place becomes a column, checked and
read as a whole. Spans that are laid out like one that the expression matched need the expression no more, see
:mod:`otel_llm.conventions.layout`.

A pattern matches less than a stencil covers, never more: each length is part of it, so that a match holds whole fields
only. A span that does not match, or that is out of the ordinary, is left to the stencil or to the reading of a single span.
"""

import re
import struct
from collections.abc import Callable, Collection, Iterable, Sequence
from itertools import compress, count, repeat
from operator import gt, itemgetter, sub
from typing import Any, Final, NamedTuple, Protocol

from otel_llm.conventions import timing, usage
from otel_llm.conventions.dialect import Dialect
from otel_llm.conventions.frames import Frames
from otel_llm.conventions.identity import NO_SPAN, NO_TRACE
from otel_llm.conventions.layout import Layout, Layouts, Part
from otel_llm.conventions.slots import SLOT
from otel_llm.conventions.values import INT64_MAX
from otel_llm.conventions.wire import DOUBLE_TAG, INT_TAG, ONE_BYTE, TEXT_TAG, VALUE_TAG
from otel_llm.otlp import varint
from otel_llm.spans import CALL_ROLES, FIELD_NAMES

MAX_GROUPS: Final = 100
MAX_CHOICES: Final = 48
"""Different values of a fixed attribute, and different lengths of a varying one."""
MIN_TRIED: Final = 4096
MIN_SHARE: Final = 32
"""A pattern that matches less than one in so many spans is not worth trying."""
MAX_SOURCE: Final = 12_288
"""Bytes of the expression; to compile a kilobyte takes about ten milliseconds."""

_FIELDS: Final = len(FIELD_NAMES)
_FIRST_FIXED: Final = 3  # of the fields of a stencil, behind name, kind and status

_LONGEST_INT: Final = 9  # bytes of a varint that is not negative
_BEFORE_TEXT: Final = 4  # bytes between an encoded key and a short text: tag and length of the value and of the text
_HEAD: Final = rb"\x12[\x80-\xff]{0,2}[\x00-\x7f]"
"""Tag and length of a span."""
_IDS: Final = rb"\x0a\x10(.{16})\x12\x08(.{8})"
_PARENT_ID: Final = rb"(?:\x22\x08(.{8})|\x22\x00)?"
_NO_NAME: Final = rb"(?:\x2a\x00)?"
_NO_KIND: Final = rb"(?:\x30\x00)?"
_NO_STATUS: Final = rb"(?:\x7a\x00|\x7a\x02\x18\x00)?"
"""Some write fields of which there is nothing to say; JavaScript's exporter writes all counts and the code of a status."""
_TRACE_GROUP, _SPAN_GROUP = 0, 1
_NO_PARENT: Final = (b"", NO_SPAN)
_NAME_TAG, _KIND_TAG, _ATTRIBUTE_TAG, _STATUS_TAG = b"\x2a", b"\x30", b"\x4a", b"\x7a"
_TIMES: Final = rb"(\x39.{8}\x41.{8})"
_LONGEST_STATE: Final = 64
_STATE: Final = (
    b"(\x1a(?:" + b"|".join(re.escape(bytes((size,))) + b".{%d}" % size for size in range(_LONGEST_STATE + 1)) + b"))?"
)
"""A trace state of up to so many bytes; one of more bytes than that is rare."""
_DROPPED: Final = b"".join(b"(?:%c[\x80-\xff]{0,4}[\x00-\x7f])?" % tag for tag in b"\x50\x60\x70")
"""How many attributes, events and links the SDK dropped: nothing is stored of it on a span without events."""
_FLAGS: Final = rb"(\x85\x01.{4})?"
_BEFORE_UNREAD: Final = 2  # bytes before what a trace state is, and flags are

_TRACE, _SPAN, _PARENT = SLOT["trace_id"], SLOT["span_id"], SLOT["parent_span_id"]
_START, _END, _ATTRIBUTES = SLOT["start_ns"], SLOT["end_ns"], SLOT["attributes"]
_INPUT, _OUTPUT, _READ = SLOT["input_tokens"], SLOT["output_tokens"], SLOT["cache_read_tokens"]
_TTFT, _TTFT_NS, _SOURCE = SLOT["ttft"], SLOT["ttft_ns"], SLOT["ttft_source"]
_STREAMING, _PROVIDER, _SCOPE = SLOT["is_streaming"], SLOT["provider"], SLOT["scope_name"]
_INCLUSIVE = SLOT["inclusive_detail"]
_ROUGH: Final = frozenset(
    SLOT[name]
    for name in (
        "total_tokens",
        "cache_write_tokens",
        "reasoning_tokens",
        "modality_tokens",
        "usage_shape",
        "logged_duration",
        "first_token_at",
        "cost",
        "cache_hit",
    )
)
"""What must not be there, or must be zero, for a span to be measured as part of a column."""
_ROUGH_AT_ZERO: Final = frozenset(SLOT[name] for name in ("cache_write_1h_tokens", "cache_write_5m_tokens", "server_ttft"))
"""What must not be there, even as zero: a zero becomes another value, or says that the span was timed."""

MEASURED: Final = tuple(
    SLOT[name]
    for name in (
        "start_ns",
        "end_ns",
        "input_tokens",
        "output_tokens",
        "cache_read_tokens",
        "cache_write_tokens",
        "cache_write_1h_tokens",
        "reasoning_tokens",
        "modality_tokens",
        "tokens_adjusted",
        "ttft_ns",
        "ttft_source",
        "is_streaming",
        "cost_reported",
        "cost_reported_source",
        "cost_reported_input",
        "cost_reported_output",
    )
)
"""Slots that are settled on every span anew."""


class Column(Protocol):
    """A varying attribute, as :class:`otel_llm.conventions.stencil.Column` is one."""

    @property
    def head(self) -> bytes:
        """The encoded key."""

    @property
    def forms(self) -> Collection[tuple[int, int]]:
        """Tags of values, with the size of the whole attribute, that have been seen; see :func:`form_of`."""

    @property
    def targets(self) -> Sequence[Any]:
        """What it feeds."""

    @property
    def kind(self) -> int | None:
        """The tag of all values that have been seen, when those can be read without their keys; else None."""

    def around(self, kind: int | None) -> tuple[str, str]:
        """What comes before and behind each value in the JSON text."""

    def read_all(self, found: Sequence[Any], kind: int | None) -> "Values":
        """The values of many spans: bytes of texts, numbers, or encoded attributes, by the kind."""


class Stencil(Protocol):
    """What fixed attributes decide, as :class:`otel_llm.conventions.stencil.Stencil`."""

    @property
    def row(self) -> list[Any]:
        """All slots, those of varying attributes empty."""

    @property
    def pieces(self) -> list[str]:
        """The attributes' JSON text."""

    @property
    def role(self) -> str:
        """The span's role."""


_Segment = int | str | list[str]
"""Part of the JSON text of the attributes: the place of a piece that varies, or a text, or one of each stencil."""

Measure = Callable[[list[Any], Dialect, str, Sequence[Any]], None]
"""Settles what is measured on one row."""


class Values(NamedTuple):
    """A varying attribute of many spans."""

    pieces: Sequence[str]
    """Of the JSON text, without what :meth:`Column.around` gives; without meaning for message content."""
    fed: Sequence[Sequence[Any]]
    """What each target is fed."""
    bad: Sequence[int]
    """Rows whose value is out of the ordinary."""


class Gathered:
    """What a slot that collects sources is fed, where each span has the one source."""

    __slots__ = ("_rank", "label", "values")

    def __init__(self, rank: int, label: str, values: list[Any]) -> None:
        self._rank = rank
        self.label = label
        self.values = values

    def __getitem__(self, row: int) -> list[tuple[int, str, Any]]:
        """What the slot holds on one span."""
        return [(self._rank, self.label, self.values[row])]


class Varying(NamedTuple):
    """A varying attribute: its place among the attributes, that of its piece of the JSON text (-1: none), its column."""

    place: int
    piece: int
    column: Column


class Read(NamedTuple):
    """Columns by field name, the places in the scope of their rows, and the places of the spans that are left."""

    columns: dict[str, list[Any]]
    places: list[int]
    left: list[int]


class Matched(NamedTuple):
    """Spans that a pattern matches."""

    rows: list[tuple[Any, ...]]
    """Trace id, span id, parent (may be empty), and in the order of their fields start, end, the loose fields and the varying
    attributes, these by their kinds."""
    stencils: list[int]
    """Numbers of their stencils."""
    places: list[int]
    """Which spans of the scope they are."""
    left: list[int]
    """Those that it does not match."""
    matches: list[re.Match[bytes]]
    """The matches of the expression, of spans without a known layout."""

    def joined(self, others: Sequence["Matched"]) -> "Matched":
        """All spans of several, in order. The places that are left, and matches, are dropped."""
        rows, stencils, places = list(self.rows), list(self.stencils), list(self.places)
        for other in others:
            rows += other.rows
            stencils += other.stencils
            places += other.places
        if places != sorted(places):
            order = sorted(range(len(places)), key=places.__getitem__)
            rows = [rows[number] for number in order]
            stencils = [stencils[number] for number in order]
            places = [places[number] for number in order]
        return Matched(rows, stencils, places, [], [])


class _Expression:
    """The source of a regular expression, and the groups in it."""

    def __init__(self, texts: Sequence[tuple[bytes, ...]]) -> None:
        """``texts`` are the encoded fields of each stencil: name, kind, status, fixed attributes."""
        self._texts = texts
        self._parts: list[bytes] = []
        self._groups = 0
        self.size = 0
        self.choices: list[tuple[int, int]] = []
        """Fields that the stencils differ in, and their groups."""

    def add(self, part: bytes, groups: int = 0) -> int:
        """Adds a part; returns the number of the first of its groups."""
        first = self._groups
        self._parts.append(part)
        self.size += len(part)
        self._groups += groups
        return first

    def choose(self, which: int, nothing: bytes = b"") -> None:
        """Adds one of the fields: a group where the stencils differ in it. ``nothing`` is an expression for one that is left
        out."""
        found = sorted({text[which] for text in self._texts} - {b""}, key=len, reverse=True)
        choice = b"|".join(map(re.escape, found))
        absent = any(not text[which] for text in self._texts)
        if not found:
            self.add(nothing)
        elif len(found) == 1 and not absent:
            self.add(choice)
        else:
            choice = b"(?:(" + choice + b")|" + nothing + b")" if absent else b"(" + choice + b")"
            self.choices.append((which, self.add(choice, 1)))

    def compiled(self) -> re.Pattern[bytes]:
        """The expression. Raises TooMuch when it is too long."""
        if self.size > MAX_SOURCE or self._groups > MAX_GROUPS:
            raise TooMuch
        return re.compile(b"".join(self._parts), re.DOTALL)


class _Element(NamedTuple):
    """A part of a span that a group of the expression holds: its group (-1: it is held together with the one before), its kind
    and encoded key when it is a varying attribute."""

    group: int
    kind: int | None = None
    head: bytes = b""


def _elements(
    parent: int, times: int, loose: Sequence[int], varying: Sequence[tuple[int, int | None, Varying]]
) -> list[_Element]:
    """What is read of each span, in order."""
    found = [_Element(group) for group in (_TRACE_GROUP, _SPAN_GROUP, parent, times, *loose)]
    found += [_Element(group, kind, each.column.head) for group, kind, each in varying]
    found.sort(key=itemgetter(0))
    found.insert(found.index(_Element(times)) + 1, _Element(-1))
    return found


class _Loose:
    """The fields that the stencils differ in where the length of one does not tell what it is: a layout leaves them open.

    What the other fields are is one number, see :attr:`fixed_as`.
    """

    def __init__(self, texts: Sequence[tuple[bytes, ...]], choices: Sequence[tuple[int, int]]) -> None:
        """``texts`` are the encoded fields of each stencil, ``choices`` those that differ, with their groups."""
        loose, tight = [], []
        self.groups: list[int] = []
        for which, group in choices:
            found = {text[which] for text in texts}
            if len(set(map(len, found))) < len(found):
                loose.append(which)
                self.groups.append(group)
            else:
                tight.append(which)
        numbers: dict[tuple[bytes, ...], int] = {}
        self.fixed_as = [numbers.setdefault(tuple(text[which] for which in tight), len(numbers)) for text in texts]
        """Of each stencil."""
        if not loose:
            self.fixed_as = list(range(len(texts)))
        self._stencils = {
            (number, tuple(text[which] for which in loose)): stencil
            for stencil, (number, text) in enumerate(zip(self.fixed_as, texts, strict=True))
        }

    def stencils(self, fixed_as: Iterable[int], loose: Iterable[tuple[bytes, ...]]) -> list[int | None]:
        """The stencils of spans, by what is fixed and what is not; None for one that is not known."""
        return list(map(self._stencils.get, zip(fixed_as, loose, strict=True)))


class Pattern:
    """The expression of one shape, and what to make of its matches."""

    __slots__ = (
        "_by_key",
        "_counts",
        "_dialect",
        "_elements",
        "_fixed",
        "_key",
        "_layouts",
        "_loose",
        "_loose_at",
        "_match",
        "_matched",
        "_plain",
        "_roles",
        "_rows",
        "_segments",
        "_starts_at",
        "_times",
        "_tried",
        "_unread",
        "_values_at",
        "_varying",
        "size",
    )

    def __init__(
        self,
        stencils: Sequence[tuple[Any, Stencil]],
        width: int,
        varying: Sequence[Varying],
        counts: Sequence[int],
        dialect: Dialect,
    ) -> None:
        """``stencils`` come with their keys: name, kind, status, tuple of fixed attributes, and the newest last; ``width`` is
        the number of attributes; ``counts`` are slots that must not be zero.

        Raises TooMuch when there is too much to choose from.
        """
        stencils, texts = _choices(stencils)
        by_place = {each.place: each for each in varying}
        fixed = iter(range(_FIRST_FIXED, _FIRST_FIXED + width))
        expression = _Expression(texts)
        expression.add(_HEAD)
        expression.add(_IDS, 2)
        state = expression.add(_STATE, 1)
        parent = expression.add(_PARENT_ID, 1)
        expression.choose(0, _NO_NAME)
        expression.choose(1, _NO_KIND)
        self._times = expression.add(_TIMES, 1)
        groups: dict[int, int] = {}
        for place in range(width):
            if place in by_place:
                groups[place] = expression.add(_ATTRIBUTE_TAG + _any_of(by_place[place].column), 1)
            else:
                expression.choose(next(fixed))
        expression.add(_DROPPED)
        expression.choose(2, _NO_STATUS)
        self._unread = (state, expression.add(_FLAGS, 1))
        self._match = expression.compiled().fullmatch
        self._key = [group for _, group in expression.choices]
        self._loose = _Loose(texts, expression.choices)
        self._by_key = {tuple(text[which] for which, _ in expression.choices): number for number, text in enumerate(texts)}
        self._layouts = Layouts()
        self._tried = self._matched = 0
        self._counts = tuple(counts)
        self._dialect = dialect
        self._varying = [(groups[each.place], each.column.kind, each) for each in sorted(varying, key=itemgetter(0))]
        """Group, kind of the values, attribute, in order."""
        self._elements = _elements(parent, self._times, self._loose.groups, self._varying)
        at = {element.group: place for place, element in enumerate(self._elements)}
        self._loose_at = [at[group] for group in self._loose.groups]
        self._starts_at = at[self._times]
        self._values_at = [at[group] for group, _, _ in self._varying]
        self._rows = [stencil.row for _, stencil in stencils]
        self._roles = [stencil.role for _, stencil in stencils]
        fed = {target.slot for each in varying for target in each.column.targets}
        settled = {_TRACE, _SPAN, _PARENT, _START, _END, _ATTRIBUTES, *fed}
        self._plain = [_is_plain(row, fed, dialect) for row in self._rows]
        around = {each.piece: each.column.around(kind) for _, kind, each in self._varying}
        self._segments = _segments([stencil.pieces for _, stencil in stencils], around)
        texts_of_all = sum(len(text) for each in self._segments if not isinstance(each, int) for text in _texts_of(each))
        self.size = 10 * expression.size + texts_of_all
        """Bytes, by estimate."""
        self._fixed: list[tuple[int, list[Any]]] = []
        for slot in range(_FIELDS):
            values = [row[slot] for row in self._rows]
            if slot == _STREAMING:
                values = [
                    _streaming(row, role, fed, dialect) if plain else None
                    for row, role, plain in zip(self._rows, self._roles, self._plain, strict=True)
                ]
            if slot not in settled and any(value is not None for value in values):
                self._fixed.append((slot, values if values.count(values[0]) < len(values) else values[:1]))

    def take(self, encoded: bytes, frames: Frames, places: Sequence[int]) -> Matched:
        """Matches those of some spans of a scope that are laid out like others before."""
        rows, fixed_as, places, left = self._layouts.take(encoded, frames.starts, frames.heads, places)
        if not self._loose_at or not rows:
            return Matched(rows, fixed_as, places, left, [])
        loose = zip(*(map(itemgetter(at), rows) for at in self._loose_at), strict=True)
        which = self._loose.stencils(fixed_as, loose)
        if None in which:
            known = [stencil is not None for stencil in which]
            left = sorted([*left, *(place for place, stencil in zip(places, which, strict=True) if stencil is None)])
            rows, places = list(compress(rows, known)), list(compress(places, known))
        return Matched(rows, [stencil for stencil in which if stencil is not None], places, left, [])

    def match(self, encoded: bytes, frames: Frames, places: Sequence[int]) -> Matched:
        """Matches those of some spans of a scope that the expression covers."""
        match, starts, end_of = self._match, frames.starts, frames.end_of
        found = [(place, match(encoded, starts[place], end_of(place))) for place in places]
        pairs = [(place, each) for place, each in found if each is not None]
        self._tried += len(found)
        self._matched += len(pairs)
        left = [place for place, each in found if each is None]
        if not pairs:
            return Matched([], [], [], left, [])
        held = list(zip(*(each.groups(b"") for _, each in pairs), strict=True))
        which: Sequence[int | None] = [0] * len(pairs)
        if self._key:
            which = list(map(self._by_key.get, zip(*map(held.__getitem__, self._key), strict=True)))
        columns: list[Sequence[Any]] = []
        for group, kind, head in self._elements:
            if group == self._times:
                columns += _instants(held[group])
            elif group >= 0:
                columns.append(_values_of(held[group], kind, head))
        matched = Matched([], [], [], left, [])
        for (place, each), stencil, row in zip(pairs, which, zip(*columns, strict=True), strict=True):
            if stencil is None:
                left.append(place)
            else:
                matched.rows.append(row)
                matched.stencils.append(stencil)
                matched.places.append(place)
                matched.matches.append(each)
        return matched

    def learn(self, frames: Frames, matched: Matched) -> int:
        """Notes the layouts of matched spans where it is worth it; returns by how many bytes the pattern grew. For one thread
        at a time."""
        before = self._layouts.size
        heads = [frames.heads[place] for place in matched.places]
        for number in self._layouts.missed(heads):
            match = matched.matches[number]
            fixed_as = self._loose.fixed_as[matched.stencils[number]]
            self._layouts.learn(heads[number], Layout.of(match[0], self._parts(match), fixed_as))
        grown = self._layouts.size - before
        self.size += grown
        return grown

    def _parts(self, match: re.Match[bytes]) -> list[Part]:
        """What may differ in spans of the layout of a matched span."""
        start = match.start()
        parts: list[Part] = []
        end = 0
        for group, kind, head in self._elements:
            if group < 0:
                continue
            first = end
            if match[group + 1] is not None:
                first, end = match.start(group + 1) - start, match.end(group + 1) - start
            if group == self._times:
                parts += [Part(first + 1, 8, "Q"), Part(first + 10, 8, "Q")]
                continue
            if kind == TEXT_TAG:
                first += len(head) + _BEFORE_TEXT
            elif kind == DOUBLE_TAG:
                first = end - 8
            parts.append(Part(first, end - first, "d" if kind == DOUBLE_TAG else f"{end - first}s"))
        for group in self._unread:
            first, end = match.start(group + 1) - start + _BEFORE_UNREAD, match.end(group + 1) - start
            if match[group + 1] is not None and first < end:
                parts.append(Part(first, end - first, f"{end - first}x"))
        return sorted(parts, key=itemgetter(0))

    def read(self, matched: Matched, measure: Measure) -> Read:
        """Columns of matched spans, and the places of those that are out of the ordinary."""
        rows, which, places = matched.rows, matched.stencils, matched.places
        size = len(rows)
        held = list(map(list, zip(*rows, strict=True)))
        traces, spans, parents = held[:3]
        starts, ends = held[self._starts_at : self._starts_at + 2]
        bad: set[int] = set()
        if NO_TRACE in traces or NO_SPAN in spans:
            bad.update(row for row in range(size) if traces[row] == NO_TRACE or spans[row] == NO_SPAN)
        took = list(map(sub, ends, starts))
        if min(starts) <= 0 or max(ends) > INT64_MAX or min(took) < 0:
            bad.update(row for row in range(size) if not 0 < starts[row] <= ends[row] <= INT64_MAX)
        made: dict[int, Sequence[Any]] = {}
        pieces: dict[int, Sequence[str]] = {}
        for (_, kind, (_, piece, column)), at in zip(self._varying, self._values_at, strict=True):
            read = column.read_all(held[at], kind)
            bad.update(read.bad)
            pieces[piece] = read.pieces
            made.update(zip((target.slot for target in column.targets), read.fed, strict=True))
        for slot in self._counts:
            if not all(made[slot]):
                bad.update(row for row, value in enumerate(made[slot]) if not value)
        if bad:
            return self._without(bad, matched, measure)
        columns: dict[int, Any] = {
            _TRACE: traces,
            _SPAN: spans,
            _PARENT: [None if parent in _NO_PARENT else parent for parent in parents],
            _START: starts,
            _END: ends,
        }
        if self._segments:
            columns[_ATTRIBUTES] = _joined(self._segments, which, pieces)
        for slot, of_stencils in self._fixed:
            columns[slot] = [of_stencils[0]] * size if len(of_stencils) == 1 else list(map(of_stencils.__getitem__, which))
        columns |= made
        for row in self._measure_columns(columns, which, took):
            self._measure_row(columns, row, which[row], made, measure)
        return Read({FIELD_NAMES[slot]: column for slot, column in columns.items() if slot < _FIELDS}, places, [])

    @property
    def idle(self) -> bool:
        """True when hardly any span matches."""
        matched = self._matched + self._layouts.matched
        return self._tried > MIN_TRIED and matched * MIN_SHARE < self._tried

    def _without(self, bad: set[int], matched: Matched, measure: Measure) -> Read:
        """The same without some rows, which are left."""
        left = [matched.places[row] for row in sorted(bad)]
        good = [row not in bad for row in range(len(matched.rows))]
        if not any(good):
            return Read({}, [], left)
        rows, stencils = list(compress(matched.rows, good)), list(compress(matched.stencils, good))
        read = self.read(Matched(rows, stencils, list(compress(matched.places, good)), [], []), measure)
        return Read(read.columns, read.places, [*left, *read.left])

    def _measure_columns(self, columns: dict[int, Any], which: Sequence[int], took: Sequence[int]) -> list[int]:
        """Settles what is measured where it is plain; returns the rows where it is not. ``took`` are the spans' durations."""
        rough: set[int] = set()
        if not all(self._plain):
            rough.update(row for row, stencil in enumerate(which) if not self._plain[stencil])
        cached, tokens = columns.get(_READ), columns.get(_INPUT)
        if cached is not None and tokens is not None and (None in cached or None in tokens or any(map(gt, cached, tokens))):
            rough.update(row for row, part, whole in zip(count(), cached, tokens) if (part or 0) > (whole or 0))
        if _TTFT not in columns and any(row[_TTFT] for row in self._rows):
            columns[_TTFT] = [self._rows[stencil][_TTFT] for stencil in which]
        found = columns.pop(_TTFT, None)
        if found is None:
            return sorted(rough)
        sources: list[str | None]
        if found.__class__ is Gathered:
            waits, sources = found.values, [found.label] * len(took)
        else:
            waits = [each[0][2] if each else None for each in found]
            sources = [each[0][1] if each else None for each in found]
        if None in waits or min(waits) <= 0 or max(map(sub, waits, took)) > timing.SLACK_NS:
            rough.update(
                row
                for row, (waited, most) in enumerate(zip(waits, took, strict=True))
                if waited is not None and not 0 < waited <= most + timing.SLACK_NS
            )
        columns[_TTFT_NS], columns[_SOURCE] = waits, sources
        return sorted(rough)

    def _measure_row(self, columns: dict[int, Any], at: int, stencil: int, made: dict[int, Any], measure: Measure) -> None:
        """Settles what is measured on one row, as for a span that is read on its own."""
        row = self._rows[stencil][:]
        for slot, values in made.items():
            row[slot] = values[at]
        row[_START], row[_END] = columns[_START][at], columns[_END][at]
        measure(row, self._dialect, self._roles[stencil], ())
        for slot in MEASURED:
            column = columns.get(slot)
            if column is not None:
                column[at] = row[slot]
            elif row[slot] is not None:
                column = columns[slot] = [None] * len(columns[_START])
                column[at] = row[slot]


class TooMuch(Exception):
    """There is too much to choose from for one expression."""


def _choices(stencils: Sequence[tuple[Any, Stencil]]) -> tuple[list[tuple[Any, Stencil]], list[tuple[bytes, ...]]]:
    """Stencils, and the encoded fields of each: as many, from the newest on, as leave a bounded choice for each field."""
    kept, texts = [], []
    seen: list[set[bytes]] = []
    for stencil in reversed(stencils):
        name, kind, status, fixed = stencil[0]
        text = (
            _field(_NAME_TAG, name),
            _number(_KIND_TAG, kind),
            _field(_STATUS_TAG, status),
            *(_field(_ATTRIBUTE_TAG, encoded) for encoded in fixed),
        )
        seen = seen or [set() for _ in text]
        if all(field in found or len(found) < MAX_CHOICES for field, found in zip(text, seen, strict=True)):
            for field, found in zip(text, seen, strict=True):
                found.add(field)
            kept.append(stencil)
            texts.append(text)
    if not kept:
        raise TooMuch
    return kept, texts


def form_of(encoded: bytes, head: bytes) -> tuple[int, int] | None:
    """Tag and size of a text, an integer or a number that takes less than 128 bytes with its key; None for all else."""
    size, at = len(encoded), len(head) + 2
    if size >= ONE_BYTE or size <= at + 1:
        return None
    tag = encoded[at]
    if (tag == INT_TAG and size > at + 1 + _LONGEST_INT) or (tag == DOUBLE_TAG and size != at + 9):
        return None
    return (tag, size) if tag in (TEXT_TAG, INT_TAG, DOUBLE_TAG) else None


def _field(tag: bytes, content: bytes) -> bytes:
    """A field of bytes as it is written: an empty one is left out."""
    return tag + varint.length(len(content)) + content if content or tag == _ATTRIBUTE_TAG else b""


def _number(tag: bytes, number: int) -> bytes:
    return tag + varint.varint(number % 2**64) if number else b""


def _any_of(column: Column) -> bytes:
    """An expression for the forms of a varying attribute's values, behind its length; one group from the key on."""
    head, forms = column.head, sorted(column.forms)
    if len(forms) > MAX_CHOICES:
        raise TooMuch
    if not forms:
        raise TooMuch
    lengths = sorted({bytes((size,)) for _, size in forms})
    found = []
    for tag, size in forms:
        inner = size - len(head) - 2
        # the length of the attribute must be that of its value
        before = re.escape(bytes((inner,))) + b"(?<=" + re.escape(bytes((size,))) + b".{%d})" % (len(head) + 2)
        if len(lengths) == 1:
            before = re.escape(bytes((inner,)))
        before += re.escape(bytes((tag,)))
        if tag == TEXT_TAG:
            found.append(before + re.escape(bytes((inner - 2,))) + b".{%d}" % (inner - 2))
        elif tag == INT_TAG:
            found.append(before + b"[\x80-\xff]{%d}[\x00-\x7f]" % (inner - 2))
        else:
            found.append(before + b".{8}")
    start = re.escape(head + bytes((VALUE_TAG,)))
    return b"(?:" + b"|".join(map(re.escape, lengths)) + b")(" + start + b"(?:" + b"|".join(found) + b"))"


def _is_plain(row: list[Any], fed: set[int], dialect: Dialect) -> bool:
    """True when the counts of a stencil's spans are canonical as they are, as long as cached tokens are part of the input."""
    if any(row[slot] for slot in _ROUGH) or any(row[slot] is not None for slot in _ROUGH_AT_ZERO):
        return False
    if not fed.isdisjoint(_ROUGH | _ROUGH_AT_ZERO) or len(row[_TTFT] or ()) > 1:
        return False
    known = [slot in fed or bool(row[slot]) for slot in (_INPUT, _OUTPUT)]
    cached = _READ in fed or row[_READ] is not None
    if not all(known):
        return not any(known) and not cached and row[_INPUT] is None and row[_OUTPUT] is None
    inclusive = _INCLUSIVE in fed or row[_INCLUSIVE] is not None
    return not cached or inclusive or not usage.is_exclusive(dialect, row[_SCOPE], row[_PROVIDER])


def _streaming(row: list[Any], role: str, fed: set[int], dialect: Dialect) -> bool | None:
    """What is settled on whether the answers were streamed."""
    timed = _TTFT in fed or bool(row[_TTFT])
    settled = row[:]
    if timed:
        settled[_TTFT_NS] = 1
    if timed or role in CALL_ROLES:
        timing.settle_streaming(settled, dialect.name)
    return settled[_STREAMING]  # type: ignore[no-any-return] # a flag


def _segments(pieces: list[list[str]], varying: dict[int, tuple[str, str]]) -> list[_Segment]:
    """The JSON text of the attributes of each stencil: texts between pieces that vary, and the places of those, which come with
    what is around them. Empty when there is no attribute to store."""
    if not pieces[0]:
        return []
    found: list[_Segment] = []
    texts = ["{"] * len(pieces)
    for place in range(len(pieces[0])):
        comma = "," if place else ""
        if place in varying:
            before, behind = varying[place]
            found += [_text([text + comma + before for text in texts]), place]
            texts = [behind] * len(pieces)
        else:
            texts = [text + comma + each[place] for text, each in zip(texts, pieces, strict=True)]
    return [*found, _text([text + "}" for text in texts])]


def _text(texts: list[str]) -> _Segment:
    return texts[0] if texts.count(texts[0]) == len(texts) else texts


def _texts_of(segment: str | list[str]) -> list[str]:
    return [segment] if isinstance(segment, str) else segment


def _joined(segments: list[_Segment], which: Sequence[int], pieces: dict[int, Sequence[str]]) -> list[str]:
    columns: list[Iterable[str]] = []
    for each in segments:
        if isinstance(each, int):
            columns.append(pieces[each])
        elif isinstance(each, str):
            columns.append(repeat(each, len(which)))
        else:
            columns.append(map(each.__getitem__, which))
    return list(map("".join, zip(*columns, strict=True)))


def _instants(encoded: Sequence[bytes]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Starts and ends, of encoded fields."""
    both = struct.unpack("<" + "xQxQ" * len(encoded), b"".join(encoded))
    return both[::2], both[1::2]


def _values_of(encoded: Sequence[bytes], kind: int | None, head: bytes) -> Sequence[Any]:
    """Values of encoded attributes, as a layout gives them."""
    if kind == TEXT_TAG:
        start = len(head) + _BEFORE_TEXT
        return [each[start:] for each in encoded]
    if kind == DOUBLE_TAG:
        return struct.unpack(f"<{len(encoded)}d", b"".join([each[-8:] for each in encoded]))
    return encoded
