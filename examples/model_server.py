"""A small model server on loopback that speaks the APIs of six providers, with token counts you can compute by hand.

    python examples/model_server.py --port 8089

Routes: ``POST /v1/chat/completions``, ``/v1/responses``, ``/v1/embeddings`` (OpenAI) and ``/v1/messages`` (Anthropic), the
generating ones with ``"stream": true`` too; ``/v1beta/models/MODEL:generateContent`` and ``:streamGenerateContent`` (Gemini);
``:embedContent``, ``:batchEmbedContents``; ``/model/MODEL/converse``, ``/converse-stream``, ``/invoke`` and
``/invoke-with-response-stream`` with Anthropic's messages (Amazon Bedrock); ``/api/chat``, ``/api/generate``, ``/api/embed``
(Ollama); ``/v2/chat``, ``/v2/embed`` (Cohere); ``GET /calls`` lists what was answered, with the true numbers.

The rules, so that a test or a reader knows every number in advance:

=================  =====================================================================================================
input tokens       words (split at white space) of all texts of the request: messages, system, instructions, input
output tokens      words of the answer: ``max_tokens`` (or ``max_completion_tokens``, ``max_output_tokens``), else 12
cached input       half the input, from 100 input tokens on, else 0; a part of the input
cache writes       Anthropic and Bedrock: a quarter of the input, from 100 input tokens on; a part of the input
reasoning          models named ``o1…``, ``o3…``, ``o4…``, ``gpt-5…``, ``gemini-2.5…``: a quarter of the output; a part of it
tool call          a request with ``tools`` and without a tool result is answered by a call of the first tool, 5 output tokens
served model       the model asked for, with a date: ``gpt-4o-mini`` is served by ``gpt-4o-mini-2024-07-18``
errors             model names that contain ``rate-limited`` (429), ``broken`` (500), ``missing`` (404);
                   ``fails-midway`` sends three tokens of a stream and then cuts the connection
time               first token after ``first_token_delay``, each further one after ``token_delay``; a plain answer takes as long
=================  =====================================================================================================

Every response id is unique. OpenAI and Gemini count the cached part inside the input; Anthropic and Bedrock report the
input without its cache parts, Gemini the output without its reasoning: as the real services do.
"""

import argparse
import itertools
import json
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import cloud_protocols
import more_protocols

Json = dict[str, Any]

WORDS = ["the", "quick", "brown", "fox", "jumps", "over", "the", "lazy", "dog", "and", "runs", "on"]
SERVED = {
    "gpt-4o-mini": "gpt-4o-mini-2024-07-18",
    "gpt-4o": "gpt-4o-2024-08-06",
    "gpt-4.1": "gpt-4.1-2025-04-14",
    "o4-mini": "o4-mini-2025-04-16",
    "claude-haiku-4-5": "claude-haiku-4-5-20251001",
}
ERRORS = {
    "rate-limited": (429, "rate_limit_exceeded", "rate_limit_error", "Too many requests"),
    "broken": (500, "server_error", "api_error", "The model is broken"),
    "missing": (404, "model_not_found", "not_found_error", "No such model"),
}
CACHE_FROM = 100
CACHE_WRITERS = {"messages", "bedrock", "bedrock_invoke"}
EMBEDDINGS = {"embeddings", "gemini_embeddings", "ollama_embed", "cohere_embed"}
"""APIs whose answer has no output tokens."""
CACHELESS = {*EMBEDDINGS, "ollama_chat", "ollama_generate", "cohere"}
"""APIs that say nothing about caches."""
REASONING = ("o1", "o3", "o4", "gpt-5", "gemini-2.5")
PROMPT_KEYS = ("system", "instructions", "messages", "input", "systemInstruction", "contents", "prompt", "texts", "requests")
TOOL_RESULTS = ('"role": "tool"', '"function_call_output"', '"tool_result"', '"toolResult"', '"functionResponse"')
"""What a conversation contains, as JSON, once a tool was called."""
DEFAULT_OUTPUT = 12
TOOL_OUTPUT = 5


