"""Extraction alone: microseconds a span with every dialect on, beside the semantic conventions alone, in the same run.

    python -m benchmarks.extract

Requests of 512 spans with 18 attributes of about 750 bytes. The rows alternate between runs, so that a busy machine
slows both; the smallest of each is printed.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from typing import Any

SPANS = 512
ROUNDS = 5
REPEATS = 25


def span_attributes(number: int) -> dict[str, Any]:
    """Eighteen attributes as a current instrumentation writes them, a third of them new on each span."""
    return {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-4o",
        "gen_ai.response.model": "gpt-4o-2024-08-06",
        "gen_ai.response.id": f"chatcmpl-{number:024x}",
        "gen_ai.usage.input_tokens": 100 + number * 7 % 4001,
        "gen_ai.usage.output_tokens": 20 + number % 701,
        "gen_ai.usage.cache_read.input_tokens": 64,
        "gen_ai.request.temperature": 0.7,
        "gen_ai.request.max_tokens": 512,
        "gen_ai.request.top_p": 1.0,
        "gen_ai.response.finish_reasons": ["stop"],
        "server.address": "api.openai.com",
        "server.port": 443,
        "gen_ai.conversation.id": f"conversation-{number}",
        "user.id": f"user-{number % 997}",
        "gen_ai.response.time_to_first_chunk": 0.2 + number % 500 / 1000,
        "app.feature": "search in the help centre of the shop",
    }


def measure(semconv_only: bool, redact: bool) -> dict[str, float]:
    """Smallest times of this process, microseconds a span."""
    if semconv_only:
        import otel_llm.conventions.dialects as tables

        kept = {"semconv", "semconv_old", "generic"}
        tables.DIALECTS = tuple(dialect for dialect in tables.DIALECTS if dialect.name in kept)
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    from otel_llm.conventions.anyvalue import key_values
    from otel_llm.conventions.content import ContentPolicy
    from otel_llm.conventions.extract import extract_spans
    from otel_llm.conventions.wire import TraceRequest

    requests = []
    for request in range(4):
        message = ExportTraceServiceRequest()
        scope_spans = message.resource_spans.add().scope_spans.add()
        scope_spans.scope.name = "opentelemetry.instrumentation.genai.openai"
        for place in range(SPANS):
            number = request * SPANS + place
            start = 1_795_300_000_000_000_000 + number * 1_000_000
            span = scope_spans.spans.add(
                trace_id=os.urandom(16),
                span_id=os.urandom(8),
                name="chat gpt-4o",
                kind=3,
                start_time_unix_nano=start,
                end_time_unix_nano=start + 1_000_000_000,
            )
            span.attributes.extend(key_values(span_attributes(number)))
        requests.append(message.SerializeToString())

    policy = ContentPolicy(redact=redact)
    result = {"bytes": sum(map(len, requests)) / len(requests) / SPANS}
    for name, message_class in (("message", ExportTraceServiceRequest), ("wire", TraceRequest)):
        parse, extract = [], []
        for _ in range(REPEATS):
            for body in requests:
                begun = time.perf_counter()
                parsed = message_class.FromString(body)
                between = time.perf_counter()
                extraction = extract_spans(parsed, project="p", key_id=None, now_ns=1, content=policy)
                extract.append(time.perf_counter() - between)
                parse.append(between - begun)
                if len(extraction.batch) != SPANS or extraction.batch["role"][0] != "generation":
                    raise SystemExit("not every span was read")
        result[f"{name}_parse"] = min(parse) / SPANS * 1e6
        result[f"{name}_extract"] = min(extract) / SPANS * 1e6
    return result


def main() -> None:
    """Runs both alternately in processes of their own and prints the smallest of each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--one", choices=("all", "semconv"), help=argparse.SUPPRESS)
    parser.add_argument("--redact", action="store_true", help="with redaction, as the collector's default is")
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measure(options.one == "semconv", options.redact)))
        return
    best: dict[str, dict[str, float]] = {"all": {}, "semconv": {}}
    for _ in range(ROUNDS):
        for which, figures in best.items():
            command = [sys.executable, "-m", "benchmarks.extract", "--one", which, *(["--redact"] if options.redact else [])]
            found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
            for name, value in found.items():
                figures[name] = min(value, figures.get(name, value))
    print(f"{SPANS} spans a request, {best['all']['bytes']:.0f} bytes a span; microseconds a span, smallest of {ROUNDS} runs")
    print(f"{'':24}{'parse':>8}{'extract':>10}{'both':>8}")
    for which, figures in best.items():
        for name in ("message", "wire"):
            parse, extract = figures[f"{name}_parse"], figures[f"{name}_extract"]
            print(f"{which + ', ' + name:24}{parse:8.2f}{extract:10.2f}{parse + extract:8.2f}")
    for name in ("message", "wire"):
        print(f"all dialects / semconv only, {name}: {best['all'][f'{name}_extract'] / best['semconv'][f'{name}_extract']:.2f}")


if __name__ == "__main__":
    main()
