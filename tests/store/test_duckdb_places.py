"""Where DuckDB says that traces lie: nowhere else are their spans looked for, so it may never say too little."""

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from otel_llm.store import schema
from otel_llm.store.engines import duckdb_places
from otel_llm.store.engines.duckdb import DuckDBEngine
from otel_llm.store.engines.duckdb_functions import DuckDBFunctions
from otel_llm.store.engines.duckdb_places import CELL_NS, key_of
from otel_llm.store.queries.calls import CallFilter
from otel_llm.store.queries.daily_observations import TraceFilter, daily_observations
from otel_llm.store.queries.reach import NEVER, reach_from, reach_of
from otel_llm.store.queries.reading import reading
from otel_llm.store.queries.recent_calls import recent_calls
from otel_llm.store.queries.trace_spans import trace_spans
from otel_llm.store.queries.window import DAY_NS, EVER, MAX_NS, MIN_NS, Window
from otel_llm.store.retention import purge
from tests.effort import examples

from .rows import SECOND, T0, span
from .test_resolution import commit

TRACES = range(1, 5)
_projects = itertools.count(1)
TIMES = st.one_of(
    st.integers(0, 4 * DAY_NS).map(lambda after: T0 + after),
    st.integers(0, 5).map(lambda minutes: T0 + minutes * CELL_NS),
    st.sampled_from([-1, 0, 1, -CELL_NS, CELL_NS, MIN_NS, MAX_NS - SECOND]),
)
WINDOWS = st.one_of(
    st.just(EVER),
    st.tuples(TIMES, TIMES).map(lambda ends: Window(min(ends), max(ends))),
    TIMES.map(lambda first: Window(first_ns=first)),
    TIMES.map(lambda last: Window(last_ns=last)),
)
SPANS = st.lists(st.tuples(st.sampled_from(TRACES), TIMES, st.booleans()), min_size=1, max_size=8)
"""Trace, start, and whether all is settled after it."""


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DuckDBEngine]:
    """One store for many examples, each in a project of its own. What is pending is read beside the table."""
    opened = DuckDBEngine(str(tmp_path_factory.mktemp("places") / "store.duckdb"), group_spans=2048, beside_spans=0)
    opened._settler.wake = lambda: None  # type: ignore[method-assign]
    opened.open()
    yield opened
    opened.close()


def trace_id(trace: int) -> bytes:
    """As :func:`span` makes it."""
    return trace.to_bytes(16, "big")


def store(engine: DuckDBEngine, project: str, spans: list[tuple[int, int, bool]]) -> list[dict[str, Any]]:
    """Commits spans one by one."""
    rows = []
    for number, (trace, start_ns, settled) in enumerate(spans, 1):
        row = span(trace, number, start_ns=start_ns, project=project, user_id="me" if number % 3 else None)
        commit(engine, row)
        rows.append(row)
        if settled:
            engine.settle()
    return rows


def holds(reach: Window, starts: list[int]) -> bool:
    """All are in it, and it is not much wider."""
    if not starts:
        return reach == NEVER
    wide = Window(min(starts) - 3 * CELL_NS, max(starts) + 3 * CELL_NS)
    return all(start in reach for start in starts) and reach.common(wide) == reach


@given(trace=st.binary(max_size=32))
def test_the_number_of_a_trace_is_the_same_in_sql(shared: DuckDBEngine, trace: bytes) -> None:
    with shared._connected().cursor() as cursor:
        rows = "(SELECT 'p' AS project, $1::BLOB AS trace_id, 0 AS start_ns)"
        assert cursor.execute(duckdb_places.rows_of(rows), [trace]).fetchall() == [("p", key_of(trace), 0)]


@settings(max_examples=examples(100, 15), deadline=None)
@given(spans=SPANS, window=WINDOWS)
def test_a_reach_holds_all_spans_and_little_else(
    shared: DuckDBEngine, spans: list[tuple[int, int, bool]], window: Window
) -> None:
    project = f"p{next(_projects)}"
    rows = store(shared, project, spans)
    starts: dict[int, list[int]] = {trace: [start for of, start, _ in spans if of == trace] for trace in TRACES}
    with reading(shared, 60) as reader:
        for trace in TRACES:
            assert holds(reach_of(reader, project, [trace_id(trace)]), starts[trace])
        assert holds(reach_of(reader, project, map(trace_id, TRACES)), [row["start_ns"] for row in rows])
        assert reach_of(reader, "another", [trace_id(1)]) == NEVER
        crossing = [each for each in starts.values() if any(start in window for start in each)]
        whole = reach_from(reader, project, window, mostly_inside=False)
        assert all(start in whole for each in crossing for start in each)
        beyond = reach_from(reader, project, window, mostly_inside=True)
        assert all(start in beyond for each in crossing for start in each if start not in window)


