"""OTLP/JSON to OTLP/protobuf bytes, by the JSON mapping of the OTLP specification.

Ids are hexadecimal, enum values numbers (their names are taken too), 64-bit integers numbers or text, bytes base64; keys
are lowerCamelCase (the proto names are taken too), unknown keys are ignored and null is unset. The stock protobuf JSON
parser reads ids as base64 and refuses a request for one bad value, so the bytes are written here, along the message
descriptors: a value that does not fit its field costs only itself, an item that is no object only itself.
"""

import base64
import binascii
import math
import re
import struct
from collections.abc import Callable
from functools import cache
from typing import Any

import msgspec
from google.protobuf.descriptor import Descriptor, FieldDescriptor

from otel_llm.otlp import varint
from otel_llm.otlp.damage import Damage, Undecodable
from otel_llm.otlp.signals import ITEMS, MAX_DEPTH
from otel_llm.otlp.varint import SHORT, length

Write = Callable[[Any, list[bytes], Damage, int], None]
"""Appends one field's bytes: (JSON value, output, damage, depth of the message). Raises Undecodable."""

_HEX_IDS = frozenset({"trace_id", "span_id", "parent_span_id"})
_KEY_VALUE = "opentelemetry.proto.common.v1.KeyValue"
_SPECIAL_DOUBLES = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
_LONGEST_QUOTE = 40
_DOUBLE = struct.Struct("<d").pack
_FIXED64 = struct.Struct("<Q").pack
_SFIXED64 = struct.Struct("<q").pack
_FIXED32 = struct.Struct("<I").pack
_MASK64 = 0xFFFF_FFFF_FFFF_FFFF


def transcode(document: Any, descriptor: Descriptor, damage: Damage) -> bytes:
    """Protobuf bytes of a decoded JSON request. Raises Undecodable when the request is no OTLP request."""
    out: list[bytes] = []
    if type(document) is not dict:
        raise Undecodable(f"the document is {_shown(document)} where an object is due")
    _fields(descriptor)(document, out, damage, 1)
    return b"".join(out)


def _shown(value: Any) -> str:
    if isinstance(value, str):
        return f"the text {value[:_LONGEST_QUOTE]!r}"
    if isinstance(value, bool) or value is None:
        return "a boolean"
    if isinstance(value, int | float):
        return f"the number {str(value)[:_LONGEST_QUOTE]}"
    return "an array" if isinstance(value, list) else "an object"


def _at(place: str, error: Undecodable) -> str:
    sentence = str(error)
    return place + (" " if sentence.startswith("is ") else "" if sentence.startswith("[") else ".") + sentence


# one scalar each: JSON value to protobuf bytes, without the tag


def _text(value: Any) -> bytes:
    if type(value) is not str:
        raise Undecodable(f"is {_shown(value)} where a text is due")
    encoded = value.encode(errors="replace")
    return length(len(encoded)) + encoded


def _hex_id(value: Any) -> bytes:
    if type(value) is not str:
        raise Undecodable(f"is {_shown(value)} where a hexadecimal id is due")
    try:
        raw = binascii.unhexlify(value)
    except ValueError:
        # No id has this length, so that whoever checks ids rejects the item it belongs to, and says so.
        raw = value.encode(errors="replace")[:64]
        raw += b"?" if len(raw) in (0, 8, 16) else b""
    return length(len(raw)) + raw


def _base64(value: Any) -> bytes:
    if type(value) is not str:
        raise Undecodable(f"is {_shown(value)} where base64 is due")
    try:
        raw = base64.b64decode(value.replace("-", "+").replace("_", "/") + "=" * (-len(value) % 4), validate=True)
    except ValueError:
        raise Undecodable(f"is {_shown(value)} where base64 is due") from None
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
            raise Undecodable(f"is {_shown(value)} where an integer is due")
        value = number
    if not low <= value <= high:
        raise Undecodable(f"is {_shown(value)}, beyond its range")
    return int(value)


