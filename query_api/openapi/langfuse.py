"""Langfuse's paths."""

from query_api.openapi.parts import COUNT, TEXT, TOKENS, USD, Json, described, listed, operation, query, record, ref, responses

_DATETIME: Json = {"type": "string", "format": "date-time"}
_COST = described(USD, "USD, an exact decimal sum to 12 places")
_INT_MAX = 2**53 - 1

SCHEMAS: dict[str, Json] = {
    "LangfuseError": {
        "type": "object",
        "properties": {
            "message": TEXT,
            "error": {
                "description": "the name of the error, or what is wrong with which parameter",
                "oneOf": [TEXT, listed({"type": "object", "required": ["code", "path", "message"]})],
            },
        },
        "required": ["message"],
        "additionalProperties": False,
    },
    "LangfuseUsage": record(
        {
            "model": {"type": ["string", "null"], "description": "null: observations without a model"},
            "inputUsage": TOKENS,
            "outputUsage": TOKENS,
            "totalUsage": TOKENS,
            "countTraces": COUNT,
            "countObservations": COUNT,
            "totalCost": _COST,
        }
    ),
    "LangfuseDay": record(
        {
            "date": {"type": "string", "format": "date"},
            "countTraces": described(COUNT, "traces that began on this day"),
            "countObservations": described(COUNT, "spans that began on this day"),
            "totalCost": _COST,
            "usage": listed(ref("LangfuseUsage")),
        }
    ),
    "LangfuseMeta": record({"page": COUNT, "limit": COUNT, "totalItems": COUNT, "totalPages": COUNT}),
}

PATHS: dict[str, Json] = {
    "/api/public/metrics/daily": {
        "get": operation(
            "Langfuse",
            "Daily metrics",
            responses(
                "Langfuse",
                record({"data": listed(ref("LangfuseDay")), "meta": ref("LangfuseMeta")}),
                "Days with observations, newest first.",
                errors={400: "A parameter is invalid; `error` lists which."},
            ),
            description="All spans are observations. Filters ask the trace: the value on its root, else the earliest one.",
            parameters=[
                query("page", {"type": "integer", "minimum": 1, "maximum": _INT_MAX, "default": 1}, "page number"),
                query("limit", {"type": "integer", "minimum": 1, "maximum": 100, "default": 50}, "days on a page"),
                query("traceName", TEXT, "name of the trace"),
                query("userId", TEXT, "user of the trace"),
                query("tags", TEXT, "the trace has all of these tags; a single value is split at commas", repeated=True),
                query("environment", TEXT, "any of, of the trace and of the observation; split like tags", repeated=True),
                query("fromTimestamp", _DATETIME, "the trace began at or after"),
                query("toTimestamp", _DATETIME, "the trace began before"),
            ],
        )
    }
}
