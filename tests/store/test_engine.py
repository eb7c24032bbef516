"""What every engine owes its callers beyond exactly-once: findings, full rows, deletion, refusals."""

import time
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from otel_llm.config import Settings
from otel_llm.errors import ConfigError, StoreMismatch
from otel_llm.spans import FIELD_NAMES, Finding, MetricPoint, Rejection
from otel_llm.store import schema
from otel_llm.store.engines.base import Change, Engine
from otel_llm.store.open import open_engine

from .rows import SECOND, T0, batch, span
from .test_resolution import commit, stored

DAY = 86_400 * SECOND
FULL: dict[str, Any] = {
    "scope_name": "tab\there",
    "service_name": "line\nbreak",
    "user_id": "back\\slash \\N",
    "user_tags": '["a","\\"q\\""]',
    "request_tags": '{"k":"v"}',
    "session_id": "ünïcode 🌍 \r",
    "release": "",
    "cost_reported": 1e-9,
    "cost_computed": 123456.789,
    "ttft_ns": 2**62,
    "total_tokens": 2**63 - 1,
    "is_streaming": True,
    "provider_inferred": False,
    "attributes": '{"a":{"b":[1,2.5,null,true,"x"]}}',
    "events": "[]",
    "suppressed_by": b"\x00\\x\xff\t\n\r\x00",
    "name": "'; DROP TABLE spans; --",
}


def count(engine: Engine, table: sa.Table) -> int:
    with engine.sql.connect() as connection:
        return int(connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one())


def write(engine: Engine, change: Change) -> None:
    with engine.write({("default", (1).to_bytes(16, "big"))}) as session:
        session.apply(change)


def test_a_row_comes_back_as_it_was_written(engine: Engine) -> None:
    row = dict.fromkeys(FIELD_NAMES) | span() | FULL
    write(engine, Change(insert=batch(row)))
    (got,) = stored(engine).values()
    assert got == row
    with engine.write(set()) as session:
        fetched = session.fetch({("default", row["trace_id"], row["span_id"])}, T0, T0)
    assert fetched.row(0) == row


def test_fetch_gives_what_is_asked_and_stored(engine: Engine) -> None:
    commit(engine, span(span_id=1), span(span_id=2), span(trace=2, span_id=1), span(project="other"))
    wanted = {("default", (trace).to_bytes(16, "big"), (1).to_bytes(8, "big")) for trace in (1, 2, 3)}
    with engine.write(set()) as session:
        fetched = session.fetch(wanted, T0, T0 + SECOND)
        assert {fetched.key(row) for row in range(fetched.size)} == {key for key in wanted if key[1][-1] != 3}
        assert session.fetch(wanted, T0 + 1, T0 + SECOND).size == 0


def test_a_nul_character_costs_neither_its_span_nor_its_batch(engine: Engine) -> None:
    text = "nul\0here"
    commit(engine, span(span_id=1, name="good"), span(span_id=2, user_id=text, response_id=text, tags='["\\u0000"]'))
    assert len(stored(engine)) == 2


def finding(key: bytes, **values: Any) -> Finding:
    base = Finding("default", (1).to_bytes(16, "big"), (1).to_bytes(8, "big"), key, T0, "p", "policy", "alert", "high", "event")
    return base._replace(**values)


def test_findings_and_metric_points_are_kept_once_the_first_stays(engine: Engine) -> None:
    point = MetricPoint("default", b"m" * 16, "name", "s", "histogram", T0, T0, None, "{}", "{}")
    write(engine, Change(findings=[finding(b"a" * 16), finding(b"b" * 16)], metric_points=[point]))
    write(engine, Change(findings=[finding(b"a" * 16, action="block"), finding(b"c" * 16)], metric_points=[point]))
    with engine.sql.connect() as connection:
        rows = connection.execute(sa.select(schema.findings.c.finding_key, schema.findings.c.action)).all()
    assert sorted((bytes(key)[:1], action) for key, action in rows) == [(b"a", "alert"), (b"b", "alert"), (b"c", "alert")]
    assert count(engine, schema.metric_points) == 1


def test_rejections_are_all_kept(engine: Engine) -> None:
    write(engine, Change(rejections=[Rejection("default", T0, "spans", "", "", "bad id", "zero")] * 3))
    write(engine, Change(rejections=[Rejection("default", T0, "spans", "", "", "bad id", "zero")]))
    assert count(engine, schema.rejections) == 4


def delete_all(engine: Engine, project: str | None, before_ns: int) -> int:
    deleted = 0
    while step := engine.delete_oldest(project, before_ns, 10):
        deleted += step.spans
    return deleted


def test_old_spans_of_all_projects_are_deleted_with_what_hangs_on_them(engine: Engine) -> None:
    old = [span(trace=day, start_ns=T0 + day * DAY, project=f"p{day % 2}") for day in range(1, 31)]
    commit(engine, *old)
    for day in (5, 25):
        write(engine, Change(findings=[finding(bytes([day]) * 16, time_ns=T0 + day * DAY)]))
    cutoff = T0 + 20 * DAY + 1
    assert delete_all(engine, None, cutoff) == 20
    left = [*stored(engine, "p0").values(), *stored(engine, "p1").values()]
    assert sorted(row["start_ns"] for row in left) == [T0 + day * DAY for day in range(21, 31)]
    assert count(engine, schema.findings) == 1
    assert commit(engine, old[0]) == 0, "a deleted span may come again"


def test_one_project_is_deleted_and_no_other(engine: Engine) -> None:
    commit(engine, *(span(trace=number, project=project) for number in range(1, 40) for project in ("a", "it's")))
    assert delete_all(engine, "it's", 2**63 - 1) == 39
    assert len(stored(engine, "a")) == 39
    assert stored(engine, "it's") == {}


