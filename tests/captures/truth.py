"""The true answers of a capture (``expected.json``): from the model server's log, never from what the house makes of it.

What an export can support at all (is there a first-token time in it, the user, the served model) is looked up in the bytes:
a value that is nowhere in the export is not asked for.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from model_server import Call

from tests.captures.libraries import Library, Scenario
from tests.captures.recorder import Recorded
from tests.captures.scrub import MESSAGES

Json = dict[str, Any]

API = {
    "chat": ("openai", "chat"),
    "responses": ("openai", "chat"),
    "embeddings": ("openai", "embeddings"),
    "messages": ("anthropic", "chat"),
    "gemini": ("gcp.gemini", "generate_content"),
    "bedrock": ("aws.bedrock", "chat"),
    "bedrock_invoke": ("aws.bedrock", "chat"),
    "completions": ("openai", "text_completion"),
    "gemini_embeddings": ("gcp.gemini", "embeddings"),
    "ollama_chat": ("ollama", "chat"),
    "ollama_generate": ("ollama", "text_completion"),
    "ollama_embed": ("ollama", "embeddings"),
    "cohere": ("cohere", "chat"),
    "cohere_embed": ("cohere", "embeddings"),
}
"""API of the model server -> provider family, operation."""
FIRST_TOKEN = re.compile(r"time_to_first|msToFirstChunk|completion_start_time|first.?token|first.?chunk|ttft", re.I)
CACHE_READ = re.compile(r"cache.?read|cached", re.I)
CACHE_WRITE = re.compile(r"cache.?(write|creation)", re.I)
CONTENT = re.compile(r"outputs?\b|input\.value|spanInputs|messages|completion\b|raw", re.I)
UNREAD = re.compile(r"(input|output)\.value|span(In|Out)puts|outputs?#")
"""What the model answered as a whole: content, which need not be read."""
USAGE = re.compile(r"(input|prompt)_?tokens?$|token_count\.prompt$|tokenUsage#|usage_details#", re.I)


class Attribute(NamedTuple):
    """One value of an export: the span it is on, its key (``key#path`` inside JSON text), the value."""

    span: Any
    key: str
    value: Any


def attributes(requests: Iterable[Recorded]) -> list[Attribute]:
    """Every attribute of every span, its resource's and its events' too; of JSON text every value inside."""
    found: list[Attribute] = []
    for request in requests:
        if request.signal != "traces" or request.encoding == "json":
            continue
        for resource in MESSAGES["traces"].FromString(request.body).resource_spans:
            for scope in resource.scope_spans:
                for span in scope.spans:
                    own = [*span.attributes, *(each for event in span.events for each in event.attributes)]
                    for attribute in own:
                        for key, value in _values(attribute.key, _plain(attribute.value)):
                            found.append(Attribute(span, key, value))
                    inside = (each for each in span.events if each.time_unix_nano <= span.end_time_unix_nano)
                    found.extend(Attribute(span, f"event:{event.name}", True) for event in inside)
    return found


def _plain(value: Any) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_plain(each) for each in value.array_value.values]
    if kind == "kvlist_value":
        return {each.key: _plain(each.value) for each in value.kvlist_value.values}
    return getattr(value, kind) if kind else None


def _values(key: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, str) and value[:1] in '{["':
        try:
            value = json.loads(value)
        except ValueError:
            yield key, value
            return
    if isinstance(value, dict):
        for name, each in value.items():
            yield from _values(f"{key}#{name}", each)
    elif isinstance(value, list):
        for each in value:
            yield from _values(key, each)
    else:
        yield key, value


def call_facts(call: Call) -> Json:
    """One call as the model server saw it."""
    provider, operation = API[call.api]
    return {
        "provider": provider,
        "operation": operation,
        "request_model": call.model,
        "response_model": None if call.error else call.served,
        "input_tokens": None if call.error else call.input,
        "output_tokens": None if call.error else call.output,
        "cached_tokens": 0 if call.error else call.cache_read,
        "cache_creation_tokens": 0 if call.error else call.cache_write,
        "reasoning_tokens": 0 if call.error else call.reasoning,
        "stream": call.stream,
        "http_status": call.error[0] if call.error else 200,
        "tool_call": call.tool,
    }


