"""OTLP/gRPC on gRPC's core, driven as grpc's own synchronous server drives it, without its threads.

One thread takes the events of one completion queue. A call is an event when its headers are there, a second one when its
message is, and a third one when its answer is gone; whoever completes the future of a request starts the answer in its own
thread, so that neither an event loop nor a coroutine stands between.

``grpc._cython.cygrpc`` is no public API. It is imported here only, and :func:`usable` says whether it is the one that is known.
"""

import logging
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from functools import partial
from importlib import import_module
from threading import Event
from typing import Any

import grpc
from google.protobuf.message import DecodeError, Message
from grpc_health.v1 import health_pb2
from grpc_health.v1.health_pb2 import HealthCheckResponse

from otel_llm.access.caller import Caller
from otel_llm.errors import InvalidPayload
from otel_llm.otlp.signals import SIGNALS, SignalName
from receiver import grpc_wire
from receiver.grpc_wire import Ready
from receiver.ingest import Ingest
from receiver.status import Refusal

cygrpc: Any
try:
    cygrpc = import_module("grpc._cython.cygrpc")
except ImportError:
    cygrpc = None

_log = logging.getLogger(__name__)
_AHEAD = 64
"""Calls that the core hands over before it is asked for more."""
_LOOK_S = 0.1
"""So often the thread looks at the clock, and whether it is to stop, when nothing else happens."""
_PROBE_S = 5.0
_OK, _CANCELLED, _NOT_FOUND, _UNIMPLEMENTED, _INTERNAL = (
    code.value[0]
    for code in (
        grpc.StatusCode.OK,
        grpc.StatusCode.CANCELLED,
        grpc.StatusCode.NOT_FOUND,
        grpc.StatusCode.UNIMPLEMENTED,
        grpc.StatusCode.INTERNAL,
    )
)


def usable(module: Any) -> bool:
    """Whether this cygrpc (None: there is none) makes the operations used here, and a server that lives and ends as known."""
    try:
        module.ReceiveMessageOperation(0).message  # noqa: B018
        module.ReceiveCloseOnServerOperation(0).cancelled  # noqa: B018
        module.SendInitialMetadataOperation(None, 0)
        module.SendMessageOperation(b"", 0)
        module.SendStatusFromServerOperation((("name", b"value"),), _OK, b"", 0)
        queue, server = module.CompletionQueue(), module.Server(grpc_wire.options(1), False)
        server.register_completion_queue(queue)
        _ = server.add_http2_port, grpc.ServerCredentials(None)._credentials  # type: ignore[attr-defined]
        server.start()
        server.request_call(queue, queue, "call")
        server.shutdown(queue, "shutdown")
        events = {event.tag: event for event in (queue.poll(time.time() + _PROBE_S) for _ in range(2))}
        server.cancel_all_calls()
        queue.shutdown()
        last = queue.poll(time.time() + _PROBE_S)
        server.destroy()
        call = events["call"]
        _ = call.invocation_metadata, call.call_details.method, call.call.peer, call.call.start_server_batch
        known = not call.success and events["shutdown"].success and last.completion_type == module.CompletionType.queue_shutdown
    except Exception:
        _log.debug("gRPC's core is another one", exc_info=True)
        return False
    return known


