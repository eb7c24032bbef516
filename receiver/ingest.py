"""What both protocols do with a request: let it in, and turn its bytes into a durable answer."""

from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any, Protocol

from google.protobuf.message import Message

from otel_llm import batch_threads
from otel_llm.access.caller import Caller, Scope
from otel_llm.accounting import Accounting
from otel_llm.budget import Budget, Hold
from otel_llm.config import Settings
from otel_llm.errors import PermissionDenied, StoreUnavailable
from otel_llm.otlp.damage import Damage
from otel_llm.otlp.decode import Encoding, decode_reporting
from otel_llm.otlp.inflate import inflate
from otel_llm.otlp.signals import SIGNALS, Signal, SignalName
from otel_llm.precedence import Precedence

_WORKERS = 2
"""Threads that decode and extract. No thread waits for a commit, so more of them would only take turns at the interpreter, and
the writer, which every request waits for, gets a smaller share of it; with a single one, all would wait for a 100 MB body."""
_AT_ONCE_BYTES = 4_096
"""A body up to this size is decoded where it arrived: handing it to a thread and back costs more than its few spans."""
_MESSAGE_LIMIT = 16 * 1024
"""Characters of a partial_success message; OTLP bounds the whole response by 4 MiB."""


class Answer(Protocol):
    """What the pipeline says about a request."""

    @property
    def rejected(self) -> int:
        """Items that were refused."""

    @property
    def message(self) -> str:
        """Why; or a warning when none was."""


class Pipeline(Protocol):
    """What becomes of a decoded request."""

    @property
    def reads(self) -> Mapping[SignalName, Any]:
        """Message classes it would rather have than the generated ones, of the same wire format."""

    def take(self, signal: SignalName, message: Any, caller: Caller, size_bytes: int, tell: Callable[[Any], None]) -> None:
        """Takes it; ``tell`` is called, by any thread, with an Answer once all of it is committed, or with an error.

        Raises InvalidPayload for a message of :attr:`reads` that turns out to be broken, or a RetryableError; nothing is told
        then."""


class Door(Protocol):
    """Who may come in."""

    def authenticate(self, headers: Mapping[str, str], peer: str) -> Caller:
        """Who sends this. Raises Unauthenticated."""

    def authorize(self, caller: Caller, scope: Scope, peer: str) -> None:
        """Raises PermissionDenied (and counts it) when the caller lacks a scope."""

    def count_refusal(self, reason: str, caller: Caller, peer: str) -> None:
        """Notes that a known caller asked for what is not its own."""

    def project_deleted(self, project: str) -> bool:
        """True when the project of a caller does not exist any more."""


class Backend(Protocol):
    """What the receiver needs of a collector."""

    @property
    def settings(self) -> Settings:
        """All settings."""

    @property
    def accounting(self) -> Accounting:
        """The counters."""

    @property
    def budget(self) -> Budget:
        """Bytes in flight."""

    @property
    def door(self) -> Door:
        """Who may come in."""

    @property
    def pipeline(self) -> Pipeline:
        """Where decoded requests go."""

    @property
    def precedence(self) -> Precedence:
        """Questions that come first."""


class Ingest:
    """One for all protocols and ports of a server."""

    def __init__(self, backend: Backend) -> None:
        self.settings = backend.settings
        self.accounting = backend.accounting
        self.budget = backend.budget
        self._door = backend.door
        self._pipeline = backend.pipeline
        self._precedence = backend.precedence
        self._pool = ThreadPoolExecutor(_WORKERS, thread_name_prefix="ingest", initializer=batch_threads.is_one)

    def close(self) -> None:
        """Waits for requests in work and ends the threads."""
        self._pool.shutdown(wait=True)

    def admit(self, headers: Mapping[str, str], peer: str) -> Caller:
        """The caller of a request with these headers (lower-case names). Raises Unauthenticated or PermissionDenied."""
        caller = self._door.authenticate(headers, peer)
        self._door.authorize(caller, "ingest", peer)
        # In open mode everything is one project and the header says nothing.
        named = headers.get("x-project-id", "").strip()
        if caller.key_id is not None and named not in ("", caller.project):
            self._door.count_refusal("foreign project named", caller, peer)
            raise PermissionDenied("this key belongs to another project than x-project-id names")
        if self._door.project_deleted(caller.project):
            self._door.count_refusal("project deleted", caller, peer)
            raise PermissionDenied("the project of this key was deleted")
        return caller

    def submit(
        self, signal: SignalName, body: bytes, encoding: Encoding, compression: str, caller: Caller, hold: Hold
    ) -> "Future[Message]":
        """Stores a request; the result is its ``Export…ServiceResponse``. Takes over the hold.

        Raises StoreUnavailable once the server stops.
        """
        answered: Future[Message] = Future()
        # Also when the future is cancelled before it is worked on, because its client has gone.
        answered.add_done_callback(lambda _: hold.release())
        request = (answered, SIGNALS[signal], body, encoding, compression, caller, hold)
        if len(body) <= _AT_ONCE_BYTES and not compression:
            self._work(*request)
            return answered
        try:
            self._pool.submit(self._work_behind_questions, *request)
        except RuntimeError:  # the pool was closed
            answered.cancel()
            raise StoreUnavailable("the server is stopping") from None
        return answered

    def _work_behind_questions(self, *request: Any) -> None:
        self._precedence.give_way()
        self._work(*request)

    def _work(
        self,
        answered: "Future[Message]",
        kind: Signal,
        body: bytes,
        encoding: Encoding,
        compression: str,
        caller: Caller,
        hold: Hold,
    ) -> None:
        if not answered.set_running_or_notify_cancel():
            return
        try:
            if compression:
                body = inflate(body, compression, self.settings.max_message_bytes, hold.grow)
            message, damage = decode_reporting(kind.name, body, encoding, self._pipeline.reads.get(kind.name))
            size_bytes = len(body)
            del body
            tell = partial(self._answer, answered, kind, caller.project, damage)
            self._pipeline.take(kind.name, message, caller, size_bytes, tell)
        except Exception as error:
            answered.set_exception(error)

    def _answer(
        self, answered: "Future[Message]", kind: Signal, project: str, damage: Damage, outcome: Answer | Exception
    ) -> None:
        if isinstance(outcome, Exception):
            answered.set_exception(outcome)
            return
        try:
            rejected, text = outcome.rejected, outcome.message
            if damage:
                self.accounting.record(kind.counted_as, project, rejected=damage.rejected, values=damage.values)
                rejected, text = damage.rejected.total() + rejected, damage.before(text, kind.noun)
            response = kind.answer(rejected, text[:_MESSAGE_LIMIT])
        except Exception as error:  # whoever told this would drop it, and this request would wait for ever
            answered.set_exception(error)
        else:
            answered.set_result(response)
