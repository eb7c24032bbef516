"""Langfuse SDK v3 to v5: its own attribute names, usage and cost as JSON text."""

from collections.abc import Mapping
from typing import Any

from otel_llm.conventions import values
from otel_llm.conventions.dialect import Dialect, Opened, Prefix, Source
from otel_llm.conventions.opening import at

_USAGE = "langfuse.observation.usage_details"
_COST = "langfuse.observation.cost_details"

FLAT_CACHE_READ = ("cache_read_input_tokens", "input_cache_read", "input_cached_tokens", "input_cache_read_tokens")
FLAT_CACHE_WRITE = (
    "cache_creation_input_tokens",
    "input_cache_creation",
    "input_cache_creation_tokens",
    "input_cache_write",
    "input_cache_write_tokens",
)
REASONING = ("output_reasoning", "output_reasoning_tokens")


def _number(found: Mapping[str, Any], *paths: str) -> int | None:
    for path in paths:
        try:
            number = values.count(at(dict(found), path))
        except values.BadValueError:
            continue
        if number is not None:
            return number
    return None


def usage(value: Any) -> Mapping[str, Any] | None:
    """Usage details by their shape (CONVENTIONS 7.4).

    ``input`` marks Langfuse's buckets, which exclude each other: the whole is the sum of all that start with ``input``.
    ``prompt_tokens``, or ``input_tokens`` beside nested details, is a provider's raw usage and inclusive; ``input_tokens``
    beside flat cache counts is Anthropic's raw usage and exclusive.
    """
    found = values.obj(value)
    if not found:
        return None
    read = _number(found, *FLAT_CACHE_READ, "prompt_tokens_details.cached_tokens", "input_tokens_details.cached_tokens")
    write = _number(found, *FLAT_CACHE_WRITE, "prompt_tokens_details.cache_creation_tokens")
    result: dict[str, Any] = {
        "total": found.get("total", found.get("total_tokens", found.get("totalTokens"))),
        "cache_read": read,
        "cache_write": write,
        "reasoning": _number(
            found, *REASONING, "completion_tokens_details.reasoning_tokens", "output_tokens_details.reasoning_tokens"
        ),
    }
    if "input" in found or ("output" in found and "prompt_tokens" not in found and "input_tokens" not in found):
        inputs = _sum(found, "input", (*FLAT_CACHE_READ, *FLAT_CACHE_WRITE))
        outputs = _sum(found, "output", ())
        bad = [found[key] for key in ("input", "output") if _is_bad(found.get(key))]
        changed = inputs is not None and inputs != found.get("input")
        result.update(input=inputs, output=outputs, shape="exclusive_cache" if changed and not bad else "inclusive")
        if bad:
            result.update(input=found.get("input"), output=found.get("output"))
        return result
    result["input"] = found.get("prompt_tokens", found.get("input_tokens", found.get("promptTokens", found.get("inputTokens"))))
    result["output"] = found.get(
        "completion_tokens", found.get("output_tokens", found.get("completionTokens", found.get("outputTokens")))
    )
    exclusive = (
        "input_tokens" in found and "prompt_tokens" not in found and not isinstance(found.get("input_tokens_details"), dict)
    )
    cached = (read or 0) + (write or 0)
    if exclusive and cached and not _is_bad(result["input"]):
        result["input"] = (_number(result, "input") or 0) + cached
        result["shape"] = "exclusive_cache"
    else:
        result["shape"] = "inclusive"
    return result


def _is_bad(value: Any) -> bool:
    try:
        values.count(value)
    except values.BadValueError:
        return True
    return False


def _sum(found: Mapping[str, Any], side: str, flat: tuple[str, ...]) -> int | None:
    numbers = [_number({"n": found[key]}, "n") for key in found if key.startswith(side) or key in flat]
    known = [number for number in numbers if number is not None]
    return sum(known) if known else None


def cost(value: Any) -> Mapping[str, Any] | None:
    """Cost details: the total, else the sum of the parts."""
    found = values.obj(value)
    if not found:
        return None
    result: dict[str, Any] = {"input": found.get("input"), "output": found.get("output"), "total": found.get("total")}
    if result["total"] is None:
        try:
            parts = [values.money(amount) for amount in found.values()]
        except values.BadValueError:
            return result
        known = [amount for amount in parts if amount is not None]
        result["total"] = sum(known) if known else None
    return result


LANGFUSE = Dialect(
    name="langfuse",
    title="Langfuse SDK",
    order=5,
    scopes=("langfuse-sdk*",),
    fingerprints=("langfuse.*",),
    sources=(
        Source("langfuse_type", 10, "langfuse.observation.type"),
        Source("request_model", 40, "langfuse.observation.model.name"),
        Source("request_model", 45, "langfuse.observation.model"),
        Source("input_tokens", 70, _USAGE + "#input"),
        Source("output_tokens", 70, _USAGE + "#output"),
        Source("total_tokens", 40, _USAGE + "#total"),
        Source("cache_read_tokens", 90, _USAGE + "#cache_read"),
        Source("cache_write_tokens", 80, _USAGE + "#cache_write"),
        Source("reasoning_tokens", 70, _USAGE + "#reasoning"),
        Source("usage_shape", 10, _USAGE + "#shape"),
        Source("cost", 10, _COST + "#total"),
        Source("cost_reported_input", 10, _COST + "#input"),
        Source("cost_reported_output", 10, _COST + "#output"),
        Source("first_token_at", 90, "langfuse.observation.completion_start_time"),
        Source("user_id", 10, "langfuse.user.id"),
        Source("session_id", 10, "langfuse.session.id"),
        Source("tags", 10, "langfuse.trace.tags"),
        Source("tags", 20, "langfuse.tags"),
        Source("metadata", 60, "langfuse.trace.metadata", values.pairs),
        Source("metadata", 65, "langfuse.observation.metadata", values.pairs),
        Source("trace_name", 10, "langfuse.trace.name"),
        Source("environment", 10, "langfuse.environment"),
        Source("environment", 15, "langfuse.environment", on="resource"),
        Source("release", 10, "langfuse.release"),
        Source("release", 20, "langfuse.release", on="resource"),
        Source("version", 10, "langfuse.version"),
        Source("level", 10, "langfuse.observation.level"),
        Source("status_message", 10, "langfuse.observation.status_message"),
        Source("prompt_name", 10, "langfuse.observation.prompt.name"),
        Source("prompt_version", 10, "langfuse.observation.prompt.version"),
    ),
    opened=(Opened(_USAGE, usage), Opened(_COST, cost)),
    prefixes=(Prefix("langfuse.trace.metadata.", "metadata", 10), Prefix("langfuse.observation.metadata.", "metadata", 20)),
    parameters=("langfuse.observation.model.parameters",),
    content=(
        "langfuse.observation.input",
        "langfuse.observation.output",
        "langfuse.trace.input",
        "langfuse.trace.output",
        "langfuse.observation.metadata.tools",
        "langfuse.observation.metadata.instructions",
        "langfuse.observation.metadata.prompt",
        "langfuse.observation.metadata.messages",
        "langfuse.observation.metadata.input",
        "langfuse.observation.metadata.output",
        "langfuse.observation.metadata.text",
    ),
)

DIALECTS = (LANGFUSE,)
