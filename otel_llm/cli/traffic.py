"""Believable LLM traffic, through the real OpenTelemetry SDK: apps with users, sessions, agents, tools and bad moments."""

import math
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer, set_span_in_context
from opentelemetry.util.types import AttributeValue

NS = 1_000_000_000
_ERRORS = ("RateLimitError", "APITimeoutError", "InternalServerError")


class Model(NamedTuple):
    """A model as apps meet it: how fast it is, and how often it is asked."""

    provider: str
    name: str
    served: str
    share: float
    first_token_s: float
    tokens_per_s: float
    caches: bool


MODELS = (
    Model("openai", "gpt-4o-mini", "gpt-4o-mini-2024-07-18", 0.40, 0.35, 95, True),
    Model("openai", "gpt-4o", "gpt-4o-2024-08-06", 0.20, 0.45, 70, True),
    Model("anthropic", "claude-haiku-4-5", "claude-haiku-4-5-20251001", 0.20, 0.50, 110, True),
    Model("openai", "o4-mini", "o4-mini-2025-04-16", 0.08, 2.5, 80, False),
    Model("gcp.gemini", "gemini-2.5-flash", "gemini-2.5-flash", 0.12, 0.40, 140, False),
)
EMBEDDER = Model("openai", "text-embedding-3-small", "text-embedding-3-small", 0.0, 0.08, 0, False)


class App(NamedTuple):
    """A service; ``tools`` makes it an agent, ``search`` lets it embed its questions first."""

    name: str
    environment: str
    users: int
    tools: tuple[str, ...] = ()
    search: bool = False


APPS = (
    App("support-chat", "production", 40, search=True),
    App("code-review", "production", 12),
    App("travel-agent", "production", 25, ("find_flights", "find_hotels", "get_weather")),
    App("support-chat", "staging", 3, search=True),
)


@dataclass
class Counted:
    """What was made."""

    traces: int = 0
    calls: int = 0
    spans: int = 0


