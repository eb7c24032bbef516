"""Exactly once, and every call counted once, whatever the order and the batches spans arrive in."""

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from otel_llm.spans import FIELD_NAMES, SpanBatch
from otel_llm.store import schema
from otel_llm.store.engines.base import Engine, WriteSession
from otel_llm.store.engines.duckdb import DuckDBEngine
from otel_llm.store.resolution import resolve, responses_of
from tests.effort import examples

from .rows import SECOND, T0, batch, span

HOUR = 3_600 * SECOND
_projects = itertools.count()


def no_prices(batch: SpanBatch, rows: Sequence[int]) -> None:
    """A price table that knows nothing."""


def commit(engine: Engine, *rows: dict[str, Any]) -> int:
    """Commits rows; returns how many of them were duplicates."""
    fresh = batch(*rows)
    traces = set(zip(fresh["project"], fresh["trace_id"], strict=True))

    def decide(session: WriteSession) -> int:
        resolution = resolve(fresh, traces, session, HOUR, no_prices)
        session.apply(resolution.change)
        return len(resolution.duplicate_rows)

    return engine.commit(traces, responses_of(fresh), decide)


def stored(engine: Engine, project: str = "default") -> dict[tuple[bytes, bytes], dict[str, Any]]:
    """All rows of a project by ids."""
    with engine.sql.connect() as connection:
        rows = connection.execute(sa.select(schema.spans).where(schema.spans.c.project == project)).mappings().all()
    assert len({(row["trace_id"], row["span_id"]) for row in rows}) == len(rows), "a span is stored twice"
    return {(row["trace_id"], row["span_id"]): dict(row) for row in rows}


def one(engine: Engine) -> dict[str, Any]:
    """The only row."""
    (row,) = stored(engine).values()
    return row


def test_a_resent_span_is_stored_once(engine: Engine) -> None:
    assert commit(engine, span()) == 0
    assert commit(engine, span()) == 1
    assert len(stored(engine)) == 1


def test_copies_within_one_commit_are_stored_once(engine: Engine) -> None:
    assert commit(engine, span(), span(), span(span_id=2)) == 1
    assert len(stored(engine)) == 2


@pytest.mark.parametrize("apart", [True, False], ids=["two commits", "one commit"])
def test_of_two_copies_the_later_end_wins(engine: Engine, apart: bool) -> None:
    early, late = span(end_ns=T0 + SECOND, name="early"), span(end_ns=T0 + 2 * SECOND, name="late")
    if apart:
        commit(engine, early)
        commit(engine, late)
    else:
        commit(engine, early, late)
    assert one(engine)["name"] == "late"
    commit(engine, early)
    assert one(engine)["name"] == "late"


def test_of_two_copies_with_equal_end_the_one_with_more_attributes_wins(engine: Engine) -> None:
    commit(engine, span(attribute_count=3, name="few"))
    commit(engine, span(attribute_count=4, name="more"))
    assert one(engine)["name"] == "more"


def test_of_two_copies_equal_in_both_the_first_stays(engine: Engine) -> None:
    commit(engine, span(name="first"))
    commit(engine, span(name="second"))
    assert one(engine)["name"] == "first"


@pytest.mark.parametrize("log_first", [True, False])
def test_a_call_read_from_a_log_record_gives_way_to_its_span_whatever_ends_later(engine: Engine, log_first: bool) -> None:
    copies = [span(kind=0, name="log", end_ns=T0 + 9 * SECOND), span(kind=3, name="span")]
    for row in copies if log_first else reversed(copies):
        commit(engine, row)
    assert one(engine)["name"] == "span"


def test_equal_ids_of_two_projects_are_two_spans(engine: Engine) -> None:
    commit(engine, span(project="a"), span(project="b"))
    assert len(stored(engine, "a")) == len(stored(engine, "b")) == 1


def test_an_outer_copy_that_arrives_later_is_suppressed_and_gives_what_the_inner_lacks(engine: Engine) -> None:
    commit(engine, span(span_id=2, parent=1, session_id=None))
    commit(engine, span(span_id=1, session_id="s", start_ns=T0 - SECOND, end_ns=T0 + 2 * SECOND))
    rows = {key[1][-1]: row for key, row in stored(engine).items()}
    assert (rows[1]["counted"], rows[1]["suppressed_by"]) == (False, (2).to_bytes(8, "big"))
    assert (rows[2]["counted"], rows[2]["session_id"], rows[2]["filled"]) == (True, "s", '["session_id"]')


