"""Haystack: under OpenInference's instrumentation, and with its own tracer in the scenarios named native_*."""

import os

import app
from haystack import Pipeline, tracing
from haystack.components.builders import ChatPromptBuilder
from haystack.components.embedders import OpenAITextEmbedder
from haystack.components.generators.chat import OpenAIChatGenerator
from haystack.dataclasses import ChatMessage
from haystack.utils import Secret

PROVIDER = app.provider()
if app.sys.argv[1].startswith("native"):
    from haystack.tracing import OpenTelemetryTracer
    from opentelemetry import trace

    tracing.enable_tracing(OpenTelemetryTracer(trace.get_tracer("haystack")))
    tracing.tracer.is_content_tracing_enabled = os.environ.get("HAYSTACK_CONTENT_TRACING_ENABLED") == "true"
else:
    from openinference.instrumentation import using_attributes
    from openinference.instrumentation.haystack import HaystackInstrumentor

    HaystackInstrumentor().instrument(tracer_provider=PROVIDER)


def pipeline(model: str = "gpt-4o-mini", **options: object) -> Pipeline:
    made = Pipeline()
    made.add_component("prompt", ChatPromptBuilder(template=[ChatMessage.from_user("{{text}}")]))
    llm = OpenAIChatGenerator(
        model=model, api_base_url=app.OPENAI_URL, api_key=Secret.from_token("none"), max_retries=0, **options
    )
    made.add_component("llm", llm)
    made.connect("prompt.prompt", "llm.messages")
    return made


def ask(text: str, model: str = "gpt-4o-mini", **options: object) -> None:
    pipeline(model, **options).run({"prompt": {"text": text}})


def stream() -> None:
    ask(app.SHORT, streaming_callback=lambda _: None, generation_kwargs={"stream_options": {"include_usage": True}})


def embeddings() -> None:
    made = Pipeline()
    made.add_component("embedder", OpenAITextEmbedder(api_base_url=app.OPENAI_URL, api_key=Secret.from_token("none")))
    made.run({"embedder": {"text": app.SHORT}})


def user_session() -> None:
    with using_attributes(session_id=app.SESSION, user_id=app.USER, tags=app.TAGS):
        ask(app.SHORT)


def error_429() -> None:
    try:
        ask(app.SHORT, app.LIMITED)
    except Exception as error:  # whatever the library makes of it
        print(type(error))


app.run(
    {
        "chat": lambda: ask(app.SHORT),
        "native_chat": lambda: ask(app.SHORT),
        "cached": lambda: ask(app.LONG, "o4-mini"),
        **{each.__name__: each for each in (stream, embeddings, user_session, error_429)},
    }
)
