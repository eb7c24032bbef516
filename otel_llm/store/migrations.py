"""Schema versions: numbered steps, applied once, in order, when a store is opened.

A store knows its version in ``otel_llm_schema``. A newer one is refused, and so is a database that holds tables but not
ours: we never write into a stranger's file.
"""

import time
from collections.abc import Callable, Collection
from typing import Final

import sqlalchemy as sa

from otel_llm.errors import StoreMismatch
from otel_llm.store import schema

Create = Callable[[sa.Connection], None]
"""Makes the tables that a store does not have yet, in the words of its engine."""
Step = Callable[[sa.Connection, Create], None]


def create_missing(connection: sa.Connection) -> None:
    """Makes the tables of the schema that a store does not have yet."""
    # create_all's own check of each table costs 0.8 s and 77 MB on DuckDB
    there = set(sa.inspect(connection).get_table_names())
    missing = [table for table in schema.metadata.sorted_tables if table.name not in there]
    schema.metadata.create_all(connection, tables=missing, checkfirst=False)


def _more_tables(connection: sa.Connection, create: Create) -> None:
    create(connection)


STEPS: dict[int, Step] = {
    2: _more_tables,  # login_sessions
    3: _more_tables,  # trace_places, on DuckDB
}
"""Version -> the step that leads to it from the one before. A new store has the newest version at once."""


PATIENCE_S: Final = 10.0
"""How long tables without a version may be those that another process is just making."""


def migrate(engine: sa.Engine, where: str, create: Create = create_missing, made_one_by_one: Collection[str] = ()) -> None:
    """Brings a store to the current version; ``create`` makes the tables that are missing.

    ``made_one_by_one`` names the tables of an engine that shows each as soon as it is made: another process may be at it.
    Raises StoreMismatch for a foreign database or one of a newer program.
    """
    deadline = time.monotonic() + PATIENCE_S
    while _being_made(engine, made_one_by_one) and time.monotonic() < deadline:
        time.sleep(0.05)
    with engine.begin() as connection:
        tables = set(sa.inspect(connection).get_table_names())
        if schema.schema_versions.name not in tables:
            if tables:  # ours come in one transaction with the version
                names = ", ".join(sorted(tables)[:3])
                raise StoreMismatch(
                    f"{where} holds tables that are not ours ({names}). Point --database-url at a database of its own."
                )
            create(connection)
            _mark(connection, schema.SCHEMA_VERSION)
            return
        version = connection.execute(sa.select(sa.func.max(schema.schema_versions.c.version))).scalar()
        if not version:  # whoever made the tables ended before it could say which they are
            create(connection)
            _mark(connection, schema.SCHEMA_VERSION)
            return
        current = int(version)
        if current > schema.SCHEMA_VERSION:
            raise StoreMismatch(
                f"{where} has schema version {current}, this program knows {schema.SCHEMA_VERSION}: it was written by a newer "
                "otel-llm. Upgrade this one."
            )
        for step in range(current + 1, schema.SCHEMA_VERSION + 1):
            STEPS[step](connection, create)
            _mark(connection, step)


def _being_made(engine: sa.Engine, made_one_by_one: Collection[str]) -> bool:
    """True when there are some of our tables, and no version yet."""
    if not made_one_by_one:
        return False
    with engine.begin() as connection:
        tables = set(sa.inspect(connection).get_table_names())
        if not tables or not tables <= set(made_one_by_one):
            return False
        if schema.schema_versions.name not in tables:
            return True
        return not connection.execute(sa.select(sa.func.max(schema.schema_versions.c.version))).scalar()


def _mark(connection: sa.Connection, version: int) -> None:
    connection.execute(sa.insert(schema.schema_versions).values(version=version, applied_ns=time.time_ns()))
