"""A believable month of an app's LLM calls: agents, users, sessions, errors, duplicates, gaps in the data."""

import json
import math
import random
from typing import Any

from otel_llm.spans import Rejection

MS = 1_000_000
SECOND = 1_000_000_000
HOUR = 3_600 * SECOND
DAY = 24 * HOUR

MODELS: tuple[tuple[str, str, float, float, float, float], ...] = (
    # provider, model, share, tokens per second, USD per million input tokens, USD per million output tokens
    ("openai", "gpt-5-mini", 0.34, 110, 0.25, 2.0),
    ("anthropic", "claude-sonnet-4-5", 0.24, 62, 3.0, 15.0),
    ("openai", "gpt-5", 0.14, 55, 1.25, 10.0),
    ("gcp.gemini", "gemini-2.5-flash", 0.12, 160, 0.3, 2.5),
    ("openai", "text-embedding-3-small", 0.08, 0, 0.02, 0.0),
    ("aws.bedrock", "anthropic.claude-haiku-4-5", 0.05, 120, 1.0, 5.0),
    ("vllm", "acme/support-7b", 0.03, 90, 0.0, 0.0),
)
ERRORS = {
    "RateLimitError": "Rate limit reached for requests",
    "APITimeoutError": "Request timed out.",
    "InternalServerError": "The server had an error while processing your request",
}
AGENTS = (("triage", 0.45), ("research", 0.3), ("billing", 0.15), ("summariser", 0.1))
SERVICES = (("support-bot", 0.6), ("doc-search", 0.25), ("nightly-reports", 0.15))
SCOPES = {
    "openai": ("opentelemetry.instrumentation.openai_v2", "2.4b0"),
    "anthropic": ("opentelemetry.instrumentation.anthropic", "0.62.4"),
    "gcp.gemini": ("openinference.instrumentation.google_genai", "1.2.0"),
    "aws.bedrock": ("opentelemetry.instrumentation.botocore", "0.66b2"),
    "vllm": ("vllm.engine", "0.12"),
}


def _pick(random_: random.Random, choices: tuple[tuple[Any, ...], ...], weight: int) -> Any:
    return random_.choices(choices, [choice[weight] for choice in choices])[0]


