"""One row of Flashback's answer. A struct, not a dict: an answer may hold hundreds of thousands of them."""

import msgspec

from otel_llm.store.queries.ai_stats import Row

NAMES: dict[str, str] = {
    "repo_id": "repoId",
    "ai_llm_id": "aiLlmId",
    "api_key_id": "repoAiApiKeyId",
    "llm_type": "llmType",
    "llm_model": "llmModel",
    "user_id": "userUuid",
    "session_id": "conversationUuid",
    "tokens_in": "tokensIn",
    "tokens_out": "tokensOut",
    "llm_tokens_in": "llmTokensIn",
    "llm_tokens_out": "llmTokensOut",
    "active_conversations": "activeConversations",
    "api_calls": "apiCalls",
    "policy_violations": "policyViolations",
    "alerts": "numAlerts",
    "blocks": "numBlocks",
    "severity_low": "numSeverityLow",
    "severity_medium": "numSeverityMedium",
    "severity_high": "numSeverityHigh",
}
"""Field to its name in JSON, where they differ."""


class Statistics(msgspec.Struct, frozen=True, gc=False, rename=NAMES):
    """The documented fields."""

    timestamp: int
    repo_id: str
    ai_llm_id: str
    api_key_id: str
    llm_type: str
    llm_model: str
    host: str
    user_id: str
    session_id: str
    tokens_in: str
    tokens_out: str
    llm_tokens_in: str
    llm_tokens_out: str
    active_conversations: int
    api_calls: int
    policy_violations: int
    alerts: int
    blocks: int
    severity_low: int
    severity_medium: int
    severity_high: int
    latency_ms: float


def shaped(row: Row) -> Statistics:
    """The row as Flashback shows it: token counts as text, the mean duration in ms."""
    actions = [action for action, _ in row.findings]
    severities = [severity for _, severity in row.findings]
    return Statistics(
        row.bucket,
        row.repo_id,
        row.ai_llm_id,
        row.api_key_id,
        row.llm_type,
        row.llm_model,
        row.host,
        row.user_id,
        row.session_id,
        str(row.input_tokens + row.guard_input_tokens),
        str(row.output_tokens + row.guard_output_tokens),
        str(row.input_tokens),
        str(row.output_tokens),
        1 if row.session_id else 0,
        row.calls,
        len(actions),
        actions.count("alert"),
        actions.count("block"),
        severities.count("low"),
        severities.count("medium"),
        severities.count("high"),
        row.duration_ns / (row.calls * 1_000_000) if row.calls else 0,
    )
