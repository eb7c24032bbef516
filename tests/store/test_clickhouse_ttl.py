"""Ages of retention as the TTL of ClickHouse's tables: what goes without us, what must not, and when nothing is altered."""

import time
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from otel_llm.collector import Collector
from otel_llm.config import Settings
from otel_llm.retention import Ages, parse_rule
from otel_llm.spans import Finding, Rejection
from otel_llm.store import schema
from otel_llm.store.engines.base import ROW_TIMES, Change, Engine
from otel_llm.store.retention import Retention

from .rows import SECOND, span
from .test_resolution import commit, stored
from .test_retention import point, write

pytest.importorskip("clickhouse_connect", reason="clickhouse-connect is not installed (pip install 'otel-llm[clickhouse]')")
from otel_llm.store.engines import clickhouse_schema as ddl
from otel_llm.store.engines.clickhouse import ClickHouseEngine, _Care
from tests.effort import examples

HOUR = 3_600 * SECOND
DAY = 24 * HOUR
YEAR = 365 * DAY
END_OF_TIME = 2**63 - 1
TABLES = ROW_TIMES


def retention(engine: Engine, *rules: str, **named: Any) -> Retention:
    return Retention(engine, [parse_rule(rule) for rule in rules], 300, **named)


def run(engine: Engine, statement: str) -> list[Any]:
    with engine.sql.connect() as connection:
        result = connection.exec_driver_sql(statement.replace("%", "%%"))
        return [row[0] for row in result] if result.returns_rows else []


def merge(engine: Engine) -> None:
    """Lets the server do at once what it does in its own time."""
    deadline = time.monotonic() + 30
    while run(engine, "SELECT count() FROM system.mutations WHERE database = currentDatabase() AND NOT is_done") != [0]:
        assert time.monotonic() < deadline, "the server rewrites parts"
        time.sleep(0.02)
    for table in TABLES:
        run(engine, f"OPTIMIZE TABLE {table} FINAL")


def ttls(engine: Engine) -> list[str]:
    """The TTL of each table as the server tells it; empty is none."""
    found = (run(engine, f"SELECT engine_full FROM system.tables WHERE database = currentDatabase() AND name = '{table}'")
             for table in TABLES)  # fmt: skip
    return [engine_full.partition(" TTL ")[2].partition(" SETTINGS ")[0] for (engine_full,) in found]


def altered(engine: Engine, work: Callable[[], object]) -> list[str]:
    """The ALTER statements that some work sent to the server."""
    sent: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        sent.append(statement)

    sa.event.listen(engine.sql, "before_cursor_execute", note)
    try:
        work()
    finally:
        sa.event.remove(engine.sql, "before_cursor_execute", note)
    return [statement for statement in sent if statement.startswith("ALTER")]


def fill(engine: Engine, project: str, *times: int) -> None:
    """A span and a record of each kind at each time."""
    write(
        engine,
        Change(
            findings=[
                Finding(project, b"t" * 16, b"s" * 8, at.to_bytes(16), at, "p", "", "block", "", "event") for at in times
            ],
            metric_points=[point(at, at, project) for at in times],
            rejections=[Rejection(project, at, "spans", "", "", "bad id", "zero") for at in times],
        ),
    )
    commit(engine, *(span(project=project, trace=number, start_ns=at, end_ns=at) for number, at in enumerate(times, 1)))


def left(engine: Engine, project: str) -> list[list[int]]:
    """The times of a project's rows, of each table."""
    with engine.sql.connect() as connection:
        tables = [(schema.metadata.tables[name].c, column) for name, column in TABLES.items()]
        asked = [sa.select(c[column]).where(c.project == project).order_by(c[column]) for c, column in tables]
        return [list(connection.execute(each).scalars()) for each in asked]


@pytest.mark.parametrize("rows_first", [True, False], ids=["rows were there", "rules were there"])
def test_rows_past_their_age_go_without_us_and_no_others(clickhouse: ClickHouseEngine, rows_first: bool) -> None:
    now = time.time_ns()
    old, older = now - 10 * DAY, now - 40 * DAY
    rules = retention(clickhouse, "30d", "short=1d", "it's 100%=1d", "long=1700000h", "20GB")
    if not rows_first:
        rules.hand_over()
    for project in ("short", "it's 100%", "long", "other"):
        fill(clickhouse, project, 0, older, old, now, END_OF_TIME)
    if rows_first:
        rules.hand_over()
    merge(clickhouse)
    for project in ("short", "it's 100%"):
        assert left(clickhouse, project) == [[now, END_OF_TIME]] * 4
    assert left(clickhouse, "long") == [[0, older, old, now, END_OF_TIME]] * 4
    assert left(clickhouse, "other") == [[old, now, END_OF_TIME]] * 4
    assert not rules.apply(now), "what the server deleted is not told as deleted by us"
    assert run(clickhouse, "SELECT count() FROM audit") == [0]


