"""Columns as Arrow buffers and back: the same values, and nothing is read beyond what is there."""

from typing import Any

import pytest
from arro3.core import Array
from hypothesis import given
from hypothesis import strategies as st

from otel_llm.spans import SpanBatch
from otel_llm.store.engines.duckdb_arrow import FIELD_ARROW, Arrays, ArrowBatch, column_of, lend

_columns = st.one_of(
    *(
        st.tuples(st.just(name), st.lists(st.one_of(st.none(), values), max_size=40))
        for name, values in (
            ("name", st.text()),
            ("attributes", st.text("é\0a", min_size=200, max_size=300)),
            ("trace_id", st.binary(max_size=20)),
            ("start_ns", st.integers(-(2**63), 2**63 - 1)),
            ("cost_reported", st.floats(allow_nan=False)),
            ("error", st.booleans()),
        )
    )
)


@given(_columns)
def test_what_was_lent_is_read_back(named: tuple[str, list[Any]]) -> None:
    name, column = named
    lent = lend(name, Array(column, FIELD_ARROW[name]))
    read = column_of(name, *lent.buffers, len(column))
    assert (read, list(map(type, read))) == (column, list(map(type, column)))


@given(_columns, st.integers(0, 2), st.data())
def test_buffers_that_do_not_fit_are_refused(named: tuple[str, list[Any]], which: int, data: st.DataObject) -> None:
    name, column = named
    lent = lend(name, Array(column, FIELD_ARROW[name]))
    buffers = list(lent.buffers)
    changed = data.draw(st.one_of(st.none(), st.binary(max_size=400)))
    if changed is not None and (had := buffers[which]) is not None and data.draw(st.booleans()):
        changed = (changed + bytes(had))[: len(had)]
    buffers[which] = None if changed is None else memoryview(changed)
    try:
        read = column_of(name, *buffers, len(column))
    except ValueError:
        return
    assert len(read) == len(column)


@pytest.mark.parametrize(
    "offsets", [[0, 2, 1, 3], [0, 1, 2, 4], [1, 1, 2, 3], [0, -1, 2, 3], [0, 1, 3], [0, 1, 2, 3, 3], [0, 1, 9, 3]], ids=str
)
def test_offsets_that_do_not_rise_to_the_end_are_refused(offsets: list[int]) -> None:
    raw = b"".join(offset.to_bytes(4, "little", signed=True) for offset in offsets)
    with pytest.raises(ValueError, match=r"offsets|length"):
        column_of("name", None, memoryview(raw), memoryview(b"abc"), 3)


@given(_columns, st.integers(0, 10), st.integers(0, 40))
def test_a_slice_is_lent_right_or_not_at_all(named: tuple[str, list[Any]], first: int, most: int) -> None:
    name, column = named
    part = column[first : first + most]
    array = Array(column, FIELD_ARROW[name]).slice(min(first, len(column)), len(part))
    try:
        lent = lend(name, array)
    except ValueError:
        return
    assert column_of(name, *lent.buffers, len(part)) == part


@pytest.mark.parametrize(("name", "column"), [("name", ["a", "b", "c"]), ("error", [True, False, True])])
def test_a_slice_that_does_not_begin_its_buffers_is_not_lent(name: str, column: list[Any]) -> None:
    with pytest.raises(ValueError, match="slice"):
        lend(name, Array(column, FIELD_ARROW[name]).slice(1, 2))


def test_lists_and_arrays_are_joined_in_order() -> None:
    arrays = Arrays(16)
    parts = [
        SpanBatch.of_rows([{"name": "a", "kind": 1}]),
        SpanBatch(),
        SpanBatch.of_rows([{"name": "b"}, {"name": "c"}]),
        arrays.batch(SpanBatch.of_rows([{"kind": 2}, {"kind": 3}])),
        SpanBatch.of_rows([{"name": "d", "kind": 4}] * 3),
    ]
    joined = arrays.join(parts)
    assert type(joined) is ArrowBatch
    assert joined.size == 8
    columns = {name: [value for chunk in chunks for value in chunk.to_pylist()] for name, chunks in joined.columns.items()}
    assert columns == {"name": ["a", "b", "c", None, None, "d", "d", "d"], "kind": [1, None, None, 2, 3, 4, 4, 4]}
    assert [len(chunk) for chunk in joined.columns["kind"]] == [3, 2, 3]
    assert arrays.join([]).size == 0
