"""Clients of Google, Amazon Bedrock, Mistral, Groq, Ollama and Cohere under four families of instrumentations."""

from tests.captures.setups import EXPORTERS, Library, Scenario

GOOGLE, BEDROCK, MISTRAL, GROQ, OLLAMA, COHERE, ANTHROPIC = (
    ("gcp.gemini",),
    ("aws.bedrock",),
    ("mistral_ai",),
    ("groq",),
    ("ollama",),
    ("cohere",),
    ("anthropic",),
)
_GOOGLE = (
    Scenario("google_chat", "one request with reasoning", providers=GOOGLE),
    Scenario("google_cached", "one request with a cached part", providers=GOOGLE),
    Scenario("google_stream", "one streamed request", providers=GOOGLE),
    Scenario("google_embeddings", "two texts embedded", providers=GOOGLE, lacks=frozenset({"embeddings usage"})),
    Scenario("google_error", "one request answered by 429", providers=GOOGLE),
)
_BEDROCK = (
    Scenario("bedrock_converse", "Converse", providers=BEDROCK),
    Scenario("bedrock_converse_cached", "Converse with cache reads and writes", providers=BEDROCK),
    Scenario("bedrock_converse_stream", "ConverseStream with cache reads and writes", providers=BEDROCK),
    Scenario("bedrock_invoke", "InvokeModel with Anthropic's body, cache reads and writes", providers=BEDROCK),
    Scenario("bedrock_invoke_stream", "InvokeModelWithResponseStream, the same", providers=BEDROCK),
    Scenario("bedrock_nova", "Converse with a model of Amazon", providers=BEDROCK),
    Scenario("bedrock_error", "Converse answered by 429", providers=BEDROCK),
)
GENAI = {"BEDROCK": "genai"}
_BEDROCK_GENAI = (
    Scenario(
        "bedrock_genai_converse_cached",
        "Converse with cache reads and writes, genai-bedrock",
        providers=BEDROCK,
        environment=GENAI,
    ),
    Scenario("bedrock_genai_converse_stream", "ConverseStream, genai-bedrock", providers=BEDROCK, environment=GENAI),
    Scenario("bedrock_genai_invoke", "InvokeModel, genai-bedrock", providers=BEDROCK, environment=GENAI),
)
_MISTRAL = (
    Scenario("mistral_chat", "one chat completion", providers=MISTRAL),
    Scenario("mistral_stream", "one streamed chat completion", providers=MISTRAL),
    Scenario("mistral_embeddings", "one text embedded", providers=MISTRAL),
    Scenario("mistral_error", "one chat completion answered by 429", providers=MISTRAL),
)
_GROQ = (
    Scenario("groq_chat", "one chat completion", providers=GROQ),
    Scenario("groq_stream", "one streamed chat completion without usage", providers=GROQ, lacks=frozenset({"usage"})),
    Scenario("groq_error", "one chat completion answered by 429", providers=GROQ),
)
_OLLAMA = (
    Scenario("ollama_chat", "one chat", providers=OLLAMA),
    Scenario("ollama_stream", "one streamed chat", providers=OLLAMA),
    Scenario("ollama_generate", "one completion", providers=OLLAMA),
    Scenario("ollama_embeddings", "one text embedded", providers=OLLAMA),
)
_COHERE = (
    Scenario("cohere_chat", "one chat", providers=COHERE),
    Scenario("cohere_stream", "one streamed chat", providers=COHERE),
    Scenario("cohere_embeddings", "one text embedded", providers=COHERE),
)
_ANTHROPIC = (
    Scenario("anthropic_cached", "one message with cache reads and writes", providers=ANTHROPIC),
    Scenario("anthropic_stream", "the same, streamed", providers=ANTHROPIC),
)

OFFICIAL = Library(
    "clouds_official",
    (
        "google-genai<3",
        "opentelemetry-instrumentation-google-genai",
        "boto3",
        "opentelemetry-instrumentation-botocore",
        "opentelemetry-instrumentation-genai-bedrock",
        "anthropic",
        "opentelemetry-instrumentation-genai-anthropic",
        *EXPORTERS,
    ),
    # of InvokeModel with this model botocore exports no cache counts, of its stream nothing
    (*_GOOGLE, *(each for each in _BEDROCK if "_invoke" not in each.name), *_BEDROCK_GENAI, *_ANTHROPIC),
    environment={"INSTRUMENTATION": "official", "OTEL_SEMCONV_STABILITY_OPT_IN": "gen_ai_latest_experimental"},
    app="clouds",
)

MISTRAL_NATIVE = Library(
    "clouds_native",
    ("google-genai", "boto3", "mistralai", "groq", *EXPORTERS),
    (
        *(each for each in _MISTRAL if each.name != "mistral_error"),
        Scenario("mistral_error", "one chat completion answered by 429", providers=MISTRAL, lacks=frozenset({"errors"})),
    ),
    environment={"INSTRUMENTATION": "none", "MISTRAL_SDK_TELEMETRY": "global"},
    app="clouds",
    venv_of="clouds_openinference",
)

OPENINFERENCE = Library(
    "clouds_openinference",
    (
        "google-genai",
        "openinference-instrumentation-google-genai",
        "boto3",
        "openinference-instrumentation-bedrock",
        "mistralai",
        "openinference-instrumentation-mistralai",
        "groq",
        "openinference-instrumentation-groq",
        *EXPORTERS,
    ),
    (*_GOOGLE, *_BEDROCK, *_MISTRAL, *_GROQ),
    environment={"INSTRUMENTATION": "openinference"},
    app="clouds",
)

TRACELOOP = Library(
    "clouds_traceloop",
    (
        "google-genai",
        "opentelemetry-instrumentation-google-generativeai",
        "boto3",
        "opentelemetry-instrumentation-bedrock",
        "mistralai<2",
        "opentelemetry-instrumentation-mistralai",
        "groq",
        "opentelemetry-instrumentation-groq",
        "ollama",
        "opentelemetry-instrumentation-ollama",
        "cohere",
        "opentelemetry-instrumentation-cohere",
        *EXPORTERS,
    ),
    # InvokeModel: no cache counts; embeddings of Google and Ollama, and Cohere's current client: nothing
    (
        *(each._replace(providers=("gcp.gen_ai",)) for each in _GOOGLE if each.name != "google_embeddings"),
        *(each for each in _BEDROCK if "_invoke" not in each.name),
        *(each._replace(twice=each.name == "mistral_chat") for each in _MISTRAL if each.name != "mistral_embeddings"),
        *_GROQ,
        *(each for each in _OLLAMA if each.name != "ollama_embeddings"),
    ),
    environment={"INSTRUMENTATION": "traceloop"},
    app="clouds",
)

OPENLIT = Library(
    "clouds_openlit",
    ("openlit", "openai", "anthropic", "google-genai", "boto3", "mistralai", "groq", "ollama", "cohere", *EXPORTERS),
    (*_GOOGLE, *_BEDROCK, *_MISTRAL, *_GROQ, *_OLLAMA, *_COHERE),
    environment={"INSTRUMENTATION": "openlit"},
    app="clouds",
    venv_of="openlit",
)

MISTRAL_ONE = Library(
    "mistral_sdk_1",
    ("mistralai<2", *EXPORTERS),
    _MISTRAL,
    environment={"INSTRUMENTATION": "none"},
    app="clouds",
    venv_of="clouds_traceloop",
)

CLIENT_LIBRARIES = (MISTRAL_ONE, OFFICIAL, MISTRAL_NATIVE, OPENINFERENCE, TRACELOOP, OPENLIT)
