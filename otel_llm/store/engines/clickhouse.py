"""ClickHouse: beyond one machine. Sharding and replication are the server's own.

How spans are stored exactly once without transactions is told in :mod:`otel_llm.store.engines.clickhouse_session`, how they
lie on disk in :mod:`otel_llm.store.engines.clickhouse_schema`. ``interface=chdb`` in the URL gives the engine in process.
"""

import logging
import threading
import time
import uuid
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

import clickhouse_connect
import sqlalchemy as sa
from clickhouse_connect.driver import Client
from clickhouse_connect.driver.exceptions import ClickHouseError
from sqlalchemy.sql import sqltypes

from otel_llm.config import Settings
from otel_llm.errors import StoreError, StoreUnavailable
from otel_llm.retention import Ages
from otel_llm.store import migrations
from otel_llm.store.engines import clickhouse_schema as ddl
from otel_llm.store.engines.base import RECORDS, ROW_TIMES, Capabilities, Deleted, Engine, ResponseKey, TraceKey, WriteSession
from otel_llm.store.engines.clickhouse_calls import Caller, Connections
from otel_llm.store.engines.clickhouse_functions import ClickHouseFunctions
from otel_llm.store.engines.clickhouse_session import ClickHouseSession

log = logging.getLogger(__name__)

Result = TypeVar("Result")

RETRY_FOR_S = 10.0
"""How long a commit is tried again before its senders are told to come back."""
_MAX_ROUNDS = 5  # looks after an insert; each further one needs another receiver that wrote to the trace meanwhile
_STANDARD_SQL = {
    "final": 1,  # the newest version of each row only
    "do_not_merge_across_partitions_select_final": 1,  # all versions of a row lie in one partition
    "join_use_nulls": 1,
    "cast_keep_nullable": 1,
    "aggregate_functions_null_for_empty": 1,
    "prefer_column_name_to_alias": 1,
}
"""What makes ClickHouse answer the query layer's SQL as the other engines do."""
_ON_CLUSTER = {
    "distributed_product_mode": "global",
    # Every process reads and writes the same replica of a shard as long as that lives, so each sees what the others wrote.
    "load_balancing": "in_order",
    "prefer_localhost_replica": 0,
}


class _Bytes(sa.LargeBinary):
    """Ids travel as hex: a query is text."""

    def bind_processor(self, dialect: sa.Dialect) -> Callable[[Any], Any]:
        return lambda value: None if value is None else bytes(value).hex()

    def bind_expression(self, bindvalue: sa.BindParameter[Any]) -> sa.ColumnElement[Any]:
        return sa.func.unhex(bindvalue, type_=self)

    def result_processor(self, dialect: sa.Dialect, coltype: object) -> Callable[[Any], Any]:
        return lambda value: value if value is None else bytes(value)


