"""``otel-llm unpriced``: models without a price."""

import click

from otel_llm.cli.store_options import StoreOptions, store_options


@click.command()
@click.option("--from", "start", metavar="WHEN", help="Calls from then on: a time (2026-11-01) or a time ago (24h, 7d).")
@click.option("--to", "end", metavar="WHEN", help="Calls before then; in the same forms.")
@click.option("--project", default="default", show_default=True, metavar="NAME", help="Project, when the store is read itself.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@store_options
def command(store: StoreOptions, start: str | None, end: str | None, project: str, as_json: bool) -> None:
    """Show models that calls were seen of and that have no price, with calls and tokens, most tokens first.

    Give them a price in the file of --prices-file, then run otel-llm reprice. Calls that report their own cost need none:
    sums use what they report.

    \b
    Examples:
      otel-llm unpriced
      otel-llm unpriced --from 7d --json
    """
    from otel_llm.cli.call_options import STORE_TIMEOUT_S, iso_time, time_ns
    from otel_llm.cli.server_client import ServerClient
    from otel_llm.cli.store_options import reach
    from otel_llm.cli.tables import print_json, print_table
    from otel_llm.pricing.unpriced import unpriced
    from otel_llm.store.queries.window import Window

    with reach(store, project=project) as found:
        if isinstance(found, ServerClient):
            query = {"from": iso_time(start, "--from"), "to": iso_time(end, "--to")}
            models = found.get("/api/v1/unpriced", query)["models"]
        else:
            window = Window.before(time_ns(start, "--from"), time_ns(end, "--to"))
            models = [model.document() for model in unpriced(found, project, window, timeout_s=STORE_TIMEOUT_S)]
    if as_json:
        print_json(models)
        return
    columns = [
        ("provider", "PROVIDER"),
        ("model", "MODEL"),
        ("calls", "CALLS"),
        ("input_tokens", "INPUT"),
        ("output_tokens", "OUTPUT"),
        ("calls_with_reported_cost", "OWN COST"),
        ("last", "LAST SEEN"),
    ]
    print_table(models, columns, empty="Every model has a price.")
