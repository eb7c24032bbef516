"""DuckDB as a store: what a full disk and a stop in the middle of work leave behind."""

import resource
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pytest
import sqlalchemy as sa

from otel_llm.errors import StoreError, StoreUnavailable
from otel_llm.store.engines.base import Change, WriteSession
from otel_llm.store.engines.duckdb import DuckDBEngine
from otel_llm.store.engines.duckdb_journal import JOURNALLED_SPANS
from otel_llm.store.recent import RecentSpans
from otel_llm.store.resolution import _Stored, resolve

from .rows import T0, batch, span
from .test_resolution import HOUR, commit, no_prices, stored


@pytest.fixture(params=[0, JOURNALLED_SPANS], ids=["without a journal", "with a journal"])
def engine(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[DuckDBEngine]:
    """An open store in a file."""
    opened = DuckDBEngine(str(tmp_path / "store.duckdb"), journal_spans=request.param)
    opened.open()
    yield opened
    opened.close()


@contextmanager
def full_disk() -> Iterator[None]:
    """No file of this process may grow beyond a kilobyte."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1024, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def invalidate(engine: DuckDBEngine) -> None:
    """Has a reader make DuckDB give the database up."""
    engine.settle()
    with full_disk(), pytest.raises(sa.exc.DBAPIError), engine.sql.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT").exec_driver_sql("CHECKPOINT")


def test_a_store_whose_checkpoint_failed_goes_on_when_there_is_room_again(engine: DuckDBEngine) -> None:
    readers = engine.sql  # held by others since the start
    commit(engine, span(span_id=1))
    engine.settle()
    with full_disk(), pytest.raises(duckdb.Error, match="invalidated"):
        engine.checkpoint()
    commit(engine, span(span_id=2))
    engine.checkpoint()
    assert len(stored(engine)) == 2
    assert engine.sql is readers


def test_a_store_whose_database_was_invalidated_by_a_reader_goes_on(engine: DuckDBEngine) -> None:
    commit(engine, span(span_id=1))
    invalidate(engine)
    commit(engine, span(span_id=2))
    assert len(stored(engine)) == 2


def test_a_store_that_nobody_writes_to_is_read_again_after_it_was_invalidated(engine: DuckDBEngine) -> None:
    commit(engine, span(span_id=1))
    invalidate(engine)
    assert len(stored(engine)) == 1
    commit(engine, span(span_id=2))
    assert len(stored(engine)) == 2


def test_a_database_invalidated_by_the_commit_at_hand_takes_that_commit_in_its_second_life(engine: DuckDBEngine) -> None:
    commit(engine, span(span_id=1))
    attempts: list[int] = []

    def fails_once(session: WriteSession) -> int:
        attempts.append(1)
        fresh = batch(span(span_id=2), *(span(trace=2, span_id=number) for number in range(JOURNALLED_SPANS)))
        traces = [("default", number.to_bytes(16, "big")) for number in (1, 2)]
        resolution = resolve(fresh, traces, session, HOUR, no_prices)
        session.apply(resolution.change)
        if len(attempts) == 1:
            invalidate(engine)
        return len(resolution.duplicate_rows)

    assert engine.commit([("default", (1).to_bytes(16, "big"))], (), fails_once) == 0
    assert len(attempts) == 2
    assert len(stored(engine)) == 2 + JOURNALLED_SPANS


def test_a_disk_that_stays_full_refuses_each_commit_and_loses_nothing(engine: DuckDBEngine) -> None:
    commit(engine, span(span_id=1))
    invalidate(engine)
    with full_disk():
        for _ in range(2):
            with pytest.raises((duckdb.Error, StoreError, StoreUnavailable)):
                commit(engine, *(span(span_id=number, attributes="x" * 1_000) for number in range(2, 100)))
    commit(engine, span(span_id=2))
    assert len(stored(engine)) == 2


def test_who_changed_a_database_that_is_lost_meanwhile_is_told_what_went_wrong_first(engine: DuckDBEngine) -> None:
    def fails() -> None:
        with engine._transaction() as tables:
            tables.connection.close()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fails()


def test_rows_that_memory_could_not_take_in_are_not_stored_twice(engine: DuckDBEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    def exhausted(*_: object) -> None:
        raise MemoryError

    commit(engine, span(span_id=1))
    with monkeypatch.context() as patch:
        patch.setattr(RecentSpans, "wrote", exhausted)
        with pytest.raises(MemoryError):
            commit(engine, span(span_id=2))
    assert commit(engine, span(span_id=2)) == 1
    assert len(stored(engine)) == 2


def test_a_response_id_that_a_row_has_no_more_does_not_bring_its_old_version_back(engine: DuckDBEngine) -> None:
    first, second = span(span_id=1, response_id="r"), span(span_id=2, response_id="r")
    trace = (first["project"], first["trace_id"])
    engine.commit([trace], (), lambda session: session.apply(Change(insert=batch(first, second))))
    second["response_id"] = None
    engine.commit([trace], (), lambda session: session.apply(Change(replace=batch(second))))

    def loaded(session: WriteSession) -> list[str | None]:
        stored = _Stored(session, T0 - HOUR, T0 + HOUR)
        stored.load([trace], ())
        return [stored.by_key[*trace, row["span_id"]].response_id for row in (first, second)]

    assert engine.commit([trace], (), loaded) == ["r", None]


def test_close_waits_for_the_commit_at_hand_and_refuses_the_next_as_retryable(engine: DuckDBEngine) -> None:
    begun, finish = threading.Event(), threading.Event()

    def slow_commit() -> None:
        with engine.write(()):
            begun.set()
            assert finish.wait(10)

    committing, closing = threading.Thread(target=slow_commit), threading.Thread(target=engine.close)
    committing.start()
    assert begun.wait(10)
    closing.start()
    closing.join(0.1)
    assert closing.is_alive()
    finish.set()
    closing.join(10)
    committing.join(10)
    assert not closing.is_alive()
    with pytest.raises(StoreUnavailable):
        commit(engine, span())


def test_close_does_not_wait_for_a_query(engine: DuckDBEngine) -> None:
    raised: list[Exception] = []
    running = threading.Event()

    def ask() -> None:
        try:
            with engine.sql.connect() as connection:
                running.set()
                connection.exec_driver_sql("SELECT sum(a.range * b.range) FROM range(200000) a, range(200000) b").scalar()
        except sa.exc.DBAPIError as error:
            raised.append(error)

    asking = threading.Thread(target=ask)
    asking.start()
    assert running.wait(10)
    time.sleep(0.3)  # the statement takes minutes; it is running by now
    engine.close()
    asking.join(10)
    assert not asking.is_alive()
    assert raised


def _format_of(engine: DuckDBEngine) -> str:
    with engine._connected().cursor() as cursor:
        (tags,) = cursor.execute("SELECT tags FROM duckdb_databases() WHERE NOT internal").fetchone() or ({},)
    return str(tags["storage_version"])


def test_a_file_in_an_older_format_is_brought_to_ours_with_all_that_is_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = str(tmp_path / 'it\'s "old".duckdb')
    with monkeypatch.context() as patch:
        patch.setattr(DuckDBEngine, "_attach", lambda *_: None)
        old = DuckDBEngine(path)
        old.open()
        commit(old, *(span(span_id=number) for number in range(1, 1_001)))
        old.settle()
        older = _format_of(old)
        old.close()
    engine = DuckDBEngine(path)
    engine.open()
    assert older != _format_of(engine) == "v1.4.0+"
    assert commit(engine, span(span_id=1_000), span(span_id=1_001)) == 1
    engine.checkpoint()
    assert len(stored(engine)) == 1_001
    engine.close()


def test_who_connects_to_the_file_in_the_same_process_shares_the_database(tmp_path: Path) -> None:
    engine = DuckDBEngine(str(tmp_path / "store.duckdb"))
    engine.open()
    commit(engine, span())
    engine.settle()
    with duckdb.connect(engine.path, config=engine._config) as other:
        assert other.execute("SELECT count(*) FROM spans").fetchone() == (1,)
    commit(engine, span(span_id=2))
    assert len(stored(engine)) == 2
    engine.close()


@pytest.mark.parametrize("asked", [True, False], ids=["asked for", "by itself"])
def test_only_a_checkpoint_that_was_asked_for_joins_row_groups_that_deletions_have_thinned_out(
    tmp_path: Path, asked: bool
) -> None:
    engine = DuckDBEngine(str(tmp_path / "store.duckdb"), group_spans=2048)
    engine.open()

    def groups() -> int:
        with engine._connected().cursor() as cursor:
            rows = cursor.execute("SELECT count(DISTINCT row_group_id) FROM pragma_storage_info('spans')").fetchone()
        return int(rows[0]) if rows else 0

    commit(engine, *(span(span_id=number) for number in range(1, 5_001)))
    engine.settle()
    with engine._connected().cursor() as cursor:
        cursor.execute("DELETE FROM spans WHERE rowid % 4 > 0")
        before = groups()
        if asked:
            engine.checkpoint()
        else:
            cursor.execute("CHECKPOINT")
    assert (groups() < before) == asked
    assert len(stored(engine)) == 1_250
    engine.close()
