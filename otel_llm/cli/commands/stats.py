"""``otel-llm stats``: all calls in sum."""

import click

from otel_llm.cli.call_options import CallOptions, call_options
from otel_llm.cli.store_options import StoreOptions


@click.command()
@call_options
def command(store: StoreOptions, project: str, calls: CallOptions, as_json: bool) -> None:
    """Show calls, errors, tokens, cost, latency and time to first token, in sum.

    \b
    Examples:
      otel-llm stats
      otel-llm stats --from 24h --model gpt-4o
      otel-llm stats --user ada --json
    """
    from otel_llm.cli.call_options import report
    from otel_llm.cli.tables import milliseconds, money, print_json

    found = report(store, project, calls, "stats")
    if as_json:
        print_json(found)
        return
    latency, first = found["latency_ms"], found["ttft_ms"]
    lines = [
        ("Calls", f"{found['calls']:,}"),
        ("Errors", f"{found['errors']:,} ({found['error_rate']:.1%})"),
        ("Cost", f"{money(found['cost'])}" + _unpriced(found["calls_without_cost"])),
        ("Input tokens", f"{found['input_tokens']:,}"),
        ("Output tokens", f"{found['output_tokens']:,}"),
        ("Latency", ", ".join(f"{name} {milliseconds(latency[name])}" for name in ("mean", "p50", "p95"))),
        ("Time to first token", ", ".join(f"{name} {milliseconds(first[name])}" for name in ("p50", "p95"))),
    ]
    for name, text in lines:
        click.echo(f"{click.style(name, bold=True)}{' ' * (21 - len(name))}{text}")


def _unpriced(count: int) -> str:
    return f" ({count:,} call{'s' if count > 1 else ''} without a price)" if count else ""
