"""The neutral reports' paths."""

from query_api.openapi.parts import COUNT, TEXT, TOKENS, Json, described, listed, operation, query, record, responses
from query_api.reports import MAX_CALLS

_TIME: Json = {"type": "string", "anyOf": [{"format": "date"}, {"format": "date-time"}]}
_PARAMETERS = [
    query("from", _TIME, "inclusive"),
    query("to", _TIME, "exclusive"),
    query("model", TEXT, "model as sent"),
    query("provider", TEXT, "provider"),
    query("agent", TEXT, "agent"),
    query("user", TEXT, "user of the call, else of its trace"),
]
_ERRORS = {400: "A time or the limit cannot be read."}

_INSTANT: Json = {"type": "string", "format": "date-time"}
_TEXT_OR_NULL: Json = {"anyOf": [TEXT, {"type": "null"}]}
_UNPRICED = record(
    {
        "provider": _TEXT_OR_NULL,
        "model": described(_TEXT_OR_NULL, "the model that answered, else the one asked for"),
        "calls": COUNT,
        "input_tokens": TOKENS,
        "output_tokens": TOKENS,
        "calls_with_reported_cost": described(COUNT, "these report their own cost, which sums use"),
        "first": _INSTANT,
        "last": _INSTANT,
    }
)

SCHEMAS: dict[str, Json] = {}
PATHS: dict[str, Json] = {
    "/api/v1/stats": {
        "get": operation(
            "Reports",
            "Figures in sum",
            responses("AgentLens", {"type": "object"}, "Figures over the calls.", errors=_ERRORS),
            parameters=_PARAMETERS,
        )
    },
    "/api/v1/models": {
        "get": operation(
            "Reports",
            "Figures by model",
            responses("AgentLens", record({"models": listed({"type": "object"})}), "One row for each model.", errors=_ERRORS),
            parameters=_PARAMETERS,
        )
    },
    "/api/v1/calls": {
        "get": operation(
            "Reports",
            "Recent calls",
            responses("AgentLens", record({"calls": listed({"type": "object"})}), "Newest first.", errors=_ERRORS),
            parameters=[
                *_PARAMETERS,
                query("limit", {"type": "integer", "minimum": 1, "maximum": MAX_CALLS}, "most calls to show"),
            ],
        )
    },
    "/api/v1/unpriced": {
        "get": operation(
            "Reports",
            "Models without a price",
            responses("AgentLens", record({"models": listed(_UNPRICED)}), "Most tokens first.", errors=_ERRORS),
            parameters=_PARAMETERS[:2],
        )
    },
}
