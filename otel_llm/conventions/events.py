"""Span events and links: kept as JSON, read for first tokens, exceptions and policy findings."""

from collections.abc import Iterable
from typing import Any, Final, NamedTuple

import msgspec
from google.protobuf.message import DecodeError
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from otel_llm.conventions.anyvalue import plain_attributes
from otel_llm.conventions.content import ContentPolicy, Guard
from otel_llm.conventions.policy import FINDING_EVENTS
from otel_llm.conventions.routes import CONTENT_EVENTS, key_route
from otel_llm.conventions.timing import EVENT_RANKS, EVERY_CHUNK
from otel_llm.conventions.values import INT64_MAX, clean, scrub_attributes

_encode = msgspec.json.Encoder().encode

KEPT_OF_CONTENT_EVENTS = frozenset(
    [
        "gen_ai.system",
        "gen_ai.provider.name",
        "gen_ai.operation.name",
        "gen_ai.request.model",
        "gen_ai.response.model",
        "gen_ai.response.id",
        "gen_ai.response.finish_reasons",
        "gen_ai.usage.input_tokens",
        "gen_ai.usage.output_tokens",
        "gen_ai.evaluation.name",
        "gen_ai.evaluation.score.value",
        "gen_ai.evaluation.score.label",
        "event.name",
        "index",
        "finish_reason",
        "id",
        "role",
    ]
)
"""Attributes that stay on an event which carries messages: none of them holds words of the conversation."""


class Events(NamedTuple):
    """What the events of a span say."""

    kept: list[dict[str, Any]]
    first_tokens: list[tuple[int, str, int]]
    exceptions: list[dict[str, Any]]
    findings: list[dict[str, Any]]


NO_EVENTS: Final = Events([], [], [], [])


def read_events(span_events: Iterable[bytes], dropped: int, content: ContentPolicy, guard: Guard | None) -> Events:
    """Reads the encoded events of one span; ``dropped`` is how many its SDK dropped."""
    kept: list[dict[str, Any]] = []
    first: dict[str, int] = {}
    exceptions: list[dict[str, Any]] = []
    findings: list[dict[str, Any]] = []
    for encoded in span_events:
        event = _decoded(Span.Event, encoded)
        if event is None:
            continue
        name = clean(event.name)
        instant = min(event.time_unix_nano, INT64_MAX)
        attributes = kept_of(name, _attributes(event, encoded), content, guard)
        if name in EVENT_RANKS and not (dropped and name in EVERY_CHUNK):
            first[name] = min(instant, first.get(name, INT64_MAX))
        elif name == "exception":
            exceptions.append(attributes)
        elif name in FINDING_EVENTS:
            findings.append({"name": name, "time_ns": instant, "attributes": attributes})
        kept.append({"name": guard.text(name) if guard else name, "time_ns": instant, "attributes": attributes})
    return Events(kept, [(EVENT_RANKS[name], name, instant) for name, instant in first.items()], exceptions, findings)


def kept_of(name: str, attributes: dict[str, Any], content: ContentPolicy, guard: Guard | None) -> dict[str, Any]:
    """The attributes of an event that are stored."""
    if content.capture:
        attributes = content.cut(attributes)
    elif name in CONTENT_EVENTS:
        attributes = {key: value for key, value in attributes.items() if key in KEPT_OF_CONTENT_EVENTS}
    else:
        attributes = {key: value for key, value in attributes.items() if not key_route(key).content}
    return guard.attributes(attributes, _encode(attributes))[0] if guard else attributes


def read_links(links: Iterable[bytes], content: ContentPolicy, guard: Guard | None) -> list[dict[str, Any]]:
    """The encoded links of one span, ids in hex."""
    return [
        {
            "trace_id": link.trace_id[:16].hex(),
            "span_id": link.span_id[:8].hex(),
            "attributes": kept_of("", _attributes(link, encoded), content, guard),
        }
        for encoded in links
        if (link := _decoded(Span.Link, encoded)) is not None
    ]


def _attributes(message: Any, encoded: bytes) -> dict[str, Any]:
    """The attributes of an event or link, cleaned before anything is decided by their keys."""
    raw = plain_attributes(message.attributes)
    return scrub_attributes(raw) if b"\x00" in encoded else raw


def _decoded(of: Any, encoded: bytes) -> Any:
    """A message, or None when the bytes are none: a broken event is not worth its span."""
    try:
        return of.FromString(encoded)
    except DecodeError:
        return None