class CoreTransport:
    """A :class:`~receiver.grpc_wire.Transport`. What it knows of its calls is touched by the thread that serves only."""

    def __init__(self, ingest: Ingest, drain_s: float) -> None:
        self.ingest = ingest
        self.health = dict.fromkeys(grpc_wire.HEALTH_SERVICES, HealthCheckResponse.SERVING)
        self.watches: set[_Watch] = set()
        self.live: set[_Call] = set()
        """Calls that have not ended."""
        self.reading: dict[_Call, float] = {}
        """Those whose message is on its way, oldest first: until when it may be (monotonic)."""
        self.taken: set[_Call] = set()
        """Those that store what their message holds."""
        self._drain_s = drain_s
        self._stop_asked = Event()
        self._stopping = self._stop()
        self._accepts = True
        self._shut_down = False
        self._left = False
        self._methods: dict[bytes, Callable[[CoreTransport, Any], _Call]] = {
            b"/grpc.health.v1.Health/Check": _Check,
            b"/grpc.health.v1.Health/Watch": _Watch,
        }
        for name, signal in SIGNALS.items():
            self._methods[f"/{signal.service}/Export".encode()] = partial(_Export, signal=name)

    def ask_to_stop(self) -> None:
        """See :class:`~receiver.grpc_wire.Transport`."""
        self._stop_asked.set()

    def refuse_when_stopping(self) -> None:
        """Raises StoreUnavailable from the moment that a stop is asked for."""
        if self._stop_asked.is_set():
            raise grpc_wire.stopping()

    def serve(self, address: str, credentials: grpc.ServerCredentials | None, ready: Ready) -> None:
        """See :class:`~receiver.grpc_wire.Transport`. Raises OSError when the address is not free."""
        self._queue = cygrpc.CompletionQueue()
        self._server = cygrpc.Server(grpc_wire.options(self.ingest.settings.max_message_bytes), False)
        self._server.register_completion_queue(self._queue)
        known: Any = credentials
        port = self._server.add_http2_port(address.encode(), known._credentials if known else None)
        if not port:
            raise OSError(f"cannot bind {address}")
        self._server.start()
        for _ in range(_AHEAD):
            self._request_call()
        ready(port)
        self._take_events()
        self._server.destroy()

    def _take_events(self) -> None:
        """Until the queue is shut down and empty, or left as it is."""
        look_at = 0.0
        while not self._left:
            event = self._queue.poll(time.time() + _LOOK_S)
            if event.completion_type == cygrpc.CompletionType.queue_shutdown:
                return
            try:
                if event.completion_type == cygrpc.CompletionType.operation_complete:
                    event.tag(event)
                now = time.monotonic()
                if now >= look_at or self._stop_asked.is_set():
                    look_at = now + _LOOK_S
                    self._look(now)
            except Exception:
                _log.exception("an event of gRPC was not handled")
            event = None  # it keeps a call, which keeps its connection

    def _request_call(self) -> None:
        self._server.request_call(self._queue, self._queue, self._called)

    def _called(self, event: Any) -> None:
        """A call has come; or, without success, none will."""
        if self._accepts:
            self._request_call()
        if event.success:
            call = self._methods.get(event.call_details.method, _Unknown)(self, event.call)
            self.live.add(call)
            call.begin(event)

    def _look(self, now: float) -> None:
        """Ends calls whose message takes too long, and goes on with a stop that was asked for."""
        if self._stop_asked.is_set():
            next(self._stopping, None)
        while self.reading:
            call, until = next(iter(self.reading.items()))
            if until > now:
                return
            del self.reading[call]
            call.fail(grpc_wire.slow_sender())

    def _stop(self) -> Iterator[None]:
        """Stops the server; what it waits for has a next look at it with every step."""
        for service in self.health:
            self.health[service] = HealthCheckResponse.NOT_SERVING
        for watch in self.watches:
            watch.tell()
        # New calls are told to come back. The core's own shutdown would also wait for health watches and for messages that
        # never come; here only calls whose message was taken are waited for.
        until = time.monotonic() + self._drain_s
        while self.taken and time.monotonic() < until:
            yield
        self._accepts = False
        self._server.shutdown(self._queue, self._was_shut_down)
        until = time.monotonic() + grpc_wire.LAST_ANSWERS_S
        while not self._shut_down and time.monotonic() < until:
            yield
        self._server.cancel_all_calls()
        until = time.monotonic() + grpc_wire.LAST_ANSWERS_S
        while not self._shut_down or (self.live and time.monotonic() < until):
            yield
        if self.live:
            self._left = True  # whoever answers one of them late must find the queue alive
        else:
            self._queue.shutdown()

    def _was_shut_down(self, event: Any) -> None:
        self._shut_down = True


class _Call:
    """One call, from its headers to its status. Every batch of operations comes back as an event, to a method of it."""

    __slots__ = ("_call", "_close_awaited", "_server")

    def __init__(self, server: CoreTransport, call: Any) -> None:
        self._server = server
        self._call = call
        self._close_awaited = False

    def begin(self, event: Any) -> None:
        """Lets the call in, with its headers, and waits for its message."""
        try:
            self._enter(event)
            self._server.reading[self] = time.monotonic() + grpc_wire.READ_TIMEOUT_S
            self._start((cygrpc.ReceiveMessageOperation(0),), self._received)
        except Exception as error:
            self._server.reading.pop(self, None)
            self.fail(error)

    def fail(self, error: Exception) -> None:
        """Ends the call with what is told of an error."""
        try:
            refusal = self._refusal(error)
            self._end(refusal.outcome.grpc, refusal.status.message.encode(), grpc_wire.trailing_of(refusal))
        except Exception:
            _log.exception("a gRPC call was not refused")
            self._end(_INTERNAL)

    def _enter(self, event: Any) -> None:
        """Raises what the call is refused for."""

    def _take(self, message: bytes) -> None:
        """Goes on with the message. Raises what the call is refused for."""
        raise NotImplementedError

    def _refusal(self, error: Exception) -> Refusal:
        return Refusal.of(error, "a call over gRPC")

    def _received(self, event: Any) -> None:
        if self._server.reading.pop(self, None) is None:
            return  # it took too long and has been refused
        try:
            message = event.batch_operations[0].message()
            if message is None:
                raise grpc_wire.no_message()
            self._take(message)
        except Exception as error:
            self.fail(error)

    def _await_close(self, closed: Callable[[Any], None]) -> None:
        """Calls back when the call is over; it is cancelled then, or has been answered."""
        self._close_awaited = True
        self._start((cygrpc.ReceiveCloseOnServerOperation(0),), closed)

    def _end(
        self,
        code: int = _OK,
        details: bytes = b"",
        trailing: tuple[tuple[str, bytes], ...] | None = None,
        message: bytes | None = None,
    ) -> None:
        """Answers the call: with a message, or with a status that says why there is none. From any thread."""
        headers = cygrpc.SendInitialMetadataOperation(None, 0)
        status = cygrpc.SendStatusFromServerOperation(trailing, code, details, 0)
        body = () if message is None else (cygrpc.SendMessageOperation(message, 0),)
        close = () if self._close_awaited else (cygrpc.ReceiveCloseOnServerOperation(0),)
        self._start((headers, *body, status, *close), self._ended)

    def _ended(self, event: Any) -> None:
        self._server.live.discard(self)

    def _start(self, operations: tuple[Any, ...], tag: Callable[[Any], None]) -> None:
        # Operations hold what the core works on, so each is made for one batch.
        error = self._call.start_server_batch(operations, tag)
        if error:
            raise RuntimeError(f"gRPC's core refuses a batch: {error}")


