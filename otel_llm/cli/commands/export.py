"""``otel-llm export``: stored spans as files."""

from functools import partial
from pathlib import Path

import click

from otel_llm.cli.store_options import StoreOptions, store_options


@click.command()
@click.option(
    "--format",
    "form",
    required=True,
    type=click.Choice(["otlp-json", "parquet", "csv"]),
    help="otlp-json: lines that otel-llm send and the OpenTelemetry Collector read again; parquet, csv: one row a span.",
)
@click.option(
    "--output", "-o", type=click.Path(dir_okay=False, path_type=Path), help="File to write; by default standard output."
)
@click.option("--from", "start", metavar="WHEN", help="Spans from then on: a time (2026-11-01) or a time ago (24h, 7d).")
@click.option("--to", "end", metavar="WHEN", help="Spans before then; in the same forms.")
@click.option("--calls", "calls_only", is_flag=True, help="Only counted LLM calls: what sums are made of.")
@click.option("--project", default="default", show_default=True, metavar="NAME", help="Project.")
@partial(store_options, asks_servers=False)
def command(
    store: StoreOptions,
    form: str,
    output: Path | None,
    start: str | None,
    end: str | None,
    calls_only: bool,
    project: str,
) -> None:
    """Write stored spans to a file, oldest first.

    It reads the store itself: a DuckDB file must not be open in a server at the same time. A running server gives its calls
    as CSV, page by page: GET /api/v1/calls/search?format=csv.

    \b
    Examples:
      otel-llm export --format parquet -o spans.parquet
      otel-llm export --format csv --calls --from 7d > calls.csv
      otel-llm export --format otlp-json -o spans.jsonl && otel-llm send --endpoint http://other:4318 spans.jsonl
    """
    import sys
    from contextlib import closing

    from otel_llm.access import audit
    from otel_llm.cli.call_options import time_ns
    from otel_llm.cli.span_files import TEXT_FORMATS, write_parquet
    from otel_llm.cli.store_options import open_store
    from otel_llm.cli.stored_spans import stored_spans
    from otel_llm.errors import ConfigError, StoreBusy, StoreError

    if form == "parquet" and output is None:
        raise ConfigError("parquet is not text: name a file with --output")
    if output is not None and not output.parent.is_dir():
        raise ConfigError(f"--output: there is no folder {output.parent}")
    if store.server:
        raise ConfigError("export reads the store itself and asks no server: leave out --server (OTEL_LLM_SERVER)")
    try:
        found = open_store(store.settings(), create=False)
    except StoreBusy as busy:
        raise StoreBusy(
            f"{busy} For calls as CSV ask the server that owns it: GET /api/v1/calls/search?format=csv on its API port"
        ) from None
    with closing(found):
        times = time_ns(start, "--from"), time_ns(end, "--to")
        detail = {"format": form, "from": start, "to": end, "calls_only": calls_only}
        with found.sql.begin() as connection:  # before the first span leaves: whoever breaks off has read some all the same
            audit.record(connection, "data.export", actor=audit.OPERATOR, project=project, detail=detail)
        with closing(stored_spans(found, project, *times, calls_only=calls_only)) as pages:
            try:
                if output is None:
                    count = TEXT_FORMATS[form](pages, sys.stdout)
                elif form == "parquet":
                    count = write_parquet(pages, output)
                else:
                    with output.open("w", encoding="utf-8", newline="") as file:
                        count = TEXT_FORMATS[form](pages, file)
            except BrokenPipeError:
                raise  # whoever read standard output has seen enough; click ends the command quietly
            except OSError as error:
                raise StoreError(f"{output or 'standard output'} cannot be written: {error.strerror or error}") from None
    click.echo(f"{count:,} spans exported.", err=True)
