"""Servers for the neutral endpoints."""

from collections.abc import Iterator

import pytest

from tests.query_api.conftest import QueryServer


@pytest.fixture
def v1_server() -> Iterator[QueryServer]:
    """An empty server, open as long as it has no key."""
    server = QueryServer()
    yield server
    server.close()
