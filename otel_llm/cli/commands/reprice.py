"""``otel-llm reprice``: the cost of stored calls, computed anew."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from otel_llm.cli.store_options import StoreOptions, store_options

if TYPE_CHECKING:
    from otel_llm.cli.server_client import ServerClient
    from otel_llm.config import Settings
    from otel_llm.pricing.repricing import Run
    from otel_llm.store.engines.base import Engine

Document = dict[str, Any]
POLL_S = 0.2
"""How often a server is asked how far it is."""


@click.command()
@click.option("--from", "start", metavar="WHEN", help="Calls from then on: a time (2026-11-01) or a time ago (24h, 7d).")
@click.option("--to", "end", metavar="WHEN", help="Calls before then; in the same forms.")
@click.option("--project", metavar="NAME", help="Only this project. Default: all; through a server with a key, the key's.")
@click.option("--dry-run", is_flag=True, help="Only say how many calls would get another cost.")
@click.option(
    "--prices-file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Own prices, when the store is opened itself. A server reads its own file again.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@store_options
def command(
    store: StoreOptions,
    start: str | None,
    end: str | None,
    project: str | None,
    dry_run: bool,
    prices_file: Path | None,
    as_json: bool,
) -> None:
    """Compute the cost of stored calls anew, with the prices of now. What spans report themselves is never touched.

    Calls are worked on in order of time, some ten thousand at once, while a server goes on taking new ones. A run that was
    interrupted (Ctrl-C) can simply be started again.

    \b
    Examples:
      otel-llm reprice --dry-run
      otel-llm reprice --from 30d --project shop
    """
    from otel_llm.cli.call_options import iso_time, time_ns
    from otel_llm.cli.server_client import ServerClient
    from otel_llm.cli.store_options import reach
    from otel_llm.cli.tables import money, print_json
    from otel_llm.errors import ConfigError
    from otel_llm.pricing.repricing import Run
    from otel_llm.store.queries.window import Window

    with reach(store) as found:
        if isinstance(found, ServerClient):
            if prices_file is not None:
                raise ConfigError("--prices-file: the server prices by its own file; start it with --prices-file")
            asked = {"project": project, "from": iso_time(start, "--from"), "to": iso_time(end, "--to"), "dry_run": dry_run}
            document = _through_server(found, {name: value for name, value in asked.items() if value is not None})
        else:
            window = Window.before(time_ns(start, "--from"), time_ns(end, "--to"))
            settings = store.settings()
            if prices_file is not None:
                settings = settings.model_copy(update={"prices_file": prices_file})
            document = _in_store(found, settings, Run(project, window, dry_run))
    if as_json:
        print_json(document)
    else:
        verb = "would get" if dry_run else "got"
        sign = "-" if document["difference"] < 0 else "+"
        click.echo(
            f"{document['changed']:,} of {document['done']:,} calls {verb} another cost "
            f"({sign}{money(abs(document['difference']))} in all)."
        )
    if document["state"] != "done":
        raise click.ClickException(document["error"] or "stopped before the end; what was done is done")


def _in_store(engine: "Engine", settings: "Settings", run: "Run") -> Document:
    from otel_llm.cli.progress_bar import ProgressBar
    from otel_llm.pricing import Pricer
    from otel_llm.pricing.repricing import perform

    pricer = Pricer.from_settings(settings.model_copy(update={"update_prices": False}))
    with ProgressBar("Repricing") as bar:
        try:
            perform(engine, pricer, run, lambda progress: bar.show(progress.done, progress.total))
        except KeyboardInterrupt:
            run.state, run.error = "stopped", ""  # each chunk is committed by itself
    return run.document()


def _through_server(client: "ServerClient", body: Document) -> Document:
    import time

    from otel_llm.cli.progress_bar import ProgressBar

    path = "/api/v1/admin/reprice"
    document: Document = client.ask("POST", path, body)
    with ProgressBar("Repricing") as bar:
        try:
            while document["state"] == "running":
                time.sleep(POLL_S)
                document = client.get(path)
                bar.show(document["done"], document["total"])
        except KeyboardInterrupt:
            document = client.ask("DELETE", path)
    return document
