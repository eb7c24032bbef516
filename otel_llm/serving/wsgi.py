"""A WSGI app (Flask) behind the event loop: the request is complete before a thread is taken, the answer before it is sent.

No thread ever waits for a client. Threads are bounded, and so is the line before them.
"""

import asyncio
import io
import json
import logging
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from typing import Any
from wsgiref.types import WSGIApplication

from otel_llm.errors import OtelLLMError, Overloaded, PayloadTooLarge, SlowSender
from otel_llm.serving.asgi import Header, Receive, Scope, Send, headers_of, peer_of, respond
from otel_llm.serving.body import BodyReader, ClientGone
from otel_llm.serving.operator import OPERATOR

_log = logging.getLogger(__name__)
Question = Callable[[], AbstractContextManager[None]]

_WAITING_PER_THREAD = 64
_REFUSALS: dict[type[OtelLLMError], tuple[int, str]] = {
    PayloadTooLarge: (413, "Content Too Large"),
    SlowSender: (408, "Request Timeout"),
    Overloaded: (503, "Service Unavailable"),
}


class WsgiBridge:
    """An ASGI app that runs a WSGI app in threads."""

    def __init__(
        self, app: WSGIApplication, reader: BodyReader, *, threads: int = 16, question: Question = nullcontext
    ) -> None:
        """``question`` is entered while a request is answered."""
        self._app = app
        self._reader = reader
        self._question = question
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="wsgi")
        self._free = threads * _WAITING_PER_THREAD

    def close(self) -> None:
        """Ends the threads."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        headers = headers_of(scope)
        hold = self._reader.budget.hold()
        try:
            body = await self._reader.read(receive, headers, hold)
            if self._free <= 0:
                raise Overloaded("too many requests are waiting")
            self._free -= 1
            try:
                loop = asyncio.get_running_loop()
                with self._question():
                    status, answer_headers, answer = await loop.run_in_executor(
                        self._pool, self._run, _environ(scope, headers, body)
                    )
            finally:
                self._free += 1
            await respond(send, status, answer_headers, answer)
        except ClientGone:
            return
        except tuple(_REFUSALS) as error:
            status, phrase = _REFUSALS[type(error)]
            retry: list[Header] = [(b"retry-after", b"1")] if isinstance(error, Overloaded) else [(b"connection", b"close")]
            text = json.dumps({"error": phrase, "message": str(error)}).encode()
            await respond(send, status, [(b"content-type", b"application/json"), *retry], text)
        except TimeoutError:
            return  # the client does not take its answer
        finally:
            hold.release()

    def _run(self, environ: dict[str, Any]) -> tuple[int, list[Header], bytes]:
        started: list[Any] = []
        written: list[bytes] = []

        def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            started[:] = [int(status.split(" ", 1)[0]), headers]
            return written.append

        try:
            chunks = self._app(environ, start_response)
            try:
                written.extend(chunks)
            finally:
                close = getattr(chunks, "close", None)
                if close is not None:
                    close()
            status, raw_headers = started
            headers = [
                (name.lower().encode("latin-1"), value.encode("latin-1"))
                for name, value in raw_headers
                if name.lower() not in ("content-length", "transfer-encoding", "connection")
            ]
        except Exception:
            _log.exception("%s %s failed", environ["REQUEST_METHOD"], environ["PATH_INFO"])
            text = b'{"error":"Internal Server Error","message":"Internal Server Error"}'
            return 500, [(b"content-type", b"application/json")], text
        return status, headers, b"".join(written)


def _environ(scope: Scope, headers: dict[str, str], body: bytes) -> dict[str, Any]:
    """The WSGI environment of a request (PEP 3333)."""
    host, port = scope.get("server") or ("", 0)
    environ: dict[str, Any] = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": "",
        "PATH_INFO": scope["path"].encode().decode("latin-1"),
        "RAW_URI": scope["raw_path"].decode("latin-1"),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "SERVER_NAME": host,
        "SERVER_PORT": str(port),
        "REMOTE_ADDR": peer_of(scope),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope["scheme"],
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        OPERATOR: scope.get(OPERATOR, False),
    }
    for name, value in headers.items():
        if "_" in name or name == "content-length":  # an underscore would let a header pass for another one
            continue
        key = name.upper().replace("-", "_")
        environ["CONTENT_TYPE" if name == "content-type" else f"HTTP_{key}"] = value
    if body or "content-length" in headers:
        environ["CONTENT_LENGTH"] = str(len(body))
    return environ
