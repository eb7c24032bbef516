"""A collector whose pipeline remembers what it was given, for tests of the servers in front of it."""

import base64
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from otel_llm.access.caller import OPEN_CALLER, Caller, Scope
from otel_llm.accounting import Accounting
from otel_llm.budget import Budget
from otel_llm.config import Settings
from otel_llm.errors import PermissionDenied, Unauthenticated
from otel_llm.precedence import Precedence
from receiver import grpc_core
from receiver.server import Receiver


@dataclass(frozen=True)
class Answer:
    rejected: int = 0
    message: str = ""


@dataclass
class RememberingPipeline:
    """Takes every request; fails or waits when told to."""

    reads: Mapping[str, Any] = field(default_factory=dict)
    requests: list[tuple[str, Any, Caller]] = field(default_factory=list)
    answer: Answer = Answer()
    error: Exception | None = None
    gate: threading.Event | None = None
    waiting: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))

    def _take(self, signal: str, message: Any, caller: Caller) -> Answer:
        if self.gate is not None:
            self.waiting.release()
            assert self.gate.wait(20)
        if self.error is not None:
            raise self.error
        self.requests.append((signal, message, caller))
        return self.answer

    def take(
        self, signal: str, message: Any, caller: Caller, size_bytes: int, tell: Callable[[Answer | Exception], None]
    ) -> None:
        """Answers from a thread of its own, as a commit does."""

        def answer() -> None:
            try:
                outcome: Answer | Exception = self._take(signal, message, caller)
            except Exception as error:
                outcome = error
            tell(outcome)

        threading.Thread(target=answer).start()

    @property
    def spans(self) -> list[Any]:
        return [
            span
            for signal, message, _ in self.requests
            if signal == "traces"
            for resource in message.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]


@dataclass
class SmallDoor:
    """Open without keys; else takes a secret in any of the three places."""

    keys: dict[str, Caller] = field(default_factory=dict)
    deleted: set[str] = field(default_factory=set)
    refusals: list[tuple[str, str, str]] = field(default_factory=list)
    seen: list[tuple[Mapping[str, str], str]] = field(default_factory=list)

    def authenticate(self, headers: Mapping[str, str], peer: str) -> Caller:
        self.seen.append((headers, peer))
        if not self.keys:
            return OPEN_CALLER
        scheme, _, value = headers.get("authorization", "").partition(" ")
        if scheme == "Basic":
            value = base64.b64decode(value).decode().partition(":")[2]
        caller = self.keys.get(value or headers.get("x-api-key", ""))
        if caller is None:
            raise Unauthenticated("no valid key")
        return caller

    def authorize(self, caller: Caller, scope: Scope, peer: str) -> None:
        if not caller.may(scope):
            raise PermissionDenied(f"lacks {scope}")

    def count_refusal(self, reason: str, caller: Caller, peer: str) -> None:
        self.refusals.append((reason, caller.project, peer))

    def project_deleted(self, project: str) -> bool:
        return project in self.deleted


class Backend:
    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.accounting = Accounting()
        self.budget = Budget(settings.ingest_budget_bytes)
        self.door = SmallDoor()
        self.pipeline = RememberingPipeline()
        self.precedence = Precedence()

    @property
    def refused(self) -> dict[str, int]:
        return dict(self.accounting.snapshot()["requests_refused"])


TRANSPORTS = ("core", "aio")
"""What carries OTLP/gRPC: gRPC's core, or grpc's asyncio server where that is not usable."""


class Running:
    """A receiver in front of a remembering backend, on free ports."""

    def __init__(self, transport: str = "core", **settings: Any) -> None:
        defaults: dict[str, Any] = {"grpc_port": 0, "otlp_http_port": 0, "api_port": 0, "shutdown_timeout_s": 5.0}
        self.backend = Backend(Settings(**(defaults | settings)))
        with pytest.MonkeyPatch.context() as patch:
            if transport == "aio":
                patch.setattr(grpc_core, "cygrpc", None)
            self.receiver = Receiver(self.backend)
        assert type(self.receiver.grpc.transport).__name__.lower() == f"{transport}transport"

    def forget(self) -> None:
        """Makes the backend as good as new."""
        assert self.backend.budget.used == 0
        self.receiver.ingest.accounting = self.backend.accounting = Accounting()
        self.backend.door.__init__()  # type: ignore[misc]
        self.backend.pipeline.__init__()  # type: ignore[misc]

    def __enter__(self) -> "Running":
        self.receiver.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.receiver.stop()

    @property
    def pipeline(self) -> RememberingPipeline:
        return self.backend.pipeline

    @property
    def target(self) -> str:
        host = self.receiver.grpc.host
        return f"[{host}]:{self.receiver.grpc.port}" if ":" in host else f"{host}:{self.receiver.grpc.port}"

    @property
    def url(self) -> str:
        return self.receiver.http.url
