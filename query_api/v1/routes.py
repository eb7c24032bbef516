"""The routes: who asks, how the answer is written (JSON or CSV)."""

from collections.abc import Callable, Sequence
from functools import wraps
from typing import TYPE_CHECKING, Any, NamedTuple

from flask import Blueprint, Response, request

from otel_llm.access import Caller
from otel_llm.store.queries.reading import Reader, reading
from query_api.access import reader_of
from query_api.answers import answer
from query_api.errors import product_of
from query_api.v1 import calls, forms, health, info, overview, parameters, series, top, traces

if TYPE_CHECKING:
    from otel_llm.collector import Collector

Document = dict[str, Any]
View = Callable[..., Document]


class Table(NamedTuple):
    """The part of a document that is a table: the member that holds its rows, and its columns."""

    member: str
    columns: Sequence[str] | Callable[[Document], Sequence[str]]


def blueprint(collector: "Collector") -> Blueprint:
    """The endpoints."""
    routes = Blueprint("v1", __name__, url_prefix="/api/v1")
    timeout_s = collector.settings.query_timeout_s

    def serve(path: str, name: str, view: View, tables: dict[str, Table] | None = None) -> None:
        """One GET endpoint over the store, for those who may read. The first table is the one that CSV takes unless
        ``table`` names another."""

        @wraps(view)
        def respond(**values: str) -> Response:
            caller: Caller = reader_of(collector.door, product_of(request.path))
            kind = parameters.word("format", ("json", "csv") if tables else ("json",), "json")
            chosen_table = parameters.word("table", list(tables), next(iter(tables))) if tables else None
            with reading(collector.engine, timeout_s) as reader:
                document = view(reader, caller.project, **values)
            if kind == "csv" and tables and chosen_table:
                found = tables[chosen_table]
                collector.door.count_export(caller, f"{name}.csv")
                columns = found.columns if not callable(found.columns) else found.columns(document)
                return forms.table(f"{name}-{chosen_table}" if len(tables) > 1 else name, columns, document[found.member])
            return answer(document)

        routes.add_url_rule(path, name, respond, methods=["GET"])

    serve("/overview", "overview", overview.view, {"figures": Table("figures", overview.COLUMNS)})
    serve("/series", "series", series.view, {"points": Table("rows", series.columns)})
    serve("/top", "top", top.view, {"rows": Table("rows", top.columns)})
    serve("/calls/search", "calls", calls.view, {"calls": Table("calls", calls.COLUMNS)})
    serve("/traces/<trace_id>", "trace", traces.view, {"spans": Table("spans", traces.COLUMNS)})
    serve("/traces/<trace_id>/spans/<span_id>", "span", traces.span_view)
    serve("/traces/<trace_id>/why", "why", traces.why_view, {"spans": Table("spans", traces.WHY_COLUMNS)})
    serve("/traces/<trace_id>/explain", "explain", traces.explain_view)

    def data_health(reader: Reader, project: str) -> Document:
        return health.view(reader, project, collector)

    serve("/data-health", "data_health", data_health, {name: Table(name, columns) for name, columns in health.TABLES.items()})

    def server_info(reader: Reader, project: str) -> Document:
        return info.view(reader, project, collector)

    serve("/info", "info", server_info)
    return routes
