"""``otel-llm demo``: believable traffic for an empty collector."""

import click


@click.command()
@click.option("--traces", default=500, show_default=True, type=click.IntRange(1, 1_000_000), help="Traces to make.")
@click.option("--over", default="24h", show_default=True, metavar="DURATION", help="Spread them over the time until now.")
@click.option(
    "--rate", type=click.FloatRange(min=0.1, max=1000), help="Then go on live, this many traces a second, until Ctrl-C."
)
@click.option(
    "--endpoint",
    metavar="URL",
    envvar="OTEL_LLM_ENDPOINT",
    show_envvar=True,
    help="Receiver: http://HOST:4318 (HTTP) or http://HOST:4317 (gRPC). Default: http://localhost:4318.",
)
@click.option("--protocol", type=click.Choice(["grpc", "http/protobuf"]), help="How to speak to it; port 4317 means gRPC.")
@click.option("--database-url", metavar="URL", help="Write straight into this store, without a server.")
@click.option(
    "--api-key", metavar="SECRET", envvar="OTEL_LLM_API_KEY", show_envvar=True, help="Secret key with the scope ingest."
)
@click.option("--seed", type=int, help="Make the same traffic again.")
def command(
    traces: int,
    over: str,
    rate: float | None,
    endpoint: str | None,
    protocol: str | None,
    database_url: str | None,
    api_key: str | None,
    seed: int | None,
) -> None:
    """Send made-up traffic through the real OpenTelemetry SDK: chats, agents with tools, embeddings, errors.

    Nothing is asked of any model. What is sent carries the tag "demo" and the apps support-chat, code-review and travel-agent.

    \b
    Examples:
      otel-llm demo
      otel-llm demo --traces 20000 --over 30d
      otel-llm demo --rate 5
      otel-llm demo --database-url duckdb:///demo.duckdb
    """
    import logging
    import time

    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    from otel_llm.cli.traffic import Traffic
    from otel_llm.errors import ConfigError, OtelLLMError
    from otel_llm.quantities import seconds
    from otel_llm.sdk.destination import destination
    from otel_llm.sdk.exporters import OtelLLMSpanExporter
    from otel_llm.sdk.link import hurry

    try:
        spread_s = seconds(over)
    except ValueError as error:
        raise ConfigError(f"--over: {error}") from None
    to = destination(endpoint=endpoint, protocol=protocol, database_url=database_url, api_key=api_key)
    logging.getLogger("otel_llm").setLevel(logging.ERROR)  # the command says itself what was lost
    exporter = OtelLLMSpanExporter(to)
    assert exporter.link is not None  # noqa: S101 a given destination always makes a link
    loss = exporter.link.loss

    def lost() -> bool:
        return loss.count > 0

    traffic = Traffic(lambda: BatchSpanProcessor(exporter, max_queue_size=8192), seed)
    now = time.time_ns()
    for number in range(1, traces + 1):
        traffic.trace(now - int(spread_s * 1e9 * (1 - number / traces)))
        if number % 200 == 0:
            traffic.flush(lost)  # the batch processor would drop what it cannot hold
        if lost():
            break
    traffic.flush(lost)
    try:
        while rate and not lost():
            time.sleep(1 / rate)
            traffic.trace(time.time_ns())
    except KeyboardInterrupt:
        click.echo("")
    hurry([exporter.link])
    traffic.shutdown()
    made = traffic.counted
    if lost():
        refused = any(word in (loss.reason or "").upper() for word in ("UNAUTHORIZED", "UNAUTHENTICATED"))
        raise OtelLLMError(
            f"{loss.count:,} of {made.spans:,} spans could not be delivered to {to}: {loss.reason}. "
            + (
                "It asks for a key: give one with the scope ingest in OTEL_LLM_API_KEY"
                if refused
                else "Is a collector running? Start one with: otel-llm serve"
            )
        )
    click.echo(
        f"Sent {made.calls:,} LLM calls in {made.traces:,} traces ({made.spans:,} spans) to {to}. Now ask: otel-llm stats"
    )
