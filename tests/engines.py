"""Engines to test against: DuckDB, a throw-away PostgreSQL server, and ClickHouse in this process (chDB).

A *new* database is empty, as a user's is before the first start. A *made* one has its tables, as after a first start: that is
cheaper where a test does not need to see them being made.
"""

import itertools
import os
import shutil
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pytest
import sqlalchemy as sa

from otel_llm.config import Settings
from otel_llm.store import schema
from otel_llm.store.open import open_engine
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


def _open_once(url: str) -> None:
    """Has the tables made."""
    open_engine(url, Settings()).close()


@pytest.fixture(scope="session")
def made_duckdb(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of DuckDB that was made, to be copied."""
    file = tmp_path_factory.mktemp("made") / "store.duckdb"
    _open_once(f"duckdb:///{file}")
    return file


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
    return lambda: _create(postgresql_server)


@pytest.fixture(scope="session")
def made_postgresql(postgresql_server: PostgreSQLServer) -> Callable[[], str]:
    """Makes a database that has its tables and gives its URL."""
    template = _create(postgresql_server)
    _open_once(template)
    return lambda: _create(postgresql_server, f"TEMPLATE {template.rpartition('/')[2]}")


def _create(server: PostgreSQLServer, how: str = "") -> str:
    """Makes a database of PostgreSQL and gives its URL."""
    name = f"store{next(_databases)}"
    admin = sa.create_engine(server.url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    with admin.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name} {how}")
    return server.url.replace("/postgres", f"/{name}")


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
    """Databases of the ClickHouse engine in this process (chDB).

    A table costs it work all the time, so a database goes when the test, or the fixture, that asked for it has ended: a new one
    is dropped, one that was made is emptied and used again unless a table of it was altered.
    """

    def __init__(self, folder: Path, run: Callable[[str], sa.CursorResult[Any]]) -> None:
        self._folder = folder
        self._run = run
        self._idle: list[str] = []
        self._definitions: dict[str, dict[str, str]] = {}

    def new(self, request: pytest.FixtureRequest) -> str:
        """Makes one and gives its URL."""
        name = self._create()
        request.addfinalizer(lambda: self._drop(name))
        return self._url(name)

    def made(self, request: pytest.FixtureRequest) -> str:
        """Takes one that has its tables, which are empty, and gives its URL."""
        name = self._idle.pop() if self._idle else self._make()
        request.addfinalizer(lambda: self._take_back(name))
        return self._url(name)

    def _make(self) -> str:
        name = self._create()
        _open_once(self._url(name))
        self._definitions[name] = self._defined(name)
        return name

    def _take_back(self, name: str) -> None:
        if self._defined(name) != self._definitions[name]:
            self._drop(name)
            return
        for table in self._definitions[name].keys() - {schema.schema_versions.name}:
            self._run(f"TRUNCATE TABLE {name}.{table}")
        self._idle.append(name)

    def _defined(self, name: str) -> dict[str, str]:
        """Its tables, and how each is defined."""
        found = self._run(f"SELECT name, create_table_query FROM system.tables WHERE database = '{name}'")
        return {str(table): str(query) for table, query in found}

    def _create(self) -> str:
        name = f"store{next(_databases)}"
        self._run(f"CREATE DATABASE {name}")
        return name

    def _drop(self, name: str) -> None:
        self._run(f"DROP DATABASE {name} SYNC")

    def _url(self, name: str) -> str:
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


@pytest.fixture
def made_clickhouse(request: pytest.FixtureRequest, clickhouse_databases: ClickHouseDatabases) -> Callable[[], str]:
    """Takes a database of ClickHouse that has its tables for a test and gives its URL."""
    return lambda: clickhouse_databases.made(request)


def url_of(request: pytest.FixtureRequest, name: str, tmp_path: Path) -> str:
    """URL of an empty store of a named engine, for as long as whatever requests it."""
    return f"duckdb:///{tmp_path / 'store.duckdb'}" if name == "duckdb" else _server_url(request, name, "new")


def made_url_of(request: pytest.FixtureRequest, name: str, tmp_path: Path) -> str:
    """URL of a store of a named engine that has its tables, for as long as whatever requests it."""
    if name == "duckdb":
        file = shutil.copy(request.getfixturevalue("made_duckdb"), tmp_path / "store.duckdb")
        return f"duckdb:///{file}"
    return _server_url(request, name, "made")


def _server_url(request: pytest.FixtureRequest, name: str, state: Literal["new", "made"]) -> str:
    if name == "clickhouse":
        databases: ClickHouseDatabases = request.getfixturevalue("clickhouse_databases")
        return databases.new(request) if state == "new" else databases.made(request)
    make: Callable[[], str] = request.getfixturevalue(f"{state}_postgresql")
    return make()
