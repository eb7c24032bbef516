"""Keeps the planner's statistics about ``spans`` fresh.

Autovacuum analyses each partition a minute or so after it grew, and never the partitioned table as a whole. Joins over
traces then run on default guesses: a user filter over 2,400 spans took 5 s before and 14 ms after ANALYZE.
"""

import logging
import threading
import time
from collections.abc import Callable
from typing import Any

import psycopg

from otel_llm.store.engines.postgresql_schema import DDL_LOCK

log = logging.getLogger(__name__)

_FIRST_ROWS = 1_000
_GROWTH = 0.2  # statistics within a fifth of the truth choose the same plans
_REST = 10.0  # pause between two runs, as a multiple of the last one's time
_RETRY_S = 60.0
_LOCK = (DDL_LOCK[0], 2)
_COLUMNS = (
    "project, trace_id, span_id, parent_span_id, start_ns, end_ns, role, counted, provider, request_model, response_model, "
    "user_id, user_name, session_id, trace_name, service_name, response_id"
)
"""What queries filter, join and group by; the other columns would triple the work."""


class Statistics:
    """Counts what this process writes; analyses in the background when the table has grown by a fifth."""

    def __init__(self, connect: Callable[[], psycopg.Connection[Any]]) -> None:
        """``connect`` gives a new connection in autocommit mode."""
        self._connect = connect
        self._fresh = 0
        self._wanted = _FIRST_ROWS
        self._not_before = 0.0
        self._thread: threading.Thread | None = None

    def wrote(self, rows: int) -> None:
        """Takes note of a commit. Only the writer calls this."""
        self._fresh += rows
        running = self._thread is not None and self._thread.is_alive()
        if self._fresh < self._wanted or running or time.monotonic() < self._not_before:
            return
        self._fresh = 0
        self._thread = threading.Thread(target=self._analyze, name="otel-llm-analyze", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Waits for a running ANALYZE, for a moment."""
        if self._thread is not None:
            self._thread.join(5)

    def _analyze(self) -> None:
        started = time.monotonic()
        try:
            with self._connect() as connection:
                row = connection.execute("SELECT pg_try_advisory_lock(%s, %s)", _LOCK).fetchone()
                if row and row[0]:  # else another receiver is at it
                    connection.execute(f"ANALYZE spans ({_COLUMNS})")
                row = connection.execute("SELECT reltuples FROM pg_class WHERE oid = 'spans'::regclass").fetchone()
            rows = max(int(row[0]) if row else 0, 0)
            self._wanted = max(_FIRST_ROWS, int(rows * _GROWTH))
            self._not_before = time.monotonic() + _REST * (time.monotonic() - started)
        except psycopg.Error as error:
            log.info("statistics of spans are not fresh: %s", error)
            self._not_before = time.monotonic() + _RETRY_S
