"""The one writer of a store: group commit, exactly once, counting decided before the row is written.

Requests hand in what they extracted and wait. The writer thread takes everything that waits, up to a limit, decides it
together and commits it once; each waiting request is answered by the commit that holds it. While a commit runs the next
one gathers, so the size of commits follows the load.
"""

import logging
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from otel_llm import batch_threads, wakeups
from otel_llm.errors import StoreUnavailable
from otel_llm.spans import Finding, MetricPoint, Rejection, SpanBatch
from otel_llm.store.copies import remembered
from otel_llm.store.engines.base import Engine, LeftOut, WriteSession
from otel_llm.store.keys import Keys
from otel_llm.store.resolution import Repricer, Resolution, resolve, responses_of

log = logging.getLogger(__name__)

_ENOUGH_SPANS = 512
"""A commit of so many spans waits for no company: its rows cost more than it does itself, and those that come meanwhile are
extracted while it is written."""
_STOP_WAIT_S = 25.0  # a stopping process must be gone in 30 s
_IDLE_S = 0.2
"""After this long without work what is only journalled goes into the database, so that its file is complete by itself."""
_LONGEST_IDLE_S = 30.0
"""The same where the database does not take it (a full disk): each try that fails doubles the wait, up to this."""


@dataclass(slots=True)
class Work:
    """What one request wants written. ``size_bytes`` are those of the request, decompressed; 0 when nobody knows.

    Where it is not known before the commit, ``unread`` finds it out: it is called by the writer's thread with all works of a
    commit that have the same one, gives each what it wants written or its ``error``, and returns them in the order of their
    rows. ``spans`` are the rows of the work itself (until it is read, a guess): one that was read with others may hold the
    rows of those that follow it behind its own, and they hold none.

    ``stored`` and ``duplicate`` are its answer, in spans; ``repeated`` are the findings and metric points that were there
    already; ``error`` says that nothing of it was written. ``done`` is called once, with the work, by the writer's thread: it
    must be quick and must not raise.
    """

    batch: SpanBatch
    findings: Sequence[Finding] = ()
    metric_points: Sequence[MetricPoint] = ()
    rejections: Sequence[Rejection] = ()
    size_bytes: int = 0
    stored: int = 0
    duplicate: int = 0
    repeated: int = 0
    error: Exception | None = None
    done: Callable[["Work"], None] | None = None
    unread: Callable[[list["Work"]], list["Work"]] | None = None
    spans: int = -1

    def __post_init__(self) -> None:
        if self.spans < 0:
            self.spans = self.batch.size

    @property
    def is_empty(self) -> bool:
        """True when there is nothing to write."""
        return not (self.spans or self.findings or self.metric_points or self.rejections)


@dataclass(slots=True)
class WriterStatistics:
    """Running totals of the writer, for /metrics."""

    submitted: int = 0
    commits: int = 0
    failed_commits: int = 0
    spans: int = 0
    waiting_spans: int = 0
    last_commit_s: float = 0.0


