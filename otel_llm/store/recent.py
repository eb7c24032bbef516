"""What a single owner of a store knows about its recent past without asking the database.

Each commit must know the stored relatives of its spans. Asking the database costs a scan of an hour of spans, so that at
30,000 spans a second the question would soon cost more than the insert. The owner of an embedded store wrote every row
itself and can answer from memory: recent rows are held; older ones, and the newest of those stored before this process
started, are remembered in Bloom filters ("certainly not stored" or "ask"); what is older still is asked for. Never a wrong
answer, only a superfluous question: about one key in 40,000 that is new.

Rows are held in generations. A commit adds its columns to the newest one as they are and its keys to a set; where the rows
of a key are is found out once one of a generation is asked for. The oldest generation leaves as a whole.
"""

from array import array
from bisect import bisect_right
from collections import Counter, deque
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import repeat
from operator import itemgetter
from typing import Any, Generic, NamedTuple

from otel_llm.conventions.counting import MOST_SHARING
from otel_llm.spans import CALL_ROLES, SlimSpan, SpanBatch, SpanKey
from otel_llm.store.engines.base import ResponseKey, TraceKey
from otel_llm.store.key_filter import FILTER_KEYS, Hashed, KeyFilter
from otel_llm.store.keys import Id, Keys, one_project

CAPACITY_SPANS = 120_000
"""Spans held: about 60 MB when full, four seconds of history at 30,000 spans a second."""
GENERATIONS = 3
"""Parts that the capacity is held in; the oldest leaves when there is one more. Each is a set to look every key up in."""
_MAX_FILTERS = 3  # 48 MiB: about twelve million traces and response ids


_START = SlimSpan._fields.index("start_ns")
_slim_columns = itemgetter(*SlimSpan._fields)


class _Chunk(NamedTuple):
    """Rows that were taken in together: place of the first in its generation, and the columns of their slim form."""

    first: int
    columns: tuple[Sequence[Any], ...]


class _Gone(NamedTuple):
    """The first ``rows`` rows of a generation that started until a time are no longer stored; ``project`` None is any."""

    project: str | None
    until_ns: int
    rows: int


class _Range(NamedTuple):
    """Starts (ns, both inclusive) for which the database has told all that it holds of a key."""

    start_from: int
    start_to: int


class _Index(Generic[Id]):
    """Which keys the rows of a generation have, and where.

    Keys that come go into a set. Only when one of them is asked for is the place of each noted: most never are.
    """

    __slots__ = ("_before", "_known", "_last", "_placed", "_rows")

    def __init__(self) -> None:
        self._known: dict[str, set[Id]] = {}
        """Project → ids."""
        self._rows: list[tuple[Sequence[str], Sequence[Id | None]]] = []
        """Projects and ids of all rows, as they were taken in."""
        self._placed = 0
        """How many of these have the places of their rows noted."""
        self._last: dict[str, dict[Id, int]] = {}
        """Project → id → place of the last row that has them."""
        self._before = array("q")
        """Place of the row of the same key before each row, -1 for none."""

    def add(self, projects: Sequence[str], ids: Sequence[Id | None]) -> None:
        """Takes in the keys of the rows that follow, one at least; None for a row that has no key."""
        self._rows.append((projects, ids))
        if one_project(projects):
            self._know(projects[0], ids)
        else:
            for project, each in zip(projects, ids, strict=True):
                self._know(project, (each,))

    def _know(self, project: str, ids: Iterable[Id | None]) -> None:
        known: set[Any] = self._known.setdefault(project, set())
        known.update(ids)
        known.discard(None)

    def among(self, keys: Keys[Id]) -> list[tuple[str, Id]]:
        """The keys that some row has."""
        return [
            (project, each)
            for project, ids in keys.by_project.items()
            if (known := self._known.get(project)) is not None and not known.isdisjoint(ids)
            for each in known.intersection(ids)
        ]

    def all(self) -> Keys[Id]:
        """The keys of all rows, in the order they came: memory is read in that order much faster than in that of a set."""
        found: dict[str, dict[Any, None]] = {}
        for projects, ids in self._rows:
            rows: Keys[Any] = Keys.of_columns(projects, ids)
            for project, some in rows.by_project.items():
                found.setdefault(project, {}).update(some)
        for keys in found.values():
            keys.pop(None, None)
        return Keys({project: keys for project, keys in found.items() if keys})

    def places(self, project: str, key: Id) -> Iterator[int]:
        """The places of the rows of a key that is known, the last one first."""
        for projects, ids in self._rows[self._placed :]:
            self._place(projects, ids)
        self._placed = len(self._rows)
        place = self._last[project][key]
        while place >= 0:
            yield place
            place = self._before[place]

    def _place(self, projects: Sequence[str], ids: Sequence[Any]) -> None:
        first = len(self._before)
        if one_project(projects):
            last = self._last.setdefault(projects[0], {})
            if last.keys().isdisjoint(ids) and len(set(ids)) == len(ids):
                self._before.extend(repeat(-1, len(ids)))
                last.update(zip(ids, range(first, first + len(ids)), strict=True))
                return
        append = self._before.append
        for place, (project, key) in enumerate(zip(projects, ids, strict=True), first):
            last = self._last.setdefault(project, {})
            append(last.get(key, -1))
            last[key] = place


