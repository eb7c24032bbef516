"""OTLP request bytes to protobuf messages.

The protobuf runtime reads good requests; what it refuses as a whole is mended (:mod:`otel_llm.otlp.mend`), so that one
bad span does not cost its batch. JSON becomes protobuf bytes first (:mod:`otel_llm.otlp.transcode`): everything behind
this module sees one kind of message.
"""

from typing import Any, Final, Literal, NamedTuple, TypedDict

import msgspec
from google.protobuf.descriptor import Descriptor
from google.protobuf.message import DecodeError, Message
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans

from otel_llm.errors import InvalidPayload
from otel_llm.otlp.damage import Damage, Undecodable
from otel_llm.otlp.extent import check_extent
from otel_llm.otlp.json_spans import SpanText
from otel_llm.otlp.mend import mend
from otel_llm.otlp.signals import SIGNALS, SignalName
from otel_llm.otlp.transcode import transcode

Encoding = Literal["protobuf", "json"]


def _object(message: type[Message], **typed: Any) -> Any:
    """The type of a message's JSON object: any value for its fields, by either of their names, but for the typed ones."""
    names = {name: spec.name for spec in message.DESCRIPTOR.fields for name in (spec.name, spec.json_name)}
    fields = {name: typed.get(field, Any) for name, field in names.items()}
    return TypedDict(f"{message.DESCRIPTOR.name}Object", fields, total=False)  # type: ignore[operator] # by descriptor


_SCOPES: Final = list[_object(ScopeSpans, spans=list[SpanText])]  # type: ignore[misc] # made by descriptor
_RESOURCES: Final = list[_object(ResourceSpans, scope_spans=_SCOPES)]  # type: ignore[misc] # made by descriptor
_LAZY_TRACES: Final = msgspec.json.Decoder(_object(ExportTraceServiceRequest, resource_spans=_RESOURCES))
"""Reads a trace request, but for the attributes of its spans, which stay JSON text."""


class Decoded(NamedTuple):
    """A request, and what of it could not be read."""

    message: Any
    damage: Damage


def decode(signal: SignalName, body: bytes, encoding: Encoding) -> Any:
    """The ``Export…ServiceRequest`` of a body. Items and values that cannot be read are left out.

    Raises InvalidPayload; PayloadTooLarge for one of absurdly many parts.
    """
    return decode_reporting(signal, body, encoding).message


def decode_reporting(signal: SignalName, body: bytes, encoding: Encoding, lean: "type[Message] | None" = None) -> Decoded:
    """The ``Export…ServiceRequest`` of a body, and what of it was left out.

    ``lean`` is a message class of the same wire format that a good request is read as instead; one that had to be mended
    comes as the full class all the same. What such a class leaves as bytes may turn out to be broken later, see
    :func:`salvage`. Raises InvalidPayload; PayloadTooLarge for one of absurdly many parts.
    """
    damage = Damage()
    try:
        if encoding == "json":
            body, damage = _transcoded(signal, body, SIGNALS[signal].descriptor)
        message = _protobuf(body, lean, signal, damage)
    except Undecodable as error:
        raise _invalid(signal, encoding, error) from None
    return Decoded(message, damage)


def salvage(signal: SignalName, body: bytes) -> Decoded:
    """The request of a protobuf body of which a part does not parse. Raises InvalidPayload."""
    damage = Damage()
    try:
        return Decoded(mend(body, SIGNALS[signal].request, damage), damage)
    except Undecodable as error:
        raise _invalid(signal, "protobuf", error) from None


def _invalid(signal: SignalName, encoding: Encoding, error: Undecodable) -> InvalidPayload:
    what = "OTLP/JSON" if encoding == "json" else "protobuf"
    return InvalidPayload(f"not an {SIGNALS[signal].descriptor.name} in {what}: {error}")


def _protobuf(body: bytes, lean: type[Message] | None, signal: SignalName, damage: Damage) -> Message:
    request = SIGNALS[signal].request
    check_extent(body, SIGNALS[signal].noun)
    try:
        return (lean or request).FromString(body)
    except DecodeError:
        return mend(body, request, damage)


def _transcoded(signal: SignalName, body: bytes, descriptor: Descriptor) -> tuple[bytes, Damage]:
    """Protobuf bytes of a JSON body, and what was left out. Raises Undecodable."""
    if signal == "traces":
        try:
            damage = Damage()
            return transcode(_LAZY_TRACES.decode(body), descriptor, damage), damage
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, Undecodable):
            pass  # not as it should be: what is wrong is found by reading all of it
    damage = Damage()
    return transcode(_json(body, damage), descriptor, damage), damage


def _json(body: bytes, damage: Damage) -> Any:
    try:
        return msgspec.json.decode(body)
    except RecursionError:
        raise Undecodable("nested too deeply") from None
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        return _mended_json(body, error, damage)


def _mended_json(body: bytes, error: Exception, damage: Damage) -> Any:
    """A JSON document with text that is not UTF-8, or a lone surrogate, or a number beyond a double."""
    import json

    try:
        text = body.decode(errors="replace")
        document = json.loads(text)
    except RecursionError:
        raise Undecodable("nested too deeply") from None
    except ValueError:
        raise Undecodable(str(error)) from None
    if text.encode() != body:
        damage.drop("invalid_utf8", "a text is not UTF-8")
    return document
