"""Builders of span rows for store tests."""

from typing import Any

from otel_llm.spans import SpanBatch

T0 = 1_767_225_600_000_000_000  # 2026-01-01T00:00:00Z
SECOND = 1_000_000_000


def span(trace: int = 1, span_id: int = 1, parent: int | None = None, **values: Any) -> dict[str, Any]:
    """A complete row: a plain LLM call of one second unless told otherwise."""
    start = values.pop("start_ns", T0)
    row: dict[str, Any] = {
        "project": "default",
        "trace_id": trace.to_bytes(16, "big"),
        "span_id": span_id.to_bytes(8, "big"),
        "parent_span_id": parent.to_bytes(8, "big") if parent else None,
        "name": "chat gpt-4o",
        "kind": 3,
        "start_ns": start,
        "end_ns": start + SECOND,
        "ingested_ns": T0,
        "dialect": "semconv",
        "role": "generation",
        "operation": "chat",
        "provider": "openai",
        "response_model": "gpt-4o",
        "input_tokens": 100,
        "output_tokens": 20,
        "error": False,
        "status_code": 0,
        "attributes": "{}",
        "resource_attributes": "{}",
        "attribute_count": 3,
    }
    return row | values


def batch(*rows: dict[str, Any]) -> SpanBatch:
    """A batch of rows."""
    return SpanBatch.of_rows(rows)
