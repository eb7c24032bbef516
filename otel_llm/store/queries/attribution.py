"""Which call a policy finding, or a guardrail's own model call, belongs to.

A finding belongs to the call it was made on, else to the nearest call above it, else to the trace's earliest counted
call; without any call it stands for itself. The model calls a guardrail makes belong to the guarded call in the same
way: their tokens are overhead of that call, not calls of their own. (A record of a call that is not counted stands for
the one that is.) Both are rare beside calls, so they are resolved in Python, from the spans of their traces alone.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from otel_llm.spans import CALL_ROLES
from otel_llm.store import schema
from otel_llm.store.queries import ai_stats_dimensions as dimensions
from otel_llm.store.queries import call, trace_values
from otel_llm.store.queries.ai_stats_dimensions import Grain
from otel_llm.store.queries.call import SPAN
from otel_llm.store.queries.reading import Reader
from otel_llm.store.queries.window import NS_PER_S, Window

GUARDRAIL = "guardrail"
_BUCKET_S = {"minute": 60, "day": 86_400}

TraceId = bytes
SpanId = bytes


class Attributed(NamedTuple):
    """A correction of the row at ``bucket`` and ``grain``; it counts if ``time_ns`` is in the window asked for."""

    time_ns: int
    bucket: int
    grain: Grain
    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    duration_ns: int = 0
    guard_input_tokens: int = 0
    guard_output_tokens: int = 0
    finding: tuple[str, str] | None = None


class _Span(NamedTuple):
    trace_id: TraceId
    span_id: SpanId
    parent_span_id: SpanId | None
    role: str
    counted: bool
    suppressed_by: SpanId | None
    start_ns: int
    end_ns: int
    input_tokens: int
    output_tokens: int
    grain: Grain


_READ = _Span._fields[:-1]


class _Finding(NamedTuple):
    trace_id: TraceId
    span_id: SpanId
    time_ns: int
    action: str
    severity: str


def attribute(reader: Reader, project: str, window: Window, unit: str) -> Iterator[Attributed]:
    """Corrections for everything in the traces that have a call in the window, and for findings that have no call."""
    of = schema.findings.c
    # Most stores have neither, and to know that is quicker than to ask for those of the window's traces.
    findings = _findings(reader, project, window) if reader.any(sa.select(of.project).where(of.project == project)) else []
    guarded = _has_guardrails(reader, project)
    if not findings and not guarded:
        return
    spans = _spans(reader, project, window)
    keepers = {span.span_id: span for span in spans if span.counted}
    by_trace: dict[TraceId, list[_Span]] = {}
    for span in spans:
        by_trace.setdefault(span.trace_id, []).append(span)
    found_in: dict[TraceId, list[_Finding]] = {}
    for finding in findings:
        found_in.setdefault(finding.trace_id, []).append(finding)
    for trace_id in by_trace.keys() | found_in.keys():
        trace = _Trace(by_trace.get(trace_id, ()), keepers)
        yield from _of_guardrails(trace, unit)
        for finding in found_in.get(trace_id, ()):
            yield _of_finding(trace, finding, project, unit)


class _Trace:
    """The spans of one trace, and who belongs to whom."""

    def __init__(self, spans: Iterable[_Span], keepers: Mapping[SpanId, _Span]) -> None:
        self.spans = {span.span_id: span for span in spans}
        self._keepers = keepers
        counted = [span for span in self.spans.values() if span.counted]
        below = [span for span in counted if any(above.role == GUARDRAIL for above in self.above(span))]
        # Where a guardrail's calls are all there is, they are what the trace is about.
        self.guard_calls = {span.span_id: span for span in below} if len(below) < len(counted) else {}
        guarded = [span for span in counted if span.span_id not in self.guard_calls]
        self._earliest = min(guarded, key=lambda span: (span.start_ns, span.span_id), default=None)

    def above(self, span: _Span) -> Iterator[_Span]:
        """Ancestors, nearest first, as far as they are known; a circle is walked once."""
        seen = {span.span_id}
        parent = span.parent_span_id
        while parent is not None and parent not in seen and parent in self.spans:
            seen.add(parent)
            span = self.spans[parent]
            yield span
            parent = span.parent_span_id

    def call_of(self, span_id: SpanId) -> _Span | None:
        """The call that something on this span belongs to."""
        own = self.spans.get(span_id)
        if own is not None:
            for span in (own, *self.above(own)):
                found = self._counted(span)
                if found is not None:
                    return found
        return self._earliest

    def _counted(self, span: _Span) -> _Span | None:
        if span.role not in CALL_ROLES or span.span_id in self.guard_calls:
            return None
        if span.counted:
            return span
        return None if span.suppressed_by is None else self._keepers.get(span.suppressed_by)

    def speaker(self, span_id: SpanId) -> _Span | None:
        """The span whose dimensions describe the trace to a finding without a call: its own, else root, else earliest."""
        order = min(
            self.spans.values(), key=lambda span: (span.parent_span_id is not None, span.start_ns, span.span_id), default=None
        )
        return self.spans.get(span_id, order)


def _of_guardrails(trace: _Trace, unit: str) -> Iterator[Attributed]:
    """Takes a guardrail's model calls out of their own rows and adds their tokens to those of the guarded calls."""
    spent: set[SpanId] = set()
    for span in trace.guard_calls.values():
        guarded = trace.call_of(span.span_id)
        if guarded is None:
            continue
        spent.update(above.span_id for above in trace.above(span))
        yield _at(span, unit)._replace(
            calls=-1,
            input_tokens=-span.input_tokens,
            output_tokens=-span.output_tokens,
            duration_ns=span.start_ns - span.end_ns,
        )
        yield _at(guarded, unit)._replace(guard_input_tokens=span.input_tokens, guard_output_tokens=span.output_tokens)
    for span in trace.spans.values():
        # A guardrail that reports usage itself, and whose model calls did not report it already.
        if span.role == GUARDRAIL and span.span_id not in spent and (span.input_tokens or span.output_tokens):
            guarded = trace.call_of(span.span_id)
            if guarded is not None:
                yield _at(guarded, unit)._replace(guard_input_tokens=span.input_tokens, guard_output_tokens=span.output_tokens)


