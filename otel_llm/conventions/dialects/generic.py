"""What is left when no dialect is recognised: names that several products share, and this project's own."""

from otel_llm.conventions import values
from otel_llm.conventions.dialect import Dialect, Opened, Prefix, Source
from otel_llm.conventions.opening import parts_of

GENERIC = Dialect(
    name="generic",
    title="Shared names",
    order=1000,
    fingerprints=("llm.*",),
    raw_cache=True,
    sources=(
        # LangDB's documented span attributes, on any span
        Source("request_tags", 10, "tags", values.pairs),
        Source("request_tags", 20, "langdb.tags", values.pairs),
        Source("user_id", 245, "user#id"),
        Source("user_name", 20, "user#name"),
        Source("user_tags", 20, "user#tags"),
        # Flashback's dimensions and AgentLens' agent, on the span or its resource
        Source("repo_id", 10, "flashback.repo_id"),
        Source("repo_id", 20, "flashback.repo_id", on="resource"),
        Source("ai_llm_id", 10, "flashback.ai_llm_id"),
        Source("ai_llm_id", 20, "flashback.ai_llm_id", on="resource"),
        Source("api_key_id", 10, "flashback.api_key_id"),
        Source("api_key_id", 20, "flashback.api_key_id", on="resource"),
        Source("agentlens_agent_id", 10, "agentlens.agentId"),
        Source("agentlens_agent_id", 20, "agentlens.agentId", on="resource"),
    ),
    opened=(
        Opened(
            "user",
            parts_of(
                "id", "name", "tags", id=("id", "user_id"), name=("name", "user_name"), tags=("tags", "user_tags", "tiers")
            ),
        ),
    ),
    prefixes=(
        Prefix("tag.", "request_tags", 30, frozenset({"tag.tags"})),
        Prefix("langdb.tag.", "request_tags", 40),
    ),
    # names that apps and agent frameworks without a table of their own give to the conversation
    content=(
        *("input", "output", "inputs", "outputs", "prompt", "completion", "completions", "content", "messages"),
        *("assistant_response", "user_message", "llm.request.messages", "llm.response.content", "tool_call.arguments"),
        *("tool.output", "tool.input", "langdb.input", "langdb.output", "http.request.body", "http.response.body"),
        *("gen_ai.request.messages", "gen_ai.request.instructions", "gen_ai.response.text", "gen_ai.response.messages"),
        # as captured: Logfire's wrapper of OpenAI Agents, OpenLIT's workflows, MLflow's chunks and agents
        *("raw_input", "raw_output", "gen_ai.task.input", "gen_ai.task.output", "mlflow.chunk.value", "instructions"),
        # LiveKit Agents
        *("lk.user_input", "lk.input_text", "lk.instructions", "lk.response.text", "lk.response.function_calls"),
        *("lk.chat_ctx", "lk.function_tools", "lk.function_tool.arguments", "lk.function_tool.output", "lk.user_transcript"),
    ),
)

DIALECTS = (GENERIC,)