class Writer:
    """Group commit over one engine."""

    def __init__(
        self,
        engine: Engine,
        reprice: Repricer,
        *,
        max_spans: int,
        margin_ns: int,
        max_bytes: int | None = None,
        interval_s: float = 0.0,
        on_commit: Callable[[float, int], None] | None = None,
    ) -> None:
        """``on_commit`` is told seconds and spans of each commit; ``reprice`` recomputes the cost of rows whose tokens
        were taken over; ``margin_ns`` is how far from a batch its relatives are looked for."""
        self._engine = engine
        self._reprice = reprice
        self._max_spans = max_spans
        self._max_bytes = math.inf if max_bytes is None else max_bytes
        self._margin_ns = margin_ns
        self._interval_s = interval_s
        self._on_commit = on_commit
        self._waiting: deque[Work] = deque()
        self._wake = threading.Condition()
        self._stopping = False
        self._expected = 1
        self._awaited = 1
        """Requests that the writer waits for."""
        self._idle_s = _IDLE_S
        self.statistics = WriterStatistics()
        self._thread = threading.Thread(target=self._run, name="otel-llm-writer", daemon=True)

    def start(self) -> None:
        """Starts the writer's thread."""
        self._thread.start()

    def enqueue(self, work: Work) -> None:
        """Takes the work and returns; ``work.done`` is called when it is committed and visible, or has failed.

        Raises StoreUnavailable (retryable) when the writer stops.
        """
        with self._wake:
            if self._stopping:
                raise StoreUnavailable("the server is shutting down")
            self._waiting.append(work)
            self.statistics.submitted += 1
            self.statistics.waiting_spans += work.spans
            if self._is_enough():
                self._wake.notify()

    def submit(self, work: Work) -> None:
        """Returns when the work is committed and visible. Raises StoreUnavailable (retryable) when nothing of it is."""
        settled = threading.Event()
        work.done = lambda _: settled.set()
        self.enqueue(work)
        settled.wait()
        if work.error is not None:
            raise work.error

    def stop(self) -> None:
        """Commits what waits, then stops. Later submissions are refused as retryable."""
        with self._wake:
            self._stopping = True
            self._wake.notify()
        if self._thread.is_alive():
            self._thread.join(_STOP_WAIT_S)

    def _run(self) -> None:
        batch_threads.is_one()
        while True:
            works = self._gather()
            if not works:
                return
            for writing in self._parted(_read(works)):
                self._commit(writing)

    def _gather(self) -> list[Work]:
        """The works of the next commit; none when the writer stops."""
        if not self._awaited_work():
            return []
        self._engine.give_way()
        with self._wake:
            works = [self._waiting.popleft()]
            spans, size_bytes = works[0].spans, works[0].size_bytes
            while self._waiting:
                work = self._waiting[0]
                if spans + work.spans > self._max_spans or size_bytes + work.size_bytes > self._max_bytes:
                    break
                works.append(self._waiting.popleft())
                spans += work.spans
                size_bytes += work.size_bytes
            self.statistics.waiting_spans -= spans
            self._expected = len(works) + len(self._waiting)
            return works

    def _awaited_work(self) -> bool:
        """Waits until there is enough to commit; False when there is nothing, and the writer stops."""
        with self._wake:
            while not self._waiting:
                if self._stopping:
                    return False
                journal = self._engine.journal
                if journal is None or not journal.pending_commits:
                    self._wake.wait()
                elif not self._wake.wait(self._idle_s):
                    self._settle()
            self._await_company()
            return True

    def _parted(self, works: list[Work]) -> list[list[Work]]:
        """The works of each commit: all of them, unless reading them showed more spans than one may have."""
        if not works:
            return []
        if len(works) == 1 or sum(work.spans for work in works) <= self._max_spans:
            return [works]
        _separate(works)
        parts: list[list[Work]] = [[]]
        spans = 0
        for work in works:
            if parts[-1] and spans + work.spans > self._max_spans:
                parts.append([])
                spans = 0
            parts[-1].append(work)
            spans += work.spans
        return parts

    def _settle(self) -> None:
        self._wake.release()  # requests may come meanwhile
        try:
            self._engine.settle()
            self._idle_s = _IDLE_S
        except Exception as error:
            self._idle_s = min(2 * self._idle_s, _LONGEST_IDLE_S)
            log.warning("the journal could not be settled, it stays as it is: %s", error)
        finally:
            self._wake.acquire()

    def _await_company(self) -> None:
        """Waits a moment for as many requests as the last commit had: clients that were answered together come back together,
        and one commit for all of them is as cheap as one for the first."""
        deadline = time.monotonic() + self._interval_s
        self._awaited = self._expected
        while not (self._is_enough() or self._stopping) and (left := deadline - time.monotonic()) > 0:
            self._wake.wait(left)
        self._awaited = 1

    def _is_enough(self) -> bool:
        """True when the writer need not wait for more; waking it for each request would hand the interpreter over each time."""
        return len(self._waiting) >= self._awaited or self.statistics.waiting_spans >= min(_ENOUGH_SPANS, self._max_spans)

    def _commit(self, works: list[Work]) -> None:
        started = time.perf_counter()
        try:
            self._write(works)
        except BaseException as error:  # also a panic of native code: the thread lives on, whoever waits gets an answer
            self._failed(works, error)
            return
        seconds = time.perf_counter() - started
        spans = sum(work.spans for work in works)
        statistics = self.statistics
        statistics.commits += 1
        statistics.spans += spans
        statistics.last_commit_s = seconds
        if self._on_commit is not None:
            self._on_commit(seconds, spans)
        _tell(works)

    def _failed(self, works: list[Work], error: BaseException) -> None:
        """A commit of several requests that fails is tried once more request by request: what one of them carries must
        not cost the others. When the store itself does not answer, all fail at once."""
        self.statistics.failed_commits += 1
        if len(works) > 1 and not isinstance(error, StoreUnavailable):
            log.warning("commit of %d requests failed, trying each alone: %s", len(works), error)
            _separate(works)
            for work in works:
                self._commit([work])
            return
        log.error("commit failed: %s", error, exc_info=error)
        for work in works:
            work.error = StoreUnavailable("the store could not commit; nothing of this request was stored")
            work.error.__cause__ = error
        _tell(works)

    def _write(self, works: list[Work]) -> None:
        batch = SpanBatch.concat([work.batch for work in works])
        traces: Keys[bytes] = Keys.of_columns(batch["project"], batch["trace_id"])
        responses = responses_of(batch) if self._engine.capabilities.shared else ()
        carrying = [work for work in works if work.findings or work.metric_points]

        def decide(session: WriteSession) -> tuple[Resolution, LeftOut]:
            resolution = resolve(batch, traces, session, self._margin_ns, self._reprice)
            change = resolution.change
            change.findings = _first_of_each(carrying, _findings)
            change.metric_points = _first_of_each(carrying, _metric_points)
            change.rejections = [rejection for work in works for rejection in work.rejections]
            change.rejections += remembered(batch, resolution.duplicate_rows)
            return resolution, session.apply(change)

        resolution, left_out = self._engine.commit(traces, responses, decide)
        _answer(works, resolution)
        _answer_repeats(carrying, left_out)


