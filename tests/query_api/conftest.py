"""A query API over an empty DuckDB store, asked in process."""

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient

from otel_llm.access import Door, Scope
from otel_llm.access.keys import NewKey
from otel_llm.accounting import Accounting
from otel_llm.budget import Budget
from otel_llm.config import Settings
from otel_llm.latency import LatencyHistogram
from otel_llm.precedence import Precedence
from otel_llm.spans import Finding, SpanBatch
from otel_llm.store import schema
from otel_llm.store.engines.base import Change, Engine
from otel_llm.store.open import open_engine
from otel_llm.store.writer import Writer
from query_api import create_app


class QueryServer:
    """Everything the query API reads from, and a client that asks it."""

    def __init__(self, database_url: str = "duckdb:///:memory:", **settings: Any) -> None:
        self.settings = Settings(database_url=database_url, **settings)
        self.engine: Engine = open_engine(self.settings.database_url, self.settings)
        self.door = Door(self.engine, self.settings)
        self.accounting = Accounting()
        self.budget = Budget(self.settings.ingest_budget_bytes)
        self.writer = Writer(self.engine, lambda batch, rows: None, max_spans=1, margin_ns=0)
        self.commit_latency = LatencyHistogram()
        self.precedence = Precedence()
        self.ports = {"grpc": 4317, "otlp_http": 4318}
        self.app = create_app(SimpleNamespace(**vars(self)))  # type: ignore[arg-type]  # all that the app reads
        self.client: FlaskClient = self.app.test_client()

    def store(self, rows: list[dict[str, Any]], findings: list[Finding] | None = None) -> None:
        """Stores finished rows."""
        with self.engine.write([]) as session:
            session.apply(Change(insert=SpanBatch.of_rows(rows), findings=findings or []))

    def key(self, project: str = "default", scopes: tuple[Scope, ...] = ("read",)) -> NewKey:
        """A new key."""
        new = self.door.register.create_key(project, scopes, actor="test")
        self.door.refresh()
        return new

    def get(self, path: str, **parameters: Any) -> Any:
        """The JSON of a GET that must succeed; a list of values repeats a parameter."""
        response = self.client.get(path, query_string=parameters)
        assert response.status_code == 200, response.text
        return response.get_json()

    def post(self, path: str, body: Any = None, **headers: str) -> Any:
        """The JSON of a POST that must succeed."""
        response = self.client.post(path, json=body, headers=headers) if body is not None else self.client.post(path)
        assert response.status_code == 200, response.text
        return response.get_json()

    def empty(self) -> None:
        """Forgets all spans, keys and projects: faster than a new store for each test."""
        with self.engine.sql.begin() as connection:
            for table in schema.metadata.sorted_tables:
                if table is not schema.schema_versions:
                    connection.execute(sa.delete(table))
        self.door.refresh()

    def close(self) -> None:
        """Closes the store."""
        self.engine.close()


@pytest.fixture(scope="session")
def shared_query_server() -> Iterator[QueryServer]:
    """A server for all tests that use :func:`query_server`."""
    server = QueryServer()
    yield server
    server.close()


@pytest.fixture
def query_server(shared_query_server: QueryServer) -> QueryServer:
    """An empty server, open as long as it has no key."""
    shared_query_server.empty()
    return shared_query_server


@pytest.fixture(scope="module")
def new_query_server() -> Iterator[Callable[..., QueryServer]]:
    """Makes servers with settings; closes them."""
    servers: list[QueryServer] = []

    def make(**settings: Any) -> QueryServer:
        servers.append(QueryServer(**settings))
        return servers[-1]

    yield make
    for server in servers:
        server.close()