@settings(max_examples=examples(100, 6), deadline=None)
@given(spans=SPANS, window=WINDOWS)
def test_answers_are_those_of_a_look_at_all_spans(
    shared: DuckDBEngine, spans: list[tuple[int, int, bool]], window: Window
) -> None:
    project = f"p{next(_projects)}"
    rows = store(shared, project, spans)

    def answers() -> list[Any]:
        with reading(shared, 60) as reader:
            return [
                daily_observations(reader, project, TraceFilter(window=window)),
                daily_observations(reader, project, TraceFilter(window=window, user_id="me")),
                recent_calls(reader, project, window, CallFilter(), limit=20),
                *(trace_spans(reader, project, trace_id(trace), detail=False) for trace in TRACES),
            ]

    found = answers()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DuckDBFunctions, "places", None)
        assert found == answers()
    assert sum(trace.spans for trace in found[3:] if trace is not None) == len(rows)


def places(engine: DuckDBEngine) -> list[tuple[str, int, int]]:
    """The rows in the table."""
    engine.settle()
    with engine._connected().cursor() as cursor:
        return cursor.execute("SELECT project, trace_key, time_ns FROM trace_places ORDER BY ALL").fetchall()


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[DuckDBEngine]:
    """An open store in a file."""
    opened = DuckDBEngine(str(tmp_path / "store.duckdb"))
    opened.open()
    yield opened
    opened.close()


def test_a_trace_has_one_row_for_the_spans_of_a_minute_that_are_settled_together(engine: DuckDBEngine) -> None:
    commit(engine, *(span(1, number, start_ns=T0 + number * SECOND) for number in range(1, 101)))
    assert places(engine) == [("default", key_of(trace_id(1)), T0), ("default", key_of(trace_id(1)), T0 + CELL_NS)]


def test_a_span_that_comes_again_with_another_start_is_found(engine: DuckDBEngine) -> None:
    commit(engine, span(start_ns=T0))
    engine.settle()
    later = span(start_ns=T0 + 10 * CELL_NS, attribute_count=9)
    commit(engine, later)
    with reading(engine, 10) as reader:
        found = trace_spans(reader, "default", trace_id(1), detail=False)
    assert found is not None
    assert [node.span["start_ns"] for node in found.nodes] == [later["start_ns"]]


@pytest.mark.parametrize("project", [None, "default"])
def test_what_retention_deletes_leaves_no_more_than_a_minute(engine: DuckDBEngine, project: str | None) -> None:
    starts = [T0 + minute * CELL_NS + SECOND for minute in range(10)]
    for name in ("default", "other"):
        commit(engine, *(span(1, number, start_ns=start, project=name) for number, start in enumerate(starts, 1)))
    assert engine.delete_oldest(project, starts[5], 1_000).spans == (10 if project is None else 5)
    for name, left in (("default", starts[5:]), ("other", starts[5:] if project is None else starts)):
        with reading(engine, 10) as reader:
            found = trace_spans(reader, name, trace_id(1), detail=False)
        assert found is not None
        assert [node.span["start_ns"] for node in found.nodes] == left
        assert next(time_ns for of, _, time_ns in places(engine) if of == name) >= left[0] - 2 * CELL_NS


def test_a_purge_leaves_no_places_of_its_project(engine: DuckDBEngine) -> None:
    for project in ("secret", "default"):
        commit(engine, *(span(1, number, start_ns=T0 + number * SECOND, project=project) for number in range(1, 101)))
    purge(engine, "secret")
    assert [project for project, _, _ in places(engine)] == ["default"] * 2


def test_a_store_of_an_earlier_version_gets_its_places_when_it_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = str(tmp_path / "store.duckdb")
    engine = DuckDBEngine(path)
    engine.open()
    commit(engine, *(span(number % 50, number, start_ns=T0 + number * SECOND) for number in range(1, 1_001)))
    expected = set(places(engine))
    with engine.sql.begin() as connection:
        connection.exec_driver_sql("DROP TABLE trace_places")
        connection.execute(sa.update(schema.schema_versions).values(version=2))
    engine.close()
    monkeypatch.setattr(duckdb_places, "_FILLED_AT_ONCE", 300)
    for _ in range(2):
        engine = DuckDBEngine(path)
        engine.open()
        found = places(engine)
        assert set(found) == expected
        assert len(found) <= 4 * len(expected)
        engine.close()
