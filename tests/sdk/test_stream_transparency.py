"""Watching a stream changes nothing for the app: items, exceptions, early close, cancellation, stream types."""

import asyncio
import gc
from typing import Any

import pytest
from model_server import ModelServer
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from otel_llm.sdk import first_token
from otel_llm.sdk.first_token import FIRST_CHUNK
from tests.sdk.streams import CHAT, MESSAGE, STREAMS, anthropic_client, openai_async, openai_client

CALL = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o-mini"}
VOLATILE = {"id", "created", "created_at", "item_id", "call_id", "obfuscation"}


def stable(value: Any) -> Any:
    """An item without what differs from call to call."""
    if isinstance(value, dict):
        return {key: stable(item) for key, item in value.items() if key not in VOLATILE}
    return [stable(item) for item in value] if isinstance(value, list) else value


def content(item: Any) -> Any:
    """What an item of a stream says: a text, or the fields of an event."""
    return item if isinstance(item, str) else stable(item.model_dump(warnings=False))


@pytest.fixture(autouse=True, scope="module")
def clients() -> None:
    """Both are imported before any is watched, as in most apps."""
    import anthropic  # noqa: F401
    import openai  # noqa: F401


@pytest.mark.parametrize("stream", STREAMS)
def test_the_app_reads_the_same_items(stream: str, sdk_model: ModelServer, sdk_provider: TracerProvider) -> None:
    plain = asyncio.run(STREAMS[stream](sdk_model.url))
    first_token.install()
    try:
        with sdk_provider.get_tracer("openai").start_as_current_span("chat", attributes=CALL):
            watched = asyncio.run(STREAMS[stream](sdk_model.url))
    finally:
        first_token.uninstall()
    assert [type(item) for item in watched] == [type(item) for item in plain]
    assert list(map(content, watched)) == list(map(content, plain))


@pytest.mark.usefixtures("first_token_watch")
def test_the_stream_objects_stay_of_their_own_type(sdk_model: ModelServer, sdk_provider: TracerProvider) -> None:
    import anthropic
    import openai

    with sdk_provider.get_tracer("openai").start_as_current_span("chat", attributes=CALL):
        chat = openai_client(sdk_model.url).chat.completions.create(stream=True, **CHAT)
        messages = anthropic_client(sdk_model.url).messages.create(stream=True, **MESSAGE)
    assert type(chat) is openai.Stream
    assert type(messages) is anthropic.Stream
    chat.close()
    messages.close()


@pytest.mark.usefixtures("first_token_watch")
def test_an_error_in_mid_stream_reaches_the_app(
    sdk_model: ModelServer, sdk_provider: TracerProvider, sdk_spans: InMemorySpanExporter
) -> None:
    import openai

    seen = []
    with (  # noqa: PT012 the chunks before the error are what is asked for
        sdk_provider.get_tracer("openai").start_as_current_span("chat", attributes=CALL),
        pytest.raises(openai.APIConnectionError),
    ):
        for chunk in openai_client(sdk_model.url).chat.completions.create(**{**CHAT, "model": "gpt-fails-midway"}, stream=True):
            seen.append(chunk)  # noqa: PERF402 the list must hold what came before the error
    assert len(seen) == 3
    assert FIRST_CHUNK in sdk_spans.get_finished_spans()[0].attributes


@pytest.mark.usefixtures("first_token_watch")
def test_a_refused_call_has_no_time_to_first_token(
    sdk_model: ModelServer, sdk_provider: TracerProvider, sdk_spans: InMemorySpanExporter
) -> None:
    import openai

    with (
        sdk_provider.get_tracer("openai").start_as_current_span("chat", attributes=CALL),
        pytest.raises(openai.RateLimitError),
    ):
        openai_client(sdk_model.url).chat.completions.create(**{**CHAT, "model": "gpt-rate-limited"}, stream=True)
    assert FIRST_CHUNK not in sdk_spans.get_finished_spans()[0].attributes


@pytest.mark.usefixtures("first_token_watch")
def test_a_stream_closed_before_its_first_chunk_has_no_time(
    sdk_model: ModelServer, sdk_provider: TracerProvider, sdk_spans: InMemorySpanExporter
) -> None:
    with sdk_provider.get_tracer("openai").start_as_current_span("chat", attributes=CALL):
        stream = openai_client(sdk_model.url).chat.completions.create(stream=True, **CHAT)
        stream.close()
        assert stream.response.is_closed
    assert FIRST_CHUNK not in sdk_spans.get_finished_spans()[0].attributes


