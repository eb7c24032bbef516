"""LangSmith's OpenTelemetry export. Its operation names mislead (retriever runs are 'embeddings'): the run type decides."""

from collections.abc import Mapping
from typing import Any

from otel_llm.conventions import values
from otel_llm.conventions.dialect import Dialect, Opened, Prefix, Source
from otel_llm.conventions.opening import at, parts_of

_METADATA = "langsmith.metadata."
_INPUT = "gen_ai.usage.input_token_details"
_OUTPUT = "gen_ai.usage.output_token_details"
_USAGE = _METADATA + "usage_metadata"
"""LangChain's own usage object, which holds all its details; the attributes above hold the plain sums of it."""


def details(value: Any, path: str = "") -> Mapping[str, Any] | None:
    """LangChain's input token details. Cache writes are apart by their life, and their sum may then be given as 0."""
    found = at(values.obj(value), path) if path else values.obj(value)
    if not isinstance(found, dict):
        return None
    lives = {life: found.get(f"ephemeral_{life}_input_tokens") for life in ("5m", "1h")}
    known = [number for number in lives.values() if isinstance(number, int)]
    return {
        "cache_read": found.get("cache_read"),
        "cache_write": found.get("cache_creation") or (sum(known) if known else None),
        "cache_write_1h": lives["1h"],
        "audio": found.get("audio"),
    }


def usage(value: Any) -> Mapping[str, Any] | None:
    """LangChain's usage object."""
    return {
        **(details(value, "input_token_details") or {}),
        "reasoning": at(values.obj(value), "output_token_details.reasoning"),
    }


LANGSMITH = Dialect(
    name="langsmith",
    title="LangSmith",
    order=40,
    scopes=("langsmith*",),
    fingerprints=("langsmith.*",),
    sources=(
        Source("langsmith_kind", 10, "langsmith.span.kind"),
        Source("is_streaming", 50, "langsmith.request.streaming"),
        Source("cache_read_tokens", 150, _INPUT + "#cache_read"),
        Source("cache_write_tokens", 150, _INPUT + "#cache_write"),
        Source("cache_write_1h_tokens", 150, _INPUT + "#cache_write_1h"),
        Source("cache_read_tokens", 155, _USAGE + "#cache_read"),
        Source("cache_write_tokens", 155, _USAGE + "#cache_write"),
        Source("cache_write_1h_tokens", 155, _USAGE + "#cache_write_1h"),
        Source("reasoning_tokens", 155, _USAGE + "#reasoning"),
        Source("provider", 65, _METADATA + "ls_provider"),
        Source("modality_tokens", 150, _INPUT + "#audio"),
        Source("reasoning_tokens", 150, _OUTPUT + "#reasoning"),
        Source("modality_tokens", 150, _OUTPUT + "#audio"),
        Source("user_id", 150, _METADATA + "user_id"),
        Source("session_id", 150, _METADATA + "session_id"),
        Source("session_id", 160, _METADATA + "thread_id"),
        Source("session_id", 170, _METADATA + "conversation_id"),
        Source("tags", 70, "langsmith.span.tags"),
        Source("app", 20, "langsmith.trace.session_name"),
    ),
    opened=(
        Opened(_INPUT, details),
        Opened(_USAGE, usage),
        Opened(_OUTPUT, parts_of("reasoning", "audio")),
    ),
    prefixes=(Prefix(_METADATA, "metadata", 50, frozenset({_USAGE})),),
    content=("gen_ai.serialized.name", "gen_ai.serialized.signature", "gen_ai.serialized.doc", "gen_ai.tool.call.args"),
)

DIALECTS = (LANGSMITH,)
