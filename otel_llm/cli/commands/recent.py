"""``otel-llm recent``: the latest calls."""

import click

from otel_llm.cli.call_options import CallOptions, call_options
from otel_llm.cli.store_options import StoreOptions


@click.command()
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 1000), help="Most calls to show.")
@call_options
def command(store: StoreOptions, project: str, calls: CallOptions, as_json: bool, limit: int) -> None:
    """Show the latest calls, newest first.

    \b
    Examples:
      otel-llm recent
      otel-llm recent --limit 100 --agent planner
      otel-llm recent --from 1h --json
    """
    from otel_llm.cli.call_options import report
    from otel_llm.cli.tables import milliseconds, money, print_json, print_table

    found = report(store, project, calls, "calls", limit)["calls"]
    if as_json:
        print_json(found)
        return
    columns = [
        ("time", "START (UTC)"),
        ("provider", "PROVIDER"),
        ("model", "MODEL"),
        ("input_tokens", "INPUT"),
        ("output_tokens", "OUTPUT"),
        ("cost_text", "COST"),
        ("latency", "LATENCY"),
        ("ttft", "TTFT"),
        ("error", "ERROR"),
        ("user", "USER"),
        ("agent", "AGENT"),
        ("trace_id", "TRACE"),
    ]
    rows = [
        row
        | {
            "time": row["start"][:19].replace("T", " "),
            "cost_text": money(row["cost"]),
            "latency": milliseconds(row["latency_ms"]),
            "ttft": milliseconds(row["ttft_ms"]),
        }
        for row in found
    ]
    print_table(rows, columns, empty="No calls match.", right={"cost_text", "latency", "ttft"})