class _Generation:
    """Some tens of thousands of rows, in the order they came."""

    __slots__ = ("_chunks", "_firsts", "_gone", "asked", "earliest", "latest", "responses", "size", "traces")

    def __init__(self) -> None:
        self._chunks: list[_Chunk] = []
        self._firsts: list[int] = []
        self._gone: list[_Gone] = []
        self.size = 0
        self.earliest = 0
        self.latest = 0
        """First and last start of a row."""
        self.traces: _Index[bytes] = _Index()
        self.responses: _Index[str] = _Index()
        self.asked: dict[TraceKey | ResponseKey, _Range] = {}
        """Keys that the database was asked for; what it told is among the rows."""

    def add(self, batch: SpanBatch) -> None:
        """Takes in rows. Their columns are kept, so nothing may change them any more."""
        if not batch.size:
            return
        projects = batch["project"]
        self._chunks.append(_Chunk(self.size, _slim_columns(batch.columns)))
        self._firsts.append(self.size)
        self.size += batch.size
        starts = batch["start_ns"]
        first, last = min(starts), max(starts)
        self.earliest = first if self.size == batch.size else min(self.earliest, first)
        self.latest = max(self.latest, last)
        self.traces.add(projects, batch["trace_id"])
        responses, roles = batch["response_id"], batch["role"]
        if not (all(responses) and CALL_ROLES.issuperset(roles)):
            responses = [each if each and role in CALL_ROLES else None for each, role in zip(responses, roles, strict=True)]
        self.responses.add(projects, responses)

    def deleted(self, project: str | None, until_ns: int) -> None:
        """The rows of a project that started until a time are no longer stored."""
        if self.size and self.earliest <= until_ns:
            self._gone = [each for each in self._gone if project not in (None, each.project) or each.until_ns > until_ns]
            self._gone.append(_Gone(project, until_ns, self.size))

    def slim(self, place: int, start_from: int, start_to: int) -> SlimSpan | None:
        """The row at a place; None when it starts outside of the range or was deleted."""
        chunk = self._chunks[bisect_right(self._firsts, place) - 1]
        row = place - chunk.first
        start_ns = chunk.columns[_START][row]
        if not start_from <= start_ns <= start_to:
            return None
        found = SlimSpan(*(column[row] for column in chunk.columns))
        if any(
            place < gone.rows and start_ns <= gone.until_ns and gone.project in (None, found.project) for gone in self._gone
        ):
            return None
        return found


@dataclass(slots=True)
class Known:
    """What memory answers: the spans it holds, and the keys that the database must be asked for."""

    spans: list[SlimSpan]
    ask_traces: list[TraceKey]
    ask_responses: list[ResponseKey]


