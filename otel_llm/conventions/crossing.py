"""Copies of one call in several traces: equal response id, and one interval contains the other.

Of two related records the inner one is the shorter; equal durations are ordered by kind and id, so that all records of a
project stand in one order and no circle of winners can form. An answer served again later from a cache, with the old id,
is related to nothing and stays a call of its own.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence

from otel_llm.conventions.nesting import Edge, has_usage, kind_rank
from otel_llm.spans import SlimSpan, SpanKey

LOG_RECORD = 0
"""Span kind of a call that was read from a log record: unspecified."""
SLACK_NS = 1_000_000_000
"""How far an interval may reach beyond the one that contains it: two exporters, two clocks."""


def crossings(group: Sequence[SlimSpan], edges: dict[SpanKey, Edge]) -> None:
    """Adds to ``edges`` the calls of a group that are not counted.

    ``group`` holds calls of one project, role and response id, as a rule each of another trace. A call read from a log
    record is a moment, not an interval: it gives way to the shortest span it was logged in, whatever it carries.
    """
    spans = [call for call in group if call.kind != LOG_RECORD]
    if len(spans) == len(group) or not spans:
        _among_spans(group, edges)
        return
    _among_spans(spans, edges)
    shortest_first = sorted(spans, key=_inner_first)
    for log in group:
        if log.kind == LOG_RECORD:
            around = (each for each in shortest_first if _contains(each, log))
            if (span := next(around, None)) is not None:
                edges[log.key] = Edge(span.key, "logged_by_span")


def _contains(outer: SlimSpan, inner: SlimSpan) -> bool:
    return outer.start_ns - SLACK_NS <= inner.start_ns and inner.end_ns <= outer.end_ns + SLACK_NS


def _among_spans(group: Sequence[SlimSpan], edges: dict[SpanKey, Edge]) -> None:
    """The rule for intervals.

    A record loses to a shorter one inside it that has usage (the first to end); one without usage also to a longer one around
    it (the last to end, with usage if there is one).
    """
    ranked = sorted(group, key=_inner_first)
    starts = sorted(span.start_ns for span in group)
    size = len(group)
    lost: dict[int, int] = {}

    inside = _Least(size)
    for rank, span in enumerate(ranked):
        end, winner = inside.upto(size - bisect_left(starts, span.start_ns - SLACK_NS))
        if winner >= 0 and end <= span.end_ns + SLACK_NS:
            lost[rank] = winner
        if has_usage(span):
            inside.add(size - 1 - bisect_left(starts, span.start_ns), span.end_ns, rank)

    around = {True: _Least(size), False: _Least(size)}
    for rank in range(size - 1, -1, -1):
        span = ranked[rank]
        usage = has_usage(span)
        if rank not in lost and not usage:
            for outer in around.values():
                end, winner = outer.upto(bisect_right(starts, span.start_ns + SLACK_NS))
                if winner >= 0 and -end >= span.end_ns - SLACK_NS:
                    lost[rank] = winner
                    break
        around[usage].add(bisect_left(starts, span.start_ns), -span.end_ns, rank)

    for loser, winner in lost.items():
        near = ranked[loser].trace_id == ranked[winner].trace_id
        edges[ranked[loser].key] = Edge(ranked[winner].key, "same_response_id" if near else "same_response_id_other_trace")


def _inner_first(span: SlimSpan) -> tuple[int, int, bytes, bytes]:
    return span.end_ns - span.start_ns, kind_rank(span), span.trace_id, span.span_id


class _Least:
    """The least value among the first places of a row (a Fenwick tree): both operations in O(log n)."""

    def __init__(self, size: int) -> None:
        self._tree = [(0, -1)] * (size + 1)

    def add(self, place: int, value: int, rank: int) -> None:
        """Puts a value, with the rank it belongs to, at a place."""
        place += 1
        while place < len(self._tree):
            old = self._tree[place]
            if old[1] < 0 or (value, rank) < old:
                self._tree[place] = value, rank
            place += place & -place

    def upto(self, count: int) -> tuple[int, int]:
        """The least (value, rank) among the first ``count`` places; rank -1 when there is none."""
        best = (0, -1)
        while count > 0:
            found = self._tree[count]
            if found[1] >= 0 and (best[1] < 0 or found < best):
                best = found
            count -= count & -count
        return best
