"""How ClickHouse spells the expressions of the query layer."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler

from otel_llm.store.engines.base import Functions

_NS: sa.ColumnElement[Any] = sa.literal_column("1000000000")
_UNIT_SECONDS = {"minute": 60, "hour": 3_600, "day": 86_400, "week": 7 * 86_400}
_MONDAY_SHIFT = 3 * 86_400  # 1970-01-01 was a Thursday: three days after a Monday


class _Quantiles(sa.ColumnElement[Any]):
    """``quantilesExactInclusive(0.5, 0.9)(value)``: an array, one sort for all of them."""

    inherit_cache = False
    type = sa.ARRAY(sa.Double())

    def __init__(self, value: sa.ColumnElement[Any], fractions: Sequence[float]) -> None:
        self.value = value
        self.fractions = fractions


@compiles(_Quantiles)
def _render(element: _Quantiles, compiler: SQLCompiler, **kw: Any) -> str:
    fractions = ", ".join(repr(float(fraction)) for fraction in element.fractions)
    return f"quantilesExactInclusive({fractions})({compiler.process(element.value, **kw)})"


class ClickHouseFunctions(Functions):
    """See :class:`otel_llm.store.engines.base.Functions`."""

    def percentile(self, value: sa.ColumnElement[Any], fraction: float) -> sa.ColumnElement[Any]:
        return self.percentiles(value, [fraction])[0]

    def percentiles(self, value: sa.ColumnElement[Any], fractions: Sequence[float]) -> list[sa.ColumnElement[Any]]:
        found = _Quantiles(sa.func.toFloat64(value), fractions)
        places: list[sa.ColumnElement[Any]] = [
            sa.func.arrayElement(found, place, type_=sa.Double()) for place in range(1, len(fractions) + 1)
        ]
        # over no value it is NaN, which no stored value is
        return [sa.case((sa.func.isNaN(place, type_=sa.Boolean()), sa.null()), else_=place) for place in places]

    def exact_sum(self, value: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
        return sa.func.sumOrNull(sa.func.toInt128(value), type_=sa.BigInteger())

    def wide(self, value: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
        return sa.func.toInt128(value, type_=sa.BigInteger())

    def stable_sum(self, value: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
        return sa.func.sumKahanOrNull(value, type_=sa.Double())

    def decimal_sum(self, value: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
        scale: sa.ColumnElement[Any] = sa.literal_column("1000000000000")
        trillionths = sa.func.sumOrNull(sa.func.toInt256(sa.func.round(value * scale)))
        return sa.type_coerce(sa.func.divide(sa.func.toDecimal256(trillionths, 12), scale), sa.Numeric(76, 12))

    def bucket(self, time_ns: sa.ColumnElement[Any], unit: str) -> sa.ColumnElement[Any]:
        seconds = sa.func.intDiv(time_ns, _NS, type_=sa.BigInteger())
        if unit == "month":
            moment = sa.func.fromUnixTimestamp64Nano(time_ns, sa.literal_column("'UTC'"))
            first = sa.func.makeDate32(sa.func.toYear(moment), sa.func.toMonth(moment), sa.literal_column("1"))
            return sa.func.multiply(sa.func.toInt64(sa.func.toInt32(first)), sa.literal_column("86400"), type_=sa.BigInteger())
        if unit not in _UNIT_SECONDS:
            raise ValueError(f"unknown bucket unit {unit!r}")
        shift: sa.ColumnElement[Any] = sa.literal_column(str(_MONDAY_SHIFT if unit == "week" else 0))
        since = sa.func.modulo(sa.func.plus(seconds, shift), sa.literal_column(str(_UNIT_SECONDS[unit])))
        return sa.func.minus(seconds, since, type_=sa.BigInteger())

    def first_by(self, value: sa.ColumnElement[Any], *order: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
        return sa.func.argMinIf(value, sa.func.tuple(*order), value.is_not(None), type_=value.type)

    def list_has_any(self, json_list: sa.ColumnElement[Any], values: Sequence[str]) -> sa.ColumnElement[Any]:
        wanted = sa.func.array(*(sa.bindparam(None, value, sa.Text()) for value in values))
        return sa.func.hasAny(_texts(json_list), wanted, type_=sa.Boolean())

    def list_has(self, json_list: sa.ColumnElement[Any], value: str) -> sa.ColumnElement[Any]:
        return sa.func.has(_texts(json_list), sa.bindparam(None, value, sa.Text()), type_=sa.Boolean())

    def object_get(self, json_object: sa.ColumnElement[Any], key: str) -> sa.ColumnElement[Any]:
        text = sa.func.ifNull(json_object, sa.literal_column("'{}'"))
        wanted = sa.bindparam(None, key, sa.Text())
        return sa.func.JSONExtract(text, wanted, sa.literal_column("'Nullable(String)'"), type_=sa.Text())


def _texts(json_list: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    return sa.func.JSONExtract(sa.func.ifNull(json_list, sa.literal_column("'[]'")), sa.literal_column("'Array(String)'"))
