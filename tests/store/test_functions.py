"""The expressions of the query layer give equal answers on every engine."""

import itertools
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa

from otel_llm.store import schema
from otel_llm.store.engines.base import Change, Engine, Functions

from .rows import SECOND, T0, batch, span

SPAN = schema.spans.c
MAX = 2**63 - 1
Build = Callable[[Functions], sa.ColumnElement[Any]]


class Store:
    """An engine whose ``default`` project is filled anew by each test."""

    def __init__(self, engine: Engine, project: str) -> None:
        self.engine = engine
        self.project = project

    def fill(self, *rows: dict[str, Any]) -> None:
        """Stores one span for each row of values."""
        made = [span(span_id=number, project=self.project, **row) for number, row in enumerate(rows, 1)]
        with self.engine.write({(self.project, made[0]["trace_id"])}) as session:
            session.apply(Change(insert=batch(*made)))

    def ask(self, *build: Build, where: Build | None = None) -> Any:
        """The one row that the expressions give over all spans; the value itself when it is one expression."""
        rows = self.rows(*build, where=where)
        (row,) = rows
        return row[0] if len(build) == 1 else tuple(row)

    def rows(self, *build: Build, where: Build | None = None) -> list[tuple[Any, ...]]:
        """The rows of a statement over the spans."""
        functions = self.engine.functions
        query = sa.select(*(make(functions).label(f"v{place}") for place, make in enumerate(build)))
        query = query.where(SPAN.project == self.project)
        if where is not None:
            query = query.where(where(functions))
        with self.engine.sql.connect() as connection:
            return [tuple(row) for row in connection.execute(query)]


_projects = itertools.count()


@pytest.fixture
def store(shared_engine: Engine) -> Store:
    """An empty project of the engine under test."""
    return Store(shared_engine, f"functions{next(_projects)}")


@pytest.mark.parametrize(
    ("values", "fraction", "expected"),
    [
        ([10], 0.99, 10.0),
        ([10, 20], 0.5, 15.0),
        ([10, 20], 0.25, 12.5),
        ([1, 2, 3, 4], 0.9, 3.7),
        ([4, None, 1, 3, None, 2], 0.5, 2.5),
        ([1, 2, 3], 0.0, 1.0),
        ([1, 2, 3], 1.0, 3.0),
        ([None, None], 0.5, None),
        ([5, 2**53, 2**60], 0.5, float(2**53)),
    ],
)
def test_percentiles_interpolate_linearly_over_values_that_are_there(
    store: Store, values: list[int | None], fraction: float, expected: float | None
) -> None:
    store.fill(*({"ttft_ns": value} for value in values))
    assert store.ask(lambda f: f.percentile(SPAN.ttft_ns, fraction)) == (
        expected if expected is None else pytest.approx(expected, rel=1e-12)
    )


def test_several_percentiles_of_doubles_come_from_one_call(store: Store) -> None:
    store.fill(*({"cost_reported": value / 8} for value in range(9)))
    found = store.ask(*(lambda f, place=place: f.percentiles(SPAN.cost_reported, [0.5, 0.9])[place] for place in range(2)))
    assert found == pytest.approx((0.5, 0.9))


def test_percentile_of_no_rows_is_none(store: Store) -> None:
    assert store.ask(lambda f: f.percentile(SPAN.ttft_ns, 0.5)) is None


def test_sums_of_integers_are_exact_beyond_64_bits(store: Store) -> None:
    store.fill(*({"input_tokens": MAX, "output_tokens": MAX} for _ in range(3)))
    assert int(store.ask(lambda f: f.exact_sum(SPAN.input_tokens))) == 3 * MAX
    assert int(store.ask(lambda f: f.exact_sum(f.wide(SPAN.input_tokens) + SPAN.output_tokens))) == 6 * MAX


