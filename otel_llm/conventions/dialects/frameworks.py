"""Agent frameworks that write GenAI names and differ in little: units, sessions, what their input counts include."""

from otel_llm.conventions.dialect import Dialect, Source

STRANDS = Dialect(
    name="strands",
    title="Strands Agents",
    order=35,
    # Time to first token in milliseconds; provider always 'strands-agents'.
    scopes=("strands*",),
    content=("system_prompt", "tool.result", "tool.parameters"),
    content_events=("gen_ai.tool.message", "gen_ai.choice"),
)

ADK = Dialect(
    name="adk",
    title="Google ADK",
    order=36,
    scopes=("gcp.vertex.agent*",),
    fingerprints=("gcp.vertex.agent.*",),
    sources=(Source("session_id", 140, "gcp.vertex.agent.session_id"),),
    content=(
        "gcp.vertex.agent.llm_request",
        "gcp.vertex.agent.llm_response",
        "gcp.vertex.agent.tool_call_args",
        "gcp.vertex.agent.tool_response",
        "gcp.vertex.agent.data",
    ),
)

SPRING_AI = Dialect(
    name="spring_ai",
    title="Spring AI",
    order=37,
    # Every value is text, a missing one is 'none'; counts are the provider's own.
    scopes=("org.springframework*",),
    fingerprints=("spring.ai.*",),
    raw_cache=True,
    sources=(
        Source("spring_kind", 10, "spring.ai.kind"),
        Source("session_id", 130, "spring.ai.chat.client.conversation.id"),
        Source("is_streaming", 60, "spring.ai.chat.client.stream"),
        Source("app", 35, "spring.application.name", on="resource"),
        Source("tool_name", 40, "spring.ai.tool.definition.name"),
    ),
    content=(
        "spring.ai.tool.call.arguments",
        "spring.ai.tool.call.result",
        "spring.ai.tool.definition.description",
        "spring.ai.tool.definition.schema",
        "spring.ai.chat.client.user.text",
        "spring.ai.chat.client.system.text",
        "spring.ai.chat.client.user.params",
        "spring.ai.chat.client.system.params",
        "spring.ai.vector_store.query",
        "db.vector.query.content",
        "db.vector.query.response.documents",
    ),
    content_prefixes=("spring.ai.chat.client.user.", "spring.ai.chat.client.system.", "spring.ai.chat.client.advisor.params"),
    content_events=("gen_ai.content.prompt", "gen_ai.content.completion"),
)

MEAI = Dialect(
    name="meai",
    title=".NET Microsoft.Extensions.AI",
    order=38,
    scopes=("Experimental.Microsoft.Extensions.AI*", "Microsoft.Extensions.AI*", "OpenAI.ChatClient*", "Azure.AI.*"),
)

AGENT_FRAMEWORK = Dialect(
    name="agent_framework",
    title="Microsoft Agent Framework",
    order=39,
    # The connector's raw number.
    scopes=("agent_framework*", "Experimental.Microsoft.Agents.AI*"),
    raw_cache=True,
)

SEMANTIC_KERNEL = Dialect(
    name="semantic_kernel",
    title="Semantic Kernel",
    order=41,
    scopes=("semantic_kernel*", "Microsoft.SemanticKernel*"),
    content=("gen_ai.event.content", "gen_ai.tool.call.arguments", "gen_ai.tool.call.result"),
    content_events=("gen_ai.content.prompt", "gen_ai.content.completion"),
)

LLAMAINDEX = Dialect(
    name="llamaindex",
    title="LlamaIndex, native",
    order=42,
    scopes=("llama_index*", "llamaindex*"),
    content_prefixes=("llama_index.",),
    content_events=tuple(
        f"{name}Event"
        for name in [
            "AgentChatWithStepStart",
            "AgentChatWithStepEnd",
            "AgentRunStepStart",
            "AgentRunStepEnd",
            "AgentToolCall",
            "StreamChatStart",
            "StreamChatEnd",
            "StreamChatError",
            "StreamChatDeltaReceived",
            "EmbeddingStart",
            "EmbeddingEnd",
            "SparseEmbeddingStart",
            "SparseEmbeddingEnd",
            "LLMPredictStart",
            "LLMPredictEnd",
            "LLMStructuredPredictStart",
            "LLMStructuredPredictInProgress",
            "LLMStructuredPredictEnd",
            "LLMCompletionStart",
            "LLMCompletionInProgress",
            "LLMCompletionEnd",
            "LLMChatStart",
            "LLMChatInProgress",
            "LLMChatEnd",
            "QueryStart",
            "QueryEnd",
            "ReRankStart",
            "ReRankEnd",
            "RetrievalStart",
            "RetrievalEnd",
            "SynthesizeStart",
            "SynthesizeEnd",
            "GetResponseStart",
            "GetResponseEnd",
            "SpanDrop",
            "Exception",
        ]
    ),
)

HAYSTACK = Dialect(
    name="haystack",
    title="Haystack, native",
    order=43,
    scopes=("haystack*",),
    fingerprints=("haystack.*",),
    content=(
        "haystack.component.input",
        "haystack.component.output",
        "haystack.pipeline.input_data",
        "haystack.pipeline.output_data",
        "haystack.agent.steps",
    ),
)

CREWAI = Dialect(
    name="crewai",
    title="CrewAI, native",
    order=44,
    scopes=("crewai*",),
    content=("crew_inputs", "crew_tasks", "crew_agents", "task_output", "formatted_description", "formatted_expected_output"),
    content_prefixes=("crewai.prompt", "crewai.response", "crewai.messages"),
)

DIALECTS = (STRANDS, ADK, SPRING_AI, MEAI, AGENT_FRAMEWORK, SEMANTIC_KERNEL, LLAMAINDEX, HAYSTACK, CREWAI)
