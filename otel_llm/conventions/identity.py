"""Which spans can be stored at all: ids of the right length, times a store can hold."""

from typing import Final, NamedTuple

from otel_llm.conventions.values import INT64_MAX

TRACE_ID_BYTES: Final = 16
SPAN_ID_BYTES: Final = 8
NO_TRACE: Final = bytes(TRACE_ID_BYTES)
NO_SPAN: Final = bytes(SPAN_ID_BYTES)


class Fault(NamedTuple):
    """Why a span is refused: a short reason for counters, and a sentence that names the field."""

    reason: str
    detail: str


def check_ids(trace_id: bytes, span_id: bytes, parent_span_id: bytes) -> Fault | None:
    """What is wrong with a span's ids; an empty or all-zero parent is a root and fine."""
    if len(trace_id) != TRACE_ID_BYTES:
        return Fault("invalid_trace_id", f"trace_id has {len(trace_id)} bytes, not {TRACE_ID_BYTES}")
    if trace_id == NO_TRACE:
        return Fault("invalid_trace_id", "trace_id is all zero")
    if len(span_id) != SPAN_ID_BYTES:
        return Fault("invalid_span_id", f"span_id has {len(span_id)} bytes, not {SPAN_ID_BYTES}")
    if span_id == NO_SPAN:
        return Fault("invalid_span_id", "span_id is all zero")
    if parent_span_id and len(parent_span_id) != SPAN_ID_BYTES:
        return Fault("invalid_parent_span_id", f"parent_span_id has {len(parent_span_id)} bytes, not {SPAN_ID_BYTES}")
    return None


def check_times(start_ns: int, end_ns: int, now_ns: int) -> tuple[int, int] | Fault:
    """Start and end as stored: a missing one is the other, both missing are the arrival, an end before the start is the
    start. Times beyond 64 bits (the year 2262) cannot be stored."""
    if not start_ns:
        start_ns = end_ns or now_ns
    end_ns = max(end_ns, start_ns)
    if start_ns > INT64_MAX:
        return Fault("time_out_of_range", "start_time_unix_nano is after the year 2262")
    if end_ns > INT64_MAX:
        return Fault("time_out_of_range", "end_time_unix_nano is after the year 2262")
    return start_ns, end_ns


def parent_of(parent_span_id: bytes) -> bytes | None:
    """The parent's id; None for a root."""
    return None if not parent_span_id or parent_span_id == NO_SPAN else parent_span_id


def hex_of(identifier: bytes) -> str:
    """An id of any length for a person to read, cut to 64 digits."""
    return identifier[:32].hex()
