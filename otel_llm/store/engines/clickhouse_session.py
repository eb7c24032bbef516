"""One unit of work on ClickHouse: question, inserts, and a second look.

There are no transactions and no locks. Every row of a span carries a version made of what decides between two copies (the
later end, then more attributes) and of the time it was decided, so that inserting a row twice, or in another order, leaves
the same row: a commit may be sent again at will. Two receivers that get spans of one trace at the same moment may both
decide without knowing of the other; so a unit of work looks again after its inserts, and decides again when it finds rows
it did not know. Whoever looks last has seen everything, and equal knowledge gives equal decisions.
"""

import time
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from typing import Any

import sqlalchemy as sa
from clickhouse_connect.datatypes.registry import get_from_name

from otel_llm.conventions.counting import MOST_SHARING
from otel_llm.spans import FIELD_BY_NAME, FIELD_NAMES, SlimSpan, SpanBatch, SpanKey
from otel_llm.store import schema
from otel_llm.store.engines import clickhouse_schema as ddl
from otel_llm.store.engines.base import Change, LeftOut, ResponseKey, TraceKey, WriteSession
from otel_llm.store.engines.clickhouse_calls import Caller

_COLUMN_TYPES = {
    table.name: {name: get_from_name(type_) for name, type_ in ddl.column_types(table).items()}
    for table in (schema.spans, schema.findings, schema.metric_points, schema.rejections)
}
_SLIMS = f"SELECT {', '.join(SlimSpan._fields)} FROM spans"  # noqa: S608 constant text
_ALL = ", ".join(FIELD_NAMES)
_QUESTION = {
    "final": 1,
    "do_not_merge_across_partitions_select_final": 1,
    "max_query_size": 1 << 26,
    "max_execution_time": 60,
}
_INSERT = {"max_partitions_per_insert_block": 0, "async_insert": 0}
_MAX_COUNT = (1 << 16) - 1
_TIME_BITS = 48  # milliseconds for 8,900 years
_CLOCKS_DIFFER_MS = 60_000  # clocks of servers that share a store differ by less


def version(slim: SlimSpan, revision: int) -> int:
    """Of two rows with the same key the larger version is the one that is read: the heavier copy, then the later decision
    (128 bits)."""
    is_span, end_ns, attribute_count = slim.weight
    return (is_span << 127) | (end_ns << 64) | (min(attribute_count, _MAX_COUNT) << _TIME_BITS) | revision


