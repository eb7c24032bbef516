"""The trace request as extraction reads it: the OTLP wire format, with attributes left as bytes until they are looked at.

Spans repeat each other: of eighteen attributes a dozen are, byte for byte, those of the span before. Reading an attribute
through the protobuf runtime makes two objects and two texts; looking its bytes up makes none. Measured on 512-span
requests of 18 attributes, six of them new on each span, parse and walk take 6 µs a span this way and 11 µs through the
generated classes. Most spans are not even parsed, because they are like others before (:mod:`otel_llm.conventions.pattern`): a
request holds its ScopeSpans as bytes.

The messages below have the field numbers of ``opentelemetry/proto/trace/v1/trace.proto`` and declare as bytes what is read
apart; what they leave out stays an unknown field.
"""

import struct
from typing import Any, Final

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from otel_llm.conventions.anyvalue import plain_value

_Field = descriptor_pb2.FieldDescriptorProto
_BYTES, _MESSAGE = _Field.TYPE_BYTES, _Field.TYPE_MESSAGE
_LAYOUT: Final[dict[str, tuple[tuple[str, int, Any, bool, str], ...]]] = {
    "TraceRequest": (("resource_spans", 1, _MESSAGE, True, "ResourceSpans"),),
    "ResourceSpans": (("resource", 1, _BYTES, False, ""), ("scope_spans", 2, _BYTES, True, "")),
    "ScopeSpans": (("scope", 1, _BYTES, False, ""), ("spans", 2, _MESSAGE, True, "Span")),
    "Span": (
        ("trace_id", 1, _BYTES, False, ""),
        ("span_id", 2, _BYTES, False, ""),
        ("trace_state", 3, _BYTES, False, ""),
        ("parent_span_id", 4, _BYTES, False, ""),
        ("name", 5, _BYTES, False, ""),
        ("kind", 6, _Field.TYPE_INT32, False, ""),
        ("start_time_unix_nano", 7, _Field.TYPE_FIXED64, False, ""),
        ("end_time_unix_nano", 8, _Field.TYPE_FIXED64, False, ""),
        ("attributes", 9, _BYTES, True, ""),
        ("dropped_attributes_count", 10, _Field.TYPE_UINT32, False, ""),
        ("events", 11, _BYTES, True, ""),
        ("dropped_events_count", 12, _Field.TYPE_UINT32, False, ""),
        ("links", 13, _BYTES, True, ""),
        ("dropped_links_count", 14, _Field.TYPE_UINT32, False, ""),
        ("status", 15, _BYTES, False, ""),
        ("flags", 16, _Field.TYPE_FIXED32, False, ""),
    ),
}


def _pool() -> Any:
    file = descriptor_pb2.FileDescriptorProto(name="otel_llm/wire.proto", package="otel_llm.wire", syntax="proto3")
    for name, fields in _LAYOUT.items():
        message = file.message_type.add(name=name)
        for field, number, kind, repeated, of in fields:
            label = _Field.LABEL_REPEATED if repeated else _Field.LABEL_OPTIONAL
            added = message.field.add(name=field, number=number, type=kind, label=label)
            if of:
                added.type_name = f".otel_llm.wire.{of}"
    pool: Any = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return pool


_POOL: Final = _pool()


def _message_class(name: str) -> Any:
    return message_factory.GetMessageClass(_POOL.FindMessageTypeByName(f"otel_llm.wire.{name}"))


TraceRequest: Final = _message_class("TraceRequest")
"""A trace request whose resources and ScopeSpans are bytes."""
ScopeSpans: Final = _message_class("ScopeSpans")
"""Those: the scope is bytes, and names, attributes, events, links and statuses of spans are."""
WireSpan: Final = _message_class("Span")
"""One span of them."""


def trace_request(message: Any) -> Any:
    """A request as a :data:`TraceRequest`, whichever of the two classes it is of."""
    return TraceRequest.FromString(message.SerializeToString()) if isinstance(message, ExportTraceServiceRequest) else message


def wire_span(span: Span) -> Any:
    """A span as a :data:`WireSpan`."""
    return WireSpan.FromString(span.SerializeToString())


_STATUSES: Final[dict[bytes, tuple[int, str]]] = {
    b"": (0, ""),
    b"\x18\x00": (0, ""),
    b"\x18\x01": (1, ""),
    b"\x18\x02": (2, ""),
}
"""Statuses without a message."""


