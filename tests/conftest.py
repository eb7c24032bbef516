"""Fixtures for every folder of tests, and the option ``--slow``."""

import os
from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests.effort import THOROUGH
from tests.engines import clickhouse_folder, clickhouse_http, new_clickhouse, new_postgresql, postgresql_server
from tests.logs import logging_undone

__all__ = ["clickhouse_folder", "clickhouse_http", "new_clickhouse", "new_postgresql", "postgresql_server"]

MOST_WORKERS = 4

# Machines are shared: a time limit for one example says more about the neighbours than about the code.
settings.register_profile("shared", deadline=None)
settings.register_profile(THOROUGH, deadline=None)
settings.load_profile("shared")


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--slow`` runs the long variants too."""
    parser.addoption("--slow", action="store_true", help="run long variants of tests too (minutes each)")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Files at a time for ``-n auto``: each has servers of its own, and tests wait for processes more than they compute."""
    return max(2, min(os.cpu_count() or 1, MOST_WORKERS))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Long variants are skipped unless asked for."""
    if not config.getoption("--slow"):
        for item in items:
            if "slow" in item.keywords:
                item.add_marker(pytest.mark.skip(reason="a long variant, run with --slow"))


@pytest.fixture(autouse=True)
def loggers_as_they_were() -> Iterator[None]:
    """Undoes what a test did to logging."""
    with logging_undone():
        yield
