"""Copies of one call inside one trace: server mirrors, equal response ids, nesting.

Every rule is a question to the tree ("the first valid record below", "the nearest above") answered from dictionaries filled
in one walk down and one walk up, so a trace of n spans costs O(n log n) (the log is its sorting), however deep it is.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from otel_llm.spans import SlimSpan, SpanKey

CLIENT, SERVER = 3, 2
_KIND_RANK = {CLIENT: 0, 1: 1, SERVER: 3}
_MIRROR_SCOPES = ("com.anthropic.claude-platform", "vllm")
_FENCES = frozenset({"agent", "tool"})
_ANY = ("any response id",)


class Edge(NamedTuple):
    """A record is not counted: ``winner`` beat it, for this reason. The winner may be beaten too."""

    winner: SpanKey
    reason: str


def has_usage(span: SlimSpan) -> bool:
    """True when the record carries tokens."""
    return span.input_tokens is not None or span.output_tokens is not None


def kind_rank(span: SlimSpan) -> int:
    """CLIENT before INTERNAL before SERVER; the other kinds lie between."""
    return _KIND_RANK.get(span.kind, 2)


def may_mirror(kind: int, scope_name: str | None) -> bool:
    """True when a record may be the server's view of a call."""
    return kind == SERVER or (scope_name or "").startswith(_MIRROR_SCOPES)


def suppressions(members: Sequence[SlimSpan], calls: Sequence[SlimSpan], edges: dict[SpanKey, Edge]) -> None:
    """Adds to ``edges`` the calls of one trace that are not counted.

    ``members`` are all spans of the trace, each id once; ``calls`` its calls, with their own values.
    """
    if not _related(members, calls):
        return
    tree = _Tree(members, calls)
    lost = _mirrors(tree)
    mirrors = frozenset(lost)
    _equal_responses(tree, mirrors, lost)
    _nested(tree, mirrors, lost)
    for loser, (winner, reason) in lost.items():
        edges[tree.spans[loser].key] = Edge(tree.spans[winner].key, reason)


_Lost = dict[int, tuple[int, str]]
"""Index of a record that is not counted -> index of the record that beat it, and the reason."""


def _related(members: Iterable[SlimSpan], calls: Sequence[SlimSpan]) -> bool:
    """False when no call lies above another and no two share a response id: most traces."""
    responses = [(call.role, call.response_id) for call in calls if call.response_id is not None]
    if len(set(responses)) < len(responses):
        return True
    parents = {span.span_id: span.parent_span_id for span in members}
    ids = {call.span_id for call in calls}
    clear: set[bytes | None] = {None}
    for call in calls:
        above = call.parent_span_id
        while above not in clear:
            if above in ids:
                return True
            clear.add(above)
            above = parents.get(above)  # type: ignore[arg-type]  # None is clear
    return False


class _Tree:
    """A trace in preorder: children follow their parent by start, then id. Index i of every list is one span.

    ``parent`` is -1 at a root; spans whose parent is unknown, or whose parent links come back to themselves, are roots.
    ``last`` is the index of the last span below; ``fence`` the nearest agent or tool above, -1 without.
    """

    def __init__(self, members: Iterable[SlimSpan], calls: Iterable[SlimSpan]) -> None:
        own = {call.span_id: call for call in calls}
        spans = sorted((own.get(span.span_id, span) for span in members), key=lambda span: (span.start_ns, span.span_id))
        index = {span.span_id: i for i, span in enumerate(spans)}
        parents = [index.get(span.parent_span_id, -1) for span in spans]  # type: ignore[arg-type]
        _cut_cycles(parents)
        below: dict[int, list[int]] = {}
        for i in range(len(spans) - 1, -1, -1):
            below.setdefault(parents[i], []).append(i)
        order: list[int] = []
        stack = below.get(-1, [])
        while stack:
            i = stack.pop()
            order.append(i)
            if i in below:
                stack.extend(below[i])
        place = {i: at for at, i in enumerate(order)}
        place[-1] = -1
        self.spans = [spans[i] for i in order]
        self.parent = parent = [place[parents[i]] for i in order]
        size = len(order)
        self.depth = depth = [0] * size
        self.fence = fence = [-1] * size
        self.last = last = list(range(size))
        for i in range(size):
            above = parent[i]
            if above >= 0:
                depth[i] = depth[above] + 1
                fence[i] = above if self.spans[above].role in _FENCES else fence[above]
        for i in range(size - 1, -1, -1):
            above = parent[i]
            if above >= 0 and last[i] > last[above]:
                last[above] = last[i]
        self.calls = [i for i, span in enumerate(self.spans) if span.span_id in own]


def _cut_cycles(parents: list[int]) -> None:
    """Makes a root of every span whose parent links come back to it."""
    state = [0] * len(parents)
    for start in range(len(parents)):
        i, walk = start, start + 1
        while i >= 0 and not state[i]:
            state[i] = walk
            i = parents[i]
        if i >= 0 and state[i] == walk:
            while i >= 0:
                parents[i], i = -1, parents[i]


