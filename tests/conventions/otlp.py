"""Builds OTLP trace requests from plain values, and extracts them."""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from otel_llm.conventions.anyvalue import key_values
from otel_llm.conventions.content import ContentPolicy
from otel_llm.conventions.extract import extract_spans
from otel_llm.conventions.extraction import Extraction

NOW_NS = 1_795_400_000_000_000_000
START_NS = 1_795_300_000_000_000_000
TRACE_ID = bytes.fromhex("0af7651916cd43dd8448eb211c80319c")
CLIENT, INTERNAL, SERVER = 3, 1, 2

_ids = itertools.count(1)


def span(
    attributes: Mapping[str, Any] | None = None,
    *,
    name: str = "chat",
    kind: int = CLIENT,
    seconds: float = 1.0,
    events: Sequence[tuple[str, float, Mapping[str, Any]]] = (),
    **fields: Any,
) -> Span:
    """A span of one second; ``events`` are (name, seconds after the start, attributes)."""
    made = Span(
        trace_id=TRACE_ID,
        span_id=next(_ids).to_bytes(8, "big"),
        name=name,
        kind=kind,
        start_time_unix_nano=START_NS,
        end_time_unix_nano=START_NS + round(seconds * 1e9),
    )
    made.attributes.extend(key_values(dict(attributes or {})))
    for event_name, after, event_attributes in events:
        event = made.events.add(name=event_name, time_unix_nano=START_NS + round(after * 1e9))
        event.attributes.extend(key_values(dict(event_attributes)))
    for field, value in fields.items():
        if field == "status":
            made.status.code, made.status.message = value
        else:
            setattr(made, field, value)
    return made


def request(*spans: Span, scope: str = "", resource: Mapping[str, Any] | None = None) -> ExportTraceServiceRequest:
    """A request of one scope."""
    made = ExportTraceServiceRequest()
    resource_spans = made.resource_spans.add()
    resource_spans.resource.attributes.extend(key_values(dict(resource or {})))
    scope_spans = resource_spans.scope_spans.add()
    scope_spans.scope.name = scope
    scope_spans.spans.extend(spans)
    return made


def extract(message: ExportTraceServiceRequest, content: ContentPolicy | None = None) -> Extraction:
    """The extraction of a request."""
    return extract_spans(message, project="p", key_id="k", now_ns=NOW_NS, content=content or ContentPolicy())


def row(
    attributes: Mapping[str, Any] | None = None,
    *,
    scope: str = "",
    resource: Mapping[str, Any] | None = None,
    content: ContentPolicy | None = None,
    **fields: Any,
) -> dict[str, Any]:
    """The row of one span."""
    extraction = extract(request(span(attributes, **fields), scope=scope, resource=resource), content)
    assert not extraction.rejections
    return extraction.batch.row(0)
