"""A process of its own that streams in every way under one vendor's instrumentations, and prints the spans as JSON.

It also prints what the app sees of streams that end otherwise, watched by us and not.

A process of its own because some instrumentations cannot be switched off again.
"""

import asyncio
import json
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from otel_llm.sdk import first_token
from otel_llm.sdk.processor import OtelLLMSpanProcessor
from tests.sdk.streams import ENDS, STREAMS

INSTRUMENTATIONS = {
    "genai": ("opentelemetry.instrumentation.genai.openai", "opentelemetry.instrumentation.genai.anthropic"),
    "openllmetry": ("opentelemetry.instrumentation.openai", "opentelemetry.instrumentation.anthropic"),
    "openinference": ("openinference.instrumentation.openai", "openinference.instrumentation.anthropic"),
}
CLASSES = ("OpenAIInstrumentor", "AnthropicInstrumentor")


def main(vendor: str, url: str, watch_first: bool) -> None:
    with ThreadPoolExecutor() as pool:  # clients make their classes of events with a first stream, which is late for that
        list(pool.map(lambda read: asyncio.run(read(url)), STREAMS.values()))
    spans = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(OtelLLMSpanProcessor())
    provider.add_span_processor(SimpleSpanProcessor(spans))
    if watch_first:
        first_token.install()
    for module, name in zip(INSTRUMENTATIONS[vendor], CLASSES, strict=True):
        getattr(import_module(module), name)().instrument(tracer_provider=provider)
    if not watch_first:
        first_token.install()
    found = {}
    for stream, read in STREAMS.items():
        asyncio.run(read(url))
        found[stream] = [
            {
                "scope": span.instrumentation_scope.name,
                "attributes": dict(span.attributes),
                "ns": span.end_time - span.start_time,
            }
            for span in spans.get_finished_spans()
        ]
        spans.clear()
    watched = {end: asyncio.run(read(url)) for end, read in ENDS.items()}
    first_token.uninstall()
    plain = {end: asyncio.run(read(url)) for end, read in ENDS.items()}
    print(json.dumps({"spans": found, "watched": watched, "plain": plain}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3] == "first")
