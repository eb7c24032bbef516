"""The journal in front of DuckDB: whatever happens when, what was committed is there once, and every question sees it."""

import itertools
import logging
import resource
import shutil
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import msgspec
import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from otel_llm.errors import QueryTimeout, StoreBusy, StoreError, StoreMismatch, StoreUnavailable
from otel_llm.spans import FIELD_NAMES, FIELDS, Finding, Rejection, SpanBatch
from otel_llm.store import schema
from otel_llm.store.copying import copy_store
from otel_llm.store.engines import duckdb_journal
from otel_llm.store.engines.base import Change, CostUpdate, WriteSession
from otel_llm.store.engines.duckdb import DuckDBEngine
from otel_llm.store.engines.duckdb_journal import FIRST_BYTES, MOST_BYTES, Journal
from otel_llm.store.queries.reading import run
from otel_llm.store.recent import GENERATIONS
from otel_llm.store.writer import Work, Writer

from .rows import SECOND, T0, batch, span
from .test_resolution import HOUR, commit, no_prices, stored

COUNT = sa.select(sa.func.count()).select_from(schema.spans)
SMALL = 128
LARGE = SMALL + 1
GROUP = 2048
_projects = itertools.count()


@pytest.fixture(autouse=True, scope="module")
def arrays() -> Iterator[None]:
    """Commits of one or two spans are journalled as lists, larger ones as Arrow arrays."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(duckdb_journal, "ARROW_SPANS", 3)
        yield


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[DuckDBEngine]:
    """An open store in a file."""
    (tmp_path / "first").mkdir()
    opened = DuckDBEngine(str(tmp_path / "first" / "store.duckdb"), journal_spans=SMALL, group_spans=GROUP)
    opened.open()
    yield opened
    opened.close()


@pytest.fixture
def crashed(engine: DuckDBEngine, tmp_path: Path) -> Iterator[Callable[..., DuckDBEngine]]:
    """Opens what is on disk at this moment, as after ``kill -9``; the journal's bytes may be changed before."""
    copies: list[DuckDBEngine] = []

    def reopen(damage: Callable[[bytearray], None] | None = None, of: DuckDBEngine = engine) -> DuckDBEngine:
        folder = tmp_path / f"crash{len(copies)}"
        with of._change_lock:  # a copy takes a while, and must be of one moment
            shutil.copytree(Path(of.path).parent, folder)
        path = folder / Path(of.path).name
        if damage is not None:
            content = bytearray(journal_of(path).read_bytes())
            damage(content)
            journal_of(path).write_bytes(content)
        copies.append(DuckDBEngine(str(path)))
        copies[-1].open()
        return copies[-1]

    yield reopen
    for copy in copies:
        copy.close()


def journal_of(path: str | Path) -> Path:
    """The journal beside a database."""
    return Path(f"{path}.journal")


def pending(engine: DuckDBEngine) -> int:
    """Spans that are in the journal only."""
    return engine.journal.pending_spans


def spans(engine: DuckDBEngine) -> int:
    """Stored spans, each once."""
    return len(stored(engine))


def large(trace: int = 99) -> list[dict[str, Any]]:
    """More spans than a commit that is journalled has."""
    return [span(trace=trace, span_id=number) for number in range(1, LARGE + 1)]