class Call:
    """One request, with every number of its answer."""

    def __init__(self, api: str, request: Json) -> None:
        self.api = api
        self.request = request
        self.model: str = request.get("model", "")
        self.served = SERVED.get(self.model, self.model)
        self.stream = bool(request.get("stream"))
        self.id = uuid.uuid4().hex
        self.first_token_ns: int | None = None
        texts = [request.get(key) for key in PROMPT_KEYS]
        self.input = sum(len(text.split()) for text in texts_in(texts))
        self.cache_read = self.input // 2 if self.input >= CACHE_FROM and api not in CACHELESS else 0
        self.cache_write = self.input // 4 if self.input >= CACHE_FROM and api in CACHE_WRITERS else 0
        self.tool = tool_to_call(request)
        wanted = next(
            (request[key] for key in ("max_completion_tokens", "max_output_tokens", "max_tokens") if request.get(key)), None
        )
        self.output = 0 if api in EMBEDDINGS else TOOL_OUTPUT if self.tool else int(wanted or DEFAULT_OUTPUT)
        self.reasoning = self.output // 4 if self.model.startswith(REASONING) else 0
        self.error = next((error for word, error in ERRORS.items() if word in self.model), None)
        self.words = [word + " " for word in itertools.islice(itertools.cycle(WORDS), self.output)]

    @property
    def text(self) -> str:
        """The whole answer."""
        return "".join(self.words)

    def facts(self) -> Json:
        """The true numbers, as ``GET /calls`` gives them."""
        names = (
            "api",
            "model",
            "served",
            "stream",
            "id",
            "input",
            "output",
            "cache_read",
            "cache_write",
            "reasoning",
            "tool",
            "first_token_ns",
        )
        return {name: getattr(self, name) for name in names} | {"status": self.error[0] if self.error else 200}


