"""Agent frameworks, gateways in the process, and what instruments them."""

from tests.captures.setups import EXPORTERS, SESSION, TAGS, USER, Library, Scenario, plain


def of_user(name: str, does: str) -> Scenario:
    return Scenario(name, does, USER, SESSION, TAGS)


OFFLINE = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "ANONYMIZED_TELEMETRY": "false"}
"""LiteLLM's price table as installed: it would be downloaded otherwise."""

LITELLM_V2 = Library(
    "litellm_v2",
    ("litellm", *EXPORTERS),
    (
        plain("chat", "one chat completion"),
        plain("chat_stream", "one streamed chat completion with include_usage"),
        plain("cached", "a chat completion with a cached part"),
        Scenario("anthropic_cached", "an Anthropic message with a cached part", providers=("anthropic",)),
        Scenario("anthropic_stream", "the same, streamed", providers=("anthropic",)),
        Scenario("gemini", "a Gemini request with a cached part", providers=("gcp.gemini",)),
        plain("embeddings", "one embeddings request"),
        plain("responses", "one request of the Responses API"),
        of_user("user_session", "one chat completion with user, session and tags"),
        plain("error_429", "a chat completion answered by 429"),
    ),
    environment={
        "LITELLM_OTEL_V2": "true",
        "OTEL_EXPORTER": "otlp_http",
        "OTEL_ENDPOINT": "{endpoint}/v1/traces",
        "OTEL_BSP_SCHEDULE_DELAY": "300",
        **OFFLINE,
    },
    venv_of="litellm",
)

LANGSMITH = Library(
    "langsmith",
    ("langsmith[otel]", "openai", "langchain", "langchain-openai", "langgraph", "langchain-anthropic", *EXPORTERS),
    (
        plain("chat", "the wrapped OpenAI client"),
        plain("chat_stream", "the same, streamed with include_usage"),
        plain("cached", "the same, with a cached part"),
        plain("responses", "the same, Responses API with a cached part"),
        Scenario("anthropic_cached", "the wrapped Anthropic client, with a cached part", providers=("anthropic",)),
        Scenario("user_session", "a traced chain with a retriever and a completion", USER, SESSION, TAGS),
        plain("error_429", "the wrapped OpenAI client, answered by 429"),
        plain("langchain_cached", "LangChain's OpenAI model with a cached part"),
        plain("langchain_stream", "the same, streamed"),
        Scenario("langchain_anthropic", "LangChain's Anthropic model with a cached part", providers=("anthropic",), twice=True),
        of_user("langgraph_agent", "a ReAct agent with a tool, two model calls"),
    ),
    environment={"LANGSMITH_TRACING": "true", "LANGSMITH_OTEL_ENABLED": "true", "LANGSMITH_OTEL_ONLY": "true"},
)

_AGENTS = (
    plain("chat", "an agent on chat completions"),
    plain("cached", "an agent on the Responses API, with a cached part"),
    plain("tool", "an agent with a tool, two model calls"),
    plain("stream", "an agent, streaming"),
    plain("handoff", "an agent hands over to another, two model calls"),
    plain("error_429", "an agent whose model answers 429"),
)

OPENAI_AGENTS = tuple(
    Library(
        f"openai_agents_{kind}",
        ("openai-agents", *packages, *EXPORTERS),
        (
            *(
                each._replace(lacks=frozenset({"usage"})) if (kind, each.name) == ("traceloop", "chat") else each
                for each in _AGENTS
            ),
            *further,
        ),
        environment={"INSTRUMENTATION": kind, "OPENAI_AGENTS_DISABLE_TRACING": "0"},
        app="openai_agents",
        venv_of=venv,
    )
    for kind, venv, packages, further in (
        (
            "openinference",
            "openai_agents",
            ("openinference-instrumentation-openai-agents",),
            (of_user("user_session", "an agent with a tool under using_attributes"),),
        ),
        (
            "traceloop",
            "openai_agents_traceloop",
            ("opentelemetry-instrumentation-openai-agents", "opentelemetry-instrumentation-openai"),
            (
                plain("tool_both", "an agent with a tool; the client is instrumented too"),
                plain("chat_both", "an agent on chat completions; the client is instrumented too"),
            ),
        ),
        (
            "genai",
            "openai_agents_genai",
            ("opentelemetry-instrumentation-genai-openai-agents", "opentelemetry-instrumentation-genai-openai"),
            (),
        ),
        ("logfire", "logfire", ("logfire",), ()),
    )
)

