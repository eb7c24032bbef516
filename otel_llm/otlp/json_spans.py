"""Spans of OTLP/JSON: how they are read, and the fields that every span has written at once.

A span is read as an object of a class that has all its fields under both of their names; attributes stay text
(:mod:`otel_llm.otlp.json_attributes`). What is written as most producers do becomes protobuf bytes without a look at the
descriptor, in the order of the field numbers, which is that of nearly all writers of protobuf.
"""

import struct
from binascii import unhexlify
from collections.abc import Iterable
from operator import attrgetter
from typing import Any, Final, NamedTuple

import msgspec
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from otel_llm.otlp.damage import Undecodable
from otel_llm.otlp.json_scalars import text
from otel_llm.otlp.varint import length

_FIELDS: Final = sorted(Span.DESCRIPTOR.fields, key=attrgetter("number"))
_NAMES: Final = [spec.json_name for spec in _FIELDS]
_OTHER_NAMES: Final = [spec.name for spec in _FIELDS if spec.name != spec.json_name]
_PLAIN: Final = (
    *("traceId", "spanId", "traceState", "parentSpanId"),
    *("name", "kind", "startTimeUnixNano", "endTimeUnixNano"),
)

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

_FLAGS: Final = struct.Struct("<2sI").pack
_FLAGS_TAG: Final = b"\x85\x01"
_STATUSES: Final = {code: Span(status=Status(code=code)).SerializeToString() for code in Status.StatusCode.values()}
_OTHERS: Final = tuple(name for name in _NAMES if name not in (*_PLAIN, "attributes"))
_NOTHING_OF: Final[dict[str, type]] = {
    "droppedAttributesCount": int,
    "events": list,
    "droppedEventsCount": int,
    "links": list,
    "droppedLinksCount": int,
}
"""Fields of which nothing needs to be written for what JavaScript's exporter gives them on most spans: a zero, an empty
list."""
_unusual: Final = attrgetter(*_OTHERS, *_OTHER_NAMES)
_NOTHING: Final = (None,) * (len(_OTHERS) + len(_OTHER_NAMES))
_NOT_RESPELLED: Final = (None,) * len(_OTHER_NAMES)


class Fields(NamedTuple):
    """A span without its attributes."""

    before: list[bytes]
    """Fields that come before the attributes."""
    behind: list[bytes]
    """Fields that come behind them."""
    rest: dict[str, Any]
    """All others, as a JSON object."""


def fields_of(span: Any) -> Fields:
    """The fields of a span. Raises Undecodable for a span that has both names of a field, whose order counts."""
    unusual = _unusual(span)
    respelled = unusual[len(_OTHERS) :] != _NOT_RESPELLED
    try:
        if not respelled:
            before = _plain_fields(span)
            return Fields(before, *_others(unusual)) if unusual != _NOTHING else Fields(before, [], {})
    except (TypeError, ValueError, KeyError, AttributeError, struct.error, Undecodable):
        pass
    return Fields([], [], _as_object(span))


def _others(unusual: Iterable[Any]) -> tuple[list[bytes], dict[str, Any]]:
    """The bytes of those of a span's other fields that are written as most producers do, and the rest, by name."""
    found: list[bytes] = []
    rest: dict[str, Any] = {}
    for name, value in zip(_OTHERS, unusual, strict=False):
        if value is None or (not value and type(value) is _NOTHING_OF.get(name)):
            continue
        if name == "status" and type(value) is dict and len(value) == 1 and type(value.get("code")) is int:
            status = _STATUSES.get(value["code"])
            if status is not None:
                found.append(status)
                continue
        elif name == "flags" and type(value) is int and 0 <= value < 2**32:
            found.append(_FLAGS(_FLAGS_TAG, value))
            continue
        rest[name] = value
    return found, rest


def _plain_fields(span: Any) -> list[bytes]:
    """The bytes of a span's ids, trace state, name, kind and times. Raises an error of some kind when one of them is not
    written as most producers do."""
    trace, own, parent, name = span.traceId, span.spanId, span.parentSpanId, span.name
    state = b"" if span.traceState is None else b"\x1a" + text(span.traceState)
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
        return [b"\x0a\x10", ids[:16], b"\x12\x08", ids[16:], state, b"\x2a", length(len(called)), called, kind, times]
    if len(parent) != 16:
        raise ValueError
    ids = unhexlify(trace + own + parent)
    return [
        *(b"\x0a\x10", ids[:16], b"\x12\x08", ids[16:24], state, b"\x22\x08", ids[24:]),
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
