"""The neutral endpoints' paths: what the dashboard asks."""

from collections.abc import Mapping, Sequence

from otel_llm.store.queries.call_pages import ORDERS
from otel_llm.store.queries.explained import MAX_SPANS as MAX_EXPLAINED
from otel_llm.store.queries.measures import MEASURES
from otel_llm.store.queries.overview import HEADLINES
from otel_llm.store.queries.slices import DIMENSIONS, LACKING
from otel_llm.store.queries.timeseries import MAX_BUCKETS
from query_api.openapi.parts import (
    COUNT,
    NUMBER,
    TEXT,
    TOKENS,
    USD,
    Json,
    described,
    listed,
    operation,
    query,
    record,
    ref,
    responses,
)
from query_api.v1 import calls, health, series, top, traces
from query_api.v1.parameters import FILTERS

_TIME: Json = {"type": "string", "anyOf": [{"format": "date"}, {"format": "date-time"}]}
_INSTANT: Json = {"type": "string", "format": "date-time"}
_HEX_TRACE: Json = {"type": "string", "pattern": "^[0-9a-f]{32}$"}
_HEX_SPAN: Json = {"type": "string", "pattern": "^[0-9a-f]{16}$"}
_ANY: Json = {}


def _or_null(schema: Json) -> Json:
    return {"anyOf": [schema, {"type": "null"}]}


def _words(names: Sequence[str]) -> Json:
    return {"type": "string", "enum": list(names)}


def _whole(least: int, most: int) -> Json:
    return {"type": "integer", "minimum": least, "maximum": most}


_SIGNED: Json = {"type": "number"}
_FIGURE = _or_null(_SIGNED)
_TEXT_OR_NULL = _or_null(TEXT)
_MS = described(NUMBER, "ms")
_MEASURES = ", ".join(f"{name} ({measure.unit})" for name, measure in MEASURES.items())

_WINDOW = [
    query("from", _TIME, "inclusive; default a day before to"),
    query("to", _TIME, "exclusive; default now"),
]
_OPEN_WINDOW = [query("from", _TIME, "inclusive; default open"), query("to", _TIME, "exclusive; default open")]
_FIXED: Mapping[str, Json] = {
    "without": described(TEXT, f"words of {', '.join((*DIMENSIONS, *LACKING))}, separated by commas"),
    "status": _words(("ok", "error")),
    "streaming": _words(("true", "false")),
}
_FILTERS = [
    query(name, _FIXED.get(name, TEXT), meaning, repeated=name in DIMENSIONS or name == "tag")
    for name, meaning in FILTERS.items()
]
_MEASURES_PARAMETER = query("measures", TEXT, f"measures, separated by commas: {_MEASURES}")


def _csv(*tables: str) -> list[Json]:
    parameters = [query("format", _words(("json", "csv")), "csv downloads the table")]
    return parameters + ([query("table", _words(tables), "which table, for csv")] if len(tables) > 1 else [])


def _path(name: str, schema: Json, description: str) -> Json:
    return {"name": name, "in": "path", "required": True, "description": description, "schema": schema}


_TRACE = _path("trace_id", {"type": "string", "pattern": "^[0-9a-fA-F]{32}$"}, "32 hexadecimal digits")
_SPAN = _path("span_id", {"type": "string", "pattern": "^[0-9a-fA-F]{16}$"}, "16 hexadecimal digits")


def _found(schema: Json, description: str, *, tabular: bool = True, missing: str = "") -> Json:
    errors = {400: "A parameter cannot be read; the sentence names it."} | ({404: missing} if missing else {})
    found = responses("AgentLens", schema, description, errors=errors)
    if tabular:
        found["200"]["content"]["text/csv"] = {"schema": {"type": "string"}}
    return found


def _get(summary: str, found: Json, parameters: Sequence[Json]) -> Json:
    return {"get": operation("Dashboard", summary, found, parameters=parameters)}


_CALL = record(
    {
        name: {
            "start": _INSTANT,
            "trace_id": _HEX_TRACE,
            "span_id": _HEX_SPAN,
            "error": {"type": "boolean"},
            "streaming": _or_null({"type": "boolean"}),
            "cost": _or_null(USD),
            "latency_ms": NUMBER,
            "ttft_ms": _or_null(NUMBER),
            "name": TEXT,
            "role": TEXT,
            **{f"{part}_tokens": _or_null(TOKENS) for part in ("input", "output", "cache_read", "reasoning")},
        }.get(name, _TEXT_OR_NULL)
        for name in calls.COLUMNS
    }
)
_SUMS = record({"calls": COUNT, "errors": COUNT, "input_tokens": TOKENS, "output_tokens": TOKENS, "cost": USD})
_TRACE_SPAN: Json = {
    "type": "object",
    "description": "A span: " + ", ".join(traces.COLUMNS) + ", and every other stored field that is not empty of meaning.",
    "properties": {
        "trace_id": _HEX_TRACE,
        "span_id": _HEX_SPAN,
        "parent_span_id": _or_null(_HEX_SPAN),
        "name": TEXT,
        "role": TEXT,
        "start": _INSTANT,
        "offset_ms": described(NUMBER, "ms after the start of the trace"),
        "latency_ms": _MS,
        "ttft_ms": _or_null(_MS),
        "counted": _or_null({"type": "boolean"}),
        "reason": _TEXT_OR_NULL,
        "depth": COUNT,
        "orphan": described({"type": "boolean"}, "its parent is not stored"),
        "children": COUNT,
        "below": ref("V1Sums"),
        "attributes": _ANY,
        "events": _ANY,
    },
    "required": ["trace_id", "span_id", "name", "role", "start", "latency_ms", "counted", "reason"],
}