def _of_finding(trace: _Trace, finding: _Finding, project: str, unit: str) -> Attributed:
    what = (finding.action.lower(), finding.severity.lower())
    found = trace.call_of(finding.span_id)
    if found is not None:
        return _at(found, unit)._replace(finding=what)
    speaker = trace.speaker(finding.span_id)
    grain = speaker.grain if speaker is not None else Grain(project, *[""] * (len(Grain._fields) - 1))
    return Attributed(finding.time_ns, _bucket(finding.time_ns, unit), grain, finding=what)


def _at(span: _Span, unit: str) -> Attributed:
    return Attributed(span.start_ns, _bucket(span.start_ns, unit), span.grain)


def _bucket(time_ns: int, unit: str) -> int:
    seconds = time_ns // NS_PER_S
    return seconds - seconds % _BUCKET_S[unit]


def _calls_in(project: str, window: Window) -> sa.Select[Any]:
    """Traces with a counted call in the window."""
    return trace_values.traces_with(
        project,
        lambda of: sa.and_(call.counted(of), of.start_ns >= window.first_ns, of.start_ns <= window.last_ns),
    )


def _finding_conditions(project: str, window: Window) -> tuple[Any, ...]:
    of = schema.findings.c
    in_window = sa.and_(of.time_ns >= window.first_ns, of.time_ns <= window.last_ns)
    return of.project == project, sa.or_(in_window, of.trace_id.in_(_calls_in(project, window)))


def _findings(reader: Reader, project: str, window: Window) -> list[_Finding]:
    of = schema.findings.c
    columns: list[Any] = [of[name] for name in _Finding._fields]
    rows: Sequence[sa.Row[Any]] = reader.rows(sa.select(*columns).where(*_finding_conditions(project, window)))
    return [
        _Finding(bytes(row.trace_id), bytes(row.span_id), int(row.time_ns), row.action or "", row.severity or "")
        for row in rows
    ]


def _has_guardrails(reader: Reader, project: str) -> bool:
    return reader.any(sa.select(SPAN.role).where(SPAN.project == project, SPAN.role == GUARDRAIL))


def _guarded_traces(project: str, window: Window) -> sa.Select[Any]:
    """Traces with a call in the window and a guardrail that has tokens of its own, or children."""
    guard, child = schema.other_spans(), schema.other_spans()
    has_tokens = sa.or_(guard.c.input_tokens > 0, guard.c.output_tokens > 0)
    is_parent = sa.tuple_(guard.c.trace_id, guard.c.span_id).in_(
        sa.select(child.c.trace_id, child.c.parent_span_id).where(
            child.c.project == project, child.c.parent_span_id.is_not(None)
        )
    )
    return sa.select(guard.c.trace_id).where(
        guard.c.project == project,
        guard.c.role == GUARDRAIL,
        guard.c.trace_id.in_(_calls_in(project, window)),
        sa.or_(has_tokens, is_parent),
    )


def _spans(reader: Reader, project: str, window: Window) -> list[_Span]:
    """The spans of the traces that matter, and of those that hold the calls which stand for suppressed ones among them."""
    found = sa.select(schema.findings.c.trace_id).where(*_finding_conditions(project, window))
    asked = sa.union_all(found, _guarded_traces(project, window)).subquery("asked")
    copy = schema.other_spans()
    keepers = sa.select(copy.c.suppressed_by).where(
        copy.c.project == project, copy.c.suppressed_by.is_not(None), copy.c.trace_id.in_(sa.select(asked.c[0]))
    )
    kept = trace_values.traces_with(project, lambda of: sa.and_(call.counted(of), of.span_id.in_(keepers)))
    traces = sa.union_all(sa.select(asked.c[0].label("trace_id")), kept).subquery("traces")
    trace_ids = sa.select(traces.c.trace_id)
    inherited = trace_values.inherited(reader.functions, project, ("user_id", "session_id"), [trace_ids])
    expressions = dimensions.expressions(
        project,
        sa.func.coalesce(SPAN.user_id, inherited.c.trace_user_id),
        sa.func.coalesce(SPAN.session_id, inherited.c.trace_session_id),
    )
    columns: list[Any] = [SPAN[name] for name in _READ] + [expressions[name].label(f"by_{name}") for name in Grain._fields]
    statement = (
        sa.select(*columns)
        .select_from(schema.spans.outerjoin(inherited, inherited.c.of_trace == SPAN.trace_id))
        .where(SPAN.project == project, SPAN.trace_id.in_(trace_ids))
    )
    return [_span(row) for row in reader.rows(statement)]


def _span(row: sa.Row[Any]) -> _Span:
    trace_id, span_id, parent, role, counted, suppressed_by, start_ns, end_ns, input_tokens, output_tokens = row[: len(_READ)]
    return _Span(
        bytes(trace_id),
        bytes(span_id),
        None if parent is None else bytes(parent),
        role,
        bool(counted),
        None if suppressed_by is None else bytes(suppressed_by),
        int(start_ns),
        int(end_ns),
        int(input_tokens or 0),
        int(output_tokens or 0),
        Grain(*row[len(_READ) :]),
    )
