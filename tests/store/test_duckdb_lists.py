"""Lists of the first calls by some order read what is pending in DuckDB's journal beside the table, as if all were settled."""

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from otel_llm.store import schema
from otel_llm.store.engines.duckdb import DuckDBEngine
from otel_llm.store.queries.call_pages import ORDERS, CallPage, Mark, call_page
from otel_llm.store.queries.calls import CallFilter
from otel_llm.store.queries.reading import Reader, reading
from otel_llm.store.queries.recent_calls import Page, recent_calls
from otel_llm.store.queries.slices import Slice
from otel_llm.store.queries.window import EVER, Window
from tests.effort import examples

from .rows import SECOND, T0, span
from .test_resolution import commit

_projects = itertools.count(1)
_USERS = [None, "ann", "bob"]
CALLS = st.lists(
    st.fixed_dictionaries(
        {
            "trace": st.integers(1, 6),
            "start_ns": st.integers(0, 9).map(lambda second: T0 + second * SECOND),
            "user_id": st.sampled_from(_USERS),
            "cost_reported": st.sampled_from([None, 0.0, 1.5, 2.0]),
            "error": st.booleans(),
        }
    ),
    max_size=12,
)
Ask = Callable[[Reader, str], Page | list[CallPage]]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DuckDBEngine]:
    """One store for many examples, each in a project of its own; nothing settles but who is asked to."""
    opened = DuckDBEngine(str(tmp_path_factory.mktemp("lists") / "my store.duckdb"), beside_spans=0)
    opened._settler.wake = lambda: None  # type: ignore[method-assign]
    opened.open()
    yield opened
    opened.close()


def commit_all(engine: DuckDBEngine, project: str, calls: list[dict[str, Any]], first_id: int) -> None:
    """Commits calls, with ids from a number on."""
    rows = [span(span_id=first_id + number, project=project, **values) for number, values in enumerate(calls)]
    if rows:
        commit(engine, *rows)


def same_beside_and_settled(
    engine: DuckDBEngine, settled: list[dict[str, Any]], pending: list[dict[str, Any]], ask: Ask
) -> Page | list[CallPage]:
    """What is answered while some calls are pending, and equally when they are settled."""
    project = f"p{next(_projects)}"
    commit_all(engine, project, settled, 1)
    engine.settle()
    commit_all(engine, project, pending, 1_000)
    left = engine.journal.pending_spans
    with reading(engine, 30) as reader:
        beside = ask(reader, project)
    assert engine.journal.pending_spans == left, "the list settles what is pending"
    engine.settle()
    with reading(engine, 30) as reader:
        assert ask(reader, project) == beside
    return beside


@settings(max_examples=examples(200, 12), deadline=None)
@given(
    settled=CALLS,
    pending=CALLS,
    limit=st.integers(1, 8),
    offset=st.integers(0, 12),
    order=st.sampled_from(("asc", "desc")),
    user=st.sampled_from(_USERS),
    window=st.sampled_from([EVER, Window(T0 + 2 * SECOND, T0 + 7 * SECOND)]),
)
def test_newest_and_oldest_calls_beside_pending_ones_are_those_when_all_is_settled(
    shared: DuckDBEngine,
    settled: list[dict[str, Any]],
    pending: list[dict[str, Any]],
    limit: int,
    offset: int,
    order: Literal["asc", "desc"],
    user: str | None,
    window: Window,
) -> None:
    filters = CallFilter(user_id=user)
    same_beside_and_settled(
        shared,
        settled,
        pending,
        lambda reader, project: recent_calls(reader, project, window, filters, limit=limit, offset=offset, order=order),
    )


@settings(max_examples=examples(200, 12), deadline=None)
@given(
    settled=CALLS, pending=CALLS, limit=st.integers(1, 8), order=st.sampled_from(sorted(ORDERS)), user=st.sampled_from(_USERS)
)
def test_pages_of_calls_beside_pending_ones_are_those_when_all_is_settled(
    shared: DuckDBEngine,
    settled: list[dict[str, Any]],
    pending: list[dict[str, Any]],
    limit: int,
    order: str,
    user: str | None,
) -> None:
    chosen = Slice(values={} if user is None else {"user": [user]})

    def pages(reader: Reader, project: str) -> list[CallPage]:
        found: list[CallPage] = []
        after: Mark | None = None
        while not found or after is not None:
            found.append(call_page(reader, project, chosen, order=order, after=after, limit=limit))
            after = found[-1].next
        return found

    same_beside_and_settled(shared, settled, pending, pages)


def test_a_pending_call_that_changes_the_user_of_its_trace_takes_the_stored_ones_off_the_list(shared: DuckDBEngine) -> None:
    stored = [{"trace": 1, "start_ns": T0 + second * SECOND, "parent": 99} for second in range(5)]
    stored.append({"trace": 1, "start_ns": T0, "user_id": "ann", "parent": 99})
    others = [{"trace": 2, "start_ns": T0 - SECOND, "user_id": "ann"} for _ in range(2)]
    root = {"trace": 1, "start_ns": T0 - 2 * SECOND, "user_id": "bob"}
    found = same_beside_and_settled(
        shared,
        stored + others,
        [root],
        lambda reader, project: recent_calls(reader, project, EVER, CallFilter(user_id="ann"), limit=2),
    )
    assert isinstance(found, Page)
    assert [call.start_ns for call in found.calls] == [T0, T0 - SECOND]


def test_a_list_looks_only_at_what_can_be_on_it(tmp_path: Path) -> None:
    engine = DuckDBEngine(str(tmp_path / "store.duckdb"), beside_spans=0)
    engine._settler.wake = lambda: None  # type: ignore[method-assign]
    engine.open()
    commit(engine, *(span(span_id=number, start_ns=T0 + number) for number in range(1, 1_001)))
    engine.settle()
    commit(engine, span(trace=2, start_ns=T0))
    keys = [schema.spans.c.start_ns, schema.spans.c.trace_id]
    asked: list[tuple[str, Any]] = []
    sa.event.listen(engine.sql, "before_cursor_execute", lambda _, __, text, values, *___: asked.append((text, values)))
    with reading(engine, 10) as reader:
        found = reader.first(sa.select(*keys), keys, 3, 2, descending=True)
    assert [row.start_ns for row in found] == [T0 + 998, T0 + 997, T0 + 996]
    (in_table, _), (in_both, values) = asked
    assert ".main.spans" in in_table
    assert "pending_spans" in in_both
    assert "pending_spans" not in in_table
    assert T0 + 996 in values
    engine.close()
