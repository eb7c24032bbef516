"""LangDB's paths."""

from otel_llm.store.queries.metrics import PERCENTILES
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
    record,
    ref,
    responses,
)

_MICROSECONDS: Json = {"type": "integer", "format": "int64", "description": "microseconds since 1970, UTC"}
_ECHO: Json = {"type": "integer", "description": "microseconds since 1970, UTC"}
_RANGE = {
    "start_time_us": described(_MICROSECONDS, "inclusive; microseconds since 1970, UTC. Default: 30 days before the end"),
    "end_time_us": described(_MICROSECONDS, "exclusive; microseconds since 1970, UTC. Default: now"),
}
_USER = {
    "user_id": described(TEXT, "user of the call, else of its trace"),
    "user_name": described(TEXT, "name of that user"),
    "user_tags": described(listed(TEXT), "the user has any of these tags"),
}
_GROUPS: Json = {
    "groupBy": {
        "type": "array",
        "items": {"type": "string", "enum": ["provider", "model", "tag"]},
        "description": "dimensions, in the order of tag_tuple",
    },
    "tag_keys": described(listed(TEXT), "keys that `tag` stands for; without them all tags together"),
}
_UNITS = ["minute", "hour", "day", "month"]
_PROJECT: Json = {
    "name": "X-Project-Id",
    "in": "header",
    "required": False,
    "description": "the key's own project; another one is answered with 400. Ignored while no key exists.",
    "schema": TEXT,
}
_ERRORS = {
    400: "A body that cannot be read, a start after the end, or a project that is not the key's.",
    413: "The body is too large.",
}


def _body(*parts: Json) -> Json:
    properties: Json = {}
    for part in parts:
        properties |= part
    return {"type": "object", "properties": properties}


def _unit(default: str) -> Json:
    return {"min_unit": {"type": "string", "enum": _UNITS, "default": default, "description": "size of the buckets"}}


def _percentiles(name: str, unit: str) -> Json:
    return {f"{name}_{percentile}": described(NUMBER, unit) for percentile in PERCENTILES}


_MS = "ms, 1 decimal"
_TTFT = "ms, 1 decimal; a call without a time to first token contributes its duration"
_ROW = {
    "total_cost": USD,
    "total_requests": COUNT,
    "total_duration": described(NUMBER, "ms"),
    "avg_duration": described(NUMBER, _MS),
    "duration": described(NUMBER, "the same as avg_duration"),
    **_percentiles("duration", _MS),
    "total_input_tokens": TOKENS,
    "total_output_tokens": TOKENS,
    "avg_ttft": described(NUMBER, _TTFT),
    "ttft": described(NUMBER, "the same as avg_ttft"),
    **_percentiles("ttft", _TTFT),
    "tps": described(NUMBER, "input and output tokens per second of duration, 2 decimals; a ratio of sums"),
    **_percentiles("tps", "tokens per second, per call, 2 decimals"),
    "tpot": described(NUMBER, "seconds per output token, 2 decimals; a ratio of sums"),
    **_percentiles("tpot", "seconds per output token, per call, 2 decimals"),
    "error_rate": {"type": "number", "minimum": 0, "maximum": 1, "description": "fraction of calls that failed"},
    "error_request_count": COUNT,
    "tag_tuple": described(listed(TEXT), "only when grouped"),
}
_BUCKETS = {unit: described(TEXT, f"start of the {unit}, YYYY-MM-DD HH:MM:SS, UTC") for unit in _UNITS}
_ONE_BUCKET = [{"required": [unit]} for unit in _UNITS]
_USAGE = {"total_input_tokens": TOKENS, "total_output_tokens": TOKENS, "total_cost": USD}

SCHEMAS: dict[str, Json] = {
    "LangDBError": record({"error": TEXT, "message": TEXT}),
    "LangDBUsage": record(_USAGE),
    "LangDBModelUsage": record(
        {**_BUCKETS, "provider": TEXT, "model_name": TEXT, **_USAGE},
        optional=_UNITS,
        description="one bucket key, named by the unit",
    )
    | {"oneOf": _ONE_BUCKET},
    "LangDBAnalytics": record(_ROW, optional=["tag_tuple"]),
    "LangDBTimeseries": record({**_BUCKETS, **_ROW}, optional=[*_UNITS, "tag_tuple"]) | {"oneOf": _ONE_BUCKET},
}
_PERIOD = {"period_start": _ECHO, "period_end": _ECHO}
_ECHOED = {"start_time_us": _ECHO, "end_time_us": _ECHO}

PATHS: dict[str, Json] = {
    "/usage/total": {
        "post": operation(
            "LangDB",
            "Usage in total",
            responses("LangDB", record({"total": ref("LangDBUsage"), **_PERIOD}), "Sums over the calls.", errors=_ERRORS),
            parameters=[_PROJECT],
            body=_body(_RANGE, _USER),
        )
    },
    "/usage/models": {
        "post": operation(
            "LangDB",
            "Usage by time and model",
            responses(
                "LangDB",
                record({"models": listed(ref("LangDBModelUsage")), **_PERIOD}),
                "Newest bucket first, then provider and model.",
                errors=_ERRORS,
            ),
            parameters=[_PROJECT],
            body=_body(_RANGE, _USER, _unit("day")),
        )
    },
    "/analytics": {
        "post": operation(
            "LangDB",
            "Analytics by time and group",
            responses(
                "LangDB",
                record({"timeseries": listed(ref("LangDBTimeseries")), **_ECHOED}),
                "Ascending by bucket, then group; buckets without calls are left out.",
                errors=_ERRORS,
            ),
            parameters=[_PROJECT],
            body=_body(_RANGE, _USER, _GROUPS, _unit("hour")),
        )
    },
    "/analytics/summary": {
        "post": operation(
            "LangDB",
            "Analytics by group",
            responses(
                "LangDB",
                record({"summary": listed(ref("LangDBAnalytics")), **_ECHOED}),
                "By cost descending; empty when no call matches.",
                errors=_ERRORS,
            ),
            parameters=[_PROJECT],
            body=_body(_RANGE, _USER, _GROUPS),
        )
    },
    "/threads/{thread_id}/cost": {
        "get": operation(
            "LangDB",
            "Cost of a thread",
            responses(
                "LangDB",
                ref("LangDBUsage"),
                "Sums over the calls of the session; zeros when there are none.",
                errors={400: "A project that is not the key's.", 404: "No thread is named."},
            ),
            parameters=[
                {
                    "name": "thread_id",
                    "in": "path",
                    "required": True,
                    "description": "session of the calls, or of their traces",
                    "schema": {"type": "string", "minLength": 1},
                },
                _PROJECT,
            ],
        )
    },
}