@pytest.mark.usefixtures("first_token_watch")
def test_leaving_the_loop_early_closes_the_response(sdk_model: ModelServer, sdk_provider: TracerProvider) -> None:
    client = openai_client(sdk_model.url)
    with sdk_provider.get_tracer("openai").start_as_current_span("chat", attributes=CALL):
        stream = client.chat.completions.create(stream=True, **CHAT)
        response = stream.response
        for _ in stream:
            break
    del stream, _
    gc.collect()
    assert response.is_closed


@pytest.mark.usefixtures("first_token_watch")
def test_a_with_block_closes_the_response(sdk_model: ModelServer, sdk_provider: TracerProvider) -> None:
    with (
        sdk_provider.get_tracer("openai").start_as_current_span("chat", attributes=CALL),
        openai_client(sdk_model.url).chat.completions.create(stream=True, **CHAT) as stream,
    ):
        next(stream)
    assert stream.response.is_closed


@pytest.mark.usefixtures("first_token_watch")
@pytest.mark.parametrize("after_chunks", [0, 2])
def test_cancelling_the_task_cancels_the_stream(
    after_chunks: int, sdk_model: ModelServer, sdk_provider: TracerProvider
) -> None:
    async def read(seen: list[Any]) -> None:
        async with openai_async(sdk_model.url) as client:
            with sdk_provider.get_tracer("openai").start_as_current_span("chat", attributes=CALL):
                async for chunk in await client.chat.completions.create(stream=True, **{**CHAT, "max_tokens": 500}):
                    seen.append(chunk)  # noqa: PERF401 the list must hold what came before the end

    async def cancel_it() -> list[Any]:
        seen: list[Any] = []
        task = asyncio.create_task(read(seen))
        while len(seen) < after_chunks:
            await asyncio.sleep(0.002)
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return seen

    assert len(asyncio.run(cancel_it())) < 500


@pytest.mark.usefixtures("first_token_watch")
def test_a_time_the_instrumentation_set_itself_stays(
    sdk_model: ModelServer, sdk_provider: TracerProvider, sdk_spans: InMemorySpanExporter
) -> None:
    with sdk_provider.get_tracer("openai").start_as_current_span("chat", attributes={**CALL, FIRST_CHUNK: 7.5}):
        list(openai_client(sdk_model.url).chat.completions.create(stream=True, **CHAT))
    assert sdk_spans.get_finished_spans()[0].attributes[FIRST_CHUNK] == 7.5


@pytest.mark.usefixtures("first_token_watch")
def test_spans_that_are_no_calls_get_no_time(
    sdk_model: ModelServer, sdk_provider: TracerProvider, sdk_spans: InMemorySpanExporter
) -> None:
    for attributes in ({"gen_ai.operation.name": "invoke_agent", "gen_ai.request.model": "m"}, {"http.request.method": "POST"}):
        with sdk_provider.get_tracer("agents").start_as_current_span("other", attributes=attributes):
            list(openai_client(sdk_model.url).chat.completions.create(stream=True, **CHAT))
    assert [FIRST_CHUNK in span.attributes for span in sdk_spans.get_finished_spans()] == [False, False]


@pytest.mark.usefixtures("first_token_watch")
def test_two_streams_read_in_turn_each_mark_their_own_span(
    sdk_model: ModelServer, sdk_provider: TracerProvider, sdk_spans: InMemorySpanExporter
) -> None:
    """Spans that are never current, as OpenLLMetry's for Anthropic: the second stream must not mark the first one's span."""
    tracer = sdk_provider.get_tracer("opentelemetry.instrumentation.openai.v1")
    client = openai_client(sdk_model.url)
    spans, streams = [], []
    for number in range(2):
        spans.append(tracer.start_span(f"call {number}", attributes=CALL))
        streams.append(client.chat.completions.create(stream=True, **CHAT))
    list(streams[1])
    assert [FIRST_CHUNK in span.attributes for span in spans] == [False, True]
    list(streams[0])
    assert [FIRST_CHUNK in span.attributes for span in spans] == [True, True]
    assert spans[0].attributes[FIRST_CHUNK] > spans[1].attributes[FIRST_CHUNK]


def test_uninstall_puts_the_clients_back() -> None:
    import anthropic
    import openai

    before = [
        (client, name, vars(getattr(client, name))["__init__"])
        for client in (openai, anthropic)
        for name in ("Stream", "AsyncStream")
    ]
    first_token.install()
    first_token.install()
    assert all(vars(getattr(client, name))["__init__"] is not init for client, name, init in before)
    first_token.uninstall()
    assert all(vars(getattr(client, name))["__init__"] is init for client, name, init in before)
