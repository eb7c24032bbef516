"""Single calls, newest first: what people look at when a number surprises them."""

import json
from collections.abc import Collection
from typing import Any, Literal, NamedTuple

import sqlalchemy as sa

from otel_llm.store.queries import call, trace_values
from otel_llm.store.queries.call import SPAN
from otel_llm.store.queries.calls import CallFilter, asked_calls
from otel_llm.store.queries.reach import reach_of
from otel_llm.store.queries.reading import Reader
from otel_llm.store.queries.window import Window


class RecentCall(NamedTuple):
    """One counted call. Times in ns, cost in USD; None where it has no value."""

    trace_id: bytes
    span_id: bytes
    name: str
    role: str
    start_ns: int
    end_ns: int
    provider: str | None
    model: str | None
    input_tokens: int | None
    output_tokens: int | None
    total_tokens: int | None
    cache_read_tokens: int | None
    cache_write_tokens: int | None
    reasoning_tokens: int | None
    cost: float | None
    ttft_ns: int | None
    error: bool
    error_type: str | None
    finish_reasons: list[str]
    user_id: str | None
    session_id: str | None
    agent: str | None
    """Name or id of the agent, else ``agentlens.agentId``, else the service."""


class Page(NamedTuple):
    """Some calls of ``total`` that match."""

    calls: list[RecentCall]
    total: int


_COLUMNS = (
    "trace_id",
    "span_id",
    "name",
    "role",
    "start_ns",
    "end_ns",
    "provider",
    "input_tokens",
    "output_tokens",
    "total_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "reasoning_tokens",
    "ttft_ns",
    "error",
    "error_type",
    "finish_reasons",
    "user_id",
    "session_id",
)


def recent_calls(
    reader: Reader,
    project: str,
    window: Window,
    filters: CallFilter,
    *,
    limit: int,
    offset: int = 0,
    order: Literal["asc", "desc"] = "desc",
) -> Page:
    """Calls by end time (ties: by ids)."""
    calls = asked_calls(reader, project, window, filters, by="end")
    total = int(reader.row(calls.grouped((), sa.func.count()))[0])
    keys = (SPAN.end_ns, SPAN.trace_id, SPAN.span_id)
    columns = [SPAN[name] for name in _COLUMNS]
    computed = [
        call.model().label("model_label"),
        call.cost().label("call_cost"),
        sa.func.coalesce(SPAN.agent_name, SPAN.agent_id, SPAN.agentlens_agent_id, SPAN.service_name).label("agent_label"),
    ]
    rows = reader.first(calls.select(*columns, *computed), keys, limit, offset, descending=order == "desc")
    inherited = _inherited(reader, project, {bytes(row.trace_id) for row in rows if not (row.user_id and row.session_id)})
    return Page([_call(row, *inherited.get(bytes(row.trace_id), (None, None))) for row in rows], total)


def _inherited(reader: Reader, project: str, traces: Collection[bytes]) -> dict[bytes, tuple[str | None, str | None]]:
    """User and session of the traces of calls on a page that lack one: cheaper than joining them before the page is cut."""
    if not traces:
        return {}
    reach = reach_of(reader, project, traces)
    values = trace_values.inherited(reader.functions, project, ("user_id", "session_id"), [sorted(traces)], reach)
    found = reader.rows(sa.select(values.c.of_trace, values.c.trace_user_id, values.c.trace_session_id))
    return {bytes(row.of_trace): (row.trace_user_id, row.trace_session_id) for row in found}


def _call(row: sa.Row[Any], trace_user_id: str | None, trace_session_id: str | None) -> RecentCall:
    values = row._mapping
    own = {name: values[name] for name in _COLUMNS}
    return RecentCall(
        **own
        | {
            "trace_id": bytes(own["trace_id"]),
            "span_id": bytes(own["span_id"]),
            "error": bool(own["error"]),
            "finish_reasons": json.loads(own["finish_reasons"]) if own["finish_reasons"] else [],
            "model": values["model_label"],
            "cost": values["call_cost"],
            "user_id": values["user_id"] or trace_user_id,
            "session_id": values["session_id"] or trace_session_id,
            "agent": values["agent_label"],
        }
    )
