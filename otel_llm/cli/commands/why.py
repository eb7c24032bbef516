"""``otel-llm why``: what became of the spans of a trace."""

import click

from otel_llm.cli.store_options import StoreOptions
from otel_llm.cli.trace_options import trace_options


@click.command()
@trace_options
def command(store: StoreOptions, project: str, trace_id: str, span_id: str | None, as_json: bool) -> None:
    """Show what became of each span that arrived: stored, counted or not and in favour of which other, a duplicate, or
    rejected and why.

    Of the spans that one request had rejected, or that came again in it, the first 100 are kept, and the newest 100,000 in
    all.

    \b
    Examples:
      otel-llm why 0af7651916cd43dd8448eb211c80319c
      otel-llm why 0af7651916cd43dd8448eb211c80319c b7ad6b7169203331 --json
    """
    from otel_llm.cli.call_options import STORE_TIMEOUT_S
    from otel_llm.cli.server_client import ServerClient
    from otel_llm.cli.store_options import reach
    from otel_llm.cli.tables import cell_text, print_json
    from otel_llm.store.queries.reading import reading
    from otel_llm.store.queries.span_fates import why

    with reach(store, project=project) as found:
        if isinstance(found, ServerClient):
            document = found.get(f"/api/v1/traces/{trace_id}/why")
        else:
            with reading(found, STORE_TIMEOUT_S) as reader:
                document = why(reader, project, bytes.fromhex(trace_id))
    if span_id is not None:
        document["spans"] = [fate for fate in document["spans"] if fate["span_id"] == span_id]
    if as_json:
        print_json(document)
        return
    if not document["spans"]:
        what = "trace" if span_id is None else "span"
        click.echo(
            f"Nothing is known of this {what} in this project: it never arrived, or was deleted. Another: --project NAME."
        )
    for fate in document["spans"]:
        what = f"{fate['outcome'].replace('_', ' ')} ({cell_text(fate['reason'])})"
        head = click.style(f"{fate['time']}  {fate['span_id'] or 'without a span id'}", bold=True)
        click.echo(f"{head}  {cell_text(fate['name'])}: {what}")
        click.echo(f"    {cell_text(fate['detail'])}")
        if fate["counted_instead"]:
            click.echo(f"    Counted instead: span {fate['counted_instead']}")
