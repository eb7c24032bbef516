"""Provider names: one spelling for each, and what to conclude when a span names none."""

import re
from functools import lru_cache
from typing import Any

from otel_llm.conventions import values

SPELLINGS: dict[str, tuple[str, ...]] = {
    "openai": ("openai",),
    "azure.ai.openai": ("az.ai.openai", "azure", "azure_openai", "azure-openai", "azure.ai.openai", "azureopenai"),
    "azure.ai.inference": ("az.ai.inference", "azure.ai.inference", "azure_ai", "azure_ai_inference"),
    "anthropic": ("anthropic",),
    "gcp.gemini": (
        "gemini",
        "google",
        "google_genai",
        "google-genai",
        "google-generative-ai",
        "google_generativeai",
        "google.generative-ai",
        "gcp.gemini",
    ),
    "gcp.vertex_ai": (
        "vertex_ai",
        "vertexai",
        "vertex-ai",
        "google.vertex",
        "google_vertexai",
        "gcp.vertex_ai",
        "google-vertex",
    ),
    "gcp.gen_ai": ("gcp.gen_ai",),
    "aws.bedrock": (
        "bedrock",
        "aws",
        "amazon",
        "amazon-bedrock",
        "amazon_bedrock",
        "bedrock_converse",
        "aws_bedrock",
        "aws.bedrock",
    ),
    "mistral_ai": ("mistral", "mistralai", "mistral_ai", "mistral-ai"),
    "x_ai": ("xai", "x_ai", "x-ai"),
    "ibm.watsonx.ai": ("watsonx", "ibm.watsonx.ai", "ibm_watsonx", "watson"),
    "moonshot_ai": ("moonshot", "moonshotai", "moonshot_ai"),
    "together_ai": ("together", "together_ai", "togetherai"),
    "fireworks": ("fireworks", "fireworks_ai", "fireworksai"),
    "huggingface": ("huggingface", "hugging_face"),
    "cohere": ("cohere", "cohere_chat"),
}
"""Canonical provider names (OpenTelemetry GenAI registry) and the spellings met, in lower case."""

FRAMEWORKS = frozenset(
    {
        "strands-agents",
        "strands_agents",
        "langchain",
        "langgraph",
        "llama_index",
        "llamaindex",
        "gcp.vertex.agent",
        "spring_ai",
        "litellm",
        "crewai",
        "autogen",
        "haystack",
        "microsoft.agent_framework",
        "agent_framework",
        "semantic_kernel",
        "pydantic_ai",
        "vercel",
        "mlflow",
        "unknown",
        "none",
        "null",
        "_other",
        "other",
    }
)
"""Names written where a provider belongs, that name a framework or nothing."""

MODEL_PREFIXES: tuple[tuple[str, str], ...] = (
    (
        r"(?:us|eu|apac|au|jp|ca|global|us-gov)\.(?:anthropic|amazon|meta|mistral|cohere|ai21|deepseek|writer|stability)\.",
        "aws.bedrock",
    ),
    (r"(?:anthropic|amazon|meta|ai21|stability|cohere|mistral)\.[a-z]", "aws.bedrock"),
    (r"arn:aws[^:]*:bedrock:", "aws.bedrock"),
    (
        r"gpt-|chatgpt-|o[134](?:-|$)|text-embedding-[3a]|text-davinci|davinci|codex-|dall-e|whisper-|tts-|omni-moderation",
        "openai",
    ),
    (r"ft:gpt-", "openai"),
    (r"claude-", "anthropic"),
    (r"(?:models/)?(?:gemini-|gemma-|text-embedding-00|gemini-embedding)", "gcp.gemini"),
    (r"mistral-|codestral-|ministral-|magistral-|pixtral-|devstral-|open-mi[sx]tral|mixtral-", "mistral_ai"),
    (r"grok-", "x_ai"),
    (r"deepseek-", "deepseek"),
    (r"command-", "cohere"),
)
"""Beginnings of model names (regular expressions, lower case) and the provider they imply; first match."""

