"""One settings object for every process: defaults < file < environment (``OTEL_LLM_*``) < flags.

A setting is one field below; its name is the key in the TOML file, ``OTEL_LLM_`` and the name in upper case its
environment variable, and the name with dashes its flag. :mod:`otel_llm.config_sources` reads the four sources.
"""

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from otel_llm import quantities
from otel_llm.database_url import safe_url
from otel_llm.retention import RetentionRule, parse_rule

MIB = 1024 * 1024


def _quantity(parse: Callable[[str], float]) -> BeforeValidator:
    return BeforeValidator(lambda value: parse(value) if isinstance(value, str) else value)


def _split(value: Any) -> Any:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _rules(value: Any) -> Any:
    parts: Iterable[Any] = _split(value)
    return tuple(parse_rule(part) if isinstance(part, str) else part for part in parts)


Port = Annotated[int, Field(ge=0, le=65535)]
Bytes = Annotated[int, _quantity(quantities.size), Field(gt=0)]
Seconds = Annotated[float, _quantity(quantities.seconds), Field(gt=0, allow_inf_nan=False)]
Texts = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]
Retention = Annotated[tuple[RetentionRule, ...], NoDecode, BeforeValidator(_rules)]


class Settings(BaseSettings):
    """Every setting of a collector. The docstring of a field is its ``--help`` text."""

    model_config = SettingsConfigDict(
        env_prefix="OTEL_LLM_",
        env_ignore_empty=True,
        extra="forbid",
        frozen=True,
        use_attribute_docstrings=True,
        hide_input_in_errors=True,
    )

    # where
    database_url: str = Field("duckdb:///otel-llm.duckdb", repr=False, min_length=1)
    """SQLAlchemy URL of the store: duckdb:///FILE, postgresql+psycopg://… or clickhousedb://…"""
    host: str = Field("127.0.0.1", min_length=1)
    """Address that every server binds. Anything but a loopback address needs a key first (otel-llm keys create)."""
    grpc_port: Port = 4317
    """OTLP/gRPC port; 0 takes a free one."""
    otlp_http_port: Port = 4318
    """OTLP/HTTP port; 0 takes a free one."""
    api_port: Port = 8000
    """Query API and dashboard port; 0 takes a free one."""
    only: Literal["receiver", "api"] | None = None
    """Start only the OTLP receiver, or only the query API; for several processes on one PostgreSQL or ClickHouse."""

    # limits
    max_message_bytes: Bytes = 64 * MIB
    """Largest OTLP message, after decompression (the limit OTLP 1.11 recommends)."""
    ingest_budget_bytes: Bytes = 256 * MIB
    """Bytes of requests in flight, all protocols together, before senders are told to come back."""
    duckdb_threads: int | None = Field(None, ge=1, le=1024)
    """Threads of DuckDB; by default half of the cores."""
    duckdb_memory_limit: str | None = "300MB"
    """Most memory DuckDB takes for buffers before it spills to disk."""
    clickhouse_cluster: str | None = None
    """ClickHouse cluster whose servers hold the store: tables are made replicated and distributed over it."""
    query_timeout_s: Seconds = 30.0
    """Longest time one query may run."""
    shutdown_timeout_s: Seconds = 25.0
    """Longest time a stop waits for requests that were taken before SIGTERM."""

    # writing
    commit_interval_ms: float = Field(3.0, ge=0, allow_inf_nan=False)
    """Longest time a request waits for others to share its commit, when no commit is running."""
    commit_max_spans: int = Field(16_384, gt=0)
    """Most spans in one commit."""
    commit_max_bytes: Bytes = 64 * MIB
    """Most bytes of requests in one commit, decompressed; a larger request has one of its own."""
    related_margin_s: int = Field(3600, gt=0)
    """How far from a batch's own times its duplicates and relatives are looked for."""
    retention: Retention = ()
    """How long what was received is kept: ages and sizes such as 90d or 90d,20GB,team-a=7d,team-a=5GB. Default: for ever."""
    retention_interval_s: Seconds = 300.0
    """Time between two retention runs."""

    # door
    require_tls: bool = False
    """Refuse to start without TLS on an address that others can reach."""
    tls_cert_file: Path | None = None
    """Certificate chain (PEM) for every port; read again when the file changes."""
    tls_key_file: Path | None = None
    """Private key (PEM) of the certificate."""
    tls_client_ca_file: Path | None = None
    """Certificate authorities (PEM) whose client certificates are required (mutual TLS)."""
    cors_origins: Texts = ()
    """Web origins, separated by commas, that may call from a browser, * for all; none by default."""
    keys_refresh_s: Seconds = 2.0
    """How often keys and projects changed by other processes are looked for."""

    # privacy
    capture_content: bool = False
    """Keep message content (prompts, completions, tool arguments); dropped at extraction by default."""
    capture_content_max_bytes: Bytes = 16 * 1024
    """Longest content value that is kept, in bytes of UTF-8; the rest is cut."""
    redact: bool = True
    """Replace e-mail addresses, card numbers and bearer tokens in stored text by a mark."""
    redact_keys: Texts = ()
    """Attribute keys, separated by commas, whose values are never stored; * stands for any text."""
    redact_patterns: Texts = ()
    """Regular expressions whose matches are replaced before storage; a list in the file, separated by commas elsewhere."""
    hash_user_ids: SecretStr | None = None
    """Secret with which user ids and names are hashed (HMAC-SHA-256) before storage; equal users stay equal."""

    # prices
    prices_file: Path | None = None
    """File of the operator's own prices, which win over the bundled table."""
    update_prices: bool = False
    """Let the price table update itself over the network; nothing leaves the machine otherwise."""

    # logging
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """Least level that is logged."""
    log_format: Literal["text", "json"] = "text"
    """Form of log lines on standard error."""

    @field_validator("duckdb_memory_limit")
    @classmethod
    def _is_a_size(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch(r"\d+(\.\d+)? *[KMGT]i?B", value, re.IGNORECASE):
            raise ValueError("a size with its unit, such as 400MB or 2GiB")
        return value

    @field_validator("redact_patterns")
    @classmethod
    def _compiles(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for pattern in value:
            try:
                re.compile(pattern)
            except re.error as error:
                raise ValueError(f"regular expressions; {pattern!r} is none ({error})") from None
        return value

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if (self.tls_cert_file is None) != (self.tls_key_file is None):
            raise ValueError("tls_cert_file and tls_key_file belong together: give both or neither")
        if self.tls_client_ca_file is not None and self.tls_cert_file is None:
            raise ValueError("tls_client_ca_file needs tls_cert_file and tls_key_file")
        ports = [port for port in (self.grpc_port, self.otlp_http_port, self.api_port) if port]
        if len(set(ports)) < len(ports):
            raise ValueError("grpc_port, otlp_http_port and api_port must differ")
        return self

    @property
    def safe_database_url(self) -> str:
        """The database URL without its password."""
        return safe_url(self.database_url)

    @property
    def tls(self) -> bool:
        """True when every port speaks TLS."""
        return self.tls_cert_file is not None
