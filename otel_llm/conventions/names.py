"""Names that every instrumentation spells its own way: environments, hosts, error types, finish reasons."""

import re
from functools import lru_cache
from typing import Any

from otel_llm.conventions import values

_ENVIRONMENT = re.compile(r"[a-z0-9_-]{1,40}\Z")
_LAST_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")

FINISH_REASONS = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "eos": "stop",
    "complete": "stop",
    "completed": "stop",
    "max_tokens": "length",
    "max_output_tokens": "length",
    "model_length": "length",
    "tool_use": "tool_calls",
    "tool-calls": "tool_calls",
    "tool_call": "tool_calls",
    "function_call": "tool_calls",
    "safety": "content_filter",
    "content-filter": "content_filter",
    "content_filtered": "content_filter",
    "guardrail_intervened": "content_filter",
    "refusal": "content_filter",
}
"""Finish reasons that mean one of the OpenAI words, which stand for themselves."""


@lru_cache(maxsize=4096)
def _environment(name: str) -> str:
    cut = name.lower()[:40]
    return cut if _ENVIRONMENT.match(cut) else "default"


def environment(value: Any) -> str | None:
    """A deployment environment as Langfuse stores it: lower case, 40 characters, else 'default'."""
    found = values.text(value)
    return _environment(found) if found else None


@lru_cache(maxsize=4096)
def split_host(address: str) -> tuple[str | None, int | None]:
    """Host and port of an address: a URL, ``host:port`` or a bare host, without user, path and brackets."""
    rest = address.strip()
    if "://" in rest:
        rest = rest.split("://", 1)[1]
    for end in "/?#":
        rest = rest.split(end, 1)[0]
    rest = rest.rsplit("@", 1)[-1]
    port: int | None = None
    if rest.startswith("["):
        inside, _, after = rest[1:].partition("]")
        rest, port = inside, values.port(after[1:]) if after.startswith(":") else None
    elif rest.count(":") == 1:
        rest, _, after = rest.partition(":")
        port = values.port(after)
    return rest.lower() or None, port


def host(value: Any) -> str | None:
    """Host of a server address, without scheme, port and path."""
    found = values.text(value)
    return split_host(found)[0] if found else None


def url_port(value: Any) -> int | None:
    """Port that a server address or URL names."""
    found = values.text(value)
    return split_host(found)[1] if found else None


@lru_cache(maxsize=4096)
def _error_type(name: str) -> str:
    if name.startswith("<class '") and name.endswith("'>"):
        name = name[8:-2]
    last = name.rsplit(".", 1)[-1]
    return last if _LAST_NAME.match(last) else name


def error_type(value: Any) -> str | None:
    """An error type without its module: ``<class 'openai.RateLimitError'>`` and ``openai.RateLimitError`` are the same."""
    found = values.text(value)
    return _error_type(found) if found else None


@lru_cache(maxsize=4096)
def _finish_reason(reason: str) -> str:
    word = reason.lower().rsplit(".", 1)[-1]
    return FINISH_REASONS.get(word, word)


@lru_cache(maxsize=4096)
def _finish_reasons(reasons: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(_finish_reason(reason) for reason in values.names(list(reasons)) or ())


def finish_reasons(value: Any) -> tuple[str, ...] | None:
    """Finish reasons in OpenAI's words, lower case."""
    found = value
    if found.__class__ is not list or not all(item.__class__ is str and len(item) <= values.TAG_CAP for item in found):
        found = values.names(value)
    return _finish_reasons(tuple(found)) or None if found and len(found) <= values.LIST_CAP else None


@lru_cache(maxsize=4096)
def finish_json(reasons: tuple[str, ...]) -> str:
    """Finish reasons as a JSON list."""
    return values.json_text(reasons)
