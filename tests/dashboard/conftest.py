"""A whole server in this process, and one browser for all tests."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from otel_llm.access.keys import NewKey
from otel_llm.cli.serve import Servers
from otel_llm.collector import Collector
from otel_llm.config import Settings
from otel_llm.spans import Rejection, SpanBatch
from otel_llm.store.engines.base import Change
from tests.dashboard.browser import Browser, browser
from tests.dashboard.story import refusals, story


class DashboardServer:
    """Collector and every server on free ports."""

    def __init__(self, folder: Path) -> None:
        url = f"duckdb:///{folder / 'spans.duckdb'}"
        self.collector = Collector(Settings(database_url=url, api_port=0, grpc_port=0, otlp_http_port=0, shutdown_timeout_s=2))
        self.collector.start()
        self._servers = Servers(self.collector)
        self._servers.start()
        self.url = f"http://127.0.0.1:{self.collector.ports['api']}"
        self.otlp_url = f"http://127.0.0.1:{self.collector.ports['otlp_http']}"

    def store(self, rows: list[dict[str, Any]], rejections: list[Rejection] | None = None) -> None:
        """Stores finished rows."""
        with self.collector.engine.write([]) as session:
            session.apply(Change(insert=SpanBatch.of_rows(rows), rejections=rejections or []))

    def key(self, project: str = "default", scopes: Any = ("read",)) -> NewKey:
        """A new key."""
        new = self.collector.door.register.create_key(project, scopes, actor="test")
        self.collector.door.refresh()
        return new

    def close(self) -> None:
        """Stops everything."""
        self._servers.stop()
        self.collector.stop()


@pytest.fixture(scope="session")
def one_browser() -> Iterator[Browser]:
    """The browser, started once."""
    with browser() as opened:
        yield opened


@pytest.fixture(scope="session")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DashboardServer]:
    """A server that has seen a month of an app."""
    server = DashboardServer(tmp_path_factory.mktemp("told"))
    now = time.time_ns()
    server.store(story(now, traces_a_day=45), refusals(now))
    yield server
    server.close()


@pytest.fixture
def new_server(tmp_path: Path) -> Iterator[Callable[[], DashboardServer]]:
    """Makes an empty server."""
    made: list[DashboardServer] = []

    def make() -> DashboardServer:
        folder = tmp_path / str(len(made))
        folder.mkdir()
        made.append(DashboardServer(folder))
        return made[-1]

    yield make
    for server in made:
        server.close()


@pytest.fixture
def window(one_browser: Browser) -> Iterator[Browser]:
    """A clean window. At its end nothing may have gone wrong in the console: no exception, no broken policy."""
    one_browser.reset()
    yield one_browser
    assert one_browser.complaints() == []


@pytest.fixture
def page(window: Browser, told: DashboardServer) -> Browser:
    """A window on the server that has data."""
    window.base = told.url
    window.forget(told.url)
    return window
