"""Langfuse: GET /api/public/metrics/daily."""

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from flask import Blueprint, Response, request

from otel_llm.store.queries.daily_observations import Day, ModelDay, daily_observations
from otel_llm.store.queries.reading import reading
from query_api.access import reader_of
from query_api.answers import answer
from query_api.bucket_text import plain
from query_api.errors import product_of
from query_api.langfuse_parameters import Parameters

if TYPE_CHECKING:
    from otel_llm.collector import Collector

_DATE_LENGTH = len("2024-02-18")


def blueprint(collector: "Collector") -> Blueprint:
    """The endpoint."""
    routes = Blueprint("langfuse", __name__)

    @routes.get("/api/public/metrics/daily")
    def metrics_daily() -> Response:
        caller = reader_of(collector.door, product_of(request.path))
        parameters = Parameters()
        page, limit, filters = parameters.page(), parameters.limit(), parameters.trace_filter()
        parameters.check()
        with reading(collector.engine, collector.settings.query_timeout_s) as reader:
            days = daily_observations(reader, caller.project, filters)
        shown = days[(page - 1) * limit : page * limit]
        return answer(
            {
                "data": [_day(day) for day in shown],
                "meta": {
                    "page": page,
                    "limit": limit,
                    "totalItems": len(days),
                    "totalPages": -(-len(days) // limit),
                },
            }
        )

    return routes


def _day(day: Day) -> dict[str, Any]:
    return {
        "date": plain(day.start)[:_DATE_LENGTH],
        "countTraces": day.traces,
        "countObservations": day.observations,
        "totalCost": _number(day.cost),
        "usage": [_model(row) for row in day.models],
    }


def _model(row: ModelDay) -> dict[str, Any]:
    return {
        "model": row.model,
        "inputUsage": row.input_tokens,
        "outputUsage": row.output_tokens,
        "totalUsage": row.total_tokens,
        "countTraces": row.traces,
        "countObservations": row.observations,
        "totalCost": _number(row.cost),
    }


def _number(cost: Decimal) -> Decimal | int:
    """The decimal without trailing zeros and without an exponent."""
    whole = cost.to_integral_value()
    return int(whole) if whole == cost else cost.normalize()
