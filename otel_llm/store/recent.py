"""What a single owner of a store knows about its recent past without asking the database.

Each commit must know the stored relatives of its spans. Asking the database costs a scan of an hour of spans, so that at
30,000 spans a second the question would soon cost more than the insert. The owner of an embedded store wrote every row
itself and can answer from memory: recent traces are held in full, older ones are remembered in Bloom filters ("certainly
not stored" or "ask"), and what was stored before this process started is asked for. Never a wrong answer, only a
superfluous question: about one trace in 20,000 that is new.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from otel_llm.spans import SlimSpan
from otel_llm.store.engines.base import ResponseKey, TraceKey

CAPACITY_SPANS = 150_000
"""Spans held in full: about 90 MB when full, five seconds of history at 30,000 spans a second."""
_FILTER_BITS = 1 << 25  # 4 MiB a filter
_FILTER_KEYS = _FILTER_BITS // 24  # 24 bits a key and 8 probes: 1 in 24,000 false positives
_MAX_FILTERS = 8  # 32 MiB: about eleven million traces or response ids
_PROBES = 8
_MASK = _FILTER_BITS - 1


@dataclass(slots=True)
class _Entry:
    """One trace: its spans, and the range of starts for which they are all of it."""

    start_from: int
    start_to: int
    spans: list[SlimSpan] = field(default_factory=list)


class _Filter:
    """A Bloom filter of trace and response keys whose spans start no later than ``latest``."""

    __slots__ = ("bits", "keys", "latest")

    def __init__(self) -> None:
        self.bits = bytearray(_FILTER_BITS >> 3)
        self.keys = 0
        self.latest = 0

    def add(self, key: TraceKey | ResponseKey, start_ns: int) -> None:
        value = hash(key)
        step = (value >> 25) | 1
        bits = self.bits
        for _ in range(_PROBES):
            bit = value & _MASK
            bits[bit >> 3] |= 1 << (bit & 7)
            value += step
        self.keys += 1
        self.latest = max(self.latest, start_ns)

    def __contains__(self, key: TraceKey | ResponseKey) -> bool:
        value = hash(key)
        step = (value >> 25) | 1
        bits = self.bits
        for _ in range(_PROBES):
            bit = value & _MASK
            if not bits[bit >> 3] & (1 << (bit & 7)):
                return False
            value += step
        return True


@dataclass(slots=True)
class Known:
    """What memory answers: the spans it holds, and the keys that the database must be asked for."""

    spans: list[SlimSpan]
    ask_traces: list[TraceKey]
    ask_responses: list[ResponseKey]


class RecentSpans:
    """Memory of one writer. Not thread-safe: the writer's lock guards it."""

    def __init__(self, stored_until: int, capacity: int = CAPACITY_SPANS) -> None:
        """``stored_until`` is the latest start (ns) in the store before this process wrote to it; 0 for an empty one."""
        self._stored_until = stored_until
        self._capacity = capacity
        self._held = 0
        self._traces: dict[TraceKey, _Entry] = {}
        self._responses: dict[ResponseKey, list[SlimSpan]] = {}
        self._filters: list[_Filter] = []

    def look(self, traces: Collection[TraceKey], responses: Collection[ResponseKey], start_from: int, start_to: int) -> Known:
        """Answers for starts within the range, as far as memory goes."""
        known = Known([], [], [])
        while self._filters and len(self._filters) > _MAX_FILTERS:
            # what a dropped filter knew must be asked for from now on
            self._stored_until = max(self._stored_until, self._filters.pop(0).latest)
        ask_all = start_from <= self._stored_until
        filters = [each for each in self._filters if each.latest >= start_from]
        entries = self._traces
        for trace in traces:
            entry = entries.get(trace)
            if entry is not None and entry.start_from <= start_from and start_to <= entry.start_to:
                known.spans.extend(entry.spans)
            elif entry is not None and not ask_all:
                known.spans.extend(entry.spans)
                if any(trace in each for each in filters):
                    known.ask_traces.append(trace)
            elif ask_all or (filters and any(trace in each for each in filters)):
                known.ask_traces.append(trace)
        held = self._responses
        for response in responses:
            spans = held.get(response)
            if spans is not None:
                known.spans.extend(spans)
            elif ask_all or (filters and any(response in each for each in filters)):
                known.ask_responses.append(response)
        return known

    def learn(
        self,
        traces: Iterable[TraceKey],
        responses: Iterable[ResponseKey],
        found: Iterable[SlimSpan],
        start_from: int,
        start_to: int,
    ) -> None:
        """Takes in the database's answer for keys it was asked for."""
        for trace in traces:
            old = self._traces.pop(trace, None)
            if old is not None:
                self._held -= len(old.spans)
            self._traces[trace] = _Entry(start_from, start_to)
        for response in responses:
            self._responses[response] = []
        for slim in found:
            entry = self._traces.get((slim.project, slim.trace_id))
            if entry is not None and all(slim.span_id != other.span_id for other in entry.spans):
                entry.spans.append(slim)
                self._held += 1
            if slim.response_id and slim.is_call:
                sharing = self._responses.get((slim.project, slim.response_id))
                if sharing is not None and all(slim.key != other.key for other in sharing):
                    sharing.append(slim)

    def wrote(self, inserted: Iterable[SlimSpan], replaced: Iterable[SlimSpan], start_from: int, start_to: int) -> None:
        """Takes in what a commit wrote; the range is that of its question."""
        for slim in replaced:
            self._forget(slim)
            self._hold(slim, start_from, start_to)
        for slim in inserted:
            self._hold(slim, start_from, start_to)
        while self._held > self._capacity:
            self._evict()

    def forget_all(self, stored_until: int) -> None:
        """Starts anew, after rows were deleted behind our back; the database is asked for all up to ``stored_until``."""
        self.__init__(max(stored_until, self._stored_until), self._capacity)  # type: ignore[misc] # same object, fresh state

    def _hold(self, slim: SlimSpan, start_from: int, start_to: int) -> None:
        trace = (slim.project, slim.trace_id)
        entry = self._traces.get(trace)
        if entry is None:
            entry = self._traces[trace] = _Entry(start_from, start_to)
        entry.spans.append(slim)
        self._held += 1
        if slim.response_id and slim.is_call:
            self._responses.setdefault((slim.project, slim.response_id), []).append(slim)

    def _forget(self, slim: SlimSpan) -> None:
        entry = self._traces.get((slim.project, slim.trace_id))
        if entry is None:
            return
        for old in entry.spans:
            if old.span_id == slim.span_id:
                entry.spans.remove(old)
                self._held -= 1
                if old.response_id:
                    sharing = self._responses.get((old.project, old.response_id))
                    if sharing is not None:
                        sharing[:] = [other for other in sharing if other.key != old.key]
                return

    def _evict(self) -> None:
        """Moves the oldest trace from memory to the filters."""
        trace = next(iter(self._traces))
        entry = self._traces.pop(trace)
        self._held -= len(entry.spans)
        if not entry.spans:
            return
        if not self._filters or self._filters[-1].keys >= _FILTER_KEYS:
            self._filters.append(_Filter())
        remembered = self._filters[-1]
        latest = max(slim.start_ns for slim in entry.spans)
        remembered.add(trace, latest)
        for slim in entry.spans:
            if slim.response_id and self._responses.pop((slim.project, slim.response_id), None) is not None:
                remembered.add((slim.project, slim.response_id), latest)