class Traffic:
    """Makes traces on tracer providers of its apps; the same ``seed`` makes the same traffic, ids apart."""

    def __init__(self, processor_of: Callable[[], SpanProcessor], seed: int | None = None) -> None:
        self._random = random.Random(seed)  # noqa: S311 nothing secret is made of it
        self._providers: list[TracerProvider] = []
        self._tracers: dict[App, Tracer] = {}
        for app in APPS:
            resource = Resource.create({"service.name": app.name, "deployment.environment.name": app.environment})
            provider = TracerProvider(resource=resource, shutdown_on_exit=False)
            provider.add_span_processor(processor_of())
            self._providers.append(provider)
            self._tracers[app] = provider.get_tracer("otel_llm.demo")
        self.counted = Counted()

    def trace(self, end_ns: int) -> None:
        """One question of one user, answered shortly before ``end_ns``: a root span, and what it takes below it."""
        app = self._random.choices(APPS, weights=(5, 2, 3, 1))[0]
        user = f"user-{self._random.randrange(app.users):02}"
        shared: dict[str, AttributeValue] = {
            "user.id": user,
            "session.id": f"{user}-{self._random.randrange(4)}",
            "tag.tags": (app.environment, "demo"),
        }
        tracer = self._tracers[app]
        duration_ns = int(self._random.uniform(2, 20) * NS)
        start = end_ns - duration_ns
        role = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": app.name} if app.tools else {}
        name = f"invoke_agent {app.name}" if app.tools else "POST /ask"
        kind = SpanKind.INTERNAL if app.tools else SpanKind.SERVER
        root = tracer.start_span(name, kind=kind, attributes={**shared, **role}, start_time=start)
        now = start + 2_000_000
        if app.search and self._random.random() < 0.7:
            now = self._embedding(tracer, root, shared, now)
        model = self._random.choices(MODELS, weights=[model.share for model in MODELS])[0]
        rounds = 1 + (self._random.randrange(1, 4) if app.tools else 0)
        for number in range(rounds):
            now, failed = self._call(tracer, root, shared, model, now)
            if failed:
                root.set_status(Status(StatusCode.ERROR))
                break
            if app.tools and number + 1 < rounds:
                now = self._tool(tracer, root, self._random.choice(app.tools), now)
        root.end(end_time=now + 1_000_000)
        self.counted.traces += 1
        self.counted.spans += 1

    def flush(self, give_up: Callable[[], bool]) -> None:
        """Sends what is waiting now, unless ``give_up`` says that it is useless."""
        for provider in self._providers:
            if not give_up():
                provider.force_flush()

    def shutdown(self) -> None:
        """Ends; sends what is waiting."""
        for provider in self._providers:
            provider.shutdown()

    def _call(
        self, tracer: Tracer, root: Span, shared: dict[str, AttributeValue], model: Model, start: int
    ) -> tuple[int, bool]:
        """One generating call; gives its end, and whether it failed."""
        tokens_in = int(self._random.lognormvariate(math.log(700), 0.9))
        tokens_out = int(self._random.lognormvariate(math.log(180), 0.8)) + 1
        stream = self._random.random() < 0.7
        span = tracer.start_span(
            f"chat {model.name}",
            context=set_span_in_context(root),
            kind=SpanKind.CLIENT,
            attributes={
                **shared,
                "gen_ai.operation.name": "chat",
                "gen_ai.provider.name": model.provider,
                "gen_ai.request.model": model.name,
                "server.address": f"api.{model.provider.split('.')[-1]}.example",
                **({"gen_ai.request.stream": True} if stream else {}),
            },
            start_time=start,
        )
        self.counted.calls += 1
        self.counted.spans += 1
        if self._random.random() < 0.02:
            error = self._random.choice(_ERRORS)
            span.set_attribute("error.type", error)
            span.set_status(Status(StatusCode.ERROR, f"{error}: the provider did not answer"))
            end = start + int(self._random.uniform(0.05, 10) * NS)
            span.end(end_time=end)
            return end, True
        first_s = model.first_token_s * self._random.lognormvariate(0, 0.35)
        seconds = first_s + tokens_out / (model.tokens_per_s * self._random.uniform(0.7, 1.3))
        cached = tokens_in // 128 * 128 if model.caches and tokens_in > 1024 and self._random.random() < 0.6 else 0
        span.set_attributes(
            {
                "gen_ai.response.model": model.served,
                "gen_ai.response.id": f"resp-{self._random.getrandbits(64):016x}",
                "gen_ai.response.finish_reasons": ("stop",) if self._random.random() < 0.95 else ("length",),
                "gen_ai.usage.input_tokens": tokens_in,
                "gen_ai.usage.output_tokens": tokens_out,
                **({"gen_ai.usage.cache_read.input_tokens": cached} if cached else {}),
                **({"gen_ai.response.time_to_first_chunk": first_s} if stream else {}),
            }
        )
        end = start + int(seconds * NS)
        span.end(end_time=end)
        return end, False

    def _embedding(self, tracer: Tracer, root: Span, shared: dict[str, AttributeValue], start: int) -> int:
        attributes: dict[str, AttributeValue] = {
            **shared,
            "gen_ai.operation.name": "embeddings",
            "gen_ai.provider.name": EMBEDDER.provider,
            "gen_ai.request.model": EMBEDDER.name,
            "gen_ai.response.model": EMBEDDER.served,
            "gen_ai.usage.input_tokens": self._random.randrange(5, 60),
        }
        self.counted.calls += 1
        return self._child(
            tracer, root, f"embeddings {EMBEDDER.name}", SpanKind.CLIENT, attributes, start, EMBEDDER.first_token_s
        )

    def _tool(self, tracer: Tracer, root: Span, tool: str, start: int) -> int:
        attributes: dict[str, AttributeValue] = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": tool}
        return self._child(tracer, root, f"execute_tool {tool}", SpanKind.INTERNAL, attributes, start, 0.3)

    def _child(
        self,
        tracer: Tracer,
        root: Span,
        name: str,
        kind: SpanKind,
        attributes: dict[str, AttributeValue],
        start: int,
        seconds: float,
    ) -> int:
        span = tracer.start_span(name, context=set_span_in_context(root), kind=kind, attributes=attributes, start_time=start)
        end = start + int(seconds * self._random.lognormvariate(0, 0.3) * NS)
        span.end(end_time=end)
        self.counted.spans += 1
        return end
