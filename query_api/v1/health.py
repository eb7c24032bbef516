"""GET /api/v1/data-health: what the numbers lack, where it is lost, and what to do about it."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from otel_llm.store.queries import data_health
from otel_llm.store.queries.data_health import Instrumentation
from otel_llm.store.queries.reading import Reader
from otel_llm.store.queries.span_fates import REASONS
from query_api.v1 import parameters
from query_api.v1.forms import iso

if TYPE_CHECKING:
    from otel_llm.collector import Collector

TABLES: dict[str, tuple[str, ...]] = {
    "unpriced": ("provider", "model", "calls", "input_tokens", "output_tokens", "last", "advice"),
    "instrumentations": (
        *("scope", "version", "dialect", "calls", "errors", "without_tokens", "streaming", "without_ttft"),
        *("without_model", "without_provider", "adjusted", "advice"),
    ),
    "suppressed": ("scope", "reason", "records", "meaning", "advice", "example_trace_id"),
    "rejected": ("signal", "reason", "items", "last", "detail", "advice"),
    "since_start": ("signal", "outcome", "reason", "items"),
}

UNPRICED_ADVICE = (
    "Give it a price in the file of --prices-file and run otel-llm reprice, or let the app report the cost (gen_ai.usage.cost)."
)
NO_MODEL_ADVICE = "The spans name no model; without one there is no price. Update the instrumentation."
TOKENS_ADVICE = (
    "Streams report usage only when asked: set stream_options={'include_usage': True} in the app, "
    "or update the instrumentation."
)
TTFT_ADVICE = (
    "This instrumentation does not record when the first token came: "
    "switch on first-token timing of the otel-llm SDK in the app."
)
MODEL_ADVICE = "Some calls name no model: they cannot be priced or grouped. Update the instrumentation."
DUPLICATE_ADVICE = (
    "Nothing has to be done: each call counts once. To send less, switch one of the instrumentations off in the app."
)
_BAD_ID = "The exporter sent an id that is all zeros or has the wrong length: look for spans that the app makes by hand."
_BAD_TIME = "The clock of the app is wrong: span times must lie between 1970 and 2262."
REJECTED_ADVICE: Mapping[str, str] = {
    "invalid_trace_id": _BAD_ID,
    "invalid_span_id": _BAD_ID,
    "invalid_parent_span_id": _BAD_ID,
    "time_out_of_range": _BAD_TIME,
}
OTHER_ADVICE = "The detail says what was wrong with it; otel-llm why TRACE_ID and the trace's page show which span it was."


def view(reader: Reader, project: str, collector: "Collector") -> dict[str, Any]:
    """Four tables over the window, and the totals of this server since its start."""
    window = parameters.closed_window()
    since_start = collector.accounting.snapshot(project)
    return {
        **parameters.echo(window),
        "totals": data_health.span_totals(reader, project, window),
        "unpriced": [
            {
                "provider": row.provider,
                "model": row.model,
                "calls": row.calls,
                "input_tokens": row.input_tokens,
                "output_tokens": row.output_tokens,
                "last": iso(row.last_ns),
                "advice": UNPRICED_ADVICE if row.model else NO_MODEL_ADVICE,
            }
            for row in data_health.unpriced(reader, project, window)
        ],
        "instrumentations": [
            row._asdict() | {"advice": _advice(row)} for row in data_health.instrumentations(reader, project, window)
        ],
        "suppressed": [
            {
                "scope": row.scope,
                "reason": row.reason,
                "records": row.records,
                "meaning": REASONS.get(row.reason, ""),
                "advice": DUPLICATE_ADVICE,
                "example_trace_id": row.example.hex(),
            }
            for row in data_health.suppressed(reader, project, window)
        ],
        "rejected": [
            {
                "signal": row.signal,
                "reason": row.reason,
                "items": row.items,
                "last": iso(row.last_ns),
                "detail": row.detail,
                "advice": REJECTED_ADVICE.get(row.reason, OTHER_ADVICE),
            }
            for row in data_health.refused(reader, project, window)
        ],
        "since_start": _rows(since_start) if parameters.text("format") == "csv" else since_start,
    }


def _rows(counters: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The counters as a table: one row for each signal, outcome and reason; what belongs to no signal has none."""
    rows = []
    for name, counted in counters.items():
        outcomes = counted if "received" in counted else {name: counted}
        for outcome, found in outcomes.items():
            reasons = found if isinstance(found, dict) else {None: found}
            signal = name if outcomes is counted else None
            rows += [
                {"signal": signal, "outcome": outcome, "reason": reason, "items": items} for reason, items in reasons.items()
            ]
    return rows


def _advice(row: Instrumentation) -> str:
    parts = []
    if row.without_tokens:
        parts.append(TOKENS_ADVICE)
    if row.without_ttft:
        parts.append(TTFT_ADVICE)
    if row.without_model:
        parts.append(MODEL_ADVICE)
    return " ".join(parts)