LOGFIRE = Library(
    "logfire",
    ("logfire", "openai", "anthropic", *EXPORTERS),
    (
        plain("chat", "one chat completion"),
        plain("chat_stream", "one streamed chat completion with include_usage"),
        plain("cached", "a chat completion with a cached part"),
        plain("error_429", "a chat completion answered by 429"),
        plain("embeddings", "one embeddings request"),
        plain("responses", "one request of the Responses API"),
        plain("responses_stream", "the same, streamed"),
        plain("tool", "two chat completions"),
        Scenario("anthropic_cached", "an Anthropic message with a cached part", providers=("anthropic",)),
        Scenario("anthropic_stream", "the same, streamed", providers=("anthropic",)),
        of_user("user_session", "a chat completion in a span with baggage and tags"),
    ),
)

PYDANTIC_AI = Library(
    "pydantic_ai_clouds",
    ("pydantic-ai-slim[openai,anthropic,google,bedrock,mistral,groq]", *EXPORTERS),
    (
        Scenario("google_cached", "Gemini with a cached part and reasoning", providers=("gcp.gemini",)),
        Scenario("google_tool", "Gemini with a tool", providers=("gcp.gemini",)),
        Scenario("google_stream", "Gemini, streamed", providers=("gcp.gemini",)),
        Scenario("bedrock_cached", "Bedrock with cache reads and writes", providers=("aws.bedrock",)),
        Scenario("mistral", "Mistral", providers=("mistral_ai",)),
        Scenario("groq", "Groq", providers=("groq",)),
        plain("responses_cached", "OpenAI's Responses API with a cached part and reasoning"),
    ),
    app="pydantic_ai",
    venv_of="pydantic_ai",
)

CREWAI = Library(
    "crewai",
    ("crewai", "openinference-instrumentation-crewai", *EXPORTERS),
    (
        plain("crew", "a crew of one agent and one task"),
        plain("stream", "the same, streaming"),
        of_user("user_session", "the same with a tool, under using_attributes"),
        plain("error_429", "the same with a model that answers 429"),
    ),
    environment=OFFLINE,
)

HAYSTACK = Library(
    "haystack",
    ("haystack-ai", "openinference-instrumentation-haystack", *EXPORTERS),
    (
        plain("chat", "a pipeline with one generator"),
        plain("cached", "the same with a cached part"),
        plain("stream", "the same, streamed"),
        plain("embeddings", "a pipeline with an embedder"),
        of_user("user_session", "a pipeline under using_attributes"),
        plain("error_429", "a generator whose model answers 429"),
    ),
    environment={"HAYSTACK_TELEMETRY_ENABLED": "False"},
)

DSPY = Library(
    "dspy",
    ("dspy", "openinference-instrumentation-dspy", *EXPORTERS),
    (
        plain("predict", "one predictor"),
        of_user("user_session", "one predictor under using_attributes"),
        plain("error_429", "a predictor whose model answers 429"),
    ),
    environment=OFFLINE,
)

SMOLAGENTS = Library(
    "smolagents",
    ("smolagents", "openai", "openinference-instrumentation-smolagents", *EXPORTERS),
    (
        plain("agent", "a tool-calling agent"),
        plain("stream", "the same, streaming"),
        of_user("user_session", "the same under using_attributes"),
        plain("error_429", "the same with a model that answers 429"),
    ),
    venv_of="smol",
)