def texts_in(value: Any) -> Iterator[str]:
    """Every text of a prompt: plain strings, ``content``, ``parts`` and ``text`` of messages and blocks, however nested."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from texts_in(item)
    elif isinstance(value, dict):
        yield from texts_in([value.get("content"), value.get("parts"), value.get("text")])


def tool_to_call(request: Json) -> str | None:
    """Name of the tool the model wants: the first one offered, unless its result is already in the conversation."""
    tools = request.get("tools") or (request.get("toolConfig") or {}).get("tools")
    if not tools:
        return None
    conversation = json.dumps([request.get(key) for key in PROMPT_KEYS])
    if any(mark in conversation for mark in TOOL_RESULTS):
        return None
    first = tools[0]
    declared = first.get("function") or first.get("toolSpec") or (first.get("functionDeclarations") or [first])[0]
    return str(declared["name"])


# OpenAI chat completions


def chat_usage(call: Call) -> Json:
    return {
        "prompt_tokens": call.input,
        "completion_tokens": call.output,
        "total_tokens": call.input + call.output,
        "prompt_tokens_details": {"cached_tokens": call.cache_read, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": call.reasoning, "audio_tokens": 0},
    }


def chat_message(call: Call) -> Json:
    if not call.tool:
        return {"role": "assistant", "content": call.text, "refusal": None}
    function = {"name": call.tool, "arguments": "{}"}
    return {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": f"call_{call.id}", "type": "function", "function": function}],
    }


def chat_head(call: Call, kind: str) -> Json:
    return {"id": f"chatcmpl-{call.id}", "object": kind, "created": int(time.time()), "model": call.served}


def chat_answer(call: Call) -> Json:
    choice = {
        "index": 0,
        "message": chat_message(call),
        "finish_reason": "tool_calls" if call.tool else "stop",
        "logprobs": None,
    }
    return chat_head(call, "chat.completion") | {"choices": [choice], "usage": chat_usage(call)}


def chat_events(call: Call) -> Iterator[Json]:
    # Mistral tells the usage of every stream
    with_usage = bool((call.request.get("stream_options") or {}).get("include_usage")) or call.model.startswith("mistral")
    head = chat_head(call, "chat.completion.chunk") | ({"usage": None} if with_usage else {})

    def chunk(delta: Json, finish: str | None = None) -> Json:
        return head | {"choices": [{"index": 0, "delta": delta, "finish_reason": finish, "logprobs": None}]}

    if call.tool:
        tool_call = chat_message(call)["tool_calls"][0] | {"index": 0}
        yield chunk({"role": "assistant", "tool_calls": [tool_call]})
    else:
        yield chunk({"role": "assistant", "content": call.words[0]})
        for word in call.words[1:]:
            yield chunk({"content": word})
    yield chunk({}, "tool_calls" if call.tool else "stop")
    if with_usage:
        yield head | {"choices": [], "usage": chat_usage(call)}


# OpenAI responses


def response_usage(call: Call) -> Json:
    return {
        "input_tokens": call.input,
        "input_tokens_details": {"cached_tokens": call.cache_read},
        "output_tokens": call.output,
        "output_tokens_details": {"reasoning_tokens": call.reasoning},
        "total_tokens": call.input + call.output,
    }


def response_item(call: Call, status: str, text: str) -> Json:
    if call.tool:
        name = {"type": "function_call", "id": f"fc_{call.id}", "call_id": f"call_{call.id}", "name": call.tool}
        return name | {"arguments": "{}", "status": status}
    part = {"type": "output_text", "text": text, "annotations": []}
    content = [part] if text else []
    return {"type": "message", "id": f"msg_{call.id}", "role": "assistant", "status": status, "content": content}


def response_object(call: Call, status: str) -> Json:
    done = status == "completed"
    return {
        "id": f"resp_{call.id}",
        "object": "response",
        "created_at": int(time.time()),
        "model": call.served,
        "status": status,
        "output": [response_item(call, "completed", call.text)] if done else [],
        "usage": response_usage(call) if done else None,
        "error": None,
        "incomplete_details": None,
        "instructions": call.request.get("instructions"),
        "metadata": {},
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": call.request.get("tools") or [],
        "temperature": 1.0,
        "top_p": 1.0,
    }


def response_events(call: Call) -> Iterator[Json]:
    item = {"output_index": 0, "item_id": f"fc_{call.id}" if call.tool else f"msg_{call.id}"}
    part = item | {"content_index": 0}
    yield {"type": "response.created", "response": response_object(call, "in_progress")}
    yield {"type": "response.output_item.added", "output_index": 0, "item": response_item(call, "in_progress", "")}
    if call.tool:
        yield {"type": "response.function_call_arguments.delta", **item, "delta": "{}"}
        yield {"type": "response.function_call_arguments.done", **item, "arguments": "{}", "name": call.tool}
    else:
        empty = {"type": "output_text", "text": "", "annotations": []}
        yield {"type": "response.content_part.added", **part, "part": empty}
        for word in call.words:
            yield {"type": "response.output_text.delta", **part, "delta": word, "logprobs": []}
        yield {"type": "response.output_text.done", **part, "text": call.text, "logprobs": []}
        yield {"type": "response.content_part.done", **part, "part": empty | {"text": call.text}}
    yield {"type": "response.output_item.done", "output_index": 0, "item": response_item(call, "completed", call.text)}
    yield {"type": "response.completed", "response": response_object(call, "completed")}


# OpenAI embeddings


def embeddings_answer(call: Call) -> Json:
    given = call.request.get("input")
    items = given if isinstance(given, list) else [given]
    data = [{"object": "embedding", "index": index, "embedding": [0.25, 0.5, -0.125]} for index in range(len(items))]
    usage = {"prompt_tokens": call.input, "total_tokens": call.input}
    answer = {"object": "list", "model": call.served, "data": data, "usage": usage}
    return {"id": call.id, **answer} if call.model.startswith("mistral") else answer


# Anthropic messages


def messages_usage(call: Call, output: int) -> Json:
    return {
        "input_tokens": call.input - call.cache_read - call.cache_write,
        "cache_read_input_tokens": call.cache_read,
        "cache_creation_input_tokens": call.cache_write,
        "cache_creation": {"ephemeral_5m_input_tokens": call.cache_write, "ephemeral_1h_input_tokens": 0},
        "output_tokens": output,
        "service_tier": "standard",
    }


def messages_answer(call: Call) -> Json:
    tool: Json = {"type": "tool_use", "id": f"toolu_{call.id}", "name": call.tool, "input": {}}
    return {
        "id": f"msg_{call.id}",
        "type": "message",
        "role": "assistant",
        "model": call.served,
        "content": [tool] if call.tool else [{"type": "text", "text": call.text}],
        "stop_reason": "tool_use" if call.tool else "end_turn",
        "stop_sequence": None,
        "usage": messages_usage(call, call.output),
    }


def messages_events(call: Call) -> Iterator[Json]:
    whole = messages_answer(call)
    start = whole | {"content": [], "stop_reason": None, "usage": messages_usage(call, 1)}
    yield {"type": "message_start", "message": start}
    empty: Json = whole["content"][0] if call.tool else {"type": "text", "text": ""}
    yield {"type": "content_block_start", "index": 0, "content_block": empty}
    if call.tool:
        yield {"type": "content_block_delta", "index": 0, "delta": {"type": "input_json_delta", "partial_json": "{}"}}
    for word in () if call.tool else call.words:
        yield {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": word}}
    yield {"type": "content_block_stop", "index": 0}
    delta = {"stop_reason": whole["stop_reason"], "stop_sequence": None}
    yield {"type": "message_delta", "delta": delta, "usage": {"output_tokens": call.output}}
    yield {"type": "message_stop"}


ANSWERS = {
    "chat": chat_answer,
    "responses": lambda call: response_object(call, "completed"),
    "embeddings": embeddings_answer,
    "messages": messages_answer,
    "gemini": cloud_protocols.gemini_answer,
    "bedrock": cloud_protocols.bedrock_answer,
    "bedrock_invoke": messages_answer,
    "completions": more_protocols.completion_answer,
    "gemini_embeddings": more_protocols.gemini_embeddings,
    "ollama_chat": more_protocols.ollama_answer,
    "ollama_generate": more_protocols.ollama_answer,
    "ollama_embed": more_protocols.ollama_embed,
    "cohere": more_protocols.cohere_answer,
    "cohere_embed": more_protocols.cohere_embed,
}
EVENTS = {
    "chat": chat_events,
    "responses": response_events,
    "messages": messages_events,
    "gemini": cloud_protocols.gemini_events,
    "bedrock": more_protocols.bedrock_events,
    "bedrock_invoke": messages_events,
    "ollama_chat": more_protocols.ollama_events,
    "ollama_generate": more_protocols.ollama_events,
    "cohere": more_protocols.cohere_events,
}
ROUTES = {
    "/chat/completions": "chat",
    "/v1/completions": "completions",
    "/responses": "responses",
    "/embeddings": "embeddings",
    "/messages": "messages",
    "enerateContent": "gemini",
    ":embedContent": "gemini_embeddings",
    ":batchEmbedContents": "gemini_embeddings",
    "/converse": "bedrock",
    "/converse-stream": "bedrock",
    "/invoke": "bedrock_invoke",
    "/invoke-with-response-stream": "bedrock_invoke",
    "/api/chat": "ollama_chat",
    "/api/generate": "ollama_generate",
    "/api/embed": "ollama_embed",
    "/v2/chat": "cohere",
    "/v2/embed": "cohere_embed",
}
"""End of a path -> API."""
IN_PATH = {
    **dict.fromkeys(("gemini", "gemini_embeddings"), cloud_protocols.gemini_request),
    **dict.fromkeys(("bedrock", "bedrock_invoke"), cloud_protocols.bedrock_request),
    **dict.fromkeys(("ollama_chat", "ollama_generate"), more_protocols.ollama_request),
}
"""APIs whose path says a part of the request."""
NAMED_EVENTS = {"responses", "messages"}
"""APIs whose server-sent events carry an ``event:`` line."""
FRAMES = {
    "bedrock": more_protocols.event_frame,
    "bedrock_invoke": more_protocols.chunk_frame,
    "ollama_chat": more_protocols.json_line,
    "ollama_generate": more_protocols.json_line,
}
"""APIs that stream something else than server-sent events: an event as bytes."""
TEXT_EVENTS = {"response.output_text.delta", "content_block_delta", "content-delta", "contentBlockDelta", "chat"}
"""Events that carry a token: the delays are applied before these."""


class Handler(BaseHTTPRequestHandler):
    """Answers one connection."""

    server: "ModelServer"
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, format: str, *args: Any) -> None:
        """Stay silent: the app's output is what matters."""

    def do_GET(self) -> None:
        self._json(200, {"calls": [call.facts() for call in self.server.calls]})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        path = self.path.split("?")[0]
        api = next((api for end, api in ROUTES.items() if path.endswith(end)), None)
        if api is None:
            self._json(404, {"error": {"message": f"no such path: {self.path}", "type": "invalid_request_error"}})
            return
        request = json.loads(body)
        call = Call(api, IN_PATH[api](path, request) if api in IN_PATH else request)
        self.server.calls.append(call)
        if call.error:
            status, openai_type, anthropic_type, message = call.error
            kind = anthropic_type if api == "messages" else openai_type
            self._json(status, {"type": "error", "error": {"type": kind, "message": message, "code": kind, "param": None}})
        elif call.stream and api in EVENTS:
            self._stream(call)
        else:
            time.sleep(self.server.first_token_delay + max(call.output - 1, 0) * self.server.token_delay if call.output else 0)
            self._json(200, ANSWERS[api](call))

    def _json(self, status: int, body: Json) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self._name_request()
        self.end_headers()
        self.wfile.write(data)

    def _stream(self, call: Call) -> None:
        self.send_response(200)
        self.send_header("content-type", more_protocols.STREAM_TYPES.get(call.api, "text/event-stream"))
        self.send_header("transfer-encoding", "chunked")
        self._name_request()
        self.end_headers()
        tokens = 0
        try:
            for number, event in enumerate(EVENTS[call.api](call)):
                if number == 0:
                    time.sleep(self.server.first_token_delay)
                    call.first_token_ns = time.time_ns()
                elif event.get("type", "chat") in TEXT_EVENTS:
                    time.sleep(self.server.token_delay)
                tokens += event.get("type", "chat") in TEXT_EVENTS
                if "fails-midway" in call.model and tokens > 3:
                    self.close_connection = True
                    return
                if call.api in FRAMES:
                    self._chunk(FRAMES[call.api](event))
                    continue
                name = f"event: {event['type']}\n" if call.api in NAMED_EVENTS else ""
                numbered = event | {"sequence_number": number} if call.api == "responses" else event
                self._chunk(f"{name}data: {json.dumps(numbered)}\n\n".encode())
            if call.api == "chat":
                self._chunk(b"data: [DONE]\n\n")
            self.wfile.write(b"0\r\n\r\n")
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def _name_request(self) -> None:
        """The request's id, in OpenAI's header and in Anthropic's."""
        name = f"req_{uuid.uuid4().hex}"
        self.send_header("x-request-id", name)
        self.send_header("request-id", name)

    def _chunk(self, data: bytes) -> None:
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")


class ModelServer(ThreadingHTTPServer):
    """The server; ``calls`` holds what it answered, in order of arrival."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, port: int = 0, *, first_token_delay: float = 0.2, token_delay: float = 0.01) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.first_token_delay = first_token_delay
        self.token_delay = token_delay
        self.calls: list[Call] = []

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is no error of the server."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)

    @property
    def url(self) -> str:
        """Base URL of the server; the OpenAI client wants ``/v1`` behind it."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def __enter__(self) -> "ModelServer":
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.shutdown()
        self.server_close()


def main() -> None:
    parser = argparse.ArgumentParser(description="OpenAI- and Anthropic-compatible model server with known token counts.")
    parser.add_argument("--port", type=int, default=8089, help="0 takes a free one")
    parser.add_argument("--first-token-delay", type=float, default=0.2, help="seconds before the first token")
    parser.add_argument("--token-delay", type=float, default=0.01, help="seconds before each further token")
    options = parser.parse_args()
    server = ModelServer(options.port, first_token_delay=options.first_token_delay, token_delay=options.token_delay)
    print(f"model server on {server.url}", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        server.server_close()


if __name__ == "__main__":
    main()
