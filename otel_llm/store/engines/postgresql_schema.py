"""Tables, indexes and weekly partitions of the store in PostgreSQL.

``spans`` is partitioned by week of ``start_ns`` (weeks start on Monday, UTC), so that retention drops whole tables and a
question about a time range touches few of them. Weeks: a year is 52 tables, which plans in milliseconds; days would be
365. A span outside the weeks that have a table goes to ``spans_other``, which every query also sees; the rows of a week
move out of it when the week gets its table.
"""

import logging
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import psycopg
import sqlalchemy as sa
from psycopg import sql as pg

from otel_llm.store import schema

log = logging.getLogger(__name__)

_DAY_NS = 86_400_000_000_000
WEEK_NS = 7 * _DAY_NS
_FIRST_MONDAY_NS = 4 * _DAY_NS  # 1970-01-05
_PAST_WEEKS = 520  # hostile clocks could ask for a table for any week since 1970
_FUTURE_WEEKS = 2
MAX_NEW_WEEKS = 9
"""Most weeks one commit makes tables for; a commit that spans more has rows of odd times, for ``spans_other``."""
_LOCK_TIMEOUT = "2s"
"""Attaching a table waits for questions to ``spans_other`` to end, and new ones wait behind it: not for long."""
DDL_LOCK = (0x07E1, 1)
"""Advisory lock of whoever changes tables."""

OTHER = "spans_other"
_TYPES: dict[type[sa.types.TypeEngine[Any]], str] = {
    sa.Text: 'text COLLATE "C"',  # code-point order everywhere, whatever the database's locale
    sa.BigInteger: "bigint",
    sa.Double: "double precision",
    sa.Boolean: "boolean",
    sa.LargeBinary: "bytea",
}
_ASKED_MOST = (
    *("start_ns", "end_ns", "error", "counted", "project", "role", "input_tokens", "output_tokens", "cost_reported"),
    *("cost_computed", "ttft_ns", "provider", "response_model", "request_model", "provider_inferred", "trace_id", "span_id"),
    *("parent_span_id", "user_id", "session_id", "total_tokens", "request_tags", "trace_name", "user_name", "user_tags"),
    *("tags", "environment", "service_name", "service_namespace", "repo_id", "ai_llm_id", "api_key_id", "key_id"),
    *("server_address", "server_port", "agent_name", "agent_id", "agentlens_agent_id", "response_id"),
)
"""Columns of ``spans`` in the order they lie in a row. PostgreSQL unpacks a row up to the last column a query needs: sums over
tokens take less than half the time with these in front."""
_KEYS: dict[str, str] = {"findings": "project, finding_key", "metric_points": "project, point_key"}
_TIMES: dict[str, str] = {"findings": "time_ns", "metric_points": "time_ns", "rejections": "time_ns", "audit": "time_ns"}

SPAN_INDEXES: dict[str, str] = {
    "spans_once": "UNIQUE INDEX ON spans (trace_id, span_id, project, start_ns)",
    "spans_by_start": "INDEX ON spans (project, start_ns)",
    # SP-GiST takes texts of any length (a b-tree entry must fit a third of a page) and many equal ones (a constant user id
    # costs a hash index 19 us a row at 200,000 rows, and more with each further one; here 3 us).
    "spans_by_response": "INDEX ON spans USING spgist (response_id) WHERE response_id IS NOT NULL",
    "spans_by_user": "INDEX ON spans USING spgist (user_id) WHERE user_id IS NOT NULL",
    "spans_by_session": "INDEX ON spans USING spgist (session_id) WHERE session_id IS NOT NULL",
    "spans_by_end": "INDEX ON spans (project, end_ns) WHERE counted",
    # Answers to "is there any?" for which a row store would read all rows of a window. A call is in the index of its user
    # or in that of calls without one, so these cost no row a further entry.
    "spans_without_user": "INDEX ON spans (project, start_ns) WHERE counted AND user_id IS NULL",
    "spans_without_session": "INDEX ON spans (project, start_ns) WHERE counted AND session_id IS NULL",
    "spans_of_guardrails": "INDEX ON spans (project, start_ns) WHERE role = 'guardrail'",
}
"""Indexes of every partition. The first finds a trace's spans and is the backstop of exactly-once; it has the start in it
because a unique index over partitions must. Copies whose start differs meet under the lock of their trace."""

_TIMES_AT_ONCE = 1_000
"""How many different starts and ends the planner is to expect. Nobody groups by a time itself, but by the bucket it lies in,
of which it would expect as many as there are rows: it then sorts all rows for some hundred groups instead of hashing them."""


def create(connection: sa.Connection) -> None:
    """Makes the tables and indexes that are missing."""
    for table in schema.metadata.tables.values():
        partitioned = " PARTITION BY RANGE (start_ns)" if table is schema.spans else ""
        connection.exec_driver_sql(f"CREATE TABLE IF NOT EXISTS {table.name} ({_columns(table)}){partitioned}")
    tune(connection)
    connection.exec_driver_sql(f"CREATE TABLE IF NOT EXISTS {OTHER} PARTITION OF spans DEFAULT")
    for name, key in _KEYS.items():
        connection.exec_driver_sql(f"CREATE UNIQUE INDEX IF NOT EXISTS {name}_once ON {name} ({key})")
    for name, column in _TIMES.items():
        connection.exec_driver_sql(f"CREATE INDEX IF NOT EXISTS {name}_by_time ON {name} (project, {column})")
    connection.exec_driver_sql("CREATE INDEX IF NOT EXISTS login_sessions_by_token ON login_sessions (token_sha256)")


