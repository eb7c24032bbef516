"""What is ClickHouse's own: versions, calls that are repeated, partitions, the DDL of a cluster."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from otel_llm.config import Settings
from otel_llm.errors import StoreError, StoreMismatch, StoreUnavailable
from otel_llm.spans import Rejection, SlimSpan
from otel_llm.store import migrations, schema
from otel_llm.store.engines.base import Change, Engine
from otel_llm.store.open import open_engine

from .rows import SECOND, T0, batch, span
from .test_engine import count
from .test_resolution import commit, stored

pytest.importorskip("clickhouse_connect", reason="clickhouse-connect is not installed (pip install 'otel-llm[clickhouse]')")
from clickhouse_connect.driver.exceptions import OperationalError

from otel_llm.store.engines import clickhouse_schema as ddl
from otel_llm.store.engines.clickhouse import ClickHouseEngine
from otel_llm.store.engines.clickhouse_session import version

HOUR = 3_600 * SECOND
DAY = 24 * HOUR


def ask(engine: Engine, query: str) -> list[tuple[Any, ...]]:
    with engine.sql.connect() as connection:
        return [tuple(row) for row in connection.exec_driver_sql(query)]


def slim(**values: Any) -> SlimSpan:
    return batch(span(**values)).slim()[0]


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2**63 - 1), st.integers(0, 65_535)), min_size=2, max_size=2),
    st.integers(0, 2**48 - 1),
    st.integers(0, 2**48 - 1),
)
def test_the_heavier_copy_has_the_larger_version_whenever_it_was_written(
    copies: list[tuple[int, int, int]], one_time: int, other_time: int
) -> None:
    one, other = (slim(kind=kind, end_ns=end, attribute_count=attributes) for kind, end, attributes in copies)
    if one.weight == other.weight:
        assert (version(one, one_time) > version(other, other_time)) == (one_time > other_time)
    else:
        assert (version(one, one_time) > version(other, other_time)) == (one.weight > other.weight)
    assert 0 <= version(one, one_time) < 2**128


def test_rows_inserted_again_in_any_order_leave_one(clickhouse: ClickHouseEngine) -> None:
    old, new = span(name="old"), span(name="new", end_ns=T0 + 9 * SECOND)
    for row in (new, old, new, old):
        with clickhouse.write([]) as session:
            session.apply(Change(insert=batch(row)))
    assert [row["name"] for row in stored(clickhouse).values()] == ["new"]


def test_a_copy_that_starts_in_another_hour_replaces_the_stored_one_and_can_be_replaced_itself(
    clickhouse: ClickHouseEngine,
) -> None:
    starts = [T0 + HOUR - SECOND, T0 + HOUR + SECOND, T0 + HOUR - 2 * SECOND]
    for number, start in enumerate(starts):
        commit(clickhouse, span(start_ns=start, end_ns=T0 + (2 + number) * HOUR, name=str(number)))
        assert [row["name"] for row in stored(clickhouse).values()] == [str(number)]
    clickhouse.sql.connect().exec_driver_sql("OPTIMIZE TABLE spans FINAL")
    assert [row["name"] for row in stored(clickhouse).values()] == ["2"]


class Flaky:
    """A client whose answers get lost: calls are done, then fail, as often as told."""

    def __init__(self, client: Any, losses: int) -> None:
        self._client, self.losses = client, losses

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._client, name)
        if name not in ("insert", "query"):
            return call

        def done_but_lost(*values: Any, **named: Any) -> Any:
            result = call(*values, **named)
            if self.losses:
                self.losses -= 1
                raise OperationalError("connection reset by peer")
            return result

        return done_but_lost


def lose_answers(engine: ClickHouseEngine, monkeypatch: pytest.MonkeyPatch, losses: int) -> None:
    connect = engine._connections._connect
    left = [losses]

    def flaky() -> Any:
        connection = connect()
        connection.client = Flaky(connection.client, 1 if left[0] > 0 else 0)
        left[0] -= 1
        return connection

    monkeypatch.setattr(engine._connections, "_connect", flaky)
    monkeypatch.setattr("otel_llm.store.engines.clickhouse_calls._PAUSE_S", 0.01)
    engine._connections.drop()


def test_calls_whose_answer_is_lost_are_made_again_and_nothing_is_doubled(
    clickhouse: ClickHouseEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        lose_answers(clickhouse, patch, 6)
        assert commit(clickhouse, span(span_id=1), span(span_id=2, parent=1)) == 0, "none of it is a duplicate"
    assert len(stored(clickhouse)) == 2
    lose_answers(clickhouse, monkeypatch, 3)
    refusal = Rejection("default", T0, "spans", "", "", "bad id", "zero")
    clickhouse.commit((), (), lambda session: session.apply(Change(rejections=[refusal, refusal])))
    assert count(clickhouse, schema.rejections) == 2


def test_a_server_that_stays_away_refuses_as_retryable(clickhouse: ClickHouseEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("otel_llm.store.engines.clickhouse.RETRY_FOR_S", 0.5)
    with monkeypatch.context() as away:
        lose_answers(clickhouse, away, 10_000)
        started = time.monotonic()
        with pytest.raises(StoreUnavailable):
            commit(clickhouse, span())
        assert time.monotonic() - started < 5
    clickhouse._connections.drop()
    commit(clickhouse, span())
    assert len(stored(clickhouse)) == 1


def test_a_server_that_is_not_there_is_told_in_one_sentence() -> None:
    with pytest.raises(StoreError, match="cannot open") as refusal:
        open_engine("clickhousedb://me:hunter2@127.0.0.1:1/db", Settings())
    assert "\n" not in str(refusal.value)
    assert "hunter2" not in str(refusal.value)


def test_retention_drops_whole_days(clickhouse: ClickHouseEngine) -> None:
    today = time.time_ns() // DAY * DAY
    commit(
        clickhouse, *(span(trace=number, start_ns=today - 9 * DAY) for number in range(1, 50)), span(trace=99, start_ns=today)
    )
    assert clickhouse.delete_oldest(None, today - 2 * DAY, 10).spans == 49
    days = ask(
        clickhouse,
        "SELECT DISTINCT partition FROM system.parts WHERE active AND table = 'spans' AND database = currentDatabase()",
    )
    assert days == [(str(today // DAY),)]


def test_a_window_of_time_reads_only_its_hours(clickhouse: ClickHouseEngine) -> None:
    commit(clickhouse, *(span(trace=hour + 1, start_ns=T0 + hour * HOUR) for hour in range(200)))
    query = f"SELECT count() FROM spans WHERE project = 'default' AND start_ns BETWEEN {T0 + 50 * HOUR} AND {T0 + 60 * HOUR}"
    with clickhouse.sql.connect() as connection:
        plan = json.loads(connection.exec_driver_sql(f"EXPLAIN indexes = 1, json = 1 {query}").scalar_one())
    indexes = [index for node in nodes(plan[0]["Plan"]) for index in node.get("Indexes", ())]
    (key,) = [index for index in indexes if index["Type"] == "PrimaryKey"]
    assert key["Keys"] == ["project", "intDiv(start_ns, 3600000000000)"]
    assert (indexes[0]["Initial Parts"], indexes[-1]["Selected Parts"]) == (9, 1)


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for inner in plan.get("Plans", ()):
        yield from nodes(inner)


def test_the_ddl_of_a_cluster_is_replicated_within_shards_and_spread_by_trace(clickhouse: ClickHouseEngine) -> None:
    statements = list(ddl.statements("prod"))
    parsed = []
    with clickhouse.sql.connect() as connection:
        for statement in statements:
            quoted = statement.replace("\\", "\\\\").replace("'", "\\'")
            parsed.append(connection.exec_driver_sql(f"SELECT formatQuerySingleLine('{quoted}')").scalar_one())
    assert all("ON CLUSTER" in statement for statement in parsed)
    spans = next(each for each in parsed if each.startswith("CREATE TABLE IF NOT EXISTS spans_local "))
    assert (
        "ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/{database}/spans', '{replica}', row_version, is_deleted)"
        in spans
    )
    spread = next(each for each in parsed if each.startswith("CREATE TABLE IF NOT EXISTS spans "))
    assert "Distributed('prod', currentDatabase(), spans_local, sipHash64(project, trace_id))" in spread
    keys = next(each for each in parsed if each.startswith("CREATE TABLE IF NOT EXISTS keys "))
    assert "ReplicatedMergeTree('/clickhouse/tables/all/{database}/keys', '{shard}-{replica}')" in keys
    made = {each.split()[5] for each in parsed}
    assert made == {table.name for table in schema.metadata.sorted_tables} | {f"{name}_local" for name in ddl._SHARDED_BY}


def test_over_http_inserts_whose_answers_are_lost_are_made_again_and_nothing_is_doubled(
    new_clickhouse: Callable[[], str], clickhouse_http: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("otel_llm.store.engines.clickhouse.RETRY_FOR_S", 60)
    database = new_clickhouse().partition("?")[0].rpartition("/")[2]
    engine = open_engine(clickhouse_http.url(database), Settings())
    before, clickhouse_http.losses = clickhouse_http.inserts, 3
    assert commit(engine, span(span_id=1), span(span_id=2, parent=1)) == 0, "none of it is a duplicate"
    assert clickhouse_http.losses == 0
    clickhouse_http.losses = 1
    refusal = Rejection("default", T0, "spans", "", "", "bad id", "zero")
    engine.commit((), (), lambda session: session.apply(Change(rejections=[refusal, refusal])))
    assert clickhouse_http.inserts - before == 6, "each was really done more than once"
    assert len(stored(engine)) == 2
    assert count(engine, schema.rejections) == 2
    engine.close()


def test_a_store_that_another_process_is_just_making_is_waited_for(
    new_clickhouse: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    url, making, go_on = new_clickhouse(), threading.Event(), threading.Event()
    statements = list(ddl.statements(None))

    def slowly(_: str | None) -> Iterator[str]:
        yield from statements[:2]
        making.set()
        assert go_on.wait(30)
        yield from statements[2:]

    monkeypatch.setattr(ddl, "statements", slowly)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(open_engine, url, Settings())
        assert making.wait(30)
        second = pool.submit(open_engine, url, Settings())
        with pytest.raises(TimeoutError):
            second.result(0.5)
        go_on.set()
        for opened in (first.result(30), second.result(30)):
            opened.close()


@pytest.mark.parametrize("made", [2, 99], ids=["some tables", "all tables and no version"])
def test_tables_without_a_version_that_nobody_goes_on_with(
    new_clickhouse: Callable[[], str], monkeypatch: pytest.MonkeyPatch, made: int
) -> None:
    monkeypatch.setattr(migrations, "PATIENCE_S", 0.2)
    url = new_clickhouse()
    with sa.create_engine(url, poolclass=sa.NullPool).connect() as connection:
        for statement in list(ddl.statements(None))[:made]:
            connection.exec_driver_sql(statement)
    if made == 2:
        with pytest.raises(StoreMismatch, match="tables that are not ours"):
            open_engine(url, Settings())
    else:
        engine = open_engine(url, Settings())
        assert commit(engine, span()) == 0
        engine.close()
