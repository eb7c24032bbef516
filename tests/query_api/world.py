"""A seeded world of spans: days, midnights, late roots, nested copies, guardrails, users set anywhere in a trace."""

import json
import random
from typing import Any

from otel_llm.spans import Finding

from .call_rows import DAY, MS, SECOND, at, span_id

FIRST = at("2025-01-28T00:00:00")
DAYS = 6
PROVIDERS = [None, "openai", "azure.ai.openai", "azure.ai.inference", "gcp.gemini", "gcp.vertex_ai", "aws.bedrock", "anthropic"]
MODELS = [
    None,
    "gpt-4o",
    "openai/gpt-4o",
    "OpenAI/gpt-4o",
    "google/gemini-2.5",
    "bedrock/claude",
    "meta-llama/llama-3",
    "a/",
    "/b",
]
USERS = [None, None, None, "ann", "bob", "cy"]
TAGS = ["alpha", "beta", "gamma,delta", 'quo"te']
ENVIRONMENTS = [None, None, "production", "dev"]
KEYS = ["team", "env", "we/ird~key"]


def world(seed: int, traces: int) -> tuple[list[dict[str, Any]], list[Finding]]:
    """Rows in random order, and policy findings."""
    pick = random.Random(seed)
    rows: list[dict[str, Any]] = []
    findings: list[Finding] = []
    for number in range(traces):
        project = "default" if pick.random() < 0.9 else "other"
        trace_id = pick.randbytes(16)
        begin = FIRST + pick.randrange(DAYS * DAY)
        spans: list[dict[str, Any]] = []
        for _ in range(pick.choice([1, 1, 2, 3, 5, 9])):
            spans.append(_span(pick, project, trace_id, begin, spans))
        if pick.random() < 0.2 and len(spans) > 1:
            spans[0]["parent_span_id"] = span_id(7)  # a root that never came
        rows += spans
        found = range(pick.choice([0, 0, 0, 0, 1, 2]))
        findings += [_finding(pick, project, number * 10 + index, trace_id, pick.choice(spans)) for index in found]
    # and some in traces nobody knows
    findings += [_finding(pick, "default", -1 - index, pick.randbytes(16), None) for index in range(5)]
    pick.shuffle(rows)
    return rows, findings


def _span(pick: random.Random, project: str, trace_id: bytes, begin: int, siblings: list[dict[str, Any]]) -> dict[str, Any]:
    role = pick.choice(["generation"] * 5 + ["embedding", "agent", "tool", "other", "guardrail"])
    is_call = role in ("generation", "embedding")
    start = begin + (0 if not siblings else pick.choice([0, MS, pick.randrange(2 * DAY), -pick.randrange(3_600 * SECOND)]))
    duration = pick.choice(
        [0, 100_250_000, 50_000, pick.randrange(3 * SECOND), pick.randrange(3 * SECOND), pick.randrange(DAY)]
    )
    parent = pick.choice(siblings)["span_id"] if siblings and pick.random() < 0.9 else None
    has_usage = is_call or role in ("agent", "guardrail")
    sender = pick.choice(["", "svc", "ns/svc", "repo"])
    copies = [span for span in siblings if span["counted"]]
    suppressed_by = pick.choice(copies)["span_id"] if is_call and copies and pick.random() < 0.15 else None
    return {
        "project": project,
        "trace_id": trace_id,
        "span_id": pick.randbytes(8),
        "parent_span_id": parent,
        "name": pick.choice(["run", "chat", "step"]),
        "kind": 3,
        "start_ns": start,
        "end_ns": start + duration,
        "ingested_ns": start,
        "dialect": "semconv",
        "role": role,
        "provider": pick.choice(PROVIDERS) if is_call else None,
        "provider_inferred": pick.choice([None, False, True]),
        "request_model": pick.choice(MODELS) if has_usage else None,
        "response_model": pick.choice([None, None, *MODELS]) if has_usage else None,
        "input_tokens": pick.choice([None, 0, pick.randrange(9_000), 2**62]) if has_usage else None,
        "output_tokens": pick.choice([None, 0, pick.randrange(2_000), pick.randrange(2_000)]) if has_usage else None,
        "total_tokens": pick.choice([None, 5, pick.randrange(20_000)]) if has_usage else None,
        "cost_reported": pick.choice([None, 0.1, 0.2, pick.random()]) if has_usage else None,
        "cost_computed": pick.choice([None, pick.random()]) if is_call else None,
        "ttft_ns": pick.randrange(duration + 1) if is_call and pick.random() < 0.5 else None,
        "user_id": pick.choice(USERS),
        "user_name": pick.choice([None, None, "Ann", "Bob"]),
        "user_tags": pick.choice([None, None, json.dumps(pick.sample(TAGS, 2))]),
        "session_id": pick.choice([None, None, None, "s-1", "s-2"]),
        "request_tags": _request_tags(pick) if is_call else None,
        "tags": pick.choice([None, json.dumps(sorted(pick.sample(TAGS, pick.randrange(1, 4))))]),
        "trace_name": pick.choice([None, None, None, "named", "run"]),
        "environment": pick.choice(ENVIRONMENTS),
        "agent_name": pick.choice([None, None, "planner"]),
        "agent_id": pick.choice([None, None, "a-7"]),
        "agentlens_agent_id": pick.choice([None, "planner", "lens"]),
        "service_name": sender.rpartition("/")[2] if sender.endswith("svc") else None,
        "service_namespace": "ns" if sender.startswith("ns") else None,
        "repo_id": "repo" if sender == "repo" else None,
        "ai_llm_id": pick.choice([None, None, "llm-1"]),
        "api_key_id": pick.choice([None, None, "key-1"]),
        "key_id": pick.choice([None, "pk-1"]),
        "server_address": pick.choice([None, "api.openai.com", "10.0.0.1"]),
        "server_port": pick.choice([None, 443]),
        "finish_reasons": pick.choice([None, '["stop"]']),
        "error": pick.random() < 0.2,
        "status_code": 0,
        "attribute_count": 1,
        "counted": None if not is_call else suppressed_by is None,
        "suppressed_by": suppressed_by,
    }


def _request_tags(pick: random.Random) -> str | None:
    keys = pick.sample(KEYS, pick.randrange(len(KEYS) + 1))
    return json.dumps({key: pick.choice(["x", "y"]) for key in keys}) if keys else None  # keys in any order


def _finding(pick: random.Random, project: str, number: int, trace_id: bytes, span: dict[str, Any] | None) -> Finding:
    return Finding(
        project,
        trace_id,
        span["span_id"] if span else pick.randbytes(8),
        number.to_bytes(16, "big", signed=True),
        (span["start_ns"] if span else FIRST) + pick.randrange(2 * DAY),
        "policy",
        "no secrets",
        pick.choice(["log", "alert", "block"]),
        pick.choice(["low", "medium", "high", ""]),
        "test",
    )
