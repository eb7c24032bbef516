"""Runs statements with a time limit and a row limit, so that no question can hold the store."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa

from otel_llm.errors import QueryTimeout
from otel_llm.store.engines.base import Engine
from otel_llm.store.queries.deadlines import Deadlines

Column = sa.ColumnElement[Any]
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

    def first(
        self, statement: AnySelect, keys: Sequence[Column], limit: int, offset: int = 0, *, descending: bool
    ) -> Sequence[AnyRow]:
        """Rows of a statement in the order of some keys, none of which is NULL: ``limit`` of them after ``offset``. Raises
        QueryTimeout."""

        def ordered(some: AnySelect, limit: int, offset: int) -> AnySelect:
            return some.order_by(*(key.desc() if descending else key.asc() for key in keys)).limit(limit).offset(offset)

        lead = keys[0]
        # Rows in the order of a time lie together: to read a few more costs less than to look up those.
        least = self.capabilities.rows_looked_up + 1 if isinstance(lead, sa.Column) else 0
        if offset <= self._max_rows:
            for last in self._in_tables(ordered(statement.with_only_columns(lead), max(1, least), offset + limit - 1))[:1]:
                # That many rows of the table are not behind it, so the wanted ones are not either.
                bounded = statement.where(lead >= last if descending else lead <= last)
                found = self.rows(ordered(bounded, max(limit, least), offset))[:limit]
                if len(found) == limit:
                    return found
                # Some rows of the table do not match together with what is in no table yet.
        return self.rows(ordered(statement, max(limit, least), offset))[:limit]

    def _in_tables(self, statement: AnySelect) -> list[Any]:
        """The values that a statement finds in the tables, where the reader has views of more; none where it has not."""
        with self._watched():
            schema = self._engine.tables_of_views(self._connection)
        if schema is None:
            return []
        return [row[0] for row in self.rows(statement.execution_options(schema_translate_map={None: schema}))]

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
    """A reader whose statements together may take ``timeout_s`` seconds. ``sql`` is ``engine.small_tables`` for who asks for no
    spans."""
    deadline = time.monotonic() + timeout_s
    try:
        connecting = (sql or engine.reads).connect()
    except sa.exc.TimeoutError as error:  # every connection of the pool is busy
        raise QueryTimeout("too many queries at once", RETRY_AFTER_S) from error
    with connecting as connection:
        yield Reader(engine, connection, deadline, max_rows)


def run(engine: Engine, statement: AnySelect, timeout_s: float, *, sql: sa.Engine | None = None) -> Sequence[AnyRow]:
    """All rows of one statement, as :func:`reading`. Raises QueryTimeout."""
    with reading(engine, timeout_s, sql=sql) as reader:
        return reader.rows(statement)
