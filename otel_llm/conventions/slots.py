"""Places of a span under extraction: every canonical field, then the evidence that only extraction needs.

A span under extraction is a plain list; the first places are the canonical fields in order, so that a list of spans
becomes a columnar batch by one transposition.
"""

from typing import Any, Final

from otel_llm.conventions import names, providers, values
from otel_llm.conventions.values import Reader
from otel_llm.spans import FIELD_NAMES

EVIDENCE: Final[dict[str, str]] = {
    "gen_ai_operation": "gen_ai.operation.name as sent",
    "langfuse_type": "Langfuse observation type",
    "openinference_kind": "OpenInference span kind",
    "mlflow_type": "MLflow span type",
    "langsmith_kind": "LangSmith run type",
    "ai_operation": "operation of the legacy AI SDK",
    "traceloop_kind": "OpenLLMetry span kind",
    "spring_kind": "Spring AI observation kind",
    "span_type": "span type of Claude Code",
    "request_type": "llm.request.type: OpenLLMetry (old) and LiteLLM call type",
    "guardrail": "name of a guardrail that ran",
    "verdict": "verdict of a guardrail or security check",
    "logfire_span_type": "span, log or pending_span",
    "logged_duration": "duration of a call that a later log span reports, ns",
    "ttft": "durations to the first token: (rank, attribute, ns)",
    "first_token_at": "instants of the first token: (rank, attribute, ns since 1970)",
    "server_ttft": "server-side time to first token whose unit depends on the dialect",
    "cost": "reported costs: (rank, attribute, USD)",
    "cache_hit": "True when a gateway answered from its own cache",
    "cache_write_5m_tokens": "cache write with five minutes life",
    "inclusive_detail": "count that only inclusive versions of a dialect write",
    "usage_shape": "how a usage object was read: buckets, exclusive, inclusive",
    "level": "Langfuse observation level",
    "success": "success flag of a CLI event",
    "http_status": "HTTP status code of the answer",
    "status_message": "vendor's own status message",
    "error_text": "error attribute of a CLI or gateway",
    "entity_name": "OpenLLMetry entity name",
}
"""Evidence fields that no column stores: what they hold."""

GATHERED: Final = frozenset({"tags", "metadata", "request_tags", "modality_tokens", "ttft", "first_token_at", "cost"})
"""Fields that collect every source, as a list of (rank, label, value), instead of the best one."""

SLOTS: Final[tuple[str, ...]] = (*FIELD_NAMES, *EVIDENCE)
SLOT: Final[dict[str, int]] = {name: place for place, name in enumerate(SLOTS)}
BLANK: Final[list[Any]] = [None] * len(SLOTS)

_COUNTS = [
    "input_tokens",
    "output_tokens",
    "total_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "cache_write_1h_tokens",
    "reasoning_tokens",
    "cache_write_5m_tokens",
    "modality_tokens",
    "inclusive_detail",
]

READERS: Final[dict[str, Reader]] = {
    **dict.fromkeys(_COUNTS, values.count),
    **dict.fromkeys(("cost", "cost_reported_input", "cost_reported_output"), values.money),
    **dict.fromkeys(("is_streaming", "cache_hit", "success"), values.flag),
    **dict.fromkeys(("user_tags", "tags"), values.names),
    **dict.fromkeys(("ttft", "logged_duration"), values.seconds),
    **dict.fromkeys(
        ("langfuse_type", "openinference_kind", "mlflow_type", "langsmith_kind", "traceloop_kind", "spring_kind"),
        values.lower,
    ),
    **dict.fromkeys(("status_message", "error_text", "error_message"), values.message),
    "first_token_at": values.iso_instant,
    "server_ttft": values.money,
    "provider": providers.provider,
    "environment": names.environment,
    "error_type": names.error_type,
    "finish_reasons": names.finish_reasons,
    "server_address": names.host,
    "server_port": values.port,
    "service_tier": values.lower,
    "metadata": values.plain,
    "request_tags": values.plain,
}
"""Reader of a field whose source names none; every other field is short text."""


def reader_of(field: str) -> Reader:
    """The reader of a field."""
    return READERS.get(field, values.text)
