"""Queries are bounded: in time, in rows, and without touching the next query of a pooled connection."""

import threading
import time
from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from otel_llm.config import Settings
from otel_llm.errors import QueryTimeout
from otel_llm.store.engines.base import Engine
from otel_llm.store.open import open_engine
from otel_llm.store.queries.reading import reading, run

QUICK = sa.select(sa.literal(7))


def numbers(count: int) -> sa.Select[int]:
    """A statement with some rows."""
    return sa.select(sa.literal_column("range", sa.Integer())).select_from(sa.text(f"range({count})"))


@pytest.fixture
def read_engine() -> Iterator[Engine]:
    """An empty engine."""
    engine = open_engine("duckdb:///:memory:", Settings())
    yield engine
    engine.close()


def test_a_query_is_stopped_at_its_time_and_the_connection_stays_good(read_engine: Engine) -> None:
    endless = sa.select(sa.func.count()).select_from(
        sa.text("range(10000000) a, range(10000000) b where a.range % 7 = b.range % 5")
    )
    before = time.monotonic()
    with pytest.raises(QueryTimeout) as raised:
        run(read_engine, endless, 0.2)
    assert time.monotonic() - before < 10
    assert raised.value.retry_after > 0
    assert run(read_engine, QUICK, 5)[0][0] == 7


def test_the_statements_of_one_question_share_its_time(read_engine: Engine) -> None:
    with reading(read_engine, 0.2) as reader:
        assert reader.row(QUICK)[0] == 7
        time.sleep(0.25)
        with pytest.raises(QueryTimeout):
            reader.rows(QUICK)


def test_a_finished_query_leaves_no_watch_behind(read_engine: Engine) -> None:
    with reading(read_engine, 0.3) as reader:
        reader.rows(QUICK)
    with reading(read_engine, 30) as reader:  # the same pooled connection, while the first limit passes
        for _ in range(20):
            assert reader.row(QUICK)[0] == 7
            time.sleep(0.02)
    assert not [thread for thread in threading.enumerate() if isinstance(thread, threading.Timer) and thread.is_alive()]


def test_an_answer_with_too_many_rows_is_refused_and_the_largest_allowed_is_not(read_engine: Engine) -> None:
    with reading(read_engine, 30, max_rows=1_000) as reader:
        assert len(reader.rows(numbers(1_000))) == 1_000
        with pytest.raises(QueryTimeout, match="1,000 rows"):
            reader.rows(numbers(1_001))


def test_an_error_of_the_database_is_not_taken_for_a_time_limit(read_engine: Engine) -> None:
    with pytest.raises(sa.exc.SQLAlchemyError):
        run(read_engine, sa.select(sa.column("nothing")).select_from(sa.text("nowhere")), 5)
