import contextlib
import gzip
import os
import zlib
from collections.abc import Callable

import pytest
from backports import zstd
from hypothesis import given
from hypothesis import strategies as st

from otel_llm.errors import InvalidPayload, Overloaded, PayloadTooLarge
from otel_llm.otlp.inflate import inflate


def raw_deflate(data: bytes) -> bytes:
    stream = zlib.compressobj(wbits=-15)
    return stream.compress(data) + stream.flush()


COMPRESSORS: list[tuple[str, Callable[[bytes], bytes]]] = [
    ("gzip", gzip.compress),
    ("x-gzip", gzip.compress),
    ("deflate", zlib.compress),
    ("deflate", raw_deflate),
    ("zstd", zstd.compress),
]
every_encoding = pytest.mark.parametrize(("encoding", "compress"), COMPRESSORS, ids=lambda part: str(part)[:20])
DATA = os.urandom(2_000_000) + b"a" * 3_000_000


@every_encoding
def test_a_body_comes_back_whole(encoding, compress):
    assert inflate(compress(DATA), encoding, len(DATA)) == DATA
    assert inflate(compress(b""), encoding, 10) == b""


@every_encoding
def test_one_byte_beyond_the_limit_is_too_large(encoding, compress):
    with pytest.raises(PayloadTooLarge, match=f"larger than {len(DATA) - 1} bytes after {encoding}"):
        inflate(compress(DATA), encoding, len(DATA) - 1)


@every_encoding
def test_a_bomb_stops_at_the_limit_while_it_is_decompressed(encoding, compress):
    made: list[int] = []
    with pytest.raises(PayloadTooLarge):
        inflate(compress(bytes(200_000_000)), encoding, 4_000_000, made.append)
    assert sum(made) <= 4_000_000


@every_encoding
def test_a_truncated_body_is_invalid(encoding, compress):
    with pytest.raises(InvalidPayload, match=f"not a {encoding} body"):
        inflate(compress(DATA)[:-9], encoding, len(DATA))


@every_encoding
@given(body=st.binary(max_size=100))
def test_any_bytes_decompress_or_are_invalid(encoding, compress, body):
    del compress
    with contextlib.suppress(InvalidPayload, PayloadTooLarge):
        assert len(inflate(body, encoding, 1000)) <= 1000


def test_every_piece_is_paid_for_and_a_refused_payment_stops_the_work():
    paid: list[int] = []

    def grow(size: int) -> None:
        paid.append(size)
        if sum(paid) > 2_000_000:
            raise Overloaded("no more")

    with pytest.raises(Overloaded):
        inflate(gzip.compress(bytes(100_000_000)), "gzip", 100_000_000, grow)
    assert sum(paid) < 4_000_000


def test_members_and_frames_may_follow_each_other():
    assert inflate(gzip.compress(b"ab") + gzip.compress(b"cd"), "gzip", 10) == b"abcd"
    assert inflate(zstd.compress(b"ab") + zstd.compress(b"cd"), "zstd", 10) == b"abcd"


@pytest.mark.parametrize(("encoding", "compress"), [("gzip", gzip.compress), ("zstd", zstd.compress)])
def test_endless_members_are_refused_after_bounded_work(encoding, compress):
    with pytest.raises(InvalidPayload, match="it has more than"):
        inflate(compress(b"") * 100_000, encoding, 10)


def test_encodings_apply_in_the_order_they_are_named():
    assert inflate(zstd.compress(gzip.compress(b"abc")), "gzip, zstd", 100) == b"abc"
    assert inflate(b"abc", "identity", 100) == b"abc"


def test_a_zstd_frame_that_asks_for_a_huge_window_is_refused():
    stream = zstd.ZstdCompressor(options={zstd.CompressionParameter.window_log: 27})
    body = stream.compress(os.urandom(1000)) + stream.flush()
    with pytest.raises(InvalidPayload):
        inflate(body, "zstd", 100_000)
