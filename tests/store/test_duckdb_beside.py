"""Aggregates read what is pending in DuckDB's journal beside the table: all that was committed, each span once, unsettled."""

import itertools
import threading
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from otel_llm.errors import StoreUnavailable
from otel_llm.spans import Rejection
from otel_llm.store import schema
from otel_llm.store.engines import duckdb as duckdb_engine
from otel_llm.store.engines.base import Change
from otel_llm.store.engines.duckdb import BESIDE_SPANS, DuckDBEngine
from otel_llm.store.queries.reading import run
from tests.effort import examples

from .rows import T0, batch, span
from .test_resolution import commit, stored

GROUP = 2048
FIGURES = sa.select(
    sa.func.count(),
    sa.func.count(sa.distinct(schema.spans.c.trace_id)),
    sa.func.sum(schema.spans.c.input_tokens),
    sa.func.max(schema.spans.c.user_id),
).select_from(schema.spans)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[DuckDBEngine]:
    """An open store whose aggregates never settle, and whose settler does nothing by itself."""
    opened = DuckDBEngine(str(tmp_path / "my store.duckdb"), group_spans=GROUP, beside_spans=0)
    opened._settler.wake = lambda: None  # type: ignore[method-assign]
    opened.open()
    yield opened
    opened.close()


def many(trace: int, size: int) -> list[dict[str, object]]:
    """Spans of one trace."""
    return [span(trace=trace, span_id=number) for number in range(1, size + 1)]


def counted(engine: DuckDBEngine) -> int:
    """Spans that an aggregate sees."""
    return int(run(engine, FIGURES, 10)[0][0])


def pending(engine: DuckDBEngine) -> int:
    """Spans that are in the journal only."""
    return engine.journal.pending_spans


def test_an_aggregate_sees_what_is_pending_and_leaves_it_pending(engine: DuckDBEngine) -> None:
    commit(engine, span(trace=1), span(trace=1, span_id=2))
    assert stored(engine), "settled"
    commit(engine, span(trace=2, user_id="me"), span(trace=2, span_id=2, session_id="of another set of columns"))
    commit(engine, span(trace=3, input_tokens=None))
    assert [tuple(row) for row in run(engine, FIGURES, 10)] == [(5, 3, 400, "me")]
    assert pending(engine) == 3


def test_every_field_of_a_pending_span_is_as_in_the_table(engine: DuckDBEngine) -> None:
    row = span(
        input_tokens=2**63 - 1, cost_reported=1.5, is_streaming=True, name="\0é😀", attributes='{"a":"\\u0000"}', tags='["x"]'
    )
    commit(engine, row, span(span_id=2))
    statement = sa.select(schema.spans).order_by(schema.spans.c.span_id)
    beside = run(engine, statement, 10)
    assert pending(engine) == 2
    with engine.sql.connect() as connection:
        settled = connection.execute(statement).all()
    assert pending(engine) == 0
    assert [dict(each._mapping) for each in beside] == [dict(each._mapping) for each in settled]


def test_few_pending_spans_are_settled_because_that_is_faster(tmp_path: Path) -> None:
    engine = DuckDBEngine(str(tmp_path / "store.duckdb"))
    engine.open()
    commit(engine, *many(1, BESIDE_SPANS - 1))
    assert counted(engine) == BESIDE_SPANS - 1
    assert pending(engine) == 0
    commit(engine, *many(2, BESIDE_SPANS))
    assert counted(engine) == 2 * BESIDE_SPANS - 1
    assert pending(engine) == BESIDE_SPANS
    engine.close()


def test_a_half_settled_entry_is_seen_once(engine: DuckDBEngine) -> None:
    commit(engine, *many(1, GROUP + 500))
    commit(engine, *many(2, 10))
    assert engine._settle_group()
    assert pending(engine) == 510
    assert counted(engine) == GROUP + 510


def test_the_settler_leaves_what_is_pending_to_who_comes_to_settle_everything_while_it_gives_way(engine: DuckDBEngine) -> None:
    commit(engine, *many(1, GROUP))
    engine.give_way = lambda: engine._askers.add(0)  # type: ignore[method-assign]
    assert not engine._settle_group()
    assert pending(engine) == GROUP


