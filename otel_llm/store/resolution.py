"""What a commit must write: exactly once, and every call counted once.

Given a batch and what the store already holds of its traces, decide which rows are new, which replace a stored copy,
which are duplicates, and which stored rows change because a relative arrived. The counting rules themselves are in
:mod:`otel_llm.conventions.counting`.
"""

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import msgspec

from otel_llm.conventions.counting import MOST_SHARING, ONLY_CALL, Decision, decide, restore, takeover
from otel_llm.conventions.nesting import may_mirror
from otel_llm.spans import CALL_ROLES, SlimSpan, SpanBatch, SpanKey
from otel_llm.store.engines.base import Change, ResponseKey, TraceKey, WriteSession
from otel_llm.store.keys import Keys

Repricer = Callable[[SpanBatch, Sequence[int]], None]
"""Recomputes cost_computed of some rows of a batch in place."""

_MAX_ROUNDS = 8  # response ids that lead to traces that lead to response ids ...; real chains end after one


@dataclass(slots=True)
class Resolution:
    """The change to write and the rows of the batch that were duplicates."""

    change: Change
    duplicate_rows: set[int]


def resolve(
    batch: SpanBatch, traces: Collection[TraceKey], session: WriteSession, margin_ns: int, reprice: Repricer
) -> Resolution:
    """Decides a batch against the store. ``traces`` are the (project, trace_id) of the batch."""
    if not batch.size:
        return Resolution(Change(), set())
    stored = _Stored(session, min(batch["start_ns"]) - margin_ns, max(batch["start_ns"]) + margin_ns)
    responses = responses_of(batch)
    stored.load(traces, responses)
    if not stored.by_key and _all_apart(batch, responses):
        _apply_all(batch, _calls(batch, range(batch.size)), ONLY_CALL)
        return Resolution(Change(insert=batch), set())
    keys: list[SpanKey] = list(zip(batch["project"], batch["trace_id"], batch["span_id"], strict=True))
    insert, replace, duplicates = _exactly_once(batch, keys, stored.by_key)
    changed = _count(batch, keys, [*insert, *replace], responses, stored, reprice)
    if len(insert) == batch.size:
        return Resolution(Change(insert=batch, replace=changed), set())
    replacements = batch.take(replace)
    if changed.size:
        replacements = SpanBatch.concat([replacements, changed])
    return Resolution(Change(insert=batch.take(insert), replace=replacements), duplicates)


class _Stored:
    """What the store holds of the traces at hand."""

    def __init__(self, session: WriteSession, start_from: int, start_to: int) -> None:
        self._session = session
        self._range = (start_from, start_to)
        self._traces: set[TraceKey] = set()
        self._responses: set[ResponseKey] = set()
        self.by_key: dict[SpanKey, SlimSpan] = {}
        self.sharing: Counter[ResponseKey] = Counter()
        """Stored calls with a response id; beyond MOST_SHARING there may be more."""

    def load(self, traces: Collection[TraceKey], responses: Collection[ResponseKey]) -> None:
        """Loads traces, calls of other traces that share a response id, and the traces of those.

        Where a response id is a constant already, the other traces are left alone: the commit that made it one has decided
        their calls without it.
        """
        for _ in range(_MAX_ROUNDS):
            if not traces and not responses:
                break
            related = self._session.related(traces, responses, *self._range)
            if not related and not self.by_key:
                return  # most commits are of new traces and calls only
            # By its trace a row is found as it is; by a response id it had once, memory may find an older version of it.
            loaded = self._traces.copy()
            self._traces.update(traces)
            self._responses.update(responses)
            found = [slim for slim in related if (slim.project, slim.trace_id) not in loaded]
            answers = [(slim, (slim.project, slim.response_id)) for slim in found if slim.response_id and slim.is_call]
            self.sharing.update(response for slim, response in answers if slim.key not in self.by_key)
            self.by_key.update((slim.key, slim) for slim in found)
            traces = {slim.key[:2] for slim, response in answers if self.sharing[response] <= MOST_SHARING} - self._traces
            responses = {response for _, response in answers} - self._responses
        if any(calls > MOST_SHARING for calls in self.sharing.values()):
            self.by_key = {key: slim for key, slim in self.by_key.items() if (key[0], key[1]) in self._traces}

    def fetch(self, keys: Collection[SpanKey]) -> SpanBatch:
        return self._session.fetch(keys, *self._range)