def _read(works: list[Work]) -> list[Work]:
    """Reads the works that are not read yet. Those that have nothing to write are told; the others are returned, ones that were
    read together in a row."""
    together: dict[Any, list[Work]] = {}
    for work in works:
        together.setdefault(work.unread, []).append(work)
    if len(together) == 1 and None in together:
        return works
    writing = together.pop(None, [])
    told: list[Work] = []
    for read, unread in together.items():
        try:
            known = read(unread)
        except BaseException as error:  # whoever waits gets an answer
            log.exception("%d requests could not be read", len(unread))
            known = unread
            for work in unread:
                work.error = error if isinstance(error, Exception) else StoreUnavailable(str(error))
        for work in known:
            work.unread = None
            (told if work.error is not None or work.is_empty else writing).append(work)
    if told:
        _tell(told)
    return writing


def _separate(works: list[Work]) -> None:
    """Gives each work the rows of its own."""
    batch, first = SpanBatch(), 0
    for work in works:
        if work.batch.size:
            batch, first = work.batch, 0
        work.batch = batch.part(first, first + work.spans)
        first += work.spans


def _tell(works: list[Work]) -> None:
    with wakeups.together():
        for work in works:
            if work.done is None:
                continue
            try:
                work.done(work)
            except Exception:
                log.exception("a request was not told what became of it")


def _answer(works: list[Work], resolution: Resolution) -> None:
    """Splits the outcome of a commit over its requests; rows of a request are contiguous."""
    duplicates = resolution.duplicate_rows
    if not duplicates:
        for work in works:
            work.stored, work.duplicate = work.spans, 0
        return
    first = 0
    for work in works:
        last = first + work.spans
        work.duplicate = sum(1 for row in duplicates if first <= row < last)
        work.stored = work.spans - work.duplicate
        first = last


_Keyed = Callable[[Work], Iterable[tuple[tuple[str, bytes], Any]]]


def _findings(work: Work) -> Iterable[tuple[tuple[str, bytes], Finding]]:
    return (((finding.project, finding.finding_key), finding) for finding in work.findings)


def _metric_points(work: Work) -> Iterable[tuple[tuple[str, bytes], MetricPoint]]:
    return (((point.project, point.point_key), point) for point in work.metric_points)


def _first_of_each(works: list[Work], keyed: _Keyed) -> list[Any]:
    """What the works want written, the first where a key comes twice."""
    first: dict[tuple[str, bytes], Any] = {}
    for work in works:
        for key, item in keyed(work):
            first.setdefault(key, item)
    return list(first.values())


def _answer_repeats(works: list[Work], left_out: LeftOut) -> None:
    for work in works:
        work.repeated = 0
    for keyed, known in ((_findings, left_out.findings), (_metric_points, left_out.metric_points)):
        seen = set(known)
        for work in works:
            for key, _ in keyed(work):
                work.repeated += key in seen
                seen.add(key)