def test_what_is_settled_after_the_look_at_the_journal_is_not_seen_twice(
    engine: DuckDBEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit(engine, *many(1, 100))
    commit(engine, *many(2, GROUP))
    before = engine._journal.pending_now()
    monkeypatch.setattr(engine._journal, "pending_now", lambda: before)
    commit(engine, *many(3, 10))
    assert engine._settle_group(), "all of the first commit and a part of the second"
    assert counted(engine) == 100 + GROUP
    engine.settle()
    commit(engine, span(trace=4))
    assert counted(engine) == 100 + GROUP + 10, "settled, all of it"


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM spans",
        "SELECT s.* FROM spans AS s",
        "SELECT count(*) FROM spans",
        'SELECT count("spans"."user_id") FROM "spans"',
        "SELECT COUNT(*), MAX(S.User_Id) FROM SPANS AS S",
        "WITH mine AS (SELECT trace_id FROM spans WHERE user_id = 'me') SELECT name FROM spans WHERE trace_id IN (FROM mine)",
        "with recursive up(n) AS (SELECT 1 UNION SELECT n + 1 FROM up WHERE n < 3) SELECT n, name FROM up, spans",
        "(SELECT span_id FROM spans) UNION ALL (SELECT parent_span_id FROM spans)",
        "SELECT a.name, (SELECT count(*) FROM spans b WHERE b.trace_id = a.trace_id) FROM spans AS a ORDER BY ALL",
    ],
)
def test_a_statement_of_any_form_sees_the_same_before_and_after_all_is_settled(engine: DuckDBEngine, statement: str) -> None:
    commit(engine, span(trace=1, user_id="me"), span(trace=1, span_id=2))
    engine.settle()
    commit(engine, span(trace=1, span_id=3), span(trace=2, user_id="you", session_id="a field of no other span"))
    with engine.reads.connect() as connection:
        beside = connection.exec_driver_sql(statement).all()
        connection.rollback()
        assert pending(engine) == 2
        engine.settle()
        assert sorted(map(str, beside)) == sorted(map(str, connection.exec_driver_sql(statement).all()))


def test_each_statement_of_a_transaction_finds_the_columns_that_it_names(engine: DuckDBEngine) -> None:
    commit(engine, span(trace=1, user_id="me", cost_reported=1.5))
    of = schema.spans.c
    with engine.reads.connect() as connection:
        for column, value in ((of.user_id, "me"), (of.cost_reported, 1.5), (of.user_id, "me"), (of.session_id, None)):
            assert connection.execute(sa.select(column)).scalar_one() == value


def test_a_transaction_sees_one_moment(engine: DuckDBEngine) -> None:
    commit(engine, span(trace=1))
    with engine.reads.connect() as connection:
        assert connection.execute(FIGURES).one()[0] == 1
        commit(engine, span(trace=2))
        assert connection.execute(FIGURES).one()[0] == 1
        engine.settle()
        assert connection.execute(FIGURES).one()[0] == 1
        connection.rollback()
        assert connection.execute(FIGURES).one()[0] == 2


def test_a_connection_goes_back_without_pending_spans(engine: DuckDBEngine) -> None:
    commit(engine, span(trace=1))
    assert counted(engine) == 1
    with engine.sql.connect() as connection:
        kept = engine._beside[connection.connection.driver_connection]
        assert not kept._batches
        assert not kept._columns
        assert not kept._inlets
        views = "SELECT count(*) FROM duckdb_views() WHERE view_name LIKE '%spans%'"
        assert connection.exec_driver_sql(views).scalar_one() == 0
        connection.rollback()
        connection.execute(sa.delete(schema.spans))
        connection.rollback()


def test_each_statement_of_a_connection_without_transactions_sees_all(engine: DuckDBEngine) -> None:
    with engine.reads.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for number in range(1, 4):
            commit(engine, span(span_id=number))
            assert connection.execute(FIGURES).one()[0] == number
    with engine.sql.connect() as connection:
        assert connection.execute(FIGURES).one()[0] == 3, "the view is not left behind"


def test_who_adds_spans_up_cannot_commit(engine: DuckDBEngine) -> None:
    commit(engine, span())
    with engine.reads.connect() as connection:
        assert connection.execute(FIGURES).one()[0] == 1
        with pytest.raises(sa.exc.InvalidRequestError):
            connection.commit()
    with engine.sql.begin() as connection:
        assert connection.execute(FIGURES).one()[0] == 1


@pytest.mark.parametrize("aggregates", [False, True])
def test_who_looks_at_what_is_settled_meanwhile_is_in_the_way_of_no_checkpoint(engine: DuckDBEngine, aggregates: bool) -> None:
    commit(engine, span(trace=1))
    with (engine.reads if aggregates else engine.sql).connect() as connection:
        assert connection.execute(FIGURES).one()[0] == 1
        commit(engine, span(trace=2))
        engine.checkpoint()
        assert connection.execute(FIGURES).one()[0] == 1
    assert pending(engine) == 0
    assert counted(engine) == 2