def responses_of(batch: SpanBatch) -> Keys[str]:
    """The (project, response id) of the calls of a batch."""
    projects, response_ids, roles = batch["project"], batch["response_id"], batch["role"]
    if all(response_ids) and CALL_ROLES.issuperset(roles):
        return Keys.of_columns(projects, response_ids)
    calls = [row for row, role in enumerate(roles) if role in CALL_ROLES and response_ids[row]]
    return Keys.of_columns([projects[row] for row in calls], [response_ids[row] for row in calls])


def _all_apart(batch: SpanBatch, responses: Keys[str]) -> bool:
    """True when no span of a batch, of which the store knows no relative, comes twice, and each call stands for itself."""
    return (
        len(set(batch["span_id"])) == batch.size
        and len(responses) == len(_calls(batch, range(batch.size)))
        and _apart(batch, {})
        and not any(batch.columns.get("filled", ()))
    )


def _calls(batch: SpanBatch, rows: Sequence[int]) -> Sequence[int]:
    """The calls among some rows."""
    roles = batch["role"]
    return rows if CALL_ROLES.issuperset(roles) else [row for row in rows if roles[row] in CALL_ROLES]


def _exactly_once(
    batch: SpanBatch, keys: list[SpanKey], stored: dict[SpanKey, SlimSpan]
) -> tuple[list[int], list[int], set[int]]:
    """Rows to insert, rows that replace a stored copy, and rows that are duplicates (a replacing row is one too).

    Of two differing copies the later end wins, then the one with more attributes, else the first stays. A call read from a
    log record (its kind is unspecified) always gives way to the span it was logged in.
    """
    winner: dict[SpanKey, int] = {}
    duplicates: set[int] = set()
    kinds, ends, counts = batch["kind"], batch["end_ns"], batch["attribute_count"]

    def weight(row: int) -> tuple[bool, int, int]:
        return kinds[row] != 0, ends[row], counts[row]

    if len(set(keys)) == len(keys):
        winner = {key: row for row, key in enumerate(keys)} if stored else {}
    else:
        for row, key in enumerate(keys):
            first = winner.setdefault(key, row)  # the best so far
            if first != row:
                duplicates.add(row)
                if weight(row) > weight(first):
                    winner[key] = row
    if not stored:
        if not duplicates:
            return list(range(batch.size)), [], duplicates
        return list(winner.values()), [], duplicates
    insert: list[int] = []
    replace: list[int] = []
    for row, key in enumerate(keys):
        kept = stored.get(key)
        if kept is not None:
            duplicates.add(row)
        if winner[key] != row:
            continue
        if kept is None:
            insert.append(row)
        elif weight(row) > kept.weight:
            replace.append(row)
    return insert, replace, duplicates


def _count(
    batch: SpanBatch, keys: list[SpanKey], rows: list[int], responses: Keys[str], stored: _Stored, reprice: Repricer
) -> SpanBatch:
    """Writes counting decisions into the batch's rows; returns the stored rows that change, in full. ``responses`` are those
    of the batch."""
    calls = _calls(batch, rows)
    constants: set[ResponseKey] = set()
    contested: set[TraceKey] = set()
    if len(rows) < batch.size or len(responses) < len(calls) or not _apart(batch, stored.by_key):
        constants = _constants(batch, keys, calls, stored)
        contested = _contested(batch, keys, calls, stored.by_key, constants)
    if "filled" in batch.columns:
        # A commit that is tried again finds what the first attempt filled in: settling clears it.
        contested.update((keys[row][0], keys[row][1]) for row in calls if batch["filled"][row])
    if not contested:
        _apply_all(batch, calls, ONLY_CALL)
        return SpanBatch()
    _apply_all(batch, [row for row in calls if (keys[row][0], keys[row][1]) not in contested], ONLY_CALL)
    slims = {key: slim for key, slim in stored.by_key.items() if (key[0], key[1]) in contested}
    own_rows = [row for row in rows if (keys[row][0], keys[row][1]) in contested]
    in_batch = {keys[row]: row for row in own_rows}
    for row, slim in zip(own_rows, batch.take(own_rows).slim(), strict=True):
        slims[keys[row]] = slim
    decisions = decide(list(slims.values()), constants)
    members = _rows_needed(decisions, slims, stored.by_key, in_batch)
    fetched = stored.fetch(members) if members else SpanBatch()
    in_fetched = {fetched.key(row): row for row in range(fetched.size)}
    return _Copies(batch, in_batch, fetched, in_fetched).settle(decisions, reprice)


