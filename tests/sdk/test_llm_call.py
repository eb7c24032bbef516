"""A span for a client of one's own: what the conventions want, and nothing that can hurt."""

import asyncio
import time
from collections.abc import Iterator

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

import otel_llm


@pytest.fixture(autouse=True)
def global_provider(sdk_provider: TracerProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trace, "get_tracer", sdk_provider.get_tracer)


def test_a_call_carries_the_attributes_of_the_conventions(sdk_spans: InMemorySpanExporter) -> None:
    with otel_llm.llm_call(
        model="m-1",
        provider="acme",
        max_tokens=5,
        session="s",
        user="u",
        server="https://api.acme.test:8443/v1",
        attributes={"x": 1},
    ) as call:
        call.usage(
            input_tokens=10, output_tokens=4, cache_read_tokens=3, cache_write_tokens=2, reasoning_tokens=1, cost_usd=0.5
        )
        call.response(model="m-1-b", id="r-1", finish_reasons=["stop"])
    (span,) = sdk_spans.get_finished_spans()
    assert (span.name, span.kind, span.status.status_code) == ("chat m-1", SpanKind.CLIENT, StatusCode.UNSET)
    assert span.attributes == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "acme",
        "gen_ai.request.model": "m-1",
        "gen_ai.request.max_tokens": 5,
        "gen_ai.conversation.id": "s",
        "user.id": "u",
        "server.address": "api.acme.test",
        "server.port": 8443,
        "x": 1,
        "gen_ai.usage.input_tokens": 10,
        "gen_ai.usage.output_tokens": 4,
        "gen_ai.usage.cache_read.input_tokens": 3,
        "gen_ai.usage.cache_creation.input_tokens": 2,
        "gen_ai.usage.reasoning.output_tokens": 1,
        "gen_ai.usage.cost": 0.5,
        "gen_ai.response.model": "m-1-b",
        "gen_ai.response.id": "r-1",
        "gen_ai.response.finish_reasons": ("stop",),
    }


def test_the_first_mark_counts(sdk_spans: InMemorySpanExporter) -> None:
    with otel_llm.llm_call(model="m", provider="p") as call:
        for _ in range(3):
            time.sleep(0.02)
            call.mark_first_token()
    (span,) = sdk_spans.get_finished_spans()
    assert 0.02 <= span.attributes["gen_ai.response.time_to_first_chunk"] < (span.end_time - span.start_time) / 1e9 - 0.03
    assert span.attributes["gen_ai.request.stream"] is True


def test_an_exception_is_an_error_and_passes_on(sdk_spans: InMemorySpanExporter) -> None:
    with pytest.raises(TimeoutError), otel_llm.llm_call(model="m", provider="p"):
        raise TimeoutError("too slow")
    (span,) = sdk_spans.get_finished_spans()
    assert span.attributes["error.type"] == "TimeoutError"
    assert (span.status.status_code, span.status.description) == (StatusCode.ERROR, "too slow")


def test_a_cancelled_call_is_an_error_and_stays_cancelled(sdk_spans: InMemorySpanExporter) -> None:
    async def call() -> None:
        async with otel_llm.llm_call(model="m", provider="p"):
            await asyncio.sleep(10)

    async def main() -> None:
        task = asyncio.create_task(call())
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert sdk_spans.get_finished_spans()[0].attributes["error.type"] == "CancelledError"


def test_leaving_a_generator_early_is_no_error(sdk_spans: InMemorySpanExporter) -> None:
    def tokens() -> Iterator[int]:
        with otel_llm.llm_call(model="m", provider="p"):
            yield 1
            yield 2

    stream = tokens()
    next(stream)
    stream.close()
    assert sdk_spans.get_finished_spans()[0].status.status_code is StatusCode.UNSET


def test_spans_opened_inside_are_children(sdk_provider: TracerProvider, sdk_spans: InMemorySpanExporter) -> None:
    with otel_llm.llm_call(model="m", provider="p") as call:
        sdk_provider.get_tracer("t").start_span("inside").end()
    inside, outer = sdk_spans.get_finished_spans()
    assert inside.parent.span_id == outer.context.span_id == call.span.get_span_context().span_id


def test_without_a_provider_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trace, "get_tracer", trace.NoOpTracerProvider().get_tracer)
    with otel_llm.llm_call(model="m", provider="p", server="http://[broken") as call:
        call.mark_first_token()
        call.usage(input_tokens=1)
        call.failed("timeout")
    assert not call.span.is_recording()
