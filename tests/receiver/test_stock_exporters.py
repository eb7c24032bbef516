"""The unmodified OpenTelemetry exporters against a running receiver."""

import threading
import time
from typing import Any

import grpc
import pytest
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcExporter
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpExporter
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from otel_llm.errors import StoreUnavailable

from .backend import Running

EXPORTERS = {
    "grpc": lambda running: GrpcExporter(endpoint=f"http://{running.target}"),
    "grpc gzip": lambda running: GrpcExporter(endpoint=f"http://{running.target}", compression=grpc.Compression.Gzip),
    "http": lambda running: HttpExporter(endpoint=f"{running.url}/v1/traces"),
    "http gzip": lambda running: HttpExporter(endpoint=f"{running.url}/v1/traces", compression=Compression.Gzip),
    "http deflate": lambda running: HttpExporter(endpoint=f"{running.url}/v1/traces", compression=Compression.Deflate),
}


@pytest.fixture(params=EXPORTERS)
def exporter(request: pytest.FixtureRequest, running: Running) -> Any:
    exporter: SpanExporter = EXPORTERS[request.param](running)
    yield exporter
    exporter.shutdown()


def a_span(size: int = 10) -> ReadableSpan:
    span = TracerProvider().get_tracer("test").start_span("chat", attributes={"gen_ai.prompt": "x" * size})
    span.end()
    assert isinstance(span, ReadableSpan)
    return span


def test_spans_arrive(running, exporter):
    assert exporter.export([a_span(), a_span()]) is SpanExportResult.SUCCESS
    assert [span.name for span in running.pipeline.spans] == ["chat", "chat"]


def test_exporters_come_back_by_themselves_when_the_budget_was_full(running, exporter):
    blocker = running.backend.budget.hold()
    blocker.grow(running.backend.budget.limit)
    timer = threading.Timer(0.5, blocker.release)
    timer.start()
    start = time.monotonic()
    assert exporter.export([a_span()]) is SpanExportResult.SUCCESS
    assert 0.9 < time.monotonic() - start < 5
    assert len(running.pipeline.spans) == 1
    assert running.backend.refused == {"overloaded": 1}


def test_exporters_come_back_by_themselves_when_the_store_was_away(running, exporter):
    running.pipeline.error = StoreUnavailable("the commit failed")
    timer = threading.Timer(0.5, setattr, (running.pipeline, "error", None))
    timer.start()
    assert exporter.export([a_span()]) is SpanExportResult.SUCCESS
    assert len(running.pipeline.spans) == 1
    assert running.backend.refused == {"store_unavailable": 1}


def test_exporters_do_not_repeat_what_is_too_large():
    with Running(max_message_bytes=100_000) as running:
        for name in ("http", "http gzip"):
            exporter = EXPORTERS[name](running)
            assert exporter.export([a_span(200_000)]) is SpanExportResult.FAILURE
            exporter.shutdown()
        assert running.backend.refused == {"too_large": 2}
