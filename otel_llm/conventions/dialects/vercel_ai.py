"""Vercel AI SDK: versions 3 to 6 (``ai.*`` names) and 7 (GenAI names in the scope ``gen_ai``)."""

from collections.abc import Mapping
from typing import Any

from otel_llm.conventions import values
from otel_llm.conventions.dialect import Dialect, Opened, Prefix, Source
from otel_llm.conventions.opening import at, parts_of

_METADATA = "ai.telemetry.metadata."
_CONTEXT = "ai.settings.context."
_PROVIDER_METADATA = "ai.response.providerMetadata"

PROVIDER_METADATA_PATHS: dict[str, tuple[str, ...]] = {
    "cache_read": (
        "anthropic.cacheReadInputTokens",
        "anthropic.usage.cache_read_input_tokens",
        "openai.cachedPromptTokens",
        "azure.cachedPromptTokens",
        "bedrock.usage.cacheReadInputTokens",
        "google.usageMetadata.cachedContentTokenCount",
    ),
    "cache_write": (
        "anthropic.cacheCreationInputTokens",
        "anthropic.usage.cache_creation_input_tokens",
        "bedrock.usage.cacheWriteInputTokens",
    ),
    "reasoning": ("openai.reasoningTokens", "azure.reasoningTokens"),
}
"""Where providers' packages put token counts in their metadata."""


def provider_metadata(value: Any) -> Mapping[str, Any] | None:
    """Cache and reasoning counts out of the provider's metadata (JSON text)."""
    found = values.obj(value)
    if not found:
        return None
    result = {}
    for part, paths in PROVIDER_METADATA_PATHS.items():
        for path in paths:
            number = at(found, path)
            if number is not None:
                result[part] = number
                break
    return result


LEGACY = Dialect(
    name="vercel_ai",
    title="Vercel AI SDK 3-6",
    order=20,
    scopes=("ai",),
    fingerprints=("ai.operationId",),
    sources=(
        Source("ai_operation", 10, "ai.operationId"),
        Source("request_model", 30, "ai.model.id"),
        Source("response_model", 30, "ai.response.model"),
        Source("provider", 50, "ai.model.provider"),
        Source("response_id", 20, "ai.response.id"),
        Source("finish_reasons", 40, "ai.response.finishReason"),
        Source("input_tokens", 40, "ai.usage.inputTokens"),
        Source("input_tokens", 50, "ai.usage.promptTokens"),
        Source("input_tokens", 60, "ai.usage.tokens"),
        Source("output_tokens", 40, "ai.usage.outputTokens"),
        Source("output_tokens", 50, "ai.usage.completionTokens"),
        Source("total_tokens", 50, "ai.usage.totalTokens"),
        Source("cache_read_tokens", 70, "ai.usage.inputTokenDetails.cacheReadTokens"),
        Source("cache_read_tokens", 80, "ai.usage.cachedInputTokens"),
        Source("cache_read_tokens", 85, _PROVIDER_METADATA + "#cache_read"),
        Source("cache_write_tokens", 70, "ai.usage.inputTokenDetails.cacheWriteTokens"),
        Source("cache_write_tokens", 75, _PROVIDER_METADATA + "#cache_write"),
        Source("reasoning_tokens", 50, "ai.usage.outputTokenDetails.reasoningTokens"),
        Source("reasoning_tokens", 60, "ai.usage.reasoningTokens"),
        Source("reasoning_tokens", 65, _PROVIDER_METADATA + "#reasoning"),
        Source("inclusive_detail", 10, "ai.usage.inputTokenDetails.noCacheTokens"),
        Source("inclusive_detail", 20, "ai.usage.inputTokenDetails.cacheReadTokens"),
        Source("inclusive_detail", 30, "ai.usage.inputTokenDetails.cacheWriteTokens"),
        Source("ttft", 40, "ai.response.msToFirstChunk", values.milliseconds),
        Source("ttft", 50, "ai.stream.msToFirstChunk", values.milliseconds),
        Source("user_id", 100, _METADATA + "userId"),
        Source("user_id", 110, _CONTEXT + "userId"),
        Source("session_id", 80, _METADATA + "sessionId"),
        Source("session_id", 90, _METADATA + "threadId"),
        Source("session_id", 100, _CONTEXT + "sessionId"),
        Source("tags", 50, _METADATA + "tags"),
        Source("trace_name", 40, "ai.telemetry.functionId"),
        Source("prompt_name", 40, _METADATA + "langfusePrompt#name"),
        Source("prompt_version", 40, _METADATA + "langfusePrompt#version"),
        Source("tool_name", 30, "ai.toolCall.name"),
    ),
    opened=(Opened(_PROVIDER_METADATA, provider_metadata), Opened(_METADATA + "langfusePrompt", parts_of("name", "version"))),
    prefixes=(
        Prefix(_METADATA, "metadata", 40, frozenset({_METADATA + "tags", _METADATA + "langfusePrompt"})),
        Prefix(_CONTEXT, "metadata", 45),
    ),
    # Before version 6 the SDK passed Anthropic's raw input on; inputTokenDetails came with the inclusive count.
    exclusive_cache=("*",),
    exclusive_providers=frozenset({"anthropic"}),
    content=(
        "ai.prompt",
        "ai.value",
        "ai.values",
        "ai.embedding",
        "ai.embeddings",
        "ai.response.text",
        "ai.response.object",
        "ai.response.reasoning",
        "ai.response.toolCalls",
        "ai.response.files",
        "ai.response.sources",
        "ai.result.text",
        "ai.result.object",
        "ai.result.toolCalls",
        "ai.toolCall.args",
        "ai.toolCall.result",
        "ai.toolCall.input",
        "ai.toolCall.output",
        "ai.schema",
        "ai.documents",
        "ai.ranking",
    ),
    content_prefixes=("ai.prompt.", "ai.response.messages", "ai.request.body", "ai.response.body"),
)

SEVEN = Dialect(
    name="vercel_ai_7",
    title="Vercel AI SDK 7",
    order=75,
    scopes=("gen_ai",),
    fingerprints=(),
)

DIALECTS = (LEGACY, SEVEN)
