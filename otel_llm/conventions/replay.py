"""A stored row as the OTLP request that gives it: the inverse of extraction."""

from collections.abc import Mapping
from typing import Any

import msgspec
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from otel_llm.conventions.anyvalue import key_values


def request_of(row: Mapping[str, Any]) -> ExportTraceServiceRequest:
    """A request with the one span that a row was extracted from, as far as it was stored.

    Extracting it gives the row again. What normalisation shortened (a stream's log span whose start was moved to where
    the call began) is sent as it is stored.
    """
    request = ExportTraceServiceRequest()
    resource_spans = request.resource_spans.add()
    resource_spans.resource.attributes.extend(key_values(_decoded(row.get("resource_attributes"), {})))
    scope_spans = resource_spans.scope_spans.add()
    scope_spans.scope.name = row.get("scope_name") or ""
    scope_spans.scope.version = row.get("scope_version") or ""
    span = scope_spans.spans.add(
        trace_id=bytes(row["trace_id"]),
        span_id=bytes(row["span_id"]),
        parent_span_id=bytes(row.get("parent_span_id") or b""),
        name=row.get("name") or "",
        kind=row.get("kind") or 0,
        start_time_unix_nano=row["start_ns"],
        end_time_unix_nano=row["end_ns"],
    )
    code: Any = row.get("status_code") or 0
    span.status.code = code
    if row.get("error_message"):  # also without the code: an error type makes an error too, and its message counts
        span.status.message = row["error_message"]
    span.attributes.extend(key_values(_decoded(row.get("attributes"), {})))
    for event in _decoded(row.get("events"), []):
        added = span.events.add(name=event["name"], time_unix_nano=event["time_ns"])
        added.attributes.extend(key_values(event["attributes"]))
    for link in _decoded(row.get("links"), []):
        added_link = span.links.add(trace_id=bytes.fromhex(link["trace_id"]), span_id=bytes.fromhex(link["span_id"]))
        added_link.attributes.extend(key_values(link["attributes"]))
    return request


def _decoded(text: Any, empty: Any) -> Any:
    return msgspec.json.decode(text) if text else empty
