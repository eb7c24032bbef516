"""Engines to test against, and small builders of rows."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from otel_llm.config import Settings
from otel_llm.store.engines.base import Engine
from otel_llm.store.open import open_engine


@pytest.fixture
def engine_url(tmp_path: Path) -> str:
    """URL of an empty store of the engine under test."""
    return f"duckdb:///{tmp_path / 'store.duckdb'}"


@pytest.fixture
def engine(engine_url: str) -> Iterator[Engine]:
    """An open, empty engine."""
    opened = open_engine(engine_url, Settings())
    yield opened
    opened.close()