class _Export(_Call):
    """A call of the Export method of a signal."""

    __slots__ = ("_caller", "_signal")

    _caller: Caller

    def __init__(self, server: CoreTransport, call: Any, signal: SignalName) -> None:
        super().__init__(server, call)
        self._signal = signal

    def _enter(self, event: Any) -> None:
        self._server.refuse_when_stopping()
        headers = grpc_wire.headers_of(event.invocation_metadata)
        self._caller = self._server.ingest.admit(headers, grpc_wire.address_of(self._call.peer().decode()))

    def _take(self, message: bytes) -> None:
        self._server.refuse_when_stopping()
        ingest = self._server.ingest
        compression = grpc_wire.compression_of(message)
        hold = ingest.budget.hold()
        hold.grow(len(message))
        future = ingest.submit(self._signal, message, "protobuf", compression, self._caller, hold)
        self._server.taken.add(self)
        if not (future.running() or future.done()):  # it waits for a worker, and its client may not
            self._await_close(partial(_cancel, future))
        future.add_done_callback(self._stored)

    def _stored(self, future: "Future[Message]") -> None:
        try:
            if future.cancelled():
                self._end(_CANCELLED)
            else:
                self._end(message=future.result().SerializeToString())
        except Exception as error:
            self.fail(error)

    def _refusal(self, error: Exception) -> Refusal:
        refusal = Refusal.of(error, f"{self._signal} over gRPC")
        self._server.ingest.accounting.refuse(refusal.outcome.reason)
        return refusal

    def _ended(self, event: Any) -> None:
        self._server.taken.discard(self)
        super()._ended(event)


class _Unknown(_Call):
    """A call of a method that is not served."""

    __slots__ = ()

    def begin(self, event: Any) -> None:
        """Ends it."""
        self._end(_UNIMPLEMENTED, b"Method not found!")


class _Check(_Call):
    """A call of the health service that asks once."""

    __slots__ = ()

    def _take(self, message: bytes) -> None:
        status = self._server.health.get(_service_of(message))
        if status is None:
            self._end(_NOT_FOUND)
        else:
            self._end(message=HealthCheckResponse(status=status).SerializeToString())


class _Watch(_Call):
    """A call of the health service that is told of every change. It ends when the client goes, or the server."""

    __slots__ = ("_sends", "_service", "_told")

    _service: str

    def __init__(self, server: CoreTransport, call: Any) -> None:
        super().__init__(server, call)
        self._told: int | None = None
        self._sends = False

    def tell(self) -> None:
        """Sends the status unless it is known; while an earlier one is on its way, after that."""
        status = self._server.health.get(self._service, HealthCheckResponse.SERVICE_UNKNOWN)
        if self._sends or status == self._told:
            return
        headers = (cygrpc.SendInitialMetadataOperation(None, 0),) if self._told is None else ()
        message = cygrpc.SendMessageOperation(HealthCheckResponse(status=status).SerializeToString(), 0)
        self._start((*headers, message), self._sent)
        self._sends, self._told = True, status

    def _take(self, message: bytes) -> None:
        self._service = _service_of(message)
        self._await_close(self._closed)
        self._server.watches.add(self)
        self.tell()

    def _sent(self, event: Any) -> None:
        self._sends = False
        if self in self._server.watches:
            self.tell()

    def _closed(self, event: Any) -> None:
        self._server.watches.discard(self)
        self._ended(event)


def _cancel(future: "Future[Message]", event: Any) -> None:
    if event.batch_operations[0].cancelled():
        future.cancel()


def _service_of(message: bytes) -> str:
    try:
        return str(health_pb2.HealthCheckRequest.FromString(message).service)
    except DecodeError:
        raise InvalidPayload("this is no HealthCheckRequest") from None
