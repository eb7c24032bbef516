"""What a single owner of a store knows about its recent past without asking the database.

Each commit must know the stored relatives of its spans. Asking the database costs a scan of an hour of spans, so that at
30,000 spans a second the question would soon cost more than the insert. The owner of an embedded store wrote every row
itself and can answer from memory: recent traces are held in full, older ones are remembered in Bloom filters ("certainly
not stored" or "ask"), and what was stored before this process started is asked for. Never a wrong answer, only a
superfluous question: about one trace in 20,000 that is new.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

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
    """The spans of one trace, or the calls with one response id.

    All that this process wrote of the key is here or, evicted, in a filter; what was stored before is here as far as it
    starts within the range.
    """

    start_from: int
    start_to: int
    spans: dict[bytes, SlimSpan]

    def covers(self, start_from: int, start_to: int) -> bool:
        """True when the database has no more of these starts."""
        return self.start_from <= start_from and start_to <= self.start_to


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
        self._responses: dict[ResponseKey, _Entry] = {}
        self._filters: list[_Filter] = []

    def look(self, traces: Collection[TraceKey], responses: Collection[ResponseKey], start_from: int, start_to: int) -> Known:
        """Answers for starts within the range, as far as memory goes."""
        known = Known([], [], [])
        while self._filters and len(self._filters) > _MAX_FILTERS:
            # what a dropped filter knew must be asked for from now on
            self._stored_until = max(self._stored_until, self._filters.pop(0).latest)
        ask_all = start_from <= self._stored_until
        filters = [each for each in self._filters if each.latest >= start_from]

        def must_ask(key: TraceKey | ResponseKey, entry: _Entry | None) -> bool:
            if entry is not None:
                known.spans.extend(slim for slim in entry.spans.values() if start_from <= slim.start_ns <= start_to)
                if entry.covers(start_from, start_to):
                    return False
            return ask_all or (bool(filters) and any(key in each for each in filters))

        known.ask_traces = [trace for trace in traces if must_ask(trace, self._traces.get(trace))]
        known.ask_responses = [response for response in responses if must_ask(response, self._responses.get(response))]
        return known

    def learn(
        self,
        traces: Iterable[TraceKey],
        responses: Iterable[ResponseKey],
        found: Iterable[SlimSpan],
        start_from: int,
        start_to: int,
    ) -> None:
        """Takes in the database's answer for keys it was asked for. What is held of them already stays: it may start
        outside of the range."""
        for trace in traces:
            old = self._traces.pop(trace, None)
            self._traces[trace] = _Entry(start_from, start_to, old.spans if old is not None else {})
        for response in responses:
            held = self._responses.get(response)
            self._responses[response] = _Entry(start_from, start_to, held.spans if held is not None else {})
        for slim in found:
            entry = self._traces.get((slim.project, slim.trace_id))
            if entry is not None and slim.span_id not in entry.spans:
                entry.spans[slim.span_id] = slim
                self._held += 1
            if slim.response_id and slim.is_call:
                sharing = self._responses.get((slim.project, slim.response_id))
                if sharing is not None:
                    sharing.spans.setdefault(slim.trace_id + slim.span_id, slim)

    def wrote(self, inserted: Iterable[SlimSpan], replaced: Iterable[SlimSpan], start_from: int, start_to: int) -> None:
        """Takes in what a commit wrote; the range is that of its question."""
        for slim in replaced:
            self._forget(slim)
            self._hold(slim, start_from, start_to)
        for slim in inserted:
            self._hold(slim, start_from, start_to)
        while self._held > self._capacity:
            self._evict()
        while len(self._responses) > self._capacity:  # of commits that failed, whose traces are not held
            self._evict_response(next(iter(self._responses)))

    def forget_all(self, stored_until: int) -> None:
        """Starts anew, after rows were deleted behind our back; the database is asked for all up to ``stored_until``."""
        self.__init__(max(stored_until, self._stored_until), self._capacity)  # type: ignore[misc] # same object, fresh state

    def _hold(self, slim: SlimSpan, start_from: int, start_to: int) -> None:
        trace = (slim.project, slim.trace_id)
        entry = self._traces.get(trace)
        if entry is None:
            self._traces[trace] = _Entry(start_from, start_to, {slim.span_id: slim})
        else:
            entry.spans[slim.span_id] = slim
        self._held += 1
        if slim.response_id and slim.is_call:
            response = (slim.project, slim.response_id)
            sharing = self._responses.get(response)
            if sharing is None:
                self._responses[response] = _Entry(start_from, start_to, {slim.trace_id + slim.span_id: slim})
            else:
                sharing.spans[slim.trace_id + slim.span_id] = slim

    def _forget(self, slim: SlimSpan) -> None:
        entry = self._traces.get((slim.project, slim.trace_id))
        old = entry.spans.pop(slim.span_id, None) if entry is not None else None
        if old is None:
            return
        self._held -= 1
        if old.response_id:
            sharing = self._responses.get((old.project, old.response_id))
            if sharing is not None:
                sharing.spans.pop(old.trace_id + old.span_id, None)

    def _evict(self) -> None:
        """Moves the oldest trace from memory to the filters."""
        trace = next(iter(self._traces))
        entry = self._traces.pop(trace)
        self._held -= len(entry.spans)
        self._remember(trace, entry)
        for slim in entry.spans.values():
            if slim.response_id:
                self._evict_response((slim.project, slim.response_id))

    def _evict_response(self, response: ResponseKey) -> None:
        entry = self._responses.pop(response, None)
        if entry is not None:
            self._remember(response, entry)

    def _remember(self, key: TraceKey | ResponseKey, entry: _Entry) -> None:
        if not entry.spans:
            return
        if not self._filters or self._filters[-1].keys >= _FILTER_KEYS:
            self._filters.append(_Filter())
        self._filters[-1].add(key, max(slim.start_ns for slim in entry.spans.values()))
