"""Keeps the planner's statistics about ``spans`` fresh, and plans safe while there are none.

Autovacuum analyses each partition a minute or so after it grew, and never the partitioned table as a whole. Until then joins
over traces run on guesses: with every guess at one row the planner computes a join's inner side anew for each row of the outer
one (a session filter over 50,000 spans: 30 s, with statistics 0.4). A store may come without any: restored from a dump, filled
while autovacuum was off. Until it is analysed queries run without nested loops, which costs a few times the best plan and never
more (the same filter: 0.6 s).
"""

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import psycopg
from psycopg import sql as pg

from otel_llm.store.engines.postgresql_schema import DDL_LOCK, OTHER, table_of, weeks_with_table

log = logging.getLogger(__name__)

_FIRST_ROWS = 100
_GROWTH = 0.2  # statistics within a fifth of the truth choose the same plans
_REST = 9.0  # pause between two runs, as a multiple of the last one's time: at most a tenth of one core
_RETRY_S = 60.0
_LOOK_S = 10.0  # between two looks whether another process has analysed the store
_STOP_S = 15  # a process that stops has 30 s
_LOCK = (DDL_LOCK[0], 2)
_COLUMNS = (
    "project, trace_id, span_id, parent_span_id, start_ns, end_ns, role, counted, provider, request_model, response_model, "
    "user_id, user_name, session_id, trace_name, service_name, response_id, provider_inferred, environment, repo_id, "
    "service_namespace, ai_llm_id, api_key_id, key_id, server_address, server_port"
)
"""What queries filter, join and group by; the other columns would double the work."""


_UNKNOWN = """
SELECT relid::regclass::text FROM pg_partition_tree(to_regclass('spans'))
WHERE (level = 0 OR isleaf AND pg_relation_size(relid) > 65536) AND NOT EXISTS (
    SELECT FROM pg_stats, pg_class c JOIN pg_namespace n ON n.oid = relnamespace
    WHERE c.oid = relid AND tablename = relname AND schemaname = nspname AND attname = 'trace_id' AND inherited = (level = 0))
"""
"""Tables without statistics: the partitioned one, and partitions of more than some ten rows."""
_HOLDS_ROWS = "SELECT 1 FROM spans LIMIT 1"


class Statistics:
    """Counts what this process writes. A thread analyses a new week as soon as it has some rows, the whole table when it has
    grown by a fifth, and at the start what has rows and was never analysed."""

    def __init__(self, connect: Callable[[], psycopg.Connection[Any]]) -> None:
        """``connect`` gives a new connection in autocommit mode."""
        self._connect = connect
        self._changed = threading.Condition()
        self._fresh = 0
        self._wanted = _FIRST_ROWS
        self._of_week: Counter[int] = Counter()
        self._analyzed: set[int] = set()
        self._closed = False
        self._thread: threading.Thread | None = None
        self._connection: psycopg.Connection[Any] | None = None
        self._unknown: set[str] = set()
        self._look_again = 0.0

    def known(self, connection: psycopg.Connection[Any]) -> bool:
        """True when the planner has numbers to go by; what was never analysed is analysed soon. Looks every few seconds."""
        if time.monotonic() >= self._look_again:
            self._look(connection)
        return not self._unknown

    def _look(self, connection: psycopg.Connection[Any]) -> None:
        self._look_again = time.monotonic() + _LOOK_S
        unknown = {str(row[0]) for row in connection.execute(_UNKNOWN)}
        if unknown == {"spans"} and not connection.execute(_HOLDS_ROWS).fetchone():
            unknown = set()  # nothing to plan for
        with self._changed:
            self._unknown = unknown
            if unknown:
                self._start()
                self._changed.notify()

    def _start(self) -> None:
        if self._thread is None and not self._closed:
            self._thread = threading.Thread(target=self._run, name="otel-llm-analyze", daemon=True)
            self._thread.start()

    def wrote(self, weeks: Counter[int]) -> None:
        """Takes note of a commit: how many spans went into each week."""
        with self._changed:
            self._fresh += weeks.total()
            for week in weeks.keys() - self._analyzed:
                self._of_week[week] += weeks[week]
            self._start()
            self._changed.notify()

    def refresh(self) -> None:
        """Analyses what is due at once, as far as that takes a few seconds."""
        with self._changed:
            due, self._fresh = self._due(), 0
            self._of_week.clear()
        if not due:
            return
        try:
            with self._connect() as connection:
                connection.execute(f"SET statement_timeout = '{_STOP_S}s'")
                connection.execute(f"ANALYZE spans ({_COLUMNS})")
        except psycopg.Error as error:
            log.info("statistics of spans are not fresh: %s", error)

    def close(self) -> None:
        """Ends the thread; an ANALYZE at work is stopped."""
        with self._changed:
            self._closed = True
            self._changed.notify()
            connection = self._connection
        if connection is not None:
            with suppress(psycopg.Error):  # it may be gone
                connection.cancel_safe(timeout=_LOOK_S)
        if self._thread is not None:
            self._thread.join(5)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closed or self._due())
                if self._closed:
                    return
                weeks = [week for week, rows in self._of_week.items() if rows >= _FIRST_ROWS]
                whole = self._fresh >= self._wanted or "spans" in self._unknown
                tables = self._unknown | {table_of(week) for week in weeks}
                for week in weeks:
                    del self._of_week[week]
                self._analyzed.update(weeks)
                if whole:
                    self._fresh = 0
            started = time.monotonic()
            try:
                self._analyze(tables, whole)
                rest = _LOOK_S if self._unknown else 0.0  # another process is at it
            except psycopg.Error as error:
                log.info("statistics of spans are not fresh: %s", error)
                rest = _RETRY_S
            with self._changed:
                self._changed.wait_for(lambda: self._closed, rest + _REST * (time.monotonic() - started))

    def _due(self) -> bool:
        return bool(self._unknown) or self._fresh >= self._wanted or any(rows >= _FIRST_ROWS for rows in self._of_week.values())

    def _analyze(self, tables: set[str], whole: bool) -> None:
        with self._connect() as connection:
            with self._changed:
                if self._closed:
                    return
                self._connection = connection
            try:
                self._analyze_on(connection, tables, whole)
                self._look(connection)
            finally:
                with self._changed:
                    self._connection = None

    def _analyze_on(self, connection: psycopg.Connection[Any], tables: set[str], whole: bool) -> None:
        row = connection.execute("SELECT pg_try_advisory_lock(%s, %s)", _LOCK).fetchone()
        if not row or not row[0]:
            return  # another process is at it
        there = {OTHER, *map(table_of, weeks_with_table(connection))}
        for table in ("spans",) if whole else tables & there:  # the whole brings each of its parts
            connection.execute(pg.SQL("ANALYZE {} ({})").format(pg.Identifier(table), pg.SQL(_COLUMNS)))
        if whole:
            row = connection.execute("SELECT reltuples FROM pg_class WHERE oid = 'spans'::regclass").fetchone()
            self._wanted = max(_FIRST_ROWS, int(row[0] * _GROWTH) if row else 0)
