"""An encoded ScopeSpans taken apart into its spans, without parsing one of them."""

from typing import Final, NamedTuple

from otel_llm.conventions.wire import ONE_BYTE
from otel_llm.otlp import varint

_SCOPE_TAG, _SPANS_TAG, _SCHEMA_TAG = 0x0A, 0x12, 0x1A  # ScopeSpans.scope, spans and schema_url

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
        if head[1] < ONE_BYTE:
            size = 2 + head[1]
        elif head[2] < ONE_BYTE:
            size = 3 + (head[1] & 0x7F | head[2] << 7)
        else:
            return 0
        if len(self) < MAX_SIZES:
            self[head] = size
        return size


SIZES: Final = _Sizes()


def _content(scope_spans: bytes, at: int) -> tuple[int, int] | None:
    """Where the content of a field begins and ends whose tag is at a place; None when its length cannot be read."""
    try:
        size, begin = scope_spans[at + 1], at + 2
        if size >= ONE_BYTE:
            size, begin = varint.read(scope_spans, at + 1)
    except (IndexError, OverflowError):
        return None
    return begin, begin + size


def scope_of(scope_spans: bytes) -> tuple[bytes, int]:
    """The encoded scope of a ScopeSpans that begins with it, and where its spans begin; empty and 0 for all others."""
    content = _content(scope_spans, 0) if scope_spans and scope_spans[0] == _SCOPE_TAG else None
    if content is None:
        return b"", 0
    begin, end = content
    return scope_spans[begin:end], end


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
            content = _content(scope_spans, at)
            if content is None:
                return None
            size = content[1] - at
        starts.append(at)
        heads.append(head)
        at += size
    frames = Frames(starts, heads, at)
    return frames if at == end or (at < end and _is_schema(scope_spans, at)) else None


def _is_schema(scope_spans: bytes, at: int) -> bool:
    """True when all that follows is a schema URL."""
    content = _content(scope_spans, at) if scope_spans[at] == _SCHEMA_TAG else None
    return content is not None and content[1] == len(scope_spans)