def read_status(encoded: bytes) -> tuple[int, str]:
    """Code and message of an encoded status; unset when the bytes are no status."""
    known = _STATUSES.get(encoded)
    if known is not None:
        return known
    try:
        status = Status.FromString(encoded)
    except DecodeError:
        return 0, ""
    return status.code, status.message


MAX_PAIRS: Final = 16_384
"""Attributes remembered; with at most 256 bytes each they take a few MB."""
MAX_PAIRS_OF_KEY: Final = 64
"""Different values of one key that are remembered: ids and counts are new each time and not worth a place."""
MAX_PAIR_BYTES: Final = 256
MAX_KEYS: Final = 10_000

Pair = tuple[str, Any]

_KEY_HEAD, VALUE_TAG = b"\x0a", 0x12  # KeyValue.key and KeyValue.value
TEXT_TAG, INT_TAG, DOUBLE_TAG = 0x0A, 0x18, 0x21  # AnyValue.string_value, int_value and double_value
_double = struct.Struct("<d").unpack_from
ONE_BYTE = 0x80  # lengths and integers below this take one byte


def read_pair(encoded: bytes) -> Pair | None:
    """Key and plain value of one encoded attribute; None when the bytes are no attribute."""
    try:
        item = KeyValue.FromString(encoded)
    except DecodeError:
        return None
    return item.key, plain_value(item.value)


def value_at(encoded: bytes, start: int) -> Any:
    """The value of an encoded attribute whose key ends at ``start``, read in place: a short text, a small integer, a number.

    None for every other value, and for bytes that are written in some other way: the runtime reads those.
    """
    size = len(encoded)
    # The lengths must add up to the whole.
    if size <= start + 3 or encoded[start] != VALUE_TAG or not encoded[start + 1] == size - start - 2 < ONE_BYTE:
        return None
    tag = encoded[start + 2]
    if tag == TEXT_TAG:
        if encoded[start + 3] == size - start - 4:
            try:
                return encoded[start + 4 :].decode()
            except UnicodeDecodeError:
                return None
    elif tag == INT_TAG:
        low = encoded[start + 3]
        if size == start + 4 and low < ONE_BYTE:
            return low
        if size == start + 5 and encoded[start + 4] < ONE_BYTE <= low:
            return (low & 0x7F) | (encoded[start + 4] << 7)
        if size == start + 6 and encoded[start + 5] < ONE_BYTE <= min(low, encoded[start + 4]):
            return (low & 0x7F) | (encoded[start + 4] & 0x7F) << 7 | encoded[start + 5] << 14
    elif tag == DOUBLE_TAG and size == start + 11:
        value = _double(encoded, start + 3)[0]
        if value - value == 0.0:  # a number that is not finite has a form of its own
            return value
    return None


class Pairs(dict[bytes, Pair]):
    """Encoded attributes → key and plain value. Values are shared by all spans that have them: never change one.

    An attribute that is not remembered is read in place when it is a short text or a small integer of a known key, which
    most are, and by the protobuf runtime otherwise. Raises DecodeError for bytes that are no attribute.
    """

    __slots__ = ("_heads",)

    def __init__(self) -> None:
        super().__init__()
        self._heads: dict[bytes, list[Any]] = {}
        """Encoded key → the key, and how many of its values are remembered."""

    def __missing__(self, encoded: bytes) -> Pair:
        size = len(encoded)
        start = encoded[1] + 2 if size > 1 else 0
        head = self._heads.get(encoded[:start])
        if head is None:
            return self._first(encoded, start)
        value = value_at(encoded, start)
        pair = (head[0], value) if value is not None else read_pair(encoded)
        if pair is None:
            raise DecodeError("bytes that are no attribute")
        if head[1] < MAX_PAIRS_OF_KEY and size <= MAX_PAIR_BYTES:
            if len(self) >= MAX_PAIRS:
                self.clear()
                self._heads.clear()
            head[1] += 1
            self[encoded] = pair
        return pair

    def _first(self, encoded: bytes, start: int) -> Pair:
        """Reads the first attribute of a key, and remembers the key's bytes when they are written the usual way."""
        pair = read_pair(encoded)
        if pair is None:
            raise DecodeError("bytes that are no attribute")
        if encoded[:1] == _KEY_HEAD and start < ONE_BYTE and encoded[2:start] == pair[0].encode():
            if len(self._heads) >= MAX_KEYS:
                self.clear()
                self._heads.clear()
            self._heads[encoded[:start]] = [pair[0], 0]
        return pair


PAIRS: Final = Pairs()
"""The attributes that this process has seen."""
