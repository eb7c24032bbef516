"""Every way the clients stream, under one name each: a coroutine that reads the stream to its end and gives the items.

The clients take seconds to import: only who calls one imports it, so that each process that collects tests need not.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import anthropic
    import openai

MESSAGES: Any = [{"role": "user", "content": "tell me more"}]
CHAT: dict[str, Any] = {"model": "gpt-4o-mini", "messages": MESSAGES, "stream_options": {"include_usage": True}}
RESPONSE: dict[str, Any] = {"model": "gpt-4o", "input": "tell me more"}
TOOLS: Any = [{"type": "function", "function": {"name": "look_up", "parameters": {"type": "object", "properties": {}}}}]
MESSAGE: dict[str, Any] = {"model": "claude-haiku-4-5", "max_tokens": 12, "messages": MESSAGES}


def openai_client(url: str) -> "openai.OpenAI":
    import openai

    return openai.OpenAI(base_url=f"{url}/v1", api_key="k", max_retries=0)


def openai_async(url: str) -> "openai.AsyncOpenAI":
    import openai

    return openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="k", max_retries=0)


def anthropic_client(url: str) -> "anthropic.Anthropic":
    import anthropic

    return anthropic.Anthropic(base_url=url, api_key="k", max_retries=0)


def anthropic_async(url: str) -> "anthropic.AsyncAnthropic":
    import anthropic

    return anthropic.AsyncAnthropic(base_url=url, api_key="k", max_retries=0)


async def chat(url: str) -> list[Any]:
    return list(openai_client(url).chat.completions.create(stream=True, **CHAT))


async def chat_helper(url: str) -> list[Any]:
    with openai_client(url).chat.completions.stream(**CHAT) as stream:
        return list(stream)


async def chat_async(url: str) -> list[Any]:
    async with openai_async(url) as client:
        return [chunk async for chunk in await client.chat.completions.create(stream=True, **CHAT)]


async def responses(url: str) -> list[Any]:
    return list(openai_client(url).responses.create(stream=True, **RESPONSE))


async def responses_helper(url: str) -> list[Any]:
    with openai_client(url).responses.stream(**RESPONSE) as stream:
        return list(stream)


async def responses_async(url: str) -> list[Any]:
    async with openai_async(url) as client:
        return [event async for event in await client.responses.create(stream=True, **RESPONSE)]


async def messages(url: str) -> list[Any]:
    return list(anthropic_client(url).messages.create(stream=True, **MESSAGE))


async def messages_helper(url: str) -> list[Any]:
    with anthropic_client(url).messages.stream(**MESSAGE) as stream:
        return list(stream)


async def messages_async(url: str) -> list[Any]:
    async with anthropic_async(url) as client:
        return [event async for event in await client.messages.create(stream=True, **MESSAGE)]


async def messages_helper_async(url: str) -> list[Any]:
    async with anthropic_async(url) as client, client.messages.stream(**MESSAGE) as stream:
        return [event async for event in stream]


async def chat_helper_async(url: str) -> list[Any]:
    async with openai_async(url) as client, client.chat.completions.stream(**CHAT) as stream:
        return [event async for event in stream]


async def responses_helper_async(url: str) -> list[Any]:
    async with openai_async(url) as client, client.responses.stream(**RESPONSE) as stream:
        return [event async for event in stream]


async def chat_tools(url: str) -> list[Any]:
    return list(openai_client(url).chat.completions.create(stream=True, tools=TOOLS, **CHAT))


async def chat_in_block(url: str) -> list[Any]:
    with openai_client(url).chat.completions.create(stream=True, **CHAT) as stream:
        return list(stream)


async def chat_raw(url: str) -> list[Any]:
    return list(openai_client(url).chat.completions.with_raw_response.create(stream=True, **CHAT).parse())


async def chat_raw_async(url: str) -> list[Any]:
    async with openai_async(url) as client:
        answer = await client.chat.completions.with_raw_response.create(stream=True, **CHAT)
        return [chunk async for chunk in answer.parse()]


async def chat_streaming(url: str) -> list[Any]:
    with openai_client(url).chat.completions.with_streaming_response.create(stream=True, **CHAT) as answer:
        return list(answer.parse())


async def responses_raw(url: str) -> list[Any]:
    return list(openai_client(url).responses.with_raw_response.create(stream=True, **RESPONSE).parse())


async def messages_raw(url: str) -> list[Any]:
    return list(anthropic_client(url).messages.with_raw_response.create(stream=True, **MESSAGE).parse())


async def messages_streaming(url: str) -> list[Any]:
    with anthropic_client(url).messages.with_streaming_response.create(stream=True, **MESSAGE) as answer:
        return list(answer.parse())


async def messages_text(url: str) -> list[Any]:
    with anthropic_client(url).messages.stream(**MESSAGE) as stream:
        return list(stream.text_stream)


async def messages_beta(url: str) -> list[Any]:
    return list(anthropic_client(url).beta.messages.create(stream=True, **MESSAGE))


async def left_early(url: str) -> str:
    import openai

    stream = openai_client(url).chat.completions.create(stream=True, **CHAT)
    seen = [next(iter(stream)).object]
    stream.close()
    try:
        return f"{seen}, then {list(stream)}"
    except openai.OpenAIError as error:
        return f"{seen}, then {type(error).__qualname__}"


async def left_early_async(url: str) -> str:
    seen = 0
    async with anthropic_async(url) as client, await client.messages.create(stream=True, **MESSAGE) as stream:
        async for _ in stream:
            seen += 1
            break
    return f"{seen} closed"


async def breaks_midway(url: str) -> str:
    seen = []
    try:
        async with openai_async(url) as client:
            async for chunk in await client.chat.completions.create(stream=True, **{**CHAT, "model": "gpt-fails-midway"}):
                seen.append(chunk.object)  # noqa: PERF401 the list must hold what came before the error
    except Exception as error:
        return f"{seen} {type(error).__module__}.{type(error).__qualname__}: {error} / {type(error.__cause__).__qualname__}"
    return "no error"


async def refused(url: str) -> str:
    try:
        anthropic_client(url).messages.create(stream=True, **{**MESSAGE, "model": "claude-rate-limited"})
    except Exception as error:
        return f"{type(error).__module__}.{type(error).__qualname__} {getattr(error, 'status_code', None)}"
    return "no error"


async def cancelled(url: str) -> str:
    seen: list[Any] = []

    async def read() -> None:
        async with anthropic_async(url) as client:
            async for event in await client.messages.create(stream=True, **{**MESSAGE, "max_tokens": 500}):
                seen.append(event.type)  # noqa: PERF401 the list is watched while it grows

    task = asyncio.create_task(read())
    while len(seen) < 3 and not task.done():
        await asyncio.sleep(0.002)
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        return f"{seen[:2]} cancelled, soon: {len(seen) < 400}"
    return "not cancelled"


async def attributes(url: str) -> str:
    stream = openai_client(url).chat.completions.create(stream=True, **CHAT)
    status = stream.response.status_code
    list(stream)
    return f"{type(stream).__qualname__} {status} {stream.response.is_closed}"


ENDS: dict[str, Callable[[str], Awaitable[str]]] = {
    function.__name__: function for function in (left_early, left_early_async, breaks_midway, refused, cancelled, attributes)
}
"""Ways a stream ends other than by being read, each with what the app sees of it."""

STREAMS: dict[str, Callable[[str], Awaitable[list[Any]]]] = {
    function.__name__: function
    for function in (
        chat,
        chat_helper,
        chat_async,
        responses,
        responses_helper,
        responses_async,
        messages,
        messages_helper,
        messages_async,
        messages_helper_async,
        chat_helper_async,
        responses_helper_async,
        chat_tools,
        chat_in_block,
        chat_raw,
        chat_raw_async,
        chat_streaming,
        responses_raw,
        messages_raw,
        messages_streaming,
        messages_text,
        messages_beta,
    )
}
