"""Every way the clients stream, under one name each: a coroutine that reads the stream to its end and gives the items."""

from collections.abc import Awaitable, Callable
from typing import Any

import anthropic
import openai

MESSAGES: Any = [{"role": "user", "content": "tell me more"}]
CHAT: dict[str, Any] = {"model": "gpt-4o-mini", "messages": MESSAGES, "stream_options": {"include_usage": True}}
RESPONSE: dict[str, Any] = {"model": "gpt-4o", "input": "tell me more"}
MESSAGE: dict[str, Any] = {"model": "claude-haiku-4-5", "max_tokens": 12, "messages": MESSAGES}


def openai_client(url: str) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{url}/v1", api_key="k", max_retries=0)


def openai_async(url: str) -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="k", max_retries=0)


def anthropic_client(url: str) -> anthropic.Anthropic:
    return anthropic.Anthropic(base_url=url, api_key="k", max_retries=0)


def anthropic_async(url: str) -> anthropic.AsyncAnthropic:
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
    )
}
