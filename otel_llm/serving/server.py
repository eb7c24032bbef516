"""An HTTP server in a thread of its own."""

import asyncio
import logging
import socket
from collections.abc import Callable
from threading import Event, Thread

import uvicorn

from otel_llm.errors import ConfigError
from otel_llm.serving.asgi import App
from otel_llm.serving.files import allow_many_connections
from otel_llm.serving.guard import GuardedProtocol
from otel_llm.serving.tls import TlsFiles

_log = logging.getLogger(__name__)
_BACKLOG = 4096
_KEEP_ALIVE_S = 75  # longer than the export interval of the stock exporters, so that they keep their connection
_FORCED_STOP_S = 5.0


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    """What makes the event loop of a server: uvloop where it is installed."""
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop
    return uvloop.new_event_loop


class HttpServer:
    """Serves one ASGI app on one address."""

    def __init__(self, app: App, *, host: str, port: int, tls: TlsFiles | None = None, drain_s: float = 25.0) -> None:
        """``port`` 0 takes a free one. ``drain_s`` bounds the wait of :meth:`stop` for requests in work."""
        allow_many_connections()
        self.host = host
        self.port = port
        self.scheme = "https" if tls else "http"
        self._drain_s = drain_s
        self._thread: Thread | None = None
        self._stopped = Event()
        context = tls.http_context() if tls else None
        self._server = uvicorn.Server(
            uvicorn.Config(
                app,
                http=GuardedProtocol,
                ws="none",
                lifespan="off",
                interface="asgi3",
                log_config=None,
                log_level="critical",
                access_log=False,
                proxy_headers=False,
                server_header=False,
                backlog=_BACKLOG,
                timeout_keep_alive=_KEEP_ALIVE_S,
                timeout_graceful_shutdown=drain_s,  # type: ignore[arg-type] # any number of seconds
                ssl_context_factory=(lambda config, default: context) if context else None,
            )
        )

    @property
    def url(self) -> str:
        """Where the server listens, without a slash at the end."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"

    def start(self) -> None:
        """Binds and serves; returns when connections are accepted. Raises ConfigError when the address is not free."""
        bound = self._bind()
        self._thread = Thread(target=self._run, args=(bound,), name=f"http {self.url}", daemon=True)
        self._thread.start()
        while not self._server.started and not self._stopped.wait(0.005):
            pass
        if self._stopped.is_set():
            raise ConfigError(f"the HTTP server on {self.url} did not start")

    def stop(self) -> None:
        """Stops accepting, waits for requests in work (bounded), closes. Safe to call twice."""
        self._server.should_exit = True
        if self._thread is not None:
            self._thread.join(self._drain_s + _FORCED_STOP_S)
            self._thread = None

    def _bind(self) -> socket.socket:
        bound = bind(self.host, self.port)
        self.port = bound.getsockname()[1]
        return bound

    def _run(self, bound: socket.socket) -> None:
        try:
            with asyncio.Runner(loop_factory=loop_factory()) as runner:
                runner.run(self._server.serve(sockets=[bound]))
        except (Exception, SystemExit):
            _log.exception("the HTTP server on %s stopped", self.url)
        finally:
            bound.close()
            self._stopped.set()


def bind(host: str, port: int) -> socket.socket:
    """A listening socket. Raises ConfigError when the address is unknown or not free."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        bound = socket.socket(family, kind, protocol)
    except OSError as error:
        raise ConfigError(f"cannot listen on {host}: {error.strerror or error}") from None
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
        bound.listen(_BACKLOG)
        bound.setblocking(False)
    except OSError as error:
        bound.close()
        raise ConfigError(f"cannot listen on {host} port {port}: {error.strerror or error}") from None
    return bound
