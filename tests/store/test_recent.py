"""What a store's owner remembers never makes a span stored twice or a call counted twice, however far apart relatives are."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from otel_llm.spans import SlimSpan
from otel_llm.store.engines.duckdb import DuckDBEngine
from otel_llm.store.recent import RecentSpans

from .rows import SECOND, T0, batch, span
from .test_resolution import commit, stored

HOUR = 3_600 * SECOND


@pytest.fixture
def restarted(tmp_path: Path) -> Iterator[DuckDBEngine]:
    """A store that holds one call of an earlier process, with a response id."""
    path = str(tmp_path / "store.duckdb")
    before = DuckDBEngine(path)
    before.open()
    commit(before, span(trace=9, response_id="r9"))
    before.close()
    engine = DuckDBEngine(path)
    engine.open()
    yield engine
    engine.close()


def test_a_span_resent_after_a_root_of_long_ago_is_stored_once(restarted: DuckDBEngine) -> None:
    step = span(span_id=2, parent=1, start_ns=T0 + 4 * HOUR, end_ns=T0 + 4 * HOUR + SECOND)
    root = span(span_id=1, role="agent", start_ns=T0 + HOUR // 2, end_ns=T0 + 5 * HOUR)
    assert [commit(restarted, row) for row in (step, root, step, root)] == [0, 0, 1, 1]
    assert len(stored(restarted)) == 3


def test_a_response_id_looked_up_at_one_time_is_looked_up_again_at_another(restarted: DuckDBEngine) -> None:
    commit(restarted, span(trace=8, start_ns=T0 - 3 * HOUR, end_ns=T0 - 3 * HOUR + SECOND, response_id="r9"))
    commit(restarted, span(trace=7, response_id="r9"))
    counted = {trace_id[-1]: row["counted"] for (trace_id, _), row in stored(restarted).items()}
    assert counted[8], "three hours apart are two calls"
    assert [counted[9], counted[7]].count(True) == 1, "at the same time they are one"


def slims(*traces: int, start_ns: int = T0) -> list[SlimSpan]:
    """One call of each trace, all with one response id."""
    return batch(*(span(trace=trace, start_ns=start_ns, response_id="shared") for trace in traces)).slim()


def test_only_what_starts_within_the_question_is_answered() -> None:
    recent = RecentSpans(0)
    far, near = slims(1, start_ns=T0 + 9 * HOUR), slims(1)
    recent.wrote([*far, *near], [], T0 - HOUR, T0 + 10 * HOUR)
    trace = (near[0].project, near[0].trace_id)
    assert recent.look([trace], [], T0 - HOUR, T0 + HOUR).spans == near


def test_a_shared_response_id_is_asked_for_until_the_last_of_its_calls_is_out_of_reach() -> None:
    recent = RecentSpans(0, capacity=2)
    early, late = slims(1), slims(2, start_ns=T0 + 5 * HOUR)
    recent.wrote(early, [], T0 - HOUR, T0 + HOUR)
    recent.wrote(late, [], T0 + 4 * HOUR, T0 + 6 * HOUR)
    recent.wrote(slims(3, start_ns=T0 + 50 * HOUR), [], T0 + 49 * HOUR, T0 + 51 * HOUR)  # pushes the first trace out
    response = (early[0].project, "shared")
    assert recent.look([], [response], T0 + 4 * HOUR, T0 + 6 * HOUR).ask_responses == [response]


def test_answers_for_commits_that_failed_do_not_pile_up() -> None:
    recent = RecentSpans(T0, capacity=10)
    for number in range(100):
        recent.learn([], [("default", f"r{number}")], [], T0, T0)
    recent.wrote([], [], T0, T0)
    asked = recent.look([], [("default", f"r{number}") for number in range(100)], T0, T0).ask_responses
    assert len(asked) == 90