def tune(connection: sa.Connection) -> None:
    """Gives ``spans`` what makes questions quick and is missing, as in a store of an earlier version: indexes, and what the
    planner is told of times. Writers wait while an index is made."""
    rows = connection.exec_driver_sql("SELECT indexrelid::regclass::text FROM pg_index WHERE indrelid = 'spans'::regclass")
    there = {str(row[0]).rpartition(".")[2] for row in rows}
    for name, definition in SPAN_INDEXES.items():
        if name not in there:
            connection.exec_driver_sql(f"CREATE {definition.replace('INDEX', f'INDEX {name}', 1)}")
    told = f"n_distinct_inherited={_TIMES_AT_ONCE}"
    untold = (
        "SELECT attname FROM pg_attribute WHERE attrelid = 'spans'::regclass AND attname IN ('start_ns', 'end_ns') "  # noqa: S608 constant text
        f"AND NOT coalesce('{told}' = ANY (attoptions), false)"
    )
    for (column,) in connection.exec_driver_sql(untold).fetchall():
        connection.exec_driver_sql(f"ALTER TABLE spans ALTER {column} SET ({told})")


def _columns(table: sa.Table) -> str:
    places = {name: place for place, name in enumerate(_ASKED_MOST if table is schema.spans else ())}
    ordered = sorted(table.columns, key=lambda column: places.get(column.name, len(places)))
    return ", ".join(f"{each.name} {_TYPES[type(each.type)]}{'' if each.nullable else ' NOT NULL'}" for each in ordered)


def week_of(time_ns: int) -> int:
    """Number of the week, counted from the first Monday of 1970."""
    return (time_ns - _FIRST_MONDAY_NS) // WEEK_NS


def bounds(week: int) -> tuple[int, int]:
    """First ns of a week, and of the next one."""
    return _FIRST_MONDAY_NS + week * WEEK_NS, _FIRST_MONDAY_NS + (week + 1) * WEEK_NS


def table_of(week: int) -> str:
    """Name of a week's partition: its Monday."""
    return f"spans_{datetime.fromtimestamp(bounds(week)[0] // 1_000_000_000, UTC):%Y%m%d}"


def weeks_with_table(connection: psycopg.Connection[Any]) -> set[int]:
    """The weeks that have a partition."""
    rows = connection.execute("SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'spans'::regclass")
    names = (str(row[0]).rpartition(".")[2].removeprefix("spans_") for row in rows)
    return {_week_named(name) for name in names if name.isdigit()}


def _week_named(name: str) -> int:
    return week_of(int(datetime.strptime(name, "%Y%m%d").replace(tzinfo=UTC).timestamp()) * 1_000_000_000)


def wanted_weeks(start_from: int, start_to: int) -> range:
    """Weeks of a range of starts that may have a table; none for a range that is too wide."""
    now = week_of(time.time_ns())
    first, last = max(week_of(start_from), now - _PAST_WEEKS), min(week_of(start_to), now + _FUTURE_WEEKS)
    return range(first, last + 1) if last - first < MAX_NEW_WEEKS else range(0)


def add_weeks(connection: psycopg.Connection[Any], weeks: Iterable[int]) -> None:
    """Makes the partitions that are missing, each in a short transaction of its own, on a connection in autocommit mode that
    holds no lock. Raises psycopg.errors.LockNotAvailable when long questions are in the way."""
    for week in weeks:
        with connection.transaction():
            connection.execute(f"SET LOCAL lock_timeout = '{_LOCK_TIMEOUT}'")
            connection.execute("SELECT pg_advisory_xact_lock(%s, %s)", DDL_LOCK)
            if week not in weeks_with_table(connection):
                _add_week(connection, week)


def _add_week(connection: psycopg.Connection[Any], week: int) -> None:
    name, (first, end) = table_of(week), bounds(week)
    table, other = pg.Identifier(name), pg.Identifier(OTHER)
    connection.execute(pg.SQL("CREATE TABLE {} (LIKE spans INCLUDING ALL)").format(table))
    connection.execute(pg.SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE").format(other))
    connection.execute(
        pg.SQL(
            "WITH moved AS (DELETE FROM {} WHERE start_ns >= {} AND start_ns < {} RETURNING *) "
            "INSERT INTO {} SELECT * FROM moved"
        ).format(other, pg.Literal(first), pg.Literal(end), table)
    )
    connection.execute(
        pg.SQL("ALTER TABLE spans ATTACH PARTITION {} FOR VALUES FROM ({}) TO ({})").format(
            table, pg.Literal(first), pg.Literal(end)
        )
    )
    log.debug("made partition %s", name)