class ClickHouseEngine(Engine):
    """The store in one ClickHouse database, on a server, a cluster, or in process."""

    capabilities = Capabilities(shared=True, server=True, partitions=True, columnar=True)

    def __init__(self, url: sa.URL, settings: Settings) -> None:
        self.url = url.set(drivername="clickhousedb")
        self.functions = ClickHouseFunctions()
        self._cluster = settings.clickhouse_cluster
        self._timeout_s = settings.query_timeout_s
        self._embedded = url.query.get("interface") == "chdb"
        self._connections = Connections(self._connect)
        self._write_lock = threading.Lock()
        self._open = False

    @property
    def where(self) -> str:
        """The database, fit for messages."""
        return f"ClickHouse database {self.url.database or 'default'} on {self.url.host or 'this process'}"

    # -- life
    def open(self) -> None:
        clickhouse_connect.common.set_setting("autogenerate_session_id", False)  # sessions run one query at a time
        self.sql = sa.create_engine(self.url, pool_size=8, max_overflow=24, creator=self._connect)
        self.sql.dialect.colspecs = {sa.LargeBinary: _Bytes, sqltypes._Binary: _Bytes}
        try:
            migrations.migrate(self.sql, f"the {self.where}", self._create, ddl.table_names(self._cluster))
        except (ClickHouseError, sa.exc.DBAPIError) as error:
            self.close()
            raise StoreError(f"cannot open the {self.where}: {_first_line(getattr(error, 'orig', None) or error)}") from error
        except BaseException:
            self.close()
            raise
        self._open = True

    def _create(self, connection: sa.Connection) -> None:
        for statement in ddl.statements(self._cluster):
            connection.exec_driver_sql(statement)

    def _connect(self) -> Any:
        """A connection of the dialect's own kind. Every one carries a mark by which its queries can be found and stopped."""
        _, arguments = self.sql.dialect.create_connect_args(self.url)
        connection = self.sql.dialect.connect(**arguments)
        settings: dict[str, Any] = _STANDARD_SQL | (_ON_CLUSTER if self._cluster else {})
        settings |= {"max_execution_time": int(self._timeout_s) + 5, "log_comment": f"otel-llm {uuid.uuid4()}"}
        for name, value in settings.items():
            if name not in self.url.query:  # the operator's own word counts
                connection.client.set_client_setting(name, value)
        return connection

    def interrupt(self, connection: sa.Connection) -> None:
        client: Client = connection.connection.driver_connection.client  # type: ignore[union-attr] # it is connected
        mark = client.get_client_setting("log_comment")
        if self._embedded or not mark:
            return  # the embedded engine cannot stop a query; max_execution_time ends it
        with suppress(ClickHouseError):
            other = self._connect()
            on = f" ON CLUSTER '{self._cluster}'" if self._cluster else ""
            other.client.command(f"KILL QUERY{on} WHERE Settings['log_comment'] = '{mark}' ASYNC")
            other.close()

    def close(self) -> None:
        self._open = False
        self._connections.drop()
        if hasattr(self, "sql"):
            self.sql.dispose()

    # -- writing
    @contextmanager
    def write(self, traces: Collection[TraceKey], responses: Collection[ResponseKey] = ()) -> Iterator[WriteSession]:
        with self._write_lock:
            yield ClickHouseSession(self._caller(), self._cluster, str(uuid.uuid4()))

    def commit(
        self, traces: Collection[TraceKey], responses: Collection[ResponseKey], work: Callable[[WriteSession], Result]
    ) -> Result:
        # Inserts, then looks whether others wrote to the same traces meanwhile.
        with self._write_lock:
            caller, token = self._caller(), str(uuid.uuid4())
            session = ClickHouseSession(caller, self._cluster, token)
            result = work(session)
            for _ in range(_MAX_ROUNDS):
                if not session.unsettled():
                    break
                session = ClickHouseSession(caller, self._cluster, token, first=False)
                work(session)
            return result

    def _caller(self) -> Caller:
        if not self._open:
            raise StoreUnavailable("the store is closed")
        return Caller(self._connections, time.monotonic() + RETRY_FOR_S)

    # -- care
    def size_bytes(self) -> int:
        return self._number(f"SELECT sum(bytes_on_disk) FROM {self._parts()} WHERE active AND database = currentDatabase()")  # noqa: S608 constant text

    def _parts(self) -> str:
        return f"clusterAllReplicas('{self._cluster}', system.parts)" if self._cluster else "system.parts"

    def _number(self, query: str) -> int:
        with self.sql.connect() as connection:
            return int(connection.exec_driver_sql(query).scalar() or 0)

    def delete_oldest(self, project: str | None, before_ns: int, limit: int) -> Deleted:
        """Whole days go by partition, whatever the limit; what is older than an age by one mutation, which costs the same for
        many rows as for few."""
        with self._write_lock, self.sql.connect() as connection:
            care = _Care(connection, self._cluster)
            if project is None:
                dropped = care.drop_day(min(before_ns, time.time_ns()))
                if dropped:
                    return dropped
            return care.delete(project, before_ns, limit if before_ns > time.time_ns() else None)

    def expire(self, ages: Ages) -> None:
        """A TTL on each table that grows. It costs nothing until it changes: then parts are rewritten in the background."""
        with self.sql.connect() as connection:
            _Care(connection, self._cluster).expire(ages)

    def delete_rejections(self, before_ns: int) -> None:
        with self._write_lock, self.sql.connect() as connection:
            _Care(connection, self._cluster).forget_rejections(before_ns)

    def checkpoint(self) -> None:
        """Every insert is durable, and merges are the server's own care; but deleted rows take space until a merge comes along,
        which for old parts may be never."""
        with self._write_lock, self.sql.connect() as connection:
            _Care(connection, self._cluster).give_space_back(self._parts())


