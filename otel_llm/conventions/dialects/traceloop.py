"""OpenLLMetry (Traceloop SDK and its instrumentations), current and old releases."""

from otel_llm.conventions import names
from otel_llm.conventions.dialect import Dialect, Prefix, Source

_LIBRARIES = ["openai", "agno", "alephalpha", "anthropic", "bedrock", "chromadb", "cohere", "crewai", "google_generativeai", "groq", "haystack", "lancedb", "langchain", "llamaindex", "marqo", "mcp", "milvus", "mistralai", "ollama", "pinecone", "qdrant", "replicate", "sagemaker", "together", "transformers", "voyageai", "watsonx", "weaviate", "writer"]
_PROPERTIES = "traceloop.association.properties."

TRACELOOP = Dialect(
    name="traceloop",
    title="OpenLLMetry (Traceloop)",
    order=70,
    scopes=("traceloop*", *(f"opentelemetry.instrumentation.{library}*" for library in _LIBRARIES)),
    fingerprints=("traceloop.*",),
    exclusive_cache=("opentelemetry.instrumentation.bedrock*",),
    sources=(
        Source("traceloop_kind", 10, "traceloop.span.kind"),
        Source("request_type", 10, "llm.request.type"),
        Source("total_tokens", 20, "llm.usage.total_tokens"),
        Source("input_tokens", 90, "llm.usage.prompt_tokens"),
        Source("output_tokens", 90, "llm.usage.completion_tokens"),
        Source("cache_read_tokens", 20, "gen_ai.usage.cache_read_input_tokens"),
        Source("cache_write_tokens", 30, "gen_ai.usage.cache_creation_input_tokens"),
        Source("cache_write_tokens", 40, "gen_ai.usage.cache_write_input_tokens"),
        Source("reasoning_tokens", 20, "gen_ai.usage.reasoning_tokens"),
        Source("is_streaming", 20, "gen_ai.is_streaming"),
        Source("is_streaming", 30, "llm.is_streaming"),
        Source("finish_reasons", 70, "gen_ai.completion.0.finish_reason"),
        Source("user_id", 40, "gen_ai.user"),
        Source("user_id", 60, "llm.user"),
        Source("user_id", 70, _PROPERTIES + "user_id"),
        Source("user_id", 80, _PROPERTIES + "userId"),
        Source("user_id", 90, _PROPERTIES + "langfuse_user_id"),
        Source("session_id", 50, _PROPERTIES + "session_id"),
        Source("session_id", 55, _PROPERTIES + "sessionId"),
        Source("session_id", 57, _PROPERTIES + "langfuse_session_id"),
        Source("session_id", 60, _PROPERTIES + "thread_id"),
        Source("session_id", 70, _PROPERTIES + "chat_id"),
        Source("tags", 60, _PROPERTIES + "tags"),
        Source("trace_name", 20, "traceloop.workflow.name"),
        Source("entity_name", 10, "traceloop.entity.name"),
        Source("prompt_name", 30, "traceloop.prompt.key"),
        Source("prompt_version", 30, "traceloop.prompt.version"),
        Source("server_address", 20, "gen_ai.openai.api_base"),
        Source("server_port", 30, "gen_ai.openai.api_base", names.url_port),
    ),
    prefixes=(Prefix(_PROPERTIES, "metadata", 30, frozenset({_PROPERTIES + "tags"})),),
    content=(
        "traceloop.entity.input",
        "traceloop.entity.output",
        "llm.prompts",
        "llm.completions",
        "llm.content.prompt",
        "llm.content.completion",
    ),
    content_prefixes=(
        "gen_ai.prompt.",
        "gen_ai.completion.",
        "llm.prompts.",
        "llm.completions.",
        "llm.request.functions.",
        "traceloop.prompt.template",
        "traceloop.prompt.variables",
    ),
    content_events=("gen_ai.content.completion.chunk", "llm.content.completion.chunk"),
)

DIALECTS = (TRACELOOP,)
