"""PostgreSQL: for teams that have one. Several receivers and query servers share a store.

Decisions about a trace are serialised by locks (:mod:`otel_llm.store.engines.postgresql_session`); a unique index on the ids
in every partition is the backstop. A commit whose answer got lost is looked up by its transaction id, so that neither a
restart of the server nor a broken connection loses or doubles anything.
"""

import logging
import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

import psycopg
import sqlalchemy as sa
from psycopg import errors
from psycopg import sql as pg

from otel_llm.errors import StoreError, StoreUnavailable
from otel_llm.store import migrations, schema
from otel_llm.store.engines import postgresql_schema as ddl
from otel_llm.store.engines.base import (
    RECORDS,
    ROW_TIMES,
    Capabilities,
    Deleted,
    Engine,
    ResponseKey,
    TraceKey,
    WriteConflict,
    WriteSession,
)
from otel_llm.store.engines.postgresql_functions import PostgreSQLFunctions
from otel_llm.store.engines.postgresql_partitions import Partitions
from otel_llm.store.engines.postgresql_session import PostgreSQLSession
from otel_llm.store.engines.postgresql_statistics import Statistics

log = logging.getLogger(__name__)

Result = TypeVar("Result")

RETRY_FOR_S = 10.0
"""How long a commit is tried again before its senders are told to come back: a restart of the server takes less."""
_PAUSE_S = 0.2
_SOON_S = 0.01
_CONNECT_S = 5
# Whatever the database is set up to: the writer must see, after it waited for a lock, what the holder committed.
_COMMON = "-c timezone=UTC -c client_encoding=UTF8 -c default_transaction_isolation=read\\ committed"
# Questions are lookups by key; a planner with old statistics might scan a week of spans for them instead.
_WRITING = f"{_COMMON} -c enable_seqscan=off -c enable_hashjoin=off -c enable_mergejoin=off -c jit=off"
# jit compiles for longer than our queries run, once for each partition; percentiles sort all their values. Pages of a window
# lie together: an index that leads to them does not cost the four times a page of the server's default.
_READING = f"{_COMMON} -c jit=off -c work_mem=64MB -c random_page_cost=1.1"

_CONFLICTS = (
    errors.SerializationFailure,
    errors.DeadlockDetected,
    errors.UniqueViolation,
    errors.LockNotAvailable,
    errors.CheckViolation,  # a partition came or went between question and COPY
)
_REFUSALS = (
    errors.InsufficientResources,  # disk full, out of memory, too many connections
    errors.ReadOnlySqlTransaction,  # a replica, after a failover
    errors.CannotConnectNow,
    errors.OperatorIntervention,  # shutting down
    errors.IoError,
)


