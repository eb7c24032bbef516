"""What every app starts with: the model's address, the stock exporter, the scenario asked for. Runs in the library's venv."""

import asyncio
import inspect
import json
import os
import sys
import traceback
from collections.abc import Callable
from typing import Any

MODEL_URL = os.environ["MODEL_URL"]
OPENAI_URL = MODEL_URL + "/v1"
USER, SESSION, TAGS = json.loads(sys.argv[2])

SHORT = "say hello to the fox"
OTHER = "and now tell me where the lazy dog runs today"
LONG = " ".join(["the quick brown fox jumps over the lazy dog near the old mill"] * 10)
"""130 words: from 100 on the model server reports a cached part."""
LIMITED = "gpt-4o-rate-limited"


def provider() -> Any:
    """A tracer provider with the stock OTLP exporter, set as the global one; flushed when the process ends."""
    from opentelemetry import trace
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    made = TracerProvider()
    made.add_span_processor(BatchSpanProcessor(exporter()))
    trace.set_tracer_provider(made)
    return made


def exporter() -> Any:
    """The stock exporter of the protocol that the environment names."""
    if os.environ["OTEL_EXPORTER_OTLP_PROTOCOL"] == "grpc":
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as Grpc

        return Grpc(insecure=True)
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as Http

    return Http()


FLUSH: list[Callable[[], Any]] = []
"""What an app must do beside the tracer provider's flush so that everything is sent."""


def run(scenarios: dict[str, Callable[[], Any]]) -> None:
    """Runs the scenarios that the command line names, each flushed; the caller says by a line when the next may start."""
    from opentelemetry import _logs, trace

    loop = asyncio.new_event_loop()  # one for all: clients keep connections of it
    for name in sys.argv[1].split(","):
        try:
            result = scenarios[name]()
            if inspect.isawaitable(result):
                loop.run_until_complete(_awaited(result))
        except Exception:  # the other scenarios shall run
            traceback.print_exc()
            print(f"FAILED {name}", flush=True)
        providers = (trace.get_tracer_provider(), _logs.get_logger_provider())
        for flush in (*FLUSH, *(getattr(provider, "force_flush", int) for provider in providers)):
            flush()
        print(f"DONE {name}", flush=True)
        sys.stdin.readline()


async def _awaited(result: Any) -> None:
    await result
