"""LangSmith's OpenTelemetry export. Its operation names mislead (retriever runs are 'embeddings'): the run type decides."""

from otel_llm.conventions.dialect import Dialect, Opened, Prefix, Source
from otel_llm.conventions.opening import parts_of

_METADATA = "langsmith.metadata."
_INPUT = "gen_ai.usage.input_token_details"
_OUTPUT = "gen_ai.usage.output_token_details"

LANGSMITH = Dialect(
    name="langsmith",
    title="LangSmith",
    order=40,
    scopes=("langsmith*",),
    fingerprints=("langsmith.*",),
    sources=(
        Source("langsmith_kind", 10, "langsmith.span.kind"),
        Source("is_streaming", 50, "langsmith.request.streaming"),
        Source("cache_read_tokens", 150, _INPUT + "#cache_read"),
        Source("cache_write_tokens", 150, _INPUT + "#cache_creation"),
        Source("modality_tokens", 150, _INPUT + "#audio"),
        Source("reasoning_tokens", 150, _OUTPUT + "#reasoning"),
        Source("modality_tokens", 150, _OUTPUT + "#audio"),
        Source("user_id", 150, _METADATA + "user_id"),
        Source("session_id", 150, _METADATA + "session_id"),
        Source("session_id", 160, _METADATA + "thread_id"),
        Source("session_id", 170, _METADATA + "conversation_id"),
        Source("tags", 70, "langsmith.span.tags"),
        Source("app", 20, "langsmith.trace.session_name"),
    ),
    opened=(
        Opened(_INPUT, parts_of("cache_read", "cache_creation", "audio")),
        Opened(_OUTPUT, parts_of("reasoning", "audio")),
    ),
    prefixes=(Prefix(_METADATA, "metadata", 50),),
    content=("gen_ai.serialized.name", "gen_ai.serialized.signature", "gen_ai.serialized.doc", "gen_ai.tool.call.args"),
)

DIALECTS = (LANGSMITH,)
