"""Copying a store: everything, once, in bounded memory, and again where it stopped."""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from otel_llm.cli.main import main
from otel_llm.config import Settings
from otel_llm.spans import MetricPoint, Rejection
from otel_llm.store import copying, schema
from otel_llm.store.copying import copy_store
from otel_llm.store.engines.base import Change, Engine
from otel_llm.store.open import open_engine
from tests.endpoints import REQUESTS
from tests.engines import url_of
from tests.query_api.conftest import QueryServer

from .rows import T0, batch, span
from .test_endpoints import FINDINGS, ROWS, ask, assert_equal
from .test_resolution import commit, stored

TABLES = [table for table in schema.metadata.sorted_tables if table not in (schema.schema_versions, schema.login_sessions)]
"""Logins stay where they are: the copy is another server."""


def rows_of(engine: Engine) -> dict[str, list[tuple[object, ...]]]:
    """Every row of every table, in no matter which order."""
    with engine.sql.connect() as connection:
        return {
            table.name: sorted((tuple(row) for row in connection.execute(sa.select(*table.columns))), key=repr)
            for table in TABLES
        }


@pytest.fixture
def source(tmp_path: Path) -> Iterator[Engine]:
    """A DuckDB store with something in every table."""
    server = QueryServer(database_url=f"duckdb:///{tmp_path / 'source.duckdb'}")
    server.store(ROWS, FINDINGS)
    point = MetricPoint("default", b"m" * 16, "name", "s", "histogram", T0, T0, None, "{}", "{}")
    refusal = Rejection("default", T0, "spans", "", "", "bad id", "zero")
    with server.engine.write([]) as session:
        session.apply(Change(metric_points=[point], rejections=[refusal, refusal, refusal._replace(time_ns=T0 + 1)]))
    server.key("team")
    yield server.engine
    server.close()


@pytest.mark.parametrize("middle", ["postgresql", "clickhouse"])
def test_a_copy_holds_the_same_rows(request: pytest.FixtureRequest, tmp_path: Path, source: Engine, middle: str) -> None:
    target = open_engine(url_of(request, middle, tmp_path), Settings())
    copy_store(source, target)
    assert rows_of(target) == rows_of(source)
    again = copy_store(source, target)
    assert again.written.total() == 0
    assert again.seen.total() == sum(map(len, rows_of(source).values()))
    target.close()


def test_around_the_engines_every_endpoint_answers_as_before(
    request: pytest.FixtureRequest, tmp_path: Path, source: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copying, "PAGE_ROWS", 50)
    source.close()
    urls = [
        f"duckdb:///{tmp_path / 'source.duckdb'}",
        url_of(request, "postgresql", tmp_path),
        url_of(request, "clickhouse", tmp_path),
        f"duckdb:///{tmp_path / 'back.duckdb'}",
    ]
    for first, second in pairwise(urls):
        done = CliRunner().invoke(main, ["copy", "--from", first, "--to", second])
        assert done.exit_code == 0, done.output
        assert f"{len(ROWS):,} of them copied" in done.output
    before, after = QueryServer(database_url=urls[0]), QueryServer(database_url=urls[-1])
    # the project of the key made in the source closes the door for callers without one
    for server in (before, after):
        with server.engine.sql.begin() as connection:
            connection.execute(sa.delete(schema.keys))
        server.door.refresh()
    for name in REQUESTS:
        assert_equal(ask(after, name), ask(before, name))
    rows_after, rows_before = rows_of(after.engine), rows_of(before.engine)
    # each source was told where its data went, and the copy of it knows so too
    told = [[row for row in rows["audit"] if "data.copy" in row] for rows in (rows_before, rows_after)]
    assert [len(found) for found in told] == [1, 3]
    rows_after["audit"] = [row for row in rows_after["audit"] if row not in told[1][1:]]
    assert rows_after == rows_before
    before.close()
    after.close()


def test_a_copy_that_was_stopped_goes_on(tmp_path: Path, source: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copying, "PAGE_ROWS", 20)
    target = open_engine(f"duckdb:///{tmp_path / 'target.duckdb'}", Settings())
    looked_at = 0

    def stop_half_way(rows: int) -> None:
        nonlocal looked_at
        looked_at += rows
        if looked_at > len(ROWS) // 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        copy_store(source, target, stop_half_way)
    there = len(rows_of(target)["spans"])
    assert 0 < there < len(ROWS)
    rest = copy_store(source, target)
    assert rest.written["spans"] == len(ROWS) - there
    assert rows_of(target) == rows_of(source)
    target.close()


def test_a_second_run_brings_what_came_and_changed_since(tmp_path: Path) -> None:
    first, second = (open_engine(f"duckdb:///{tmp_path / name}.duckdb", Settings()) for name in "ab")
    commit(first, span(span_id=2, parent=1), span(trace=2))
    copy_store(first, second)
    commit(first, span(span_id=1, session_id="s"), span(trace=3))
    done = copy_store(first, second)
    assert done.written["spans"] == 3, "two came, and one took over a value"
    assert stored(second) == stored(first)
    first.close()
    second.close()


def test_many_spans_of_one_instant_are_copied_page_by_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copying, "PAGE_ROWS", 10)
    pages: list[int] = []
    put = copying._put_spans
    monkeypatch.setattr(copying, "_put_spans", lambda *given: pages.append(len(given[2])) or put(*given))
    first, second = (open_engine(f"duckdb:///{tmp_path / name}.duckdb", Settings()) for name in "ab")
    with first.write([]) as session:
        session.apply(Change(insert=batch(*(span(trace=number) for number in range(1, 96)))))
    copy_store(first, second)
    assert stored(second) == stored(first)
    assert max(pages) <= 10
    first.close()
    second.close()


def test_a_better_copy_in_the_target_stays(tmp_path: Path) -> None:
    first, second = (open_engine(f"duckdb:///{tmp_path / name}.duckdb", Settings()) for name in "ab")
    commit(first, span(name="old"))
    commit(second, span(name="new", attribute_count=9))
    copy_store(first, second)
    assert [row["name"] for row in stored(second).values()] == ["new"]
    first.close()
    second.close()


@pytest.mark.parametrize(
    ("source_url", "target_url", "reason"),
    [
        ("duckdb:///{path}/none.duckdb", "duckdb:///{path}/b.duckdb", "there is no store"),
        ("duckdb:///{path}/a.duckdb", "duckdb:///{path}/a.duckdb", "same store"),
        ("sqlite:///{path}/a.db", "duckdb:///{path}/b.duckdb", "no engine for sqlite"),
    ],
)
def test_copies_that_cannot_be_are_refused_in_one_sentence(
    tmp_path: Path, source_url: str, target_url: str, reason: str
) -> None:
    done = CliRunner().invoke(
        main, ["copy", "--from", source_url.format(path=tmp_path), "--to", target_url.format(path=tmp_path)]
    )
    assert done.exit_code != 0
    assert reason in done.output
    assert not list(tmp_path.iterdir())
