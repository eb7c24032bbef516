"""Retention deletes what is too old or too much, gives space back, and nothing else."""

import time
from pathlib import Path

import sqlalchemy as sa

from otel_llm.retention import parse_rule
from otel_llm.spans import Finding, MetricPoint, Rejection
from otel_llm.store import schema
from otel_llm.store.engines.base import Change, Engine
from otel_llm.store.engines.duckdb import DuckDBEngine
from otel_llm.store.retention import Retention, purge

from .rows import SECOND, T0, span
from .test_resolution import HOUR, commit, stored

DAY = 86_400 * SECOND


def apply(engine: Engine, *rules: str, now: int = T0 + 10 * DAY) -> int:
    """One retention run; returns how many spans it deleted."""
    return Retention(engine, [parse_rule(rule) for rule in rules], 300).apply(now).spans


def test_spans_older_than_the_age_are_deleted_and_younger_ones_stay(engine: Engine) -> None:
    commit(engine, span(span_id=1, start_ns=T0), span(span_id=2, start_ns=T0 + 5 * DAY))
    assert apply(engine, "7d") == 1
    assert {key[1][-1] for key in stored(engine)} == {2}


def test_a_project_with_an_age_of_its_own_keeps_to_that(engine: Engine) -> None:
    commit(engine, span(project="short"), span(project="long"), span(project="other"))
    assert apply(engine, "7d", "long=30d", "short=1d") == 2
    assert [len(stored(engine, name)) for name in ("short", "long", "other")] == [0, 1, 0]


def test_without_a_general_age_other_projects_keep_everything(engine: Engine) -> None:
    commit(engine, span(project="short"), span(project="other"))
    assert apply(engine, "short=1d") == 1
    assert len(stored(engine, "other")) == 1


def test_beyond_the_size_the_oldest_go_and_space_is_given_back(engine: Engine) -> None:
    filler = "x" * 2_000
    for hour in range(8):
        commit(
            engine,
            *(
                span(
                    span_id=number,
                    trace=hour * 10_000 + number,
                    start_ns=T0 + hour * 3_600 * SECOND + number,
                    attributes=f'"{number}{hour}{filler}"',
                )
                for number in range(1, 4_001)
            ),
        )
    engine.checkpoint()
    before = engine.used_bytes()
    assert apply(engine, f"{before // 2}B") > 0
    assert engine.used_bytes() <= before // 2
    left = stored(engine)
    if not engine.capabilities.partitions:  # which are days or weeks, and go as a whole
        assert len(left) > 8_000, "no more than must be"
        assert max(row["start_ns"] for row in left.values()) >= T0 + 7 * 3_600 * SECOND


def test_a_run_that_deleted_something_is_in_the_audit_log(engine: Engine) -> None:
    commit(engine, span())
    apply(engine, "1d")
    apply(engine, "1d")
    with engine.sql.connect() as connection:
        assert connection.execute(sa.select(schema.audit.c.action)).scalars().all() == ["retention.run"]


def test_a_deleted_span_that_is_sent_again_is_stored_again(engine: Engine) -> None:
    commit(engine, span())
    apply(engine, "1d")
    assert commit(engine, span()) == 0


def test_the_newest_rejections_stay_and_their_number_is_bounded(engine: Engine) -> None:
    entries = [Rejection("default", T0 + number, "spans", "", "", "bad id", "zero") for number in range(200)]
    with engine.write(set()) as session:
        session.apply(Change(rejections=entries))
    retention = Retention(engine, [], 3600)
    retention.trim_rejections(keep=190)
    assert len(kept_rejections(engine)) == 200, "a little too much is left alone"
    retention.trim_rejections(keep=50)
    assert kept_rejections(engine) == [T0 + number for number in range(150, 200)]
    retention.trim_rejections(keep=50)
    assert len(kept_rejections(engine)) == 50


