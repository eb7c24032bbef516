"""DuckDB: the default engine, embedded, one process per file.

Rows go in as Arrow tables built from the batch's own lists (``arro3-core``), which DuckDB scans in place. There is no
primary key: an index on the ids tripled the file and halved ingest, while one semi-join over the batch's own time range,
pruned by zone maps, gives the same exactness.

Commits go into a journal first (:mod:`otel_llm.store.engines.duckdb_journal`). A thread settles it by whole row groups while
commits go on; whatever looks into the database settles the rest before: every transaction of the writer, retention, a
checkpoint, closing. Only who answers a question does not wait for thousands of spans, but reads what is pending beside the
table (:class:`_Beside`).

Two locks, always taken in this order: the *turn*, of whoever decides about spans, appends to the journal and knows what is
recent; and the one of whoever *changes* the database, by settling or otherwise.
"""

import logging
import os
import re
import threading
import weakref
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, TypeVar

import duckdb
import sqlalchemy as sa
from arro3.core import Array, DataType, Table
from duckdb_sqlalchemy import ConnectionWrapper

from otel_llm import batch_threads
from otel_llm.conventions.counting import MOST_SHARING
from otel_llm.errors import StoreBusy, StoreError, StoreMismatch, StoreUnavailable
from otel_llm.spans import FIELD_NAMES, SlimSpan, SpanBatch, SpanKey
from otel_llm.store import migrations, schema
from otel_llm.store.engines import duckdb_places, duckdb_probing
from otel_llm.store.engines.base import (
    RECORDS,
    ROW_TIMES,
    Capabilities,
    Change,
    CostUpdate,
    Deleted,
    Engine,
    JournalStatistics,
    LeftOut,
    ResponseKey,
    TraceKey,
    WriteSession,
)
from otel_llm.store.engines.duckdb_arrow import ARROW, FIELD_ARROW, Arrays, table_of
from otel_llm.store.engines.duckdb_functions import DuckDBFunctions
from otel_llm.store.engines.duckdb_journal import JOURNALLED_SPANS, Draft, Journal, Pending
from otel_llm.store.recent import CAPACITY_SPANS, RecentSpans

log = logging.getLogger(__name__)

ROW_GROUP_SPANS = 8192
"""Rows of a row group. A transaction that inserts whole row groups writes them to the file as they will stay: no write-ahead
log, no checkpoint that writes them again. With DuckDB's own 122,880 rows hardly a transaction is as large, and a span costs
three times as much (12 against 35 us); a query takes as long."""

STORAGE_VERSION = "v1.4.0"
"""Format of the file, which DuckDB from this version on reads. It compresses text in one way where older ones try two: a third
less for a span (12 against 17 us)."""

WAL_CHECKPOINT = "32MB"
"""Write-ahead log size that triggers a checkpoint; only transactions smaller than a row group go there. Until then their rows
are held in memory and are read again after a crash: 128 MB costs 150 MB more and stops a commit for 1.0 s instead of 0.3."""

VACUUM_TASKS = 8
"""Sets of row groups that a checkpoint after deletions joins at most, so that it is over soon; all other checkpoints join
none, because they would write most of the rows once more."""

LOOKED_UP_ROWS = 50
"""DuckDB's own value of an option that queries have to know (:attr:`Capabilities.rows_looked_up`)."""

RECALLED_SPANS = 100_000
"""Newest spans of a store whose keys its next owner takes into memory before its first commit: 0.6 s of processor time."""

Result = TypeVar("Result")

_SHOWN = "otel_llm_shown"
"""Where a connection notes the transaction before which everything was settled."""
_SMALL_TABLES = "otel_llm_small_tables"
"""Option of connections that do not wait for what is journalled."""
_READS = "otel_llm_reads"
"""Option of connections that may read what is journalled where it is."""
_VIEWED = "otel_llm_viewed"
"""Where a connection notes that its transaction reads it there."""
BESIDE_SPANS = 1024
"""Pending spans from which on readers find them beside the table: fewer are settled in less time than that takes."""

_AFTER_FAILURE_S = 1.0

_MAX_INLETS = 128  # sets of columns that batches come with; a few in practice

_FIELDS = frozenset(FIELD_NAMES)
_PLACED = frozenset(duckdb_places.SPAN_COLUMNS)
_WORD = re.compile(r"\w+")
_WITH = re.compile(r"(?i)\s*with(?:\s+recursive)?\b")
_EVERYTHING = re.compile(r"(?i)(?:select|distinct|[,.])\s*\*")

_SLIM_COLUMNS = ", ".join(f"s.{name}" for name in SlimSpan._fields)
_ALL_COLUMNS = ", ".join(f"s.{name}" for name in FIELD_NAMES)


