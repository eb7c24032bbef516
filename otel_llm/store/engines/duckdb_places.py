"""Where traces lie in time: a narrow table beside DuckDB's ``spans``, which has no index.

A trace may lie anywhere, so that whoever asks for its spans would read the trace id of every span of the store. For the spans
of a trace that start within one minute this table has one row at least: a number made of the trace id, and the minute. It is
written with the spans, and rows of spans that were deleted or moved may stay: what it says of a trace is where its spans can
be, not that they are there. Two traces of one number, which 63 bits make rare, only seem to reach further than they do.
"""

import duckdb
import sqlalchemy as sa

from otel_llm.store import migrations
from otel_llm.store.engines.base import TracePlaces

CELL_NS = 60_000_000_000
SPAN_COLUMNS = ("project", "trace_id", "start_ns")
"""Columns of spans that the rows are made of."""
_FILLED_AT_ONCE = 1_000_000
_ID_BYTES, _SHIFT, _MASK = 16, 61, 2**63 - 1

_table = sa.Table(
    "trace_places",
    sa.MetaData(),
    sa.Column("project", sa.Text(), nullable=False),
    sa.Column("trace_key", sa.BigInteger(), nullable=False),
    sa.Column("time_ns", sa.BigInteger(), nullable=False),
)


def key_of(trace_id: bytes) -> int:
    """The number that stands for a trace id: 63 bits that all of its bits have a part in, as SQL finds them. DuckDB's MD5 takes
    twice as long, and its hash is another in another version."""
    whole = int.from_bytes(trace_id, "big") if len(trace_id) == _ID_BYTES else 0
    return (whole ^ whole >> _SHIFT) & _MASK


PLACES = TracePlaces(_table, CELL_NS, key_of)


def rows_of(spans: str) -> str:
    """SQL of the rows for the spans of a FROM clause."""
    minutes = f"SELECT DISTINCT project, trace_id, start_ns // {CELL_NS} * {CELL_NS} AS time_ns FROM {spans}"  # noqa: S608 constant text
    whole = f"CASE WHEN octet_length(trace_id) = {_ID_BYTES} THEN trace_id::BIT::UHUGEINT ELSE 0 END"
    key = f"(xor(whole, whole >> {_SHIFT}) & {_MASK}::UHUGEINT)::BIGINT"
    ids = f"SELECT project, {whole} AS whole, time_ns FROM ({minutes})"  # noqa: S608 constant text
    return f"SELECT project, {key} AS trace_key, time_ns FROM ({ids})"  # noqa: S608 constant text


def insert_of(spans: str) -> str:
    """SQL that inserts the rows for the spans of a FROM clause."""
    return f"INSERT INTO trace_places (project, trace_key, time_ns) {rows_of(spans)}"


def create(connection: sa.Connection) -> None:
    """Makes the tables that a store does not have yet, this one among them."""
    migrations.create_missing(connection)
    connection.execute(sa.schema.CreateTable(_table, if_not_exists=True))


def fill(connection: duckdb.DuckDBPyConnection) -> None:
    """Fills the table of a store that was written before there was one."""
    if connection.execute("SELECT 1 FROM trace_places LIMIT 1").fetchone():
        return
    row = connection.execute("SELECT max(rowid) FROM spans").fetchone()
    if row is None or row[0] is None:
        return
    connection.execute("BEGIN")
    try:
        for first in range(0, row[0] + 1, _FILLED_AT_ONCE):
            connection.execute(insert_of(f"spans WHERE rowid >= {first} AND rowid < {first + _FILLED_AT_ONCE}"))
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def delete(connection: duckdb.DuckDBPyConnection, project: str | None, until_ns: int) -> None:
    """Deletes rows of spans that start until a time, when those are deleted; None is every project."""
    scope, values = ("", [until_ns - CELL_NS]) if project is None else (" AND project = $2", [until_ns - CELL_NS, project])
    connection.execute(f"DELETE FROM trace_places WHERE time_ns <= $1{scope}", values)  # noqa: S608 constant text