def test_everything_can_be_deleted(engine: Engine) -> None:
    now = time.time_ns()
    commit(engine, *(span(trace=number, start_ns=now - number * DAY) for number in range(1, 50)))
    commit(engine, *(span(trace=100 + number, start_ns=now - number) for number in range(1, 50)))
    assert delete_all(engine, None, 2**63 - 1) == 98
    assert count(engine, schema.spans) == 0


def test_size_grows_with_what_is_stored(engine: Engine) -> None:
    before = engine.size_bytes()
    commit(engine, *(span(trace=number, attributes="x" * 1_000 + str(number) * 50) for number in range(1, 2_000)))
    engine.checkpoint()
    assert engine.size_bytes() > before
    assert 0 < engine.used_bytes() <= engine.size_bytes() * 1.01


def test_spans_of_any_storable_time_are_found(engine: Engine) -> None:
    times = [0, 1, T0, time.time_ns(), 2**63 - 2 * SECOND]
    commit(engine, *(span(trace=number, start_ns=start) for number, start in enumerate(times, 1)))
    assert commit(engine, *(span(trace=number, start_ns=start) for number, start in enumerate(times, 1))) == len(times)
    assert {row["start_ns"] for row in stored(engine).values()} == set(times)


def test_a_store_may_be_closed_twice_and_opened_again(engine_url: str) -> None:
    first = open_engine(engine_url, Settings())
    commit(first, span())
    first.close()
    first.close()
    second = open_engine(engine_url, Settings())
    assert commit(second, span()) == 1
    second.close()


def test_a_store_of_a_newer_program_is_refused(engine_url: str) -> None:
    engine = open_engine(engine_url, Settings())
    with engine.sql.begin() as connection:
        connection.execute(sa.insert(schema.schema_versions).values(version=schema.SCHEMA_VERSION + 1, applied_ns=1))
    engine.close()
    with pytest.raises(StoreMismatch, match="newer"):
        open_engine(engine_url, Settings())


def test_a_store_of_the_first_version_is_brought_up_to_date_with_its_data(engine_url: str) -> None:
    engine = open_engine(engine_url, Settings())
    commit(engine, span())
    with engine.sql.begin() as connection:
        connection.exec_driver_sql("DROP TABLE login_sessions")  # what version 1 lacks
        connection.execute(sa.delete(schema.schema_versions).where(schema.schema_versions.c.version > 0))
        connection.execute(sa.insert(schema.schema_versions).values(version=1, applied_ns=1))
    engine.close()
    for _ in range(2):
        engine = open_engine(engine_url, Settings())
        with engine.sql.connect() as connection:
            assert connection.execute(sa.select(sa.func.count()).select_from(schema.login_sessions)).scalar() == 0
            versions = connection.execute(sa.select(schema.schema_versions.c.version)).scalars().all()
        assert sorted(versions) == list(range(1, schema.SCHEMA_VERSION + 1))
        assert len(stored(engine)) == 1
        engine.close()


def test_a_database_with_tables_of_somebody_else_is_refused(engine_url: str) -> None:
    engine = open_engine(engine_url, Settings())
    with engine.sql.begin() as connection:
        connection.exec_driver_sql(f"DROP TABLE {schema.schema_versions.name}")
        memory = "ENGINE = Memory" if engine.sql.dialect.name == "clickhousedb" else ""
        connection.exec_driver_sql(f"CREATE TABLE invoices (number INTEGER) {memory}")
    engine.close()
    with pytest.raises(StoreMismatch, match="invoices"):
        open_engine(engine_url, Settings())


@pytest.mark.parametrize(
    ("url", "hint"),
    [
        ("sqlite:///otel.db", "no engine for sqlite:// URLs. Use duckdb:///FILE"),
        ("mysql://user@host/db", "no engine for mysql:// URLs"),
        ("not a url", "is not a URL"),
        ("", "is not a URL"),
    ],
)
def test_urls_that_nobody_serves_are_refused_with_what_to_use(url: str, hint: str) -> None:
    with pytest.raises(ConfigError, match="duckdb:///FILE") as refusal:
        open_engine(url, Settings())
    assert hint in str(refusal.value)


def test_a_password_is_never_part_of_a_refusal() -> None:
    with pytest.raises(ConfigError) as refusal:
        open_engine("oracle://user:hunter2@host/db", Settings())
    assert "hunter2" not in str(refusal.value)


@pytest.mark.parametrize(
    ("url", "module", "extra"),
    [
        ("postgresql+psycopg://h/d", "psycopg", "otel-llm[postgres]"),
        ("clickhousedb://h/d", "clickhouse_connect", "otel-llm[clickhouse]"),
    ],
)
def test_a_missing_driver_is_told_with_the_extra_that_brings_it(
    monkeypatch: pytest.MonkeyPatch, url: str, module: str, extra: str
) -> None:
    monkeypatch.setattr("otel_llm.store.open.find_spec", lambda name: None if name == module else object())
    with pytest.raises(ConfigError, match="pip install") as refusal:
        open_engine(url, Settings())
    assert extra in str(refusal.value)


def test_a_server_that_is_not_there_is_told_in_one_sentence(tmp_path: Path) -> None:
    from otel_llm.errors import StoreError

    pytest.importorskip("psycopg", reason="psycopg is not installed")
    with pytest.raises(StoreError, match="cannot open") as refusal:
        open_engine("postgresql+psycopg://me:hunter2@127.0.0.1:1/db", Settings())
    assert "\n" not in str(refusal.value)
    assert "hunter2" not in str(refusal.value)