class _Nearest:
    """The nearest span above with a key, asked in preorder."""

    def __init__(self, last: list[int]) -> None:
        self._last = last
        self._stacks: dict[object, list[int]] = {}

    def add(self, key: object, i: int) -> None:
        self._stacks.setdefault(key, []).append(i)

    def above(self, key: object, i: int) -> int:
        """Index of the nearest span above ``i`` with the key, or -1."""
        stack = self._stacks.get(key)
        while stack:
            if self._last[stack[-1]] >= i:
                return stack[-1]
            stack.pop()
        return -1


def _mirrors(tree: _Tree) -> _Lost:
    lost: _Lost = {}
    clients = _Nearest(tree.last)
    for i in tree.calls:
        span = tree.spans[i]
        if may_mirror(span.kind, span.scope_name):
            client = clients.above(span.role, i)
            if client >= 0:
                lost[i] = client, "server_mirror"
        elif span.kind == CLIENT:
            clients.add(span.role, i)
    return lost


def _equal_responses(tree: _Tree, mirrors: frozenset[int], lost: _Lost) -> None:
    groups: dict[tuple[str, str], list[int]] = {}
    for i in tree.calls:
        span = tree.spans[i]
        if span.response_id is not None and i not in mirrors:
            groups.setdefault((span.role, span.response_id), []).append(i)
    for group in groups.values():
        if len(group) > 1:
            keeper = min(group, key=lambda i: _preference(tree.spans[i], tree.depth[i]))
            lost.update((i, (keeper, "same_response_id")) for i in group if i != keeper)


def _preference(span: SlimSpan, depth: int) -> tuple[bool, int, int, bytes]:
    return not has_usage(span), -depth, kind_rank(span), span.span_id


def _nested(tree: _Tree, mirrors: frozenset[int], lost: _Lost) -> None:
    calls = [i for i in tree.calls if i not in mirrors]
    usage = {i: has_usage(tree.spans[i]) for i in calls}
    places = _places(tree, calls)
    above = _usage_above(tree, calls, usage, places)
    below: dict[_Key, int] = {}  # on the way up the latest call with a key is the first below, if it lies below at all
    for i in reversed(calls):
        if i not in lost:
            # A record with usage loses to usage below; one without to usage below, else above, else to anything below.
            first = _first_below(tree, below, i, places[i], True)
            if first < 0 and not usage[i]:
                if i in above:
                    lost[i] = above[i], "inner_without_usage"
                else:
                    first = _first_below(tree, below, i, places[i], False)
            if first >= 0:
                lost[i] = first, "outer_of_counted_call"
        response = tree.spans[i].response_id
        for place in places[i]:
            below[place, _ANY, usage[i]] = i
            below[place, response, usage[i]] = i


_Place = tuple[str, str, int]
_Key = tuple[_Place, object, bool]


def _places(tree: _Tree, calls: Sequence[int]) -> dict[int, tuple[_Place, ...]]:
    """Where a call may be compared: with calls between the same agents and tools, and with calls of the same token sum."""
    fenced = any(tree.fence[i] >= 0 for i in calls)
    places: dict[int, tuple[_Place, ...]] = {}
    for i in calls:
        span = tree.spans[i]
        between: _Place = ("between", span.role, tree.fence[i])
        places[i] = (between, ("sum", span.role, _token_sum(span))) if fenced else (between,)
    return places


def _token_sum(span: SlimSpan) -> int:
    return (span.input_tokens or 0) + (span.output_tokens or 0)


def _matches(span: SlimSpan) -> tuple[object, ...]:
    """Response ids that a related record may have: any when this one has none, else none or the same."""
    return (_ANY,) if span.response_id is None else (None, span.response_id)


def _first_below(tree: _Tree, below: dict[_Key, int], i: int, places: Iterable[_Place], usage: bool) -> int:
    """Index of the first related call below ``i``, in preorder, or -1."""
    end = first = tree.last[i] + 1
    for place in places:
        for match in _matches(tree.spans[i]):
            first = min(first, below.get((place, match, usage), end))
    return first if first < end else -1


def _usage_above(
    tree: _Tree, calls: Sequence[int], usage: dict[int, bool], places: dict[int, tuple[_Place, ...]]
) -> dict[int, int]:
    """For calls without usage: the nearest related call above that has some."""
    found: dict[int, int] = {}
    if all(usage.values()):
        return found
    nearest = _Nearest(tree.last)
    for i in calls:
        span = tree.spans[i]
        if usage[i]:
            for place in places[i]:
                nearest.add((place, _ANY), i)
                nearest.add((place, span.response_id), i)
        else:
            above = max(nearest.above((place, match), i) for place in places[i] for match in _matches(span))
            if above >= 0:
                found[i] = above
    return found
