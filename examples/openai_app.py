"""An app that calls OpenAI, observed with OpenTelemetry alone: nothing in it knows otel-llm.

    python examples/openai_app.py --instrumentation genai-openai --protocol grpc

It needs a collector (``otel-llm serve``) and a model: the real one (``OPENAI_API_KEY``), or ``examples/model_server.py`` by
``--model-url``. Two instrumentations of the OpenAI client are shown, each with the stock OTLP exporters:

``genai-openai``  the official one, ``opentelemetry-instrumentation-genai-openai`` (a pre-release: ``pip install --pre``)
``openllmetry``   ``opentelemetry-instrumentation-openai``
"""

import argparse
from collections.abc import Callable

import openai
from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

ENDPOINTS = {"grpc": "http://127.0.0.1:4317", "http/protobuf": "http://127.0.0.1:4318"}
USAGE_PLEASE = {"include_usage": True}
"""Without it the OpenAI API streams no token counts."""
WEATHER = {"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object", "properties": {}}}}


def set_up_telemetry(instrumentation: str, protocol: str, endpoint: str, service_name: str) -> Callable[[], None]:
    """Tracing and metrics with the stock exporters; gives the function that flushes and ends them."""
    if protocol == "grpc":
        from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter

        span_exporter, metric_exporter = OTLPSpanExporter(endpoint=endpoint), OTLPMetricExporter(endpoint=endpoint)
    else:
        from opentelemetry.exporter.otlp.proto.http import metric_exporter as http_metrics
        from opentelemetry.exporter.otlp.proto.http import trace_exporter as http_traces

        span_exporter = http_traces.OTLPSpanExporter(endpoint=f"{endpoint}/v1/traces")
        metric_exporter = http_metrics.OTLPMetricExporter(endpoint=f"{endpoint}/v1/metrics")

    resource = Resource.create({"service.name": service_name})
    tracer_provider = TracerProvider(resource=resource)
    tracer_provider.add_span_processor(BatchSpanProcessor(span_exporter))
    trace.set_tracer_provider(tracer_provider)
    meter_provider = MeterProvider([PeriodicExportingMetricReader(metric_exporter)], resource=resource)
    metrics.set_meter_provider(meter_provider)

    if instrumentation == "genai-openai":
        from opentelemetry.instrumentation.genai.openai import OpenAIInstrumentor
    else:
        from opentelemetry.instrumentation.openai import OpenAIInstrumentor
    OpenAIInstrumentor().instrument()

    def shut_down() -> None:
        tracer_provider.shutdown()
        meter_provider.shutdown()

    return shut_down


def plain(client: openai.OpenAI) -> str:
    """One question, one answer."""
    messages = [{"role": "system", "content": "You are brief."}, {"role": "user", "content": "Name three colours please"}]
    answer = client.chat.completions.create(model="gpt-4o-mini", messages=messages, max_tokens=20)
    return f"{answer.usage.prompt_tokens} tokens in, {answer.usage.completion_tokens} out"


def streamed(client: openai.OpenAI) -> str:
    """The answer token by token."""
    messages = [{"role": "user", "content": "Tell me a story about a fox"}]
    stream = client.chat.completions.create(
        model="gpt-4o", messages=messages, max_tokens=30, stream=True, stream_options=USAGE_PLEASE
    )
    chunks = list(stream)
    return f"{len(chunks)} chunks, {chunks[-1].usage.completion_tokens} tokens out"


def cached(client: openai.OpenAI) -> str:
    """A long prompt, of which half comes from the provider's cache."""
    messages = [{"role": "system", "content": "rule " * 199}, {"role": "user", "content": "Go"}]
    answer = client.chat.completions.create(model="gpt-4o-mini", messages=messages, max_tokens=10)
    return f"{answer.usage.prompt_tokens_details.cached_tokens} of {answer.usage.prompt_tokens} tokens in from the cache"


def with_tools(client: openai.OpenAI) -> str:
    """The model calls a tool, then answers with its result: two calls."""
    messages: list = [{"role": "user", "content": "How is the weather"}]
    first = client.chat.completions.create(model="gpt-4o-mini", messages=messages, tools=[WEATHER])
    call = first.choices[0].message.tool_calls[0]
    messages += [first.choices[0].message, {"role": "tool", "tool_call_id": call.id, "content": "sunny all day"}]
    client.chat.completions.create(model="gpt-4o-mini", messages=messages, tools=[WEATHER], max_tokens=8)
    return f"tool {call.function.name} called"


def responses_api(client: openai.OpenAI) -> str:
    """The responses API, plain."""
    answer = client.responses.create(model="gpt-4.1", instructions="Be kind", input="Say hello", max_output_tokens=9)
    return f"{answer.usage.input_tokens} tokens in, {answer.usage.output_tokens} out"


def embeddings(client: openai.OpenAI) -> str:
    """Two texts become vectors."""
    answer = client.embeddings.create(model="text-embedding-3-small", input=["a red fox", "a lazy dog sleeps"])
    return f"{len(answer.data)} vectors, {answer.usage.prompt_tokens} tokens in"


def failing(client: openai.OpenAI) -> str:
    """A call that the provider refuses."""
    try:
        client.chat.completions.create(model="gpt-4o-rate-limited", messages=[{"role": "user", "content": "Hello"}])
    except openai.RateLimitError as error:
        return f"refused as expected: {error.status_code}"
    return "answered: this model does not refuse"


STEPS = (plain, streamed, cached, with_tools, responses_api, embeddings, failing)


def main() -> None:
    parser = argparse.ArgumentParser(description="Calls OpenAI in seven ways, observed by OpenTelemetry.")
    parser.add_argument("--instrumentation", choices=("genai-openai", "openllmetry"), default="genai-openai")
    parser.add_argument("--protocol", choices=tuple(ENDPOINTS), default="grpc")
    parser.add_argument("--endpoint", help="OTLP endpoint of the collector (default: the usual port on this machine)")
    parser.add_argument("--model-url", help="base URL of an OpenAI-compatible server (default: OpenAI)")
    parser.add_argument("--service-name", default="openai-app")
    options = parser.parse_args()

    endpoint = options.endpoint or ENDPOINTS[options.protocol]
    shut_down = set_up_telemetry(options.instrumentation, options.protocol, endpoint, options.service_name)
    if options.model_url:
        client = openai.OpenAI(base_url=f"{options.model_url}/v1", api_key="not needed", max_retries=0)
    else:
        client = openai.OpenAI(max_retries=0)
    for step in STEPS:
        print(f"{step.__name__:>14}: {step(client)}")
    shut_down()


if __name__ == "__main__":
    main()
