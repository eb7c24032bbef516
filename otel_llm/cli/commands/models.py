"""``otel-llm models``: calls, tokens and cost of each model."""

import click

from otel_llm.cli.call_options import CallOptions, call_options
from otel_llm.cli.store_options import StoreOptions


@click.command()
@call_options
def command(store: StoreOptions, project: str, calls: CallOptions, as_json: bool) -> None:
    """Show calls, tokens, cost and latency of each model, the most expensive first.

    \b
    Examples:
      otel-llm models
      otel-llm models --from 7d --provider openai
      otel-llm models --server http://127.0.0.1:8000 --json
    """
    from otel_llm.cli.call_options import report
    from otel_llm.cli.tables import milliseconds, money, print_json, print_table

    found = report(store, project, calls, "models")["models"]
    if as_json:
        print_json(found)
        return
    columns = [
        ("provider", "PROVIDER"),
        ("model", "MODEL"),
        ("calls", "CALLS"),
        ("errors", "ERRORS"),
        ("input_tokens", "INPUT"),
        ("output_tokens", "OUTPUT"),
        ("cost_text", "COST"),
        ("p50", "P50"),
        ("p95", "P95"),
        ("ttft", "TTFT P50"),
    ]
    rows = [
        row
        | {
            "cost_text": money(row["cost"] if row["calls_without_cost"] < row["calls"] else None),
            "p50": milliseconds(row["latency_ms"]["p50"]),
            "p95": milliseconds(row["latency_ms"]["p95"]),
            "ttft": milliseconds(row["ttft_ms"]["p50"]),
        }
        for row in found
    ]
    print_table(rows, columns, empty="No calls match.", right={"cost_text", "p50", "p95", "ttft"})
