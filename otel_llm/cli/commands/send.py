"""``otel-llm send``: replay OTLP files to a receiver."""

from pathlib import Path

import click


@click.command()
@click.argument(
    "files", metavar="FILE...", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
@click.option(
    "--endpoint",
    metavar="URL",
    envvar="OTEL_LLM_ENDPOINT",
    show_envvar=True,
    default="http://localhost:4318",
    show_default=True,
    help="Receiver: http://HOST:4318 (HTTP) or http://HOST:4317 (gRPC); https for TLS.",
)
@click.option("--protocol", type=click.Choice(["grpc", "http/protobuf"]), help="How to speak to it; port 4317 means gRPC.")
@click.option(
    "--api-key", metavar="SECRET", envvar="OTEL_LLM_API_KEY", show_envvar=True, help="Secret key with the scope ingest."
)
@click.option("--gzip", "compress", is_flag=True, help="Compress what is sent.")
@click.option(
    "--signal",
    type=click.Choice(["traces", "metrics", "logs"]),
    help="What protobuf files hold. Default: what their name says, else traces. JSON says it itself.",
)
@click.option("--quiet", is_flag=True, help="No progress bar.")
def command(
    files: tuple[Path, ...],
    endpoint: str,
    protocol: str | None,
    api_key: str | None,
    compress: bool,
    signal: str | None,
    quiet: bool,
) -> None:
    """Send the OTLP requests in files to a receiver, in order, each when the one before is stored.

    A file holds one request in protobuf or JSON, or many: lines of JSON, as the OpenTelemetry Collector's file exporter and
    `otel-llm export --format otlp-json` write them, or protobuf behind sizes (the exporter's format proto). Each may be
    compressed with gzip. Sending a file again changes nothing: a span is stored once.

    \b
    Examples:
      otel-llm send traces.json
      otel-llm send --endpoint http://collector:4317 exported/*.jsonl.gz
    """
    import sys
    from typing import cast

    from otel_llm.cli.otlp_files import read_requests
    from otel_llm.cli.otlp_sender import sender
    from otel_llm.otlp.signals import SIGNALS, SignalName
    from otel_llm.sdk.destination import destination

    to = destination(endpoint=endpoint, protocol=protocol, api_key=api_key, compression="gzip" if compress else None)
    sent: dict[str, int] = {}
    rejected, reasons, requests = 0, dict[str, None](), 0
    sizes = [max(1, file.stat().st_size) for file in files]
    hidden = quiet or not sys.stderr.isatty()
    with sender(to) as send, click.progressbar(length=sum(sizes), label="sending", file=sys.stderr, hidden=hidden) as bar:
        for file, size in zip(files, sizes, strict=True):
            done = 0
            for request in read_requests(file, cast("SignalName | None", signal)):
                taken = send(request.signal, request.message)
                requests += 1
                noun = SIGNALS[request.signal].noun
                sent[noun] = sent.get(noun, 0) + request.items
                rejected += taken.rejected
                if taken.message:
                    reasons[taken.message] = None
                bar.update(int(request.end * size) - done)
                done = int(request.end * size)
            bar.update(size - done)
    parts = ", ".join(f"{count:,} {noun}{'' if count == 1 else 's'}" for noun, count in sent.items()) or "nothing"
    click.echo(f"Sent {parts} in {requests:,} request{'' if requests == 1 else 's'} to {to}; {rejected:,} rejected.")
    for reason in list(reasons)[:10]:
        click.echo(f"  {reason}", err=True)
    if rejected:
        raise click.exceptions.Exit(1)