def expected(library: Library, scenario: Scenario, calls: list[Call], requests: list[Recorded]) -> Json:
    """The content of ``expected.json``."""
    found = attributes(requests)
    keys = {each.key for each in found}
    truth = [call_facts(call) for call in calls]
    usage_spans = {each.span.span_id for each in found if USAGE.search(each.key)}
    identity = {
        name: _identity(found, usage_spans, value)
        for name, value in (("user", scenario.user), ("session", scenario.session), ("tags", scenario.tags or None))
    }
    first_token = sorted(key for key in keys if FIRST_TOKEN.search(key))
    tokens = [each for each in truth if not scenario.lacks & {"usage", each["operation"] + " usage"}]
    payload = {
        "usage_recorded": "all" if tokens == truth else "a part" if tokens else "none",
        "cached_token_attributes": _carriers(found, CACHE_READ, {call.cache_read for call in calls}),
        "cache_creation_attributes": _carriers(found, CACHE_WRITE, {call.cache_write for call in calls}),
        "ttft_attributes": first_token,
        "model_attributes": sorted({each.key for each in found if each.value in {call.served for call in calls}}),
        **identity,
        "scopes": _scopes(requests),
    }
    generations = [each for each in truth if each["operation"] != "embeddings"]
    ask_identity = {
        name: {"value": value["value"], "level": value["level"]} if value else None for name, value in identity.items()
    }
    return {
        "library": library.name,
        "scenario": scenario.name,
        "truth": {
            "llm_calls": len(truth),
            "errors": sum(call.error is not None for call in calls),
            "calls": truth,
            "user": scenario.user,
            "session": scenario.session,
            "tags": list(scenario.tags) or None,
        },
        "payload": payload,
        "expect": {
            "calls": len(truth),
            "agentlens_calls": len(generations),
            "input_tokens": _sum(tokens, "input_tokens"),
            "output_tokens": _sum(tokens, "output_tokens"),
            "agentlens_input_tokens": _sum([each for each in tokens if each["operation"] != "embeddings"], "input_tokens"),
            "errors": 0 if "errors" in scenario.lacks else sum(call.error is not None for call in calls),
            "models": _models(calls, found),
            "providers": list(scenario.providers or library.providers),
            "ttft_ms": _first_token(calls, found) if "ttft" not in scenario.lacks else None,
            "ttft_soft": False,
            "host": None,
            **ask_identity,
            "cost": None,
        },
        "lenient": _twice(truth, tokens, calls) if scenario.twice else [],
        "traps": list(scenario.traps),
    }


def _twice(truth: list[Json], tokens: list[Json], calls: list[Call]) -> list[Json]:
    """The variant in which every call is counted for both of its two records."""
    generations = [each for each in truth if each["operation"] != "embeddings"]
    twice = {
        "calls": 2 * len(truth),
        "agentlens_calls": 2 * len(generations),
        "input_tokens": 2 * _sum(tokens, "input_tokens"),
        "output_tokens": 2 * _sum(tokens, "output_tokens"),
        "agentlens_input_tokens": 2 * _sum([each for each in tokens if each["operation"] != "embeddings"], "input_tokens"),
        "errors": 2 * sum(call.error is not None for call in calls),
        "models": [{"accept": sorted({call.model, call.served}), "calls": 2} for call in calls],
        "ttft_ms": None,  # LangDB's mean takes the duration of the record without one
    }
    return [{"why": "two records in two traces, without an id that joins them", "expect": twice}]


def _sum(calls: Iterable[Json], name: str) -> int:
    return sum(call[name] or 0 for call in calls)


def _models(calls: Iterable[Call], found: Iterable[Attribute]) -> list[Json]:
    """Calls by the names they can be known by: the served model where the export has it, else the one asked for.

    Inside of what the model answered (content, which need not be read) it may be known by either.
    """
    values = {(bool(CONTENT.search(each.key)), each.value) for each in found if "model" in each.key.lower()}
    told = {value for _, value in values if isinstance(value, str)} | {each.span.name.partition(" ")[2] for each in found}
    names: Counter[tuple[str, ...]] = Counter()
    for call in calls:
        if not told & {call.model, call.served}:  # a part of the name, or nothing
            parts = sorted(name for name in told if name and name in call.model)
            names[tuple(parts or ("unknown",))] += 1
        elif call.error or call.served == call.model:
            names[call.model,] += 1
        elif (False, call.served) in values:
            names[call.served,] += 1
        else:
            names[(call.model, call.served) if (True, call.served) in values else (call.model,)] += 1
    return [{"accept": list(accept), "calls": count} for accept, count in sorted(names.items())]


def _first_token(calls: Iterable[Call], found: Iterable[Attribute]) -> list[float] | None:
    """Milliseconds between which every first-token time of the export must be.

    From the model server's clock: on each span that carries such a time, the server's first token came that long after the
    span's start; 150 ms are left for the way and the client.
    """
    spans = {each.span.span_id: each.span for each in found if FIRST_TOKEN.search(each.key)}.values()
    sent = [call.first_token_ns for call in calls if call.first_token_ns]
    after = [
        (max(inside) - span.start_time_unix_nano) / 1e6
        for span in spans
        if (inside := [at for at in sent if span.start_time_unix_nano < at < span.end_time_unix_nano + 1e9])
    ]
    return [190.0, round(max(after) + 150.0)] if after else None


def _carriers(found: Iterable[Attribute], key: re.Pattern[str], counts: set[int]) -> list[str]:
    return sorted(
        {
            each.key
            for each in found
            if key.search(each.key) and not UNREAD.search(each.key) and each.value in counts - {0} and each.value is not True
        }
    )


def _identity(found: list[Attribute], usage_spans: set[bytes], value: Any) -> Json | None:
    """Where the export carries a user, a session or tags: on every span with usage, or elsewhere in the trace."""
    if value is None:
        return None
    wanted = list(value) if isinstance(value, tuple) else value
    texts = wanted if isinstance(wanted, list) else [wanted]
    on = [{each.span.span_id for each in found if isinstance(each.value, str) and text in each.value} for text in texts]
    if not all(on):
        return None
    keys = sorted({each.key for each in found if isinstance(each.value, str) and texts[0] in each.value})
    level = "span" if usage_spans and all(usage_spans <= spans for spans in on) else "trace"
    return {"value": wanted, "attributes": keys, "level": level}


def _scopes(requests: Iterable[Recorded]) -> list[str]:
    return sorted(
        {
            scope.scope.name
            for request in requests
            if request.signal == "traces" and request.encoding != "json"
            for resource in MESSAGES["traces"].FromString(request.body).resource_spans
            for scope in resource.scope_spans
        }
    )