def _health_row(columns: Sequence[str]) -> Json:
    numbers = {"calls", "items", "records", "errors", "streaming", "adjusted"}
    tokens = {"input_tokens", "output_tokens"}
    return record(
        {
            name: COUNT
            if name in numbers or name.startswith("without_")
            else TOKENS
            if name in tokens
            else _INSTANT
            if name == "last"
            else _TEXT_OR_NULL
            for name in columns
        }
    )


SCHEMAS: dict[str, Json] = {
    "V1Window": record({"from": _INSTANT, "to": _INSTANT}),
    "V1Overview": record(
        {
            "from": _INSTANT,
            "to": _INSTANT,
            "previous": described(ref("V1Window"), "the window of equal length before"),
            "figures": listed(
                record(
                    {
                        "measure": _words(HEADLINES),
                        "unit": TEXT,
                        "value": _FIGURE,
                        "previous": _FIGURE,
                        "change": described(_FIGURE, "fraction of the value before"),
                    }
                )
            ),
        }
    ),
    "V1Series": record(
        {
            "from": _INSTANT,
            "to": _INSTANT,
            "step": described(COUNT, "seconds in a bucket"),
            "split": _TEXT_OR_NULL,
            "measures": {
                "type": "object",
                "additionalProperties": record({"unit": TEXT, "additive": {"type": "boolean"}}),
            },
            "starts": described(listed({"type": "integer"}), "start of each bucket, epoch seconds"),
            "groups": listed(
                record(
                    {
                        "value": described(_TEXT_OR_NULL, "null: calls without a value"),
                        "rest": described({"type": "boolean"}, "all groups that are not shown apart"),
                        "points": {"type": "object", "additionalProperties": listed(_FIGURE)},
                    }
                )
            ),
        }
    ),
    "V1Top": record(
        {
            "from": _INSTANT,
            "to": _INSTANT,
            "by": listed(TEXT),
            "sort": TEXT,
            "groups": described(COUNT, "how many groups there are"),
            "units": {"type": "object", "additionalProperties": TEXT},
            "total": {"type": "object", "additionalProperties": _FIGURE},
            "rows": listed(
                {
                    "type": "object",
                    "properties": {"share": _FIGURE, "last": _INSTANT},
                    "required": ["share", "last"],
                    "description": "one member for each dimension and measure",
                }
            ),
        }
    ),
    "V1Calls": record(
        {
            "sort": TEXT,
            "total": described(COUNT, "on the first page"),
            "calls": listed(_CALL),
            "next": described(_TEXT_OR_NULL, "cursor of the following page"),
        },
        optional=["total"],
    ),
    "V1Sums": _SUMS,
    "V1Span": _TRACE_SPAN,
    "V1Trace": record(
        {
            "trace_id": _HEX_TRACE,
            "start": _INSTANT,
            "latency_ms": _MS,
            "span_count": COUNT,
            "truncated": {"type": "boolean"},
            "total": ref("V1Sums"),
            "user_id": _TEXT_OR_NULL,
            "session_id": _TEXT_OR_NULL,
            "trace_name": _TEXT_OR_NULL,
            "services": listed(TEXT),
            "tags": listed(TEXT),
            "spans": described(listed(ref("V1Span")), "in the order of a waterfall"),
        }
    ),
    "V1Why": record(
        {
            "trace_id": _HEX_TRACE,
            "duplicates": TEXT,
            "spans": listed(
                record(
                    {
                        name: _words(("counted", "not_counted", "stored", "duplicate", "rejected"))
                        if name == "outcome"
                        else TEXT
                        for name in traces.WHY_COLUMNS
                    }
                )
            ),
        }
    ),
    "V1Explained": record(
        {
            "trace_id": _HEX_TRACE,
            "span_count": COUNT,
            "truncated": {"type": "boolean"},
            "spans": listed(
                {
                    "type": "object",
                    "properties": {
                        "span_id": _HEX_SPAN,
                        "dialect": TEXT,
                        "role": described({"type": "object"}, "what the span is, and the rule that says so"),
                        "fields": described({"type": "object"}, "every candidate of each field, and which one won"),
                        "normalised": described(listed(TEXT), "what was changed on the reported values"),
                        "counting": described({"type": "object"}, "counted or not, and why"),
                    },
                    "required": ["span_id", "dialect", "role", "fields", "normalised", "counting"],
                }
            ),
        }
    ),
    "V1DataHealth": record(
        {
            "from": _INSTANT,
            "to": _INSTANT,
            "totals": record({"spans": COUNT, "call_records": COUNT, "counted_calls": COUNT}),
            **{name: listed(_health_row(columns)) for name, columns in health.TABLES.items()},
            "since_start": described({"type": "object"}, "counters of the project, as on /healthz"),
        }
    ),
    "V1Info": record(
        {
            "version": TEXT,
            "project": TEXT,
            "keys": described({"type": "boolean"}, "a key exists"),
            "tls": {"type": "boolean"},
            "grpc_port": COUNT,
            "otlp_http_port": COUNT,
            "spans": COUNT,
            "first": _or_null(_INSTANT),
            "last": _or_null(_INSTANT),
        }
    ),
}

