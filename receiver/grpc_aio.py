"""OTLP/gRPC on grpc's asyncio server, the public API of grpcio: a call costs a coroutine until its message is complete."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import grpc
import grpc.aio
from google.protobuf.message import Message
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from otel_llm.otlp.signals import SIGNALS, SignalName
from otel_llm.serving.server import loop_factory
from otel_llm.wakeups import result_of
from receiver import grpc_wire
from receiver.grpc_wire import Ready
from receiver.ingest import Ingest
from receiver.status import Refusal

_LOOKS = 20
"""While a message may be on its way, one looks so often for those that take too long: a timer for each would cost a tenth of a
small call."""
_CODES = {code.value[0]: code for code in grpc.StatusCode}

Call = grpc.aio.ServicerContext[Any, Any]


class AioTransport:
    """A :class:`~receiver.grpc_wire.Transport`."""

    def __init__(self, ingest: Ingest, drain_s: float) -> None:
        self._ingest = ingest
        self._drain_s = drain_s
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop_asked = asyncio.Event()
        self._taken = 0
        self._reading: dict[asyncio.Task[Any], float] = {}
        """Calls whose message is on its way: until when it may be; 0 for one that took too long."""
        self._all_answered = asyncio.Event()

    def serve(self, address: str, credentials: grpc.ServerCredentials | None, ready: Ready) -> None:
        """See :class:`~receiver.grpc_wire.Transport`."""
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            self._loop = runner.get_loop()
            runner.run(self._serve(address, credentials, ready))

    def ask_to_stop(self) -> None:
        """See :class:`~receiver.grpc_wire.Transport`."""
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop has closed in between
                self._loop.call_soon_threadsafe(self._stop_asked.set)

    async def _serve(self, address: str, credentials: grpc.ServerCredentials | None, ready: Ready) -> None:
        server = grpc.aio.server(options=grpc_wire.options(self._ingest.settings.max_message_bytes))
        for name, signal in SIGNALS.items():
            method: Any = grpc.stream_unary_rpc_method_handler(self._export(name))
            server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(signal.service, {"Export": method}),))
        state = health.aio.HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(state, server)
        for service in grpc_wire.HEALTH_SERVICES:
            await state.set(service, health_pb2.HealthCheckResponse.SERVING)
        port = server.add_secure_port(address, credentials) if credentials else server.add_insecure_port(address)
        await server.start()
        ready(port)
        watching = asyncio.create_task(self._watch_reading())
        await self._stop_asked.wait()
        watching.cancel()
        await state.enter_graceful_shutdown()
        # New calls are told to come back. gRPC's own grace would also wait for health watches and for messages that never
        # come; here only calls whose message was taken are waited for.
        if self._taken:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._all_answered.wait(), self._drain_s)
        await server.stop(grpc_wire.LAST_ANSWERS_S)

    def _export(self, signal: SignalName) -> Callable[[AsyncIterator[bytes], Call], Coroutine[Any, Any, bytes]]:
        """The Export method of a signal. It reads its one message itself, so that the wait for it can be bounded."""
        ingest = self._ingest

        async def export(messages: AsyncIterator[bytes], call: Call) -> bytes:
            try:
                self._refuse_when_stopping()
                caller = ingest.admit(grpc_wire.headers_of(call.invocation_metadata()), grpc_wire.address_of(call.peer()))
                body = await self._read(call)
                self._refuse_when_stopping()
                compression = grpc_wire.compression_of(body)
                hold = ingest.budget.hold()
                hold.grow(len(body))
                self._taken += 1
                try:
                    future = ingest.submit(signal, body, "protobuf", compression, caller, hold)
                    del body
                    response: Message = await result_of(future)
                finally:
                    self._answered()
            except Exception as error:
                refusal = Refusal.of(error, f"{signal} over gRPC")
            else:
                return response.SerializeToString()
            ingest.accounting.refuse(refusal.outcome.reason)
            await call.abort(_CODES[refusal.outcome.grpc], refusal.status.message, grpc_wire.trailing_of(refusal))
            raise AssertionError("not reached: a refused call has ended")

        return export

    async def _read(self, call: Call) -> bytes:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - gRPC runs every call in one
        self._reading[task] = time.monotonic() + grpc_wire.READ_TIMEOUT_S
        try:
            message: Any = await call.read()
        except asyncio.CancelledError:
            if self._reading[task] > 0:  # the client has gone, or the server
                raise
            task.uncancel()
            raise grpc_wire.slow_sender() from None
        finally:
            del self._reading[task]
        if message is grpc.aio.EOF:
            raise grpc_wire.no_message()
        return bytes(message)

    async def _watch_reading(self) -> None:
        """Ends the wait for messages that take too long, for as long as the server runs."""
        while True:
            await asyncio.sleep(grpc_wire.READ_TIMEOUT_S / _LOOKS)
            now = time.monotonic()
            for task in [task for task, deadline in self._reading.items() if 0 < deadline < now]:
                self._reading[task] = 0.0
                task.cancel()

    def _refuse_when_stopping(self) -> None:
        if self._stop_asked.is_set():
            raise grpc_wire.stopping()

    def _answered(self) -> None:
        self._taken -= 1
        if not self._taken and self._stop_asked.is_set():
            self._all_answered.set()
