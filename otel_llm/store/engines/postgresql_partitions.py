"""Makes partitions before they are needed, outside the transactions that write."""

import logging
import threading
import time
from collections.abc import Callable
from typing import Any

import psycopg

from otel_llm.store.engines import postgresql_schema as ddl

log = logging.getLogger(__name__)

_AHEAD_NS = 86_400_000_000_000
"""Next week's table is made a day early, when nobody writes to it yet."""
_RETRY_S = 60.0


class Partitions:
    """The weeks this process knows to have a table."""

    def __init__(self, connect: Callable[[], psycopg.Connection[Any]]) -> None:
        """``connect`` gives a new connection in autocommit mode."""
        self._connect = connect
        self._known: set[int] = set()
        self._not_before = 0.0
        self._guard = threading.Lock()

    def prepare(self, start_from: int, start_to: int) -> None:
        """Makes what is missing for starts in a range (ns). When that fails the rows go to the table of other times, and are
        moved later: never an error."""
        missing = set(ddl.wanted_weeks(start_from, start_to + _AHEAD_NS)) - self._known
        if not missing or time.monotonic() < self._not_before:
            return
        with self._guard:
            try:
                with self._connect() as connection:
                    self._known = ddl.weeks_with_table(connection)
                    ddl.add_weeks(connection, sorted(missing - self._known))
                    self._known |= missing
            except psycopg.Error as error:
                self._not_before = time.monotonic() + _RETRY_S
                log.warning("no partition for new spans yet, they go to %s: %s", ddl.OTHER, error)

    def forget(self) -> None:
        """After partitions were dropped."""
        self._known = set()
