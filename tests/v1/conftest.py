"""Servers for the neutral endpoints."""

from collections.abc import Iterator

import pytest

from tests.query_api.conftest import QueryServer


@pytest.fixture(scope="session")
def shared_v1_server() -> Iterator[QueryServer]:
    """A server for all tests that use :func:`v1_server`."""
    server = QueryServer()
    yield server
    server.close()


@pytest.fixture
def v1_server(shared_v1_server: QueryServer) -> QueryServer:
    """An empty server, open as long as it has no key."""
    shared_v1_server.empty()
    return shared_v1_server


@pytest.fixture
def own_v1_server() -> Iterator[QueryServer]:
    """An empty server whose counters have counted nothing yet."""
    server = QueryServer()
    yield server
    server.close()