HOSTS: tuple[tuple[str, str], ...] = (
    (r".*\.openai\.azure\.com$", "azure.ai.openai"),
    (r".*\.(?:services\.ai\.azure\.com|inference\.ai\.azure\.com|models\.ai\.azure\.com)$", "azure.ai.inference"),
    (r"(?:.*\.)?api\.openai\.com$|api\.openai\.com$", "openai"),
    (r"api\.anthropic\.com$", "anthropic"),
    (r"generativelanguage\.googleapis\.com$", "gcp.gemini"),
    (r".*aiplatform\.googleapis\.com$", "gcp.vertex_ai"),
    (r"bedrock[a-z-]*\..*\.amazonaws\.com(?:\.cn)?$", "aws.bedrock"),
    (r"api\.mistral\.ai$|codestral\.mistral\.ai$", "mistral_ai"),
    (r"api\.x\.ai$", "x_ai"),
    (r"api\.cohere\.(?:com|ai)$", "cohere"),
    (r"api\.groq\.com$", "groq"),
    (r"api\.deepseek\.com$", "deepseek"),
    (r"api\.perplexity\.ai$", "perplexity"),
    (r"openrouter\.ai$", "openrouter"),
    (r"api\.together\.(?:xyz|ai)$", "together_ai"),
    (r"api\.fireworks\.ai$", "fireworks"),
    (r"api\.moonshot\.(?:ai|cn)$", "moonshot_ai"),
    (r".*\.huggingface\.co$", "huggingface"),
)
"""Model endpoints (regular expressions, lower case) and their provider; first match."""

_BY_SPELLING = {spelling: name for name, spellings in SPELLINGS.items() for spelling in spellings}
_MODELS = tuple((re.compile(pattern), name) for pattern, name in MODEL_PREFIXES)
_HOSTS = tuple((re.compile(pattern), name) for pattern, name in HOSTS)


@lru_cache(maxsize=4096)
def normalised(name: str) -> str | None:
    """The canonical name of a provider, or None for a framework's name and for words that mean unknown.

    A dotted name that is no canonical one is read by its beginning: the AI SDK writes ``openai.chat``.
    """
    word = name.strip().lower()
    if not word or word in FRAMEWORKS:
        return None
    found = _BY_SPELLING.get(word)
    if found:
        return found
    parts = word.split(".")
    for length in range(len(parts) - 1, 0, -1):
        found = _BY_SPELLING.get(".".join(parts[:length]))
        if found:
            return found
    if len(parts) > 1 and re.fullmatch(r"[a-z0-9_-]+", parts[0]) and parts[-1] in _API_WORDS:
        return parts[0]
    return word


_API_WORDS = frozenset(
    {"chat", "completion", "completions", "responses", "messages", "embedding", "embeddings", "image", "generative-ai"}
)


def provider(value: Any) -> str | None:
    """Reads a provider name."""
    if value.__class__ is not str:
        return None
    found = values.text(value)
    return normalised(found) if found else None


@lru_cache(maxsize=4096)
def of_model(model: str) -> str | None:
    """The provider that a model name implies; ``vendor/model`` implies the vendor."""
    word = model.strip().lower()
    for pattern, name in _MODELS:
        if pattern.match(word):
            return name
    vendor, slash, _ = word.partition("/")
    if slash and re.fullmatch(r"[a-z0-9_.-]+", vendor) and vendor not in ("models", "publishers", "accounts"):
        return normalised(vendor)
    return None


@lru_cache(maxsize=4096)
def of_host(address: str) -> str | None:
    """The provider whose model endpoint a host is."""
    for pattern, name in _HOSTS:
        if pattern.match(address):
            return name
    return None


def inferred(server_address: str | None, request_model: str | None, response_model: str | None) -> str | None:
    """The provider of a call that names none: from the host, else from the model."""
    found = of_host(server_address) if server_address else None
    if found is None and request_model:
        found = of_model(request_model)
    if found is None and response_model:
        found = of_model(response_model)
    return found
