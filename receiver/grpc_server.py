"""The OTLP/gRPC server: trace, metrics and logs services, and the standard health service.

It runs on grpc's asyncio API in a thread of its own. A synchronous server gives every call a thread while its message is
still arriving, so a thousand slow senders would use up any pool; here a call costs a coroutine until its message is
complete (measured: equal speed at one span a request, faster at 512). Messages are taken as they come, still
compressed: gRPC's own decompression makes the whole message before it looks at the size limit.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from threading import Event, Thread
from typing import Any

import grpc
import grpc.aio
from google.protobuf.message import Message
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from otel_llm import batch_threads
from otel_llm.errors import ConfigError, InvalidPayload, SlowSender, StoreUnavailable
from otel_llm.otlp.signals import SIGNALS, SignalName
from otel_llm.serving import TlsFiles
from otel_llm.serving.server import bind, loop_factory
from otel_llm.wakeups import result_of
from receiver.ingest import Ingest
from receiver.status import Refusal

_log = logging.getLogger(__name__)
_READ_TIMEOUT_S = 60.0
"""For a whole message; stock clients give up after 10 s."""
_LOOKS = 20
"""In that time one looks so often for messages that take too long: a timer for each would cost a tenth of a small call."""
_START_TIMEOUT_S = 10.0
_LAST_ANSWERS_S = 0.5
"""For answers that are on their way when the server closes."""
_CODES = {code.value[0]: code for code in grpc.StatusCode}
_HEALTH_SERVICES = ("", *(signal.service for signal in SIGNALS.values()))

Call = grpc.aio.ServicerContext[Any, Any]


def _options(max_message_bytes: int) -> list[tuple[str, int]]:
    return [
        ("grpc.max_receive_message_length", max_message_bytes),
        ("grpc.per_message_decompression", 0),  # see the module's docstring
        ("grpc.max_metadata_size", 64 * 1024),
        ("grpc.so_reuseport", 0),  # a taken port is an error, not a shared load
        ("grpc.server_handshake_timeout_ms", 10_000),
        # Exporters ping as often as every 10 s, also without calls; gRPC's default answers too_many_pings.
        ("grpc.http2.min_recv_ping_interval_without_data_ms", 5_000),
        ("grpc.http2.max_ping_strikes", 0),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.keepalive_time_ms", 60_000),  # finds connections whose other end has vanished
        ("grpc.keepalive_timeout_ms", 20_000),
    ]


class GrpcServer:
    """Serves OTLP/gRPC on one address."""

    def __init__(self, ingest: Ingest, *, host: str, port: int, tls: TlsFiles | None = None, drain_s: float = 25.0) -> None:
        """``port`` 0 takes a free one. ``drain_s`` bounds the wait of :meth:`stop` for calls in work."""
        self.host = host
        self.port = port
        self._ingest = ingest
        self._tls = tls
        self._drain_s = drain_s
        self._ready = Event()
        self._failure: Exception | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop_asked: asyncio.Event | None = None
        self._taken = 0
        self._reading: dict[asyncio.Task[Any], float] = {}
        """Calls whose message is on its way: until when it may be; 0 for one that took too long."""
        self._all_answered: asyncio.Event | None = None
        self._thread = Thread(target=self._run, name="grpc", daemon=True)

    def start(self) -> None:
        """Binds and serves; returns when calls are accepted. Raises ConfigError when the address is not free."""
        # gRPC's own reason for an address that is not free is "set GRPC_VERBOSITY=debug", beside a line of its C++ log
        bind(self.host, self.port).close()
        self._thread.start()
        if not self._ready.wait(_START_TIMEOUT_S) or self._failure is not None:
            raise ConfigError(f"cannot listen on {self.host} port {self.port} for gRPC: {self._failure or 'no answer'}")

    def stop(self) -> None:
        """Stops accepting, waits for calls in work (bounded), closes. Safe to call twice."""
        if self._loop is not None and self._stop_asked is not None and self._thread.is_alive():
            try:
                self._loop.call_soon_threadsafe(self._stop_asked.set)
            except RuntimeError:  # the loop has closed in between
                return
            self._thread.join(self._drain_s + _START_TIMEOUT_S)

    def _run(self) -> None:
        batch_threads.is_one()
        try:
            with asyncio.Runner(loop_factory=loop_factory()) as runner:
                runner.run(self._serve())
        except Exception as error:
            if self._ready.is_set():
                _log.exception("the gRPC server stopped")
            self._failure = error
        finally:
            self._ready.set()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop_asked = asyncio.Event()
        self._all_answered = asyncio.Event()
        server = grpc.aio.server(options=_options(self._ingest.settings.max_message_bytes))
        for name, signal in SIGNALS.items():
            method: Any = grpc.stream_unary_rpc_method_handler(self._export(name))
            server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(signal.service, {"Export": method}),))
        state = health.aio.HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(state, server)
        for service in _HEALTH_SERVICES:
            await state.set(service, health_pb2.HealthCheckResponse.SERVING)
        address = f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"
        if self._tls is None:
            self.port = server.add_insecure_port(address)
        else:
            self.port = server.add_secure_port(address, self._tls.grpc_credentials())
        await server.start()
        self._ready.set()
        watching = asyncio.create_task(self._watch_reading())
        await self._stop_asked.wait()
        watching.cancel()
        await state.enter_graceful_shutdown()
        # New calls are told to come back. gRPC's own grace would also wait for health watches and for messages that never
        # come; here only calls whose message was taken are waited for.
        if self._taken:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._all_answered.wait(), self._drain_s)
        await server.stop(_LAST_ANSWERS_S)

    def _export(self, signal: SignalName) -> Callable[[AsyncIterator[bytes], Call], Coroutine[Any, Any, bytes]]:
        """The Export method of a signal. It reads its one message itself, so that the wait for it can be bounded."""
        ingest = self._ingest

        async def export(messages: AsyncIterator[bytes], call: Call) -> bytes:
            try:
                self._refuse_when_stopping()
                caller = ingest.admit(_metadata(call), _address(call.peer()))
                body = await self._read(call)
                self._refuse_when_stopping()
                hold = ingest.budget.hold()
                hold.grow(len(body))
                self._taken += 1
                try:
                    future = ingest.submit(signal, body, "protobuf", _compression(body), caller, hold)
                    del body
                    response: Message = await result_of(future)
                finally:
                    self._answered()
            except Exception as error:
                refusal = Refusal.of(error, f"{signal} over gRPC")
            else:
                return response.SerializeToString()
            ingest.accounting.refuse(refusal.outcome.reason)
            await _refuse(call, refusal)
            raise AssertionError("not reached: a refused call has ended")

        return export

    async def _read(self, call: Call) -> bytes:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - gRPC runs every call in one
        self._reading[task] = time.monotonic() + _READ_TIMEOUT_S
        try:
            message: Any = await call.read()
        except asyncio.CancelledError:
            if self._reading[task] > 0:  # the client has gone, or the server
                raise
            task.uncancel()
            raise SlowSender(f"the message did not arrive within {_READ_TIMEOUT_S:.0f} s") from None
        finally:
            del self._reading[task]
        if message is grpc.aio.EOF:
            # Nothing was sent, or gRPC refused what was (and has told the client so already).
            raise InvalidPayload("no message, or one beyond the size limit")
        return bytes(message)

    async def _watch_reading(self) -> None:
        """Ends the wait for messages that take too long, for as long as the server runs."""
        while True:
            await asyncio.sleep(_READ_TIMEOUT_S / _LOOKS)
            now = time.monotonic()
            for task in [task for task, deadline in self._reading.items() if 0 < deadline < now]:
                self._reading[task] = 0.0
                task.cancel()

    def _refuse_when_stopping(self) -> None:
        if self._stop_asked is not None and self._stop_asked.is_set():
            raise StoreUnavailable("the server is stopping")

    def _answered(self) -> None:
        self._taken -= 1
        if not self._taken and self._stop_asked is not None and self._stop_asked.is_set():
            assert self._all_answered is not None  # noqa: S101 - made together with _stop_asked
            self._all_answered.set()


async def _refuse(call: Call, refusal: Refusal) -> None:
    trailing: list[tuple[str, str | bytes]] = [("grpc-status-details-bin", refusal.status.SerializeToString())]
    if refusal.retry_info is not None:
        # Go, Java and .NET read the details; Python reads this one only.
        trailing.append(("google.rpc.retryinfo-bin", refusal.retry_info.SerializeToString()))
    await call.abort(_CODES[refusal.outcome.grpc], refusal.status.message, tuple(trailing))


def _compression(message: bytes) -> str:
    """How a message is compressed, by its first bytes: an OTLP request starts with the tag of its only field, 0x0a."""
    if message[:2] == b"\x1f\x8b":
        return "gzip"
    if message[:1] == b"\x78" and len(message) > 1 and (0x7800 | message[1]) % 31 == 0:
        return "deflate"
    return ""


def _metadata(call: Call) -> dict[str, str]:
    headers: dict[str, str] = {}
    for name, value in call.invocation_metadata() or ():
        if isinstance(value, str):
            headers[name] = f"{headers[name]},{value}" if name in headers else value
    return headers


def _address(peer: str) -> str:
    """The address in ``ipv4:127.0.0.1:5000`` or ``ipv6:%5B::1%5D:5000``."""
    kind, _, rest = peer.partition(":")
    if kind not in ("ipv4", "ipv6"):
        return rest
    return rest.rpartition(":")[0].replace("%5B", "").replace("%5D", "").strip("[]")
