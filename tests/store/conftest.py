"""Stores of every engine under test."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from otel_llm.config import Settings
from otel_llm.store.engines.base import Engine
from otel_llm.store.open import open_engine
from tests.engines import ENGINES, made_url_of, url_of

if TYPE_CHECKING:
    from otel_llm.store.engines.clickhouse import ClickHouseEngine


@pytest.fixture(params=ENGINES)
def engine_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """URL of an empty store of the engine under test."""
    return url_of(request, str(request.param), tmp_path)


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """An open, empty engine."""
    opened = open_engine(made_url_of(request, str(request.param), tmp_path), Settings())
    yield opened
    opened.close()


@pytest.fixture
def clickhouse(made_clickhouse: Callable[[], str]) -> Iterator["ClickHouseEngine"]:
    """An open, empty ClickHouse engine."""
    from otel_llm.store.engines.clickhouse import ClickHouseEngine

    engine = open_engine(made_clickhouse(), Settings())
    assert isinstance(engine, ClickHouseEngine)
    yield engine
    engine.close()


@pytest.fixture(scope="module", params=ENGINES)
def shared_engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """One store for many examples, each in a project of its own."""
    opened = open_engine(url_of(request, str(request.param), tmp_path_factory.mktemp("shared")), Settings())
    yield opened
    opened.close()
