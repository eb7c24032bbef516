"""Zstandard, where a library for it is installed: the standard library from Python 3.14, ``backports.zstd`` before."""

from collections.abc import Iterator
from typing import Any

try:
    from compression import zstd as _found  # type: ignore[import-not-found,unused-ignore]
except ImportError:
    try:
        from backports import zstd as _found
    except ImportError:
        _found = None

_zstd: Any = _found
_PIECE = 1024 * 1024
_FRAMES = 64  # frames of one body; each costs a copy of the rest
_WINDOW_LOG_MAX = 23  # 8 MiB: what RFC 8878 asks every decoder for; a frame may ask for two gigabytes

AVAILABLE: bool = _zstd is not None


class _NeverError(Exception):
    """What a missing library raises."""


Error: type[Exception] = _zstd.ZstdError if AVAILABLE else _NeverError


def pieces(data: bytes) -> Iterator[bytes]:
    """Pieces of the decompressed body, each of bounded size. Raises Error, or EOFError for a body that ends too early."""
    for _ in range(_FRAMES):
        if not data:
            return
        stream = _zstd.ZstdDecompressor(options={_zstd.DecompressionParameter.window_log_max: _WINDOW_LOG_MAX})
        piece = stream.decompress(data, _PIECE)
        while piece or not (stream.eof or stream.needs_input):
            yield piece
            piece = b"" if stream.eof else stream.decompress(b"", _PIECE)
        if not stream.eof:
            raise EOFError("it ends too early")
        data = stream.unused_data
    raise EOFError(f"it has more than {_FRAMES} frames")
