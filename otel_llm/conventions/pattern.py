"""Patterns: like spans found in a request's bytes by one regular expression, and turned into columns at once.

A :class:`~otel_llm.conventions.stencil.Shape` says how a span's attributes follow each other, which of them vary, and what
the others decide together. Written as a regular expression over the encoded span it finds what is new on a span in one
pass: no span and no attribute becomes an object. What the spans of a scope have in one place becomes a column, checked and
read as a whole.

A pattern matches less than a stencil covers, never more: each length is part of it, so that a match holds whole fields
only. A span that does not match, or that is out of the ordinary, is left to the stencil or to the reading of a single span.
"""

import re
import struct
from collections.abc import Callable, Collection, Iterable, Sequence
from itertools import compress, count, repeat
from operator import itemgetter, le, ne, sub
from typing import Any, Final, NamedTuple, Protocol

from otel_llm.conventions import timing, usage
from otel_llm.conventions.dialect import Dialect
from otel_llm.conventions.identity import NO_SPAN, NO_TRACE
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
_SCOPE_TAG, _SPANS_TAG = 0x0A, 0x12  # ScopeSpans.scope and spans
_HEAD: Final = rb"\x12([\x80-\xff]{0,2}[\x00-\x7f])"
"""Tag and length of a span."""
_IDS: Final = rb"\x0a\x10(.{16})\x12\x08(.{8})(?:\x22\x08(.{8}))?"
_NAME_TAG, _KIND_TAG, _ATTRIBUTE_TAG, _STATUS_TAG = b"\x2a", b"\x30", b"\x4a", b"\x7a"
_TIMES: Final = rb"(\x39.{8}\x41.{8})"
_FLAGS: Final = rb"(?:\x85\x01.{4})?"
"""Fields that the wire classes leave out come last; trace flags are the only ones that most spans have."""

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

    def read_all(self, encoded: Sequence[bytes]) -> "Values":
        """The values of many spans, by the encoded attributes."""


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

_HEADS: Final = [
    b"",
    b"",
    *(varint.length(size) for size in range(ONE_BYTE)),
    b"",
    *(varint.length(size) for size in range(ONE_BYTE, 2 * 8192)),
]
"""The length of a span as it is written, by the size of the whole field; up to two bytes."""
_end_of: Final = re.Match.end
_groups_of: Final = re.Match.groups
_first_of: Final = itemgetter(0)

Measure = Callable[[list[Any], Dialect, str, Sequence[Any]], None]
"""Settles what is measured on one row."""


class Values(NamedTuple):
    """A varying attribute of many spans."""

    pieces: Sequence[str]
    """Of the JSON text; without meaning for message content."""
    fed: list[list[Any]]
    """What each target is fed."""
    bad: Sequence[int]
    """Rows whose value is out of the ordinary."""


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

    def choose(self, which: int) -> None:
        """Adds one of the fields: a group where the stencils differ in it."""
        found = sorted({text[which] for text in self._texts}, key=len, reverse=True)
        if len(found) == 1:
            self.add(re.escape(found[0]))
        else:
            self.choices.append((which, self.add(b"(" + b"|".join(map(re.escape, found)) + b")", 1)))

    def compiled(self) -> re.Pattern[bytes]:
        """The expression. Raises TooMuch when it is too long."""
        if self.size > MAX_SOURCE or self._groups > MAX_GROUPS:
            raise TooMuch
        return re.compile(b"".join(self._parts), re.DOTALL)


