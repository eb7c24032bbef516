"""``otel-llm serve``: the collector and its query API, in the foreground."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from otel_llm.cli.settings_flags import SettingsCommand, config_option


@click.command(cls=SettingsCommand, params=[config_option()])
def command(config: Path | None, flags: Mapping[str, Any]) -> None:
    """Run the OTLP receiver and the query API in the foreground.

    SIGTERM and Ctrl-C stop it cleanly: what was taken is committed and answered first.

    While no key exists, a server on a loopback address is open to this machine, and everything belongs to the project
    "default". Any other address needs a key first: otel-llm keys create --project NAME.

    Every setting is a flag, an environment variable and a key of the TOML file; a flag wins over the environment, the
    environment over the file.

    \b
    Examples:
      otel-llm serve
      otel-llm serve --database-url duckdb:////var/lib/otel-llm/spans.duckdb --retention 90d
      otel-llm serve --host 0.0.0.0 --tls-cert-file server.pem --tls-key-file server.key
      otel-llm serve --database-url postgresql+psycopg://otel@db/otel --only receiver
    """
    from otel_llm.cli.serve import run
    from otel_llm.config_sources import load_settings

    run(load_settings(flags, config))
