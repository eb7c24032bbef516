"""A call as AgentLens's ``llm_response`` event."""

from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from otel_llm.store.queries.call import UNKNOWN
from otel_llm.store.queries.recent_calls import RecentCall

NO_AGENT = "otel-agent"
"""AgentLens's name for whoever sends spans without saying who they are."""
_NS_PER_MS = 1_000_000


def llm_response(call: RecentCall) -> dict[str, Any]:
    """The event: placed at the end of the call, as AgentLens places it."""
    trace_id, span_id = call.trace_id.hex(), call.span_id.hex()
    input_tokens, output_tokens = call.input_tokens or 0, call.output_tokens or 0
    optional = {
        "thinkingTokens": call.reasoning_tokens,
        "cacheReadTokens": call.cache_read_tokens,
        "cacheWriteTokens": call.cache_write_tokens,
    }
    identity = f"{trace_id}-{span_id}"
    return {
        "id": identity,
        "timestamp": _timestamp(call.end_ns),
        "sessionId": call.session_id or f"trace-{trace_id}",
        "agentId": call.agent or NO_AGENT,
        "eventType": "llm_response",
        "severity": "error" if call.error else "info",
        "payload": {
            "callId": span_id,
            "provider": call.provider or UNKNOWN,
            "model": call.model or UNKNOWN,
            "completion": None,
            "finishReason": call.finish_reasons[0] if call.finish_reasons else "error" if call.error else UNKNOWN,
            "usage": {
                "inputTokens": input_tokens,
                "outputTokens": output_tokens,
                "totalTokens": max(call.total_tokens or 0, input_tokens + output_tokens),
                **{name: tokens for name, tokens in optional.items() if tokens is not None},
            },
            "costUsd": call.cost or 0.0,
            "latencyMs": (call.end_ns - call.start_ns) / _NS_PER_MS,
        },
        "metadata": {"traceId": trace_id, "spanId": span_id, "userId": call.user_id, "errorType": call.error_type},
        "prevHash": None,
        "hash": sha256(identity.encode()).hexdigest(),
    }


def _timestamp(time_ns: int) -> str:
    milliseconds = time_ns // _NS_PER_MS
    second = datetime.fromtimestamp(milliseconds // 1_000, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{second}.{milliseconds % 1_000:03d}Z"