def test_rejections_of_one_moment_stay_together(engine: Engine) -> None:
    entries = [Rejection("default", T0 + number // 100, "spans", "", "", "bad id", "zero") for number in range(300)]
    with engine.write(set()) as session:
        session.apply(Change(rejections=entries))
    Retention(engine, [], 3600).trim_rejections(keep=150)
    assert kept_rejections(engine) == [T0 + 1] * 100 + [T0 + 2] * 100


def kept_rejections(engine: Engine) -> list[int]:
    with engine.sql.connect() as connection:
        return sorted(connection.execute(sa.select(schema.rejections.c.time_ns)).scalars())


def test_the_store_without_rules_keeps_everything(engine: Engine, tmp_path: Path) -> None:
    commit(engine, span())
    assert apply(engine) == 0
    assert len(stored(engine)) == 1


def point(number: int, time_ns: int, project: str = "default", attributes: str = "{}") -> MetricPoint:
    """A data point of its own."""
    return MetricPoint(
        project, number.to_bytes(16, "big"), "gen_ai.usage", "{token}", "sum", time_ns, time_ns, "app", attributes, "1"
    )


def write(engine: Engine, change: Change) -> None:
    """Commits a change as it is."""
    with engine.write(set()) as session:
        session.apply(change)


def projects_left(engine: Engine, table: sa.Table) -> list[str]:
    """The project of each row."""
    with engine.sql.connect() as connection:
        return sorted(connection.execute(sa.select(table.c.project)).scalars())


def test_what_a_project_without_old_spans_has_grows_old_too(engine: Engine) -> None:
    finding = Finding("quiet", b"t" * 16, b"s" * 8, b"f" * 16, T0, "p", "", "block", "", "event")
    rejection = Rejection("quiet", T0, "spans", "", "", "bad id", "zero")
    points = [point(number, T0 + number * DAY, project) for number in (0, 9) for project in ("quiet", "busy")]
    write(engine, Change(findings=[finding], metric_points=points, rejections=[rejection]))
    commit(engine, span(project="busy", start_ns=T0 + 9 * DAY))
    assert apply(engine, "5d", "other=1d") == 0
    assert projects_left(engine, schema.metric_points) == ["busy", "quiet"]
    assert projects_left(engine, schema.findings) == projects_left(engine, schema.rejections) == []
    assert len(stored(engine, "busy")) == 1


def test_a_store_of_data_points_alone_keeps_to_its_size(engine: Engine) -> None:
    filler = "x" * 500
    write(
        engine,
        Change(metric_points=[point(number, T0 + number, attributes=f'"{number}{filler}"') for number in range(12_000)]),
    )
    # PostgreSQL's counts of rows are up to a second behind, and come with a later commit.
    time.sleep(1.1)
    write(engine, Change(metric_points=[point(12_000, T0 + 12_000)]))
    engine.checkpoint()
    before = engine.used_bytes()
    with_small_steps = Retention(engine, [parse_rule(f"{before // 2}B")], 300)
    deleted = with_small_steps.apply(T0)
    assert deleted.spans == 0
    assert deleted.records > 0
    assert engine.used_bytes() <= before * 0.55, "but for what an engine needs beside rows"


def test_a_project_keeps_to_its_share_of_the_store_and_others_keep_everything(engine: Engine) -> None:
    filler = "x" * 1_000
    for project, count in (("large", 3_000), ("small", 1_000)):
        rows = (
            span(project=project, span_id=number, start_ns=T0 + number, attributes=f'"{number}{filler}"')
            for number in range(1, count + 1)
        )
        commit(engine, *rows)
    engine.checkpoint()
    used = engine.used_bytes()
    assert apply(engine, f"large={used * 9 // 10}B", f"small={used}B") == 0
    assert apply(engine, f"large={used // 2}B") > 0
    left = stored(engine, "large")
    assert 0 < len(left) < 3_000
    assert 3_000 in {int.from_bytes(key[1], "big") for key in left}
    assert len(stored(engine, "small")) == 1_000


def test_a_purge_leaves_nothing_of_a_project_and_everything_of_others(engine: Engine) -> None:
    for project in ("leaves", "stays"):
        finding = Finding(project, b"t" * 16, b"s" * 8, b"f" * 16, T0, "p", "", "block", "", "event")
        rejection = Rejection(project, T0 + 2 * DAY, "spans", "", "", "bad id", "zero")
        write(engine, Change(findings=[finding], metric_points=[point(1, T0 + DAY, project)], rejections=[rejection]))
    commit(engine, span(project="leaves"), span(project="stays"))
    assert purge(engine, "leaves") == (1, 3)
    for table in (schema.spans, schema.findings, schema.metric_points, schema.rejections):
        assert projects_left(engine, table) == ["stays"]


def test_what_was_deleted_is_forgotten_and_nothing_else(tmp_path: Path) -> None:
    engine = DuckDBEngine(str(tmp_path / "store.duckdb"))
    engine.open()
    old, new = span(span_id=1, response_id="r"), span(trace=2, span_id=2, start_ns=T0 + HOUR // 2)
    commit(engine, old, new)
    engine.delete_oldest(None, T0 + 1, 10)
    copy = span(trace=3, span_id=3, response_id="r", start_ns=T0 + SECOND // 2, end_ns=T0 + SECOND)
    assert commit(engine, copy, new) == 1, "what stays is known"
    assert stored(engine)[(3).to_bytes(16, "big"), (3).to_bytes(8, "big")]["reason"] == "only_record"
    assert commit(engine, old) == 0
    engine.close()