def default_threads() -> int:
    """Half of the cores: the receiver wants the rest. With one thread an insert of 4,096 spans takes 8 us of processor time a
    span; with two, on two cores, 17 us, and an hourly aggregate over 1 M spans gets no faster."""
    return max(1, (os.cpu_count() or 2) // 2)


class DuckDBEngine(Engine):
    """The store in one DuckDB file, or in memory when the path is empty (for tests)."""

    capabilities = Capabilities(columnar=True, rows_looked_up=LOOKED_UP_ROWS)

    def __init__(
        self,
        path: str,
        *,
        threads: int | None = None,
        memory_limit: str | None = None,
        recent_spans: int = CAPACITY_SPANS,
        journal_spans: int = JOURNALLED_SPANS,
        group_spans: int = ROW_GROUP_SPANS,
        beside_spans: int = BESIDE_SPANS,
    ) -> None:
        """``journal_spans`` is the size of a commit up to which it is journalled; 0 is none. ``group_spans`` are the rows of a
        row group, a multiple of 2,048. ``beside_spans`` is how many must be pending for readers not to settle them."""
        # Absolute, or an application that changes its directory would have the journal, and a database opened anew, elsewhere.
        self.path = os.path.abspath(os.path.expanduser(path)) if path else ""
        self._recent_spans = recent_spans
        self.functions = DuckDBFunctions()
        self._config: dict[str, Any] = {
            "autoinstall_known_extensions": False,  # nothing is fetched from outside, ever
            "wal_autocheckpoint": WAL_CHECKPOINT,
            "preserve_insertion_order": False,
            "max_vacuum_tasks": 0,
            "late_materialization_max_rows": LOOKED_UP_ROWS,
        }
        self._config["threads"] = threads or default_threads()
        if memory_limit:
            self._config["memory_limit"] = memory_limit
        self._memory: RecentSpans | None = None
        self._base: duckdb.DuckDBPyConnection | None = None
        self._writer: duckdb.DuckDBPyConnection | None = None
        self._arrays = Arrays(group_spans)
        self._journal = Journal(self.path, self._arrays, journal_spans)
        self._group_spans = group_spans
        self._beside_spans = beside_spans
        self._settler = _Settler(self._settle_group)
        self._askers: set[int] = set()
        """Threads that wait for everything to be settled: the settler gives way to them."""
        self._write_lock = threading.Lock()
        self._change_lock = threading.Lock()
        self._turn_of = 0  # thread that has the turn
        self._broken = False
        self._raw: weakref.WeakKeyDictionary[Any, duckdb.DuckDBPyConnection] = weakref.WeakKeyDictionary()
        self._beside: weakref.WeakKeyDictionary[Any, _Beside] = weakref.WeakKeyDictionary()
        self.sql = self._reader()  # made once: others keep it, and it must serve them after a reopening as well

    # -- life
    def open(self) -> None:
        try:
            with self._write_lock, self._change_lock:
                self._open()
        except BaseException as error:
            self._journal.close()
            if isinstance(error, (duckdb.Error, sa.exc.DBAPIError, OSError)):  # a full disk
                raise StoreError(f"cannot open {self.path}: {_first_line(error)}") from error
            raise

    def _open(self) -> None:
        """Opens the database, for whoever has both locks. Nobody else sees it before all is done."""
        self._journal.claim()
        try:
            base = duckdb.connect(self.path or ":memory:", config=self._config)
        except duckdb.IOException as error:
            raise self._explained(error) from error
        except (duckdb.CatalogException, duckdb.SerializationException, duckdb.InvalidInputException) as error:
            raise StoreMismatch(f"{self.path} cannot be read as a DuckDB database: {_first_line(error)}") from error
        duckdb_probing.install()
        try:
            alone = sa.create_engine("duckdb://", creator=lambda: ConnectionWrapper(base.cursor()), poolclass=sa.NullPool)
            with duckdb_probing.statement():
                migrations.migrate(alone, self.path or "the in-memory store", duckdb_places.create)
            if self.path:
                self._attach(base)
            self._writer = base.cursor()
            duckdb_places.fill(self._writer)
            self._inlets = self._inlets_of(self._writer)
            self._journal.load(self._writer)
            self._settle()
            self._memory = None
            self._base = base
        except BaseException:
            self._close()
            base.close()
            raise

    def _inlets_of(self, connection: duckdb.DuckDBPyConnection) -> "_Inlets":
        return _Inlets(connection, self._arrays, self._config["threads"])

    def _attach(self, base: duckdb.DuckDBPyConnection) -> None:
        """Attaches the file anew, under its own name, in the format that we want: connecting has no option for it. The instance
        stays the one that DuckDB knows by the path, so that others in this process share it."""
        name, path = _database_of(base), self.path.replace("'", "''")
        base.execute("ATTACH ':memory:' AS otel_llm_meanwhile; USE otel_llm_meanwhile")
        base.execute(f"DETACH {name}")
        try:
            base.execute(f"ATTACH '{path}' AS {name} (ROW_GROUP_SIZE {self._group_spans}, STORAGE_VERSION '{STORAGE_VERSION}')")
        except duckdb.IOException as error:
            raise self._explained(error) from error
        except duckdb.BinderException as error:
            raise StoreBusy(f"{self.path} is in use in this process: somebody has a transaction open on it") from error
        base.execute(f"USE {name}; DETACH otel_llm_meanwhile")

    def _reader(self) -> sa.Engine:
        sql = sa.create_engine(
            "duckdb://",
            creator=self._connect,
            poolclass=sa.QueuePool,
            pool_size=8,
            max_overflow=24,
            pool_reset_on_return="rollback",
        )
        # A transaction sees what was committed before its first statement, so this is soon enough.
        sa.event.listen(sql, "before_cursor_execute", self._before_statement, retval=True)
        sa.event.listen(sql, "before_cursor_execute", lambda *_: duckdb_probing.begin())
        sa.event.listen(sql, "after_cursor_execute", lambda *_: duckdb_probing.end())
        sa.event.listen(sql, "commit", _refuse_of_readers)
        sa.event.listen(sql, "handle_error", self._reader_failed)
        sa.event.listen(sql, "checkin", lambda wrapper, _: self._beside[wrapper].end() if wrapper in self._beside else None)
        return sql

    def _reader_failed(self, context: sa.ExceptionContext) -> None:
        """A reader is often the first to meet a database that was invalidated: the next connection opens a new one."""
        duckdb_probing.end()
        base = self._base
        if base is not None and _invalidates(context.original_exception) and _is_invalid(base) and base is self._base:
            self._give_up()

    @property
    def small_tables(self) -> sa.Engine:
        return self.sql.execution_options(**{_SMALL_TABLES: True})

    @property
    def reads(self) -> sa.Engine:
        return self.sql.execution_options(**{_READS: True})

    def tables_of_views(self, connection: sa.Connection) -> str | None:
        if not connection.in_transaction():
            connection.begin()
        self._show_pending(connection)
        return self._beside[connection.connection.driver_connection].tables if connection.info[_VIEWED] else None

    def _before_statement(
        self, connection: sa.Connection, _: object, statement: str, parameters: Any, context: sa.ExecutionContext, __: object
    ) -> tuple[str, Any]:
        """What is executed instead of a statement, so that it sees all that was committed. Raises StoreUnavailable."""
        self._show_pending(connection)
        if connection.info.get(_VIEWED) and not context.execution_options.get("schema_translate_map"):
            with self._showing(connection) as beside:
                statement = beside.with_pending(statement)
        return statement, parameters

    def _show_pending(self, connection: sa.Connection) -> None:
        """Before a statement of a reader: what was acknowledged is there for it. Raises StoreUnavailable."""
        options = connection.get_execution_options()
        if options.get(_SMALL_TABLES):
            return
        # Without transactions each statement is one, though SQLAlchemy counts one for all.
        transaction = None if options.get("isolation_level") == "AUTOCOMMIT" else connection.get_transaction()
        if transaction is not None and connection.info.get(_SHOWN) is transaction:
            return  # what is settled now it would not see
        viewed = connection.info[_VIEWED] = bool(
            self._journal.pending and transaction is not None and options.get(_READS) and self._show_beside(connection)
        )
        if self._journal.pending and not viewed:
            base = self._base
            self.settle()
            if self._base is not base:
                connection.invalidate()
                raise StoreUnavailable("the database was opened anew, and what was asked of the old one is lost: ask again")
        connection.info[_SHOWN] = transaction

    def _show_beside(self, connection: sa.Connection) -> bool:
        """Shows what is pending to a transaction that begins, beside the table; False where it is better settled."""
        if self.journal.pending_spans < self._beside_spans:
            return False
        pending = self._journal.pending_now()
        if any(entry.rejections for entry in pending):
            return False
        with self._showing(connection) as beside:
            beside.begin(pending)
        return True

    @contextmanager
    def _showing(self, connection: sa.Connection) -> Iterator["_Beside"]:
        """What shows pending spans to a connection. Raises StoreUnavailable when it cannot."""
        try:
            with duckdb_probing.statement():
                yield self._beside[connection.connection.driver_connection]
        except duckdb.Error as error:
            if _invalidates(error):
                self._give_up()
            connection.invalidate()  # its transaction began, and would see a part
            raise StoreUnavailable(f"what was committed last cannot be shown: {_first_line(error)}") from error

    def _connect(self) -> ConnectionWrapper:
        if self._broken and self._turn_of != threading.get_ident():
            try:
                with self._alone():
                    pass
            except (duckdb.Error, OSError) as error:
                raise StoreUnavailable(f"the store cannot be opened anew: {_first_line(error)}") from error
        raw = self._connected().cursor()
        wrapper = ConnectionWrapper(raw)
        self._raw[wrapper] = raw
        with duckdb_probing.statement():
            self._beside[wrapper] = _Beside(raw, self._arrays)
        return wrapper

    @property
    def _recent(self) -> RecentSpans:
        """Memory of this owner, made for its first unit of work (a process that reads needs none)."""
        if self._memory is None:
            self._memory = self._recalled()
        return self._memory

    def _recalled(self) -> RecentSpans:
        """A memory that knows the keys of the newest spans that were stored before. Without them, each commit of the first hour
        would ask the database."""
        newest = "FROM spans WHERE start_ns > $1"
        with self._connected().cursor() as cursor:
            row = cursor.execute(
                "SELECT start_ns FROM spans ORDER BY start_ns DESC LIMIT 1 OFFSET $1", [RECALLED_SPANS]
            ).fetchone()
            until = int(row[0]) if row else 0
            recent = RecentSpans(until, self._recent_spans)
            row = cursor.execute(f"SELECT max(start_ns) {newest}", [until]).fetchone()
            if row is None or row[0] is None:
                return recent
            for keys in (
                f"SELECT DISTINCT project, trace_id {newest}",
                f"SELECT DISTINCT project, response_id {newest} AND role IN ('generation', 'embedding') AND response_id <> ''",
            ):
                recent.stored(cursor.execute(keys, [until]).fetchall(), int(row[0]))
            return recent

    def _connected(self) -> duckdb.DuckDBPyConnection:
        if self._base is None:
            raise StoreError("the store is closed")
        return self._base

    def _explained(self, error: duckdb.IOException) -> StoreError:
        text = str(error)
        if "lock" in text.lower():
            return StoreBusy(
                f"{self.path} is in use by another process (a DuckDB file has one owner). Stop that process, talk to it over "
                "its API, or point --database-url at another file or at PostgreSQL."
            )
        if "not a valid DuckDB" in text and not os.path.getsize(self.path):
            return StoreMismatch(f"{self.path} is an empty file. Delete it, and a store is made in its place.")
        if "not a valid DuckDB" in text:
            return StoreMismatch(f"{self.path} is not a DuckDB database. Point --database-url at another file.")
        if "newer version" in text or "version number" in text:
            return StoreMismatch(f"{self.path} was written by another DuckDB version: {_first_line(error)}")
        return StoreError(f"cannot open {self.path}: {_first_line(error)}")

    @contextmanager
    def _turn(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """The one writer's turn, on a database that works. Commits may be pending.

        A failed write of the file (a full disk), whoever made it, invalidates the database object: only a new one can go on,
        and the next turn opens it. Raises StoreUnavailable once the store is closed.
        """
        with self._write_lock:
            self._turn_of = threading.get_ident()
            try:
                if self._broken:
                    self._open_anew()
                if self._base is None:
                    raise StoreUnavailable("the store is closed")
                yield self._base
            except duckdb.Error as error:
                if _invalidates(error):
                    self._give_up()
                raise
            finally:
                self._turn_of = 0

    def _open_anew(self) -> None:
        with self._change_lock:
            self._close()
            self._open()
            self._broken = False

    def _give_up(self) -> None:
        self._broken = True
        self.sql.dispose()  # the next reader shall not get a connection to it

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """Between whoever changes the database. It needs no turn, so that commits go on."""
        with self._change_lock:
            if self._broken:
                raise _GivenUp("the database was given up by another thread, and is opened anew")
            if self._base is None:
                raise StoreUnavailable("the store is closed")
            try:
                yield
            except duckdb.Error as error:
                if _invalidates(error):
                    self._give_up()
                raise

    @contextmanager
    def _alone(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A turn with nothing pending, in which the database may be changed."""
        with self._turn() as base, self._changing():
            self._settle()
            yield base

    # -- the journal
    @property
    def journal(self) -> JournalStatistics:
        return self._journal.statistics

    def settle(self) -> None:
        if not self._journal.pending or self._turn_of == threading.get_ident():
            return
        self._askers.add(threading.get_ident())
        try:
            try:
                self._settle_all()
            except (duckdb.Error, _GivenUp) as error:
                if not _invalidates(error):
                    raise
                self._settle_all()  # a new database may well take it
        except (duckdb.Error, StoreError, OSError) as error:
            raise StoreUnavailable(f"what was committed last cannot be shown: {_first_line(error)}") from error
        finally:
            self._askers.discard(threading.get_ident())

    def _settle_all(self) -> None:
        if self._broken:
            with self._turn():
                pass
        with self._changing():
            self._settle()

    def _settle_group(self) -> bool:
        """Settles a row group; False when less is pending, when somebody waits to settle everything, or when there is no
        database that works: whoever needs one opens it."""
        self.give_way()
        if self._askers or self._broken or self.journal.pending_spans < self._group_spans:
            return False
        with self._changing():
            if self.journal.pending_spans >= self._group_spans:
                self._settle(self._group_spans)
        return True

    def _settle(self, spans: int | None = None) -> None:
        """Brings what is pending into the database, or the first so many spans of it, for whoever may change the database. When
        that fails it stays pending."""
        journal = self._journal
        if not journal.pending and not journal.failed:
            return
        due = journal.due(spans)
        with self._transaction() as tables:
            tables.write(due.change)
            journal.mark(tables.connection, due)
        journal.settled(due)

    @contextmanager
    def _transaction(self) -> Iterator["_Tables"]:
        """A transaction of whoever may change the database."""
        writer = self._writer
        assert writer is not None  # noqa: S101 set in _open()
        with duckdb_probing.statement():
            writer.execute("BEGIN")
            try:
                yield _Tables(writer, self._inlets)
                writer.execute("COMMIT")
            except BaseException:
                with suppress(duckdb.Error):  # the failed statement may have ended the transaction itself
                    writer.execute("ROLLBACK")
                self._inlets = self._inlets_of(writer)  # what was registered in the transaction went with it
                raise

    def interrupt(self, connection: sa.Connection) -> None:
        raw = self._raw.get(connection.connection.driver_connection)
        if raw is not None:
            raw.interrupt()

    def size_bytes(self) -> int:
        if not self.path:
            return 0
        files = (Path(self.path), Path(self.path + ".wal"))
        return sum(file.stat().st_size for file in files if file.exists()) + self._journal.size_bytes

    def used_bytes(self) -> int:
        self.settle()
        cursor = self._connected().cursor()
        row = cursor.execute("SELECT used_blocks * block_size FROM pragma_database_size()").fetchone()
        log = Path(self.path + ".wal")
        used = (int(row[0]) if row else 0) + (log.stat().st_size if self.path and log.exists() else 0)
        # Blocks are freed when a row group is empty: until then, take off the share of its deleted rows.
        kept = placed = 0
        for table in ROW_TIMES:
            counts = cursor.execute(
                f"SELECT (SELECT count(*) FROM {table}), (SELECT coalesce(sum(count), 0) FROM pragma_storage_info('{table}') "  # noqa: S608 constant text
                "WHERE column_id = 0 AND segment_type <> 'VALIDITY')"
            ).fetchall()
            kept, placed = kept + int(counts[0][0]), placed + int(counts[0][1])
        return used * kept // placed if placed else used

    def checkpoint(self) -> None:
        with self._alone() as base:
            base.execute(f"SET max_vacuum_tasks = {VACUUM_TASKS}")
            try:
                base.execute("CHECKPOINT")
            finally:
                base.execute("SET max_vacuum_tasks = 0")

    def close(self) -> None:
        with self._write_lock:  # after the commit at hand
            self._settler.stop()
            with self._change_lock:
                if self._base is not None and not self._broken:
                    try:
                        self._settle()
                    except Exception as error:  # a full disk: it is in the journal, and comes in when the store is opened again
                        log.warning("the store is closed with %d commits in its journal: %s", len(self._journal.pending), error)
                self._broken = False
                self._close()
                self._journal.close()

    def _close(self) -> None:
        base, self._base = self._base, None
        writer, self._writer = self._writer, None
        self.sql.dispose()
        if writer is not None:
            writer.close()
        for raw in list(self._raw.values()):
            with suppress(duckdb.ConnectionException):  # closed already
                raw.interrupt()  # or closing it would wait for the query that runs
            raw.close()
        if base is not None:
            base.close()

    # -- writing
    def commit(
        self, traces: Collection[TraceKey], responses: Collection[ResponseKey], work: Callable[[WriteSession], Result]
    ) -> Result:
        # The database may have been invalidated before, by a checkpoint or a reader: a new one may well take the commit.
        try:
            return super().commit(traces, responses, work)
        except (duckdb.Error, _GivenUp) as error:
            if not _invalidates(error):
                raise
            return super().commit(traces, responses, work)

    @contextmanager
    def write(self, traces: Collection[TraceKey], responses: Collection[ResponseKey] = ()) -> Iterator[WriteSession]:
        with self._turn(), ExitStack() as transaction:
            if self._journal.failed:
                with self._changing():
                    self._settle()
            session = _DuckDBSession(self, transaction)
            yield session
            if session.draft is not None:
                self.give_way()
                self._append(session.draft)
            transaction.close()
            try:
                self._recent.wrote(*session.written)
            except BaseException:
                self._broken = True  # a memory without these rows would let them in twice: the next turn makes a new one
                raise
            if self.journal.pending_spans >= self._group_spans:
                self._settler.wake()

    def _append(self, draft: Draft) -> None:
        while (place := self._journal.reserve(draft)) is None:  # the settler has fallen behind, or the file cannot grow
            with self._changing():
                if not self._journal.pending:
                    with self._transaction() as tables:
                        tables.write(draft.change)
                    return
                if self._journal.reserve(draft) is None:
                    self._settle()
        self._journal.append(draft, place)

    def update_costs(self, updates: Sequence[CostUpdate]) -> int:
        if not updates:
            return 0
        types = FIELD_ARROW | {"was": DataType.float64()}
        columns = zip(CostUpdate._fields, zip(*updates, strict=True), strict=True)
        news = Table.from_pydict({name: Array(list(values), types[name]) for name, values in columns})
        starts = [new.start_ns for new in updates]
        with self._alone() as base, base.cursor() as cursor:
            cursor.register("news", news)
            row = cursor.execute(
                "UPDATE spans s SET cost_computed = n.cost_computed, cost_computed_source = n.cost_computed_source FROM news n "
                "WHERE s.project = n.project AND s.trace_id = n.trace_id AND s.span_id = n.span_id "
                "AND s.cost_computed IS NOT DISTINCT FROM n.was AND s.start_ns BETWEEN $1 AND $2",
                [min(starts), max(starts)],
            ).fetchone()
            return int(row[0]) if row else 0

    def delete_oldest(self, project: str | None, before_ns: int, limit: int) -> Deleted:
        scope = "" if project is None else " AND project = $project"
        values: dict[str, Any] = {"before": before_ns} | ({} if project is None else {"project": project})
        oldest = " UNION ALL ".join(
            f"(SELECT {time} AS t FROM {table} WHERE {time} < $before{scope} ORDER BY t LIMIT {int(limit)})"  # noqa: S608 constant text
            for table, time in ROW_TIMES.items()
        )
        with self._alone() as base, base.cursor() as cursor:  # closed, a failed deletion is rolled back
            last = cursor.execute(
                f"SELECT max(t) FROM (SELECT t FROM ({oldest}) ORDER BY t LIMIT {int(limit)})",  # noqa: S608 constant text
                values,
            ).fetchone()
            if last is None or last[0] is None:
                duckdb_places.delete(cursor, project, before_ns - 1)  # those of the last minute, which a step leaves
                return Deleted()
            values["before"] = last[0]
            cursor.execute("BEGIN")
            rows = {
                table: cursor.execute(f"DELETE FROM {table} WHERE {time} <= $before{scope}", values).fetchall()[0][0]  # noqa: S608 constant text
                for table, time in ROW_TIMES.items()
            }
            duckdb_places.delete(cursor, project, last[0])
            cursor.execute("COMMIT")
            if self._memory is not None:
                self._memory.deleted(project, last[0])
            return Deleted(rows["spans"], sum(rows[table] for table in RECORDS))

    def delete_rejections(self, before_ns: int) -> None:
        with self._alone() as base:
            base.cursor().execute("DELETE FROM rejections WHERE time_ns < $before", {"before": before_ns})


class _Settler:
    """A thread that settles while there is enough of it; begun when it is needed first. Woken and stopped by whoever has the
    turn."""

    def __init__(self, settle: Callable[[], bool]) -> None:
        """``settle`` returns False when there was not enough."""
        self._settle = settle
        self._wanted = threading.Event()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def wake(self) -> None:
        """There may be enough. Where no thread can be had, whoever needs room in the journal makes it."""
        if self._thread is None:
            thread = threading.Thread(target=self._run, name="otel-llm-settler", daemon=True)
            try:
                thread.start()
            except RuntimeError as error:
                log.warning("no thread to settle the journal in the background: %s", error)
                return
            self._thread = thread
        self._wanted.set()

    def stop(self) -> None:
        """Waits for what is being settled. It may be woken again."""
        if self._thread is not None:
            self._stopping.set()
            self._wanted.set()
            self._thread.join()
            self._thread = None
            self._stopping.clear()

    def _run(self) -> None:
        batch_threads.is_one()
        while not self._stopping.is_set():
            self._wanted.wait()
            self._wanted.clear()
            try:
                while not self._stopping.is_set() and self._settle():
                    pass
            except Exception as error:  # it stays pending; whoever needs room or looks is told
                log.warning("the journal could not be settled, it stays as it is: %s", _first_line(error))
                self._stopping.wait(_AFTER_FAILURE_S)


class _Inlet:
    """What DuckDB scans by a name that is registered: the Arrow table at hand."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.table: Table | None = None

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        assert self.table is not None  # noqa: S101 set before each statement that scans it
        return self.table.__arrow_c_stream__(requested_schema)


class _Inlets:
    """Inlets of a writer's connection. Registering one and planning its insert cost more than a small commit, so they stay:
    of 8 spans an insert takes 2.4 ms when prepared and 6.3 ms when not."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, arrays: Arrays, threads: int) -> None:
        """``threads`` are DuckDB's."""
        self.arrays = arrays
        self._connection = connection
        self._by_columns: dict[tuple[str, ...], _Inlet] = {}
        # Rows that an insert returns are inserted by one thread. Two need twice its processor time: 11 us a span, not 6, of
        # 8,192 in commits of 512.
        self._in_one_thread = " RETURNING NULL" if threads > 1 else ""

    @cached_property
    def placed(self) -> _Inlet:
        """What rows of :mod:`otel_llm.store.engines.duckdb_places` are made of, alone: each column of a table costs a scan."""
        inlet = _Inlet("placed_spans")
        self._prepare(inlet, duckdb_places.SPAN_COLUMNS, duckdb_places.insert_of(inlet.name))
        return inlet

    def of(self, columns: tuple[str, ...]) -> _Inlet:
        """The inlet of these columns, registered with the first rows that need it."""
        inlet = self._by_columns.get(columns)
        if inlet is None:
            if len(self._by_columns) >= _MAX_INLETS:
                for old in self._by_columns.values():
                    self._connection.unregister(old.name)
                self._by_columns.clear()
            inlet = self._by_columns[columns] = _Inlet(f"fresh_spans_{len(self._by_columns)}")
            names = ", ".join(columns)
            insert = f"INSERT INTO spans ({names}) SELECT {names} FROM {inlet.name}"  # noqa: S608 constant text
            self._prepare(inlet, columns, insert + self._in_one_thread)
        return inlet

    def _prepare(self, inlet: _Inlet, columns: tuple[str, ...], insert: str) -> None:
        inlet.table = Table.from_pydict({name: self.arrays.absent(name, 0) for name in columns})
        self._connection.register(inlet.name, inlet)
        self._connection.execute(f"PREPARE insert_{inlet.name} AS {insert}")


class _Beside:
    """Pending spans as a reader's connection sees them: in its statements, the name of the table stands for both.

    They are joined to the table with the columns that the statement names: planning and scanning all of them would cost more
    than most questions, for 12,000 pending spans 30 ms instead of 3. An aggregate over both takes little longer than one over
    the table, where settling some thousand spans beside others that come costs half a second. The first rows by some order are
    another matter: DuckDB finds them by their place in a table, and would read all columns of all rows of both. Who wants those
    looks first which ones they are in the table (:meth:`DuckDBEngine.tables_of_views`).
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, arrays: Arrays) -> None:
        """``connection`` is not in a transaction."""
        self._connection = connection
        self._arrays = arrays
        self._batches: list[SpanBatch] = []
        self._columns: dict[str, list[Array]] = {}
        """Those that were asked for; empty where no row holds a value."""
        self._inlets: dict[tuple[str, ...], _Inlet] = {}
        self.tables = f"{_database_of(connection)}.main"

    def begin(self, pending: Sequence[Pending]) -> None:
        """Begins a transaction, in which nothing was asked yet. ``pending`` is what was pending a moment ago."""
        self.end()
        # With this question it begins: what was settled until here it sees in the table.
        row = self._connection.execute("SELECT settled, settled_rows FROM otel_llm_journal").fetchone()
        settled, rows = row or (0, 0)
        left = [entry.after(rows) if entry.sequence == settled + 1 else entry for entry in pending if entry.sequence > settled]
        self._batches = [entry.insert for entry in left]

    def with_pending(self, statement: str) -> str:
        """A statement of this transaction, of the tables and of what is pending."""
        fields, is_of_places = _asked_by(statement)
        both = []
        if self._batches and fields:
            names = ", ".join(name for name in FIELD_NAMES if name in fields)
            in_table = f"SELECT {names} FROM {self.tables}.spans"  # noqa: S608 constant text
            both.append(f"spans AS NOT MATERIALIZED ({in_table} UNION ALL BY NAME FROM {self._of(fields)})")
        if self._batches and is_of_places:
            rows = duckdb_places.rows_of(self._of(_PLACED))
            both.append(f"trace_places AS NOT MATERIALIZED (FROM {self.tables}.trace_places UNION ALL BY NAME {rows})")
        if not both:
            return statement
        first = _WITH.match(statement)
        return f"{first[0]} {', '.join(both)}, {statement[first.end() :]}" if first else f"WITH {', '.join(both)} {statement}"

    def _of(self, fields: frozenset[str]) -> str:
        """What is pending, for a FROM clause, with the fields that it holds of some."""
        missing = fields - self._columns.keys()
        self._columns |= {name: [] for name in missing} | self._arrays.whole(self._batches, missing)
        inlet = self._inlet({name: chunks for name in sorted(fields) if (chunks := self._columns[name])})
        # Of a sample, even of all, DuckDB asks for no rows in particular. Of a scan it does, through pyarrow where that is
        # installed, which does not know every filter that a join makes.
        return f"{inlet.name} TABLESAMPLE SYSTEM (100 PERCENT)"

    def _inlet(self, columns: Mapping[str, list[Array]]) -> _Inlet:
        """What a statement scans these columns by, registered until the transaction ends."""
        names = tuple(columns)
        inlet = self._inlets.get(names)
        if inlet is None:
            inlet = self._inlets[names] = _Inlet(f"pending_spans_{len(self._inlets)}")
            inlet.table = table_of(columns)
            self._connection.register(inlet.name, inlet)
        return inlet

    def end(self) -> None:
        """Lets the spans go, when the transaction is over."""
        for held in (self._batches, self._columns, self._inlets):
            held.clear()


class _Tables:
    """The store's tables within one transaction of the writer."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, inlets: _Inlets) -> None:
        self.connection = connection
        self._inlets = inlets

    def slim(self, on: str, asked: Table, start_from: int, start_to: int, of_each: str = "") -> dict[SpanKey, SlimSpan]:
        """Stored spans that meet a condition on ``s``, the spans, and ``a``, the keys asked for."""
        connection = self.connection
        connection.register("asked", asked)
        try:
            rows = connection.execute(
                f"SELECT {_SLIM_COLUMNS} FROM spans s SEMI JOIN asked a ON {on} "  # noqa: S608 constant text
                f"WHERE s.start_ns BETWEEN $1 AND $2{of_each}",
                [start_from, start_to],
            ).fetchall()
        finally:
            connection.unregister("asked")
        return {(row[0], row[1], row[2]): SlimSpan._make(row) for row in rows}

    def fetch(self, keys: Collection[SpanKey], start_from: int, start_to: int) -> SpanBatch:
        """As :meth:`WriteSession.fetch`."""
        connection = self.connection
        connection.register("asked", _keys_table(("project", "trace_id", "span_id"), list(keys)))
        try:
            rows = connection.execute(
                f"SELECT {_ALL_COLUMNS} FROM spans s SEMI JOIN asked a "  # noqa: S608 constant text
                "ON s.project = a.project AND s.trace_id = a.trace_id AND s.span_id = a.span_id "
                "WHERE s.start_ns BETWEEN $1 AND $2",
                [start_from, start_to],
            ).fetchall()
        finally:
            connection.unregister("asked")
        columns = dict(zip(FIELD_NAMES, map(list, zip(*rows, strict=True)), strict=True)) if rows else None
        return SpanBatch.of_columns(columns, len(rows)) if columns else SpanBatch()

    def write(self, change: Change) -> LeftOut:
        """As :meth:`WriteSession.apply`."""
        if change.replace.size:
            self._delete(change.replace)
            self._insert_spans(change.replace)
        if change.insert.size:
            self._insert_spans(change.insert)
        self._insert(schema.rejections, change.rejections)
        return LeftOut(
            self._insert_new(schema.findings, change.findings, "finding_key"),
            self._insert_new(schema.metric_points, change.metric_points, "point_key"),
        )

    def _delete(self, batch: SpanBatch) -> None:
        names = ("project", "trace_id", "span_id")
        self.connection.register("asked", _keys_table(names, list(zip(*(batch[name] for name in names), strict=True))))
        try:
            # The stored copy may have started elsewhere than the new one, but within the margin the writer looked in.
            self.connection.execute(
                "DELETE FROM spans s USING asked a "
                "WHERE s.project = a.project AND s.trace_id = a.trace_id AND s.span_id = a.span_id"
            )
        finally:
            self.connection.unregister("asked")

    def _insert_spans(self, batch: SpanBatch) -> None:
        columns = self._inlets.arrays.batch(batch).filled_columns()
        self._insert_by(self._inlets.of(tuple(columns)), columns)
        self._insert_by(self._inlets.placed, {name: columns[name] for name in duckdb_places.SPAN_COLUMNS})

    def _insert_by(self, inlet: _Inlet, columns: Mapping[str, list[Array]]) -> None:
        inlet.table = table_of(columns)
        try:
            self.connection.execute(f"EXECUTE insert_{inlet.name}")
        finally:
            inlet.table = None

    def _insert_new(self, table: sa.Table, rows: Sequence[tuple[Any, ...]], key: str) -> set[tuple[str, bytes]]:
        """Inserts what is not stored; returns (project, key) of what is."""
        if not rows:
            return set()
        same = f"t.project = n.project AND t.{key} = n.{key}"
        inserted = self._insert(table, rows, f" n ANTI JOIN {table.name} t ON {same}", f" RETURNING project, {key}")
        place = list(table.columns.keys()).index(key)
        return {(row[0], row[place]) for row in rows} - set(inserted)

    def _insert(self, table: sa.Table, rows: Sequence[tuple[Any, ...]], unless: str = "", returning: str = "") -> list[Any]:
        if not rows:
            return []
        columns = zip(table.columns, zip(*rows, strict=True), strict=True)
        arrow = Table.from_pydict({column.name: Array(list(values), _arrow_type(column)) for column, values in columns})
        connection = self.connection
        connection.register("fresh", arrow)
        try:
            names = ", ".join(table.columns.keys())
            insert = f"INSERT INTO {table.name} ({names}) SELECT {names} FROM fresh{unless}{returning}"  # noqa: S608 constant text
            return connection.execute(insert).fetchall()
        finally:
            connection.unregister("fresh")


class _DuckDBSession(WriteSession):
    """One unit of work. Its transaction begins when the database is needed: what memory answers, and the journal takes, does
    without one."""

    def __init__(self, engine: DuckDBEngine, transaction: ExitStack) -> None:
        """``transaction`` commits when it is closed, and rolls back when it is left with an error."""
        self._engine = engine
        self._transaction = transaction
        self._recent = engine._recent
        self._begun: _Tables | None = None
        self.draft: Draft | None = None
        """What goes into the journal instead of the database."""
        self.written: list[SpanBatch] = []
        """Rows for memory to know once they are committed."""

    @property
    def _tables(self) -> "_Tables":
        """The tables, in a transaction."""
        if self._begun is None:
            self._transaction.enter_context(self._engine._changing())
            self._engine._settle()
            self._begun = self._transaction.enter_context(self._engine._transaction())
            draft, self.draft = self.draft, None
            if draft is not None:  # applied before; now it belongs to this transaction
                self._begun.write(draft.change)
        return self._begun

    def related(
        self, traces: Collection[TraceKey], responses: Collection[ResponseKey], start_from: int, start_to: int
    ) -> list[SlimSpan]:
        known = self._recent.look(traces, responses, start_from, start_to)
        answer: dict[SpanKey, SlimSpan] = {}
        if known.ask_traces:
            asked = _keys_table(("project", "trace_id"), known.ask_traces)
            answer |= self._tables.slim("s.project = a.project AND s.trace_id = a.trace_id", asked, start_from, start_to)
        if known.ask_responses:
            asked = _keys_table(("project", "response_id"), known.ask_responses)
            answer |= self._tables.slim(
                "s.role IN ('generation', 'embedding') AND s.project = a.project AND s.response_id = a.response_id",
                asked,
                start_from,
                start_to,
                f" QUALIFY row_number() OVER (PARTITION BY s.project, s.response_id) <= {MOST_SHARING + 1}",
            )
        if known.ask_traces or known.ask_responses:
            self._recent.learn(known.ask_traces, known.ask_responses, answer.values(), start_from, start_to)
        found = {slim.key: slim for slim in known.spans} | answer
        return list(found.values())

    def fetch(self, keys: Collection[SpanKey], start_from: int, start_to: int) -> SpanBatch:
        return self._tables.fetch(keys, start_from, start_to)

    def apply(self, change: Change) -> LeftOut:
        self.written += (change.insert, change.replace)
        if self._begun is None and self.draft is None:
            if change.is_empty:
                return LeftOut()
            self._engine.give_way()
            self.draft = self._engine._journal.draft(change)
            if self.draft is not None:
                return LeftOut()
        return self._tables.write(change)


def _keys_table(names: tuple[str, ...], keys: Sequence[tuple[Any, ...]]) -> Table:
    return Table.from_pydict(
        {name: Array(list(values), FIELD_ARROW[name]) for name, values in zip(names, zip(*keys, strict=True), strict=True)}
    )


def _arrow_type(column: sa.Column[Any]) -> DataType:
    if isinstance(column.type, sa.LargeBinary):
        return ARROW["bytes"]
    return ARROW["int"] if isinstance(column.type, sa.BigInteger) else ARROW["text"]


@lru_cache(2048)
def _asked_by(statement: str) -> tuple[frozenset[str], bool]:
    """Fields of spans that a statement may read: those that it names, all where it asks for whatever there is, none where it
    does not name spans; and whether it names places of traces."""
    words = set(_WORD.findall(statement.lower()))  # DuckDB does not tell them apart by case
    fields: frozenset[str] = frozenset()
    if schema.spans.name in words:
        fields = _FIELDS if _EVERYTHING.search(statement) else _FIELDS & words | {"project"}
    return fields, duckdb_places.PLACES.table.name in words


def _database_of(connection: duckdb.DuckDBPyConnection) -> str:
    """The name of a connection's database, quoted."""
    (name,) = connection.execute("SELECT current_database()").fetchone() or ("",)
    return '"' + str(name).replace('"', '""') + '"'


def _first_line(error: BaseException) -> str:
    return str(error).strip().splitlines()[0]


def _refuse_of_readers(connection: sa.Connection) -> None:
    """Before a commit of a reader: what was registered of what is pending would outlive the transaction it was made for."""
    if connection.get_execution_options().get(_READS):
        connection.invalidate()  # SQLAlchemy takes a commit that fails for the end of the transaction
        raise sa.exc.InvalidRequestError("who reads only rolls back")


class _GivenUp(StoreUnavailable):
    """Another thread has given the database up since this one looked."""


def _invalidates(error: BaseException | None) -> bool:
    """True for an error after which a new database must be opened. DuckDB has a class for those of the instance, not of one
    file."""
    return isinstance(error, (duckdb.FatalException, _GivenUp)) or (
        isinstance(error, duckdb.Error) and "invalidated" in str(error)
    )


def _is_invalid(base: duckdb.DuckDBPyConnection) -> bool:
    """True when DuckDB has given the database of a connection up; False also when it was closed."""
    try:
        base.cursor().execute("SELECT 1 FROM otel_llm_schema LIMIT 1").fetchone()
    except duckdb.Error as error:
        return _invalidates(error)
    return False