def _apart(batch: SpanBatch, stored: dict[SpanKey, SlimSpan]) -> bool:
    """True when no call of a batch, each with a response id of its own, can be a copy of another: none is stored, and none
    may be a server's view of one."""
    if any(slim.is_call for slim in stored.values()):
        return False
    kinds, scopes = set(batch["kind"]), set(batch["scope_name"])
    return not any(may_mirror(kind, scope) for kind in kinds for scope in scopes)


def _constants(batch: SpanBatch, keys: list[SpanKey], calls: Sequence[int], stored: _Stored) -> set[ResponseKey]:
    """Response ids that more than MOST_SHARING calls have, of the store and the batch together."""
    response_ids = batch["response_id"]
    answers = [response_ids[row] for row in calls]
    most_of_one = len(answers) - len(set(answers)) + 1
    if most_of_one + max(stored.sharing.values(), default=0) <= MOST_SHARING:
        return set()
    sharing = stored.sharing.copy()
    sharing.update((keys[row][0], response_ids[row]) for row in calls if response_ids[row] and keys[row] not in stored.by_key)
    return {response for response, calls_with_it in sharing.items() if calls_with_it > MOST_SHARING}


def _contested(
    batch: SpanBatch,
    keys: list[SpanKey],
    calls: Sequence[int],
    stored: dict[SpanKey, SlimSpan],
    constants: Collection[ResponseKey],
) -> set[TraceKey]:
    """Traces whose calls may be copies of each other; every call of another trace is its own only record.

    Calls are copies only when they share a response id or one of them has none, or when a server mirrors a client: a trace
    of many calls with response ids of their own needs no look at its tree. A stored call that the batch replaces is looked at
    too: what it was a copy of must be decided without it.
    """
    response_ids, kinds, scopes = batch["response_id"], batch["kind"], batch["scope_name"]
    own = ((keys[row], response_ids[row], may_mirror(kinds[row], scopes[row])) for row in calls)
    older = (
        (key, slim.response_id, may_mirror(slim.kind, slim.scope_name) or not slim.counted or bool(slim.filled))
        for key, slim in stored.items()
        if slim.is_call
    )
    seen: dict[TraceKey, SpanKey] = {}
    several: set[TraceKey] = set()
    unclear: set[TraceKey] = set()
    contested: set[TraceKey] = set()
    first_of: dict[tuple[str | bytes, ...], SpanKey] = {}
    for key, response_id, look in chain(own, older):
        project, trace_id, _ = key
        trace = (project, trace_id)
        if seen.setdefault(trace, key) != key:
            several.add(trace)
        if response_id is None or look:
            unclear.add(trace)
        if response_id is not None:
            answer: tuple[str | bytes, ...] = (project, response_id)
            if answer in constants:  # compared within a trace only
                answer = (project, response_id, trace_id)
            first = first_of.setdefault(answer, key)
            if first != key:
                contested.update(((first[0], first[1]), trace))
    if constants:  # calls that lost by, or took over by, an id that has become a constant are decided anew
        contested.update(
            (slim.project, slim.trace_id)
            for slim in stored.values()
            if slim.is_call and (slim.project, slim.response_id) in constants and not _alone(slim)
        )
    return contested | (several & unclear)


def _alone(slim: SlimSpan) -> bool:
    """True for a stored call that stands for itself only."""
    return slim.reason == ONLY_CALL.reason


def _rows_needed(
    decisions: dict[SpanKey, Decision],
    slims: dict[SpanKey, SlimSpan],
    stored: dict[SpanKey, SlimSpan],
    in_batch: dict[SpanKey, int],
) -> set[SpanKey]:
    """Stored rows that must be read in full: their decision changed, or their group of copies touches the batch, or a record
    has left it. ``slims`` are the spans as they will be, ``stored`` as they were."""
    changed = _regrouped(decisions, stored)
    for key, decision in decisions.items():
        slim = slims[key]
        suppressor = decision.suppressed_by[2] if decision.suppressed_by else None
        if (slim.counted, slim.suppressed_by, slim.reason) != (decision.counted, suppressor, decision.reason):
            changed.add(key)
    changed.difference_update(in_batch)
    needed = set(changed)
    for key, decision in decisions.items():
        if decision.donors:
            group = {key, *decision.donors}
            if any(member in in_batch or member in changed for member in group):
                needed.update(member for member in group if member not in in_batch)
        elif slims[key].filled and key not in in_batch:
            needed.add(key)
    return needed


