"""How PostgreSQL spells the expressions of the query layer."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, aggregate_order_by
from sqlalchemy.sql.elements import Grouping

from otel_llm.store.engines.base import Functions

_NS = sa.literal_column("1000000000", sa.BigInteger())
_UNIT_SECONDS = {"minute": 60, "hour": 3_600, "day": 86_400}
_MONDAY_SHIFT = 3 * 86_400  # 1970-01-01 was a Thursday: three days after a Monday
_WEEK = 7 * 86_400


class PostgreSQLFunctions(Functions):
    """See :class:`otel_llm.store.engines.base.Functions`."""

    def percentile(self, value: sa.ColumnElement[Any], fraction: float) -> sa.ColumnElement[Any]:
        return self.percentiles(value, [fraction])[0]

    def percentiles(self, value: sa.ColumnElement[Any], fractions: Sequence[float]) -> list[sa.ColumnElement[Any]]:
        # The same array in every expression: PostgreSQL computes equal aggregates once, so one sort serves all of them.
        wanted: sa.ColumnElement[Any] = sa.literal_column(
            f"ARRAY[{', '.join(repr(float(fraction)) for fraction in fractions)}]::double precision[]"
        )
        found = sa.func.percentile_cont(wanted).within_group(sa.cast(value, sa.Double()))
        return [_element(found, place, sa.Double()) for place in range(1, len(fractions) + 1)]

    def exact_sum(self, value: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
        return sa.func.sum(value, type_=sa.Numeric())

    def wide(self, value: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
        return sa.cast(value, sa.Numeric())

    def stable_sum(self, value: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
        return sa.cast(_fixed_point_sum(value, 15, below=4_096), sa.Double())

    def decimal_sum(self, value: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
        return _fixed_point_sum(value, 12, below=64)

    def bucket(self, time_ns: sa.ColumnElement[Any], unit: str) -> sa.ColumnElement[Any]:
        seconds = time_ns.op("/")(_NS)
        if unit in _UNIT_SECONDS:
            size: sa.ColumnElement[Any] = sa.literal_column(str(_UNIT_SECONDS[unit]))
            start = seconds - seconds.op("%")(size)
        elif unit == "week":
            shifted = seconds + sa.literal_column(str(_MONDAY_SHIFT))
            start = seconds - sa.func.mod(shifted, sa.literal_column(str(_WEEK)))
        elif unit == "month":
            moment = sa.func.timezone(sa.literal_column("'UTC'"), sa.func.to_timestamp(seconds))
            start = sa.func.date_part(sa.literal_column("'epoch'"), sa.func.date_trunc(sa.literal_column("'month'"), moment))
        else:
            raise ValueError(f"unknown bucket unit {unit!r}")
        return sa.cast(start, sa.BigInteger())

    def first_by(self, value: sa.ColumnElement[Any], *order: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
        ordered = sa.func.array_agg(aggregate_order_by(value, *order))
        return _element(ordered.filter(value.is_not(None)), 1, value.type)

    def list_has_any(self, json_list: sa.ColumnElement[Any], values: Sequence[str]) -> sa.ColumnElement[Any]:
        wanted = sa.bindparam(None, list(values), ARRAY(sa.Text()))
        return sa.func.coalesce(sa.cast(json_list, JSONB()).has_any(wanted), sa.false())

    def list_has(self, json_list: sa.ColumnElement[Any], value: str) -> sa.ColumnElement[Any]:
        return sa.func.coalesce(sa.cast(json_list, JSONB()).has_key(sa.bindparam(None, value, sa.Text())), sa.false())

    def object_get(self, json_object: sa.ColumnElement[Any], key: str) -> sa.ColumnElement[Any]:
        return sa.cast(json_object, JSONB()).op("->>", return_type=sa.Text())(sa.bindparam(None, key, sa.Text()))


def _element(array: sa.ColumnElement[Any], place: int, type_: sa.types.TypeEngine[Any]) -> sa.ColumnElement[Any]:
    return Grouping(sa.type_coerce(array, ARRAY(type_)))[place]


def _fixed_point_sum(value: sa.ColumnElement[Any], places: int, *, below: int) -> sa.ColumnElement[Any]:
    """Exact decimal sum of doubles, each rounded to some places, so that parallel workers may add in any order. A double
    becomes a decimal through its text, which takes longer than reading the row (0.65 us); a magnitude below a bound is right
    to the last place as an integer count of the smallest unit, and such integers are added in 128 bits."""
    unit: sa.ColumnElement[Any] = sa.literal_column(f"0.{1:0{places}d}", sa.Numeric())
    units_in_one: sa.ColumnElement[Any] = sa.literal_column(f"1e{places}::double precision", sa.Double())
    is_large = sa.func.abs(value) >= sa.literal_column(str(below))
    # no parameters: PostgreSQL sees only without them that two aggregates are the same
    nothing: sa.ColumnElement[Any] = sa.literal_column("0")
    digits: sa.ColumnElement[Any] = sa.literal_column(str(places))
    units = sa.func.sum(sa.case((is_large, nothing), else_=sa.cast(value * units_in_one, sa.BigInteger())), type_=sa.Numeric())
    large = sa.func.sum(sa.case((is_large, sa.func.round(sa.cast(value, sa.Numeric()), digits))), type_=sa.Numeric())
    return units * unit + sa.func.coalesce(large, nothing, type_=sa.Numeric())
