"""The operator's way in: a socket in the file system, beside the file of an embedded store.

A DuckDB file has one owner, the server, so whoever holds the file cannot open it meanwhile. The socket is reached with the
same rights as the file (mode 0600), and by nobody from outside the machine: who connects is the operator and needs no key,
whatever TLS and client certificates the ports ask for.
"""

import os
import socket
import stat
from pathlib import Path

from otel_llm.errors import ConfigError
from otel_llm.serving.asgi import App, Receive, Scope, Send
from otel_llm.serving.server import HttpServer

OPERATOR = "otel_llm.operator"
"""Set in the scope of every request that came through the socket, and in its WSGI environment: no header can be named so."""
MAX_PATH_BYTES = 103
"""Longest path of a socket on every system: macOS has the shortest."""
_BACKLOG = 64


class OperatorServer(HttpServer):
    """Serves an ASGI app on a socket of the file system, each request marked as the operator's."""

    def __init__(self, app: App, path: Path, *, drain_s: float = 25.0) -> None:
        super().__init__(_Marked(app), host="localhost", port=0, drain_s=drain_s)
        self.path = path
        self._bound = False

    @property
    def url(self) -> str:
        """Where the server listens."""
        return f"unix:{self.path}"

    def stop(self) -> None:
        """Stops as its parent does, and takes the socket away, if it is there by this server."""
        super().stop()
        if self._bound:
            self._bound = False
            self.path.unlink(missing_ok=True)

    def _bind(self) -> socket.socket:
        """Raises ConfigError when the file system has no place for it."""
        if not hasattr(socket, "AF_UNIX"):
            raise ConfigError("this system has no sockets in its file system")
        if len(os.fsencode(self.path.absolute())) > MAX_PATH_BYTES:
            raise ConfigError(f"the path {self.path} is too long for a socket")
        bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            if self.path.exists() and stat.S_ISSOCK(self.path.lstat().st_mode):
                self.path.unlink()  # of a server that was killed: the store is ours, so nobody listens there
            bound.bind(str(self.path.absolute()))
            self._bound = True
            self.path.chmod(0o600)  # before listen: nobody gets through in between
            bound.listen(_BACKLOG)
            bound.setblocking(False)
        except OSError as error:
            bound.close()
            raise ConfigError(f"cannot listen on {self.path}: {error.strerror or error}") from None
        return bound


class _Marked:
    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope[OPERATOR] = True
        await self._app(scope, receive, send)
