"""Protobuf varints in pure Python, with the short ones looked up."""


def varint(value: int) -> bytes:
    """A non-negative integer below 2**64 as a varint."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


SHORT: tuple[bytes, ...] = tuple(varint(value) for value in range(1024))
"""The varints of small values: nearly every length of an attribute."""


def length(size: int) -> bytes:
    """The varint of a length."""
    return SHORT[size] if size < 1024 else varint(size)


def read(data: bytes, position: int) -> tuple[int, int]:
    """The varint at a position, and the position after it. Raises IndexError at the end, OverflowError beyond 10 bytes."""
    value = shift = 0
    while True:
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & 0xFFFF_FFFF_FFFF_FFFF, position
        shift += 7
        if shift > 63:
            raise OverflowError