def test_a_parent_link_that_arrives_last_changes_earlier_decisions(engine: Engine) -> None:
    commit(engine, span(span_id=1))
    commit(engine, span(span_id=3, parent=2))
    assert all(row["counted"] for row in stored(engine).values())
    commit(engine, span(span_id=2, parent=1, role="other", input_tokens=None, output_tokens=None))
    counted = {key[1][-1]: row["counted"] for key, row in stored(engine).items()}
    assert counted == {1: False, 2: None, 3: True}


def test_what_was_taken_over_is_given_back_when_the_copy_is_suppressed_itself(engine: Engine) -> None:
    commit(engine, span(span_id=1, session_id="s"), span(span_id=2, parent=1))
    assert {key[1][-1]: row["session_id"] for key, row in stored(engine).items()} == {1: "s", 2: "s"}
    commit(engine, span(span_id=3, parent=2))
    rows = {key[1][-1]: row for key, row in stored(engine).items()}
    assert {number: row["session_id"] for number, row in rows.items()} == {1: "s", 2: None, 3: "s"}
    assert {number: row["counted"] for number, row in rows.items()} == {1: False, 2: False, 3: True}


def test_one_call_in_two_traces_with_the_same_response_id_is_counted_once(engine: Engine) -> None:
    commit(engine, span(trace=1, response_id="r", start_ns=T0, end_ns=T0 + 3 * SECOND))
    commit(engine, span(trace=2, response_id="r", start_ns=T0 + SECOND, end_ns=T0 + 2 * SECOND))
    assert {key[0][-1]: row["counted"] for key, row in stored(engine).items()} == {1: False, 2: True}


NO_USAGE: dict[str, Any] = {"input_tokens": None, "output_tokens": None}
CIRCLE = [
    span(span_id=1, parent=3, **NO_USAGE),
    span(span_id=2, parent=1, **NO_USAGE),
    span(span_id=3, parent=4, role="embedding"),
    span(span_id=4, parent=5, **NO_USAGE),
    span(span_id=5, parent=6, cost_reported=0.5, **NO_USAGE),
    span(span_id=6, parent=1, **NO_USAGE),
]
OTHER_COPY = [
    span(span_id=1, session_id="s"),
    span(span_id=2, parent=1, start_ns=T0 + SECOND),
    span(span_id=3, parent=2, start_ns=T0 + SECOND),
    span(span_id=4, parent=1),
]
SAME_ID_IN_TWO_TRACES = [
    span(trace=1, span_id=2, response_id="r", end_ns=T0 + 20 * SECOND, session_id="s"),
    span(trace=2, span_id=1, response_id="r", start_ns=T0 + 10 * SECOND),
    span(trace=2, span_id=3, response_id="r", start_ns=T0 + 10 * SECOND, **NO_USAGE),
    span(trace=3, span_id=1, response_id="r", start_ns=T0 + 3 * SECOND),
]


@pytest.mark.parametrize("rows", [CIRCLE, OTHER_COPY, SAME_ID_IN_TWO_TRACES], ids=["circle", "other copy", "same id"])
def test_what_came_from_a_record_that_goes_to_another_copy_is_given_back(engine: Engine, rows: list[dict[str, Any]]) -> None:
    for last in range(len(rows)):
        order_batches_and_repeats_change_nothing(engine, (rows, [rows[:last] + rows[last + 1 :], [rows[last]]]))


def test_spans_whose_parents_go_round_in_a_circle_are_roots(engine: Engine) -> None:
    commit(engine, *CIRCLE)
    rows = {key[1][-1]: row for key, row in stored(engine).items()}
    assert {number for number, row in rows.items() if row["counted"]} == {2, 3, 4, 5, 6}
    assert rows[1]["suppressed_by"] == (2).to_bytes(8, "big")


@pytest.mark.parametrize(
    "copy",
    [{"response_id": None}, {"response_id": "other"}, {"role": "agent"}, {"session_id": "other"}],
    ids=["no response id", "another response id", "no call", "another session"],
)
@pytest.mark.parametrize("outer", [True, False])
@pytest.mark.parametrize("traces", [1, 2])
def test_a_copy_that_is_replaced_leaves_nothing_behind(engine: Engine, copy: dict[str, Any], outer: bool, traces: int) -> None:
    rows = [
        span(trace=1, span_id=1, response_id="r", session_id="s", end_ns=T0 + 3 * SECOND),
        span(trace=traces, span_id=2, parent=1, response_id="r", user_id="u", start_ns=T0 + SECOND),
    ]
    first = rows[not outer]
    replaced = {**first, **copy, "attribute_count": 9}
    kept = [replaced, rows[outer]]
    order_batches_and_repeats_change_nothing(engine, (kept, [rows, [replaced]]))


