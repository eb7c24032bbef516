"""What is PostgreSQL's own: partitions, statistics, locks."""

import time
from collections.abc import Callable, Iterator

import pytest
import sqlalchemy as sa

from otel_llm.config import Settings
from otel_llm.errors import QueryTimeout
from otel_llm.store import schema
from otel_llm.store.engines.base import Change, Engine, WriteConflict, WriteSession
from otel_llm.store.open import open_engine
from otel_llm.store.queries.reading import reading
from tests.query_api.conftest import QueryServer

from .rows import SECOND, T0, batch, span
from .test_resolution import commit, stored

pytest.importorskip("psycopg", reason="psycopg is not installed (pip install 'otel-llm[postgres]')")
from otel_llm.store.engines import postgresql_schema as ddl
from otel_llm.store.engines.postgresql import PostgreSQLEngine
from otel_llm.store.engines.postgresql_session import _OF_RESPONSES, _OF_TRACES, BUCKETS, PostgreSQLSession, _buckets, _lists

WEEK = 7 * 86_400 * SECOND


@pytest.fixture
def postgresql(new_postgresql: Callable[[], str]) -> Iterator[PostgreSQLEngine]:
    """An open, empty engine."""
    engine = open_engine(new_postgresql(), Settings())
    assert isinstance(engine, PostgreSQLEngine)
    yield engine
    engine.close()


def ask(engine: Engine, query: str) -> list[tuple[object, ...]]:
    with engine.sql.connect() as connection:
        return [tuple(row) for row in connection.exec_driver_sql(query)]


def partitions(engine: Engine) -> dict[str, int]:
    """Rows by partition, of those that have some."""
    return {
        str(name): int(str(rows)) for name, rows in ask(engine, "SELECT tableoid::regclass, count(*) FROM spans GROUP BY 1")
    }


def test_each_week_has_a_table_named_after_its_monday(postgresql: PostgreSQLEngine) -> None:
    monday = 1_766_966_400 * SECOND  # 2025-12-29
    commit(
        postgresql,
        span(trace=1, start_ns=monday - 1),
        span(trace=2, start_ns=monday),
        span(trace=3, start_ns=monday + WEEK - 1),
    )
    assert partitions(postgresql) == {"spans_20251222": 1, "spans_20251229": 2}


def test_the_next_weeks_table_is_made_a_day_early(postgresql: PostgreSQLEngine) -> None:
    week = ddl.week_of(time.time_ns())
    last_day = ddl.bounds(week)[1] - SECOND
    commit(postgresql, span(start_ns=last_day))
    names = {
        str(row[0]) for row in ask(postgresql, "SELECT inhrelid::regclass FROM pg_inherits WHERE inhparent = 'spans'::regclass")
    }
    assert {ddl.table_of(week), ddl.table_of(week + 1)} <= names


def test_spans_of_odd_times_make_no_tables(postgresql: PostgreSQLEngine) -> None:
    commit(postgresql, *(span(trace=year, start_ns=year * 52 * WEEK) for year in range(1, 250)))
    assert partitions(postgresql) == {ddl.OTHER: 249}


def test_rows_move_when_their_week_gets_its_table(postgresql: PostgreSQLEngine) -> None:
    now = time.time_ns()
    commit(
        postgresql, span(trace=1, start_ns=now - 8 * WEEK), span(trace=2, start_ns=0), span(trace=3, start_ns=now - 9 * WEEK)
    )
    assert partitions(postgresql) == {ddl.OTHER: 3}, "a commit over decades makes no tables"
    assert commit(postgresql, span(trace=1, start_ns=now - 8 * WEEK), span(trace=4, start_ns=now - 8 * WEEK)) == 1
    assert partitions(postgresql) == {ddl.OTHER: 2, ddl.table_of(ddl.week_of(now - 8 * WEEK)): 2}


