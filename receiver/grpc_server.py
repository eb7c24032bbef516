"""The OTLP/gRPC server: trace, metrics and logs services, and the standard health service.

Two transports carry it. The one of choice drives gRPC's core itself (:mod:`receiver.grpc_core`): a request of one span costs
the thread that serves it 79 us, where grpc's asyncio server costs it 325 us, and 1,400 instead of 870 are acknowledged in a
second over 8 connections. It stands on a module that is no public API of grpcio, so with a grpcio that lacks what it needs,
the asyncio server (:mod:`receiver.grpc_aio`) does the same. A call costs neither of them a thread while its message is on its
way, as it does grpc's synchronous server: a thousand slow senders use up any pool.
"""

import logging
from threading import Event, Thread

import grpc

from otel_llm import batch_threads
from otel_llm.errors import ConfigError
from otel_llm.serving import TlsFiles
from otel_llm.serving.server import bind
from receiver import grpc_core
from receiver.grpc_aio import AioTransport
from receiver.grpc_wire import Transport
from receiver.ingest import Ingest

_log = logging.getLogger(__name__)
_START_TIMEOUT_S = 10.0


class GrpcServer:
    """Serves OTLP/gRPC on one address."""

    def __init__(self, ingest: Ingest, *, host: str, port: int, tls: TlsFiles | None = None, drain_s: float = 25.0) -> None:
        """``port`` 0 takes a free one. ``drain_s`` bounds the wait of :meth:`stop` for calls in work."""
        self.host = host
        self.port = port
        self.transport = _transport(ingest, drain_s)
        self._tls = tls
        self._drain_s = drain_s
        self._ready = Event()
        self._failure: Exception | None = None
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
        if self._thread.is_alive():
            self.transport.ask_to_stop()
            self._thread.join(self._drain_s + _START_TIMEOUT_S)

    def _run(self) -> None:
        batch_threads.is_one()
        address = f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"
        try:
            self.transport.serve(address, self._tls.grpc_credentials() if self._tls else None, self._serves)
        except Exception as error:
            if self._ready.is_set():
                _log.exception("the gRPC server stopped")
            self._failure = error
        finally:
            self._ready.set()

    def _serves(self, port: int) -> None:
        self.port = port
        self._ready.set()


def _transport(ingest: Ingest, drain_s: float) -> Transport:
    if grpc_core.usable(grpc_core.cygrpc):
        return grpc_core.CoreTransport(ingest, drain_s)
    _log.warning(
        "grpcio %s lacks something to serve OTLP/gRPC with: its asyncio server does, with fewer small requests a second",
        grpc.__version__,
    )
    return AioTransport(ingest, drain_s)
