"""The engine seam: what a database must do to hold the store.

An engine owns its connections and its DDL. The writer is the only caller of :meth:`Engine.write`; queries read through
:attr:`Engine.sql` and build their expressions with :attr:`Engine.functions`. One conformance suite
(``tests/store/conformance``) runs against every engine.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar

import sqlalchemy as sa

from otel_llm.retention import Ages
from otel_llm.spans import Finding, MetricPoint, Rejection, SlimSpan, SpanBatch, SpanKey

Result = TypeVar("Result")

TraceKey = tuple[str, bytes]
"""(project, trace_id)."""
ResponseKey = tuple[str, str]
"""(project, response_id)."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What an engine can do; the default of every flag is the least."""

    shared: bool = False
    """Several processes may open the store at once."""
    server: bool = False
    """The store is a server that may be restarted under us."""
    partitions: bool = False
    """Old data is dropped by partition."""
    columnar: bool = False
    """Columns are stored apart, with statistics: that one holds no value is known without reading it."""
    rows_looked_up: int = 0
    """Of the first rows by some order, up to so many, only the order is read at first; their other columns are looked up by the
    places of the rows, which takes time for the whole table."""


@dataclass(slots=True)
class Change:
    """One commit. ``insert`` rows are new keys; ``replace`` rows are full new versions of stored keys. No finding and no
    metric point comes twice."""

    insert: SpanBatch = field(default_factory=SpanBatch)
    replace: SpanBatch = field(default_factory=SpanBatch)
    findings: Sequence[Finding] = ()
    metric_points: Sequence[MetricPoint] = ()
    rejections: Sequence[Rejection] = ()

    @property
    def is_empty(self) -> bool:
        """True when there is nothing to write."""
        return not (self.insert.size or self.replace.size or self.findings or self.metric_points or self.rejections)


class LeftOut(NamedTuple):
    """(project, key) of the findings and metric points of a change that were stored already."""

    findings: Collection[tuple[str, bytes]] = ()
    metric_points: Collection[tuple[str, bytes]] = ()


class Deleted(NamedTuple):
    """How many rows a deletion took; true when there were any."""

    spans: int = 0
    records: int = 0
    """Findings, metric points and rejections."""

    def __bool__(self) -> bool:
        return any(tuple(self))

    def plus(self, more: "Deleted") -> "Deleted":
        """Both together."""
        return Deleted(self.spans + more.spans, self.records + more.records)


@dataclass(slots=True)
class JournalStatistics:
    """What a journal in front of the database did since it was opened, for /metrics."""

    appends: int = 0
    """Commits that were journalled."""
    settlements: int = 0
    """Transactions that brought journalled commits into the database."""
    pending_commits: int = 0
    """Commits that are in the journal only; some have rejections and no span."""
    pending_spans: int = 0
    """Their spans."""


RECORDS = ("findings", "metric_points", "rejections")
"""Tables that grow beside ``spans``."""
ROW_TIMES = {"spans": "start_ns"} | dict.fromkeys(RECORDS, "time_ns")
"""Table → the column that says how old a row is."""


@dataclass(frozen=True, slots=True)
class TracePlaces:
    """A table that says where traces lie in time. For every span there is a row of its trace with a time less than ``slack_ns``
    from the span's start; there may be rows without a span."""

    table: sa.Table
    """Columns ``project``, ``trace_key`` and ``time_ns``."""
    slack_ns: int
    key_of: Callable[[bytes], int]
    """The ``trace_key`` of a trace id."""


class WriteConflict(Exception):
    """A unit of work met another one. Nothing of it was written, and it may be done again on these keys as well."""

    def __init__(
        self, reason: str, traces: Collection[TraceKey] = (), responses: Collection[ResponseKey] = (), wait_s: float = 0.0
    ) -> None:
        super().__init__(reason)
        self.traces = traces
        self.responses = responses
        self.wait_s = wait_s


