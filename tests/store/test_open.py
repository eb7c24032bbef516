"""Opening a store: created, recognised, or refused with a sentence that says what to do."""

import subprocess
import sys
from pathlib import Path

import duckdb
import pytest
import sqlalchemy as sa

from otel_llm.config import Settings
from otel_llm.errors import ConfigError, StoreBusy, StoreMismatch
from otel_llm.store import schema
from otel_llm.store.open import open_engine

from .rows import span
from .test_resolution import commit, stored


def test_a_store_is_created_and_opened_again_with_its_data(tmp_path: Path) -> None:
    url = f"duckdb:///{tmp_path / 'store.duckdb'}"
    engine = open_engine(url, Settings())
    commit(engine, span())
    engine.close()
    engine = open_engine(url, Settings())
    assert len(stored(engine)) == 1
    assert commit(engine, span()) == 1, "a restart must not forget what is stored"
    engine.close()


def test_a_database_with_strange_tables_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE TABLE invoices (id INTEGER)")
    with pytest.raises(StoreMismatch, match="invoices"):
        open_engine(f"duckdb:///{path}", Settings())


def test_a_strange_table_named_like_one_of_ours_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "other.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE TABLE spans (a INTEGER)")
    with pytest.raises(StoreMismatch, match="spans"):
        open_engine(f"duckdb:///{path}", Settings())
    with duckdb.connect(str(path)) as connection:
        assert connection.execute("SELECT table_name FROM duckdb_tables()").fetchall() == [("spans",)]


def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "notes.duckdb"
    path.write_text("not a database" * 1_000)
    with pytest.raises(StoreMismatch, match=r"notes\.duckdb"):
        open_engine(f"duckdb:///{path}", Settings())
    assert path.read_text().startswith("not a database")


def test_a_store_of_a_newer_program_is_refused(tmp_path: Path) -> None:
    url = f"duckdb:///{tmp_path / 'store.duckdb'}"
    engine = open_engine(url, Settings())
    with engine.sql.begin() as connection:
        connection.execute(sa.insert(schema.schema_versions).values(version=schema.SCHEMA_VERSION + 1, applied_ns=1))
    engine.close()
    with pytest.raises(StoreMismatch, match="newer"):
        open_engine(url, Settings())


def test_a_file_that_another_process_owns_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "store.duckdb"
    program = f"import duckdb, sys; c = duckdb.connect({str(path)!r}); print('open', flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as owner:
        assert owner.stdout is not None
        owner.stdout.readline()
        with pytest.raises(StoreBusy, match="another process"):
            open_engine(f"duckdb:///{path}", Settings())
        owner.communicate()


@pytest.mark.parametrize("url", ["sqlite:///spans.db", "mysql://host/db", "no url at all"])
def test_a_url_that_no_engine_serves_is_refused_with_those_that_are(url: str) -> None:
    with pytest.raises(ConfigError, match="duckdb:///"):
        open_engine(url, Settings())