class PostgreSQLEngine(Engine):
    """The store in one PostgreSQL database."""

    capabilities = Capabilities(shared=True, server=True, partitions=True)

    def __init__(self, url: sa.URL, *, query_timeout_s: float = 30.0) -> None:
        self.url = url.set(drivername="postgresql+psycopg")
        self.functions = PostgreSQLFunctions()
        self._query_timeout_s = query_timeout_s
        self._writer: psycopg.Connection[Any] | None = None
        self._write_lock = threading.Lock()
        self._partitions = Partitions(lambda: self._connect(_COMMON, autocommit=True))
        self._statistics = Statistics(lambda: self._connect(_COMMON, autocommit=True))
        self._open = False

    @property
    def where(self) -> str:
        """The database, fit for messages."""
        return f"{self.url.database or self.url.username} on {self.url.host or 'the local server'}"

    # -- life
    def open(self) -> None:
        # the server stops a query whose asker is gone a little after the asker would have
        timeout_ms = int((self._query_timeout_s + 5) * 1000)
        self.sql = sa.create_engine(
            self.url,
            pool_size=8,
            max_overflow=24,
            pool_pre_ping=True,
            connect_args={
                "options": f"{_READING} -c statement_timeout={timeout_ms}",
                "application_name": "otel-llm",
                "connect_timeout": _CONNECT_S,
            },
        )
        sa.event.listen(self.sql, "checkout", self._plan_safely)
        try:
            with self._connect(_COMMON, autocommit=True) as guard:  # two processes may open a new database at once
                guard.execute("SELECT pg_advisory_lock(%s, %s)", ddl.DDL_LOCK)
                migrations.migrate(self.sql, f"the database {self.where}", ddl.create)
                self._tune()
            self._open = True
            now = time.time_ns()
            self._partitions.prepare(now, now)
        except psycopg.Error as error:
            self.close()
            raise StoreError(f"cannot open {self.where}: {_first_line(error)}") from error
        except sa.exc.DBAPIError as error:
            self.close()
            raise StoreError(f"cannot open {self.where}: {_first_line(error.orig or error)}") from error
        except BaseException:
            self.close()
            raise

    def _tune(self) -> None:
        try:
            with self.sql.begin() as connection:
                connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
                ddl.tune(connection)
        except sa.exc.DBAPIError as error:  # no owner of the tables, or a replica: answers are right without, and slower
            log.warning("indexes of %s are those of an earlier version: %s", self.where, _first_line(error.orig or error))

    def _connect(self, options: str, *, autocommit: bool = False) -> psycopg.Connection[Any]:
        _, arguments = self.sql.dialect.create_connect_args(self.url)
        return psycopg.connect(
            **{**arguments, "options": options, "application_name": "otel-llm", "connect_timeout": _CONNECT_S},
            autocommit=autocommit,
        )

    def _plan_safely(self, raw: Any, record: Any, _: object) -> None:
        """Plans must not rest on guesses (:mod:`otel_llm.store.engines.postgresql_statistics`)."""
        if not self._open:
            return
        with suppress(psycopg.Error):  # a broken connection is told by the query it was taken for
            known = self._statistics.known(raw)
            if record.info.get("nested loops", True) is not known:
                raw.execute(f"SET enable_nestloop = {'on' if known else 'off'}")
                record.info["nested loops"] = known
            raw.commit()

    def interrupt(self, connection: sa.Connection) -> None:
        raw = connection.connection.driver_connection
        if isinstance(raw, psycopg.Connection):
            with suppress(psycopg.Error):  # a connection that is gone needs no stopping
                raw.cancel_safe(timeout=_CONNECT_S)

    def close(self) -> None:
        self._open = False
        self._statistics.close()
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.close()
        if hasattr(self, "sql"):
            self.sql.dispose()

    # -- writing
    @contextmanager
    def write(self, traces: Collection[TraceKey], responses: Collection[ResponseKey] = ()) -> Iterator[WriteSession]:
        with self._write_lock:
            connection = self._writing()
            transaction: str | None = None
            try:
                session = PostgreSQLSession(connection, self._partitions)
                session.lock(traces, responses)
                yield session
                transaction = connection.execute("SELECT pg_current_xact_id_if_assigned()::text").fetchone()[0]  # type: ignore[index] # one row always
                connection.commit()
                self._statistics.wrote(session.written)
            except psycopg.Error as error:
                lost = self._give_up(connection)
                if lost and transaction is not None and self._was_committed(transaction):
                    return
                if lost or isinstance(error, (*_CONFLICTS, *_REFUSALS)):
                    raise WriteConflict(
                        _first_line(error), wait_s=_SOON_S if isinstance(error, _CONFLICTS) else _PAUSE_S
                    ) from error
                raise
            except BaseException:
                self._give_up(connection)
                raise

    def commit(
        self, traces: Collection[TraceKey], responses: Collection[ResponseKey], work: Callable[[WriteSession], Result]
    ) -> Result:
        deadline = time.monotonic() + RETRY_FOR_S
        while True:
            try:
                with self.write(traces, responses) as session:
                    return work(session)
            except WriteConflict as conflict:
                if not self._open or time.monotonic() + conflict.wait_s >= deadline:
                    raise StoreUnavailable(f"the database does not take the commit: {conflict}") from conflict
                log.info("commit is tried again: %s", conflict)
                traces = {*traces, *conflict.traces}
                responses = {*responses, *conflict.responses}
                time.sleep(conflict.wait_s)

    def _writing(self) -> psycopg.Connection[Any]:
        if not self._open:
            raise StoreUnavailable("the store is closed")
        if self._writer is None:
            try:
                self._writer = self._connect(_WRITING)
                _durable(self._writer)
            except psycopg.Error as error:
                self._writer = None
                raise WriteConflict(f"no connection to {self.where}: {_first_line(error)}", wait_s=_PAUSE_S) from error
        return self._writer

    def _give_up(self, connection: psycopg.Connection[Any]) -> bool:
        """Ends a failed transaction; True when the connection is lost."""
        with suppress(psycopg.Error):
            connection.rollback()
        if not connection.closed:
            return False
        self._writer = None
        return True

    def _was_committed(self, transaction: str) -> bool:
        """What became of a commit whose answer got lost. Raises StoreUnavailable when the server does not say."""
        deadline = time.monotonic() + RETRY_FOR_S
        while time.monotonic() < deadline:
            with suppress(psycopg.Error), self._connect(_COMMON, autocommit=True) as connection:
                row = connection.execute("SELECT pg_xact_status(%s::xid8)", (transaction,)).fetchone()
                if row and row[0] != "in progress":
                    return bool(row[0] == "committed")
            time.sleep(_PAUSE_S)
        raise StoreUnavailable("the connection broke during a commit and the database does not say what became of it")

    # -- care
    def size_bytes(self) -> int:
        return self._number(f"SELECT sum(pg_total_relation_size(oid)) FROM {_OUR_TABLES}")  # noqa: S608 constant text

    def used_bytes(self) -> int:
        # Deleted rows leave room that the table keeps: take off their share of all rows it was ever given.
        return self._number(
            "SELECT sum(pg_total_relation_size(oid) * (1 - least(coalesce(n_tup_del::numeric / nullif(n_tup_ins, 0), 0), 1))) "  # noqa: S608 constant text
            f"FROM {_OUR_TABLES} LEFT JOIN pg_stat_user_tables ON relid = oid"
        )

    def _number(self, query: str) -> int:
        with self.sql.connect() as connection:
            return int(connection.exec_driver_sql(query).scalar() or 0)

    def delete_oldest(self, project: str | None, before_ns: int, limit: int) -> Deleted:
        if project is None:
            dropped = self._drop_week(min(before_ns, time.time_ns()))
            if dropped:
                return dropped
        scope = pg.SQL("") if project is None else pg.SQL(" AND project = {}").format(pg.Literal(project))
        oldest = pg.SQL(" UNION ALL ").join(
            pg.SQL("(SELECT {1} AS t FROM {0} WHERE {1} < {2}{3} ORDER BY t LIMIT {4})").format(
                pg.Identifier(table), pg.Identifier(time), pg.Literal(before_ns), scope, pg.Literal(limit)
            )
            for table, time in ROW_TIMES.items()
        )
        with self._connect(_COMMON) as connection:
            last = connection.execute(
                pg.SQL("SELECT max(t) FROM (SELECT t FROM ({}) a ORDER BY t LIMIT {}) o").format(oldest, pg.Literal(limit))
            ).fetchone()
            if last is None or last[0] is None:
                return Deleted()
            return _delete_until(connection, last[0], scope)

    def delete_rejections(self, before_ns: int) -> None:
        with self._connect(_COMMON) as connection:
            connection.execute("DELETE FROM rejections WHERE time_ns < %s", (before_ns,))

    def _drop_week(self, before_ns: int) -> Deleted:
        """Drops the oldest partition if all of it started before a time, and records as old. A week goes at once whatever the
        limit: dropping a table costs the same for any number of rows."""
        with self._connect(f"{_COMMON} -c lock_timeout=2s") as connection:
            weeks = ddl.weeks_with_table(connection)
            if not weeks or ddl.bounds(min(weeks))[1] > before_ns:
                return Deleted()
            week = min(weeks)
            table, end = pg.Identifier(ddl.table_of(week)), ddl.bounds(week)[1]
            try:
                row = connection.execute(pg.SQL("SELECT count(*) FROM {}").format(table)).fetchone()
                connection.execute(pg.SQL("DROP TABLE {}").format(table))
            except psycopg.errors.LockNotAvailable:
                connection.rollback()
                return Deleted()  # long questions are in the way: this time row by row
            deleted = Deleted(int(row[0]) if row else 0).plus(_delete_until(connection, end - 1, pg.SQL("")))
        self._partitions.forget()
        return deleted or self._drop_week(before_ns)

    def checkpoint(self) -> None:
        """Statistics; every commit is durable, and space is the server's own care (autovacuum)."""
        self._statistics.refresh()


