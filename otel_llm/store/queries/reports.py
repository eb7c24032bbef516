"""Reports for people, as JSON documents: all calls in sum, each model in sum, single calls. The command line prints them
from the store or from a server, so both give the same."""

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from otel_llm.store.queries import call, dimensions
from otel_llm.store.queries.call import SPAN, Column
from otel_llm.store.queries.calls import CallFilter, asked_calls
from otel_llm.store.queries.metrics import METRICS
from otel_llm.store.queries.reading import Reader
from otel_llm.store.queries.recent_calls import RecentCall, recent_calls
from otel_llm.store.queries.window import NS_PER_S, Window

Document = dict[str, Any]
_NS_PER_MS = 1_000_000
_NS_PER_US = 1_000
_SUMS = ("call_count", "error_count", "cost_sum", "input_sum", "output_sum", "duration_ns_sum")


def stats(reader: Reader, project: str, window: Window, filters: CallFilter) -> Document:
    """Sums, means and percentiles over all calls that started in the window."""
    calls = asked_calls(reader, project, window, filters)
    return _summary(reader.row(calls.grouped((), *_columns(reader))))


def models(reader: Reader, project: str, window: Window, filters: CallFilter) -> list[Document]:
    """The same for each provider and model; the most expensive first, then the most called."""
    calls = asked_calls(reader, project, window, filters)
    keys = [dimensions.provider().label("provider_name"), dimensions.model().label("model_label")]
    found = [
        {"provider": row.provider_name, "model": row.model_label, **_summary(row)}
        for row in reader.rows(calls.grouped(keys, *_columns(reader)))
    ]
    return sorted(found, key=lambda row: (-row["cost"], -row["calls"], row["provider"], row["model"]))


def recent(reader: Reader, project: str, window: Window, filters: CallFilter, limit: int) -> list[Document]:
    """The calls that ended last in the window, newest first."""
    return [_call(one) for one in recent_calls(reader, project, window, filters, limit=limit).calls]


def _columns(reader: Reader) -> list[sa.Label[Any]]:
    functions = reader.functions
    own: dict[str, Column] = {name: METRICS[name](functions) for name in _SUMS}
    own |= {
        # a call without a time to first token is left out here; only LangDB's views fall back to the duration
        f"{name}_{percent}": functions.percentile(value, percent / 100)
        for name, value in (("latency", call.duration_ns()), ("first_token", SPAN.ttft_ns))
        for percent in (50, 95)
    }
    # a call without tokens (one that failed) has nothing to be priced
    used = sa.or_(SPAN.input_tokens.is_not(None), SPAN.output_tokens.is_not(None))
    own["unpriced_count"] = sa.func.sum(sa.case((sa.and_(call.cost().is_(None), used), 1), else_=0))
    return [column.label(name) for name, column in own.items()]


def _summary(row: sa.Row[Any]) -> Document:
    count, errors = int(row.call_count), int(row.error_count or 0)
    return {
        "calls": count,
        "errors": errors,
        "error_rate": errors / count if count else 0.0,
        "cost": float(row.cost_sum or 0.0),
        "calls_without_cost": int(row.unpriced_count or 0),
        "input_tokens": int(row.input_sum or 0),
        "output_tokens": int(row.output_sum or 0),
        "latency_ms": {
            "mean": int(row.duration_ns_sum or 0) / count / _NS_PER_MS if count else None,
            "p50": _ms(row.latency_50),
            "p95": _ms(row.latency_95),
        },
        "ttft_ms": {"p50": _ms(row.first_token_50), "p95": _ms(row.first_token_95)},
    }


def _call(one: RecentCall) -> Document:
    return {
        "start": _iso(one.start_ns),
        "provider": one.provider,
        "model": one.model,
        "input_tokens": one.input_tokens,
        "output_tokens": one.output_tokens,
        "cost": one.cost,
        "latency_ms": _ms(one.end_ns - one.start_ns),
        "ttft_ms": _ms(one.ttft_ns),
        "error": (one.error_type or "error") if one.error else None,
        "user": one.user_id,
        "session": one.session_id,
        "agent": one.agent,
        "name": one.name,
        "trace_id": one.trace_id.hex(),
        "span_id": one.span_id.hex(),
    }


def _ms(time_ns: float | None) -> float | None:
    return None if time_ns is None else float(time_ns) / _NS_PER_MS


def _iso(time_ns: int) -> str:
    """ISO 8601 in UTC, to the microsecond."""
    time = datetime.fromtimestamp(time_ns // NS_PER_S, UTC).replace(microsecond=time_ns % NS_PER_S // _NS_PER_US)
    return time.isoformat(timespec="microseconds").replace("+00:00", "Z")