def _regrouped(decisions: dict[SpanKey, Decision], stored: dict[SpanKey, SlimSpan]) -> set[SpanKey]:
    """Calls that stood behind another one than now, or stand behind none, and the calls they stood behind: these may have to
    give back what they took over, though their own decision and their other donors are the same.

    A row names the span it stood behind, not the trace: where several traces have that span id, it may have been any of them.
    """
    behind = {key: (key[0], slim.suppressed_by) for key, slim in stored.items() if slim.suppressed_by is not None}
    if not behind:
        return set()
    fronts: dict[tuple[str, bytes | None], list[SpanKey]] = {front: [] for front in behind.values()}
    for key in decisions:
        if (front := (key[0], key[2])) in fronts:
            fronts[front].append(key)
    moved: set[SpanKey] = set()
    for key, front in behind.items():
        decision = decisions.get(key)
        if decision is None:
            moved.update(fronts[front])
        elif fronts[front] != [decision.suppressed_by]:
            moved.update(fronts[front], (key,))
    return moved


@dataclass(slots=True)
class _Copies:
    """Rows that decisions fall on: those of the batch, and stored ones read in full."""

    batch: SpanBatch
    in_batch: dict[SpanKey, int]
    fetched: SpanBatch
    in_fetched: dict[SpanKey, int]

    def own_values(self, key: SpanKey) -> dict[str, Any] | None:
        """The row without what it took over; None when a stored row is gone."""
        if key in self.in_batch:
            row = self.batch.row(self.in_batch[key])
            restore(row)
            return row
        if key in self.in_fetched:
            row = self.fetched.row(self.in_fetched[key])
            restore(row)
            return row
        return None

    def settle(self, decisions: dict[SpanKey, Decision], reprice: Repricer) -> SpanBatch:
        """Applies decisions and take-overs in place; returns the stored rows that changed."""
        refilled: list[int] = []
        for key, row in self.in_batch.items():
            decision = decisions.get(key)
            if decision is None:
                continue
            if decision.donors and self._take_over(self.batch, row, key, decision):
                refilled.append(row)
            _apply(self.batch, row, decision)
        reprice(self.batch, refilled)
        before = [self.fetched.row(row) for row in range(self.fetched.size)]
        refilled = []
        for key, row in self.in_fetched.items():
            if self._take_over(self.fetched, row, key, decisions[key]):
                refilled.append(row)
            _apply(self.fetched, row, decisions[key])
        reprice(self.fetched, refilled)
        return self.fetched.take([row for row, old in enumerate(before) if self.fetched.row(row) != old])

    def _take_over(self, where: SpanBatch, row: int, key: SpanKey, decision: Decision) -> bool:
        """Fills one row from its donors, from scratch; True when a value of it may have changed."""
        values = self.own_values(key)
        assert values is not None  # noqa: S101 the key is in one of the two
        donors = [donor for donor in map(self.own_values, decision.donors) if donor is not None]
        filled = sorted(takeover(values, donors)) if decision.counted and donors else []
        earlier: list[str] = msgspec.json.decode(where["filled"][row]) if where["filled"][row] else []
        for name in {*filled, *earlier}:
            where[name][row] = values[name]
        where["filled"][row] = msgspec.json.encode(filled).decode() if filled else None
        return bool(filled or earlier)


def _apply_all(batch: SpanBatch, rows: Sequence[int], decision: Decision) -> None:
    """:func:`_apply` for many rows with one decision, which names no other record."""
    if len(rows) == batch.size:
        batch.columns |= {"counted": [decision.counted] * batch.size, "reason": [decision.reason] * batch.size}
        batch.columns.pop("suppressed_by", None)
        return
    counted, reasons, suppressors = batch["counted"], batch["reason"], batch.columns.get("suppressed_by")
    for row in rows:
        counted[row], reasons[row] = decision.counted, decision.reason
        if suppressors is not None:
            suppressors[row] = None


def _apply(batch: SpanBatch, row: int, decision: Decision) -> None:
    batch["counted"][row] = decision.counted
    if decision.suppressed_by is not None or "suppressed_by" in batch.columns:
        batch["suppressed_by"][row] = decision.suppressed_by[2] if decision.suppressed_by else None
    batch["reason"][row] = decision.reason
