"""Single calls of a slice, page by page. A page begins where the last one ended, so new calls never shift it."""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple

import sqlalchemy as sa

from otel_llm.store.queries import agent_spans, call, trace_values
from otel_llm.store.queries.call import SPAN, Column
from otel_llm.store.queries.reach import reach_of
from otel_llm.store.queries.reading import Reader
from otel_llm.store.queries.slices import Slice, SlicedCalls

_NONE: Column = sa.literal_column("-1", sa.BigInteger())
_NO_COST: Column = sa.literal_column("-1.0", sa.Double())


def _tokens() -> Column:
    return sa.case(
        (sa.and_(SPAN.input_tokens.is_(None), SPAN.output_tokens.is_(None)), _NO_COST),
        else_=sa.cast(sa.func.coalesce(SPAN.input_tokens, 0), sa.Double())
        + sa.cast(sa.func.coalesce(SPAN.output_tokens, 0), sa.Double()),
    )


ORDERS: dict[str, Column | None] = {
    "newest": None,
    "errors": sa.case((SPAN.error == sa.true(), 1), else_=0),
    "slowest": call.duration_ns(),
    "costliest": sa.func.coalesce(call.cost(), _NO_COST),
    "largest": _tokens(),
    "ttft": sa.func.coalesce(SPAN.ttft_ns, _NONE),
}
"""What comes first; calls that are equal in it, and all of ``newest``: newest first. Calls without a value come last."""


class Mark(NamedTuple):
    """The last call of a page."""

    key: float | int
    start_ns: int
    trace_id: bytes
    span_id: bytes


class PagedCall(NamedTuple):
    """One counted call. Times in ns, cost in USD; None where it has no value."""

    trace_id: bytes
    span_id: bytes
    name: str
    role: str
    start_ns: int
    end_ns: int
    provider: str | None
    input_tokens: int | None
    output_tokens: int | None
    cache_read_tokens: int | None
    reasoning_tokens: int | None
    ttft_ns: int | None
    is_streaming: bool | None
    error: bool
    error_type: str | None
    service_name: str | None
    environment: str | None
    scope_name: str | None
    reason: str | None
    model: str | None
    cost: float | None
    user_id: str | None
    session_id: str | None
    agent: str | None


class CallPage(NamedTuple):
    """``next`` begins the following page; None on the last."""

    calls: list[PagedCall]
    next: Mark | None


_SHOWN = PagedCall._fields[: PagedCall._fields.index("model")]
_AGENT = ("agent_name", "agent_id", "agentlens_agent_id")
_OWN = (*_SHOWN, "user_id", "session_id", *_AGENT)
_INHERITED = ("user_id", "session_id", "agent_name")
_TRACES_AT_ONCE = 1_000
"""Ids in one statement; more parameters than a few thousand are slow to bind."""


def call_page(
    reader: Reader, project: str, chosen: Slice, *, order: str = "newest", after: Mark | None = None, limit: int = 50
) -> CallPage:
    """``limit`` calls of the slice, behind ``after``."""
    calls = SlicedCalls(reader.functions, project, chosen)
    first = ORDERS[order]
    lead = [] if first is None else [first]
    keys = [*lead, SPAN.start_ns, SPAN.trace_id, SPAN.span_id]
    statement = calls.select(
        *(SPAN[name] for name in _OWN),
        call.model().label("model_label"),
        call.cost().label("call_cost"),
        (first if first is not None else _NONE).label("order_key"),
    )
    if after is not None:
        values = [*([after.key] if lead else []), after.start_ns, after.trace_id, after.span_id]
        statement = statement.where(_behind(keys, values))
    rows = reader.first(statement, keys, limit + 1, descending=True)
    shown = rows[:limit]
    last = shown[-1] if len(rows) > limit else None
    inherited = _inherited(reader, project, shown)
    agents = _nearest_agents(reader, project, shown)
    return CallPage(
        [_call(row, inherited, agents) for row in shown],
        Mark(last.order_key, last.start_ns, bytes(last.trace_id), bytes(last.span_id)) if last is not None else None,
    )


def _inherited(reader: Reader, project: str, rows: Sequence[sa.Row[Any]]) -> dict[bytes, dict[str, str | None]]:
    """User, session and agent of the traces on a page, for the calls that lack their own. Asked for the page alone: joined
    before the order is known, these values would be found for every call of the slice."""
    asked = {bytes(row.trace_id) for row in rows if None in (row.user_id, row.session_id, row.agent_name)}
    found: dict[bytes, dict[str, str | None]] = {}
    for some in _batches(sorted(asked)):
        values = trace_values.inherited(reader.functions, project, _INHERITED, [some], reach_of(reader, project, some))
        for row in reader.rows(sa.select(values)):
            found[bytes(row.of_trace)] = {name: getattr(row, f"trace_{name}") for name in _INHERITED}
    return found


def _nearest_agents(reader: Reader, project: str, rows: Sequence[sa.Row[Any]]) -> dict[tuple[bytes, bytes], str]:
    """The nearest agent above each call of a page that names none, in traces of several agents."""
    asked = {bytes(row.trace_id) for row in rows if row.agent_name is None}
    found: dict[tuple[bytes, bytes], str] = {}
    for some in _batches(sorted(asked)):
        nearest = agent_spans.nearest_agents(project, [some], reach_of(reader, project, some))
        for row in reader.rows(sa.select(nearest)):
            found[bytes(row.of_trace), bytes(row.of_span)] = str(row.nearest_agent)
    return found


def count(reader: Reader, project: str, chosen: Slice) -> int:
    """How many calls the slice has."""
    return int(reader.row(SlicedCalls(reader.functions, project, chosen).grouped((), sa.func.count()))[0])


def _behind(keys: list[Any], values: list[Any]) -> Column:
    """Rows that sort behind the values, all keys descending."""
    alternatives = [
        sa.and_(*(key == value for key, value in zip(keys[:place], values[:place], strict=True)), keys[place] < values[place])
        for place in range(len(keys))
    ]
    return sa.or_(*alternatives)


def _batches(ids: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    remaining = iter(ids)
    while some := list(islice(remaining, _TRACES_AT_ONCE)):
        yield some


def _call(row: sa.Row[Any], inherited: dict[bytes, dict[str, str | None]], agents: dict[tuple[bytes, bytes], str]) -> PagedCall:
    found = row._mapping
    own = {name: found[name] for name in _SHOWN}
    ids = {name: bytes(own[name]) for name in ("trace_id", "span_id")}
    trace = inherited.get(ids["trace_id"], {})
    agent = next((found[name] for name in _AGENT if found[name] is not None), None)
    return PagedCall(
        **own | ids | {"error": bool(own["error"])},
        model=found["model_label"],
        cost=found["call_cost"],
        user_id=found["user_id"] if found["user_id"] is not None else trace.get("user_id"),
        session_id=found["session_id"] if found["session_id"] is not None else trace.get("session_id"),
        agent=agent if agent is not None else agents.get((ids["trace_id"], ids["span_id"]), trace.get("agent_name")),
    )
