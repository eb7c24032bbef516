"""Starts a collector and a model server, lets the OpenAI app talk to the model, and shows what the collector answers.

    python examples/demo.py        (or: make demo)

The app runs four times: with each of two instrumentations of the OpenAI client, over OTLP/gRPC and over OTLP/HTTP. Nothing
leaves this machine, and nothing stays on it.
"""

import argparse
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from collector_process import CollectorProcess
from model_server import ModelServer

APP = Path(__file__).with_name("openai_app.py")
RUNS = [
    (f"{instrumentation}-{protocol.split('/')[0]}", instrumentation, protocol)
    for instrumentation in ("genai-openai", "openllmetry")
    for protocol in ("grpc", "http/protobuf")
]


def run_app(collector: CollectorProcess, model_url: str, name: str, instrumentation: str, protocol: str) -> None:
    """One run of the app, until everything it measured has arrived."""
    endpoint = collector.grpc_url if protocol == "grpc" else collector.http_url
    arguments = ["--instrumentation", instrumentation, "--protocol", protocol, "--endpoint", endpoint]
    arguments += ["--model-url", model_url, "--service-name", name]
    subprocess.run([sys.executable, str(APP), *arguments], check=True)


def table(title: str, head: Iterable[str], rows: Iterable[Iterable[Any]]) -> None:
    """Prints rows in columns: text to the left, numbers to the right."""
    cells = [list(head), *([value if isinstance(value, str) else f"{value:,}" for value in row] for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(cells[0]))]
    print(f"\n{title}\n")
    for number, row in enumerate(cells):
        aligned = (
            text.ljust(width) if column == 0 else text.rjust(width)
            for column, (text, width) in enumerate(zip(row, widths, strict=True))
        )
        print("  " + "  ".join(aligned))
        if number == 0:
            print("  " + "  ".join("-" * width for width in widths))


def show_answers(collector: CollectorProcess, apps: Iterable[str]) -> None:
    """The questions of the README, and their answers."""
    summary = collector.post("/analytics/summary", {"groupBy": ["provider", "model"]})["summary"]
    rows = [
        [
            " / ".join(row["tag_tuple"]),
            row["total_requests"],
            row["total_input_tokens"],
            row["total_output_tokens"],
            f"{row['total_cost']:.6f}",
            row["avg_duration"],
            row["duration_p95"],
            row["avg_ttft"],
            row["error_request_count"],
        ]
        for row in summary
    ]
    head = ["provider / model", "calls", "tokens in", "tokens out", "cost $", "avg ms", "p95 ms", "TTFT ms", "errors"]
    table("What does each model cost, and how fast is it?   POST /analytics/summary (LangDB)", head, rows)

    rows = []
    for name in apps:
        answer = collector.get(f"/api/analytics/llm?agentId={name}")["summary"]
        numbers = [answer[key] for key in ("totalCalls", "totalInputTokens", "totalOutputTokens")]
        rows.append([name, *numbers, f"{answer['totalCostUsd']:.6f}", round(answer["avgLatencyMs"], 1)])
    head = ["app", "calls", "tokens in", "tokens out", "cost $", "avg ms"]
    table("What does each app spend (without embeddings)?   GET /api/analytics/llm?agentId=… (AgentLens)", head, rows)

    days = collector.get("/api/public/metrics/daily")["data"]
    rows = [[day["date"], day["countTraces"], day["countObservations"], f"{day['totalCost']:.6f}"] for day in days]
    table("And each day?   GET /api/public/metrics/daily (Langfuse)", ["day", "traces", "observations", "cost $"], rows)

    total = collector.post("/usage/total", {})["total"]
    tokens = f"{total['total_input_tokens']:,} tokens in, {total['total_output_tokens']:,} out"
    print(f"\n  All in all: {tokens}, ${total['total_cost']:.6f}")
    print("  (TTFT comes from the streamed calls; LangDB's average takes the duration for the others)\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--keep", action="store_true", help="leave everything running until Ctrl-C, to look around")
    parser.add_argument("--once", action="store_true", help="run the app once, not with every instrumentation and protocol")
    options = parser.parse_args()
    runs = RUNS[:1] if options.once else RUNS
    with ModelServer(first_token_delay=0.2, token_delay=0.01) as model, CollectorProcess() as collector:
        print(f"collector: OTLP/gRPC {collector.grpc_url}, OTLP/HTTP {collector.http_url}, answers {collector.api_url}")
        for name, instrumentation, protocol in runs:
            print(f"\napp {name!r}: {instrumentation} over {protocol}\n", flush=True)
            run_app(collector, model.url, name, instrumentation, protocol)
        show_answers(collector, [name for name, _, _ in runs])
        if options.keep:
            print(f"Still running: {collector.api_url} (Ctrl-C to stop)")
            try:
                input()
            except (KeyboardInterrupt, EOFError):
                print()


if __name__ == "__main__":
    main()
