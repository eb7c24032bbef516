"""Statements: what the database is asked, beyond what the answers show."""

from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from otel_llm.config import Settings
from otel_llm.store.engines.base import Engine
from otel_llm.store.open import open_engine
from otel_llm.store.queries.call import SPAN
from otel_llm.store.queries.calls import CallFilter, Calls, storable
from otel_llm.store.queries.metrics import METRICS, PERCENTILE_VALUES, PERCENTILES, aggregates, percentiles
from otel_llm.store.queries.window import EVER, MAX_NS, MIN_NS, Window


@pytest.fixture(scope="module")
def asked_engine() -> Iterator[Engine]:
    """An empty engine."""
    engine = open_engine("duckdb:///:memory:", Settings())
    yield engine
    engine.close()


def sql(engine: Engine, statement: sa.Select[*tuple[object, ...]]) -> str:
    """The text sent to the database."""
    return str(statement.compile(engine.sql))


def test_values_are_bound_never_spliced(asked_engine: Engine) -> None:
    evil = "x' OR 1=1 --"
    filters = CallFilter(
        user_id=evil, user_name=evil, user_tags=[evil], session_id=evil, provider=evil, model=evil, agent=evil, roles={evil}
    )
    text = sql(asked_engine, Calls(asked_engine.functions, evil, EVER, filters).grouped((), sa.func.count()))
    assert "OR 1=1" not in text
    with asked_engine.sql.connect() as connection:
        statement = Calls(asked_engine.functions, evil, EVER, filters).grouped((), sa.func.count())
        assert connection.execute(statement).scalar_one() == 0


def test_the_trace_is_joined_only_where_it_is_needed(asked_engine: Engine) -> None:
    functions = asked_engine.functions
    assert "JOIN" not in sql(asked_engine, Calls(functions, "p", EVER).select(SPAN.name))
    assert "JOIN" not in sql(asked_engine, Calls(functions, "p", EVER, CallFilter(model="m")).select(SPAN.name))
    assert sql(asked_engine, Calls(functions, "p", EVER, CallFilter(user_id="u")).select(SPAN.name)).count("JOIN") == 1
    assert sql(asked_engine, Calls(functions, "p", EVER, CallFilter(user_name="u")).select(SPAN.name)).count("JOIN") == 2


def test_a_value_that_was_not_asked_for_cannot_be_read(asked_engine: Engine) -> None:
    calls = Calls(asked_engine.functions, "p", EVER, inherit=("session_id",))
    assert calls.session_id is not None
    with pytest.raises(ValueError, match="user_id"):
        _ = calls.user_id


def test_labels_are_no_column_names(asked_engine: Engine) -> None:
    """ClickHouse would read an alias where the column of that name is meant."""
    labels = {label.name for label in [*aggregates(asked_engine.functions, METRICS), *percentiles(asked_engine.functions)]}
    assert len(labels) == len(METRICS) + len(PERCENTILE_VALUES) * len(PERCENTILES)
    assert not labels & set(SPAN.keys())


@pytest.mark.parametrize(("text", "possible"), [("", True), ("é\n😀", True), ("a\0b", False), ("\ud800", False)])
def test_storable(text: str, possible: bool) -> None:
    assert storable(text) is possible


def test_windows_are_clamped_and_inclusive() -> None:
    assert Window.of(-(10**30), 10**30) == EVER == (MIN_NS, MAX_NS)
    assert Window.before(5, 10) == (5, 9)
    assert 9 in Window.before(5, 10)
    assert 10 not in Window.before(5, 10)
    assert 5 not in Window.before(5, 5)
