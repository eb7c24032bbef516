"""The protocols of two clouds for the model server: Gemini's ``generateContent`` and the Converse API of Amazon Bedrock.

Both count as the real services do: Gemini's ``promptTokenCount`` includes the cached part and ``candidatesTokenCount`` leaves
reasoning out; Bedrock's ``inputTokens`` leaves both cache parts out.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

if TYPE_CHECKING:
    from model_server import Call

Json = dict[str, Any]


def gemini_request(path: str, body: Json) -> Json:
    """The request with what the path says: ``/v1beta/models/MODEL:generateContent`` or ``:streamGenerateContent``."""
    model, _, method = path.rpartition("/")[2].partition(":")
    config = body.get("generationConfig") or {}
    wanted = config.get("maxOutputTokens")
    return body | {"model": unquote(model), "stream": method.startswith("stream"), "max_tokens": wanted}


def bedrock_request(path: str, body: Json) -> Json:
    """The request with what the path says: ``/model/MODEL/converse``, ``/invoke`` and their streaming forms."""
    wanted = (body.get("inferenceConfig") or {}).get("maxTokens", body.get("max_tokens"))
    return body | {"model": unquote(path.split("/")[-2]), "max_tokens": wanted, "stream": path.endswith("stream")}


def _gemini_usage(call: "Call") -> Json:
    usage = {
        "promptTokenCount": call.input,
        "candidatesTokenCount": call.output - call.reasoning,
        "totalTokenCount": call.input + call.output,
    }
    if call.cache_read:
        usage["cachedContentTokenCount"] = call.cache_read
    if call.reasoning:
        usage["thoughtsTokenCount"] = call.reasoning
    return usage


def _gemini_chunk(call: "Call", parts: list[Json], finish: str | None) -> Json:
    candidate: Json = {"content": {"role": "model", "parts": parts}, "index": 0}
    if finish:
        candidate["finishReason"] = finish
    return {"candidates": [candidate], "modelVersion": call.served, "responseId": call.id, "usageMetadata": _gemini_usage(call)}


def gemini_answer(call: "Call") -> Json:
    part: Json = {"functionCall": {"name": call.tool, "args": {}}} if call.tool else {"text": call.text}
    return _gemini_chunk(call, [part], "STOP")


def gemini_events(call: "Call") -> Iterator[Json]:
    if call.tool:
        yield gemini_answer(call)
        return
    for number, word in enumerate(call.words, 1):
        yield _gemini_chunk(call, [{"text": word}], "STOP" if number == len(call.words) else None)


def bedrock_answer(call: "Call") -> Json:
    use: Json = {"toolUse": {"toolUseId": f"tooluse_{call.id}", "name": call.tool, "input": {}}}
    return {
        "output": {"message": {"role": "assistant", "content": [use if call.tool else {"text": call.text}]}},
        "stopReason": "tool_use" if call.tool else "end_turn",
        "usage": {
            "inputTokens": call.input - call.cache_read - call.cache_write,
            "outputTokens": call.output,
            "totalTokens": call.input + call.output,
            "cacheReadInputTokens": call.cache_read,
            "cacheWriteInputTokens": call.cache_write,
        },
        "metrics": {"latencyMs": 300},
    }
