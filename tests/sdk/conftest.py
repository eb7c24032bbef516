"""Model server and tracer provider for the tests of the app's side."""

from collections.abc import Iterator

import pytest
from model_server import ModelServer
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from otel_llm.sdk import first_token
from otel_llm.sdk.processor import OtelLLMSpanProcessor
from tests.sdk.recorder import Recorder

FIRST_TOKEN_S = 0.04
TOKEN_S = 0.015


@pytest.fixture(scope="session")
def sdk_model() -> Iterator[ModelServer]:
    with ModelServer(first_token_delay=FIRST_TOKEN_S, token_delay=TOKEN_S) as server:
        yield server


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    with Recorder() as receiver:
        yield receiver


@pytest.fixture
def sdk_spans() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def sdk_provider(sdk_spans: InMemorySpanExporter) -> TracerProvider:
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(OtelLLMSpanProcessor())
    provider.add_span_processor(SimpleSpanProcessor(sdk_spans))
    return provider


@pytest.fixture
def first_token_watch() -> Iterator[None]:
    first_token.install()
    yield
    first_token.uninstall()
