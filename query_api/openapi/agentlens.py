"""AgentLens's paths."""

from query_api.agentlens import DEFAULT_PAGE, GRANULARITIES, MAX_PAGE, ORDERS
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

_TIME: Json = {"type": "string", "anyOf": [{"format": "date"}, {"format": "date-time"}]}
_MS = described(NUMBER, "mean duration, ms")
_TOTALS = {"calls": COUNT, "costUsd": USD, "inputTokens": TOKENS, "outputTokens": TOKENS, "avgLatencyMs": _MS}
_AGENT = query("agentId", TEXT, "name or id of the agent, else agentlens.agentId, else service.name")

SCHEMAS: dict[str, Json] = {
    "AgentLensError": record({"error": TEXT, "hint": TEXT, "status": COUNT}, optional=["hint"]),
    "AgentLensSummary": record(
        {
            "totalCalls": COUNT,
            "totalCostUsd": USD,
            "totalInputTokens": TOKENS,
            "totalOutputTokens": TOKENS,
            "avgLatencyMs": _MS,
            "avgCostPerCall": USD,
        }
    ),
    "AgentLensModel": record({"provider": TEXT, "model": TEXT, **_TOTALS}),
    "AgentLensBucket": record({"bucket": {"type": "string", "format": "date-time"}, **_TOTALS}),
    "AgentLensEvent": {
        "type": "object",
        "properties": {
            "id": TEXT,
            "timestamp": {"type": "string", "format": "date-time"},
            "sessionId": TEXT,
            "agentId": TEXT,
            "eventType": {"type": "string", "const": "llm_response"},
            "severity": {"type": "string", "enum": ["info", "error"]},
            "payload": {"type": "object"},
            "metadata": {"type": "object"},
            "prevHash": {"type": "null"},
            "hash": TEXT,
        },
        "required": [
            "id",
            "timestamp",
            "sessionId",
            "agentId",
            "eventType",
            "severity",
            "payload",
            "metadata",
            "prevHash",
            "hash",
        ],
    },
}
_BAD_TIME = {400: "A time cannot be read, or the granularity is unknown."}

PATHS: dict[str, Json] = {
    "/api/analytics/llm": {
        "get": operation(
            "AgentLens",
            "LLM analytics",
            responses(
                "AgentLens",
                record(
                    {
                        "summary": ref("AgentLensSummary"),
                        "byModel": listed(ref("AgentLensModel")),
                        "byTime": listed(ref("AgentLensBucket")),
                    }
                ),
                "In sum, by model (cost descending) and by time (ascending).",
                errors=_BAD_TIME,
            ),
            description="Calls without embeddings, placed by when they ended.",
            parameters=[
                query("from", _TIME, "inclusive; default 24 hours ago"),
                query("to", _TIME, "inclusive; default now"),
                query("granularity", {"type": "string", "enum": list(GRANULARITIES), "default": "hour"}, "size of the buckets"),
                _AGENT,
                query("model", TEXT, "model as sent"),
                query("provider", TEXT, "provider"),
            ],
        )
    },
    "/api/events": {
        "get": operation(
            "AgentLens",
            "Finished calls as events",
            responses(
                "AgentLens",
                record({"events": listed(ref("AgentLensEvent")), "total": COUNT, "hasMore": {"type": "boolean"}}),
                "A page of events by time.",
                errors={400: "A time or a number cannot be read, or the order is unknown."},
            ),
            parameters=[
                query("eventType", TEXT, "comma list; events exist for llm_response only"),
                query("from", _TIME, "inclusive"),
                query("to", _TIME, "inclusive"),
                _AGENT,
                query("sessionId", TEXT, "session"),
                query("model", TEXT, "model as sent"),
                query("provider", TEXT, "provider"),
                query(
                    "limit", {"type": "integer", "minimum": 1, "default": DEFAULT_PAGE}, f"events on a page, at most {MAX_PAGE}"
                ),
                query("offset", COUNT, "events to skip"),
                query("order", {"type": "string", "enum": list(ORDERS), "default": "desc"}, "by time"),
            ],
        )
    },
}
