"""Where an app's telemetry goes: a collector, or straight into a store."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from otel_llm.database_url import duckdb_file, safe_url
from otel_llm.errors import ConfigError

Signal = Literal["traces", "metrics", "logs"]
Protocol = Literal["grpc", "http/protobuf"]
Compression = Literal["gzip", "none"]

PROTOCOLS: tuple[Protocol, ...] = ("grpc", "http/protobuf")
COMPRESSIONS: tuple[Compression, ...] = ("gzip", "none")
DEFAULT_PROTOCOL: Protocol = "http/protobuf"
"""The default OTLP recommends; it also survives a fork of the app and every proxy."""
_DEFAULT_ENDPOINTS: dict[Protocol, str] = {"grpc": "http://localhost:4317", "http/protobuf": "http://localhost:4318"}
_STANDARD_PROTOCOL = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_GRPC_PORT = 4317


@dataclass(frozen=True, slots=True)
class Destination:
    """A collector (``endpoint`` and how to speak to it) or a store (``database_url``).

    With ``standard`` True the endpoint comes from the ``OTEL_EXPORTER_OTLP_*`` variables, which the stock exporters read
    themselves.
    """

    endpoint: str
    protocol: Protocol = DEFAULT_PROTOCOL
    compression: Compression = "none"
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    standard: bool = False
    database_url: str | None = None

    def __str__(self) -> str:
        """The destination as it may be shown: no key, no password."""
        return safe_url(self.database_url) if self.database_url else f"{self.endpoint} ({self.protocol})"


def destination(
    *,
    endpoint: str | None = None,
    protocol: str | None = None,
    api_key: str | None = None,
    headers: Mapping[str, str] | None = None,
    compression: str | None = None,
    database_url: str | None = None,
) -> Destination:
    """The destination that arguments, else ``OTEL_LLM_*``, else ``OTEL_EXPORTER_OTLP_*`` variables name.

    Raises ConfigError for values that cannot be, and when a collector and a store are given at once.
    """
    environment = os.environ.get
    given = endpoint is not None or database_url is not None
    endpoint = endpoint or (None if given else environment("OTEL_LLM_ENDPOINT"))
    database_url = database_url or (None if given else environment("OTEL_LLM_DATABASE_URL"))
    if endpoint and database_url:
        raise ConfigError(
            "endpoint and database_url (OTEL_LLM_ENDPOINT, OTEL_LLM_DATABASE_URL) are two destinations: give one of them"
        )
    if database_url:
        return Destination("", database_url=_absolute(database_url))
    spoken = protocol or environment("OTEL_LLM_PROTOCOL") or _protocol_of(endpoint)
    if spoken not in PROTOCOLS:
        raise ConfigError(f"protocol must be one of {', '.join(PROTOCOLS)}, not {spoken!r}")
    standard = endpoint is None
    endpoint = endpoint or environment("OTEL_EXPORTER_OTLP_ENDPOINT") or _DEFAULT_ENDPOINTS[spoken]
    if urlsplit(endpoint).scheme not in ("http", "https"):
        raise ConfigError(f"endpoint must be a URL such as http://localhost:4318, not {endpoint!r}")
    pressed = compression or environment("OTEL_LLM_COMPRESSION") or _compression_for(endpoint, standard)
    if pressed not in COMPRESSIONS:
        raise ConfigError(f"compression must be one of {', '.join(COMPRESSIONS)}, not {pressed!r}")
    key = api_key or environment("OTEL_LLM_API_KEY")
    authorization = {"authorization": f"Bearer {key}"} if key else {}
    return Destination(
        endpoint.rstrip("/"),
        spoken,
        pressed,
        {**authorization, **{name.lower(): value for name, value in (headers or {}).items()}},
        standard,
    )


def _protocol_of(endpoint: str | None) -> str:
    if endpoint is not None and _port(endpoint) == _GRPC_PORT:
        return "grpc"
    return (
        next(filter(None, map(os.environ.get, _STANDARD_PROTOCOL)), DEFAULT_PROTOCOL) if endpoint is None else DEFAULT_PROTOCOL
    )


def _port(endpoint: str) -> int | None:
    try:
        return urlsplit(endpoint).port
    except ValueError:
        raise ConfigError(f"endpoint must be a URL such as http://localhost:4318, not {endpoint!r}") from None


def _compression_for(endpoint: str, standard: bool) -> str:
    """Over the network bytes are dearer than cycles; on this machine it is the other way round."""
    if standard and (chosen := os.environ.get("OTEL_EXPORTER_OTLP_COMPRESSION")):
        return chosen
    return "none" if urlsplit(endpoint).hostname in _LOOPBACK else "gzip"


def _absolute(database_url: str) -> str:
    """The same store, also when the app changes its working folder before the first export."""
    file = duckdb_file(database_url)
    if file is None or file.is_absolute():
        return database_url
    scheme, _, rest = database_url.partition(":///")
    _, mark, parameters = rest.partition("?")
    return f"{scheme}:///{Path.cwd() / file}{mark}{parameters}"