class ClickHouseSession(WriteSession):
    """The inserts of one commit, and what it knew when it decided."""

    def __init__(self, call: Caller, cluster: str | None, token: str, *, first: bool = True) -> None:
        """``token`` names the commit; a later round of the same commit is not ``first`` and only settles decisions."""
        self._call = call
        self._settings: dict[str, Any] = _INSERT | (
            {"distributed_foreground_insert": 1, "insert_deduplicate": 0} if cluster else {}
        )
        self._token = token
        self._first = first
        self._asked: list[tuple[Collection[TraceKey], Collection[ResponseKey], int, int]] = []
        self._known: dict[SpanKey, SlimSpan] = {}
        self._revisions: dict[SpanKey, int] = {}
        self._written: dict[SpanKey, SlimSpan] = {}

    def related(
        self, traces: Collection[TraceKey], responses: Collection[ResponseKey], start_from: int, start_to: int
    ) -> list[SlimSpan]:
        found = self._ask(traces, responses, start_from, start_to)
        sharing = Counter((slim.project, slim.response_id) for slim in found.values() if slim.is_call)
        few = [response for response in responses if sharing[response] <= MOST_SHARING]  # of the others, any answer is good
        self._asked.append((traces, few, start_from, start_to))
        self._known.update(found)
        return list(found.values())

    def fetch(self, keys: Collection[SpanKey], start_from: int, start_to: int) -> SpanBatch:
        wanted = set(keys)
        rows: dict[SpanKey, tuple[Any, ...]] = {}
        for project, trace_ids in _by_project((project, trace_id) for project, trace_id, _ in wanted):
            found = self._query(
                f"SELECT {ddl.SPAN_VERSION}, {_ALL} FROM spans WHERE {_of_traces(project, trace_ids)} "  # noqa: S608 quoted
                f"AND start_ns BETWEEN {start_from} AND {start_to}"
            )
            for row in sorted(found, key=lambda row: row[0]):  # of two copies in different hours the better one is last
                key: SpanKey = (row[1], row[2], row[3])
                if key in wanted:
                    rows[key] = row[1:]
                    self._revisions[key] = row[0] & ((1 << _TIME_BITS) - 1)
        if not rows:
            return SpanBatch()
        columns = dict(zip(FIELD_NAMES, map(list, zip(*rows.values(), strict=True)), strict=True))
        return SpanBatch.of_columns(columns, len(rows))

    def apply(self, change: Change) -> LeftOut:
        left_out = LeftOut()
        if self._first:
            self._insert_rows(schema.rejections, change.rejections, None)
            left_out = LeftOut(
                self._insert_new(schema.findings, change.findings, "finding_key"),
                self._insert_new(schema.metric_points, change.metric_points, "point_key"),
            )
        self._write_spans([each for each in (change.insert, change.replace) if each.size])
        return left_out

    def _write_spans(self, parts: Sequence[SpanBatch]) -> None:
        if not parts:
            return
        batch = SpanBatch.concat(parts)
        slims = batch.slim()
        self._insert_spans(batch, slims)
        self._bury((self._known[slim.key], slim) for slim in slims if slim.key in self._known)
        self._written.update((slim.key, slim) for slim in slims)

    def unsettled(self) -> bool:
        """True when rows have come that this session did not know when it decided."""
        for traces, responses, start_from, start_to in self._asked:
            found = self._ask(traces, responses, start_from, start_to)
            if any(slim != (self._written.get(key) or self._known.get(key)) for key, slim in found.items()):
                return True
        return False

    def _ask(
        self, traces: Collection[TraceKey], responses: Collection[ResponseKey], start_from: int, start_to: int
    ) -> dict[SpanKey, SlimSpan]:
        """Stored spans by key. Copies that two receivers got at once and that start in different hours have different keys in
        the table: only the best of them stays."""
        rows: set[tuple[Any, ...]] = set()
        within = f"start_ns BETWEEN {start_from} AND {start_to}"
        for project, trace_ids in _by_project(traces):
            rows.update(self._query(f"{_SLIMS} WHERE {_of_traces(project, trace_ids)} AND {within}"))
        for project, response_ids in _by_project(responses):
            wanted = ", ".join(map(_quoted, response_ids))
            calls = f"project = {_quoted(project)} AND response_id IN ({wanted}) AND role IN ('generation', 'embedding')"
            enough = f"LIMIT {MOST_SHARING + 1} BY project, response_id"
            rows.update(self._query(f"{_SLIMS} WHERE {calls} AND {within} {enough}"))
        found: dict[SpanKey, SlimSpan] = {}
        losers: list[SlimSpan] = []
        for slim in sorted(map(SlimSpan._make, rows), key=_precedence):
            if slim.key in found:
                losers.append(found[slim.key])
            found[slim.key] = slim
        self._bury((copy, found[copy.key]) for copy in losers)
        return found

    def _query(self, query: str) -> list[tuple[Any, ...]]:
        return self._call(lambda client: list(map(tuple, client.query(query, settings=_QUESTION).result_rows)))

    def _insert_spans(self, batch: SpanBatch, slims: Sequence[SlimSpan]) -> None:
        now = time.time_ns() // 1_000_000
        columns = batch.filled_columns()
        for name, values in columns.items():
            if FIELD_BY_NAME[name].type in ("text", "json"):
                columns[name] = _encodable(values)
        columns[ddl.SPAN_VERSION] = [version(slim, max(now, self._revisions.get(slim.key, 0) + 1)) for slim in slims]
        self._insert("spans", columns, self._settings)

    def _bury(self, replaced: Iterable[tuple[SlimSpan, SlimSpan]]) -> None:
        """Tombstones for copies (first of a pair) that lie in another hour than the copy that replaces them (second)."""
        pairs = [(old, new) for old, new in replaced if old.start_ns // ddl.HOUR_NS != new.start_ns // ddl.HOUR_NS]
        if not pairs:
            return
        later = time.time_ns() // 1_000_000 + _CLOCKS_DIFFER_MS
        stones = SpanBatch.of_rows([copy._asdict() | _REQUIRED for copy, _ in pairs])
        columns = stones.filled_columns()
        columns[ddl.SPAN_VERSION] = [version(max(pair, key=lambda slim: slim.weight), later) for pair in pairs]
        columns[ddl.SPAN_DELETED] = [1] * len(pairs)
        self._insert("spans", columns, self._settings)

    def _insert_new(self, table: sa.Table, rows: Sequence[tuple[Any, ...]], key: str) -> set[tuple[str, bytes]]:
        """Inserts what is not stored; returns (project, key) of what is. Of equal rows that two receivers insert at once the
        table keeps the first."""
        place = table.columns.keys().index(key)
        known: set[tuple[str, bytes]] = set()
        for project, keys in _by_project((row[0], row[place]) for row in rows):
            wanted = ", ".join(f"unhex('{each.hex()}')" for each in keys)
            found = self._query(
                f"SELECT DISTINCT {key} FROM {table.name} WHERE project = {_quoted(project)} AND {key} IN ({wanted})"  # noqa: S608 quoted
            )
            known.update((project, bytes(row[0])) for row in found)
        self._insert_rows(table, [row for row in rows if (row[0], row[place]) not in known], time.time_ns())
        return known

    def _insert_rows(self, table: sa.Table, rows: Sequence[tuple[Any, ...]], now: int | None) -> None:
        if not rows:
            return
        names = [column.name for column in table.columns]
        columns = {name: _encodable(list(values)) for name, values in zip(names, zip(*rows, strict=True), strict=True)}
        settings: dict[str, Any] = dict(self._settings)
        if now is None:
            settings |= {"insert_deduplicate": 1, "insert_deduplication_token": self._token}
        else:
            columns[ddl.FIRST_STAYS] = [(1 << 63) - now] * len(rows)
        self._insert(table.name, columns, settings)

    def _insert(self, table: str, columns: dict[str, list[Any]], settings: dict[str, Any]) -> None:
        types = _COLUMN_TYPES[table]
        self._call(
            lambda client: client.insert(
                table,
                list(columns.values()),
                column_names=list(columns),
                column_types=[types[name] for name in columns],
                column_oriented=True,
                settings=settings,
            )
        )


def _precedence(slim: SlimSpan) -> tuple[Any, ...]:
    return slim.weight, -slim.start_ns


_REQUIRED = {"name": "", "ingested_ns": 0, "dialect": "", "error": False, "status_code": 0}


def _by_project(keys: Iterable[tuple[str, Any]]) -> Iterable[tuple[str, set[Any]]]:
    found: dict[str, set[Any]] = {}
    for project, key in keys:
        found.setdefault(project, set()).add(key)
    return found.items()


def _of_traces(project: str, trace_ids: Iterable[bytes]) -> str:
    """Condition on trace ids. All of them travel in one literal: the parser counts elements."""
    joined = b"".join(trace_ids)
    count = len(joined) // 16
    return (
        f"project = {_quoted(project)} AND trace_id IN (SELECT toFixedString(substring(unhex('{joined.hex()}'), "  # noqa: S608 hex
        f"number * 16 + 1, 16), 16) FROM numbers({count}))"
    )


def _quoted(text: str) -> str:
    return "'" + _clean(text).replace("\\", "\\\\").replace("'", "\\'") + "'"


def _encodable(values: list[Any]) -> list[Any]:
    """The values with lone surrogates, which have no UTF-8 form, replaced by a question mark."""
    try:
        "".join([value for value in values if isinstance(value, str)]).encode()
    except UnicodeEncodeError:
        return [_clean(value) if isinstance(value, str) else value for value in values]
    return values


def _clean(text: str) -> str:
    return text.encode("utf-8", "replace").decode()
