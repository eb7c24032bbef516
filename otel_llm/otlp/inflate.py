"""Decompression of request bodies that stops at the limit, while decompressing.

A gzip body may grow a thousandfold; the size limit of OTLP 1.11 holds after decompression. Every piece is paid for by
the caller's ``grow`` before the next one is made.
"""

import zlib
from collections.abc import Callable, Generator, Iterator
from typing import Any

from otel_llm.errors import InvalidPayload, PayloadTooLarge
from otel_llm.otlp import zstd

Grow = Callable[[int], None]
"""Called with the number of bytes that were just made; raises Overloaded to stop."""

_PIECE = 1024 * 1024
_FEED = 64 * 1024
_MEMBERS = 1024  # gzip members of one body; each costs a little whatever it holds
_GZIP, _ZLIB, _RAW = 31, 15, -15


def inflate(data: bytes, encoding: str, limit: int, grow: Grow = lambda size: None) -> bytes:
    """The decompressed body. ``encoding`` is a Content-Encoding; several, separated by commas, were applied in that order.

    Raises PayloadTooLarge beyond ``limit`` bytes, InvalidPayload for bytes that are not of that encoding, KeyError for an
    encoding that is not served.
    """
    names = [name.strip().lower() for name in encoding.split(",")]
    for name in reversed([name for name in names if name not in ("", "identity")]):
        decompress = DECOMPRESSORS[name]
        pieces = []
        left = limit
        try:
            for piece in decompress(data):
                left -= len(piece)
                if left < 0:
                    raise PayloadTooLarge(f"the body is larger than {limit} bytes after {name} decompression")
                grow(len(piece))
                pieces.append(piece)
        except (zlib.error, EOFError, zstd.Error) as error:
            raise InvalidPayload(f"not a {name} body: {error}") from None
        data = b"".join(pieces)
    return data


def _gzip(data: bytes) -> Iterator[bytes]:
    position = 0
    for _ in range(_MEMBERS):
        if position == len(data):
            return
        stream = zlib.decompressobj(_GZIP)
        position = yield from _pieces(stream, data, position)
    raise EOFError(f"it has more than {_MEMBERS} members")


def _deflate(data: bytes) -> Iterator[bytes]:
    if data:
        # "deflate" is zlib by the HTTP standard and raw deflate by the habit of some clients; the header tells.
        has_header = len(data) > 1 and data[0] & 0x0F == 8 and (data[0] << 8 | data[1]) % 31 == 0
        yield from _pieces(zlib.decompressobj(_ZLIB if has_header else _RAW), data, 0)


def _pieces(stream: Any, data: bytes, position: int) -> Generator[bytes, None, int]:
    """Yields what one stream makes of the data from a position; returns the position after it."""
    view = memoryview(data)
    while not stream.eof:
        if position == len(data):
            raise EOFError("it ends too early")
        fed = view[position : position + _FEED]
        position += len(fed)
        piece = stream.decompress(fed, _PIECE)
        while piece or stream.unconsumed_tail:
            yield piece
            piece = stream.decompress(stream.unconsumed_tail, _PIECE)
    return position - len(stream.unused_data)


DECOMPRESSORS: dict[str, Callable[[bytes], Iterator[bytes]]] = {"gzip": _gzip, "x-gzip": _gzip, "deflate": _deflate}
"""Content-Encoding: pieces of the decompressed body, each of bounded size."""
if zstd.AVAILABLE:
    DECOMPRESSORS["zstd"] = zstd.pieces
