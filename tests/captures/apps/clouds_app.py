"""Clients of other providers under the family of instrumentations that the environment names."""

import functools
import importlib
import os
from typing import Any

import app

KIND = os.environ["INSTRUMENTATION"]
os.environ.update(AWS_ACCESS_KEY_ID="none", AWS_SECRET_ACCESS_KEY="none", AWS_DEFAULT_REGION="us-east-1", AWS_MAX_ATTEMPTS="1")
os.environ.update(GOOGLE_API_KEY="none", CO_API_KEY="none", MISTRAL_API_KEY="none", GROQ_API_KEY="none")

INSTRUMENTORS = {
    "official": {
        "google": ("opentelemetry.instrumentation.google_genai", "GoogleGenAiSdkInstrumentor"),
        "bedrock": ("opentelemetry.instrumentation.botocore", "BotocoreInstrumentor"),
        "bedrock_genai": ("opentelemetry.instrumentation.genai.bedrock", "BedrockInstrumentor"),
        "anthropic": ("opentelemetry.instrumentation.genai.anthropic", "AnthropicInstrumentor"),
    },
    "openinference": {
        "google": ("openinference.instrumentation.google_genai", "GoogleGenAIInstrumentor"),
        "bedrock": ("openinference.instrumentation.bedrock", "BedrockInstrumentor"),
        "mistral": ("openinference.instrumentation.mistralai", "MistralAIInstrumentor"),
        "groq": ("openinference.instrumentation.groq", "GroqInstrumentor"),
    },
    "traceloop": {
        "google": ("opentelemetry.instrumentation.google_generativeai", "GoogleGenerativeAiInstrumentor"),
        "bedrock": ("opentelemetry.instrumentation.bedrock", "BedrockInstrumentor"),
        "mistral": ("opentelemetry.instrumentation.mistralai", "MistralAiInstrumentor"),
        "groq": ("opentelemetry.instrumentation.groq", "GroqInstrumentor"),
        "ollama": ("opentelemetry.instrumentation.ollama", "OllamaInstrumentor"),
        "cohere": ("opentelemetry.instrumentation.cohere", "CohereInstrumentor"),
    },
}

