"""Flashback's paths."""

from query_api.flashback import FILTERS
from query_api.openapi.parts import COUNT, NUMBER, TEXT, Json, described, listed, operation, query, record, ref, responses

_TOKENS: Json = {"type": "string", "pattern": "^[0-9]+$"}
_MODEL = described(_TOKENS, "tokens of the models, as text")
_ALL = described(_TOKENS, "tokens of the models and of the guardrails' own model calls, as text")
_DATE: Json = {"type": "string", "anyOf": [{"format": "date"}, {"format": "date-time"}]}

SCHEMAS: dict[str, Json] = {
    "FlashbackError": record({"success": {"type": "boolean", "const": False}, "message": TEXT}),
    "FlashbackStatistics": record(
        {
            "timestamp": described(COUNT, "start of the day or minute, seconds since 1970, UTC"),
            "repoId": TEXT,
            "aiLlmId": TEXT,
            "repoAiApiKeyId": TEXT,
            "llmType": TEXT,
            "llmModel": TEXT,
            "host": TEXT,
            "userUuid": TEXT,
            "conversationUuid": TEXT,
            "tokensIn": _ALL,
            "tokensOut": _ALL,
            "llmTokensIn": _MODEL,
            "llmTokensOut": _MODEL,
            "activeConversations": COUNT,
            "apiCalls": COUNT,
            "policyViolations": described(COUNT, "policy findings"),
            "numAlerts": COUNT,
            "numBlocks": COUNT,
            "numSeverityLow": COUNT,
            "numSeverityMedium": COUNT,
            "numSeverityHigh": COUNT,
            "latency_ms": described(NUMBER, "mean duration of the calls"),
        },
        description='A dimension without a value is "".',
    ),
}


def _statistics(unit: str) -> Json:
    return operation(
        "Flashback",
        f"AI statistics by {unit}",
        responses(
            "Flashback",
            record({"success": {"type": "boolean", "const": True}, "data": listed(ref("FlashbackStatistics"))}),
            f"One row for each {unit} and combination of dimensions with calls or findings, ascending.",
            errors={400: "A date cannot be read, or the start is after the end.", 404: "The key's project was deleted."},
        ),
        parameters=[
            query("startDate", _DATE, "inclusive; UTC unless a zone is given"),
            query("endDate", _DATE, "inclusive; a date covers its whole day"),
            *(query(name, TEXT, "any of these, separated by commas") for name in FILTERS),
        ],
    )


PATHS: dict[str, Json] = {
    "/aistats/daily": {"get": _statistics("day")},
    "/aistats/minute": {"get": _statistics("minute")},
}
