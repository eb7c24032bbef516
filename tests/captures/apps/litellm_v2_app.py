"""LiteLLM with its OpenTelemetry callback: the typed one under LITELLM_OTEL_V2, the first one without."""

import asyncio
import contextlib
import os
import time

import app
import litellm

litellm.callbacks = ["otel"]
app.FLUSH.append(lambda: time.sleep(0.5))  # its exporter is its own
os.environ["OPENAI_API_BASE"] = app.OPENAI_URL
os.environ["ANTHROPIC_API_KEY"] = "none"


async def ask(text: str, model: str = "openai/gpt-4o-mini", **options: object) -> object:
    return await litellm.acompletion(model=model, messages=[{"role": "user", "content": text}], num_retries=0, **options)


async def streamed(*arguments: object, **options: object) -> None:
    async for _chunk in await ask(*arguments, stream=True, **options):
        pass


async def error_429() -> None:
    with contextlib.suppress(litellm.RateLimitError):
        await ask(app.SHORT, "openai/" + app.LIMITED)


CLAUDE = {"model": "anthropic/claude-haiku-4-5", "api_base": app.MODEL_URL, "max_tokens": 10}


async def logged(work: object) -> None:
    """Its callbacks are tasks of the same event loop, and run after the call."""
    await work
    await asyncio.sleep(1)


app.run(
    {
        name: lambda make=make: logged(make())
        for name, make in {
            "chat": lambda: ask(app.SHORT),
            "chat_stream": lambda: streamed(app.SHORT, stream_options={"include_usage": True}),
            "cached": lambda: ask(app.LONG, "openai/o4-mini"),
            "anthropic_cached": lambda: ask(app.LONG, **CLAUDE),
            "anthropic_stream": lambda: streamed(app.LONG, **CLAUDE),
            "gemini": lambda: ask(app.LONG, "gemini/gemini-2.5-flash", api_base=app.MODEL_URL + "/v1beta", api_key="none"),
            "embeddings": lambda: litellm.aembedding(model="openai/text-embedding-3-small", input=[app.SHORT, app.OTHER]),
            "responses": lambda: litellm.aresponses(model="openai/gpt-4o", input=app.SHORT),
            "user_session": lambda: ask(app.SHORT, user=app.USER, metadata={"session_id": app.SESSION, "tags": app.TAGS}),
            "error_429": error_429,
        }.items()
    }
)
