"""Coding agents on the command line: spans and, through the same names, the log events that report their calls."""

from otel_llm.conventions import values
from otel_llm.conventions.dialect import Dialect, Source

_CLAUDE = frozenset({"claude_code"})
_CODEX = frozenset({"codex"})
_GEMINI = frozenset({"gemini_cli"})
_ALL = _CLAUDE | _CODEX | _GEMINI

CLAUDE_CODE = Dialect(
    name="claude_code",
    title="Claude Code",
    order=6,
    scopes=("com.anthropic.claude_code*", "claude_code*", "claude-code*"),
    fingerprints=("cache_creation_tokens", "claude_code.*"),
    provider="anthropic",
    # input_tokens leaves cache reads and writes out.
    exclusive_cache=("*",),
    sources=(
        Source("span_type", 10, "span.type"),
        Source("request_model", 80, "model", only=_ALL),
        Source("input_tokens", 100, "input_tokens", only=_ALL),
        Source("output_tokens", 100, "output_tokens", only=_ALL),
        Source("cache_read_tokens", 120, "cache_read_tokens", only=_CLAUDE),
        Source("cache_write_tokens", 110, "cache_creation_tokens", only=_CLAUDE),
        Source("cost", 90, "cost_usd", only=_ALL),
        Source("cost", 100, "cost_usd_micros", values.money_micros, only=_ALL),
        Source("ttft", 60, "ttft_ms", values.milliseconds),
        Source("logged_duration", 20, "duration_ms", values.milliseconds, only=_ALL),
        Source("finish_reasons", 60, "stop_reason", only=_ALL),
        Source("response_id", 30, "request_id", only=_ALL),
        Source("service_tier", 50, "speed", only=_CLAUDE),
        Source("success", 10, "success", only=_ALL),
        Source("http_status", 30, "status_code", values.status, only=_ALL),
        Source("error_text", 20, "error", only=_ALL),
        Source("user_id", 250, "user.account_uuid"),
        Source("version", 30, "app.version"),
        Source("agent_id", 20, "agent_id", only=_ALL),
        Source("tool_name", 50, "tool_name", only=_ALL),
    ),
    content=("user_prompt", "new_context", "tool_input", "tool_output", "prompt", "response_text"),
)

CODEX = Dialect(
    name="codex",
    title="Codex CLI",
    order=7,
    scopes=("codex*",),
    fingerprints=("codex.*",),
    provider="openai",
    sources=(
        Source("request_model", 100, "slug", only=_CODEX),
        Source("input_tokens", 110, "input_token_count"),
        Source("output_tokens", 110, "output_token_count"),
        Source("cache_read_tokens", 130, "cached_token_count"),
        Source("reasoning_tokens", 90, "reasoning_token_count"),
        Source("session_id", 190, "conversation.id"),
        Source("user_id", 260, "user.account_id"),
    ),
    content=("arguments", "output"),
)

GEMINI_CLI = Dialect(
    name="gemini_cli",
    title="Gemini CLI",
    order=8,
    scopes=("gemini-cli*", "gemini_cli*"),
    fingerprints=("gemini_cli.*", "thoughts_token_count"),
    provider="gcp.gemini",
    # Thoughts are not inside output_token_count.
    exclusive_reasoning=("*",),
    sources=(
        Source("cache_read_tokens", 140, "cached_content_token_count"),
        Source("reasoning_tokens", 100, "thoughts_token_count"),
        Source("total_tokens", 80, "total_token_count"),
        Source("finish_reasons", 80, "finish_reasons", only=_GEMINI),
    ),
    content=("request_text", "response_text", "function_args"),
)

DIALECTS = (CLAUDE_CODE, CODEX, GEMINI_CLI)
