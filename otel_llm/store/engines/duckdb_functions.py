"""How DuckDB spells the expressions of the query layer."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.types import UserDefinedType

from otel_llm.store.engines.base import Functions
from otel_llm.store.engines.duckdb_places import PLACES

_SECOND = 1_000_000_000
_UNIT_SECONDS = {"minute": 60, "hour": 3_600, "day": 86_400}
_DAY = 86_400
_MONDAY_SHIFT = 3 * _DAY  # 1970-01-01 was a Thursday: three days after a Monday
_WEEK = 7 * _DAY


_MONEY: sa.Numeric[Any] = sa.Numeric(38, 12)


class HugeInt(UserDefinedType[int]):
    """128-bit integer."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        """The type's name in SQL."""
        return "HUGEINT"


class DuckDBFunctions(Functions):
    """See :class:`otel_llm.store.engines.base.Functions`."""

    places = PLACES

    def percentile(self, value: sa.ColumnElement[Any], fraction: float) -> sa.ColumnElement[Any]:
        # quantile_cont wants a constant, not a parameter
        return sa.func.quantile_cont(value, sa.literal_column(repr(float(fraction))), type_=sa.Double())

    def percentiles(self, value: sa.ColumnElement[Any], fractions: Sequence[float]) -> list[sa.ColumnElement[Any]]:
        # The same list in every expression: DuckDB computes it once, in 60 % of the time of separate percentiles.
        wanted: sa.ColumnElement[Any] = sa.literal_column(str([float(fraction) for fraction in fractions]))
        found = sa.func.quantile_cont(value, wanted)
        return [
            sa.func.list_extract(found, sa.literal_column(str(place)), type_=sa.Double())
            for place in range(1, len(fractions) + 1)
        ]

    def exact_sum(self, value: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
        return sa.func.sum(value, type_=HugeInt())

    def wide(self, value: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
        return sa.cast(value, HugeInt())

    def stable_sum(self, value: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
        return sa.func.fsum(value, type_=sa.Double())

    def decimal_sum(self, value: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
        exact = sa.cast(sa.cast(value, sa.Text()), _MONEY)
        quick = sa.cast(value, _MONEY)  # multiplies by 10^12 as a double: right to the last place for small values only
        return sa.func.sum(sa.case((value < sa.literal_column("64"), quick), else_=exact), type_=_MONEY)

    def bucket(self, time_ns: sa.ColumnElement[Any], unit: str) -> sa.ColumnElement[Any]:
        seconds = time_ns.op("//")(sa.literal_column(str(_SECOND)))
        if unit in _UNIT_SECONDS:
            size: sa.ColumnElement[Any] = sa.literal_column(str(_UNIT_SECONDS[unit]))
            start = seconds - seconds.op("%")(size)
        elif unit == "week":
            shifted = seconds + sa.literal_column(str(_MONDAY_SHIFT))
            start = seconds - sa.func.mod(shifted, sa.literal_column(str(_WEEK)))
        elif unit == "month":
            micros = time_ns.op("//")(sa.literal_column("1000"))
            start = sa.func.epoch(sa.func.date_trunc(sa.literal_column("'month'"), sa.func.make_timestamp(micros)))
        else:
            raise ValueError(f"unknown bucket unit {unit!r}")
        return sa.cast(start, sa.BigInteger())

    def first_by(self, value: sa.ColumnElement[Any], *order: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
        return sa.func.arg_min(value, sa.func.row(*order), type_=value.type).filter(value.is_not(None))

    def list_has_any(self, json_list: sa.ColumnElement[Any], values: Sequence[str]) -> sa.ColumnElement[Any]:
        wanted = sa.func.list_value(*(sa.bindparam(None, value, sa.Text()) for value in values))
        return sa.func.coalesce(sa.func.list_has_any(_texts(json_list), wanted), sa.false())

    def list_has(self, json_list: sa.ColumnElement[Any], value: str) -> sa.ColumnElement[Any]:
        return sa.func.coalesce(sa.func.list_contains(_texts(json_list), sa.bindparam(None, value, sa.Text())), sa.false())

    def object_get(self, json_object: sa.ColumnElement[Any], key: str) -> sa.ColumnElement[Any]:
        pointer = "/" + key.replace("~", "~0").replace("/", "~1")
        return sa.func.json_extract_string(json_object, sa.bindparam(None, pointer, sa.Text()), type_=sa.Text())


def _texts(json_list: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    return sa.func.from_json(json_list, sa.literal_column("""'["VARCHAR"]'"""))