def test_sums_leave_out_none_and_are_none_over_no_values(store: Store) -> None:
    sums: list[Build] = [
        lambda f: f.exact_sum(SPAN.total_tokens),
        lambda f: f.stable_sum(SPAN.cost_reported),
        lambda f: f.decimal_sum(SPAN.cost_reported),
    ]
    assert store.ask(*sums) == (None, None, None)
    store.fill({"total_tokens": None, "cost_reported": None})
    assert store.ask(*sums) == (None, None, None)
    store.fill({"trace_id": b"2" * 16, "total_tokens": 5, "cost_reported": 0.5})
    assert tuple(map(float, store.ask(*sums))) == (5.0, 0.5, 0.5)


def test_decimal_sums_are_exact_to_twelve_places(store: Store) -> None:
    store.fill(*({"cost_reported": value} for value in (0.1, 0.2, 0.000000000001, 1e-13, 2.5e-12)))
    total = store.ask(lambda f: f.decimal_sum(SPAN.cost_reported))
    assert Decimal(str(total)).quantize(Decimal("1e-12")) == Decimal("0.300000000004") or Decimal(total) == Decimal(
        "0.300000000003"
    )


def test_sums_of_doubles_do_not_drift(store: Store) -> None:
    store.fill(*({"cost_reported": 0.1} for _ in range(1_000)))
    assert store.ask(lambda f: f.stable_sum(SPAN.cost_reported)) == pytest.approx(100.0, abs=1e-12)


def test_sums_of_doubles_take_values_of_any_size(store: Store) -> None:
    store.fill(*({"cost_reported": value} for value in (1e300, 1e-300, 1e20)))
    assert store.ask(lambda f: f.stable_sum(SPAN.cost_reported)) == pytest.approx(1e300)


@pytest.mark.parametrize("bound", [64, 4_096])
def test_sums_of_doubles_are_as_exact_for_large_values_as_for_small_ones(store: Store, bound: int) -> None:
    values = (0.000000001, bound - 0.0000000005, bound, bound + 0.0000000005, 3 * bound)
    store.fill(*({"cost_reported": value} for value in values))
    assert store.ask(lambda f: f.stable_sum(SPAN.cost_reported)) == pytest.approx(6 * bound + 0.000000001, abs=1e-11)
    total = store.ask(lambda f: f.decimal_sum(SPAN.cost_reported))
    assert abs(Decimal(total) - (6 * bound + Decimal("1e-9"))) < Decimal("2e-12")


