"""Which LLM calls are counted: each call once, however many records of it there are.

One call is often recorded several times: by nested instrumentations, by client and server, in two traces. The decision is
a pure function of everything known about the traces concerned, so neither arrival order nor batching can change it:

1. *Server mirrors.* A call recorded by a server (kind SERVER, or the scope of a model server) below a CLIENT call of the same
   role is that call seen from the other end. The client's record is kept.
2. *Equal response ids* in one trace, same role: one call. Kept is the deepest record with usage, else the deepest.
3. *Nesting.* A call above a call of the same role is the same call, unless both have a response id and these differ, or an
   agent or tool lies between them and their token sums differ. Kept is the inner one when it has usage or the outer has none.
4. *Across traces* of a project: of what is left in each trace, records with the same response id (own, else taken over) are one
   call when one's interval contains the other's, give or take a second. Kept is the inner one when it has usage.

A response id that more than :data:`MOST_SHARING` calls have is a constant and identifies nothing: rule 4 leaves it aside.

A rule looks at two records at a time, and a record that loses once is not counted. Following the winners always ends at a
counted call: each step leads from no usage to usage, or deeper into the tree, or (across traces) along one order.
"""

from collections.abc import Collection, Iterable, Sequence
from functools import partial
from typing import Any, NamedTuple

import msgspec

from otel_llm.conventions.crossing import crossings
from otel_llm.conventions.nesting import Edge, has_usage, suppressions
from otel_llm.conventions.takeover import restore, takeover
from otel_llm.spans import CALL_ROLES, SlimSpan, SpanKey

__all__ = ["ONLY_CALL", "Decision", "decide", "restore", "takeover"]

TraceKey = tuple[str, bytes]
ResponseKey = tuple[str, str]

MOST_SHARING = 32
"""Records of one call are a few, even through several proxies. Some servers give every answer the same response id; comparing
each call with all others would make every commit slower than the one before."""


class Decision(NamedTuple):
    """Verdict on one call.

    ``suppressed_by`` is the counted record of the same call (never itself suppressed). ``donors`` of a counted call are all
    records it stands for, nearest first: its own trace before others, then by how much start and end differ.
    """

    counted: bool
    suppressed_by: SpanKey | None
    reason: str
    donors: tuple[SpanKey, ...] = ()


ONLY_CALL = Decision(True, None, "only_record")
"""No other span records the call. One verdict however many calls a trace has: a sibling that arrives later must not change
the stored reason."""

_KEPT = {
    "server_mirror": "client_of_server_mirror",
    "same_response_id": "kept_of_same_response_id",
    "same_response_id_other_trace": "kept_of_same_response_id",
    "logged_by_span": "kept_of_same_response_id",
    "outer_of_counted_call": "innermost_with_usage",
    "inner_without_usage": "outer_with_usage",
}
"""Reason of the nearest donor -> reason of the counted call."""


def decide(spans: Sequence[SlimSpan], constants: Collection[ResponseKey] = ()) -> dict[SpanKey, Decision]:
    """A decision for every call among the spans.

    ``spans`` are all known spans, calls and others (their parent links matter), of the traces concerned; a trace that shares
    a response id with one of them is concerned too, unless the id is one of ``constants``. What a stored span took over
    earlier (``filled``) is left aside. Near linear in the number of spans; hostile parent links (to itself, in circles, to
    nothing) are harmless.
    """
    edges: dict[SpanKey, Edge] = {}
    calls: dict[SpanKey, SlimSpan] = {}
    decisions: dict[SpanKey, Decision] = {}
    for members in _traces(spans):
        own = [_own(span) for span in members if span.role in CALL_ROLES]
        if len(own) > 1:
            suppressions(members, own, edges)
        verdict = ONLY_CALL
        for call in own:
            key = call.key
            calls[key] = call
            decisions[key] = verdict
    clusters = _clusters(edges, calls)
    if _add_crossings(calls, clusters, edges, constants):
        clusters = _clusters(edges, calls)
    for keeper, donors in clusters.items():
        reason = _KEPT[edges[donors[0]].reason]
        if reason == "innermost_with_usage" and not has_usage(calls[keeper]):
            reason = "innermost_call"
        decisions[keeper] = Decision(True, None, reason, tuple(donors))
        for donor in donors:
            decisions[donor] = Decision(False, keeper, edges[donor].reason)
    return decisions


def _traces(spans: Iterable[SlimSpan]) -> Iterable[Sequence[SlimSpan]]:
    """The spans of each trace; of two copies of a span the one that the store would keep."""
    traces: dict[TraceKey, list[SlimSpan]] = {}
    for span in spans:
        traces.setdefault((span.project, span.trace_id), []).append(span)
    for members in traces.values():
        if len(members) > 1 and len({span.span_id for span in members}) < len(members):
            members.sort(key=lambda span: (span.end_ns, span.attribute_count, repr(span)))
            members[:] = {span.span_id: span for span in members}.values()
    return traces.values()


def _own(span: SlimSpan) -> SlimSpan:
    """The span without the values it took over from other records."""
    if not span.filled:
        return span
    taken = msgspec.json.decode(span.filled, type=list[str])
    own: dict[str, Any] = {name: None for name in taken if name in SlimSpan._fields}
    return span._replace(**own)


def _clusters(edges: dict[SpanKey, Edge], calls: dict[SpanKey, SlimSpan]) -> dict[SpanKey, list[SpanKey]]:
    """Counted call -> the records it stands for, nearest first. Calls that stand for themselves only are left out."""
    final: dict[SpanKey, SpanKey] = {}
    clusters: dict[SpanKey, list[SpanKey]] = {}
    for loser in edges:
        path = []
        at = loser
        while at not in final and at in edges:
            path.append(at)
            at = edges[at].winner
        keeper = final.get(at, at)
        final.update(dict.fromkeys(path, keeper))
        clusters.setdefault(keeper, []).append(loser)
    for keeper, donors in clusters.items():
        if len(donors) > 1:
            donors.sort(key=partial(_distance, calls[keeper], calls))
    return clusters


def _distance(keeper: SlimSpan, calls: dict[SpanKey, SlimSpan], donor: SpanKey) -> tuple[bool, int, SpanKey]:
    """How far a donor is from its keeper: other traces come later, then by how much start and end differ.

    The donors' own values alone decide, not their depth: a span that is no call may arrive later and move them in the tree,
    without any change of a decision that would make the counted record take over anew.
    """
    span = calls[donor]
    apart = abs(span.start_ns - keeper.start_ns) + abs(span.end_ns - keeper.end_ns)
    return span.trace_id != keeper.trace_id, apart, donor


def _add_crossings(
    calls: dict[SpanKey, SlimSpan],
    clusters: dict[SpanKey, list[SpanKey]],
    edges: dict[SpanKey, Edge],
    constants: Collection[ResponseKey],
) -> bool:
    """Adds the edges across traces; True when there are any."""
    groups: dict[tuple[str, str, str], list[SlimSpan]] = {}
    for key, call in calls.items():
        if key not in edges:
            records = (call, *(calls[donor] for donor in clusters.get(key, ())))
            response = next((record.response_id for record in records if record.response_id is not None), None)
            if response is not None and (call.project, response) not in constants:
                groups.setdefault((call.project, call.role, response), []).append(call)
    before = len(edges)
    for group in groups.values():
        if len(group) > 1:
            crossings(group, edges)
    return len(edges) > before
