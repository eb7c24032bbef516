"""Asks a running server over its HTTP API, with the standard library alone."""

import http.client
import json
import socket
import urllib.error
import urllib.request
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from otel_llm.errors import OtelLLMError

TIMEOUT_S = 60.0
"""Above the server's own limit of a query, so that its answer is heard."""


class _SocketConnection(http.client.HTTPConnection):
    """HTTP over a socket of the file system."""

    def __init__(self, host: str, *, path: Path, **options: Any) -> None:
        super().__init__(host, **options)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path.absolute()))


class _SocketHandler(urllib.request.HTTPHandler):
    """Sends ``http`` requests through the socket."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(partial(_SocketConnection, path=self._path), req)


class ServerError(OtelLLMError):
    """The server cannot be reached, or refused. ``status`` is None when it was not reached."""

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class ServerClient:
    """One server and the key to ask it with; or the socket through which an operator asks without one."""

    def __init__(
        self, url: str, api_key: str | None = None, *, socket_path: Path | None = None, project: str | None = None
    ) -> None:
        """``project`` is what an operator asks about; with a key it is the key's."""
        if not url.startswith(("http://", "https://")):
            raise ServerError(f"a server address starts with http:// or https://, not {url!r}")
        self.url = url.rstrip("/")
        self._api_key = api_key
        # no proxy: the server is local or named on purpose, and a key must not pass through a third party
        handlers: list[urllib.request.BaseHandler] = [urllib.request.ProxyHandler({})]
        self._base = self.url
        self._project = None
        if socket_path is not None:
            self._base = "http://localhost"  # also where the ports speak TLS: the socket does not leave the machine
            self._project = None if api_key else project
            handlers.append(_SocketHandler(socket_path))
        self._opener = urllib.request.build_opener(*handlers)

    def get(self, path: str, query: Mapping[str, Any] | None = None) -> Any:
        """The JSON answer of a GET; parameters that are None are left out. Raises ServerError."""
        given = {name: value for name, value in (query or {}).items() if value is not None}
        return self.ask("GET", path + ("?" + urlencode(given, doseq=True) if given else ""))

    def ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """The JSON answer of a request. Raises ServerError."""
        headers = {"accept": "application/json"}
        if self._api_key:
            headers["authorization"] = f"Bearer {self._api_key}"
        if self._project:
            headers["x-project-id"] = self._project
        data = None
        if body is not None:
            data = json.dumps(body).encode()
            headers["content-type"] = "application/json"
        request = urllib.request.Request(self._base + path, data, headers, method=method)  # noqa: S310 scheme checked above
        try:
            with self._opener.open(request, timeout=TIMEOUT_S) as response:
                return json.loads(response.read() or b"null")
        except urllib.error.HTTPError as error:
            with error:
                raise ServerError(self._explained(error.code, error.read()), error.code) from None
        except (OSError, ValueError) as error:
            reason = getattr(error, "reason", error)
            raise ServerError(f"no otel-llm server answers at {self.url}: {reason}") from None

    def _explained(self, status: int, body: bytes) -> str:
        try:
            document = json.loads(body)
            said = document.get("error") or document.get("message") or ""
        except (ValueError, AttributeError):
            said = ""
        if status == 401:
            if self._api_key:
                return f"the server at {self.url} does not accept the key given by --api-key or OTEL_LLM_API_KEY"
            return f"the server at {self.url} asks for a key: give one with --api-key or OTEL_LLM_API_KEY"
        return f"the server at {self.url} answered {status}" + (f": {said}" if said else "")
