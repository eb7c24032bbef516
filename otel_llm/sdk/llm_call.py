"""A span for a model client of one's own.

with otel_llm.llm_call(model="my-model", provider="acme", stream=True) as call:
    for chunk in my_client.stream(prompt):
        call.mark_first_token()
    call.usage(input_tokens=120, output_tokens=48)
    call.response(model="my-model-2", id="r-17", finish_reasons=["stop"])
"""

from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.trace import Span, SpanKind, Status, StatusCode
from opentelemetry.util.types import AttributeValue

from otel_llm import __version__
from otel_llm.sdk.first_token import mark_first_chunk


class llm_call:  # noqa: N801 reads like a keyword of the language, as contextlib's own do
    """One call of a model (``with`` or ``async with``): a CLIENT span as the OpenTelemetry GenAI conventions want it.

    ``operation`` is chat, text_completion, generate_content or embeddings; ``server`` is the URL or host of the model;
    ``attributes`` are further span attributes. An exception ends the span as an error and passes on. Without a tracer
    provider nothing happens. Methods never raise.
    """

    def __init__(
        self,
        *,
        model: str,
        provider: str,
        operation: str = "chat",
        stream: bool = False,
        max_tokens: int | None = None,
        temperature: float | None = None,
        session: str | None = None,
        user: str | None = None,
        server: str | None = None,
        attributes: Mapping[str, AttributeValue] | None = None,
    ) -> None:
        self._name = f"{operation} {model}"
        given: dict[str, AttributeValue | None] = {
            "gen_ai.operation.name": operation,
            "gen_ai.provider.name": provider,
            "gen_ai.request.model": model,
            "gen_ai.request.stream": stream or None,
            "gen_ai.request.max_tokens": max_tokens,
            "gen_ai.request.temperature": temperature,
            "gen_ai.conversation.id": session,
            "user.id": user,
            **_server(server),
            **(attributes or {}),
        }
        self._attributes = {key: value for key, value in given.items() if value is not None}
        self._first_token = False
        self.span: Span = trace.INVALID_SPAN
        """The span itself, for whatever the methods do not cover."""

    def __enter__(self) -> Self:
        tracer = trace.get_tracer("otel_llm", __version__)
        self.span = tracer.start_span(self._name, kind=SpanKind.CLIENT, attributes=self._attributes)
        self._token = otel_context.attach(trace.set_span_in_context(self.span))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace_: TracebackType | None) -> None:
        otel_context.detach(self._token)
        if error is not None and not isinstance(error, GeneratorExit):
            self.failed(error)
        self.span.end()

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace_: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, trace_)

    def mark_first_token(self) -> None:
        """The first token is here: call it at every chunk if that is easier, only the first time counts."""
        if not self._first_token:
            self._first_token = True
            self.span.set_attribute("gen_ai.request.stream", True)
            mark_first_chunk([self.span])

    def usage(
        self,
        *,
        input_tokens: int | None = None,
        output_tokens: int | None = None,
        cache_read_tokens: int | None = None,
        cache_write_tokens: int | None = None,
        reasoning_tokens: int | None = None,
        cost_usd: float | None = None,
    ) -> None:
        """What the call took. Input includes its cached parts, output its reasoning; ``cost_usd`` is what the provider said."""
        self._set(
            {
                "gen_ai.usage.input_tokens": input_tokens,
                "gen_ai.usage.output_tokens": output_tokens,
                "gen_ai.usage.cache_read.input_tokens": cache_read_tokens,
                "gen_ai.usage.cache_creation.input_tokens": cache_write_tokens,
                "gen_ai.usage.reasoning.output_tokens": reasoning_tokens,
                "gen_ai.usage.cost": cost_usd,
            }
        )

    def response(self, *, model: str | None = None, id: str | None = None, finish_reasons: Iterable[str] | None = None) -> None:
        """Who answered, under which id, and why the answer ended."""
        reasons = None if finish_reasons is None else [str(reason) for reason in finish_reasons]
        self._set({"gen_ai.response.model": model, "gen_ai.response.id": id, "gen_ai.response.finish_reasons": reasons})

    def failed(self, error: BaseException | str) -> None:
        """The call failed: an exception, or the error's low-cardinality name. ``with`` does it for exceptions."""
        name = error if isinstance(error, str) else type(error).__qualname__
        self.span.set_attribute("error.type", name)
        self.span.set_status(Status(StatusCode.ERROR, str(error)))

    def _set(self, values: Mapping[str, Any]) -> None:
        for key, value in values.items():
            if value is not None:
                self.span.set_attribute(key, value)


def _server(server: str | None) -> dict[str, AttributeValue | None]:
    if server is None:
        return {}
    try:
        parts = urlsplit(server if "://" in server else f"//{server}")
        return {"server.address": parts.hostname, "server.port": parts.port}
    except ValueError:
        return {"server.address": server}
