"""What an app does with the plain OpenAI and Anthropic clients; a library's app adds its own instrumentation."""

import contextlib
from collections.abc import Callable
from typing import Any

import openai
from app import LIMITED, LONG, MODEL_URL, OPENAI_URL, OTHER, SHORT

TOOL = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}

client = openai.OpenAI(base_url=OPENAI_URL, api_key="none", max_retries=0)


def ask(text: str, model: str = "gpt-4o-mini", **options: Any) -> Any:
    return client.chat.completions.create(model=model, messages=[{"role": "user", "content": text}], **options)


def chat() -> None:
    ask(SHORT)


def chat_stream() -> None:
    for _chunk in ask(SHORT, stream=True, stream_options={"include_usage": True}):
        pass


def cached() -> None:
    ask(LONG, "o4-mini", max_completion_tokens=16)


def error_429() -> None:
    with contextlib.suppress(openai.RateLimitError):
        ask(SHORT, LIMITED)


def embeddings() -> None:
    client.embeddings.create(model="text-embedding-3-small", input=[SHORT, OTHER])


def responses() -> None:
    client.responses.create(model="gpt-4o", input=LONG, instructions=SHORT)


def responses_stream() -> None:
    for _event in client.responses.create(model="gpt-4o", input=SHORT, stream=True):
        pass


def tool(run_tool: Callable[[], str] = lambda: "sunny") -> None:
    """Two steps: the model asks for the tool, gets its answer, answers."""
    messages: list[Any] = [{"role": "user", "content": OTHER}]
    first = client.chat.completions.create(model="gpt-4o", messages=messages, tools=[TOOL])
    message = first.choices[0].message
    messages.append(message.model_dump(exclude_none=True))
    messages.append({"role": "tool", "tool_call_id": message.tool_calls[0].id, "content": run_tool()})
    client.chat.completions.create(model="gpt-4o", messages=messages, tools=[TOOL])


def anthropic_cached() -> None:
    import anthropic

    claude = anthropic.Anthropic(base_url=MODEL_URL, api_key="none", max_retries=0)
    claude.messages.create(model="claude-haiku-4-5", max_tokens=10, messages=[{"role": "user", "content": LONG}])


def anthropic_stream() -> None:
    import anthropic

    claude = anthropic.Anthropic(base_url=MODEL_URL, api_key="none", max_retries=0)
    message = [{"role": "user", "content": LONG}]
    for _event in claude.messages.create(model="claude-haiku-4-5", max_tokens=12, messages=message, stream=True):
        pass


SCENARIOS: dict[str, Callable[[], Any]] = {
    each.__name__: each
    for each in (
        chat,
        chat_stream,
        cached,
        error_429,
        embeddings,
        responses,
        responses_stream,
        tool,
        anthropic_cached,
        anthropic_stream,
    )
}