def test_without_a_general_age_other_projects_keep_everything(clickhouse: ClickHouseEngine) -> None:
    for project in ("short", "other"):
        fill(clickhouse, project, 0, END_OF_TIME)
    retention(clickhouse, "short=1d").hand_over()
    merge(clickhouse)
    assert left(clickhouse, "short") == [[END_OF_TIME]] * 4
    assert left(clickhouse, "other") == [[0, END_OF_TIME]] * 4


@settings(max_examples=examples(40, 20), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    at=st.integers(-(2**63), END_OF_TIME) | st.sampled_from([-(2**63), -1, 0, HOUR - 1, HOUR, 2**32 * SECOND, END_OF_TIME]),
    age=st.floats(1e-3, 200 * 365 * 86_400),
    own=st.sampled_from([None, "p"]),
)
def test_a_row_goes_at_the_end_of_its_hour_plus_its_age_at_any_time(
    clickhouse: ClickHouseEngine, at: int, age: float, own: str | None
) -> None:
    ttl = ddl.ttl("start_ns", Ages(None, {own: age}) if own else Ages(age))
    assert ttl is not None
    moment, _, condition = ttl.partition(" WHERE ")
    (goes,) = run(
        clickhouse, f"SELECT toInt64({moment}) FROM (SELECT toInt64('{at}') AS start_ns, 'p' AS project) WHERE {condition}"
    )
    if at >= 0:
        assert goes == min((at // HOUR + 1) * 3600 + -(-age // 1), 2**32 - 1)
    assert 0 < goes < 2**32, "0 would be never"
    assert goes >= min(at // SECOND + age, 2**32 - 1), "never before its age"


def test_the_tables_follow_the_rules_and_are_altered_only_when_these_change(clickhouse: ClickHouseEngine) -> None:
    def start(*rules: str) -> int:
        return len(altered(clickhouse, retention(clickhouse, *rules).hand_over))

    assert start() == start("20GB", "team-a=5GB") == 0
    assert ttls(clickhouse) == [""] * 4
    assert start("90d", "team-b=1d", "team-a=7d") == 4
    assert all("transform(project, ['team-a', 'team-b'], [604800, 86400], 7776000)" in each for each in ttls(clickhouse))
    assert start("team-a=7d", "20GB", "team-b=24h", "90d") == 0, "the same ages"
    assert start("30d") == 4
    assert all("2592000" in each and "team-a" not in each for each in ttls(clickhouse))
    assert start("20GB") == 4
    assert ttls(clickhouse) == [""] * 4


@pytest.mark.parametrize("lifted_between", [False, True])
def test_a_longer_age_keeps_what_a_shorter_one_would_have_deleted(clickhouse: ClickHouseEngine, lifted_between: bool) -> None:
    retention(clickhouse, "7d").hand_over()
    run(clickhouse, "SYSTEM STOP TTL MERGES spans")
    at = time.time_ns() - 10 * DAY
    commit(clickhouse, span(start_ns=at, end_ns=at))
    if lifted_between:
        retention(clickhouse).hand_over()
    retention(clickhouse, "30d").hand_over()
    run(clickhouse, "SYSTEM START TTL MERGES spans")
    merge(clickhouse)
    assert len(stored(clickhouse)) == 1
    retention(clickhouse).hand_over()
    merge(clickhouse)
    assert len(stored(clickhouse)) == 1


def test_a_ttl_of_the_operator_stays(clickhouse: ClickHouseEngine, caplog: pytest.LogCaptureFixture) -> None:
    own = "toDateTime(intDiv(start_ns, 1000000000)) + toIntervalYear(1)"
    run(clickhouse, f"ALTER TABLE spans MODIFY TTL {own}")
    retention(clickhouse).hand_over()
    assert ttls(clickhouse) == [own, "", "", ""]
    assert "not ours" not in caplog.text, "nobody asked for an age"
    retention(clickhouse, "30d").hand_over()
    assert ttls(clickhouse)[0] == own
    assert all(ttls(clickhouse)[1:])
    assert "table spans has a TTL that is not ours" in caplog.text


def test_spans_are_stored_once_and_in_their_newest_version_beside_a_ttl(clickhouse: ClickHouseEngine) -> None:
    retention(clickhouse, "7d").hand_over()
    now = time.time_ns() // HOUR * HOUR
    young = span(trace=1, span_id=1, start_ns=now - DAY, end_ns=now - DAY + SECOND, name="young")
    old = span(trace=2, span_id=1, start_ns=now - 9 * DAY, end_ns=now - 9 * DAY + SECOND)
    commit(clickhouse, young, old)
    # newer versions: in the same hour, then in another one, which leaves a tombstone behind
    commit(clickhouse, young | {"start_ns": now - DAY + 2 * SECOND, "end_ns": now - DAY + 3 * SECOND, "name": "newer"})
    commit(clickhouse, young | {"start_ns": now - DAY - HOUR // 2, "end_ns": now - DAY + 4 * SECOND, "name": "newest"})
    assert [row["name"] for row in stored(clickhouse).values() if row["start_ns"] > now - 7 * DAY] == ["newest"]
    merge(clickhouse)
    assert [row["name"] for row in stored(clickhouse).values()] == ["newest"]
    assert commit(clickhouse, young) == 1, "known"
    assert commit(clickhouse, old) == 0, "not remembered: it is gone, and stored again, for as long as the server lets it be"


def test_on_a_cluster_the_tables_of_every_server_are_altered(
    clickhouse: ClickHouseEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[str] = []
    monkeypatch.setattr(_Care, "_run", lambda _, statement: sent.append(statement))
    with clickhouse.sql.connect() as connection:
        _Care(connection, "prod").expire(Ages(86_400.0, {"it's": 5.0}))
    parsed = [run(clickhouse, f"SELECT formatQuerySingleLine({ddl.quoted(statement)})")[0] for statement in sent]
    assert [each.partition(" (MODIFY TTL")[0] for each in parsed] == [
        f"ALTER TABLE {table}_local ON CLUSTER prod" for table in TABLES
    ]


def test_a_process_that_only_answers_queries_leaves_the_ages_of_the_receivers(clickhouse: ClickHouseEngine) -> None:
    retention(clickhouse, "30d").hand_over()
    retention(clickhouse, "20GB", lifts_ages=False).hand_over()
    assert all(ttls(clickhouse))
    retention(clickhouse, "7d", lifts_ages=False).hand_over()
    assert all("604800" in each for each in ttls(clickhouse)), "it may have rules of its own"


def test_a_database_that_refuses_is_asked_again_and_runs_go_on(
    clickhouse: ClickHouseEngine, caplog: pytest.LogCaptureFixture
) -> None:
    fill(clickhouse, "default", 0)
    rules = retention(clickhouse, "30d")
    run(clickhouse, "RENAME TABLE rejections TO away")
    rules.hand_over()
    assert "this process deletes them" in caplog.text
    run(clickhouse, "RENAME TABLE away TO rejections")
    assert rules.apply(time.time_ns()).records == 1, "of the table that has no TTL yet"
    assert left(clickhouse, "default") == [[]] * 4
    rules.hand_over()
    assert all(ttls(clickhouse))
    assert altered(clickhouse, rules.hand_over) == []


def test_a_server_sets_the_ages_when_it_starts(new_clickhouse: Callable[[], str]) -> None:
    collector = Collector(Settings(database_url=new_clickhouse(), retention="90d,20GB,team-a=7d"))  # type: ignore[arg-type] # as people write it
    collector.start()
    try:
        deadline = time.monotonic() + 20
        while not all(ttls(collector.engine)) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert all("['team-a'], [604800], 7776000" in each for each in ttls(collector.engine))
    finally:
        collector.stop()


def test_other_engines_are_told_ages_and_delete_as_before(engine: Engine) -> None:
    now = time.time_ns()
    fill(engine, "default", now - 10 * DAY, now)
    rules = retention(engine, "7d")
    rules.hand_over()
    deleted = rules.apply(now)
    if not isinstance(engine, ClickHouseEngine):
        assert deleted == (1, 3)
    assert left(engine, "default") == [[now]] * 4
