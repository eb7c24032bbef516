"""The libraries that are captured, and the scenarios of each."""

from tests.captures.agents import AGENT_LIBRARIES
from tests.captures.clients import CLIENT_LIBRARIES
from tests.captures.setups import EXPORTERS, SESSION, TAGS, USER, Library, Scenario, plain

MLFLOW = Library(
    "mlflow",
    ("mlflow", "openai", "anthropic", *EXPORTERS),
    (
        plain("chat", "one chat completion"),
        plain("chat_stream", "one streamed chat completion with include_usage"),
        plain("cached", "a chat completion with a cached part"),
        plain("tool", "agent span, tool span, two chat completions"),
        plain("error_429", "a chat completion answered by 429"),
        Scenario("embeddings", "one embeddings request", lacks=frozenset({"embeddings usage"})),
        plain("responses", "one request of the Responses API"),
        plain(
            "anthropic_cached",
            "an Anthropic message with a cached part",
            "the usage is Anthropic's own: without its cache parts",
        ),
        Scenario("user_session", "a traced function with user, session and tags", USER, SESSION, TAGS),
        Scenario(
            "chat_semconv", "one chat completion, semconv names", environment={"MLFLOW_ENABLE_OTEL_GENAI_SEMCONV": "true"}
        ),
    ),
    providers=("openai", "anthropic"),
    environment={"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "{endpoint}/v1/traces"},
)

STRANDS = Library(
    "strands",
    ("strands-agents[otel,openai,gemini]", *EXPORTERS),
    (
        plain("chat", "an agent without tools, one turn"),
        plain("cached", "an agent, a prompt with a cached part"),
        plain(
            "two_turns",
            "one agent object, two turns, a tool in the first",
            "the agent span's usage is of the object's whole life",
        ),
        Scenario("user_session", "an agent with trace_attributes", USER, SESSION, TAGS),
        plain("error_429", "an agent whose model answers 429"),
    ),
)

ADK = Library(
    "google_adk",
    ("google-adk", "opentelemetry-instrumentation-google-genai", *EXPORTERS),
    (
        plain("chat", "an agent without tools"),
        plain("chat_stream", "an agent, streaming"),
        plain("cached", "an agent, a prompt with a cached part, reasoning in the output"),
        Scenario("tool", "an agent with a tool, two model calls", USER, SESSION),
        plain("tool_both", "the same with the google-genai instrumentation"),
        Scenario(
            "v1_both",
            "the tool scenario in ADK's first schema, with the google-genai instrumentation",
            environment={"ADK_TELEMETRY_SCHEMA_VERSION_OPT_IN": "1"},
        ),
        plain("stream_both", "streaming with the google-genai instrumentation"),
        plain("error_429", "an agent whose model answers 429"),
    ),
    providers=("gcp.gemini",),
)

VENDOR_MIX = Library(
    "vendor_mix",
    (
        "langchain",
        "langgraph",
        "langchain-openai",
        "opentelemetry-instrumentation-langchain",
        "opentelemetry-instrumentation-genai-openai",
        *EXPORTERS,
    ),
    (
        plain("chain", "a prompt and a model in a chain"),
        plain("cached", "a model, a prompt with a cached part"),
        Scenario("stream", "a streamed answer with usage", twice=True),
        Scenario(
            "langgraph_agent",
            "a ReAct agent with a tool; user, session and tags in the config; no content, which is large here",
            USER,
            SESSION,
            TAGS,
            environment={"TRACELOOP_TRACE_CONTENT": "false"},
        ),
        plain("embeddings", "two texts embedded"),
        Scenario("error_429", "a model that answers 429", twice=True),
    ),
    transport="grpc",
)

LLAMAINDEX = Library(
    "llamaindex",
    (
        "llama-index-core",
        "llama-index-llms-openai",
        "llama-index-embeddings-openai",
        "openinference-instrumentation-llama-index",
        *EXPORTERS,
    ),
    (
        plain("chat", "one completion"),
        plain("chat_stream", "one streamed completion with include_usage"),
        plain("cached", "a completion with a cached part"),
        Scenario(
            "rag",
            "an index and a query: embeddings, retrieval, a completion",
            USER,
            SESSION,
            TAGS,
            frozenset({"embeddings usage"}),
            ("embedding and completion are each reported by two nested spans",),
        ),
        plain("agent", "a function agent with a tool, two model calls"),
        Scenario(
            "agent_stream",
            "the same, streaming",
            lacks=frozenset({"usage"}),
            traps=("the first-token event is written after the span's end",),
        ),
        plain("error_429", "a completion answered by 429"),
    ),
)

SEMANTIC_KERNEL = Library(
    "semantic_kernel",
    ("semantic-kernel", *EXPORTERS),
    (
        plain("chat", "one chat completion"),
        plain("cached", "a chat completion with a cached part"),
        plain("chat_stream", "one streamed chat completion"),
        plain("tool", "a kernel function called by the model, two model calls"),
        plain("agent", "an agent with a plugin"),
        plain("error_429", "a chat completion answered by 429"),
    ),
    environment={"SEMANTICKERNEL_EXPERIMENTAL_GENAI_ENABLE_OTEL_DIAGNOSTICS": "true"},
)

AGENT_FRAMEWORK = Library(
    "agent_framework",
    ("agent-framework-core", "agent-framework-openai", *EXPORTERS),
    (
        plain("chat", "an agent, one turn"),
        plain("cached", "an agent, a prompt with a cached part"),
        plain("chat_stream", "an agent, streaming"),
        plain("two_steps", "an agent with a tool, two model calls"),
        plain("responses", "an agent on the Responses API"),
        plain("error_429", "an agent whose model answers 429"),
    ),
)

LIBRARIES = (
    MLFLOW,
    STRANDS,
    ADK,
    VENDOR_MIX,
    LLAMAINDEX,
    SEMANTIC_KERNEL,
    AGENT_FRAMEWORK,
    *AGENT_LIBRARIES,
    *CLIENT_LIBRARIES,
)