PATHS: dict[str, Json] = {
    "/api/v1/overview": _get(
        "Headline figures",
        _found(ref("V1Overview"), "Figures of the window and of the one before."),
        [*_WINDOW, *_FILTERS, *_csv()],
    ),
    "/api/v1/series": _get(
        "Measures over time",
        _found(ref("V1Series"), "Every bucket of the window, those without calls too."),
        [
            *_WINDOW,
            *_FILTERS,
            _MEASURES_PARAMETER,
            query("split", _words((*DIMENSIONS, "tag")), "one group for each value"),
            query("top", _whole(1, series.MAX_GROUPS), "groups shown apart"),
            query("rank", _words(tuple(MEASURES)), "what the largest groups are largest in"),
            query("step", _whole(1, series.MAX_STEP_S), "seconds in a bucket; default what suits the window"),
            query("points", _whole(1, MAX_BUCKETS), "most buckets, when step is not given"),
            query("offset", _whole(-series.MAX_OFFSET_S, series.MAX_OFFSET_S), "seconds by which buckets begin later"),
            *_csv(),
        ],
    ),
    "/api/v1/top": _get(
        "Largest groups",
        _found(ref("V1Top"), "One row for each group."),
        [
            *_WINDOW,
            *_FILTERS,
            query("by", TEXT, f"up to {top.MAX_DIMENSIONS} of {', '.join(DIMENSIONS)}, separated by commas, or tag"),
            _MEASURES_PARAMETER,
            query("sort", _words(tuple(MEASURES)), "measure that rows are sorted by"),
            query("order", _words(("desc", "asc")), "largest or smallest first"),
            query("limit", _whole(1, top.MAX_ROWS), "most rows"),
            *_csv(),
        ],
    ),
    "/api/v1/calls/search": _get(
        "Single calls",
        _found(ref("V1Calls"), "A page of calls."),
        [
            *_OPEN_WINDOW,
            *_FILTERS,
            query("sort", _words(tuple(ORDERS)), "what comes first"),
            query("limit", _whole(1, calls.MAX_CALLS), f"calls on a page; up to {calls.MAX_CSV_CALLS} for csv"),
            query("cursor", TEXT, "next of the page before"),
            *_csv(),
        ],
    ),
    "/api/v1/traces/{trace_id}": _get(
        "One trace",
        _found(ref("V1Trace"), "Every span, with what is below it in sum.", missing="No such trace."),
        [_TRACE, query("detail", _words(("full", "waterfall")), "waterfall leaves attributes, events and links out"), *_csv()],
    ),
    "/api/v1/traces/{trace_id}/spans/{span_id}": _get(
        "One span",
        _found(
            {"allOf": [ref("V1Span")], "description": "with explain: what was read from which attribute"},
            "The span in full.",
            tabular=False,
            missing="No such span.",
        ),
        [_TRACE, _SPAN],
    ),
    "/api/v1/traces/{trace_id}/why": _get(
        "What became of a trace",
        _found(ref("V1Why"), "Stored, counted or not, rejected, and why; empty when nothing is known."),
        [_TRACE, *_csv()],
    ),
    "/api/v1/traces/{trace_id}/explain": _get(
        "What was read from which attribute",
        _found(ref("V1Explained"), "One explanation for each span, by start.", tabular=False, missing="No such trace or span."),
        [
            _TRACE,
            query("span_id", _HEX_SPAN, "only this span"),
            query("limit", _whole(1, MAX_EXPLAINED), f"most spans; default {traces.EXPLAINED}"),
        ],
    ),
    "/api/v1/data-health": _get(
        "What the numbers lack",
        _found(ref("V1DataHealth"), "Four tables and what to do about each row."),
        [*_WINDOW, *_csv(*health.TABLES)],
    ),
    "/api/v1/info": _get("This server", _found(ref("V1Info"), "Ports and what is stored.", tabular=False), []),
    "/metrics": {
        "get": operation(
            "Dashboard",
            "Prometheus",
            responses("AgentLens", {"type": "object"}, "Counters.")
            | {
                "200": {
                    "description": "Counters of the server, and the LLM usage of the caller's project.",
                    "content": {"text/plain": {"schema": {"type": "string"}}},
                }
            },
        )
    },
}
