"""Retention deletes what is too old or too much, gives space back, and nothing else."""

from pathlib import Path

import sqlalchemy as sa

from otel_llm.retention import parse_rule
from otel_llm.spans import Rejection
from otel_llm.store import schema
from otel_llm.store.engines.base import Change, Engine
from otel_llm.store.retention import Retention

from .rows import SECOND, T0, span
from .test_resolution import commit, stored

DAY = 86_400 * SECOND


def apply(engine: Engine, *rules: str, now: int = T0 + 10 * DAY) -> int:
    """One retention run."""
    return Retention(engine, [parse_rule(rule) for rule in rules], 300).apply(now)


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
    if left:
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
