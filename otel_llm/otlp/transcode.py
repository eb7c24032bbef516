"""OTLP/JSON to OTLP/protobuf bytes, by the JSON mapping of the OTLP specification.

Ids are hexadecimal, enum values numbers (their names are taken too), 64-bit integers numbers or text, bytes base64; keys
are lowerCamelCase (the proto names are taken too), unknown keys are ignored and null is unset. The stock protobuf JSON
parser reads ids as base64 and refuses a request for one bad value, so the bytes are written here, along the message
descriptors: a value that does not fit its field costs only itself, an item that is no object only itself.
"""

from functools import cache
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from otel_llm.otlp import varint
from otel_llm.otlp.damage import Damage, Undecodable
from otel_llm.otlp.json_attributes import (
    IRREGULAR,
    KEYS,
    PLAIN_VALUES,
    SHORT_TEXT,
    AttributeTexts,
    Write,
    attribute,
    remember_key,
    short_text,
)
from otel_llm.otlp.json_scalars import SCALARS, enum, hex_id, shown
from otel_llm.otlp.json_spans import SpanText, fields_of
from otel_llm.otlp.signals import ITEMS, MAX_DEPTH
from otel_llm.otlp.varint import length

_HEX_IDS = frozenset({"trace_id", "span_id", "parent_span_id"})
_KEY_VALUE = "opentelemetry.proto.common.v1.KeyValue"
_SPAN = "opentelemetry.proto.trace.v1.Span"


def transcode(document: Any, descriptor: Descriptor, damage: Damage) -> bytes:
    """Protobuf bytes of a decoded JSON request. Raises Undecodable when the request is no OTLP request."""
    out: list[bytes] = []
    if type(document) is not dict:
        raise Undecodable(f"the document is {shown(document)} where an object is due")
    _fields(descriptor)(document, out, damage, 1)
    return b"".join(out)


def _at(place: str, error: Undecodable) -> str:
    sentence = str(error)
    return place + (" " if sentence.startswith("is ") else "" if sentence.startswith("[") else ".") + sentence


_F = FieldDescriptor
_LEAVES = ("opentelemetry.proto.common.", "opentelemetry.proto.resource.")


def _message_type(spec: FieldDescriptor) -> Descriptor:
    assert spec.message_type is not None  # noqa: S101 - true of every message field; the stubs cannot say so
    return spec.message_type


def _tag(spec: FieldDescriptor, wire: int) -> bytes:
    return varint.varint(spec.number << 3 | wire)


def _scalar_field(spec: FieldDescriptor) -> Write:
    wire, scalar = (0, enum(spec)) if spec.type == _F.TYPE_ENUM else SCALARS[spec.type]
    if spec.type == _F.TYPE_BYTES and spec.name in _HEX_IDS:
        scalar = hex_id
    tag = _tag(spec, wire)

    def write(value: Any, out: list[bytes], damage: Damage, depth: int) -> None:
        out.append(tag + scalar(value))

    def write_all(value: Any, out: list[bytes], damage: Damage, depth: int) -> None:
        if type(value) is not list:
            raise Undecodable(f"is {shown(value)} where an array is due")
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
            raise Undecodable(f"is {shown(value)} where an array is due")
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

    def write(value: Any, out: list[bytes], damage: Damage, depth: int) -> None:
        if type(value) is not list:
            raise Undecodable(f"is {shown(value)} where an array is due")
        if depth + 2 >= MAX_DEPTH:
            write_all(value, out, damage, depth)
            return
        write_value = _fields(value_type)
        for element in value:
            try:
                head, head_size = KEYS[element["key"]]
                content = element["value"]
                ((kind, plain),) = content.items() if len(element) == 2 else IRREGULAR
                if kind == "stringValue" and type(plain) is str:
                    raw = plain.encode(errors="replace")
                    size = len(raw)
                    if size < SHORT_TEXT:
                        out.append(short_text(tag, head, head_size, raw))
                        continue
                    raw = b"\x0a" + length(size) + raw
                elif kind in PLAIN_VALUES:
                    value_tag, scalar = PLAIN_VALUES[kind]
                    raw = value_tag + scalar(plain)
                else:
                    inner: list[bytes] = []
                    write_value(content, inner, damage, depth + 2)
                    raw = b"".join(inner)
            except (KeyError, TypeError, ValueError, AttributeError, Undecodable):
                remember_key(element)
                write_all([element], out, damage, depth)
                continue
            out.append(attribute(tag, head, head_size, raw))

    return write


def _spans_field(spec: FieldDescriptor) -> Write:
    """The spans of a scope: objects, or all of them :data:`SpanText`."""
    tag = _tag(spec, 2)
    write_all = _message_field(spec, structural=True)
    descriptor = _message_type(spec)
    attributes = descriptor.fields_by_name["attributes"]
    texts = AttributeTexts(_tag(attributes, 2), _attributes_field(attributes))

    def write(value: Any, out: list[bytes], damage: Damage, depth: int) -> None:
        if type(value) is not list or not value or type(value[0]) is not SpanText:
            write_all(value, out, damage, depth)
            return
        write_fields = _fields(descriptor)
        for span in value:
            inner, behind, rest = fields_of(span)
            try:
                texts.write(bytes(span.attributes), inner, damage, depth + 1)
            except Undecodable as error:
                damage.drop("wrong_type", _at("attributes", error))
            if rest:
                write_fields(rest, inner, damage, depth + 1)
            inner += behind
            content = b"".join(inner)
            out += (tag, length(len(content)), content)

    return write


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
        elif _message_type(spec).full_name == _SPAN and spec.is_repeated:
            above = True
            write_field = _spans_field(spec)
        else:
            above = descriptor.full_name not in ITEMS and _leads_to_items(_message_type(spec))
            write_field = _message_field(spec, above)
        fields[spec.json_name] = fields[spec.name] = spec.json_name, write_field, above
    get = fields.get

    def write(value: Any, out: list[bytes], damage: Damage, depth: int) -> None:
        if type(value) is not dict:
            raise Undecodable(f"is {shown(value)} where an object is due")
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
