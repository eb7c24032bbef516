"""DuckDB's search for packages that are not installed is answered without a search, and only that."""

import importlib
import sys
from pathlib import Path

import pytest

from otel_llm.store.engines import duckdb_probing


@pytest.fixture
def probed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """A package that is missing when the finder is installed, and appears afterwards."""
    name = "probed_by_test"
    monkeypatch.setattr(duckdb_probing, "_PROBED", (name,))
    monkeypatch.setattr(duckdb_probing, "_absent", None)
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    duckdb_probing.install()
    (tmp_path / f"{name}.py").write_text("value = 1\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    return name


def test_while_a_statement_runs_a_missing_package_stays_missing_without_a_search(probed: str) -> None:
    with duckdb_probing.statement(), pytest.raises(ModuleNotFoundError):
        importlib.import_module(probed)


def test_an_app_may_import_what_was_installed_later(probed: str) -> None:
    with duckdb_probing.statement():
        pass
    assert importlib.import_module(probed).value == 1