def _load(hour: int) -> float:
    """Office hours are busy, nights and weekends are not."""
    of_day, weekday = hour % 24, (hour // 24 + 3) % 7
    busy = 0.25 + math.exp(-(((of_day - 14) / 4.5) ** 2))
    return busy * (0.35 if weekday >= 5 else 1.0)


def story(until_ns: int, *, days: int = 30, traces_a_day: int = 60, seed: int = 7) -> list[dict[str, Any]]:
    """Finished span rows of the days before ``until_ns``."""
    random_ = random.Random(seed)
    first_hour = (until_ns - days * DAY) // HOUR
    loads = [_load(first_hour + hour) for hour in range(days * 24 + 1)]
    per_load = traces_a_day * days / sum(loads)
    rows: list[dict[str, Any]] = []
    for hour, load in enumerate(loads):
        expected = load * per_load * (1 + 0.5 * hour / len(loads))  # the app grows
        for _ in range(int(expected + random_.random())):
            start = (first_hour + hour) * HOUR + random_.randrange(HOUR)
            if start < until_ns - SECOND * 30:
                rows += _trace(random_, start, slow=0.72 < hour / len(loads) < 0.75)
    return rows


def _trace(random_: random.Random, start: int, *, slow: bool) -> list[dict[str, Any]]:
    trace_id = random_.randbytes(16)
    service = _pick(random_, SERVICES, 1)[0]
    agent = _pick(random_, AGENTS, 1)[0]
    user = f"user-{int(random_.paretovariate(0.9)) % 60:02d}"
    root = _row(random_, trace_id, None, start, f"invoke_agent {agent}", "agent", service=service) | {
        "agent_name": agent,
        "user_id": user,
        "session_id": f"{user}-s{start // (6 * HOUR) % 997}",
        "trace_name": {"support-bot": "answer ticket", "doc-search": "search documents"}.get(service, "weekly report"),
        "tags": json.dumps(sorted({random_.choice(["beta", "stable"]), *(["vip"] if user < "user-03" else [])})),
    }
    rows = [root]
    at = start + random_.randrange(20, 200) * MS
    for step in range(random_.choice([1, 1, 2, 2, 3, 5])):
        call = _call(random_, trace_id, root["span_id"], at, service, slow=slow)
        rows.append(call)
        at = call["end_ns"] + random_.randrange(2, 40) * MS
        if call["provider"] == "anthropic" and random_.random() < 0.25:  # an inner record of the same call
            inner = call | {"span_id": random_.randbytes(8), "parent_span_id": call["span_id"], "name": "messages.create"}
            inner["start_ns"], inner["end_ns"] = call["start_ns"] + MS, call["end_ns"] - MS
            inner |= {"reason": "innermost_with_usage", "scope_name": "anthropic", "scope_version": "1.17.0"}
            call |= {"counted": False, "reason": "outer_of_counted_call", "suppressed_by": inner["span_id"]}
            rows.append(inner)
        if step and random_.random() < 0.6:
            tool = _row(random_, trace_id, root["span_id"], at, "execute_tool lookup_order", "tool", service=service)
            tool |= {"end_ns": at + random_.randrange(30, 900) * MS, "tool_name": "lookup_order"}
            rows.append(tool)
            at = tool["end_ns"] + 5 * MS
    root["end_ns"] = at
    return rows


def _call(random_: random.Random, trace_id: bytes, parent: bytes, start: int, service: str, *, slow: bool) -> dict[str, Any]:
    provider, model, _, speed, price_in, price_out = _pick(random_, MODELS, 2)
    scope, version = SCOPES[provider]
    embedding = not speed
    input_tokens = int(random_.lognormvariate(7.0, 0.8))
    output_tokens = 0 if embedding else max(1, int(random_.lognormvariate(5.2, 0.7)))
    ttft = int(random_.lognormvariate(-0.9, 0.35) * SECOND * (2.5 if slow else 1))
    duration = int((0.08 + random_.random() * 0.1) * SECOND) if embedding else ttft + output_tokens * SECOND // speed
    streaming = not embedding and random_.random() < 0.7
    failed = random_.random() < (0.09 if slow else 0.015)
    row = _row(
        random_, trace_id, parent, start, f"{'embeddings' if embedding else 'chat'} {model}", "generation", service=service
    )
    cached = int(input_tokens * 0.6) if provider == "anthropic" and random_.random() < 0.5 else None
    error_type = random_.choice(list(ERRORS)) if failed else None
    cost = (input_tokens * price_in + output_tokens * price_out) / 1e6
    row |= {
        "end_ns": start + (int(duration * 0.3) if failed else duration),
        "role": "embedding" if embedding else "generation",
        "operation": "embeddings" if embedding else "chat",
        "kind": 3,
        "provider": provider,
        "request_model": model,
        "response_model": model,
        "input_tokens": None if failed else input_tokens,
        "output_tokens": None if failed or embedding else output_tokens,
        "cache_read_tokens": None if failed else cached,
        "cost_computed": None if failed or not price_in else cost,
        "cost_computed_source": None if failed or not price_in else "genai-prices",
        "ttft_ns": ttft if streaming and not failed and provider != "aws.bedrock" else None,
        "ttft_source": "gen_ai.response.time_to_first_chunk" if streaming else None,
        "is_streaming": streaming,
        "response_id": None if failed else f"resp_{random_.getrandbits(48):012x}",
        "finish_reasons": '["error"]' if failed else '["stop"]',
        "counted": True,
        "reason": "only_record",
        "scope_name": scope,
        "scope_version": version,
        "error": failed,
        "error_type": error_type,
        "error_message": ERRORS[error_type] if error_type else None,
        "status_code": 2 if failed else 0,
        "server_address": f"api.{provider.split('.')[0]}.com",
        "attributes": json.dumps(
            {
                "gen_ai.operation.name": "embeddings" if embedding else "chat",
                "gen_ai.provider.name": provider,
                "gen_ai.request.model": model,
                "gen_ai.request.temperature": 0.2,
            }
            | ({} if failed else {"gen_ai.usage.input_tokens": input_tokens, "gen_ai.usage.output_tokens": output_tokens})
        ),
        "events": json.dumps(
            [{"name": "exception", "time_ns": start + duration // 4, "attributes": {"exception.type": error_type}}]
            if failed
            else []
        ),
    }
    return row


def _row(
    random_: random.Random, trace_id: bytes, parent: bytes | None, start: int, name: str, role: str, *, service: str
) -> dict[str, Any]:
    return {
        "project": "default",
        "trace_id": trace_id,
        "span_id": random_.randbytes(8),
        "parent_span_id": parent,
        "name": name,
        "kind": 1,
        "start_ns": start,
        "end_ns": start + SECOND,
        "ingested_ns": start + 3 * SECOND,
        "dialect": "semconv",
        "role": role,
        "service_name": service,
        "environment": "staging" if service == "nightly-reports" else "production",
        "scope_name": "acme.agents",
        "scope_version": "0.3",
        "error": False,
        "status_code": 0,
        "attributes": json.dumps({"acme.step": name}),
        "resource_attributes": json.dumps({"service.name": service, "telemetry.sdk.language": "python"}),
        "attribute_count": 6,
    }


def refusals(until_ns: int, project: str = "default") -> list[Rejection]:
    """A few spans that were refused."""
    return [
        Rejection(
            project, until_ns - number * HOUR, "spans", "00" * 16, f"{number:016x}", "invalid_trace_id", "trace_id is all zero"
        )
        for number in range(1, 6)
    ]
