"""LangDB: POST /usage/total, /usage/models, /analytics, /analytics/summary and GET /threads/{id}/cost."""

from typing import TYPE_CHECKING, Any

from flask import Blueprint, Response, request

from otel_llm.store.queries import usage
from otel_llm.store.queries.analytics import Analytics, analytics
from otel_llm.store.queries.calls import CallFilter
from otel_llm.store.queries.metrics import PERCENTILES
from otel_llm.store.queries.reading import reading
from otel_llm.store.queries.window import Window
from query_api.access import project_not_found, reader_of
from query_api.answers import answer
from query_api.bucket_text import plain
from query_api.errors import product_of
from query_api.langdb_body import GroupBody, RangeBody, TimeseriesBody, UnitBody, echo, read_body, window_of
from query_api.rounding import ratio, rounded

if TYPE_CHECKING:
    from otel_llm.collector import Collector

_PERIOD = ("period_start", "period_end")
_RANGE = ("start_time_us", "end_time_us")
_NS_PER_MS = 1_000_000
_NS_PER_S = 1_000_000_000


def _named(prefix: str) -> tuple[str, ...]:
    return tuple(f"{prefix}_{name}" for name in PERCENTILES)


_PERCENTILES: dict[str, tuple[tuple[str, ...], float, int]] = {
    "duration_ns": (_named("duration"), 10 / _NS_PER_MS, 10),
    "ttft_ns": (_named("ttft"), 10 / _NS_PER_MS, 10),
    "tps": (_named("tps"), 100, 100),
    "tpot_s": (_named("tpot"), 100, 100),
}
"""Value to the fields its percentiles are shown in, and their rounding: to ms with 1 decimal, to rates with 2."""


def blueprint(collector: "Collector") -> Blueprint:
    """The endpoints."""
    routes = Blueprint("langdb", __name__)
    timeout_s = collector.settings.query_timeout_s

    def project() -> str:
        """The caller's project. X-Project-Id must name it; while no key exists the header means nothing."""
        caller = reader_of(collector.door, product_of(request.path))
        named = request.headers.get("X-Project-Id", "").strip()
        if caller.key_id is not None and named and named != caller.project:
            collector.door.count_refusal("foreign project named", caller, request.remote_addr or "")
            raise project_not_found()
        return caller.project

    @routes.post("/usage/total")
    def usage_total() -> Response:
        caller_project = project()
        body = read_body(RangeBody)
        range_us = body.range_us()
        with reading(collector.engine, timeout_s) as reader:
            found = usage.total(reader, caller_project, window_of(range_us), body.filters())
        return answer({"total": _usage(found), **echo(range_us, _PERIOD)})

    @routes.post("/usage/models")
    def usage_models() -> Response:
        caller_project = project()
        body = read_body(UnitBody)
        range_us = body.range_us()
        unit = body.min_unit or "day"
        with reading(collector.engine, timeout_s) as reader:
            found = usage.by_model(reader, caller_project, window_of(range_us), body.filters(), unit)
        models = [
            {unit: plain(row.bucket), "provider": row.provider, "model_name": row.model_name, **_usage(row.usage)}
            for row in found
        ]
        return answer({"models": models, **echo(range_us, _PERIOD)})

    @routes.post("/analytics")
    def analytics_timeseries() -> Response:
        caller_project = project()
        body = read_body(TimeseriesBody)
        range_us = body.range_us()
        unit = body.min_unit or "hour"
        grouping = body.grouping()
        with reading(collector.engine, timeout_s) as reader:
            found = analytics(reader, caller_project, window_of(range_us), body.filters(), grouping, unit=unit)
        rows = [{unit: plain(row.bucket or 0), **analytics_row(row, grouped=bool(grouping.groups))} for row in found]
        return answer({"timeseries": rows, **echo(range_us, _RANGE)})

    @routes.post("/analytics/summary")
    def analytics_summary() -> Response:
        caller_project = project()
        body = read_body(GroupBody)
        range_us = body.range_us()
        grouping = body.grouping()
        with reading(collector.engine, timeout_s) as reader:
            found = analytics(reader, caller_project, window_of(range_us), body.filters(), grouping)
        found.sort(key=lambda row: -row.cost)  # stable: equal costs stay in the order of their groups
        return answer(
            {"summary": [analytics_row(row, grouped=bool(grouping.groups)) for row in found], **echo(range_us, _RANGE)}
        )

    @routes.get("/threads/<path:thread_id>/cost")
    def thread_cost(thread_id: str) -> Response:
        caller_project = project()
        with reading(collector.engine, timeout_s) as reader:
            found = usage.total(reader, caller_project, Window(), CallFilter(session_id=thread_id))
        return answer(_usage(found))

    return routes


def analytics_row(row: Analytics, *, grouped: bool) -> dict[str, Any]:
    """The documented fields of one analytics row: ms with 1 decimal, rates with 2, sums and the error rate unrounded."""
    mean_duration = ratio(row.duration_ns, row.requests * _NS_PER_MS, 1)
    mean_ttft = ratio(row.ttft_ns, row.requests * _NS_PER_MS, 1)
    return {
        "total_cost": row.cost,
        "total_requests": row.requests,
        "total_duration": row.duration_ns / _NS_PER_MS,
        "avg_duration": mean_duration,
        "duration": mean_duration,
        **_percentiles(row, "duration_ns"),
        "total_input_tokens": row.input_tokens,
        "total_output_tokens": row.output_tokens,
        "avg_ttft": mean_ttft,
        "ttft": mean_ttft,
        **_percentiles(row, "ttft_ns"),
        "tps": ratio((row.input_tokens + row.output_tokens) * _NS_PER_S, row.duration_ns, 2),
        **_percentiles(row, "tps"),
        "tpot": ratio(row.duration_ns, row.output_tokens * _NS_PER_S, 2),
        **_percentiles(row, "tpot_s"),
        "error_rate": row.errors / row.requests,
        "error_request_count": row.errors,
        **({"tag_tuple": list(row.group)} if grouped else {}),
    }


def _percentiles(row: Analytics, value: str) -> dict[str, float]:
    names, factor, scale = _PERCENTILES[value]
    return dict(zip(names, rounded(row.percentiles[value], factor, scale), strict=True))


def _usage(found: usage.Usage) -> dict[str, Any]:
    return {
        "total_input_tokens": found.input_tokens,
        "total_output_tokens": found.output_tokens,
        "total_cost": found.cost,
    }
