"""``otel-llm explain``: what was read from which attribute."""

import click

from otel_llm.cli.store_options import StoreOptions
from otel_llm.cli.trace_options import trace_options


@click.command()
@click.option("--limit", default=100, show_default=True, type=click.IntRange(1, 500), help="Most spans to explain, by start.")
@trace_options
def command(store: StoreOptions, project: str, trace_id: str, span_id: str | None, as_json: bool, limit: int) -> None:
    """Show for each span of a trace what was read from which attribute, what was changed, and why it counts or not.

    \b
    Examples:
      otel-llm explain 0af7651916cd43dd8448eb211c80319c
      otel-llm explain 0af7651916cd43dd8448eb211c80319c b7ad6b7169203331 --json
    """
    from otel_llm.cli.call_options import STORE_TIMEOUT_S
    from otel_llm.cli.server_client import ServerClient, ServerError
    from otel_llm.cli.store_options import reach
    from otel_llm.cli.tables import print_json
    from otel_llm.conventions.explain import text
    from otel_llm.store.queries.explained import explained
    from otel_llm.store.queries.reading import reading

    document = None
    with reach(store, project=project) as found:
        if isinstance(found, ServerClient):
            try:
                document = found.get(f"/api/v1/traces/{trace_id}/explain", {"span_id": span_id, "limit": limit})
            except ServerError as error:
                if error.status != 404:
                    raise
        else:
            with reading(found, STORE_TIMEOUT_S) as reader:
                document = explained(
                    reader, project, bytes.fromhex(trace_id), bytes.fromhex(span_id) if span_id else None, limit
                )
    if not document or not document["spans"]:
        raise click.ClickException(
            f"no such {'span' if span_id else 'trace'} is stored; otel-llm why {trace_id} tells whether one was rejected"
        )
    if as_json:
        print_json(document)
        return
    for number, one in enumerate(document["spans"]):
        click.echo(("\n" if number else "") + printable(text(one)))
    if document["truncated"]:
        click.echo(f"{document['span_count'] - len(document['spans']):,} more spans; see --limit", err=True)


def printable(lines: str) -> str:
    """The text with control characters of foreign values replaced."""
    return "".join(each if each.isprintable() or each == "\n" else "\N{REPLACEMENT CHARACTER}" for each in lines)
