"""Further protocols of the model server: Bedrock event streams, Ollama, Cohere, old OpenAI completions, Gemini embeddings."""

import base64
import json
import struct
import time
import zlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from model_server import Call

Json = dict[str, Any]

STREAM_TYPES = {
    "bedrock": "application/vnd.amazon.eventstream",
    "bedrock_invoke": "application/vnd.amazon.eventstream",
    "ollama_chat": "application/x-ndjson",
    "ollama_generate": "application/x-ndjson",
}
"""Content types of streams that are no server-sent events."""
VECTOR = [0.25, 0.5, -0.125]


# Amazon Bedrock: AWS event streams


def _frame(event_type: str, payload: Json) -> bytes:
    """One message of an AWS event stream: two lengths and their check sum, headers, payload, check sum of it all."""
    headers = b"".join(
        bytes([len(name)]) + name.encode() + b"\x07" + struct.pack(">H", len(value)) + value.encode()
        for name, value in ((":event-type", event_type), (":content-type", "application/json"), (":message-type", "event"))
    )
    body = json.dumps(payload).encode()
    start = struct.pack(">II", 16 + len(headers) + len(body), len(headers))
    message = start + struct.pack(">I", zlib.crc32(start)) + headers + body
    return message + struct.pack(">I", zlib.crc32(message))


def event_frame(event: Json) -> bytes:
    """An event of the Converse API."""
    return _frame(event["type"], {key: value for key, value in event.items() if key != "type"})


def chunk_frame(event: Json) -> bytes:
    """An event of the model's own, wrapped as InvokeModelWithResponseStream does."""
    return _frame("chunk", {"bytes": base64.b64encode(json.dumps(event).encode()).decode()})


def bedrock_events(call: "Call") -> Iterator[Json]:
    yield {"type": "messageStart", "role": "assistant"}
    if call.tool:
        start = {"toolUse": {"toolUseId": f"tooluse_{call.id}", "name": call.tool}}
        yield {"type": "contentBlockStart", "start": start, "contentBlockIndex": 0}
        yield {"type": "contentBlockDelta", "delta": {"toolUse": {"input": "{}"}}, "contentBlockIndex": 0}
    for word in () if call.tool else call.words:
        yield {"type": "contentBlockDelta", "delta": {"text": word}, "contentBlockIndex": 0}
    yield {"type": "contentBlockStop", "contentBlockIndex": 0}
    yield {"type": "messageStop", "stopReason": "tool_use" if call.tool else "end_turn"}
    usage = {
        "inputTokens": call.input - call.cache_read - call.cache_write,
        "outputTokens": call.output,
        "totalTokens": call.input + call.output,
        "cacheReadInputTokens": call.cache_read,
        "cacheWriteInputTokens": call.cache_write,
    }
    yield {"type": "metadata", "usage": usage, "metrics": {"latencyMs": 300}}


# Ollama


def ollama_request(_path: str, body: Json) -> Json:
    """The request with Ollama's default: it streams unless told not to."""
    return body | {"stream": body.get("stream", True), "max_tokens": (body.get("options") or {}).get("num_predict")}


def json_line(event: Json) -> bytes:
    return json.dumps(event).encode() + b"\n"


def _ollama(call: "Call", text: str, done: bool) -> Json:
    answer: Json = {"model": call.model, "created_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "done": done}
    if call.api == "ollama_generate":
        answer["response"] = text
    else:
        answer["message"] = {"role": "assistant", "content": text}
        if call.tool:
            answer["message"]["tool_calls"] = [{"function": {"name": call.tool, "arguments": {}}}]
    if done:
        times = {"total_duration": 3 * 10**8, "load_duration": 10**7, "prompt_eval_duration": 10**8, "eval_duration": 10**8}
        answer |= {"done_reason": "stop", "prompt_eval_count": call.input, "eval_count": call.output, **times}
    return answer


def ollama_answer(call: "Call") -> Json:
    return _ollama(call, "" if call.tool else call.text, True)


def ollama_events(call: "Call") -> Iterator[Json]:
    for word in () if call.tool else call.words:
        yield _ollama(call, word, False)
    yield _ollama(call, "", True)


def ollama_embed(call: "Call") -> Json:
    given = call.request.get("input")
    vectors = [VECTOR] * (len(given) if isinstance(given, list) else 1)
    return {"model": call.model, "embeddings": vectors, "total_duration": 10**8, "prompt_eval_count": call.input}


# Cohere


def _cohere_usage(call: "Call") -> Json:
    counts = {"input_tokens": call.input, "output_tokens": call.output}
    return {"billed_units": counts, "tokens": counts}


def cohere_answer(call: "Call") -> Json:
    message: Json = {"role": "assistant", "content": [{"type": "text", "text": call.text}]}
    return {"id": call.id, "finish_reason": "COMPLETE", "message": message, "usage": _cohere_usage(call)}


def cohere_events(call: "Call") -> Iterator[Json]:
    start = {"role": "assistant", "content": [], "tool_plan": "", "tool_calls": [], "citations": []}
    yield {"type": "message-start", "id": call.id, "delta": {"message": start}}
    yield {"type": "content-start", "index": 0, "delta": {"message": {"content": {"type": "text", "text": ""}}}}
    for word in call.words:
        yield {"type": "content-delta", "index": 0, "delta": {"message": {"content": {"text": word}}}}
    yield {"type": "content-end", "index": 0}
    yield {"type": "message-end", "delta": {"finish_reason": "COMPLETE", "usage": _cohere_usage(call)}}


def cohere_embed(call: "Call") -> Json:
    texts = call.request.get("texts") or []
    billed = {"billed_units": {"input_tokens": call.input}, "api_version": {"version": "2"}}
    return {"id": call.id, "embeddings": {"float": [VECTOR for _ in texts]}, "texts": texts, "meta": billed}


# OpenAI's completions, Gemini's embeddings


def completion_answer(call: "Call") -> Json:
    usage = {"prompt_tokens": call.input, "completion_tokens": call.output, "total_tokens": call.input + call.output}
    choice = {"index": 0, "text": call.text, "finish_reason": "stop", "logprobs": None}
    head = {"id": f"cmpl-{call.id}", "object": "text_completion", "created": int(time.time()), "model": call.served}
    return head | {"choices": [choice], "usage": usage}


def gemini_embeddings(call: "Call") -> Json:
    return {
        "embeddings": [{"values": VECTOR} for _ in call.request.get("requests") or [call.request]],
        "embedding": {"values": VECTOR},
    }