class CostUpdate(NamedTuple):
    """A new computed cost for a stored call, if its cost is still ``was``."""

    project: str
    trace_id: bytes
    span_id: bytes
    start_ns: int
    was: float | None
    cost_computed: float | None
    cost_computed_source: str | None


class WriteSession(ABC):
    """One atomic unit of work: ask, decide, apply. Committed when its context ends without an error."""

    @abstractmethod
    def related(
        self, traces: Collection[TraceKey], responses: Collection[ResponseKey], start_from: int, start_to: int
    ) -> list[SlimSpan]:
        """Stored spans of these traces, and stored calls with these response ids, whose start is in the given range (ns,
        both inclusive). Each span once. Of a response id that more than ``MOST_SHARING`` calls have, any ``MOST_SHARING + 1``
        of them, and those of the traces, are enough."""

    @abstractmethod
    def fetch(self, keys: Collection[SpanKey], start_from: int, start_to: int) -> SpanBatch:
        """Full rows of stored spans, in any order; keys that are not stored are left out."""

    @abstractmethod
    def apply(self, change: Change) -> LeftOut:
        """Writes the change. Findings and metric points whose key is stored already are left out, and told."""


class Functions(ABC):
    """Expressions that the three SQL dialects spell differently. All take and give SQLAlchemy Core expressions."""

    places: TracePlaces | None = None
    """Where traces lie, on an engine that would read the trace ids of all spans to find some."""

    @abstractmethod
    def percentile(self, value: sa.ColumnElement[Any], fraction: float) -> sa.ColumnElement[Any]:
        """Percentile over the non-null values of a group, interpolated linearly."""

    def percentiles(self, value: sa.ColumnElement[Any], fractions: Sequence[float]) -> list[sa.ColumnElement[Any]]:
        """One :meth:`percentile` for each fraction; an engine that finds several in one sort says so here."""
        return [self.percentile(value, fraction) for fraction in fractions]

    @abstractmethod
    def exact_sum(self, value: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
        """Sum of integers that may exceed 64 bits; None over no rows."""

    @abstractmethod
    def wide(self, value: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
        """The integer widened so that adding two of them cannot overflow."""

    @abstractmethod
    def stable_sum(self, value: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
        """Sum of doubles that does not drift with the order of rows; None over no rows."""

    @abstractmethod
    def decimal_sum(self, value: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
        """Exact decimal sum of doubles, each rounded to 12 places; None over no rows."""

    @abstractmethod
    def bucket(self, time_ns: sa.ColumnElement[Any], unit: str) -> sa.ColumnElement[Any]:
        """Start of the UTC minute, hour, day, week (Monday) or month that holds the time, as integer epoch seconds."""

    @abstractmethod
    def first_by(self, value: sa.ColumnElement[Any], *order: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
        """Aggregate: the non-null value whose order tuple is the smallest."""

    @abstractmethod
    def list_has_any(self, json_list: sa.ColumnElement[Any], values: Sequence[str]) -> sa.ColumnElement[Any]:
        """True when a JSON list of strings (text, may be NULL) holds one of the values."""

    @abstractmethod
    def list_has(self, json_list: sa.ColumnElement[Any], value: str) -> sa.ColumnElement[Any]:
        """True when a JSON list of strings (text, may be NULL) holds the value."""

    @abstractmethod
    def object_get(self, json_object: sa.ColumnElement[Any], key: str) -> sa.ColumnElement[Any]:
        """Text of one key of a flat JSON object of strings (text, may be NULL); NULL when absent. The key may hold any
        character."""


class Engine(ABC):
    """A database that holds the store."""

    capabilities: Capabilities = Capabilities()
    functions: Functions
    give_way: Callable[[], None] = staticmethod(lambda: None)
    """Called between the steps of a commit that take the interpreter long, where readers can go on: it may wait a while for
    some that have come."""
    sql: sa.Engine
    """Reads, and writes of the small tables (keys, projects, audit)."""

    @property
    def small_tables(self) -> sa.Engine:
        """:attr:`sql` for who asks of keys, projects and audit only: it need not show the spans that were committed last."""
        return self.sql

    @property
    def reads(self) -> sa.Engine:
        """:attr:`sql` for who only reads, and rolls back: a table's name may stand for all that was committed, which is more
        than it holds."""
        return self.sql

    def tables_of_views(self, connection: sa.Connection) -> str | None:
        """The schema that names the tables themselves, where the transaction of a connection reads views of them and of what is
        in no table yet; None where it reads the tables. In a view it takes long to find the first rows of many."""
        return None

    @property
    def journal(self) -> JournalStatistics | None:
        """Numbers of the journal; None on an engine without one."""
        return None

    def settle(self) -> None:  # noqa: B027 most engines have nothing to do
        """Brings into the database what was committed to a journal in front of it. Queries do so by themselves; the writer
        does when it has nothing else to do. Raises StoreUnavailable when the database does not take it."""

    @abstractmethod
    def open(self) -> None:
        """Connects and brings the schema up to date. Raises StoreBusy, StoreMismatch or StoreError."""

    @abstractmethod
    def write(
        self, traces: Collection[TraceKey], responses: Collection[ResponseKey] = ()
    ) -> AbstractContextManager[WriteSession]:
        """A unit of work on these traces, and on calls with these response ids; on a shared engine no other process decides
        about them meanwhile. Raises StoreUnavailable when the server does not answer, WriteConflict when another unit of
        work came between."""

    def commit(
        self, traces: Collection[TraceKey], responses: Collection[ResponseKey], work: Callable[[WriteSession], Result]
    ) -> Result:
        """Does a unit of work and commits it. ``work`` may be called again after a conflict, so it starts from scratch each
        time. Raises StoreUnavailable when nothing of it is stored."""
        with self.write(traces, responses) as session:
            return work(session)

    def update_costs(self, updates: Sequence[CostUpdate]) -> int:
        """Sets the computed cost of stored calls; a call whose cost changed meanwhile keeps it, as it was just written with
        newer values. Returns how many were set. A few ten thousand of near times at once; raises as :meth:`commit`."""
        if not updates:
            return 0
        by_key: dict[SpanKey, CostUpdate] = {(new.project, new.trace_id, new.span_id): new for new in updates}
        starts = [new.start_ns for new in updates]

        def work(session: WriteSession) -> int:
            rows = session.fetch(by_key, min(starts), max(starts))
            changed = [row for row in range(rows.size) if rows["cost_computed"][row] == by_key[rows.key(row)].was]
            for row in changed:
                new = by_key[rows.key(row)]
                rows["cost_computed"][row] = new.cost_computed
                rows["cost_computed_source"][row] = new.cost_computed_source
            if changed:
                session.apply(Change(replace=rows.take(changed)))
            return len(changed)

        return self.commit({key[:2] for key in by_key}, (), work)

    @abstractmethod
    def interrupt(self, connection: sa.Connection) -> None:
        """Stops the query that runs on a connection; it raises there."""

    @abstractmethod
    def size_bytes(self) -> int:
        """Bytes the store takes on disk."""

    def used_bytes(self) -> int:
        """Bytes that hold data: the size on disk without what deletions left free for reuse."""
        return self.size_bytes()

    @abstractmethod
    def delete_oldest(self, project: str | None, before_ns: int, limit: int) -> Deleted:
        """Deletes up to about ``limit`` of the oldest rows from before a time: spans by their start, findings, metric points
        and rejections by their time. None is every project."""

    def expire(self, ages: Ages) -> None:  # noqa: B027 most engines have nothing to do
        """Has the database itself delete what grows older than these ages, also while no process of ours runs; without any
        age it stops doing so. Only beside :meth:`delete_oldest`, which counts. An engine that cannot does nothing."""

    @abstractmethod
    def delete_rejections(self, before_ns: int) -> None:
        """Deletes what is remembered of items that were refused, or came again, before a time."""

    @abstractmethod
    def checkpoint(self) -> None:
        """Makes the store compact and gives freed space back, as far as the engine can."""

    @abstractmethod
    def close(self) -> None:
        """Flushes and closes; safe to call twice."""
