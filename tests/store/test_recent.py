"""What a store's owner remembers never makes a span stored twice or a call counted twice, however far apart relatives are."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from otel_llm.spans import SpanBatch
from otel_llm.store.engines import duckdb as duckdb_engine
from otel_llm.store.engines.duckdb import DuckDBEngine
from otel_llm.store.key_filter import KeyFilter
from otel_llm.store.recent import GENERATIONS, RecentSpans

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


def calls(*traces: int, start_ns: int = T0) -> SpanBatch:
    """One call of each trace, all with one response id."""
    return batch(*(span(trace=trace, start_ns=start_ns, response_id="shared") for trace in traces))


def test_only_what_starts_within_the_question_is_answered() -> None:
    recent = RecentSpans(0)
    far, near = calls(1, start_ns=T0 + 9 * HOUR), calls(1)
    recent.wrote(far, near)
    [expected] = near.slim()
    assert recent.look([(expected.project, expected.trace_id)], [], T0 - HOUR, T0 + HOUR).spans == [expected]


def test_a_shared_response_id_is_asked_for_until_the_last_of_its_calls_is_out_of_reach() -> None:
    recent = RecentSpans(0, capacity=GENERATIONS)
    recent.wrote(calls(1))
    recent.wrote(calls(2, start_ns=T0 + 5 * HOUR))
    for trace in range(GENERATIONS):  # pushes the first traces out
        recent.wrote(batch(span(trace=3 + trace, start_ns=T0 + 50 * HOUR)))
    response = (calls(1)["project"][0], "shared")
    assert recent.look([], [response], T0 + 4 * HOUR, T0 + 6 * HOUR).ask_responses == [response]


def test_a_new_version_of_a_row_takes_the_place_of_the_old_one() -> None:
    recent = RecentSpans(0, capacity=GENERATIONS)
    recent.wrote(batch(span(trace=1, response_id="old", end_ns=T0 + SECOND)))
    recent.wrote(batch(span(trace=1, response_id="new", end_ns=T0 + 2 * SECOND)))
    [slim] = batch(span(trace=1)).slim()
    trace = (slim.project, slim.trace_id)
    [found] = recent.look([trace], [(slim.project, "old"), (slim.project, "new")], T0, T0 + HOUR).spans
    assert found.response_id == "new"


def test_what_the_database_told_is_not_asked_for_again_and_is_known() -> None:
    recent = RecentSpans(T0)
    [slim] = calls(1).slim()
    trace = (slim.project, slim.trace_id)
    assert recent.look([trace], [], T0, T0).ask_traces == [trace]
    recent.learn([trace], [], [slim], T0 - HOUR, T0 + HOUR)
    known = recent.look([trace], [], T0, T0)
    assert (known.spans, known.ask_traces) == ([slim], [])
    assert recent.look([trace], [], T0 - 2 * HOUR, T0).ask_traces == [trace], "an earlier time is another question"


def test_a_key_that_left_memory_is_asked_for_and_a_new_one_is_not() -> None:
    recent = RecentSpans(0, capacity=1_000)
    batches = [batch(*(span(trace=1 + at * 250 + number) for number in range(250))) for at in range(8)]
    for each in batches:
        recent.wrote(each)
    keys = [list(zip(each["project"], each["trace_id"], strict=True)) for each in batches]
    assert recent.look(keys[0], [], T0 - HOUR, T0 + HOUR).ask_traces == keys[0]
    assert recent.look(keys[-1], [], T0 - HOUR, T0 + HOUR).ask_traces == []
    strangers = [("default", (10**6 + number).to_bytes(16, "big")) for number in range(20_000)]
    assert len(recent.look(strangers, [], T0 - HOUR, T0 + HOUR).ask_traces) < 3


def test_a_key_that_no_filter_had_room_for_stays_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise MemoryError

    recent = RecentSpans(0, capacity=GENERATIONS)
    first = calls(1)
    for trace in range(1, GENERATIONS + 1):
        recent.wrote(calls(trace))
    asked = list(zip(first["project"], first["trace_id"], strict=True))
    with monkeypatch.context() as patch:
        patch.setattr(KeyFilter, "add", fails)
        for _ in range(2):
            with pytest.raises(MemoryError):
                recent.learn([("default", b"else")], [], [], T0 - HOUR, T0 + HOUR)
    assert recent.look(asked, [], T0 - HOUR, T0 + HOUR).spans == first.slim()
    recent.wrote(calls(GENERATIONS + 1))
    assert recent.look(asked, [], T0 - HOUR, T0 + HOUR).ask_traces == asked


def test_an_answer_that_memory_could_not_take_is_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise MemoryError

    recent = RecentSpans(T0)
    [slim] = calls(1).slim()
    trace = (slim.project, slim.trace_id)
    with monkeypatch.context() as patch:
        patch.setattr(SpanBatch, "of_columns", fails)
        with pytest.raises(MemoryError):
            recent.learn([trace], [], [slim], T0 - HOUR, T0 + HOUR)
    assert recent.look([trace], [], T0, T0).ask_traces == [trace]


def test_rows_of_several_projects_are_told_apart() -> None:
    recent = RecentSpans(0)
    both = batch(*(span(project=project, trace=1, span_id=number, response_id="r") for number, project in ((1, "a"), (2, "b"))))
    recent.wrote(both)
    recent.wrote(batch(span(project="b", trace=1, span_id=3, role="tool", response_id=None)))
    trace_id = both["trace_id"][0]
    [found] = recent.look([("a", trace_id), ("c", trace_id)], [("c", "r")], T0 - HOUR, T0 + HOUR).spans
    assert (found.project, found.span_id[-1]) == ("a", 1)
    found_of_b = recent.look([("b", trace_id)], [("b", "r")], T0 - HOUR, T0 + HOUR).spans
    assert sorted((each.project, each.span_id[-1]) for each in found_of_b) == [("b", 2), ("b", 3)]


def test_rows_that_come_after_a_key_was_asked_for_are_found_as_well() -> None:
    recent = RecentSpans(0)
    for number in range(1, 4):
        recent.wrote(batch(*(span(trace=trace, span_id=number) for trace in (1, 2, 2 + number))))
        [trace, *_] = zip(*(calls(1)[name] for name in ("project", "trace_id")), strict=True)
        assert len(recent.look([trace], [], T0 - HOUR, T0 + HOUR).spans) == number


def test_answers_for_commits_that_failed_do_not_pile_up() -> None:
    recent = RecentSpans(T0, capacity=10)
    for number in range(100):
        recent.learn([], [("default", f"r{number}")], [], T0, T0)
    asked = recent.look([], [("default", f"r{number}") for number in range(100)], T0, T0).ask_responses
    assert len(asked) >= 85


@pytest.mark.parametrize("recalled", [0, 2, 100])
def test_whatever_a_new_owner_recalls_older_relatives_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, recalled: int
) -> None:
    monkeypatch.setattr(duckdb_engine, "RECALLED_SPANS", recalled)
    path = str(tmp_path / "store.duckdb")
    rows = [span(trace=trace, start_ns=T0 + trace * SECOND, response_id=f"r{trace}") for trace in range(1, 7)]
    for owner in range(2):
        engine = DuckDBEngine(path)
        engine.open()
        assert [commit(engine, dict(row)) for row in rows] == [owner] * 6
        commit(engine, span(trace=20 + owner, start_ns=T0 + 3 * SECOND, response_id="r3"))
        assert len(stored(engine)) == 7 + owner
        assert sum(row["counted"] for row in stored(engine).values()) == 6
        engine.close()