def test_when_no_table_can_be_made_rows_are_stored_all_the_same(postgresql: PostgreSQLEngine) -> None:
    now = time.time_ns()
    with postgresql.sql.begin() as reader:
        reader.exec_driver_sql(f"LOCK TABLE {ddl.OTHER} IN ACCESS SHARE MODE")  # a long question
        started = time.monotonic()
        commit(postgresql, span(start_ns=now - 20 * WEEK))
        assert time.monotonic() - started < 5
        commit(postgresql, span(trace=2, start_ns=now - 20 * WEEK))
        assert time.monotonic() - started < 6, "it is not tried again at once"
    assert partitions(postgresql) == {ddl.OTHER: 2}


def test_retention_drops_whole_weeks(postgresql: PostgreSQLEngine) -> None:
    now = time.time_ns()
    commit(postgresql, *(span(trace=number, start_ns=now - 5 * WEEK) for number in range(1, 50)))
    commit(postgresql, span(trace=99, start_ns=now))
    table = ddl.table_of(ddl.week_of(now - 5 * WEEK))
    assert partitions(postgresql)[table] == 49
    assert postgresql.delete_oldest(None, now - 2 * WEEK, 10).spans == 49, "at once, whatever the step"
    assert ask(postgresql, f"SELECT to_regclass('{table}')") == [(None,)]
    assert commit(postgresql, span(trace=1, start_ns=now - 5 * WEEK)) == 0, "its week may come again"
    assert len(stored(postgresql)) == 2


def test_long_questions_do_not_stop_retention(postgresql: PostgreSQLEngine) -> None:
    now = time.time_ns()
    commit(postgresql, *(span(trace=number, start_ns=now - 5 * WEEK) for number in range(1, 50)))
    with postgresql.sql.begin() as reader:
        reader.exec_driver_sql("LOCK TABLE spans IN ACCESS SHARE MODE")
        assert postgresql.delete_oldest(None, now - 2 * WEEK, 10).spans == 49, "row by row: all of one start"
    assert stored(postgresql) == {}


def test_the_planner_knows_the_table_as_a_whole_soon_after_it_grew(postgresql: PostgreSQLEngine) -> None:
    commit(postgresql, *(span(trace=number) for number in range(1, 1_500)))
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        if ask(postgresql, "SELECT 1 FROM pg_stats WHERE tablename = 'spans' AND attname = 'trace_id' AND inherited"):
            return
        time.sleep(0.05)
    pytest.fail("spans was never analysed")


def test_a_key_that_comes_up_later_is_tried_not_waited_for(postgresql: PostgreSQLEngine) -> None:
    """Two units of work that each hold what the other needs next: the second starts again instead of waiting."""
    first, second = ("default", b"a" * 16), ("default", b"b" * 16)
    assert _buckets([first], []) != _buckets([second], [])
    other = open_engine(str(postgresql.url.render_as_string(hide_password=False)), Settings())
    with other.write([second]) as holder:
        with pytest.raises(WriteConflict) as conflict, postgresql.write([first]) as session:
            session.related([second], (), 0, 1)
        assert second in conflict.value.traces
        holder.related([first], (), 0, 1)
    other.close()


