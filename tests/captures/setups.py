"""What a library set-up and a scenario of it are."""

from collections.abc import Mapping
from typing import NamedTuple

EXPORTERS = ("opentelemetry-sdk", "opentelemetry-exporter-otlp-proto-http", "opentelemetry-exporter-otlp-proto-grpc")
USER, SESSION, TAGS = "user-ann-42", "session-chat-7", ("team-blue", "stage-beta")


class Scenario(NamedTuple):
    """One run of an app.

    ``lacks`` names what the export does not carry: ``usage`` of all calls, ``embeddings usage``, ``errors``, ``ttft``.
    ``twice`` marks an export with two records of each call, in two traces and without an id that joins them: counting both
    is accepted. ``providers`` are the library's unless named.
    """

    name: str
    does: str
    user: str | None = None
    session: str | None = None
    tags: tuple[str, ...] = ()
    lacks: frozenset[str] = frozenset()
    traps: tuple[str, ...] = ()
    twice: bool = False
    environment: Mapping[str, str] = {}
    providers: tuple[str, ...] = ()


class Library(NamedTuple):
    """One set-up: what is installed, how it exports. ``environment`` may use ``{endpoint}`` and ``{model}``.

    The requirements of ``runtime`` node are npm packages, its app is ``NAME_app.mjs``.
    """

    name: str
    requirements: tuple[str, ...]
    scenarios: tuple[Scenario, ...]
    providers: tuple[str, ...] = ("openai",)
    transport: str = "http"
    environment: Mapping[str, str] = {}
    app: str = ""
    venv_of: str = ""
    runtime: str = "python"

    @property
    def venv(self) -> str:
        """Name of its environment; several set-ups may share one."""
        return self.venv_of or self.name


def plain(name: str, does: str, *traps: str) -> Scenario:
    return Scenario(name, does, traps=traps)
