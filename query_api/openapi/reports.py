"""The neutral reports' paths."""

from query_api.openapi.parts import TEXT, Json, listed, operation, query, record, responses
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
}
