"""Where an app's telemetry goes: a collector, or straight into a store."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeVar
from urllib.parse import SplitResult, urlsplit

from otel_llm.database_url import duckdb_file, safe_url
from otel_llm.errors import ConfigError, WrongEnvironment

Signal = Literal["traces", "metrics", "logs"]
Protocol = Literal["grpc", "http/protobuf"]
Compression = Literal["gzip", "none"]

PROTOCOLS: tuple[Protocol, ...] = ("grpc", "http/protobuf")
COMPRESSIONS: tuple[Compression, ...] = ("gzip", "none")
DEFAULT_PROTOCOL: Protocol = "http/protobuf"
"""The default OTLP recommends; it also survives a fork of the app and every proxy."""
_DEFAULT_ENDPOINTS: dict[Protocol, str] = {"grpc": "http://localhost:4317", "http/protobuf": "http://localhost:4318"}
_STANDARD_ENDPOINT = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_STANDARD_PROTOCOL = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_STANDARD_COMPRESSION = ("OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", "OTEL_EXPORTER_OTLP_COMPRESSION")
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
        return safe_url(self.database_url) if self.database_url else f"{safe_url(self.endpoint)} ({self.protocol})"


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

    Raises ConfigError for values that cannot be, and when a collector and a store are given at once; it is a
    WrongEnvironment when a variable is to blame.
    """
    if endpoint and database_url:
        raise ConfigError("endpoint and database_url are two destinations: give one of them")
    if endpoint is None and database_url is None:
        endpoint, database_url = os.environ.get("OTEL_LLM_ENDPOINT"), os.environ.get("OTEL_LLM_DATABASE_URL")
        if endpoint and database_url:
            raise WrongEnvironment("OTEL_LLM_ENDPOINT and OTEL_LLM_DATABASE_URL are two destinations: set one of them")
        receiver = _Given.of("endpoint", None, "OTEL_LLM_ENDPOINT")
    else:
        receiver = _Given("endpoint", endpoint, ConfigError) if endpoint else None
    if database_url:
        return Destination("", database_url=_absolute(database_url))
    standard = receiver is None
    receiver = receiver or _Given.of("endpoint", None, *_STANDARD_ENDPOINT)
    asked = _Given.of("protocol", protocol, "OTEL_LLM_PROTOCOL", *(_STANDARD_PROTOCOL if standard else ()))
    spoken = asked.one_of(PROTOCOLS) if asked else _protocol_for(receiver)
    receiver = receiver or _Given("endpoint", _DEFAULT_ENDPOINTS[spoken])
    if not (standard and spoken == "grpc"):  # the stock gRPC exporter takes host:port as well
        _url(receiver)
    pressed = _Given.of(
        "compression", compression, "OTEL_LLM_COMPRESSION", *(_STANDARD_COMPRESSION if standard else ())
    ) or _Given("compression", _compression_for(receiver.value))
    key = _Given.of("api_key", api_key, "OTEL_LLM_API_KEY")
    authorization = {"authorization": f"Bearer {_secret(key)}"} if key else {}
    return Destination(
        receiver.value.rstrip("/"),
        spoken,
        pressed.one_of(COMPRESSIONS),
        {**authorization, **{name.lower(): value for name, value in (headers or {}).items()}},
        standard,
    )


_Choice = TypeVar("_Choice", bound=str)


@dataclass(frozen=True, slots=True)
class _Given:
    """A value, and who is to blame when it cannot be: ``name`` is the argument's or the variable's."""

    name: str
    value: str
    blame: type[ConfigError] = ConfigError

    @classmethod
    def of(cls, argument: str, value: str | None, *variables: str) -> "_Given | None":
        """The argument, else the first variable that is set; an empty value counts as not given."""
        if value:
            return cls(argument, value)
        named = next(((name, found) for name in variables if (found := os.environ.get(name))), None)
        return cls(*named, WrongEnvironment) if named else None

    def one_of(self, choices: tuple[_Choice, ...]) -> _Choice:
        """The value as one of a few. Raises ConfigError."""
        for choice in choices:
            if choice == self.value:
                return choice
        raise self.blame(f"{self.name} must be one of {', '.join(choices)}, not {self.value!r}")


def _url(endpoint: _Given) -> SplitResult:
    """The parts of an endpoint. Raises ConfigError for what is no http or https URL."""
    try:
        parts = urlsplit(endpoint.value)
        if parts.scheme in ("http", "https") and parts.hostname and parts.port != 0:
            return parts
    except (ValueError, AttributeError, TypeError):  # a port beyond 65535; an argument that is no text
        pass
    raise endpoint.blame(f"{endpoint.name} must be a URL such as http://localhost:4318, not {safe_url(str(endpoint.value))!r}")


def _protocol_for(endpoint: _Given | None) -> Protocol:
    return "grpc" if endpoint is not None and _url(endpoint).port == _GRPC_PORT else DEFAULT_PROTOCOL


def _secret(key: _Given) -> str:
    """The key as a header can carry it; it must not be shown, so what an HTTP client says about it must not happen."""
    secret = key.value.strip()  # a key read from a file ends with a line feed
    if not secret.isascii() or not secret.isprintable():
        raise key.blame(f"{key.name} holds characters that no HTTP header can carry")
    return secret


def _compression_for(endpoint: str) -> str:
    """Over the network bytes are dearer than cycles; on this machine it is the other way round."""
    return "none" if urlsplit(endpoint).hostname in _LOOPBACK else "gzip"


def _absolute(database_url: str) -> str:
    """The same store, also when the app changes its working folder before the first export."""
    file = duckdb_file(database_url)
    if file is None or file.is_absolute():
        return database_url
    scheme, _, rest = database_url.partition(":///")
    _, mark, parameters = rest.partition("?")
    return f"{scheme}:///{Path.cwd() / file}{mark}{parameters}"