if KIND == "openlit":
    import openlit

    openlit.init(otlp_endpoint=os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"], disable_metrics=True, capture_message_content=False)
else:
    PROVIDER = app.provider()
    for client, (module, name) in INSTRUMENTORS.get(KIND, {}).items():
        genai = os.environ.get("BEDROCK") == "genai"
        if client != ("bedrock" if genai else "bedrock_genai"):
            getattr(importlib.import_module(module), name)().instrument(tracer_provider=PROVIDER)

CLAUDE = "us.anthropic.claude-haiku-4-5-20251001-v1:0"


def tolerant(function: Any) -> Any:
    def call() -> None:
        try:
            function()
        except Exception as error:  # whatever the client makes of it
            print(type(error), error)

    return call


@functools.cache  # a client that nobody holds is closed before its request
def google() -> Any:
    from google import genai

    return genai.Client(api_key="none", http_options={"base_url": app.MODEL_URL})


def google_chat(text: str = app.SHORT, model: str = "gemini-2.5-flash") -> None:
    google().models.generate_content(model=model, contents=text)


def google_stream() -> None:
    for _chunk in google().models.generate_content_stream(model="gemini-2.5-flash", contents=app.SHORT):
        pass


def google_embeddings() -> None:
    google().models.embed_content(model="gemini-embedding-001", contents=[app.SHORT, app.OTHER])


def bedrock() -> Any:
    import boto3

    return boto3.client("bedrock-runtime", endpoint_url=app.MODEL_URL, region_name="us-east-1")


def converse(text: str = app.SHORT, model: str = CLAUDE) -> None:
    bedrock().converse(
        modelId=model, messages=[{"role": "user", "content": [{"text": text}]}], inferenceConfig={"maxTokens": 10}
    )


def converse_stream(text: str = app.SHORT) -> None:
    answer = bedrock().converse_stream(modelId=CLAUDE, messages=[{"role": "user", "content": [{"text": text}]}])
    for _event in answer["stream"]:
        pass


def invoke_body(text: str) -> str:
    message = {"role": "user", "content": [{"type": "text", "text": text}]}
    return app.json.dumps({"anthropic_version": "bedrock-2023-05-31", "max_tokens": 12, "messages": [message]})


def invoke(text: str = app.LONG) -> None:
    bedrock().invoke_model(modelId=CLAUDE, body=invoke_body(text))["body"].read()


def invoke_stream(text: str = app.LONG) -> None:
    for _event in bedrock().invoke_model_with_response_stream(modelId=CLAUDE, body=invoke_body(text))["body"]:
        pass


def mistral() -> Any:
    try:
        from mistralai.client import Mistral
    except ImportError:  # its releases before 2, which OpenLLMetry instruments
        from mistralai import Mistral

    return Mistral(api_key="none", server_url=app.MODEL_URL)


MESSAGES = [{"role": "user", "content": app.SHORT}]


def mistral_chat(model: str = "mistral-small-latest") -> None:
    mistral().chat.complete(model=model, messages=MESSAGES)


def mistral_stream() -> None:
    for _event in mistral().chat.stream(model="mistral-small-latest", messages=MESSAGES):
        pass


def mistral_embeddings() -> None:
    mistral().embeddings.create(model="mistral-embed", inputs=[app.SHORT])


def groq() -> Any:
    from groq import Groq

    return Groq(api_key="none", base_url=app.MODEL_URL, max_retries=0)


def groq_chat(model: str = "llama-3.3-70b-versatile") -> None:
    groq().chat.completions.create(model=model, messages=MESSAGES)


def groq_stream() -> None:
    for _chunk in groq().chat.completions.create(model="llama-3.3-70b-versatile", messages=MESSAGES, stream=True):
        pass


def ollama() -> Any:
    from ollama import Client

    return Client(host=app.MODEL_URL)


def ollama_stream() -> None:
    for _chunk in ollama().chat(model="llama3.2", messages=MESSAGES, stream=True):
        pass


def cohere() -> Any:
    from cohere import ClientV2

    return ClientV2(api_key="none", base_url=app.MODEL_URL)


def cohere_stream() -> None:
    for _event in cohere().chat_stream(model="command-r-plus", messages=MESSAGES):
        pass


def anthropic(text: str = app.LONG, **options: Any) -> Any:
    from anthropic import Anthropic

    message = [{"role": "user", "content": text}]
    return Anthropic(base_url=app.MODEL_URL, api_key="none", max_retries=0).messages.create(
        model="claude-haiku-4-5", max_tokens=10, messages=message, **options
    )


def anthropic_stream() -> None:
    for _event in anthropic(stream=True):
        pass


app.run(
    {
        "google_cached": lambda: google_chat(app.LONG),
        "google_error": tolerant(lambda: google_chat(model="gemini-rate-limited")),
        "bedrock_converse": converse,
        "bedrock_converse_cached": lambda: converse(app.LONG),
        "bedrock_converse_stream": lambda: converse_stream(app.LONG),
        "bedrock_invoke": invoke,
        "bedrock_invoke_stream": invoke_stream,
        "bedrock_nova": lambda: converse(model="amazon.nova-lite-v1:0"),
        "bedrock_error": tolerant(lambda: converse(model="anthropic.claude-rate-limited")),
        "bedrock_genai_converse_cached": lambda: converse(app.LONG),
        "bedrock_genai_converse_stream": lambda: converse_stream(app.LONG),
        "bedrock_genai_invoke": invoke,
        "groq_error": tolerant(lambda: groq_chat("llama-rate-limited")),
        "mistral_error": tolerant(lambda: mistral_chat("mistral-rate-limited")),
        "ollama_chat": lambda: ollama().chat(model="llama3.2", messages=MESSAGES),
        "ollama_generate": lambda: ollama().generate(model="llama3.2", prompt=app.SHORT),
        "ollama_embeddings": lambda: ollama().embed(model="nomic-embed-text", input=app.SHORT),
        "cohere_chat": lambda: cohere().chat(model="command-r-plus", messages=MESSAGES),
        "cohere_embeddings": lambda: cohere().embed(
            model="embed-v4.0", texts=[app.SHORT], input_type="search_query", embedding_types=["float"]
        ),
        "anthropic_cached": anthropic,
        **{
            each.__name__: each
            for each in (
                google_chat,
                google_stream,
                google_embeddings,
                mistral_chat,
                mistral_stream,
                mistral_embeddings,
                groq_chat,
                groq_stream,
                ollama_stream,
                cohere_stream,
                anthropic_stream,
            )
        },
    }
)
