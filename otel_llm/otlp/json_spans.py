"""Spans of OTLP/JSON: how they are read, and the fields that every span has written at once.

A span is read as an object of a class that has all its fields under both of their names; attributes stay text
(:mod:`otel_llm.otlp.json_attributes`). Where ids, times, name and kind are written as most producers do, they become
protobuf bytes without a look at the descriptor.
"""

import struct
from binascii import unhexlify
from operator import attrgetter
from typing import Any, Final

import msgspec
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from otel_llm.otlp.damage import Undecodable
from otel_llm.otlp.varint import length

_FIELDS: Final = Span.DESCRIPTOR.fields
_NAMES: Final = [spec.json_name for spec in _FIELDS]
_OTHER_NAMES: Final = [spec.name for spec in _FIELDS if spec.name != spec.json_name]
_PLAIN: Final = ("traceId", "spanId", "parentSpanId", "name", "kind", "startTimeUnixNano", "endTimeUnixNano")

SpanText: Final[Any] = msgspec.defstruct(
    "SpanText",
    [
        *((name, Any, None) for name in [*_NAMES, *_OTHER_NAMES] if name != "attributes"),
        ("attributes", msgspec.Raw, msgspec.Raw(b"[]")),
    ],
    gc=False,
)
"""A span: JSON values by name, None where unset; its attributes are text."""

_KINDS: Final[dict[Any, bytes]] = {None: b"\x30\x00", **{kind: bytes((0x30, kind)) for kind in Span.SpanKind.values()}}
_TIMES: Final = struct.Struct("<BQBQ").pack
_START, _END = 0x39, 0x41
_MOST_DIGITS: Final = 40
"""Digits of two times as most are written: each is below 2**64."""

_OTHERS: Final = tuple(name for name in _NAMES if name not in (*_PLAIN, "attributes"))
_unusual: Final = attrgetter(*_OTHERS, *_OTHER_NAMES)
_NOTHING: Final = (None,) * (len(_OTHERS) + len(_OTHER_NAMES))
_NOT_RESPELLED: Final = (None,) * len(_OTHER_NAMES)


def fields_of(span: Any) -> tuple[list[bytes], dict[str, Any]]:
    """The bytes of some fields of a span, and a JSON object of the others, but for attributes. Raises Undecodable for a span
    that has both names of a field, whose order counts."""
    unusual = _unusual(span)
    rest: dict[str, Any] = {}
    if unusual != _NOTHING:
        if unusual[len(_OTHERS) :] != _NOT_RESPELLED:
            return [], _as_object(span)
        rest.update(zip(_OTHERS, unusual, strict=False))
    try:
        return _plain_fields(span), rest
    except (TypeError, ValueError, KeyError, AttributeError, struct.error):
        return [], _as_object(span)


def _plain_fields(span: Any) -> list[bytes]:
    """The bytes of a span's ids, times, name and kind. Raises an error of some kind when one of them is not written as most
    producers do."""
    trace, own, parent, name = span.traceId, span.spanId, span.parentSpanId, span.name
    start, end = span.startTimeUnixNano, span.endTimeUnixNano
    kind = _KINDS[span.kind]
    if type(start) is str:
        digits = start + end
        if not (digits.isdecimal() and digits.isascii() and len(digits) <= _MOST_DIGITS):
            raise ValueError
        start, end = int(start), int(end)
    elif type(start) is not int or type(end) is not int:
        raise ValueError
    if len(trace) != 32 or len(own) != 16 or span.kind is True or span.kind is False:
        raise ValueError
    called = name.encode(errors="replace") if name is not None else b""
    times = _TIMES(_START, start, _END, end)
    if parent is None or parent == "":
        ids = unhexlify(trace + own)
        return [b"\x0a\x10", ids[:16], b"\x12\x08", ids[16:], b"\x2a", length(len(called)), called, kind, times]
    if len(parent) != 16:
        raise ValueError
    ids = unhexlify(trace + own + parent)
    return [
        *(b"\x0a\x10", ids[:16], b"\x12\x08", ids[16:24], b"\x22\x08", ids[24:]),
        *(b"\x2a", length(len(called)), called, kind, times),
    ]


def _as_object(span: Any) -> dict[str, Any]:
    fields = {name: getattr(span, name) for name in (*_PLAIN, *_OTHERS)}
    for spec in _FIELDS:
        if spec.name == spec.json_name or (value := getattr(span, spec.name)) is None:
            continue
        if fields[spec.json_name] is not None:
            raise Undecodable(f"has {spec.json_name} under both of its names")
        fields[spec.name] = value
    return fields
