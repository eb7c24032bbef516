"""``otel-llm copy``: everything from one store to another."""

import click


@click.command()
@click.option("--from", "source_url", required=True, metavar="URL", help="Store to read.")
@click.option("--to", "target_url", required=True, metavar="URL", help="Store to write; made when it is not there yet.")
def command(source_url: str, target_url: str) -> None:
    """Copy everything from one store to another, of the same engine or another one.

    Spans, findings, metrics, rejections, projects, keys and the audit log; nothing is counted or priced anew. Stop it at any
    time and run it again: what is there already is compared and skipped. Passwords are better kept out of the command line
    (PGPASSFILE, or a URL in a variable).

    \b
    Example:
      otel-llm copy --from duckdb:///otel-llm.duckdb --to postgresql+psycopg://me@db/otel
    """
    import sys

    from otel_llm.access import audit
    from otel_llm.cli.store_options import open_store
    from otel_llm.config_sources import load_settings
    from otel_llm.database_url import safe_url
    from otel_llm.errors import ConfigError
    from otel_llm.store.copying import copy_store, total_rows

    if source_url == target_url:
        raise ConfigError("--from and --to name the same store")
    source = open_store(load_settings({"database_url": source_url}), create=False)
    try:
        target = open_store(load_settings({"database_url": target_url}), create=True)
        try:
            with source.sql.begin() as connection:
                audit.record(connection, "data.copy", actor=audit.OPERATOR, detail={"to": safe_url(target_url)})
            with click.progressbar(length=total_rows(source), label="Copying", file=sys.stderr) as bar:
                done = copy_store(source, target, bar.update)
        finally:
            target.close()
    finally:
        source.close()
    for table, seen in done.seen.items():
        written = done.written[table]
        click.echo(f"{table:<14} {seen:>12,} rows, {written:,} of them copied, {seen - written:,} there already")
    if not done.seen:
        click.echo("There was nothing to copy.")
