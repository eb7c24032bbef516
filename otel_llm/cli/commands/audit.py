"""``otel-llm audit``: who changed what, and what was refused."""

import click

from otel_llm.cli.store_options import StoreOptions, store_options


@click.command()
@click.option("--project", metavar="NAME", help="Only entries of this project.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 10_000), help="Most entries to show.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@store_options
def command(store: StoreOptions, project: str | None, limit: int, as_json: bool) -> None:
    """Show the audit log: key and project changes, refused requests, retention runs, exports; newest first."""
    import json

    from otel_llm.cli.key_desk import key_desk
    from otel_llm.cli.tables import print_json, print_table

    with key_desk(store) as desk:
        entries = desk.audit(project, limit)
    if as_json:
        print_json(entries)
        return
    columns = [("time", "TIME"), ("action", "ACTION"), ("project", "PROJECT"), ("actor", "ACTOR"), ("text", "DETAIL")]
    rows = [entry | {"text": json.dumps(entry["detail"]) if entry["detail"] else ""} for entry in entries]
    print_table(rows, columns, empty="The audit log is empty.")