class Pattern:
    """The expression of one shape, and what to make of its matches."""

    __slots__ = (
        "_by_key",
        "_counts",
        "_dialect",
        "_fixed",
        "_key",
        "_match",
        "_plain",
        "_roles",
        "_rows",
        "_scanner",
        "_segments",
        "_times",
        "_varying",
        "matched",
        "size",
        "tried",
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
        expression.add(_HEAD, 1)
        expression.add(_IDS, 3)
        expression.choose(0)
        expression.choose(1)
        self._times = expression.add(_TIMES, 1)
        groups: dict[int, int] = {}
        for place in range(width):
            if place in by_place:
                groups[place] = expression.add(_ATTRIBUTE_TAG + _any_of(by_place[place].column), 1)
            else:
                expression.choose(next(fixed))
        expression.choose(2)
        expression.add(_FLAGS)
        compiled = expression.compiled()
        self._match = compiled.fullmatch
        self._scanner = compiled.scanner  # type: ignore[attr-defined] # of the standard library, unknown to its stubs
        self._key = [group for _, group in expression.choices]
        self._by_key = {tuple(text[which] for which, _ in expression.choices): number for number, text in enumerate(texts)}
        self.tried = self.matched = 0
        self._counts = tuple(counts)
        self._dialect = dialect
        self._varying = [(groups[each.place], each) for each in varying]
        self._rows = [stencil.row for _, stencil in stencils]
        self._roles = [stencil.role for _, stencil in stencils]
        fed = {target.slot for each in varying for target in each.column.targets}
        settled = {_TRACE, _SPAN, _PARENT, _START, _END, _ATTRIBUTES, *fed}
        self._plain = [_is_plain(row, fed, dialect) for row in self._rows]
        self._segments = _segments([stencil.pieces for _, stencil in stencils], {each.piece for each in varying})
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

    def read(self, groups: list[tuple[Any, ...]], places: list[int], measure: Measure) -> Read:
        """Columns of matched spans: what the groups of each hold, and its place in the scope."""
        size = len(groups)
        held = list(zip(*groups, strict=True))
        bad: set[int] = set()
        if not self._key:
            which: list[Any] = [0] * size
        else:
            which = list(map(self._by_key.get, zip(*map(held.__getitem__, self._key), strict=True)))
            if None in which:
                bad.update(row for row, stencil in enumerate(which) if stencil is None)
        _, traces, spans, parents = held[:4]
        if NO_TRACE in traces or NO_SPAN in spans:
            bad.update(row for row in range(size) if traces[row] == NO_TRACE or spans[row] == NO_SPAN)
        starts, ends = _instants(held[self._times])
        if min(starts) <= 0 or max(ends) > INT64_MAX or not all(map(le, starts, ends)):
            bad.update(row for row in range(size) if not 0 < starts[row] <= ends[row] <= INT64_MAX)
        made: dict[int, list[Any]] = {}
        pieces: dict[int, Sequence[str]] = {}
        for group, (_, piece, column) in self._varying:
            read = column.read_all(held[group])
            bad.update(read.bad)
            pieces[piece] = read.pieces
            made.update(zip((target.slot for target in column.targets), read.fed, strict=True))
        for slot in self._counts:
            if not all(made[slot]):
                bad.update(row for row, value in enumerate(made[slot]) if not value)
        if bad:
            return self._without(bad, groups, places, measure)
        columns = {
            _TRACE: list(traces),
            _SPAN: list(spans),
            _PARENT: [None if parent == NO_SPAN else parent for parent in parents],
            _START: starts,
            _END: ends,
        }
        if self._segments:
            columns[_ATTRIBUTES] = _joined(self._segments, which, pieces)
        for slot, values in self._fixed:
            columns[slot] = [values[0]] * size if len(values) == 1 else list(map(values.__getitem__, which))
        columns |= made
        for row in self._measure_columns(columns, which):
            self._measure_row(columns, row, which[row], made, measure)
        return Read({FIELD_NAMES[slot]: column for slot, column in columns.items() if slot < _FIELDS}, places, [])

    def run(self, encoded: bytes, start: int) -> tuple[list[tuple[Any, ...]], int]:
        """What the groups hold of each span that follows from a byte on, up to the first that does not match; and where that
        one begins."""
        found = list(iter(self._scanner(encoded, start).match, None))
        if not found:
            return [], start
        groups = list(map(_groups_of, found))
        # Where a match ended is where its span ends only if the span's length says so.
        ends = list(map(_end_of, found))
        sizes = list(map(sub, ends, [start, *ends]))
        if max(sizes) >= len(_HEADS):
            return [], start
        wrong = map(ne, map(_HEADS.__getitem__, sizes), map(_first_of, groups))
        matched = next(compress(count(), wrong), len(found))
        self.tried += matched
        self.matched += matched
        return groups[:matched], ends[matched - 1] if matched else start

    def matches(self, encoded: bytes, bounds: Sequence[tuple[int, int]]) -> list[re.Match[bytes] | None]:
        """The match of each span."""
        match = self._match
        found = [match(encoded, start, end) for start, end in bounds]
        self.tried += len(found)
        self.matched += len(found) - found.count(None)
        return found

    @property
    def idle(self) -> bool:
        """True when hardly any span matches."""
        return self.tried > MIN_TRIED and self.matched * MIN_SHARE < self.tried

    def _without(self, bad: set[int], groups: list[tuple[Any, ...]], places: list[int], measure: Measure) -> Read:
        """The same without some rows, which are left."""
        good = [row for row in range(len(groups)) if row not in bad]
        left = [places[row] for row in sorted(bad)]
        if not good:
            return Read({}, [], left)
        read = self.read([groups[row] for row in good], [places[row] for row in good], measure)
        return Read(read.columns, read.places, [*left, *read.left])

    def _measure_columns(self, columns: dict[int, list[Any]], which: list[int]) -> list[int]:
        """Settles what is measured where it is plain; returns the rows where it is not."""
        rough: set[int] = set()
        if not all(self._plain):
            rough.update(row for row, stencil in enumerate(which) if not self._plain[stencil])
        cached, tokens = columns.get(_READ), columns.get(_INPUT)
        if cached is not None and tokens is not None:
            rough.update(row for row, part, whole in zip(count(), cached, tokens) if (part or 0) > (whole or 0))
        if _TTFT not in columns and any(row[_TTFT] for row in self._rows):
            columns[_TTFT] = [self._rows[stencil][_TTFT] for stencil in which]
        found = columns.pop(_TTFT, None)
        if found is not None:
            waits = columns[_TTFT_NS] = [each[0][2] if each else None for each in found]
            columns[_SOURCE] = [each[0][1] if each else None for each in found]
            longest = [took + timing.SLACK_NS for took in map(sub, columns[_END], columns[_START])]
            if not (all(waits) and min(waits) > 0 and all(map(le, waits, longest))):
                rough.update(
                    row
                    for row, (waited, most) in enumerate(zip(waits, longest, strict=True))
                    if waited is not None and not 0 < waited <= most
                )
        return sorted(rough)

    def _measure_row(
        self, columns: dict[int, list[Any]], at: int, stencil: int, made: dict[int, list[Any]], measure: Measure
    ) -> None:
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


def first_span(scope_spans: bytes) -> int:
    """Where the first span begins in an encoded ScopeSpans whose fields are in order."""
    if not scope_spans or scope_spans[0] != _SCOPE_TAG:
        return 0
    size, at = varint.read(scope_spans, 1)
    return at + size


def spans_at(scope_spans: bytes, at: int) -> list[tuple[int, int]]:
    """First byte, that of its tag, and end of each span from a place on."""
    found: list[tuple[int, int]] = []
    add = found.append
    end = len(scope_spans)
    while at < end and scope_spans[at] == _SPANS_TAG:
        start = at
        size = scope_spans[at + 1]
        if size < ONE_BYTE:
            at += 2
        elif (high := scope_spans[at + 2]) < ONE_BYTE:
            size = size & 0x7F | high << 7
            at += 3
        else:
            size, at = varint.read(scope_spans, at + 1)
        at += size
        add((start, at))
    return found


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
    return not cached or row[_INCLUSIVE] is not None or not usage.is_exclusive(dialect, row[_SCOPE], row[_PROVIDER])


def _streaming(row: list[Any], role: str, fed: set[int], dialect: Dialect) -> bool | None:
    """What is settled on whether the answers were streamed."""
    timed = _TTFT in fed or bool(row[_TTFT])
    settled = row[:]
    if timed:
        settled[_TTFT_NS] = 1
    if timed or role in CALL_ROLES:
        timing.settle_streaming(settled, dialect.name)
    return settled[_STREAMING]  # type: ignore[no-any-return] # a flag


def _segments(pieces: list[list[str]], varying: set[int]) -> list[_Segment]:
    """The JSON text of the attributes of each stencil: texts between pieces that vary, and the places of those. Empty when
    there is no attribute to store."""
    if not pieces[0]:
        return []
    found: list[_Segment] = []
    texts = ["{"] * len(pieces)
    for place in range(len(pieces[0])):
        comma = "," if place else ""
        if place in varying:
            found += [_text([text + comma for text in texts]), place]
            texts = [""] * len(pieces)
        else:
            texts = [text + comma + each[place] for text, each in zip(texts, pieces, strict=True)]
    return [*found, _text([text + "}" for text in texts])]


def _text(texts: list[str]) -> _Segment:
    return texts[0] if texts.count(texts[0]) == len(texts) else texts


def _texts_of(segment: str | list[str]) -> list[str]:
    return [segment] if isinstance(segment, str) else segment


def _joined(segments: list[_Segment], which: list[int], pieces: dict[int, Sequence[str]]) -> list[str]:
    columns: list[Iterable[str]] = []
    for each in segments:
        if isinstance(each, int):
            columns.append(pieces[each])
        elif isinstance(each, str):
            columns.append(repeat(each, len(which)))
        else:
            columns.append(map(each.__getitem__, which))
    return list(map("".join, zip(*columns, strict=True)))


def _instants(encoded: Sequence[bytes]) -> tuple[list[int], list[int]]:
    """Starts and ends, of encoded fields."""
    both = struct.unpack("<" + "xQxQ" * len(encoded), b"".join(encoded))
    return list(both[::2]), list(both[1::2])
