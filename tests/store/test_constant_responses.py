"""Response ids that are constants: calls stay calls of their own, and the thousandth costs a commit no more than the first."""

from pathlib import Path
from typing import Any

import pytest

from otel_llm.conventions.counting import MOST_SHARING
from otel_llm.store.engines.base import Engine
from otel_llm.store.engines.duckdb import DuckDBEngine
from otel_llm.store.recent import GENERATIONS, RecentSpans

from .rows import SECOND, T0, batch, span
from .test_resolution import HOUR, commit, stored

ANSWER = "chatcmpl-123"


def calls(first: int, count: int, **values: Any) -> list[dict[str, Any]]:
    """Calls at the same moment with one response id, each in a trace of its own."""
    return [span(trace=number, span_id=number, response_id=ANSWER, **values) for number in range(first, first + count)]


def counted(engine: Engine) -> int:
    """How many stored calls are counted."""
    return sum(row["counted"] for row in stored(engine).values())


@pytest.mark.parametrize("restarted", [False, True], ids=["", "restarted"])
def test_records_that_were_one_call_are_calls_of_their_own_once_their_id_is_a_constant(engine: Engine, restarted: bool) -> None:
    for call in calls(1, 4):
        commit(engine, call)
    assert counted(engine) == 1
    if restarted:
        engine.close()
        engine.open()
    commit(engine, *calls(5, MOST_SHARING - 4))
    assert counted(engine) == 1, "as many as may be records of one call"
    commit(engine, *calls(MOST_SHARING + 1, 1))
    assert counted(engine) == MOST_SHARING + 1
    assert {(row["reason"], row["suppressed_by"], row["filled"]) for row in stored(engine).values()} == {
        ("only_record", None, None)
    }
    commit(engine, *calls(MOST_SHARING + 2, 10))
    assert counted(engine) == MOST_SHARING + 11


def test_one_batch_may_make_an_id_a_constant(engine: Engine) -> None:
    commit(engine, *calls(1, 3))
    commit(engine, *calls(4, 2 * MOST_SHARING))
    assert counted(engine) == 2 * MOST_SHARING + 3


def test_inside_a_trace_equal_ids_are_one_call_all_the_same(engine: Engine) -> None:
    commit(engine, *calls(1, 2 * MOST_SHARING))
    commit(engine, *(span(trace=500, span_id=number, response_id=ANSWER) for number in (501, 502)))
    assert counted(engine) == 2 * MOST_SHARING + 1


def test_a_commit_asks_for_no_more_calls_than_show_that_an_id_is_a_constant(engine: Engine) -> None:
    commit(engine, *calls(1, 3 * MOST_SHARING))
    for _ in range(2):
        with engine.write({("default", b"t" * 16)}, {("default", ANSWER)}) as session:
            found = session.related((), [("default", ANSWER)], T0 - HOUR, T0 + HOUR)
        assert len(found) == MOST_SHARING + 1
        engine.close()  # an engine that remembers must ask
        engine.open()


def test_calls_far_from_each_other_make_no_constant(engine: Engine) -> None:
    for day in range(MOST_SHARING + 5):
        commit(engine, *calls(2 * day + 1, 2, start_ns=T0 + day * 24 * HOUR))
    assert counted(engine) == MOST_SHARING + 5


def test_a_memory_that_lets_old_calls_go_keeps_answering_for_a_constant(tmp_path: Path) -> None:
    engine = DuckDBEngine(str(tmp_path / "store.duckdb"), recent_spans=3 * MOST_SHARING)
    engine.open()
    for number in range(10):
        commit(engine, *calls(number * MOST_SHARING + 1, MOST_SHARING, start_ns=T0 + number * SECOND))
    assert counted(engine) == 10 * MOST_SHARING
    engine.close()


def test_of_a_constant_the_newest_calls_are_held_and_older_ones_asked_for() -> None:
    recent = RecentSpans(0, capacity=GENERATIONS * MOST_SHARING)
    response = ("default", ANSWER)
    recent.wrote(batch(*calls(1, MOST_SHARING, start_ns=T0)))
    for number in range(1, 6):
        recent.wrote(batch(*calls(1_000 * number, MOST_SHARING, start_ns=T0 + 5 * HOUR)))
    late = recent.look([], [response], T0 + 4 * HOUR, T0 + 6 * HOUR)
    assert (len(late.spans), late.ask_responses) == (MOST_SHARING + 1, [])
    early = recent.look([], [response], T0 - HOUR, T0 + HOUR)
    assert (early.spans, early.ask_responses) == ([], [response])
