"""Engines to test against: DuckDB, a throw-away PostgreSQL server, and ClickHouse in this process (chDB)."""

import itertools
import os
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from tests.postgresql_server import NoServerBinary, PostgreSQLServer

if TYPE_CHECKING:
    from tests.clickhouse_http import ClickHouseHTTP

ENGINES = ("duckdb", "postgresql", "clickhouse")
_databases = itertools.count(1)


def lacking(reason: str) -> None:
    """Skips with a reason; fails where every engine must be there (``OTEL_LLM_REQUIRE_ENGINES=1``, as in CI)."""
    if os.environ.get("OTEL_LLM_REQUIRE_ENGINES"):
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[PostgreSQLServer]:
    """A running throw-away server."""
    try:
        import psycopg  # noqa: F401 is it installed
    except ImportError:
        lacking("psycopg is not installed (pip install 'otel-llm[postgres]')")
    try:
        server = PostgreSQLServer()
    except NoServerBinary as missing:
        lacking(str(missing))
    server.start()
    yield server
    server.remove()


@pytest.fixture(scope="session")
def new_postgresql(postgresql_server: PostgreSQLServer) -> Callable[[], str]:
    """Makes an empty database and gives its URL."""

    def make() -> str:
        name = f"store{next(_databases)}"
        admin = sa.create_engine(postgresql_server.url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
        with admin.connect() as connection:
            connection.exec_driver_sql(f"CREATE DATABASE {name}")
        return postgresql_server.url.replace("/postgres", f"/{name}")

    return make


@pytest.fixture(scope="session")
def clickhouse_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the ClickHouse engine of this process (chDB) keeps its data."""
    if find_spec("clickhouse_connect") is None or find_spec("chdb") is None:
        lacking("chdb is not installed (dependency group clickhouse-test)")
    return tmp_path_factory.mktemp("clickhouse").resolve()


@pytest.fixture(scope="session")
def clickhouse_http(clickhouse_folder: Path) -> "Iterator[ClickHouseHTTP]":
    """That engine behind ClickHouse's HTTP interface."""
    from tests.clickhouse_http import ClickHouseHTTP

    server = ClickHouseHTTP(clickhouse_folder)
    yield server
    server.shutdown()
    server.server_close()


class ClickHouseDatabases:
    """Makes empty databases of the ClickHouse engine in this process (chDB).

    A table costs it work all the time, so a database is dropped when the test, or the fixture, that asked for it has ended.
    """

    def __init__(self, folder: Path, run: Callable[[str], object]) -> None:
        self._folder = folder
        self._run = run

    def new(self, request: pytest.FixtureRequest) -> str:
        """Makes one and gives its URL."""
        name = f"store{next(_databases)}"
        self._run(f"CREATE DATABASE {name}")
        request.addfinalizer(lambda: self._run(f"DROP DATABASE {name} SYNC"))
        return f"clickhousedb:///{name}?interface=chdb&path={self._folder}"


@pytest.fixture(scope="session")
def clickhouse_databases(clickhouse_folder: Path) -> Iterator[ClickHouseDatabases]:
    """Databases of that engine.

    One connection stays open: without any, the engine would end and start anew for each store, ever slower as it loads all
    that is in its folder, and leave some fifteen threads behind each time.
    """
    admin = sa.create_engine(f"clickhousedb:///?interface=chdb&path={clickhouse_folder}", poolclass=sa.NullPool)
    with admin.connect() as connection:
        yield ClickHouseDatabases(clickhouse_folder, connection.exec_driver_sql)


@pytest.fixture
def new_clickhouse(request: pytest.FixtureRequest, clickhouse_databases: ClickHouseDatabases) -> Callable[[], str]:
    """Makes an empty database of ClickHouse for a test and gives its URL."""
    return lambda: clickhouse_databases.new(request)


def url_of(request: pytest.FixtureRequest, name: str, tmp_path: Path) -> str:
    """URL of an empty store of a named engine, for as long as whatever requests it."""
    if name == "duckdb":
        return f"duckdb:///{tmp_path / 'store.duckdb'}"
    if name == "clickhouse":
        databases: ClickHouseDatabases = request.getfixturevalue("clickhouse_databases")
        return databases.new(request)
    make: Callable[[], str] = request.getfixturevalue("new_postgresql")
    return make()
