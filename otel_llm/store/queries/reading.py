"""Runs statements with a time limit and a row limit, so that no question can hold the store."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa

from otel_llm.errors import QueryTimeout
from otel_llm.store.engines.base import Engine
from otel_llm.store.queries.deadlines import Deadlines

AnySelect = sa.Select[*tuple[Any, ...]]
AnyRow = sa.Row[*tuple[Any, ...]]
MAX_ROWS = 2_000_000
"""Most rows of one statement: twice what every documented answer must be able to hold."""
RETRY_AFTER_S = 5.0
"""A query that was stopped is worth another try when the store is less busy."""
_STOP_AGAIN_S = 1.0
"""A statement that waits for a journal to be settled is not running yet, and does not notice that it is stopped: it is told
again until it ends."""
_deadlines = Deadlines(_STOP_AGAIN_S)


class Reader:
    """One connection and one deadline for all statements of one question."""

    def __init__(self, engine: Engine, connection: sa.Connection, deadline: float, max_rows: int) -> None:
        self.functions = engine.functions
        self.capabilities = engine.capabilities
        self._engine = engine
        self._connection = connection
        self._deadline = deadline
        self._max_rows = max_rows

    def rows(self, statement: AnySelect) -> Sequence[AnyRow]:
        """All rows of a statement. Raises QueryTimeout."""
        bounded = statement.limit(self._max_rows + 1) if statement._limit_clause is None else statement
        with self._watched():
            found = self._connection.execute(bounded).fetchall()
        if len(found) > self._max_rows:
            raise QueryTimeout(f"the answer has more than {self._max_rows:,} rows; ask for less at once", RETRY_AFTER_S)
        return found

    def row(self, statement: AnySelect) -> AnyRow:
        """The only row of an ungrouped aggregate. Raises QueryTimeout."""
        return self.rows(statement)[0]

    def any(self, statement: AnySelect) -> bool:
        """True when a statement has rows; the first one ends it. Raises QueryTimeout."""
        return bool(self.rows(statement.limit(1)))

    @contextmanager
    def _watched(self) -> Iterator[None]:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise QueryTimeout("the query took too long; ask for less at once", RETRY_AFTER_S)
        stopped = False

        def stop() -> None:
            nonlocal stopped
            stopped = True
            self._engine.interrupt(self._connection)

        try:
            # An interrupt must never reach the next query of a pooled connection: none comes once the block has ended.
            with _deadlines.watch(self._deadline, stop):
                yield
        except Exception as error:
            if stopped:
                raise QueryTimeout("the query took too long; ask for less at once", RETRY_AFTER_S) from error
            raise


@contextmanager
def reading(engine: Engine, timeout_s: float, max_rows: int = MAX_ROWS, *, sql: sa.Engine | None = None) -> Iterator[Reader]:
    """A reader whose statements together may take ``timeout_s`` seconds. ``sql`` is given by who does not add rows up, which
    ``engine.aggregates`` is for: ``engine.sql`` by who asks for the newest, ``engine.small_tables`` by who asks for none."""
    deadline = time.monotonic() + timeout_s
    try:
        connecting = (sql or engine.aggregates).connect()
    except sa.exc.TimeoutError as error:  # every connection of the pool is busy
        raise QueryTimeout("too many queries at once", RETRY_AFTER_S) from error
    with connecting as connection:
        yield Reader(engine, connection, deadline, max_rows)


def run(engine: Engine, statement: AnySelect, timeout_s: float, *, sql: sa.Engine | None = None) -> Sequence[AnyRow]:
    """All rows of one statement, as :func:`reading`. Raises QueryTimeout."""
    with reading(engine, timeout_s, sql=sql) as reader:
        return reader.rows(statement)
