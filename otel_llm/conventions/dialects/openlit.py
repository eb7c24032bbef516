"""OpenLIT."""

from otel_llm.conventions.dialect import Dialect, Source

OPENLIT = Dialect(
    name="openlit",
    title="OpenLIT",
    order=10,
    scopes=("openlit*",),
    fingerprints=("telemetry.sdk.name", "openlit.*"),
    # Seen in its exports: 220 reported of 1,500 true input tokens, the rest cached (CONVENTIONS 7.5).
    exclusive_cache=("*",),
    exclusive_providers=frozenset({"anthropic", "aws.bedrock"}),
    exclusive_reasoning=("openlit.instrumentation.google_ai_studio*",),
    sources=(
        Source("cost", 20, "gen_ai.usage.cost"),
        Source("total_tokens", 60, "gen_ai.client.token.usage"),
        Source("cache_read_tokens", 50, "gen_ai.usage.prompt_tokens_details.cached_tokens"),
        Source("cache_write_tokens", 60, "gen_ai.usage.prompt_tokens_details.cache_creation_tokens"),
        Source("reasoning_tokens", 30, "gen_ai.usage.completion_tokens_details.reasoning_tokens"),
        Source("user_id", 50, "gen_ai.request.user"),
        Source("session_id", 40, "gen_ai.session.id"),
        Source("app", 40, "service.name"),
    ),
    content=(
        "gen_ai.content.prompt",
        "gen_ai.content.completion",
        "gen_ai.content.revised_prompt",
        "function.args",
        "function.kwargs",
    ),
    content_prefixes=("gen_ai.content.",),
)

DIALECTS = (OPENLIT,)
