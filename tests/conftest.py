"""Fixtures for every folder of tests, and the option ``--slow``."""

import gc
import os
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import settings

from tests.effort import THOROUGH
from tests.engines import (
    clickhouse_databases,
    clickhouse_folder,
    clickhouse_http,
    made_clickhouse,
    made_duckdb,
    made_postgresql,
    new_clickhouse,
    new_postgresql,
    postgresql_server,
)
from tests.logs import logging_undone

__all__ = [
    "clickhouse_databases",
    "clickhouse_folder",
    "clickhouse_http",
    "made_clickhouse",
    "made_duckdb",
    "made_postgresql",
    "new_clickhouse",
    "new_postgresql",
    "postgresql_server",
]

LONGEST = (
    "tests/dashboard/test_pages.py",
    "tests/durability/test_crash.py",
    "tests/store/test_duckdb_journal.py",
    "tests/cli/test_serve.py",
    "tests/corpus_e2e/test_corpus_e2e.py",
    "tests/interop/test_published_clients.py",
    "tests/store/test_copying.py",
    "tests/query_api/test_oracle.py",
    "tests/store/test_processes.py",
    "tests/store/test_resolution.py",
    "tests/store/test_endpoints.py",
    "tests/fuzz/test_whole_path.py",
    "tests/conventions/test_stencils.py",
    "tests/sdk/test_first_token.py",
    "tests/sdk/test_delivery.py",
    "tests/e2e/test_openai_app.py",
    "tests/examples/test_apps.py",
)
"""Files that take longest, most of it waiting: none of them may be the one that is begun when all others are done. The first
stands for its folder (``tests.scheduling``)."""

# Machines are shared: a time limit for one example says more about the neighbours than about the code.
settings.register_profile("shared", deadline=None)
settings.register_profile(THOROUGH, deadline=None)
settings.load_profile("shared")


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--slow`` runs the long variants too."""
    parser.addoption("--slow", action="store_true", help="run long variants of tests too (minutes each)")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Files at a time for ``-n auto``: two for each core, as tests wait for processes as long as they compute; not many more
    than four, as each has servers of its own."""
    cores = os.cpu_count() or 1
    return min(2 * cores, max(4, cores // 2))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Files go to processes as ``--dist loadfile`` says, but for folders that share."""
    if config.getoption("dist") != "loadfile":
        return None
    from tests.scheduling import LoadFolderOrFile

    return LoadFolderOrFile(config, log)


def pytest_configure() -> None:
    """Garbage is collected as seldom as in a server (``otel_llm.cli.serve``): an eighth of the processor's time went there."""
    gc.set_threshold(50_000, 20, 50)


@pytest.hookimpl(trylast=True)
def pytest_collection_finish() -> None:
    """Modules and tests stay to the end: nobody need look through them again."""
    gc.collect()
    gc.freeze()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """The longest files come first. Long variants are skipped unless asked for."""
    place = {name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(item.nodeid.partition("::")[0], len(LONGEST)))
    if not config.getoption("--slow"):
        for item in items:
            if "slow" in item.keywords:
                item.add_marker(pytest.mark.skip(reason="a long variant, run with --slow"))


@pytest.fixture(autouse=True)
def loggers_as_they_were() -> Iterator[None]:
    """Undoes what a test did to logging."""
    with logging_undone():
        yield