def seconds(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


@pytest.mark.parametrize(
    ("unit", "moment", "start"),
    [
        ("minute", "2026-03-29T01:59:59.999999", "2026-03-29T01:59:00"),
        ("hour", "2026-03-29T01:59:59.999999", "2026-03-29T01:00:00"),
        ("day", "2024-02-29T23:59:59", "2024-02-29T00:00:00"),
        ("week", "2026-01-01T00:00:00", "2025-12-29T00:00:00"),
        ("week", "2025-12-29T00:00:00", "2025-12-29T00:00:00"),
        ("week", "2025-12-28T23:59:59", "2025-12-22T00:00:00"),
        ("week", "1970-01-01T00:00:00", "1969-12-29T00:00:00"),
        ("month", "2024-02-29T12:00:00", "2024-02-01T00:00:00"),
        ("month", "2026-12-31T23:59:59", "2026-12-01T00:00:00"),
        ("month", "2262-04-11T00:00:00", "2262-04-01T00:00:00"),
        ("day", "2262-04-11T00:00:00", "2262-04-11T00:00:00"),
    ],
)
def test_a_bucket_starts_at_its_utc_minute_hour_day_monday_or_first_of_month(
    store: Store, unit: str, moment: str, start: str
) -> None:
    whole = datetime.fromisoformat(moment).replace(tzinfo=UTC)
    start_ns = int(whole.replace(microsecond=0).timestamp()) * SECOND + whole.microsecond * 1_000
    store.fill({"start_ns": start_ns, "end_ns": start_ns})
    assert store.ask(lambda f: f.bucket(SPAN.start_ns, unit)) == seconds(start)


def test_an_unknown_bucket_unit_is_refused(store: Store) -> None:
    with pytest.raises(ValueError, match="fortnight"):
        store.engine.functions.bucket(SPAN.start_ns, "fortnight")


def test_first_by_takes_the_value_of_the_smallest_order_that_has_one(store: Store) -> None:
    store.fill(
        {"user_id": None, "start_ns": T0},
        {"user_id": "late", "start_ns": T0 + 2},
        {"user_id": "child", "start_ns": T0 + 1, "parent_span_id": b"12345678"},
        {"user_id": "tie", "start_ns": T0 + 2},
    )
    assert store.ask(lambda f: f.first_by(SPAN.user_id, SPAN.start_ns, SPAN.span_id)) == "child"
    rooted: Build = lambda f: f.first_by(SPAN.user_id, SPAN.parent_span_id.is_not(None), SPAN.start_ns, SPAN.span_id)  # noqa: E731
    assert store.ask(rooted) == "late"
    assert store.ask(lambda f: f.first_by(SPAN.session_id, SPAN.start_ns)) is None


def test_first_by_works_on_numbers_and_bytes(store: Store) -> None:
    store.fill({"input_tokens": 7, "start_ns": T0 + 1}, {"input_tokens": 8, "start_ns": T0, "parent_span_id": b"p" * 8})
    assert store.ask(lambda f: f.first_by(SPAN.input_tokens, SPAN.start_ns)) == 8
    assert bytes(store.ask(lambda f: f.first_by(SPAN.parent_span_id, SPAN.start_ns))) == b"p" * 8


ODD = [
    "{a:String}",
    "%(x)s",
    "plain",
    "with space",
    'quote"s',
    "back\\slash",
    "a/b",
    "a~b",
    "a.b",
    "ünïcode 🌍",
    "'",
    "$x",
    "[0]",
    "*",
    "%s",
    ":x",
    "?",
    "",
]


def as_json(value: Any) -> str:
    import json

    return json.dumps(value, ensure_ascii=False)


@pytest.mark.parametrize("text", ODD)
def test_lists_are_searched_for_any_text(store: Store, text: str) -> None:
    store.fill({"tags": as_json(["x", text])}, {"tags": as_json(["x"])}, {"tags": None}, {"tags": "[]"})
    assert store.ask(lambda _: sa.func.count(), where=lambda f: f.list_has(SPAN.tags, text)) == 1
    assert store.ask(lambda _: sa.func.count(), where=lambda f: f.list_has_any(SPAN.tags, ["none", text])) == 1
    assert store.ask(lambda _: sa.func.count(), where=lambda f: sa.not_(f.list_has(SPAN.tags, text))) == 3
    assert store.ask(lambda _: sa.func.count(), where=lambda f: sa.not_(f.list_has_any(SPAN.tags, [text]))) == 3


@pytest.mark.parametrize("text", ODD)
def test_objects_give_the_text_of_any_key(store: Store, text: str) -> None:
    store.fill({"request_tags": as_json({"other": "no", text: f"value of {text}"})})
    assert store.ask(lambda f: f.object_get(SPAN.request_tags, text)) == f"value of {text}"
    assert store.ask(lambda f: f.object_get(SPAN.request_tags, text + "!")) is None


def test_objects_that_are_none_or_empty_give_none(store: Store) -> None:
    store.fill({"request_tags": None}, {"request_tags": "{}"})
    assert store.rows(lambda f: f.object_get(SPAN.request_tags, "k")) == [(None,), (None,)]


def test_escapes_in_json_text_are_understood(store: Store) -> None:
    store.fill({"request_tags": '{"k\\u00e9": "line\\n\\u00fc"}', "tags": '["\\u00e9"]'})
    assert store.ask(lambda f: f.object_get(SPAN.request_tags, "ké")) == "line\nü"
    assert store.ask(lambda _: sa.func.count(), where=lambda f: f.list_has(SPAN.tags, "é")) == 1


def test_text_is_ordered_by_code_point(store: Store) -> None:
    names = ["b", "a", "B", "A", "é", "z", "_", "-", "🌍", "ab", "a b"]
    store.fill(*({"name": name} for name in names))
    with store.engine.sql.connect() as connection:
        query = sa.select(SPAN.name).where(SPAN.project == store.project).order_by(SPAN.name)
        assert list(connection.execute(query).scalars()) == sorted(names)