class _Care:
    """Deletions. On a cluster they are sent to the local tables of every server."""

    def __init__(self, connection: sa.Connection, cluster: str | None) -> None:
        self._connection = connection
        self._cluster = cluster
        self._on = f" ON CLUSTER '{cluster}'" if cluster else ""

    def drop_day(self, before_ns: int) -> Deleted:
        """Drops the oldest day of spans if all of it is before a time, and records as old."""
        row = self._connection.exec_driver_sql(
            f"SELECT intDiv(min(start_ns), {ddl.DAY_NS}), count() FROM spans "  # noqa: S608 constant text
            f"WHERE intDiv(start_ns, {ddl.DAY_NS}) = (SELECT min(intDiv(start_ns, {ddl.DAY_NS})) FROM spans)"
        ).one()
        day, count = row
        if not count or (day + 1) * ddl.DAY_NS > before_ns:
            return Deleted()
        self._run(f"ALTER TABLE {self._table('spans')}{self._on} DROP PARTITION {int(day)}")
        return Deleted(int(count)).plus(self._delete_before((day + 1) * ddl.DAY_NS, "", RECORDS))

    def delete(self, project: str | None, before_ns: int, limit: int | None) -> Deleted:
        """Deletes the rows before a time; with a limit only about that many of the oldest."""
        scope = "" if project is None else f" AND project = {ddl.quoted(project)}"
        before = min(before_ns, 2**63 - 1)
        if limit is not None:
            count = sum(self._count(table, f"{time_column} < {before}{scope}") for table, time_column in ROW_TIMES.items())
            if count > limit:
                step = max(limit, count // 16)
                oldest = " UNION ALL ".join(
                    f"(SELECT {time_column} AS t FROM {table} WHERE {time_column} < {before}{scope} ORDER BY t LIMIT {step})"  # noqa: S608 quoted
                    for table, time_column in ROW_TIMES.items()
                )
                last = f"SELECT max(t) FROM (SELECT t FROM ({oldest}) ORDER BY t LIMIT {step})"  # noqa: S608 quoted
                before = 1 + int(self._connection.exec_driver_sql(last.replace("%", "%%")).scalar() or 0)
        return self._delete_before(before, scope, ROW_TIMES)

    def _delete_before(self, before_ns: int, scope: str, tables: Iterable[str]) -> Deleted:
        rows: dict[str, int] = {}
        for table in tables:
            condition = f"{ROW_TIMES[table]} < {before_ns}{scope}"
            rows[table] = self._count(table, condition)
            if rows[table]:
                self._run(f"DELETE FROM {self._table(table)}{self._on} WHERE {condition}")  # noqa: S608 quoted
        return Deleted(rows.pop("spans", 0), sum(rows.values()))

    def give_space_back(self, parts: str) -> None:
        """Rewrites the parts that hold deleted rows, without them."""
        for name in ROW_TIMES:
            table = self._table(name)
            masked = (
                f"SELECT count() FROM {parts} WHERE active AND database = currentDatabase() "  # noqa: S608 constant text
                f"AND table = '{table}' AND has_lightweight_delete"
            )
            if self._connection.exec_driver_sql(masked).scalar():
                self._run(f"ALTER TABLE {table}{self._on} APPLY DELETED MASK SETTINGS mutations_sync = 2")

    def expire(self, ages: Ages) -> None:
        """Sets, changes or removes the TTL of the tables where it differs; one that an operator made is left alone."""
        for name, time_column in ROW_TIMES.items():
            table = self._table(name)
            present, wanted = self._ttl(table), ddl.ttl(time_column, ages)
            if present == wanted:
                continue
            if present is not None and not ddl.is_ours(present, time_column):
                if wanted:
                    log.warning("table %s has a TTL that is not ours, and keeps it: ages are kept by this process alone", table)
                continue
            self._run(f"ALTER TABLE {table}{self._on} " + (f"MODIFY TTL {wanted}" if wanted else "REMOVE TTL"))
            log.info("table %s: TTL %s", table, wanted or "removed")

    def _ttl(self, table: str) -> str | None:
        query = f"SELECT engine_full FROM system.tables WHERE database = currentDatabase() AND name = '{table}'"  # noqa: S608 constant text
        engine = str(self._connection.exec_driver_sql(query).scalar() or "")
        _, found, ttl = engine.partition(" TTL ")
        return (ttl.rpartition(" SETTINGS ")[0] or ttl) if found else None

    def forget_rejections(self, before_ns: int) -> None:
        """Deletes the rejections before a time."""
        self._run(f"DELETE FROM {self._table('rejections')}{self._on} WHERE time_ns < {int(before_ns)}")  # noqa: S608 a number

    def _count(self, table: str, condition: str) -> int:
        query = f"SELECT count() FROM {table} WHERE {condition}"  # noqa: S608 quoted
        return int(self._connection.exec_driver_sql(query.replace("%", "%%")).scalar() or 0)

    def _table(self, name: str) -> str:
        return ddl.local_name(name, self._cluster)

    def _run(self, statement: str) -> None:
        self._connection.exec_driver_sql(statement.replace("%", "%%"))


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