@contextmanager
def full_disk(most: int = 1024) -> Iterator[None]:
    """No file of this process may grow beyond some bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


# -- what is journalled


def test_a_small_commit_is_journalled_and_a_large_one_goes_into_the_database(engine: DuckDBEngine) -> None:
    commit(engine, span())
    assert pending(engine) == 1
    assert engine.journal.appends == 1
    commit(engine, *large())
    assert pending(engine) == 0, "what came before is in the database before"
    assert engine.journal.appends == 1
    assert spans(engine) == 1 + LARGE


def test_a_commit_that_says_no_more_than_what_is_stored_writes_what_it_refused_alone(engine: DuckDBEngine) -> None:
    refused = Rejection("default", T0, "spans", "", "", "no_id", "a span without an id")
    engine.commit((), (), lambda session: session.apply(Change()))
    assert engine.journal.appends == 0
    engine.commit((), (), lambda session: session.apply(Change(rejections=[refused])))
    assert engine.journal.appends == 1
    with engine.sql.connect() as connection:
        assert [tuple(row) for row in connection.execute(sa.select(schema.rejections))] == [tuple(refused)]


def test_a_finding_goes_into_the_database_which_knows_whether_it_is_there(engine: DuckDBEngine) -> None:
    finding = Finding("default", b"t" * 16, b"s" * 8, b"f" * 16, T0, "p", "", "alert", "", "test")

    def left_out(trace: int) -> set[tuple[str, bytes]]:
        change = Change(insert=batch(span(trace=trace)), findings=[finding])
        return set(engine.commit((), (), lambda session: session.apply(change)).findings)

    assert [left_out(1), left_out(2)] == [set(), {("default", b"f" * 16)}]
    assert engine.journal.appends == 0
    assert spans(engine) == 2


@pytest.mark.parametrize("more", [0, 7], ids=["lists", "arrays"])
@pytest.mark.parametrize(
    "wrong",
    [{"input_tokens": 2**70}, {"input_tokens": 2**63}, {"name": None}, {"name": "\ud800"}, {"kind": "client"}],
    ids=["no integer", "no signed integer", "missing", "no text", "of another type"],
)
def test_a_row_that_the_database_would_refuse_is_refused_at_once(
    engine: DuckDBEngine, wrong: dict[str, Any], more: int
) -> None:
    commit(engine, span(span_id=1))
    with pytest.raises((duckdb.Error, OverflowError, UnicodeError, TypeError)):
        commit(engine, span(span_id=2, **wrong), *(span(span_id=number) for number in range(4, 4 + more)))
    commit(engine, span(span_id=3))
    assert {key[1][-1] for key in stored(engine)} == {1, 3}


@pytest.mark.parametrize(
    "odd",
    [
        {"input_tokens": True},
        {"kind": False},
        {"cost_reported": 2**53 + 1},
        {"cost_reported": True},
        {"cost_reported": 2**2000},
        {"is_streaming": 1},
        {"input_tokens": 1.0},
        {"name": b"chat"},
        {"suppressed_by": "text"},
        {"suppressed_by": bytearray(b"bytes")},
        {"error": None},
        {"name": type("Text", (str,), {})("chat")},
    ],
    ids=str,
)
@pytest.mark.parametrize("others", [0, 1, 5])
@pytest.mark.parametrize("throughout", [False, True])
def test_a_value_of_another_type_is_stored_or_refused_as_without_a_journal(
    with_and_without: tuple[DuckDBEngine, DuckDBEngine], odd: dict[str, Any], others: int, throughout: bool
) -> None:
    project = f"p{next(_projects)}"
    outcomes = []
    for engine in with_and_without:
        rows = [span(span_id=1, **odd), *(span(span_id=2 + at, **(odd if throughout else {})) for at in range(others))]
        change = Change(insert=batch(*(row | {"project": project} for row in rows)))
        refused = None
        try:
            engine.commit((), (), lambda session, change=change: session.apply(change))  # type: ignore[misc]
        except (duckdb.Error, OverflowError, UnicodeError, TypeError) as error:
            refused = type(error)
        outcomes.append((refused, stored(engine, project)))
    assert outcomes[0] == outcomes[1]


@pytest.fixture(scope="module")
def with_and_without(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[DuckDBEngine, DuckDBEngine]]:
    """A store with a journal and one without."""
    folder = tmp_path_factory.mktemp("with and without")
    engines = (DuckDBEngine(str(folder / "journal"), journal_spans=SMALL), DuckDBEngine(str(folder / "plain"), journal_spans=0))
    for engine in engines:
        engine.open()
    yield engines
    for engine in engines:
        engine.close()


def test_values_at_their_bounds_are_stored_as_they_are(engine: DuckDBEngine) -> None:
    row = span(input_tokens=2**63 - 1, output_tokens=-(2**63), cost_reported=1, cost_computed=float("inf"), name="\0é😀")
    commit(engine, row)
    assert engine.journal.appends == 1
    (found,) = stored(engine).values()
    assert {name: found[name] for name in row} == row


@pytest.mark.parametrize("place", ["before", "after"])
def test_a_session_that_asks_the_database_writes_into_it(engine: DuckDBEngine, place: str) -> None:
    commit(engine, span(span_id=1))

    def work(session: WriteSession) -> int:
        if place == "after":
            session.apply(Change(insert=batch(span(span_id=2))))
        rows = session.fetch([("default", (1).to_bytes(16, "big"), number.to_bytes(8, "big")) for number in (1, 2)], T0, T0)
        if place == "before":
            session.apply(Change(insert=batch(span(span_id=2))))
        return rows.size

    assert engine.commit([("default", (1).to_bytes(16, "big"))], (), work) == (1 if place == "before" else 2)
    assert pending(engine) == 0
    assert commit(engine, span(span_id=2)) == 1, "memory knows it"
    assert spans(engine) == 2


def test_a_unit_of_work_that_fails_leaves_nothing(engine: DuckDBEngine) -> None:
    def fails(session: WriteSession) -> None:
        session.apply(Change(insert=batch(span())))
        raise KeyError("something else went wrong")

    with pytest.raises(KeyError):
        engine.commit([("default", (1).to_bytes(16, "big"))], (), fails)
    assert (pending(engine), spans(engine)) == (0, 0)
    assert commit(engine, span()) == 0


def test_what_is_pending_is_bounded_in_spans(engine: DuckDBEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duckdb_journal, "MOST_PENDING_SPANS", 3 * SMALL)
    for trace in range(1, 6):
        commit(engine, *(span(trace=trace, span_id=number) for number in range(1, SMALL + 1)))
        assert pending(engine) <= 3 * SMALL
    assert engine.journal.settlements == 1
    assert pending(engine) == 2 * SMALL
    assert spans(engine) == 5 * SMALL


def test_what_is_pending_is_bounded_in_bytes(engine: DuckDBEngine, crashed: Callable[..., DuckDBEngine]) -> None:
    text = "x" * (FIRST_BYTES - 10_000)
    for number in range(1, 12):
        commit(engine, span(span_id=number, attributes=text))
        assert journal_of(engine.path).stat().st_size == min(number * FIRST_BYTES, MOST_BYTES)
    assert engine.journal.settlements == 1
    assert spans(crashed()) == 11
    commit(engine, span(span_id=12, attributes="x" * MOST_BYTES))
    assert pending(engine) == 0
    assert spans(engine) == 12


# -- visible at once


def _by_a_new_connection(engine: DuckDBEngine) -> int:
    with engine.sql.connect() as connection:
        return int(connection.execute(COUNT).scalar_one())


def _in_a_transaction(engine: DuckDBEngine) -> int:
    with engine.sql.begin() as connection:
        return int(connection.execute(COUNT).scalar_one())


def _by_driver_sql(engine: DuckDBEngine) -> int:
    with engine.sql.connect() as connection:
        return int(connection.exec_driver_sql("SELECT count(*) FROM spans").scalar_one())


def _by_a_reader(engine: DuckDBEngine) -> int:
    return int(run(engine, COUNT, 10)[0][0])


def _by_copying(engine: DuckDBEngine) -> int:
    target = DuckDBEngine("")
    target.open()
    copy_store(engine, target)
    copied = spans(target)
    target.close()
    return copied


def _by_a_deletion(engine: DuckDBEngine) -> int:
    return engine.delete_oldest(None, 2**62, 100).spans


def _by_new_costs(engine: DuckDBEngine) -> int:
    update = CostUpdate("default", (1).to_bytes(16, "big"), (1).to_bytes(8, "big"), T0, None, 1.0, "test")
    return engine.update_costs([update])


def _by_a_checkpoint(engine: DuckDBEngine) -> int:
    engine.checkpoint()
    assert pending(engine) == 0
    return 1


def _by_the_used_bytes(engine: DuckDBEngine) -> int:
    assert engine.used_bytes() > 0
    assert pending(engine) == 0
    return 1


@pytest.mark.parametrize(
    "look",
    [
        _by_a_new_connection,
        _in_a_transaction,
        _by_driver_sql,
        _by_a_reader,
        _by_copying,
        _by_a_deletion,
        _by_new_costs,
        _by_a_checkpoint,
        _by_the_used_bytes,
    ],
)
def test_what_is_committed_is_seen(engine: DuckDBEngine, look: Callable[[DuckDBEngine], int]) -> None:
    commit(engine, span())
    assert pending(engine) == 1
    assert look(engine) == 1


def test_a_connection_that_is_kept_sees_each_commit(engine: DuckDBEngine) -> None:
    with engine.sql.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for number in range(1, 4):
            commit(engine, span(span_id=number))
            assert connection.execute(COUNT).scalar_one() == number
    with engine.sql.connect() as connection:
        for number in range(4, 7):
            commit(engine, span(span_id=number))
            assert connection.execute(COUNT).scalar_one() == number
            connection.rollback()


def test_a_store_in_memory_does_the_same_without_a_file() -> None:
    engine = DuckDBEngine("")
    engine.open()
    commit(engine, span())
    assert pending(engine) == 1
    assert spans(engine) == 1
    assert commit(engine, span()) == 1
    engine.close()


def test_every_commit_is_seen_by_whoever_asks_after_it_while_others_commit(engine: DuckDBEngine) -> None:
    committed = 0
    done = threading.Event()
    wrong: list[tuple[int, int]] = []
    looks = []

    def watch() -> None:
        while not done.is_set():
            least = committed
            seen = _by_a_new_connection(engine)
            looks.append(seen)
            if seen < least:
                wrong.append((least, seen))

    watching = [threading.Thread(target=watch) for _ in range(2)]
    for thread in watching:
        thread.start()
    for number in range(1, 151):
        commit(engine, span(trace=number, span_id=number))
        committed = number
    done.set()
    for thread in watching:
        thread.join(30)
        assert not thread.is_alive()
    assert not wrong
    assert len(set(looks)) > 3
    assert engine.journal.appends == 150


def test_who_has_the_turn_may_ask(engine: DuckDBEngine) -> None:
    commit(engine, span())

    def asks(session: WriteSession) -> int:
        session.apply(Change(insert=batch(span(span_id=2))))
        return _by_a_new_connection(engine)

    assert engine.commit([("default", (1).to_bytes(16, "big"))], (), asks) <= 1
    assert spans(engine) == 2


# -- stopped and started


def test_a_store_that_was_closed_is_one_file_with_everything_in_it(engine: DuckDBEngine) -> None:
    commit(engine, span())
    engine.close()
    assert [each.name for each in Path(engine.path).parent.iterdir()] == ["store.duckdb"]
    with duckdb.connect(engine.path, read_only=True) as plain:
        assert plain.execute("SELECT count(*) FROM spans").fetchone() == (1,)
    engine.open()
    commit(engine, span(trace=2))
    assert pending(engine) == 1, "what was stored before is known, so nothing had to be asked"
    assert commit(engine, span()) == 1
    assert spans(engine) == 2


def test_what_is_pending_when_the_process_ends_is_there_afterwards(
    engine: DuckDBEngine, crashed: Callable[..., DuckDBEngine]
) -> None:
    commit(engine, *large())
    for number in range(1, 4):
        commit(engine, span(span_id=number))
    again = crashed()
    assert pending(again) == 0
    assert spans(again) == LARGE + 3
    assert commit(again, span(span_id=2)) == 1
    assert spans(crashed(of=again)) == LARGE + 3


def test_what_was_settled_is_not_inserted_again(engine: DuckDBEngine, crashed: Callable[..., DuckDBEngine]) -> None:
    for number in range(1, 4):
        commit(engine, span(span_id=number))
    engine.settle()
    assert spans(crashed()) == 3, "the file still holds all three entries"
    commit(engine, span(span_id=4))
    assert spans(crashed()) == 4, "the first was overwritten, two are left over"
    engine.settle()
    assert spans(crashed()) == 4


def test_a_settlement_that_was_committed_though_nobody_was_told_is_not_done_again(
    engine: DuckDBEngine, crashed: Callable[..., DuckDBEngine], monkeypatch: pytest.MonkeyPatch
) -> None:
    def dies(*_: object) -> None:
        raise duckdb.FatalException("the database was invalidated")

    commit(engine, span(span_id=1))
    with monkeypatch.context() as patch:
        patch.setattr(Journal, "settled", dies)
        with pytest.raises(duckdb.FatalException):
            engine.checkpoint()
    commit(engine, span(span_id=2))
    assert spans(crashed()) == 2
    assert spans(engine) == 2


def test_a_settlement_that_nobody_was_told_of_frees_the_file(engine: DuckDBEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    def dies(*_: object) -> None:
        raise duckdb.FatalException("the database was invalidated")

    rows = [span(trace=number, attributes=f'{{"a":"{"x" * 999_000}"}}') for number in range(1, 9)]
    for row in rows:
        commit(engine, row)
    with monkeypatch.context() as patch:
        patch.setattr(Journal, "settled", dies)
        with pytest.raises(duckdb.FatalException):
            engine.checkpoint()
    assert commit(engine, span(trace=9, attributes=rows[0]["attributes"])) == 0
    assert journal_of(engine.path).stat().st_size == FIRST_BYTES
    assert spans(engine) == 9


@pytest.mark.parametrize("kept", [0, 5, 31, 35, 36, 60, 700])
def test_a_torn_entry_is_none(engine: DuckDBEngine, crashed: Callable[..., DuckDBEngine], kept: int) -> None:
    commit(engine, span(span_id=1))
    first = engine._journal._position
    commit(engine, span(span_id=2))
    assert engine._journal._position > first + kept or kept > 500

    def tear(content: bytearray) -> None:
        last = engine._journal._position
        content[min(first + kept, last - 1) :] = bytes(len(content) - min(first + kept, last - 1))

    again = crashed(tear)
    assert {key[1][-1] for key in stored(again)} == {1}
    commit(again, span(span_id=3))
    assert {key[1][-1] for key in stored(crashed(of=again))} == {1, 3}


def test_a_damaged_entry_is_missed_and_told_and_those_after_it_are_there(
    engine: DuckDBEngine, crashed: Callable[..., DuckDBEngine], caplog: pytest.LogCaptureFixture
) -> None:
    ends = []
    for number in range(1, 5):
        commit(engine, span(span_id=number))
        ends.append(engine._journal._position)

    def flip(content: bytearray) -> None:
        content[ends[0] + 200] ^= 16

    with caplog.at_level(logging.ERROR):
        again = crashed(flip)
    assert {key[1][-1] for key in stored(again)} == {1, 3, 4}
    assert "1 entries of the journal are damaged" in caplog.text
    assert len(list(Path(again.path).parent.glob("store.duckdb.journal.*"))) == 1, "kept to be looked at"


def test_entries_of_an_earlier_round_are_no_damage(
    engine: DuckDBEngine, crashed: Callable[..., DuckDBEngine], caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(1, 6):
        commit(engine, span(span_id=number))
    engine.settle()
    commit(engine, span(span_id=6, attributes="longer than the others"))
    commit(engine, span(span_id=7, attributes="{}" * 200))
    with caplog.at_level(logging.WARNING):
        assert spans(crashed()) == 7
    assert not caplog.records


def test_the_journal_of_another_store_is_kept_and_not_read(
    engine: DuckDBEngine, crashed: Callable[..., DuckDBEngine], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    other = DuckDBEngine(str(tmp_path / "other.duckdb"))
    other.open()
    commit(other, span(trace=7))
    foreign = journal_of(other.path).read_bytes()
    commit(engine, span(span_id=1))
    engine.settle()

    def swap(content: bytearray) -> None:
        content[:] = foreign

    with caplog.at_level(logging.WARNING):
        again = crashed(swap)
    assert {key[0][-1] for key in stored(again)} == {1}
    (kept,) = Path(again.path).parent.glob("store.duckdb.journal.*")
    assert kept.read_bytes() == foreign
    assert str(kept) in caplog.text
    other.close()


def test_the_journal_of_a_later_state_of_the_database_is_kept_and_not_read(
    engine: DuckDBEngine, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    commit(engine, span(span_id=1))
    engine.checkpoint()
    backup = tmp_path / "backup.duckdb"
    shutil.copy(engine.path, backup)
    commit(engine, span(span_id=2))
    engine.settle()
    commit(engine, span(span_id=3))
    shutil.copy(journal_of(engine.path), journal_of(backup))
    with caplog.at_level(logging.WARNING):
        restored = DuckDBEngine(str(backup))
        restored.open()
    assert {key[1][-1] for key in stored(restored)} == {1}
    assert len(list(tmp_path.glob("backup.duckdb.journal.*"))) == 1
    restored.close()


def test_a_store_of_an_earlier_version_gets_its_journal(tmp_path: Path) -> None:
    path = str(tmp_path / "old.duckdb")
    before = DuckDBEngine(path, journal_spans=0)
    before.open()
    commit(before, span(span_id=1))
    before.close()
    with duckdb.connect(path) as plain:
        plain.execute("DROP TABLE otel_llm_journal")
    after = DuckDBEngine(path)
    after.open()
    commit(after, span(trace=2))
    assert pending(after) == 1
    assert spans(after) == 2
    after.close()


def test_an_entry_that_this_version_cannot_read_is_not_passed_over(engine: DuckDBEngine, tmp_path: Path) -> None:
    draft = engine._journal.draft(Change(insert=batch(span())))
    assert draft is not None
    engine._journal.reserve(draft)
    entry = bytearray(bytes(draft.entry).replace(b"trace_id", b"trace_ID"))
    engine._journal.append(draft._replace(entry=memoryview(entry)), 0)
    folder = tmp_path / "copy"
    shutil.copytree(Path(engine.path).parent, folder)
    again = DuckDBEngine(str(folder / "store.duckdb"))
    for _ in range(2):
        with pytest.raises(StoreMismatch, match="another version"):
            again.open()
    assert journal_of(again.path).exists()


def test_entries_of_an_earlier_version_are_read(engine: DuckDBEngine, crashed: Callable[..., DuckDBEngine]) -> None:
    """They have no constants, or no arrays."""
    refused = Rejection("default", T0, "spans", "", "", "no_id", "a span without an id")
    header = bytes(duckdb_journal._HEADER.size)
    engine._journal._ready()
    for trace, has_same in ((1, False), (2, True)):
        change = Change(insert=batch(*many(trace, 2)), rejections=[refused])
        columns = change.insert.filled_columns()
        same = {"project": columns.pop("project")[0]} if has_same else {}
        payload = msgspec.msgpack.encode([2, columns, [refused], 0, *([same] if has_same else [])])
        draft = duckdb_journal.Draft(memoryview(bytearray(header + payload)), change)
        place = engine._journal.reserve(draft)
        assert place is not None
        engine._journal.append(draft, place)
    again = crashed()
    assert stored(again) == stored(engine)
    assert spans(again) == 4
    with again.sql.connect() as connection:
        assert len(connection.execute(sa.select(schema.rejections)).all()) == 2


_values: dict[str, st.SearchStrategy[Any]] = {
    "text": st.one_of(st.text(), st.sampled_from(["", "\0", "a\0b", "é😀", "x" * 100_000])),
    "json": st.sampled_from(["{}", '{"a":"é"}', "[]"]),
    "int": st.one_of(st.integers(-(2**63), 2**63 - 1), st.just(0)),
    "float": st.one_of(st.floats(), st.integers(1, 5)),
    "bool": st.booleans(),
    "bytes": st.one_of(st.binary(max_size=20), st.sampled_from([b"", b"\0" * 16])),
}


@st.composite
def _batches(draw: st.DrawFn) -> SpanBatch:
    size = draw(st.integers(1, 20))
    columns = {}
    optional = draw(st.sets(st.sampled_from(FIELDS), max_size=8))
    for field in FIELDS:
        if field.required or field in optional:
            values = _values[field.type] if field.required else st.one_of(st.none(), _values[field.type])
            few = draw(st.lists(values, min_size=1, max_size=4))
            columns[field.name] = draw(st.lists(st.sampled_from(few), min_size=size, max_size=size))
    return SpanBatch.of_columns(columns, size)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DuckDBEngine]:
    """A store for the examples of one test."""
    engine = DuckDBEngine(str(tmp_path_factory.mktemp("kept") / "store.duckdb"))
    engine.open()
    yield engine
    engine.close()


def _values_of(batch: SpanBatch) -> list[list[str]]:
    """The values of each row, as they are stored: NaN is like itself, -0.0 is not 0.0, 1.0 is not 1."""
    floats = {field.name for field in FIELDS if field.type == "float"}
    columns = [
        [repr(float(value) if name in floats and value is not None else value) for value in batch[name]] for name in FIELD_NAMES
    ]
    return list(map(list, zip(*columns, strict=True)))


@settings(max_examples=40, deadline=None)
@given(_batches())
def test_whatever_is_in_the_fields_is_found_in_the_journal(kept: DuckDBEngine, made: SpanBatch) -> None:
    kept.settle()
    with kept._connected().cursor() as cursor:
        cursor.execute("DELETE FROM spans")
    kept.commit((), (), lambda session: session.apply(Change(insert=made)))
    journal = kept._journal
    assert pending(kept) == made.size
    found = duckdb_journal._read(journal_of(kept.path).read_bytes(), journal._store, journal._settled, journal._sequence)
    (entry,) = found.pending
    assert not found.missing
    assert _values_of(entry.insert) == _values_of(made)
    kept.settle()
    with kept._connected().cursor() as cursor:
        names = ", ".join(FIELD_NAMES)
        stored_rows = cursor.execute(f"SELECT {names} FROM spans").fetchall()
    columns = dict(zip(FIELD_NAMES, map(list, zip(*stored_rows, strict=True)), strict=True))
    assert sorted(_values_of(SpanBatch.of_columns(columns, len(stored_rows)))) == sorted(_values_of(made))


def test_commits_of_all_sizes_are_settled_in_order(engine: DuckDBEngine, crashed: Callable[..., DuckDBEngine]) -> None:
    refused = Rejection("default", T0, "spans", "", "", "no_id", "a span without an id")
    for trace, size in enumerate([1, 1, 5, 1, 100, 2, 2], start=1):
        commit(engine, *(span(trace=trace, span_id=number, output_tokens=number) for number in range(1, size + 1)))
    engine.commit((), (), lambda session: session.apply(Change(rejections=[refused])))
    kinds = [type(entry.insert) is SpanBatch for entry in engine._journal.pending]
    assert kinds == [True, True, False, True, False, True, True, True]
    half = engine._journal.due(50)
    assert half.change.insert.size == 50
    with engine._changing():
        engine._settle(50)
    again = crashed()
    assert stored(again) == stored(engine)
    assert spans(engine) == 112


def test_a_journal_that_grows_lets_others_settle(engine: DuckDBEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    extend = duckdb_journal._extend

    def slow(*arguments: Any) -> None:
        thread = threading.Thread(target=engine.settle)
        thread.start()
        thread.join(20)
        assert not thread.is_alive(), "it waits for the file"
        extend(*arguments)

    commit(engine, span(span_id=1, attributes="x" * FIRST_BYTES))
    monkeypatch.setattr(duckdb_journal, "_extend", slow)
    commit(engine, span(span_id=2, attributes="x" * 2 * FIRST_BYTES))
    assert engine.journal.settlements == 1
    assert spans(engine) == 2


def test_a_journal_whose_owner_lives_is_left_alone(engine: DuckDBEngine) -> None:
    commit(engine, span())
    second = DuckDBEngine(engine.path)
    with pytest.raises(StoreBusy):
        second.open()
    second.close()
    assert journal_of(engine.path).exists()
    assert pending(engine) == 1
    assert spans(engine) == 1


def test_the_journal_lies_beside_the_database_wherever_the_process_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, then = tmp_path / "first", tmp_path / "then"
    first.mkdir()
    then.mkdir()
    monkeypatch.chdir(first)
    engine = DuckDBEngine("store.duckdb")
    engine.open()
    monkeypatch.chdir(then)
    commit(engine, span(span_id=1))
    engine._broken = True
    commit(engine, span(span_id=2))
    assert spans(engine) == 2
    assert list(then.iterdir()) == []
    assert journal_of(first / "store.duckdb").exists()
    engine.close()


# -- when it fails


def test_an_entry_that_cannot_be_written_is_refused_and_the_next_one_is_not(
    engine: DuckDBEngine, crashed: Callable[..., DuckDBEngine]
) -> None:
    commit(engine, span(span_id=1))
    with full_disk(1), pytest.raises(StoreUnavailable):
        commit(engine, span(span_id=2))
    assert {key[1][-1] for key in stored(crashed())} == {1}
    assert commit(engine, span(span_id=2)) == 0
    assert commit(engine, span(span_id=3)) == 0
    assert {key[1][-1] for key in stored(crashed())} == {1, 2, 3}
    assert spans(engine) == 3


@pytest.mark.parametrize("again", [1, LARGE], ids=["small", "large"])
def test_an_entry_that_was_written_though_it_was_refused_is_not_found_beside_its_repetition(
    engine: DuckDBEngine,
    crashed: Callable[..., DuckDBEngine],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    again: int,
) -> None:
    def fails(*_: object) -> None:
        raise OSError("input/output error")

    commit(engine, span(span_id=1))
    with monkeypatch.context() as patch:
        patch.setattr(duckdb_journal, "_sync", fails)
        with pytest.raises(StoreUnavailable):
            commit(engine, span(trace=99, span_id=1))
    assert spans(crashed()) in (1, 2), "refused, but it may be there"
    assert commit(engine, *large()[:again]) == 0
    assert spans(crashed()) == 1 + again
    assert "damaged" not in caplog.text
    assert spans(engine) == 1 + again
    engine.close()
    assert not journal_of(engine.path).exists()


def test_a_journal_that_cannot_be_written_is_made_anew(engine: DuckDBEngine, crashed: Callable[..., DuckDBEngine]) -> None:
    commit(engine, span(span_id=1))
    with journal_of(engine.path).open("rb", buffering=0) as read_only:  # as good as a block that is bad
        engine._journal._file = read_only
        with pytest.raises(StoreUnavailable):
            commit(engine, span(span_id=2))
    assert commit(engine, span(span_id=2)) == 0
    assert pending(engine) == 1
    assert spans(crashed()) == 2
    assert spans(engine) == 2


def test_without_room_for_a_journal_commits_go_into_the_database(
    engine: DuckDBEngine, caplog: pytest.LogCaptureFixture
) -> None:
    with full_disk(FIRST_BYTES // 2), caplog.at_level(logging.WARNING):
        commit(engine, span(span_id=1))
        commit(engine, span(span_id=2))
        assert not journal_of(engine.path).exists()
        assert spans(engine) == 2
    assert caplog.text.count("there is no journal") == 1


def test_a_settlement_that_fails_refuses_readers_and_loses_nothing(
    engine: DuckDBEngine, crashed: Callable[..., DuckDBEngine]
) -> None:
    rows = [span(span_id=number, attributes="x" * 10_000) for number in range(1, 51)]
    commit(engine, *rows)
    with full_disk():
        for _ in range(2):
            with pytest.raises(StoreUnavailable):
                _by_a_new_connection(engine)
        with pytest.raises((duckdb.Error, StoreUnavailable)):
            commit(engine, *large())
        assert pending(engine) == 50
    assert spans(crashed()) == 50
    assert spans(engine) == 50
    assert commit(engine, *rows) == 50


def test_a_store_that_is_closed_on_a_full_disk_keeps_its_journal(engine: DuckDBEngine) -> None:
    commit(engine, span(attributes="x" * 10_000))
    with full_disk():
        engine.close()
        with pytest.raises(StoreError, match="cannot open"):
            engine.open()
    assert journal_of(engine.path).exists()
    engine.open()
    assert spans(engine) == 1


def test_a_database_that_is_opened_anew_has_what_was_pending(engine: DuckDBEngine) -> None:
    commit(engine, *large())
    commit(engine, span(span_id=1))
    raw = engine._connected().cursor()
    with full_disk(), pytest.raises(duckdb.Error, match="invalidated"):
        raw.execute("CHECKPOINT")
    assert commit(engine, span(span_id=2)) == 0, "the journal does not need the database"
    assert pending(engine) == 2
    assert commit(engine, *large()[:5]) == 5
    with pytest.raises(duckdb.Error, match="invalidated"):
        engine.checkpoint()
    assert spans(engine) == LARGE + 2
    assert commit(engine, span(span_id=1), span(span_id=2)) == 2


def test_a_reader_whose_connection_goes_with_the_database_is_told_to_come_back(engine: DuckDBEngine) -> None:
    with engine.sql.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        assert connection.execute(COUNT).scalar_one() == 0
        commit(engine, span(span_id=1))
        with full_disk(), pytest.raises(duckdb.Error, match="invalidated"):
            engine._connected().cursor().execute("CHECKPOINT")
        with pytest.raises(StoreUnavailable):
            connection.execute(COUNT)
    assert spans(engine) == 1


def test_an_idle_writer_settles_so_that_the_file_is_complete_by_itself(engine: DuckDBEngine, tmp_path: Path) -> None:
    writer = Writer(engine, no_prices, max_spans=1000, margin_ns=HOUR)
    writer.start()
    writer.submit(Work(batch(span())))
    deadline = time.monotonic() + 10
    while pending(engine):
        assert time.monotonic() < deadline, "it was never settled"
        time.sleep(0.01)
    for name in ("store.duckdb", "store.duckdb.wal"):
        shutil.copy(Path(engine.path).parent / name, tmp_path / name)
    with duckdb.connect(str(tmp_path / "store.duckdb")) as plain:
        assert plain.execute("SELECT count(*) FROM spans").fetchone() == (1,)
    writer.stop()


# -- the same as without one


_row = st.fixed_dictionaries(
    {
        "trace": st.integers(1, 5),
        "span_id": st.integers(1, 6),
        "parent": st.sampled_from([None, 1, 2, 3]),
        "role": st.sampled_from(["generation", "generation", "embedding", "agent", "tool"]),
        "response_id": st.sampled_from([None, "r1", "r2", "r3"]),
        "later": st.sampled_from([0, 0, SECOND]),
        "attribute_count": st.integers(1, 3),
        "input_tokens": st.sampled_from([None, 1, 2]),
        "session_id": st.sampled_from([None, "s"]),
        "kind": st.sampled_from([3, 3, 1, 0, 2]),
    }
)


def _span_of(project: str, later: int, **row: Any) -> dict[str, Any]:
    """A row of a project; the last trace is three hours later than the others."""
    return span(project=project, start_ns=T0 + later + (3 * HOUR if row["trace"] == 5 else 0), **row)


_Step = list[dict[str, Any]] | str
_steps = st.lists(
    st.one_of(
        st.lists(_row, min_size=1, max_size=3), st.lists(_row, min_size=1, max_size=12), st.sampled_from(["ask", "delete"])
    ),
    min_size=1,
    max_size=12,
)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[DuckDBEngine, DuckDBEngine]]:
    """A store that journals commits of up to four spans and forgets soon, and one without a journal."""
    folder = tmp_path_factory.mktemp("pair")
    engines = (
        DuckDBEngine(str(folder / "journal.duckdb"), journal_spans=4, recent_spans=GENERATIONS * 8),
        DuckDBEngine(str(folder / "plain.duckdb"), journal_spans=0),
    )
    for engine in engines:
        engine.open()
    yield engines
    assert engines[0].journal.appends > 10
    assert engines[0].journal.settlements > 10
    for engine in engines:
        engine.close()


@settings(max_examples=60, deadline=None)
@given(_steps)
def test_any_commits_give_the_same_rows_and_answers_as_without_a_journal(
    pair: tuple[DuckDBEngine, DuckDBEngine], steps: list[_Step]
) -> None:
    project = f"p{next(_projects)}"
    for step in steps:
        if step == "ask":
            assert stored(pair[0], project) == stored(pair[1], project)
        elif step == "delete":
            assert len({engine.delete_oldest(project, T0 + SECOND, 1_000) for engine in pair}) == 1
        else:
            rows = [_span_of(project, **row) for row in step]  # type: ignore[arg-type] # a list of rows
            assert len({commit(engine, *(dict(row) for row in rows)) for engine in pair}) == 1
    assert stored(pair[0], project) == stored(pair[1], project)


# -- when nothing comes


def test_an_idle_writer_settles_what_was_refused_too(engine: DuckDBEngine) -> None:
    writer = Writer(engine, no_prices, max_spans=1000, margin_ns=HOUR)
    writer.start()
    writer.submit(Work(SpanBatch(), rejections=[Rejection("default", T0, "spans", "", "", "no_id", "a span without an id")]))
    assert engine.journal.pending_commits == 1
    deadline = time.monotonic() + 10
    while engine.journal.pending_commits:
        assert time.monotonic() < deadline, "it was never settled"
        time.sleep(0.01)
    writer.stop()


def test_an_idle_writer_tries_a_full_disk_less_and_less_often(engine: DuckDBEngine, caplog: pytest.LogCaptureFixture) -> None:
    commit(engine, span(attributes="x" * 10_000))
    writer = Writer(engine, no_prices, max_spans=1000, margin_ns=HOUR)
    with full_disk():
        writer.start()
        time.sleep(3.2)
        tries = caplog.text.count("could not be settled")
        assert 1 <= tries <= 4, "after 0.2, 0.6, 1.4 and 3.0 s"
    assert spans(engine) == 1
    writer.stop()


def test_a_question_whose_time_passes_while_it_waits_for_the_writer_is_stopped(engine: DuckDBEngine) -> None:
    commit(engine, span())
    numbers = sa.text("range(30000) a, range(100000) b")
    long = sa.select(sa.func.count()).select_from(numbers).where(sa.text("a.range * b.range % 7 = 3"))
    engine._write_lock.acquire()
    threading.Timer(0.4, engine._write_lock.release).start()
    started = time.monotonic()
    with pytest.raises(QueryTimeout):
        run(engine, long, 0.2)
    assert time.monotonic() - started < 5


# -- settled in the background


def many(trace: int, spans: int) -> list[dict[str, Any]]:
    """Spans of one trace."""
    return [span(trace=trace, span_id=number) for number in range(1, spans + 1)]


@pytest.fixture
def busy(tmp_path: Path) -> Iterator[DuckDBEngine]:
    """An open store that journals commits of any size and settles them by 2,048 rows."""
    (tmp_path / "busy").mkdir()
    opened = DuckDBEngine(str(tmp_path / "busy" / "store.duckdb"), group_spans=GROUP)
    opened.open()
    yield opened
    opened.close()


def settled_until(engine: DuckDBEngine, most: int) -> None:
    """Waits until no more than so many spans are pending."""
    deadline = time.monotonic() + 20
    while pending(engine) > most:
        assert time.monotonic() < deadline, "nothing was settled"
        time.sleep(0.005)


def row_groups(engine: DuckDBEngine) -> list[int]:
    """Rows of each row group in the file."""
    with engine._connected().cursor() as cursor:
        rows = cursor.execute(
            "SELECT sum(count) FROM pragma_storage_info('spans') WHERE column_name = 'start_ns' AND segment_type = 'BIGINT' "
            "GROUP BY row_group_id ORDER BY row_group_id"
        ).fetchall()
    return [int(row[0]) for row in rows]


def test_with_several_threads_of_duckdb_all_is_settled_once_in_whole_row_groups(tmp_path: Path) -> None:
    engine = DuckDBEngine(str(tmp_path / "store.duckdb"), group_spans=GROUP, threads=4)
    engine.open()
    for trace in range(1, 9):
        commit(engine, *many(trace, GROUP // 2))
    settled_until(engine, 0)
    assert row_groups(engine) == [GROUP] * 4
    assert len(stored(engine)) == 4 * GROUP
    engine.close()


def test_whole_row_groups_are_settled_without_anybody_asking(busy: DuckDBEngine, crashed: Callable[..., DuckDBEngine]) -> None:
    for trace in range(1, 6):
        commit(busy, *many(trace, 1_000))
    settled_until(busy, 5_000 - 2 * GROUP)
    assert pending(busy) == 5_000 - 2 * GROUP
    assert row_groups(busy) == [GROUP, GROUP]
    assert Path(busy.path + ".wal").stat().st_size < 100_000, "they went into the file itself"
    again = crashed(of=busy)
    assert spans(again) == 5_000, "the third commit is half in the database and half in the journal"
    assert spans(busy) == 5_000
    assert commit(busy, *many(3, 1_000)) == 1_000


def test_a_commit_that_is_half_in_the_database_leaves_what_it_refused_there_once(
    busy: DuckDBEngine, crashed: Callable[..., DuckDBEngine]
) -> None:
    refused = Rejection("default", T0, "spans", "", "", "no_id", "a span without an id")
    change = Change(insert=batch(*many(1, GROUP + 10)), rejections=[refused])
    busy.commit((), (), lambda session: session.apply(change))
    settled_until(busy, 10)
    again = crashed(of=busy)
    for engine in (busy, again):
        with engine.sql.connect() as connection:
            assert [tuple(row) for row in connection.execute(sa.select(schema.rejections))] == [tuple(refused)]
        assert spans(engine) == GROUP + 10


def test_groups_whose_settlement_nobody_was_told_of_are_not_settled_again(
    busy: DuckDBEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = threading.Event()

    def dies(*_: object) -> None:
        told.set()
        raise duckdb.FatalException("the database was invalidated")

    with monkeypatch.context() as patch:
        patch.setattr(Journal, "settled", dies)
        commit(busy, *many(1, GROUP + 500))
        assert told.wait(20)
    assert spans(busy) == GROUP + 500
    assert commit(busy, *many(1, GROUP + 500)) == GROUP + 500
    assert spans(busy) == GROUP + 500


def test_the_journal_goes_on_at_its_start_while_it_is_settled_behind(
    busy: DuckDBEngine, crashed: Callable[..., DuckDBEngine], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(duckdb_journal, "MOST_BYTES", FIRST_BYTES)
    places: list[int] = []
    rounds = 0
    for trace in range(1, 61):
        commit(busy, *(span(trace=trace, span_id=number, attributes=f"{number:01000}") for number in range(1, 301)))
        places.append(busy._journal._position)
        rounds += len(places) > 1 and places[-1] < places[-2]
        if trace % 20 == 0:
            assert spans(crashed(of=busy)) == trace * 300
    assert journal_of(busy.path).stat().st_size == FIRST_BYTES
    assert rounds >= 2
    assert spans(busy) == 60 * 300


def test_what_is_pending_across_the_end_of_the_journal_is_found_in_order(
    engine: DuckDBEngine, crashed: Callable[..., DuckDBEngine], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(duckdb_journal, "MOST_BYTES", FIRST_BYTES)
    text = "x" * (FIRST_BYTES // 5)
    for number in range(1, 5):
        commit(engine, span(span_id=number, attributes=text))
    due = engine._journal.due(2)
    with engine._changing():
        engine._settle(2)
    assert due.change.insert.size == 2
    commit(engine, span(span_id=5, attributes=text))
    assert [entry.start > 0 for entry in engine._journal.pending] == [True, True, False], "the last one is at the start"
    again = crashed()
    assert {key[1][-1] for key in stored(again)} == {1, 2, 3, 4, 5}
    assert {key[1][-1] for key in stored(engine)} == {1, 2, 3, 4, 5}


def test_a_disk_that_is_full_while_groups_are_settled_costs_nothing(
    busy: DuckDBEngine, crashed: Callable[..., DuckDBEngine], caplog: pytest.LogCaptureFixture
) -> None:
    commit(busy, *many(1, 100))
    with full_disk(FIRST_BYTES):
        commit(busy, *(span(trace=2, span_id=number, attributes=f"{number:0900}") for number in range(1, 3_001)))
        commit(busy, span(trace=3))
    settled_until(busy, 3_101 - GROUP)
    assert spans(crashed(of=busy)) == 3_101
    assert spans(busy) == 3_101


def test_a_commit_that_the_journal_cannot_grow_for_goes_into_the_database(
    engine: DuckDBEngine, crashed: Callable[..., DuckDBEngine]
) -> None:
    commit(engine, span(span_id=1))
    with full_disk(2 * FIRST_BYTES - 1):
        commit(engine, *(span(span_id=number, attributes=str(number) * 3_000_000) for number in range(2, 5)))
        assert engine.journal.appends == 1
        assert pending(engine) == 0
    assert spans(crashed()) == 4
    assert spans(engine) == 4


def test_who_asks_of_keys_alone_does_not_wait_for_what_is_pending(engine: DuckDBEngine) -> None:
    commit(engine, span())
    with engine.small_tables.connect() as connection:
        connection.execute(sa.select(schema.keys)).all()
    assert pending(engine) == 1


def test_a_transaction_whose_first_statement_is_of_keys_sees_what_was_committed_before(engine: DuckDBEngine) -> None:
    commit(engine, span())
    with engine.sql.connect() as connection:
        connection.execute(sa.select(schema.keys)).all()
        assert connection.execute(COUNT).scalar_one() == 1


def half_settled(engine: DuckDBEngine) -> None:
    """Leaves an entry of which 2,048 rows are in the database."""
    commit(engine, *many(1, GROUP + 500))
    settled_until(engine, 500)


@pytest.mark.parametrize("lost", ["gone", "damaged", "foreign"])
def test_the_number_of_a_half_settled_entry_that_is_lost_is_not_given_to_another(
    busy: DuckDBEngine, crashed: Callable[..., DuckDBEngine], caplog: pytest.LogCaptureFixture, tmp_path: Path, lost: str
) -> None:
    half_settled(busy)
    again = crashed(of=busy)
    again.close()
    folder = tmp_path / "lost"
    with busy._change_lock:
        shutil.copytree(Path(busy.path).parent, folder)
    journal = journal_of(folder / "store.duckdb")
    if lost == "gone":
        journal.unlink()
    else:
        content = bytearray(journal.read_bytes())
        content[500 if lost == "damaged" else 20] ^= 1
        journal.write_bytes(content)
    restored = DuckDBEngine(str(folder / "store.duckdb"), group_spans=GROUP)
    with caplog.at_level(logging.WARNING):
        restored.open()
    assert "journal" in caplog.text
    assert spans(restored) == GROUP
    commit(restored, *many(2, 100))
    commit(restored, *many(3, 3_000))
    after = crashed(of=restored)
    assert spans(after) == GROUP + 3_100
    assert spans(restored) == GROUP + 3_100
    restored.close()


def test_what_somebody_sends_is_never_taken_for_an_entry(
    engine: DuckDBEngine, crashed: Callable[..., DuckDBEngine], caplog: pytest.LogCaptureFixture
) -> None:
    rest = (0).to_bytes(4, "little") + b"some other store" + (9).to_bytes(8, "little")
    magic, number = b"\x93olj", 0
    while True:  # a header whose checksum is right and that is valid UTF-8 in an attribute
        rest = rest[:20] + number.to_bytes(4, "little") + bytes(4)
        header = magic + zlib.crc32(rest).to_bytes(4, "little") + rest
        number += 1
        try:
            text = (b"\xc3" + header).decode()
        except UnicodeDecodeError:
            continue
        break
    commit(engine, span(span_id=1, attributes="x" * 1_000 + text + "y" * 1_000))
    engine.settle()
    commit(engine, span(span_id=2))
    with caplog.at_level(logging.WARNING):
        assert spans(crashed()) == 2
    assert not caplog.records


def test_a_settler_that_cannot_be_started_costs_nothing(
    busy: DuckDBEngine, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def no_more(*_: object) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", no_more)
        assert commit(busy, *many(1, 3_000)) == 0
        assert commit(busy, *many(1, 3_000)) == 3_000
    assert "no thread to settle" in caplog.text
    commit(busy, *many(2, 3_000))
    settled_until(busy, GROUP)
    assert spans(busy) == 6_000


def test_a_store_is_closed_while_it_is_settled_and_opened_again(busy: DuckDBEngine) -> None:
    for trace in range(1, 4):
        commit(busy, *many(trace, 3_000))
        busy.close()
        busy.open()
    assert spans(busy) == 9_000


def test_a_commit_whose_database_was_given_up_by_another_thread_goes_into_the_next_one(engine: DuckDBEngine) -> None:
    calls = []

    def asks(session: WriteSession) -> int:
        calls.append(1)
        if len(calls) == 1:
            engine._give_up()
        return session.fetch([("default", (1).to_bytes(16, "big"), (1).to_bytes(8, "big"))], T0, T0).size

    commit(engine, span(span_id=1))
    assert engine.commit([("default", (1).to_bytes(16, "big"))], (), asks) == 1
    assert len(calls) == 2


def test_a_reader_that_gives_the_database_up_while_it_is_opened_anew_stops_nothing(
    engine: DuckDBEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit(engine, span(span_id=1))
    engine._give_up()
    connect = duckdb.connect

    def meanwhile(*arguments: Any, **options: Any) -> duckdb.DuckDBPyConnection:
        connection = connect(*arguments, **options)
        engine._broken = True
        return connection

    monkeypatch.setattr(duckdb, "connect", meanwhile)
    done = threading.Event()

    def work() -> None:
        commit(engine, span(span_id=2))
        done.set()

    threading.Thread(target=work, daemon=True).start()
    assert done.wait(20), "it waits for itself"
    assert spans(engine) == 2


def test_readers_and_commits_and_the_settler_together_lose_and_double_nothing(
    busy: DuckDBEngine, crashed: Callable[..., DuckDBEngine]
) -> None:
    done = threading.Event()
    seen = [0]
    failures: list[BaseException] = []

    def look() -> None:
        try:
            while not done.is_set():
                now = _by_a_new_connection(busy)
                assert now >= seen[-1], "a row that was seen is gone"
                seen.append(now)
                time.sleep(0.02)
        except BaseException as error:
            failures.append(error)

    watching = threading.Thread(target=look)
    watching.start()
    for trace in range(1, 41):
        commit(busy, *many(trace, 500))
        time.sleep(0.02)
    done.set()
    watching.join(30)
    assert not failures
    assert len(set(seen)) > 3
    assert spans(crashed(of=busy)) == 20_000
    assert spans(busy) == 20_000
