"""Builders of finished span rows."""

import itertools
from datetime import UTC, datetime
from typing import Any

MS = 1_000_000
SECOND = 1_000_000_000
DAY = 86_400 * SECOND
_ids = itertools.count(1)


def at(text: str) -> int:
    """ns of a UTC time such as 2025-01-23T04:00:00."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * SECOND


NOON = at("2025-01-23T12:00:00")


def trace(number: int) -> bytes:
    """A trace id."""
    return number.to_bytes(16, "big")


def span_id(number: int) -> bytes:
    """A span id."""
    return number.to_bytes(8, "big")


def call(**values: Any) -> dict[str, Any]:
    """A counted call of one second in a trace of its own, unless told otherwise; ``ms`` is its duration."""
    number = next(_ids)
    start = values.pop("start_ns", NOON)
    duration = round(values.pop("ms", 1_000) * MS)
    row: dict[str, Any] = {
        "project": "default",
        "trace_id": trace(number + 10**6),
        "span_id": span_id(number + 10**6),
        "name": "chat",
        "kind": 3,
        "start_ns": start,
        "end_ns": start + duration,
        "ingested_ns": start,
        "dialect": "semconv",
        "role": "generation",
        "provider": "openai",
        "request_model": "gpt-4o",
        "input_tokens": 0,
        "output_tokens": 0,
        "error": False,
        "status_code": 0,
        "attribute_count": 1,
        "counted": True,
    }
    return row | values


def step(**values: Any) -> dict[str, Any]:
    """A span that is no call."""
    plain = {
        "role": "other",
        "counted": None,
        "provider": None,
        "request_model": None,
        "input_tokens": None,
        "output_tokens": None,
    }
    return call(**(plain | values))
