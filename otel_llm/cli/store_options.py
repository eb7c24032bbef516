"""Options of commands that look into a store or ask the server that owns it, and how such a command gets there."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from otel_llm.cli.server_client import ServerClient
    from otel_llm.config import Settings
    from otel_llm.store.engines.base import Engine

Function = TypeVar("Function", bound=Callable[..., Any])


@dataclass(frozen=True)
class StoreOptions:
    """What the options said."""

    database_url: str | None
    config: Path | None
    server: str | None
    api_key: str | None

    def settings(self) -> "Settings":
        """The settings of this process. Raises ConfigError."""
        from otel_llm.config_sources import load_settings

        return load_settings({"database_url": self.database_url}, self.config)


def store_options(function: Function, *, asks_servers: bool = True) -> Function:
    """Adds --database-url, --server, --api-key and --config; the command gets one ``store`` argument.

    A command that does not ask servers keeps --server out of its help, but is told of it: the variable may be set for others.
    """
    from functools import wraps

    @wraps(function)
    def command(
        *args: Any, database_url: str | None, config: Path | None, server: str | None, api_key: str | None, **kwargs: Any
    ) -> Any:
        return function(*args, store=StoreOptions(database_url, config, server, api_key), **kwargs)

    options = (
        click.option(
            "--database-url",
            metavar="URL",
            envvar="OTEL_LLM_DATABASE_URL",
            show_envvar=True,
            help="The store; by default duckdb:///otel-llm.duckdb.",
        ),
        click.option(
            "--server",
            metavar="URL",
            envvar="OTEL_LLM_SERVER",
            show_envvar=True,
            hidden=not asks_servers,
            help="Ask this server instead of opening the store, e.g. http://127.0.0.1:8000.",
        ),
        click.option(
            "--api-key",
            metavar="SECRET",
            envvar="OTEL_LLM_API_KEY",
            show_envvar=True,
            hidden=not asks_servers,
            help="Secret key to show to the server. Prefer the variable: flags are visible to other users.",
        ),
        click.option(
            "--config",
            type=click.Path(dir_okay=False, path_type=Path),
            envvar="OTEL_LLM_CONFIG",
            show_envvar=True,
            help="TOML file with settings.",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command  # type: ignore[return-value] # options only add keyword arguments


@contextmanager
def reach(store: StoreOptions, *, create: bool = False, project: str | None = None) -> Iterator["Engine | ServerClient"]:
    """The store itself, or the server that owns it (said on standard error).

    ``project`` is what is asked about, where no key says it. ``create`` makes a store that is not there yet; otherwise its
    absence is an error. Raises OtelLLMError.
    """
    from otel_llm.cli.server_client import ServerClient
    from otel_llm.errors import StoreBusy

    if store.server:
        yield ServerClient(store.server, store.api_key)
        return
    settings = store.settings()
    try:
        engine = open_store(settings, create=create)
    except StoreBusy as busy:
        client = _owner(settings, store.api_key, project)
        if client is None:
            raise busy from None
        click.echo(f"A running server owns the database; asking it at {client.url}.", err=True)
        yield client
        return
    try:
        yield engine
    finally:
        engine.close()


def _owner(settings: "Settings", api_key: str | None, project: str | None) -> "ServerClient | None":
    """The server that owns the store: through its socket where this user may (then a key is not needed), else its port."""
    from otel_llm.cli.running import socket_path
    from otel_llm.cli.server_client import ServerClient, ServerError

    path = socket_path(settings.database_url)
    for way in (path, None) if path is not None and path.is_socket() else (None,):
        client = ServerClient(owner_address(settings), api_key, socket_path=way, project=project)
        try:
            client.get("/healthz")
        except ServerError as error:
            if error.status is not None:
                return client
        else:
            return client
    return None


def owner_address(settings: "Settings") -> str:
    """Where the server of a store listens: its own note, else where these settings would put it."""
    from otel_llm.cli.running import reachable, read_note

    scheme = "https" if settings.tls else "http"
    return read_note(settings.database_url) or f"{scheme}://{reachable(settings.host)}:{settings.api_port}"


def open_store(settings: "Settings", *, create: bool) -> "Engine":
    """The store of these settings. Raises StoreError when it is not there and not to be created."""
    from otel_llm.cli.running import private_files
    from otel_llm.database_url import duckdb_file
    from otel_llm.errors import StoreError
    from otel_llm.store.open import open_engine

    file = duckdb_file(settings.database_url)
    if not create and file is not None and not file.exists():
        raise StoreError(f"there is no store at {file} yet: start one with otel-llm serve, or name another with --database-url")
    with private_files():
        return open_engine(settings.database_url, settings)