class RecentSpans:
    """Memory of one writer. Not thread-safe: the writer's lock guards it."""

    def __init__(self, stored_until: int, capacity: int = CAPACITY_SPANS) -> None:
        """``stored_until`` is the latest start (ns) of spans whose keys memory was not told of with :meth:`stored`; 0 for none.
        Whatever starts before it, less the margin, is asked for."""
        self._stored_until = stored_until
        self._capacity = capacity
        self._generations: deque[_Generation] = deque([_Generation()])
        self._filters: list[KeyFilter] = []

    def look(self, traces: Collection[TraceKey], responses: Collection[ResponseKey], start_from: int, start_to: int) -> Known:
        """Answers for starts within the range, as far as memory goes."""
        spans: dict[SpanKey, SlimSpan] = {}
        asked_traces, asked_responses = Keys.of_pairs(traces), Keys.of_pairs(responses)
        # The newest version of a row is the last; by its trace it is found wherever it is, by a response id an old one may be.
        sharing = self._sharing(asked_responses, start_from, start_to)
        for calls in sharing.values():
            spans.update(calls)
        for generation in self._generations:
            for key in generation.traces.among(asked_traces):
                for place in reversed(list(generation.traces.places(*key))):
                    slim = generation.slim(place, start_from, start_to)
                    if slim is not None:
                        spans[slim.key] = slim
        constants = {key for key, calls in sharing.items() if len(calls) > MOST_SHARING}
        return Known(
            list(spans.values()),
            self._to_ask(asked_traces, start_from, start_to),
            [key for key in self._to_ask(asked_responses, start_from, start_to) if key not in constants],
        )

    def _sharing(self, responses: Keys[str], start_from: int, start_to: int) -> dict[ResponseKey, dict[SpanKey, SlimSpan]]:
        """The newest calls with each response id, as many as show that one is a constant."""
        sharing: dict[ResponseKey, dict[SpanKey, SlimSpan]] = {}
        for generation in reversed(self._generations):
            for key in generation.responses.among(responses):
                calls = sharing.setdefault(key, {})
                for place in generation.responses.places(*key):
                    if len(calls) > MOST_SHARING:
                        break
                    slim = generation.slim(place, start_from, start_to)
                    if slim is not None:
                        calls.setdefault(slim.key, slim)
        return sharing

    def _to_ask(self, keys: Keys[Any], start_from: int, start_to: int) -> list[Any]:
        """The keys of which the database may hold rows within the range that memory does not."""
        while len(self._filters) > _MAX_FILTERS:
            # what a dropped filter knew must be asked for from now on
            self._stored_until = max(self._stored_until, self._filters.pop(0).latest)
        if start_from <= self._stored_until:
            may_hold = list(keys)
        elif filters := [known for known in self._filters if known.latest >= start_from]:
            may_hold = [
                (project, each)
                for project, ids in keys.by_project.items()
                for hashed in [Hashed.of(project, list(ids))]
                for each in dict.fromkeys(found for known in filters for found in known.among(hashed))
            ]
        else:
            return []
        return [key for key in may_hold if not self._told(key, start_from, start_to)]

    def _told(self, key: TraceKey | ResponseKey, start_from: int, start_to: int) -> bool:
        """True when the database has told all of a key within the range; what came since is held."""
        for generation in self._generations:
            told = generation.asked.get(key)
            if told is not None and told.start_from <= start_from and start_to <= told.start_to:
                return True
        return False

    def learn(
        self,
        traces: Iterable[TraceKey],
        responses: Iterable[ResponseKey],
        found: Collection[SlimSpan],
        start_from: int,
        start_to: int,
    ) -> None:
        """Takes in the database's answer for keys it was asked for."""
        newest = self._newest()
        if found:
            columns = dict(zip(SlimSpan._fields, map(list, zip(*found, strict=True)), strict=True))
            newest.add(SpanBatch.of_columns(columns, len(found)))
        told = _Range(start_from, start_to)
        sharing = Counter((slim.project, slim.response_id) for slim in found if slim.is_call)
        newest.asked.update(dict.fromkeys(traces, told))
        # of a constant the database has told enough, not all
        newest.asked.update((key, told) for key in responses if sharing[key] <= MOST_SHARING)

    def stored(self, keys: Iterable[TraceKey] | Iterable[ResponseKey], latest: int) -> None:
        """Takes in traces or response ids of which the database holds spans that start no later than ``latest``: it is asked
        when one of them comes again."""
        found: Keys[Any] = Keys.of_pairs(keys)
        for project, ids in found.by_project.items():
            self._filter().add(project, ids, latest)

    def _filter(self) -> KeyFilter:
        """The filter that takes in what comes."""
        if not self._filters or self._filters[-1].keys >= FILTER_KEYS:
            self._filters.append(KeyFilter())
        return self._filters[-1]

    def wrote(self, *batches: SpanBatch) -> None:
        """Takes in rows that a commit wrote, new ones and new versions of known ones."""
        for batch in batches:
            self._newest().add(batch)

    def deleted(self, project: str | None, until_ns: int) -> None:
        """Takes in that the spans of a project (None: of every one) that started until a time are no longer stored. All the
        rest stays known, so that nothing more need be asked."""
        for generation in self._generations:
            generation.deleted(project, until_ns)

    def _newest(self) -> _Generation:
        """The generation that takes in what comes; what is too much leaves for the filters."""
        generations = self._generations
        part = self._capacity / GENERATIONS
        # Answers for commits that failed hold no rows, but keys.
        if generations[-1].size >= part or len(generations[-1].asked) >= part:
            if len(generations) >= GENERATIONS:
                oldest = generations[0]  # it leaves once its keys are in a filter, for which there may be no memory
                for keys in (oldest.traces.all(), oldest.responses.all()):
                    self.stored(keys, oldest.latest)
                generations.popleft()
            generations.append(_Generation())
        return generations[-1]
