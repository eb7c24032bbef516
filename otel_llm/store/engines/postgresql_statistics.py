"""Keeps the planner's statistics about ``spans`` fresh.

Autovacuum analyses each partition a minute or so after it grew, and never the partitioned table as a whole. Until then joins
over traces run on guesses: a user filter over 2,400 spans took 5 s before and 14 ms after ANALYZE, and one over 250,000 spans
more than 30 s instead of 0.2, because a single new week without statistics was read as a whole for every trace.
"""

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import psycopg
from psycopg import sql as pg

from otel_llm.store.engines.postgresql_schema import DDL_LOCK, table_of, weeks_with_table

log = logging.getLogger(__name__)

_FIRST_ROWS = 1_000
_GROWTH = 0.2  # statistics within a fifth of the truth choose the same plans
_REST = 3.0  # pause between two runs, as a multiple of the last one's time: at most a quarter of one core
_RETRY_S = 60.0
_LOCK = (DDL_LOCK[0], 2)
_COLUMNS = (
    "project, trace_id, span_id, parent_span_id, start_ns, end_ns, role, counted, provider, request_model, response_model, "
    "user_id, user_name, session_id, trace_name, service_name, response_id"
)
"""What queries filter, join and group by; the other columns would triple the work."""


class Statistics:
    """Counts what this process writes. A thread analyses a new week as soon as it has some rows, and the whole table when it
    has grown by a fifth."""

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

    def wrote(self, weeks: Counter[int]) -> None:
        """Takes note of a commit: how many spans went into each week."""
        with self._changed:
            self._fresh += weeks.total()
            for week in weeks.keys() - self._analyzed:
                self._of_week[week] += weeks[week]
            if self._thread is None and not self._closed:
                self._thread = threading.Thread(target=self._run, name="otel-llm-analyze", daemon=True)
                self._thread.start()
            self._changed.notify()

    def close(self) -> None:
        """Ends the thread, or leaves it to its last ANALYZE."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join(5)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closed or self._due())
                if self._closed:
                    return
                weeks = [week for week, rows in self._of_week.items() if rows >= _FIRST_ROWS]
                whole = self._fresh >= self._wanted
                for week in weeks:
                    del self._of_week[week]
                self._analyzed.update(weeks)
                if whole:
                    self._fresh = 0
            started = time.monotonic()
            try:
                rest = 0.0
                self._analyze(weeks, whole)
            except psycopg.Error as error:
                log.info("statistics of spans are not fresh: %s", error)
                rest = _RETRY_S
            with self._changed:
                self._changed.wait_for(lambda: self._closed, rest + _REST * (time.monotonic() - started))

    def _due(self) -> bool:
        return self._fresh >= self._wanted or any(rows >= _FIRST_ROWS for rows in self._of_week.values())

    def _analyze(self, weeks: list[int], whole: bool) -> None:
        with self._connect() as connection:
            there = weeks_with_table(connection)
            for week in weeks:
                if week in there:
                    connection.execute(pg.SQL("ANALYZE {} ({})").format(pg.Identifier(table_of(week)), pg.SQL(_COLUMNS)))
            if not whole:
                return
            row = connection.execute("SELECT pg_try_advisory_lock(%s, %s)", _LOCK).fetchone()
            if row and row[0]:  # else another receiver is at it
                connection.execute(f"ANALYZE spans ({_COLUMNS})")
            row = connection.execute("SELECT reltuples FROM pg_class WHERE oid = 'spans'::regclass").fetchone()
        self._wanted = max(_FIRST_ROWS, int(row[0] * _GROWTH) if row else 0)
