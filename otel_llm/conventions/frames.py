"""An encoded ScopeSpans taken apart into its spans, without parsing one of them."""

from typing import Final, NamedTuple

from otel_llm.otlp import varint

_SCOPE_TAG, _SPANS_TAG, _SCHEMA_TAG = 0x0A, 0x12, 0x1A  # ScopeSpans.scope, spans and schema_url
_ONE_BYTE = 0x80  # lengths below this take one byte

HEAD_BYTES: Final = 3
MAX_SIZES: Final = 4096
"""Beginnings of spans remembered."""


class Frames(NamedTuple):
    """Where the spans of a scope lie."""

    starts: list[int]
    """First byte of each span, that of its tag."""
    heads: list[bytes]
    """The first three bytes of each: tag and length, as far as these reach."""
    end: int
    """Where the last one ends."""

    def end_of(self, place: int) -> int:
        """Where a span ends."""
        return self.starts[place + 1] if place + 1 < len(self.starts) else self.end

    def span(self, scope_spans: bytes, place: int) -> bytes:
        """An encoded span."""
        return scope_spans[varint.read(scope_spans, self.starts[place] + 1)[1] : self.end_of(place)]


class _Sizes(dict[bytes, int]):
    """First bytes of a span → bytes of the whole field; 0 when they do not say it, or when no span begins so."""

    def __missing__(self, head: bytes) -> int:
        if len(head) < HEAD_BYTES or head[0] != _SPANS_TAG:
            return 0
        if head[1] < _ONE_BYTE:
            size = 2 + head[1]
        elif head[2] < _ONE_BYTE:
            size = 3 + (head[1] & 0x7F | head[2] << 7)
        else:
            return 0
        if len(self) < MAX_SIZES:
            self[head] = size
        return size


SIZES: Final = _Sizes()


def scope_of(scope_spans: bytes) -> tuple[bytes, int]:
    """The encoded scope of a ScopeSpans that begins with it, and where its spans begin; empty and 0 for all others."""
    if scope_spans[:1] != b"\x0a":
        return b"", 0
    try:
        size, at = varint.read(scope_spans, 1)
    except (IndexError, OverflowError):
        return b"", 0
    return scope_spans[at : at + size], at + size


def frames_of(scope_spans: bytes, at: int) -> Frames | None:
    """The spans of a ScopeSpans from a byte on; None when something else than spans, and a schema URL as the last field,
    follows, or when a length reaches beyond the end."""
    starts: list[int] = []
    heads: list[bytes] = []
    end = len(scope_spans)
    sizes = SIZES
    while at < end:
        head = scope_spans[at : at + HEAD_BYTES]
        size = sizes[head]
        if not size:
            if head[0] != _SPANS_TAG:
                break
            try:
                size, content = varint.read(scope_spans, at + 1)
            except (IndexError, OverflowError):
                return None
            size += content - at
        starts.append(at)
        heads.append(head)
        at += size
    frames = Frames(starts, heads, at)
    return frames if at == end or (at < end and _is_schema(scope_spans, at)) else None


def _is_schema(scope_spans: bytes, at: int) -> bool:
    """True when all that follows is a schema URL."""
    if scope_spans[at] != _SCHEMA_TAG:
        return False
    try:
        size, content = varint.read(scope_spans, at + 1)
    except (IndexError, OverflowError):
        return False
    return content + size == len(scope_spans)