def _float_or_none(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _double(value: Any) -> bytes:
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
    raise Undecodable(f"is {_shown(value)} where a number is due")


def _boolean(value: Any) -> bytes:
    if value is True or value == "true":
        return b"\x01"
    if value is False or value == "false":
        return b"\x00"
    raise Undecodable(f"is {_shown(value)} where true or false is due")


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


def _enum(spec: FieldDescriptor) -> Callable[[Any], bytes]:
    assert spec.enum_type is not None  # noqa: S101 - true of every enum field; the stubs cannot say so
    numbers = {value.name: value.number for value in spec.enum_type.values}
    plain = _signed_varint(-(2**31), 2**31 - 1)
    return lambda value: plain(numbers.get(value, value) if type(value) is str else value)


_INT64 = _signed_varint(-(2**63), 2**63 - 1)
_F = FieldDescriptor
_SCALARS: dict[int, tuple[int, Callable[[Any], bytes]]] = {
    _F.TYPE_STRING: (2, _text),
    _F.TYPE_BYTES: (2, _base64),
    _F.TYPE_DOUBLE: (1, _double),
    _F.TYPE_FIXED64: (1, _packed(_FIXED64, 0, 2**64 - 1)),
    _F.TYPE_SFIXED64: (1, _packed(_SFIXED64, -(2**63), 2**63 - 1)),
    _F.TYPE_FIXED32: (5, _packed(_FIXED32, 0, 2**32 - 1)),
    _F.TYPE_UINT32: (0, _signed_varint(0, 2**32 - 1)),
    _F.TYPE_UINT64: (0, _signed_varint(0, 2**64 - 1)),
    _F.TYPE_INT32: (0, _signed_varint(-(2**31), 2**31 - 1)),
    _F.TYPE_INT64: (0, _INT64),
    _F.TYPE_SINT32: (0, _zigzag),
    _F.TYPE_BOOL: (0, _boolean),
}
"""Protobuf type: (wire type, writer). Every scalar type that OTLP uses."""


def _message_type(spec: FieldDescriptor) -> Descriptor:
    assert spec.message_type is not None  # noqa: S101 - true of every message field; the stubs cannot say so
    return spec.message_type


def _tag(spec: FieldDescriptor, wire: int) -> bytes:
    return varint.varint(spec.number << 3 | wire)


def _scalar_field(spec: FieldDescriptor) -> Write:
    wire, scalar = (0, _enum(spec)) if spec.type == _F.TYPE_ENUM else _SCALARS[spec.type]
    if spec.type == _F.TYPE_BYTES and spec.name in _HEX_IDS:
        scalar = _hex_id
    tag = _tag(spec, wire)

    def write(value: Any, out: list[bytes], damage: Damage, depth: int) -> None:
        out.append(tag + scalar(value))

    def write_all(value: Any, out: list[bytes], damage: Damage, depth: int) -> None:
        if type(value) is not list:
            raise Undecodable(f"is {_shown(value)} where an array is due")
        # All or nothing: a bucket left out would shift the others.
        out.append(b"".join([tag + scalar(element) for element in value]))

    return write_all if spec.is_repeated else write


def _message_field(spec: FieldDescriptor, structural: bool) -> Write:
    """``structural``: this field leads to items, so it must not be dropped quietly."""
    tag = _tag(spec, 2)
    descriptor = _message_type(spec)
    is_item = descriptor.full_name in ITEMS
    name = spec.json_name

    def write(value: Any, out: list[bytes], damage: Damage, depth: int) -> None:
        if depth >= MAX_DEPTH:
            damage.drop("too_deep", f"{name} nested deeper than {MAX_DEPTH} messages")
            return
        inner: list[bytes] = []
        _fields(descriptor)(value, inner, damage, depth + 1)
        content = b"".join(inner)
        out += (tag, length(len(content)), content)

    def write_all(value: Any, out: list[bytes], damage: Damage, depth: int) -> None:
        if type(value) is not list:
            raise Undecodable(f"is {_shown(value)} where an array is due")
        for index, element in enumerate(value):
            try:
                write(element, out, damage, depth)
            except Undecodable as error:
                if is_item:
                    damage.reject("undecodable", _at(f"{name}[{index}]", error))
                elif structural:
                    raise Undecodable(_at(f"[{index}]", error)) from None
                else:
                    damage.drop("wrong_type", _at(f"{name}[{index}]", error))

    return write_all if spec.is_repeated else write


def _attributes_field(spec: FieldDescriptor) -> Write:
    """A repeated KeyValue: nine tenths of a request, so what is regular is written without a call for each message."""
    tag = _tag(spec, 2)
    write_all = _message_field(spec, structural=False)
    value_type = _message_type(_message_type(spec).fields_by_name["value"])
    known_attributes: dict[bytes, bytes] = {}
    """JSON text of attributes that were seen → their bytes in this field: most come again and again."""
    beginnings: dict[bytes, _Beginning] = {}
    """JSON text up to the value → how such attributes are written: the others have a new value of a known key."""

    def remember(encoded: bytes, found: bytes) -> None:
        if len(known_attributes) >= _MOST_KNOWN:
            known_attributes.clear()
        known_attributes[encoded] = found

    def written(encoded: bytes, damage: Damage, depth: int) -> bytes:
        """The bytes of an attribute that was left as JSON text; remembered when nothing of it was left out."""
        begins, _, rest = encoded.partition(_VALUE_FOLLOWS)
        beginning = beginnings.get(begins)
        if beginning is not None and (found := _plain(tag, beginning, rest)) is not None:
            if beginning.remembered < _MOST_OF_KEY:
                beginning.remembered += 1
                remember(encoded, found)
            return found
        inner: list[bytes] = []
        before = damage.values.total()
        element = msgspec.json.decode(encoded)
        write([element], inner, damage, depth)
        found = b"".join(inner)
        if len(encoded) <= _LONGEST_KNOWN and damage.values.total() == before:
            remember(encoded, found)
            beginning = _beginning_of(element)
            if beginning is not None and _plain(tag, beginning, rest) == found and len(beginnings) < _MOST_KEYS:
                beginnings[begins] = beginning
        return found

    def write(value: Any, out: list[bytes], damage: Damage, depth: int) -> None:
        if type(value) is not list:
            raise Undecodable(f"is {_shown(value)} where an array is due")
        if depth + 2 >= MAX_DEPTH:
            write_all(value, out, damage, depth)
            return
        write_value = _fields(value_type)
        for element in value:
            if type(element) is msgspec.Raw:
                encoded = bytes(element)
                known = known_attributes.get(encoded)
                if known is None:
                    known = written(encoded, damage, depth)
                out.append(known)
                continue
            try:
                head, head_size = _KEYS[element["key"]]
                content = element["value"]
                ((kind, plain),) = content.items() if len(element) == 2 else _IRREGULAR
                if kind == "stringValue" and type(plain) is str:
                    raw = plain.encode(errors="replace")
                    size = len(raw)
                    if size < _SHORT_TEXT:
                        out.append(_short_text(tag, head, head_size, raw))
                        continue
                    raw = b"\x0a" + length(size) + raw
                elif kind in _PLAIN_VALUES:
                    value_tag, scalar = _PLAIN_VALUES[kind]
                    raw = value_tag + scalar(plain)
                else:
                    inner: list[bytes] = []
                    write_value(content, inner, damage, depth + 2)
                    raw = b"".join(inner)
            except (KeyError, TypeError, ValueError, AttributeError, Undecodable):
                _remember_key(element)
                write_all([element], out, damage, depth)
                continue
            out.append(_attribute(tag, head, head_size, raw))

    return write


def _short_text(tag: bytes, head: bytes, head_size: int, text: bytes) -> bytes:
    """An attribute that is a text of less than ``_SHORT_TEXT`` bytes. ``head`` are the bytes of the KeyValue up to its value's
    length, ``head_size`` is their number."""
    size = len(text)
    return tag + SHORT[head_size + size + 3] + head + _TEXT_HEADS[size] + text


def _attribute(tag: bytes, head: bytes, head_size: int, value: bytes) -> bytes:
    """An attribute with any encoded AnyValue."""
    size = length(len(value))
    return tag + length(head_size + len(size) + len(value)) + head + size + value


_PLAIN_VALUES: dict[str, tuple[bytes, Callable[[Any], bytes]]] = {
    "intValue": (b"\x18", _INT64),
    "doubleValue": (b"\x21", _double),
    "boolValue": (b"\x10", _boolean),
}
"""Key of an AnyValue in JSON: its tag, its writer."""
_IRREGULAR: tuple[tuple[str, Any], ...] = ()
_KEYS: dict[str, tuple[bytes, int]] = {}
"""Attribute keys that were seen: the bytes of a KeyValue up to its value's length, and their number."""
_MOST_KEYS, _LONGEST_KEY = 4096, 200
_MOST_KNOWN, _LONGEST_KNOWN = 16_384, 256
"""Attributes of a field that are remembered, and the bytes of the longest."""
_SHORT_TEXT = 120
_TEXT_HEADS = tuple(bytes([size + 2, 0x0A, size]) for size in range(_SHORT_TEXT))
"""Length of an AnyValue that holds a text, the text's tag, the text's length."""


_VALUE_FOLLOWS = b'Value":'
"""What ends the names of plain values in JSON. Within a text the quote would be escaped."""
_MOST_OF_KEY = 64
"""Values of a key that are remembered: ids and counts are new each time and not worth a place."""


class _Beginning:
    """How attributes of one key and one kind of value are written."""

    __slots__ = ("head", "head_size", "kind", "remembered")

    def __init__(self, kind: str, head: bytes, head_size: int) -> None:
        """``head`` are the bytes of the KeyValue up to its value's length, ``head_size`` is their number."""
        self.kind = kind
        self.head = head
        self.head_size = head_size
        self.remembered = 0
        """Values that are remembered."""


_PLAIN_TEXT = {
    "stringValue": re.compile(rb'"([ !#-\[\]-~]{0,%d})"' % (_SHORT_TEXT - 1)),
    "intValue": re.compile(rb'"?(0|[1-9][0-9]{0,17})"?'),
    "doubleValue": re.compile(rb"(-?(?:0|[1-9][0-9]{0,14})\.[0-9]{1,17})"),
}
"""JSON of a value that needs no more than its bytes: printable ASCII without an escape, or a number as most are written."""


def _beginning_of(element: Any) -> _Beginning | None:
    """How attributes like this one are written; None for one that has more than a key and a plain value."""
    try:
        ((kind, _),) = element["value"].items() if len(element) == 2 else _IRREGULAR
        return _Beginning(kind, *_KEYS[element["key"]]) if kind in _PLAIN_TEXT else None
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


def _plain(tag: bytes, beginning: _Beginning, rest: bytes) -> bytes | None:
    """The bytes of an attribute whose JSON begins in a known way, from what follows; None when that is not plain."""
    if rest[-2:] != b"}}":
        return None
    found = _PLAIN_TEXT[beginning.kind].fullmatch(rest[:-2].strip())
    if found is None:
        return None
    text = found[1]
    if beginning.kind == "stringValue":
        return _short_text(tag, beginning.head, beginning.head_size, text)
    value_tag, scalar = _PLAIN_VALUES[beginning.kind]
    number = int(text) if beginning.kind == "intValue" else float(text)
    return _attribute(tag, beginning.head, beginning.head_size, value_tag + scalar(number))


def _remember_key(element: Any) -> None:
    key = element.get("key") if type(element) is dict else None
    if type(key) is str and len(key) <= _LONGEST_KEY and len(_KEYS) < _MOST_KEYS:
        head = b"\x0a" + _text(key) + b"\x12"
        _KEYS[key] = head, len(head)


_LEAVES = ("opentelemetry.proto.common.", "opentelemetry.proto.resource.")


def _leads_to_items(descriptor: Descriptor) -> bool:
    if descriptor.full_name.startswith(_LEAVES):
        return False
    inner = [_message_type(spec) for spec in descriptor.fields if spec.type == _F.TYPE_MESSAGE]
    return descriptor.full_name in ITEMS or any(map(_leads_to_items, inner))


@cache
def _fields(descriptor: Descriptor) -> Write:
    """Writer of a message's fields. Made on first use, which is what lets the recursive AnyValue name itself."""
    fields: dict[str, tuple[str, Write, bool]] = {}
    for spec in descriptor.fields:
        above = False
        if spec.type != _F.TYPE_MESSAGE:
            write_field = _scalar_field(spec)
        elif _message_type(spec).full_name == _KEY_VALUE and spec.is_repeated:
            write_field = _attributes_field(spec)
        else:
            above = descriptor.full_name not in ITEMS and _leads_to_items(_message_type(spec))
            write_field = _message_field(spec, above)
        fields[spec.json_name] = fields[spec.name] = spec.json_name, write_field, above
    get = fields.get

    def write(value: Any, out: list[bytes], damage: Damage, depth: int) -> None:
        if type(value) is not dict:
            raise Undecodable(f"is {_shown(value)} where an object is due")
        for key, content in value.items():
            entry = get(key)
            if entry is None or content is None:
                continue
            name, write_field, above = entry
            try:
                write_field(content, out, damage, depth)
            except Undecodable as error:
                if above:
                    raise Undecodable(_at(name, error)) from None
                damage.drop("wrong_type", _at(name, error))

    return write
