"""What watching a stream for its first token costs: microseconds a chunk, and once a stream.

    python benchmarks/ttft.py

The real ``openai`` client reads the same answer from memory, watched and not watched in turn; the floor is the watching
iterator alone over a list. The promise is at most 20 µs a chunk.
"""

import argparse
import asyncio
import json
import time
from collections.abc import Callable

import httpx2
import openai
from opentelemetry.sdk.trace import TracerProvider

from otel_llm.sdk import first_token
from otel_llm.sdk.processor import OtelLLMSpanProcessor

CALL = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o-mini"}


def body(chunks: int) -> bytes:
    """An answer of so many chunks."""
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "gpt-4o-mini"}
    chunk = json.dumps(head | {"choices": [{"index": 0, "delta": {"content": "word "}, "finish_reason": None}]})
    return (f"data: {chunk}\n\n" * chunks + "data: [DONE]\n\n").encode()


def sync_reader(answer: bytes) -> Callable[[], int]:
    transport = httpx2.MockTransport(lambda _: httpx2.Response(200, content=answer))
    client = openai.OpenAI(api_key="k", base_url="http://x/v1", http_client=httpx2.Client(transport=transport))
    return lambda: sum(1 for _ in client.chat.completions.create(model="m", messages=[], stream=True))


def async_reader(answer: bytes) -> Callable[[], int]:
    transport = httpx2.MockTransport(lambda _: httpx2.Response(200, content=answer))

    async def read() -> int:
        async with httpx2.AsyncClient(transport=transport) as http:
            client = openai.AsyncOpenAI(api_key="k", base_url="http://x/v1", http_client=http)
            return len([1 async for _ in await client.chat.completions.create(model="m", messages=[], stream=True)])

    return lambda: asyncio.run(read())


def seconds(read: Callable[[], int], provider: TracerProvider) -> float:
    with provider.get_tracer("openai").start_as_current_span("chat", attributes=CALL):
        started = time.thread_time()  # the machine's other work does not count
        read()
        return time.thread_time() - started


def compare(name: str, read: Callable[[], int], provider: TracerProvider, chunks: int, rounds: int) -> None:
    """Watched and not watched in turn, each first in every other round, so that whatever else the machine does hits both."""
    times: dict[bool, list[float]] = {True: [], False: []}
    for number in range(2 * rounds):
        for watched in (number % 2 == 0, number % 2 == 1):
            if watched:
                first_token.install()
            times[watched].append(seconds(read, provider))
            first_token.uninstall()
    base, cost = min(times[False]), min(times[True]) - min(times[False])
    print(f"{name:<22} {base / chunks * 1e6:8.2f} µs a chunk not watched, {cost / chunks * 1e6:+7.2f} µs more when watched")


def floor(chunks: int) -> None:
    """The iterator alone."""
    items = list(range(chunks))
    started = time.perf_counter()
    for _ in iter(items):
        pass
    plain = time.perf_counter() - started
    watched = first_token._Watched(iter(items), first_token._Watch())
    started = time.perf_counter()
    for _ in watched:
        pass
    print(f"{'iterator alone':<22} {(time.perf_counter() - started - plain) / chunks * 1e6:+7.2f} µs a chunk")


def once(provider: TracerProvider) -> None:
    """Finding the spans and marking the first chunk: once a stream."""
    rounds = 2000
    total = 0.0
    for _ in range(rounds):
        with provider.get_tracer("openai").start_as_current_span("chat", attributes=CALL):
            started = time.perf_counter()
            first_token._Watch().first_chunk()
            total += time.perf_counter() - started
    print(f"{'once a stream':<22} {total / rounds * 1e6:+7.2f} µs")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--chunks", type=int, default=3000)
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    provider = TracerProvider()
    provider.add_span_processor(OtelLLMSpanProcessor())
    answer = body(options.chunks)
    compare("openai, sync", sync_reader(answer), provider, options.chunks, options.rounds)
    compare("openai, async", async_reader(answer), provider, options.chunks, options.rounds)
    floor(options.chunks * 20)
    once(provider)


if __name__ == "__main__":
    main()
