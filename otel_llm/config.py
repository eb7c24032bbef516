"""One settings object for every process: defaults < file < environment (``OTEL_LLM_*``) < flags."""

from pydantic_settings import BaseSettings, SettingsConfigDict

MIB = 1024 * 1024


class Settings(BaseSettings):
    """Every setting of a collector. The field name in upper case after ``OTEL_LLM_`` is its environment variable."""

    model_config = SettingsConfigDict(env_prefix="OTEL_LLM_", extra="forbid", frozen=True)

    database_url: str = "duckdb:///otel-llm.duckdb"
    """SQLAlchemy URL of the store."""
    host: str = "127.0.0.1"
    """Address that every server binds."""
    grpc_port: int = 4317
    """OTLP/gRPC port."""
    otlp_http_port: int = 4318
    """OTLP/HTTP port."""
    api_port: int = 8000
    """Query API and dashboard port."""
    max_message_bytes: int = 64 * MIB
    """Largest OTLP message, after decompression (the limit OTLP 1.11 recommends)."""
    ingest_budget_bytes: int = 256 * MIB
    """Bytes of requests in flight, all protocols together, before senders are told to come back."""
    commit_interval_ms: float = 3.0
    """Longest time a request waits for others to share its commit, when no commit is running."""
    commit_max_spans: int = 16_384
    """Most spans in one commit."""
    related_margin_s: int = 3600
    """How far from a batch's own times its duplicates and relatives are looked for."""
    capture_content: bool = False
    """Keep message content (prompts, completions, tool arguments)."""
    query_timeout_s: float = 30.0
    """Longest time one query may run."""
