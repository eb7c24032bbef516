"""One row of Flashback's answer. A struct, not a dict: an answer may hold hundreds of thousands of them."""

from collections.abc import Sequence

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
    _, repo_id, ai_llm_id, api_key_id, llm_type, llm_model, host, user_id, session_id, *_ = row
    input_text, output_text = str(row.input_tokens), str(row.output_tokens)
    return Statistics(
        row.bucket,
        repo_id,
        ai_llm_id,
        api_key_id,
        llm_type,
        llm_model,
        host,
        user_id,
        session_id,
        str(row.input_tokens + row.guard_input_tokens) if row.guard_input_tokens else input_text,
        str(row.output_tokens + row.guard_output_tokens) if row.guard_output_tokens else output_text,
        input_text,
        output_text,
        1 if session_id else 0,
        row.calls,
        *(_counted(row.findings) if row.findings else _NO_FINDINGS),
        row.duration_ns / (row.calls * 1_000_000) if row.calls else 0,
    )


_Findings = tuple[int, int, int, int, int, int]
_NO_FINDINGS: _Findings = (0, 0, 0, 0, 0, 0)


def _counted(findings: Sequence[tuple[str, str]]) -> _Findings:
    """Violations, alerts, blocks, and those of low, medium and high severity."""
    actions = [action for action, _ in findings]
    severities = [severity for _, severity in findings]
    return (
        len(findings),
        actions.count("alert"),
        actions.count("block"),
        severities.count("low"),
        severities.count("medium"),
        severities.count("high"),
    )