_SMALL = ", ".join(f"'{name}'" for name in schema.metadata.tables if name != schema.spans.name)
_OUR_TABLES = (
    "(SELECT relid::oid AS oid FROM pg_partition_tree('spans') WHERE isleaf UNION ALL "  # noqa: S608 constant text
    f"SELECT oid FROM pg_class WHERE relkind = 'r' AND pg_table_is_visible(oid) AND relname IN ({_SMALL})) t"
)


def _delete_until(connection: psycopg.Connection[Any], last_ns: int, scope: pg.Composable) -> Deleted:
    """Deletes all rows up to a time."""
    rows: dict[str, int] = {}
    for table, time_column in ROW_TIMES.items():
        delete = pg.SQL("DELETE FROM {} WHERE {} <= %s{}").format(pg.Identifier(table), pg.Identifier(time_column), scope)
        rows[table] = connection.execute(delete, (last_ns,)).rowcount
    return Deleted(rows["spans"], sum(rows[table] for table in RECORDS))


def _durable(connection: psycopg.Connection[Any]) -> None:
    """A server may be set up to answer a commit before it is on disk; ours must be."""
    row = connection.execute("SHOW synchronous_commit").fetchone()
    if row and row[0] == "off":
        connection.execute("SET synchronous_commit = on")
    connection.commit()


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