@pytest.mark.parametrize("aggregates", [False, True])
def test_a_transaction_that_was_not_shown_all_does_not_go_on_without(
    engine: DuckDBEngine, monkeypatch: pytest.MonkeyPatch, aggregates: bool
) -> None:
    def fails(*_: object) -> None:
        raise duckdb.OutOfMemoryException("no memory")

    commit(engine, span())
    with (engine.reads if aggregates else engine.sql).connect() as connection:
        with monkeypatch.context() as patch:
            patch.setattr(
                duckdb_engine._Beside if aggregates else duckdb_engine._Tables, "begin" if aggregates else "write", fails
            )
            with pytest.raises(StoreUnavailable):
                connection.execute(FIGURES)
        if aggregates:
            with pytest.raises(sa.exc.PendingRollbackError):
                connection.execute(FIGURES)
            connection.rollback()
        assert connection.execute(FIGURES).one()[0] == 1


def test_pending_rejections_are_seen(engine: DuckDBEngine) -> None:
    refused = Rejection("default", T0, "spans", "", "", "no_id", "a span without an id")
    engine.commit((), (), lambda session: session.apply(Change(insert=batch(span()), rejections=[refused])))
    with engine.reads.connect() as connection:
        assert [tuple(row) for row in connection.execute(sa.select(schema.rejections))] == [tuple(refused)]
        assert connection.execute(FIGURES).one()[0] == 1


def test_a_join_of_the_view_with_many_rows_of_itself_finds_them(engine: DuckDBEngine) -> None:
    rows = (span(trace=number, user_id=f"user {number % 20}") for number in itertools.count(1))
    for _ in range(2):
        commit(engine, *itertools.islice(rows, 20_000))  # too large for the journal
    commit(engine, *itertools.islice(rows, 10_000))
    assert pending(engine) == 10_000
    own = schema.spans.alias()
    of_user = sa.select(own.c.trace_id).where(own.c.user_id == "user 7").group_by(own.c.trace_id)
    found = run(engine, FIGURES.where(schema.spans.c.trace_id.in_(of_user)), 30)
    assert [tuple(row) for row in found] == [(2_500, 2_500, 250_000, "user 7")]
    assert pending(engine) == 10_000


def test_a_store_in_memory_does_the_same() -> None:
    engine = DuckDBEngine("", beside_spans=0)
    engine.open()
    commit(engine, span())
    assert (counted(engine), pending(engine)) == (1, 1)
    engine.close()


def test_a_reader_whose_connection_broke_is_told_so_and_the_next_one_sees_all(engine: DuckDBEngine) -> None:
    commit(engine, span())
    with engine.reads.connect() as connection:
        connection.begin()
        engine._raw[connection.connection.driver_connection].close()
        with pytest.raises(StoreUnavailable):
            connection.execute(FIGURES)
    assert counted(engine) == 1


_projects = itertools.count(1)
STEPS = st.lists(st.tuples(st.sampled_from(["commit", "settle group", "settle", "look"]), st.integers(1, 3_000)), max_size=12)


@settings(max_examples=examples(100, 20), deadline=None)
@given(steps=STEPS)
def test_however_commits_and_settlements_follow_each_other_all_is_seen_once(
    shared: DuckDBEngine, steps: list[tuple[str, int]]
) -> None:
    project = f"p{next(_projects)}"
    of_project = FIGURES.where(schema.spans.c.project == project)
    committed = 0
    for trace, (step, size) in enumerate(steps, 1):
        if step == "commit":
            commit(shared, *(row | {"project": project} for row in many(trace, size)))
            committed += size
        elif step == "settle group":
            shared._settle_group()
        elif step == "settle":
            shared.settle()
        assert run(shared, of_project, 10)[0][0] == committed


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DuckDBEngine]:
    """One store for many examples, each in a project of its own."""
    opened = DuckDBEngine(str(tmp_path_factory.mktemp("beside") / "store.duckdb"), group_spans=GROUP, beside_spans=0)
    opened._settler.wake = lambda: None  # type: ignore[method-assign]
    opened.open()
    yield opened
    opened.close()


def test_whoever_asks_while_others_commit_and_settle_sees_all_that_was_committed_before_each_span_once(tmp_path: Path) -> None:
    engine = DuckDBEngine(str(tmp_path / "store.duckdb"), group_spans=GROUP, beside_spans=0)
    engine.open()
    committed, over = 0, threading.Event()
    wrong: list[tuple[int, int, int]] = []
    looks = itertools.count()

    def watch() -> None:
        distinct = sa.select(
            sa.func.count(), sa.func.count(sa.distinct(sa.tuple_(schema.spans.c.trace_id, schema.spans.c.span_id)))
        ).select_from(schema.spans)
        while not over.is_set():
            least = committed
            seen, different = run(engine, distinct, 30)[0]
            next(looks)
            if seen < least or seen != different:
                wrong.append((least, seen, different))

    watching = [threading.Thread(target=watch) for _ in range(2)]
    for thread in watching:
        thread.start()
    for trace in range(1, 101):
        commit(engine, *many(trace, 300))
        committed += 300
    over.set()
    for thread in watching:
        thread.join(60)
    assert not wrong
    assert next(looks) > 2
    assert counted(engine) == 30_000
    engine.close()
