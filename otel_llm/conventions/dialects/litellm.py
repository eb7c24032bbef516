"""LiteLLM, first and second generation of its OpenTelemetry logger."""

from otel_llm.conventions.dialect import Dialect, Opened, Prefix, Source
from otel_llm.conventions.opening import parts_of

_USAGE = "metadata.usage_object"

LITELLM = Dialect(
    name="litellm",
    title="LiteLLM",
    order=45,
    scopes=("litellm*",),
    fingerprints=("litellm.*",),
    sources=(
        Source("cost", 30, "litellm.cost.total"),
        Source("cost", 40, "gen_ai.cost.total_cost"),
        Source("cost", 80, "gen_ai.usage.total_cost"),
        Source("cost_reported_input", 30, "litellm.cost.input"),
        Source("cost_reported_input", 40, "gen_ai.cost.input_cost"),
        Source("cost_reported_output", 30, "litellm.cost.output"),
        Source("cost_reported_output", 40, "gen_ai.cost.output_cost"),
        Source("cache_hit", 10, "litellm.cache_hit"),
        Source("is_streaming", 40, "litellm.request.streaming"),
        Source("response_id", 40, "litellm.call_id"),
        Source("cache_read_tokens", 160, _USAGE + "#cache_read"),
        Source("cache_write_tokens", 160, _USAGE + "#cache_write"),
        Source("reasoning_tokens", 160, _USAGE + "#reasoning"),
        Source("user_id", 120, "litellm.end_user.id"),
        Source("user_id", 130, "metadata.user_api_key_end_user_id"),
        Source("user_id", 140, "metadata.user_api_key_user_id"),
        Source("tags", 80, "metadata.tags"),
        Source("tags", 82, "litellm.metadata.tags"),
        Source("session_id", 260, "litellm.metadata.session_id"),
        Source("verdict", 30, "litellm.guardrail.status"),
        Source("guardrail", 30, "litellm.guardrail.name"),
        Source("verdict", 40, "guardrail_status"),
    ),
    opened=(
        Opened(
            _USAGE,
            parts_of(
                "cache_read",
                "cache_write",
                "reasoning",
                cache_read=("cache_read_input_tokens", "prompt_tokens_details.cached_tokens"),
                cache_write=("cache_creation_input_tokens", "prompt_tokens_details.cache_creation_tokens"),
                reasoning=("completion_tokens_details.reasoning_tokens",),
            ),
        ),
    ),
    prefixes=(Prefix("litellm.metadata.", "metadata", 55, frozenset({"litellm.metadata.tags"})),),
    content=(
        *("message", "messages", "response", "llm.request.functions"),
        *("metadata.mcp_tool_call_metadata", "metadata.vector_store_request_metadata"),
        *("metadata.prompt_management_metadata", "metadata.guardrail_information"),
        *("guardrail_information", "guardrail_request", "guardrail_response"),
    ),
    content_prefixes=(
        "llm.openai.",
        "llm.anthropic.",
        "llm.azure.",
        "llm.bedrock.",
        "llm.vertex_ai.",
        "llm.gemini.",
        "llm.cohere.",
        "llm.mistral.",
        "llm.groq.",
        "llm.ollama.",
        "llm.deepseek.",
        "llm.xai.",
        "llm.openrouter.",
        "llm.huggingface.",
        "llm.together_ai.",
        "llm.databricks.",
        "llm.watsonx.",
        "llm.custom_openai.",
        "llm.azure_ai.",
        "llm.fireworks_ai.",
        "llm.perplexity.",
        "llm.hosted_vllm.",
        "llm.None.",
    ),
)

DIALECTS = (LITELLM,)