def any_span(draw: st.DrawFn, trace: int, number: int, start: int, **values: Any) -> dict[str, Any]:
    """A span of few shapes, so that spans are related to each other often."""
    usage = draw(st.booleans())
    return span(
        trace=trace,
        span_id=number,
        parent=draw(st.sampled_from([None, *range(1, 7)])),
        role=draw(st.sampled_from(["generation", "generation", "embedding", "agent", "tool", "other"])),
        kind=draw(st.integers(1, 3)),
        start_ns=start,
        end_ns=start + draw(st.integers(0, 4)) * SECOND,
        input_tokens=draw(st.integers(0, 3)) if usage else None,
        output_tokens=draw(st.integers(0, 3)) if usage else None,
        response_id=draw(st.sampled_from([None, None, "r1", "r2"])),
        session_id=draw(st.sampled_from([None, "s1", "s2"])),
        cost_reported=draw(st.sampled_from([None, 0.5])),
        **values,
    )


@st.composite
def arrivals(draw: st.DrawFn) -> tuple[list[dict[str, Any]], list[list[dict[str, Any]]]]:
    """Spans of a few traces; and the same shuffled, repeated and split into commits, with copies that give way to them."""
    rows = []
    lesser = []
    for trace in range(1, draw(st.integers(1, 3)) + 1):
        for number in range(1, draw(st.integers(1, 6)) + 1):
            start = T0 + draw(st.integers(0, 5)) * SECOND
            row = any_span(draw, trace, number, start)
            rows.append(row)
            if draw(st.integers(0, 5)) == 5:
                copy = any_span(draw, trace, number, start, attribute_count=row["attribute_count"] - 1)
                lesser.append({**copy, "end_ns": min(copy["end_ns"], row["end_ns"])})
    again = draw(st.lists(st.sampled_from(rows), max_size=4))
    shuffled = draw(st.permutations([*rows, *again, *lesser]))
    commits: list[list[dict[str, Any]]] = [[]]
    for row in shuffled:
        if draw(st.booleans()):
            commits.append([])
        commits[-1].append(row)
    return rows, [each for each in commits if each]


EXAMPLES = {"duckdb": examples(150, 60), "postgresql": examples(150, 50), "clickhousedb": examples(25, 10)}
"""How often the property is tried: a commit on the embedded ClickHouse takes 15 ms."""


def test_order_batches_and_repeats_never_change_what_is_stored(shared_engine: Engine) -> None:
    examples = EXAMPLES[shared_engine.sql.dialect.name]

    @settings(max_examples=examples, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(arrivals())
    def holds(case: tuple[list[dict[str, Any]], list[list[dict[str, Any]]]]) -> None:
        order_batches_and_repeats_change_nothing(shared_engine, case)

    holds()


def order_batches_and_repeats_change_nothing(
    shared_engine: Engine, case: tuple[list[dict[str, Any]], list[list[dict[str, Any]]]]
) -> None:
    rows, commits = case
    together, apart = f"p{next(_projects)}", f"p{next(_projects)}"
    commit(shared_engine, *({**row, "project": together} for row in rows))
    duplicates = sum(commit(shared_engine, *({**row, "project": apart} for row in each)) for each in commits)
    assert duplicates == sum(map(len, commits)) - len(rows)
    expected, got = stored(shared_engine, together), stored(shared_engine, apart)
    names = [name for name in FIELD_NAMES if name != "project"]
    for key, row in expected.items():
        assert {name: got[key][name] for name in names} == {name: row[name] for name in names}
    assert len(got) == len(expected)


@pytest.fixture(scope="module")
def forgetful_engine() -> Iterator[Engine]:
    """A store whose writer remembers three spans in full, so that most questions go to filters and the database."""
    engine = DuckDBEngine("", recent_spans=3)
    engine.open()
    yield engine
    engine.close()


@settings(max_examples=examples(60, 25), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(arrivals(), st.lists(st.integers(-400, 400), min_size=3, max_size=3))
def test_clocks_that_jump_by_hours_and_a_short_memory_change_nothing(
    forgetful_engine: Engine, case: tuple[list[dict[str, Any]], list[list[dict[str, Any]]]], jumps: list[int]
) -> None:
    rows, commits = case
    project = f"q{next(_projects)}"

    def placed(row: dict[str, Any]) -> dict[str, Any]:
        shift = jumps[row["trace_id"][-1] - 1] * HOUR
        return {**row, "project": project, "start_ns": row["start_ns"] + shift, "end_ns": row["end_ns"] + shift}

    duplicates = sum(commit(forgetful_engine, *(placed(row) for row in each)) for each in commits)
    assert duplicates == sum(map(len, commits)) - len(rows)
    first = stored(forgetful_engine, project)
    assert len(first) == len(rows)
    assert sum(commit(forgetful_engine, placed(row)) for row in rows) == len(rows), "all of it again is all duplicates"
    assert stored(forgetful_engine, project) == first
