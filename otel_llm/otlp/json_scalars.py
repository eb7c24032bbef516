"""Values of JSON as protobuf scalars: each writer gives the bytes behind the tag, or raises Undecodable."""

import base64
import binascii
import math
import struct
from collections.abc import Callable
from typing import Any, Final

from google.protobuf.descriptor import FieldDescriptor

from otel_llm.otlp.damage import Undecodable
from otel_llm.otlp.varint import length

_SPECIAL_DOUBLES = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
_LONGEST_QUOTE = 40
_DOUBLE = struct.Struct("<d").pack
_FIXED64 = struct.Struct("<Q").pack
_SFIXED64 = struct.Struct("<q").pack
_FIXED32 = struct.Struct("<I").pack
_MASK64 = 0xFFFF_FFFF_FFFF_FFFF


def shown(value: Any) -> str:
    """What a value is, for a sentence about it."""
    if isinstance(value, str):
        return f"the text {value[:_LONGEST_QUOTE]!r}"
    if isinstance(value, bool) or value is None:
        return "a boolean"
    if isinstance(value, int | float):
        return f"the number {str(value)[:_LONGEST_QUOTE]}"
    return "an array" if isinstance(value, list) else "an object"


def text(value: Any) -> bytes:
    """A text, behind its length."""
    if type(value) is not str:
        raise Undecodable(f"is {shown(value)} where a text is due")
    encoded = value.encode(errors="replace")
    return length(len(encoded)) + encoded


def hex_id(value: Any) -> bytes:
    """A hexadecimal id, behind its length."""
    if type(value) is not str:
        raise Undecodable(f"is {shown(value)} where a hexadecimal id is due")
    try:
        raw = binascii.unhexlify(value)
    except ValueError:
        # No id has this length, so that whoever checks ids rejects the item it belongs to, and says so.
        raw = value.encode(errors="replace")[:64]
        raw += b"?" if len(raw) in (0, 8, 16) else b""
    return length(len(raw)) + raw


def _base64(value: Any) -> bytes:
    if type(value) is not str:
        raise Undecodable(f"is {shown(value)} where base64 is due")
    try:
        raw = base64.b64decode(value.replace("-", "+").replace("_", "/") + "=" * (-len(value) % 4), validate=True)
    except ValueError:
        raise Undecodable(f"is {shown(value)} where base64 is due") from None
    return length(len(raw)) + raw


def _integer(value: Any, low: int, high: int) -> int:
    if type(value) is not int:
        number: Any = None
        if type(value) is str and len(value) <= _LONGEST_QUOTE:
            try:
                number = int(value) if value.isascii() and "_" not in value else None
            except ValueError:
                value_as_float = _float_or_none(value)
                number = value_as_float
        elif type(value) is float:
            number = value
        if type(number) is float:
            number = int(number) if math.isfinite(number) and number.is_integer() else None
        if number is None:
            raise Undecodable(f"is {shown(value)} where an integer is due")
        value = number
    if not low <= value <= high:
        raise Undecodable(f"is {shown(value)}, beyond its range")
    return int(value)


def _float_or_none(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def double(value: Any) -> bytes:
    """A number."""
    if type(value) is float:
        return _DOUBLE(value)
    if type(value) is int:
        try:
            return _DOUBLE(value)
        except OverflowError:
            return _DOUBLE(math.inf if value > 0 else -math.inf)
    if type(value) is str:
        number = _SPECIAL_DOUBLES.get(value)
        if number is None and value.isascii() and "_" not in value and value[-1:].isdigit():
            number = _float_or_none(value)
        if number is not None:
            return _DOUBLE(number)
    raise Undecodable(f"is {shown(value)} where a number is due")


def boolean(value: Any) -> bytes:
    """A truth value."""
    if value is True or value == "true":
        return b"\x01"
    if value is False or value == "false":
        return b"\x00"
    raise Undecodable(f"is {shown(value)} where true or false is due")


def _signed_varint(low: int, high: int) -> Callable[[Any], bytes]:
    def write(value: Any) -> bytes:
        number = value if type(value) is int and 0 <= value <= high else _integer(value, low, high) & _MASK64
        return length(number)

    return write


def _zigzag(value: Any) -> bytes:
    number = _integer(value, -(2**31), 2**31 - 1)
    return length((number << 1) ^ (number >> 31))


def _packed(pack: Callable[[int], bytes], low: int, high: int) -> Callable[[Any], bytes]:
    return lambda value: pack(_integer(value, low, high))


def enum(spec: FieldDescriptor) -> Callable[[Any], bytes]:
    """The writer of an enum: numbers, and the names it has."""
    assert spec.enum_type is not None  # noqa: S101 - true of every enum field; the stubs cannot say so
    numbers = {value.name: value.number for value in spec.enum_type.values}
    plain = _signed_varint(-(2**31), 2**31 - 1)
    return lambda value: plain(numbers.get(value, value) if type(value) is str else value)


INT64: Final = _signed_varint(-(2**63), 2**63 - 1)
_F = FieldDescriptor
SCALARS: Final[dict[int, tuple[int, Callable[[Any], bytes]]]] = {
    _F.TYPE_STRING: (2, text),
    _F.TYPE_BYTES: (2, _base64),
    _F.TYPE_DOUBLE: (1, double),
    _F.TYPE_FIXED64: (1, _packed(_FIXED64, 0, 2**64 - 1)),
    _F.TYPE_SFIXED64: (1, _packed(_SFIXED64, -(2**63), 2**63 - 1)),
    _F.TYPE_FIXED32: (5, _packed(_FIXED32, 0, 2**32 - 1)),
    _F.TYPE_UINT32: (0, _signed_varint(0, 2**32 - 1)),
    _F.TYPE_UINT64: (0, _signed_varint(0, 2**64 - 1)),
    _F.TYPE_INT32: (0, _signed_varint(-(2**31), 2**31 - 1)),
    _F.TYPE_INT64: (0, INT64),
    _F.TYPE_SINT32: (0, _zigzag),
    _F.TYPE_BOOL: (0, boolean),
}
"""Protobuf type: (wire type, writer). Every scalar type that OTLP uses."""
