"""The libraries that are captured, and the scenarios of each."""

from collections.abc import Mapping
from typing import NamedTuple

EXPORTERS = ("opentelemetry-sdk", "opentelemetry-exporter-otlp-proto-http", "opentelemetry-exporter-otlp-proto-grpc")
USER, SESSION, TAGS = "user-ann-42", "session-chat-7", ("team-blue", "stage-beta")


class Scenario(NamedTuple):
    """One run of an app. ``lacks`` names what the export does not carry though it seems to: ``usage``, ``ttft``."""

    name: str
    does: str
    user: str | None = None
    session: str | None = None
    tags: tuple[str, ...] = ()
    lacks: frozenset[str] = frozenset()
    traps: tuple[str, ...] = ()
    environment: Mapping[str, str] = {}


class Library(NamedTuple):
    """One set-up: what is installed, how it exports. ``environment`` may use ``{endpoint}`` and ``{model}``."""

    name: str
    requirements: tuple[str, ...]
    scenarios: tuple[Scenario, ...]
    providers: tuple[str, ...] = ("openai",)
    transport: str = "http"
    environment: Mapping[str, str] = {}
    app: str = ""
    venv_of: str = ""

    @property
    def venv(self) -> str:
        """Name of its environment; several set-ups may share one."""
        return self.venv_of or self.name


def plain(name: str, does: str, *traps: str) -> Scenario:
    return Scenario(name, does, traps=traps)


MLFLOW = Library(
    "mlflow",
    ("mlflow", "openai", "anthropic", *EXPORTERS),
    (
        plain("chat", "one chat completion"),
        plain("chat_stream", "one streamed chat completion with include_usage"),
        plain("cached", "a chat completion with a cached part"),
        plain("tool", "agent span, tool span, two chat completions"),
        plain("error_429", "a chat completion answered by 429"),
        plain("embeddings", "one embeddings request"),
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
        plain("stream_both", "streaming with the google-genai instrumentation"),
        plain("error_429", "an agent whose model answers 429"),
    ),
    providers=("gcp.gemini",),
)

LIBRARIES = (MLFLOW, STRANDS, ADK)
