"""Pydantic AI and Logfire."""

from typing import Any

from otel_llm.conventions import values
from otel_llm.conventions.dialect import Dialect, Opened, Source
from otel_llm.conventions.opening import parts_of

_RAW = "gen_ai.usage.raw"


def streamed(value: Any) -> bool | None:
    """True for the message template of the log that ends a stream."""
    return True if (values.text(value) or "").startswith("streaming response") else None


PYDANTIC_AI = Dialect(
    name="pydantic_ai",
    title="Pydantic AI",
    order=50,
    scopes=("pydantic-ai*", "pydantic_ai*"),
    sources=(
        Source("cost", 60, "operation.cost"),
        Source("cache_read_tokens", 110, "gen_ai.usage.details.cache_read_tokens"),
        Source("cache_read_tokens", 112, "gen_ai.usage.details.cache_read_input_tokens"),
        Source("cache_write_tokens", 100, "gen_ai.usage.details.cache_write_tokens"),
        Source("cache_write_tokens", 102, "gen_ai.usage.details.cache_creation_input_tokens"),
        Source("reasoning_tokens", 80, "gen_ai.usage.details.reasoning_tokens"),
        Source("input_tokens", 120, "gen_ai.usage.partial.input_tokens"),
        Source("output_tokens", 120, "gen_ai.usage.partial.output_tokens"),
    ),
    content=(
        "all_messages_events",
        "pydantic_ai.all_messages",
        "final_result",
        "system_instructions",
        "events",
        "tool_arguments",
        "tool_response",
        "tool_result",
        "model_request_parameters",
        "logfire.messages",
    ),
)

LOGFIRE = Dialect(
    name="logfire",
    title="Logfire",
    order=55,
    scopes=("logfire*",),
    fingerprints=("logfire.msg_template",),
    sources=(
        Source("logfire_span_type", 10, "logfire.span_type"),
        Source("logged_duration", 10, "duration", values.seconds, only=frozenset({"logfire"})),
        Source("is_streaming", 65, "logfire.msg_template", streamed),
        Source("tags", 40, "logfire.tags"),
        Source("cache_read_tokens", 115, _RAW + "#cache_read"),
        Source("reasoning_tokens", 85, _RAW + "#reasoning"),
    ),
    opened=(
        Opened(
            _RAW,
            parts_of(
                "cache_read",
                "reasoning",
                cache_read=("prompt_tokens_details.cached_tokens", "input_tokens_details.cached_tokens"),
                reasoning=("completion_tokens_details.reasoning_tokens", "output_tokens_details.reasoning_tokens"),
            ),
        ),
    ),
    content=("request_data", "response_data", "combined_chunk_content", "chunk_count_content"),
)

DIALECTS = (PYDANTIC_AI, LOGFIRE)