def test_locks_are_bounded(postgresql: PostgreSQLEngine) -> None:
    traces = [("default", number.to_bytes(16, "big")) for number in range(5_000)]
    responses = [("default", f"r{number}") for number in range(5_000)]
    with postgresql.write(traces, responses):
        held = ask(postgresql, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'")
    assert held == [(2 * BUCKETS,)]


def test_a_query_is_stopped_in_time(postgresql: PostgreSQLEngine) -> None:
    started = time.monotonic()
    with pytest.raises(QueryTimeout), reading(postgresql, 0.3) as reader:
        reader.rows(sa.select(sa.func.pg_sleep(20)))
    assert time.monotonic() - started < 5
    with reading(postgresql, 5) as reader:
        assert reader.row(sa.select(sa.func.count()).select_from(schema.spans)) == (0,)


def test_commits_are_durable_even_where_the_server_is_set_up_otherwise(new_postgresql: Callable[[], str]) -> None:
    url = new_postgresql()
    admin = sa.create_engine(url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    with admin.connect() as connection:
        connection.exec_driver_sql(f"ALTER DATABASE {sa.make_url(url).database} SET synchronous_commit = off")
    engine = open_engine(url, Settings())
    assert isinstance(engine, PostgreSQLEngine)
    commit(engine, span())
    assert engine._writer is not None
    assert engine._writer.execute("SHOW synchronous_commit").fetchone() == ("on",)
    engine.close()


def fill_unanalysed(url: str, traces: int) -> None:
    """Spans that no statistics tell of: as after a restore from a dump."""
    engine = open_engine(url, Settings())
    assert isinstance(engine, PostgreSQLEngine)
    engine._statistics.close()
    rows = (span(trace=number, span_id=at, start_ns=T0 + number, counted=True) for number in range(1, traces) for at in (1, 2))
    with engine.write(()) as session:
        session.apply(Change(insert=batch(*rows)))
    assert ask(engine, "SELECT count(*) FROM pg_stats WHERE strpos(tablename, 'spans') = 1") == [(0,)]
    engine.close()


def nested_loops(engine: Engine) -> object:
    return ask(engine, "SHOW enable_nestloop")[0][0]


def test_a_store_that_was_never_analysed_is_read_without_nested_loops(
    new_postgresql: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    url = new_postgresql()
    fill_unanalysed(url, 1_500)
    monkeypatch.setattr("otel_llm.store.engines.postgresql_statistics.Statistics._run", lambda self: None)
    server = QueryServer(database_url=url)
    assert nested_loops(server.engine) == "off"
    started = time.monotonic()
    found = server.get("/api/v1/series", split="agent", **{"from": "2026-01-01T00:00:00Z", "to": "2026-01-02T00:00:00Z"})
    assert found
    assert time.monotonic() - started < 10, "with nested loops this takes minutes"
    server.close()


def test_a_store_that_was_never_analysed_is_analysed_when_it_is_read(new_postgresql: Callable[[], str]) -> None:
    url = new_postgresql()
    fill_unanalysed(url, 100)
    engine = open_engine(url, Settings())
    deadline = time.monotonic() + 10
    while nested_loops(engine) == "off":
        assert time.monotonic() < deadline, "it was never analysed"
        time.sleep(0.05)
    assert ask(engine, "SELECT count(*) FROM pg_stats WHERE tablename = 'spans' AND attname = 'trace_id' AND inherited") == [
        (1,)
    ]
    engine.close()


def test_commits_find_related_spans_by_key_before_anything_was_analysed(postgresql: PostgreSQLEngine) -> None:
    """Else each key reads the whole range of time: the first minutes of a new store, or of a new week, would crawl."""
    postgresql._statistics.close()
    with postgresql.write(()) as session:
        session.apply(Change(insert=batch(*(span(trace=number, response_id=f"r{number}") for number in range(1, 3_000)))))
    keys = [("default", number.to_bytes(16, "big")) for number in range(1, 500)]
    responses = [("default", f"r{number}") for number in range(1, 500)]
    with postgresql.write(()) as session:
        assert isinstance(session, PostgreSQLSession)
        for query, values in ((_OF_TRACES, keys), (_OF_RESPONSES, responses)):
            plan = session._connection.execute(f"EXPLAIN {query}", (*_lists(values), T0, T0 + 1)).fetchall()
            assert any("a.trace_id" in line or "a.response_id" in line for (line,) in plan if "Index Cond" in line), plan


def test_a_serialisation_failure_is_tried_again_and_stores_once(postgresql: PostgreSQLEngine) -> None:
    attempts = []

    def work(session: WriteSession) -> None:
        attempts.append(1)
        session.apply(Change(insert=batch(span())))
        if len(attempts) == 1:
            assert isinstance(session, PostgreSQLSession)
            session._connection.execute("DO $$ BEGIN RAISE EXCEPTION 'conflict' USING ERRCODE = '40001'; END $$")

    postgresql.commit([("default", b"a" * 16)], (), work)
    assert len(attempts) == 2
    assert len(stored(postgresql)) == 1


def test_a_stricter_default_isolation_of_the_database_does_not_hide_what_others_committed(
    new_postgresql: Callable[[], str],
) -> None:
    url = new_postgresql()
    admin = sa.create_engine(url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    with admin.connect() as connection:
        connection.exec_driver_sql(
            f"ALTER DATABASE {sa.make_url(url).database} SET default_transaction_isolation = 'repeatable read'"
        )
    first, second = open_engine(url, Settings()), open_engine(url, Settings())
    trace = ("default", (1).to_bytes(16, "big"))
    with first.write([trace]) as session:
        session.related([trace], (), T0, T0)
        commit(second, span(trace=2))
        assert [slim.trace_id[-1] for slim in session.related([("default", (2).to_bytes(16, "big"))], (), T0, T0)] == [2]
    first.close()
    second.close()


_TUNED = r"""
SELECT tablename, regexp_replace(indexdef, ' INDEX \S+ ', ' ') FROM pg_indexes WHERE starts_with(tablename, 'spans')
UNION ALL SELECT attname, attoptions::text FROM pg_attribute WHERE attrelid = 'spans'::regclass AND attoptions IS NOT NULL
ORDER BY 1, 2"""


def test_a_store_of_an_earlier_version_gets_the_indexes_it_lacks(new_postgresql: Callable[[], str]) -> None:
    url = new_postgresql()
    engine = open_engine(url, Settings())
    commit(engine, span(trace=1))
    made = ask(engine, _TUNED)
    with engine.sql.begin() as connection:
        for name in ("spans_by_end", "spans_without_user", "spans_without_session", "spans_of_guardrails"):
            connection.exec_driver_sql(f"DROP INDEX {name}")
        for column in ("start_ns", "end_ns"):
            connection.exec_driver_sql(f"ALTER TABLE spans ALTER {column} RESET (n_distinct_inherited)")
    assert len(ask(engine, _TUNED)) < len(made)
    engine.close()
    engine = open_engine(url, Settings())
    try:
        assert ask(engine, _TUNED) == made
    finally:
        engine.close()


def test_groups_by_time_are_hashed(postgresql: PostgreSQLEngine) -> None:
    commit(postgresql, *(span(trace=number, start_ns=T0 + number * 60 * SECOND) for number in range(2_000)))
    postgresql.checkpoint()
    bucket = postgresql.functions.bucket(schema.spans.c.start_ns, "hour").compile(postgresql.sql)
    plan = ask(postgresql, f"EXPLAIN SELECT {bucket}, count(*) FROM spans GROUP BY 1")
    assert "HashAggregate" in str(plan[0][0]), plan


@pytest.mark.parametrize(
    ("question", "index"),
    [
        ("counted AND user_id IS NULL", "project_start_ns"),
        ("counted AND session_id IS NULL", "project_start_ns"),
        ("role = 'guardrail'", "project_start_ns"),
        ("counted AND end_ns >= {from_ns} AND end_ns <= {to_ns}", "project_end_ns"),
    ],
)
def test_whether_there_is_any_such_span_is_answered_from_an_index(
    postgresql: PostgreSQLEngine, question: str, index: str
) -> None:
    commit(
        postgresql,
        *(
            span(
                trace=number,
                start_ns=T0 + number * 60 * SECOND,
                end_ns=T0 + number * 60 * SECOND + 1,
                user_id="u",
                session_id="s",
            )
            for number in range(2_000)
        ),
    )
    postgresql.checkpoint()
    question = question.format(from_ns=T0, to_ns=T0 + 120 * SECOND)
    plan = "\n".join(
        str(row[0])
        for row in ask(postgresql, f"EXPLAIN (ANALYZE) SELECT 1 FROM spans WHERE project = 'default' AND {question} LIMIT 1")
    )
    assert f"Seq Scan on {ddl.table_of(ddl.week_of(T0))}" not in plan
    assert index in plan
