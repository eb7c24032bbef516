"""A server of one WSGI app, for tests of the server itself."""

import socket
import ssl
import time
from typing import Any
from wsgiref.types import WSGIApplication

from otel_llm.budget import Budget
from otel_llm.serving import BodyReader, HttpServer, TlsFiles, WsgiBridge
from otel_llm.serving.body import Pace

LIMIT = 1_000_000


class SmallServer:
    def __init__(self, app: WSGIApplication, *, tls: TlsFiles | None = None, pace: Pace | None = None, **options: Any) -> None:
        self.budget = Budget(10 * LIMIT)
        self.bridge = WsgiBridge(app, BodyReader(LIMIT, self.budget, pace or Pace()), **options)
        self.server = HttpServer(self.bridge, host="127.0.0.1", port=0, tls=tls, drain_s=5)

    def __enter__(self) -> "SmallServer":
        self.server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.stop()
        self.bridge.close()

    @property
    def url(self) -> str:
        return self.server.url

    def connect(self, context: ssl.SSLContext | None = None) -> socket.socket:
        plain = socket.create_connection(("127.0.0.1", self.server.port), timeout=10)
        return plain if context is None else context.wrap_socket(plain, server_hostname="127.0.0.1")


def until_closed(connection: socket.socket) -> tuple[bytes, float]:
    """All that comes until the other side closes, and how long that took."""
    start = time.monotonic()
    received = b""
    while True:
        try:
            chunk = connection.recv(65536)
        except ConnectionResetError:
            chunk = b""
        if not chunk:
            return received, time.monotonic() - start
        received += chunk