AGNO = Library(
    "agno",
    ("agno", "openai", "openinference-instrumentation-agno", *EXPORTERS),
    (
        plain("chat", "an agent, one turn"),
        plain("cached", "the same with a cached part"),
        plain("stream", "the same, streaming"),
        Scenario("tool", "an agent with a tool, two model calls; user and session", USER, SESSION),
        plain("error_429", "an agent whose model answers 429"),
    ),
)

AUTOGEN = Library(
    "autogen",
    ("autogen-agentchat", "autogen-ext[openai]", *EXPORTERS),
    (plain("chat", "an assistant agent"), plain("tool", "the same with a tool")),
)

LAMINAR = Library(
    "laminar",
    ("lmnr", "openai", "anthropic", *EXPORTERS),
    (
        plain("chat", "one chat completion"),
        plain("chat_stream", "one streamed chat completion with include_usage"),
        plain("cached", "a chat completion with a cached part"),
        plain("error_429", "a chat completion answered by 429"),
        plain("embeddings", "one embeddings request"),
        plain("responses", "one request of the Responses API"),
        plain("tool", "two chat completions"),
        Scenario("anthropic_cached", "an Anthropic message with a cached part", providers=("anthropic",)),
        of_user("user_session", "an observed function with user, session and tags"),
    ),
)

VERCEL_AI_7 = Library(
    "vercel_ai_7",
    (
        "ai",
        "@ai-sdk/openai",
        "@ai-sdk/anthropic",
        "@ai-sdk/otel",
        "@opentelemetry/exporter-trace-otlp-proto",
        "@opentelemetry/sdk-trace-base",
        "@opentelemetry/sdk-trace-node",
        "zod",
    ),
    (
        plain("chat", "generateText"),
        plain("stream", "streamText"),
        plain("cached", "generateText with a cached part"),
        plain("responses", "generateText on the Responses API with a cached part"),
        plain("responses_stream", "streamText on the Responses API"),
        Scenario("anthropic_cached", "generateText with cache reads and writes", providers=("anthropic",)),
        plain("tool", "generateText with a tool, two steps"),
        plain("embed", "embed"),
        plain("embed_many", "embedMany"),
        Scenario("user_session", "generateText with user and session in its context", USER, SESSION),
        plain("error_429", "generateText answered by 429"),
    ),
    runtime="node",
)

CLAUDE_CODE = Library(
    "claude_code",
    ("@anthropic-ai/claude-code",),
    (plain("prompt", "one prompt", "the call is in a log event, in a span and in metrics: the request's id joins them"),),
    providers=("anthropic",),
    environment={
        "ANTHROPIC_BASE_URL": "{model}",
        "ANTHROPIC_API_KEY": "none",
        "ANTHROPIC_SMALL_FAST_MODEL": "claude-haiku-4-5",
        "CLAUDE_CODE_MAX_OUTPUT_TOKENS": "20",
        "CLAUDE_CODE_ENABLE_TELEMETRY": "1",
        "CLAUDE_CODE_ENHANCED_TELEMETRY_BETA": "1",
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "DISABLE_AUTOUPDATER": "1",
        "OTEL_TRACES_EXPORTER": "otlp",
        "OTEL_LOGS_EXPORTER": "otlp",
        "OTEL_METRICS_EXPORTER": "otlp",
        "OTEL_METRIC_EXPORT_INTERVAL": "1000",
        "OTEL_LOGS_EXPORT_INTERVAL": "500",
    },
    runtime="node",
)

AGENT_LIBRARIES = (
    CLAUDE_CODE,
    VERCEL_AI_7,
    LITELLM_V2,
    LANGSMITH,
    *OPENAI_AGENTS,
    LOGFIRE,
    PYDANTIC_AI,
    CREWAI,
    HAYSTACK,
    DSPY,
    SMOLAGENTS,
    AGNO,
    AUTOGEN,
    LAMINAR,
)
