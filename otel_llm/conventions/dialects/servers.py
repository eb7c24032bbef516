"""Model servers, gateways and provider SDKs that write spans of their own."""

from typing import Any

from otel_llm.conventions import values
from otel_llm.conventions.dialect import Dialect, Opened, Source
from otel_llm.conventions.opening import parts_of

VLLM = Dialect(
    name="vllm",
    title="vLLM server",
    order=46,
    scopes=("vllm*",),
    fingerprints=("gen_ai.latency.*",),
    sources=(
        Source("cache_read_tokens", 60, "gen_ai.usage.cached_tokens"),
        Source("ttft", 80, "gen_ai.latency.time_to_first_token", values.seconds),
        Source("response_id", 50, "gen_ai.request.id"),
    ),
)

ANTHROPIC = Dialect(
    name="anthropic_sdk",
    title="Anthropic SDK, native",
    order=47,
    scopes=("com.anthropic.*",),
    fingerprints=("anthropic.message.stop_reason", "anthropic.request.id"),
    provider="anthropic",
    sources=(
        Source("finish_reasons", 50, "anthropic.message.stop_reason"),
        Source("provider_request_id", 10, "anthropic.request.id"),
        Source("cache_write_5m_tokens", 10, "anthropic.usage.cache_creation.ephemeral_5m_input_tokens"),
        Source("cache_write_1h_tokens", 10, "anthropic.usage.cache_creation.ephemeral_1h_input_tokens"),
        Source("service_tier", 15, "anthropic.response.service_tier"),
    ),
)


def mistral_request_type(value: Any) -> str | None:
    """What kind of request an operation of Mistral's API is: ``chat_completion_v1_chat_completions_post`` is ``chat``."""
    found = values.text(value) or ""
    return next((kind for start, kind in MISTRAL_OPERATIONS.items() if found.startswith(start)), None)


MISTRAL_OPERATIONS = {
    "embeddings": "embedding",
    "chat_": "chat",
    "stream_chat": "chat",
    "fim_": "completion",
    "agents_": "chat",
}
"""Beginnings of the operation ids of Mistral's API -> request type."""

MISTRAL = Dialect(
    name="mistral_sdk",
    title="Mistral SDK, native",
    order=49,
    scopes=("mistralai*",),
    fingerprints=("mistral_ai.operation.id",),
    provider="mistral_ai",
    sources=(
        # Releases before 2 write no gen_ai.operation.name.
        Source("request_type", 20, "mistral_ai.operation.id", mistral_request_type),
        Source("total_tokens", 25, "mistral_ai.request.total_tokens"),
    ),
)

_ONLY_LANGDB = frozenset({"langdb"})

LANGDB = Dialect(
    name="langdb",
    title="LangDB gateway",
    order=48,
    scopes=("langdb*", "vllora*"),
    fingerprints=("provider_name", "langdb.*", "inference_model_name"),
    sources=(
        Source("request_model", 85, "model_name", only=_ONLY_LANGDB),
        Source("response_model", 85, "inference_model_name", only=_ONLY_LANGDB),
        Source("provider", 55, "provider_name", only=_ONLY_LANGDB),
        Source("input_tokens", 75, "usage#input_tokens", only=_ONLY_LANGDB),
        Source("output_tokens", 75, "usage#output_tokens", only=_ONLY_LANGDB),
        Source("total_tokens", 70, "usage#total_tokens", only=_ONLY_LANGDB),
        Source("cache_read_tokens", 95, "usage#cached", only=_ONLY_LANGDB),
        Source("cache_write_tokens", 95, "usage#cache_creation", only=_ONLY_LANGDB),
        Source("reasoning_tokens", 95, "usage#reasoning", only=_ONLY_LANGDB),
        Source("cost", 65, "cost#cost", only=_ONLY_LANGDB),
        Source("ttft", 85, "ttft", values.microseconds, only=_ONLY_LANGDB),
        Source("error_text", 30, "error", only=_ONLY_LANGDB),
        Source("session_id", 180, "langdb.thread_id"),
        Source("trace_name", 50, "langdb.label"),
        Source("trace_name", 60, "label", only=_ONLY_LANGDB),
    ),
    opened=(
        Opened(
            "usage",
            parts_of(
                "input_tokens",
                "output_tokens",
                "total_tokens",
                "cached",
                "cache_creation",
                "reasoning",
                input_tokens=("input_tokens", "prompt_tokens"),
                output_tokens=("output_tokens", "completion_tokens"),
                cached=("prompt_tokens_details.cached_tokens",),
                cache_creation=("prompt_tokens_details.cache_creation_tokens",),
                reasoning=("completion_tokens_details.reasoning_tokens",),
            ),
            _ONLY_LANGDB,
        ),
        Opened("cost", parts_of("cost"), _ONLY_LANGDB),
    ),
    content=("request", "response", "output", "input", "raw_request", "raw_response"),
)

DIALECTS = (VLLM, ANTHROPIC, MISTRAL, LANGDB)
