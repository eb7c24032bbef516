"""One unit of work on PostgreSQL: locks, question, COPY.

Two receivers may get the same span, or spans of one trace, at the same moment. Who decides about a trace or a response id
holds its lock until the commit, so the next one sees what was decided. Locks are hash buckets taken in ascending order:
their number is bounded (the server's lock table is), and no two units of work can wait for each other. Keys that come up
later (a response id leads to a trace that is not in the batch) are only tried: when taken, the work starts again and asks
for them up front.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from typing import Any
from zlib import crc32

import psycopg
import sqlalchemy as sa
from psycopg import sql as pg

from otel_llm.conventions.counting import MOST_SHARING
from otel_llm.spans import FIELD_NAMES, SlimSpan, SpanBatch, SpanKey
from otel_llm.store import schema
from otel_llm.store.engines.base import Change, LeftOut, ResponseKey, TraceKey, WriteConflict, WriteSession
from otel_llm.store.engines.postgresql_copy import copy_blocks, used_columns, without_nul_escapes
from otel_llm.store.engines.postgresql_partitions import Partitions
from otel_llm.store.engines.postgresql_schema import week_of

BUCKETS = 256
"""Lock buckets for traces, and as many for response ids. The lock table of a server with default settings has 6,400 places."""
_LOCK_CLASS = 0x07E0
_EVER = (-(2**63), 2**63 - 1)
_SLIM = ", ".join(f"s.{name}" for name in SlimSpan._fields)
_ALL = ", ".join(f"s.{name}" for name in FIELD_NAMES)
_ARRAYS = {sa.Text: "text[]", sa.BigInteger: "bigint[]", sa.LargeBinary: "bytea[]"}

_LOCK = "SELECT count(pg_advisory_xact_lock(%s, bucket)) FROM unnest(%s::int[]) AS bucket"
_TRY_LOCK = "SELECT bool_and(pg_try_advisory_xact_lock(%s, bucket)) FROM unnest(%s::int[]) AS bucket"
# A planner without fresh statistics must not choose how spans are found: it guesses one row and reads the whole range of time
# once for every key (3 ms a span at 20,000 spans in the range, instead of 0.02). LATERAL with OFFSET 0 looks up key by key, and
# IS NOT DISTINCT FROM keeps it off the index on project and start.
_OF_TRACES = (
    f"SELECT {_SLIM} FROM unnest(%s::text[], %s::bytea[]) AS a(project, trace_id) CROSS JOIN LATERAL "  # noqa: S608 constant text
    f"(SELECT {_SLIM} FROM spans s WHERE s.trace_id = a.trace_id AND s.project IS NOT DISTINCT FROM a.project "
    "AND s.start_ns BETWEEN %s AND %s OFFSET 0) s"
)
_OF_RESPONSES = (
    f"SELECT {_SLIM} FROM unnest(%s::text[], %s::text[]) AS a(project, response_id) CROSS JOIN LATERAL "  # noqa: S608 constant text
    f"(SELECT {_SLIM} FROM spans s WHERE s.response_id = a.response_id AND s.project IS NOT DISTINCT FROM a.project "
    f"AND s.role IN ('generation', 'embedding') AND s.start_ns BETWEEN %s AND %s LIMIT {MOST_SHARING + 1}) s"
)
_BY_KEY = (
    "unnest(%s::text[], %s::bytea[], %s::bytea[]) AS a(project, trace_id, span_id) CROSS JOIN LATERAL (SELECT {} FROM spans s "
    "WHERE s.trace_id = a.trace_id AND s.span_id = a.span_id AND s.project IS NOT DISTINCT FROM a.project "
    "AND s.start_ns BETWEEN %s AND %s OFFSET 0) s"
)
_FETCH = f"SELECT {_ALL} FROM {_BY_KEY.format(_ALL)}"  # noqa: S608 constant text
_DELETE = (
    f"WITH found AS MATERIALIZED (SELECT s.* FROM {_BY_KEY.format('s.tableoid AS part, s.ctid AS place')}) "  # noqa: S608 constant text
    "DELETE FROM spans USING found WHERE spans.tableoid = part AND spans.ctid = place"
)


class PostgreSQLSession(WriteSession):
    """One transaction on the writer's connection, in READ COMMITTED: each statement sees what was committed before it."""

    def __init__(self, connection: psycopg.Connection[Any], partitions: Partitions) -> None:
        self._connection = connection
        self._partitions = partitions
        self._held: set[int] = set()
        self._range: tuple[int, int] | None = None
        self.written: Counter[int] = Counter()
        """Spans written, by week."""

    def lock(self, traces: Collection[TraceKey], responses: Collection[ResponseKey]) -> None:
        """Waits for the locks of all these keys; the first statement of the transaction."""
        buckets = sorted(_buckets(traces, responses))
        self._connection.execute(_LOCK, (_LOCK_CLASS, buckets))
        self._held.update(buckets)

    def related(
        self, traces: Collection[TraceKey], responses: Collection[ResponseKey], start_from: int, start_to: int
    ) -> list[SlimSpan]:
        if self._range is None:
            # before the first look at spans: making a partition waits for every transaction that looked, this one too
            self._partitions.prepare(start_from, start_to)
            self._range = (start_from, start_to)
        self._lock_more(traces, responses)
        rows: list[Any] = []
        cursor = self._connection.cursor(binary=True)
        if traces:
            rows += cursor.execute(_OF_TRACES, (*_lists(traces), start_from, start_to)).fetchall()
        if responses:
            rows += cursor.execute(_OF_RESPONSES, (*_lists(responses), start_from, start_to)).fetchall()
        found = map(SlimSpan._make, rows)
        return list({slim.key: slim for slim in found}.values())

    def fetch(self, keys: Collection[SpanKey], start_from: int, start_to: int) -> SpanBatch:
        if not keys:
            return SpanBatch()
        rows = self._connection.cursor(binary=True).execute(_FETCH, (*_lists(keys), start_from, start_to)).fetchall()
        if not rows:
            return SpanBatch()
        columns = dict(zip(FIELD_NAMES, map(list, zip(*rows, strict=True)), strict=True))
        return SpanBatch.of_columns(columns, len(rows))

    def apply(self, change: Change) -> LeftOut:
        if self._range is None:
            starts = [*change.insert["start_ns"], *change.replace["start_ns"]]
            if starts:
                self._partitions.prepare(min(starts), max(starts))
        if change.replace.size:
            replaced = change.replace
            keys = [replaced[name] for name in ("project", "trace_id", "span_id")]
            self._connection.execute(_DELETE, (*keys, *(self._range or _EVER)))
        for batch in (change.replace, change.insert):
            if batch.size:
                self._copy(batch)
        self._insert_new(schema.rejections, change.rejections, "")
        return LeftOut(
            self._insert_new(schema.findings, change.findings, "finding_key"),
            self._insert_new(schema.metric_points, change.metric_points, "point_key"),
        )

    def _lock_more(self, traces: Collection[TraceKey], responses: Collection[ResponseKey]) -> None:
        more = sorted(_buckets(traces, responses) - self._held)
        if not more:
            return
        row = self._connection.execute(_TRY_LOCK, (_LOCK_CLASS, more)).fetchone()
        if row is None or not row[0]:
            raise WriteConflict("another receiver decides about a related trace", traces, responses)
        self._held.update(more)

    def _copy(self, batch: SpanBatch) -> None:
        names = used_columns(batch)
        statement = pg.SQL("COPY spans ({}) FROM STDIN").format(pg.SQL(", ").join(map(pg.Identifier, names)))
        with self._connection.cursor().copy(statement) as copy:
            for block in copy_blocks(batch, names):
                copy.write(block)
        self.written.update(map(week_of, batch["start_ns"]))

    def _insert_new(self, table: sa.Table, rows: Sequence[tuple[Any, ...]], key: str) -> set[tuple[str, bytes]]:
        """Inserts in key order, so that two receivers with equal keys wait for each other in one direction only; returns
        (project, key) of what was stored already. Without a key all is new."""
        if not rows:
            return set()
        columns = list(table.columns)
        arrays = ", ".join(f"%s::{_ARRAYS[type(column.type)]}" for column in columns)
        values = [[_storable(value) for value in column] for column in zip(*rows, strict=True)]
        order, unless = "", ""
        if key:
            order = f" ORDER BY project, {key}"
            unless = f" ON CONFLICT (project, {key}) DO NOTHING RETURNING project, {key}"
        names = ", ".join(column.name for column in columns)
        done = self._connection.execute(
            f"INSERT INTO {table.name} ({names}) SELECT * FROM unnest({arrays}) AS n({names}){order}{unless}",  # noqa: S608 constant text
            values,
        )
        if not key:
            return set()
        place = table.columns.keys().index(key)
        return set(zip(values[0], values[place], strict=True)) - {(project, bytes(found)) for project, found in done.fetchall()}


def _buckets(traces: Collection[TraceKey], responses: Collection[ResponseKey]) -> set[int]:
    buckets = {crc32(trace_id, crc32(project.encode())) % BUCKETS for project, trace_id in traces}
    buckets.update(
        BUCKETS + crc32(response_id.encode("utf-8", "replace"), crc32(project.encode())) % BUCKETS
        for project, response_id in responses
    )
    return buckets


def _lists(keys: Collection[tuple[Any, ...]]) -> list[list[Any]]:
    return [[_storable(value) for value in column] for column in zip(*keys, strict=True)]


def _storable(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    text = without_nul_escapes(value.replace("\0", "")) if "\0" in value or "\\u0000" in value else value
    return text.encode("utf-8", "replace").decode()
