"""OTLP/HTTP: an ASGI app for ``POST /v1/traces``, ``/v1/metrics`` and ``/v1/logs``, protobuf and JSON.

The same paths are served under ``/api/public/otel``, where Langfuse's SDKs post, so that the query API's port can mount
this app. Answers and errors come in the encoding of the request (OTLP 1.11, OTLP/HTTP).
"""

import math
from typing import Any

from google.protobuf.json_format import MessageToJson
from google.protobuf.message import Message

from otel_llm.errors import UnsupportedMedia
from otel_llm.otlp.decode import Encoding
from otel_llm.otlp.inflate import DECOMPRESSORS
from otel_llm.otlp.signals import SIGNALS, SignalName
from otel_llm.serving import BodyReader
from otel_llm.serving.asgi import App, Header, Receive, Scope, Send, headers_of, peer_of, respond
from otel_llm.serving.body import ClientGone
from otel_llm.wakeups import result_of
from receiver.ingest import Ingest
from receiver.status import Refusal, UnknownPath, WrongMethod

LANGFUSE_PREFIX = "/api/public/otel"
PATHS: dict[str, SignalName] = {f"{prefix}/v1/{name}": name for prefix in ("", LANGFUSE_PREFIX) for name in SIGNALS}
ENCODINGS: dict[str, Encoding] = {
    "application/x-protobuf": "protobuf",
    "application/protobuf": "protobuf",
    "application/json": "json",
}
_HEALTH_PATH = "/healthz"
_ALLOWED = "POST, OPTIONS"
_CLOSING = frozenset({408, 413})
"""Status codes after which the rest of a body may still be on its way."""


def create_otlp_app(ingest: Ingest) -> App:
    """The ASGI app. ``ingest`` is shared with the other protocols."""
    return OtlpApp(ingest)


class OtlpApp:
    """OTLP/HTTP of one server."""

    def __init__(self, ingest: Ingest) -> None:
        self._ingest = ingest
        self._reader = BodyReader(ingest.settings.max_message_bytes, ingest.budget)
        self._origins = frozenset(ingest.settings.cors_origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        headers = headers_of(scope)
        media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
        encoding = ENCODINGS.get(media_type)
        extra = self._cors(headers)
        try:
            if scope["path"] == _HEALTH_PATH and scope["method"] in ("GET", "HEAD"):
                status, answer, content_type = 200, b'{"status":"ok"}', "application/json"
            elif scope["method"] == "OPTIONS" and scope["path"].rstrip("/") in PATHS:
                await respond(send, 204, [(b"allow", _ALLOWED.encode()), *extra, *self._preflight(headers)], b"")
                return
            else:
                response = await self._export(scope, receive, headers, encoding)
                status, answer, content_type = 200, _encode(response, encoding or "json"), media_type
        except ClientGone:
            return
        except Exception as error:
            refusal = Refusal.of(error, f"{scope['method']} {scope['path']}")
            self._ingest.accounting.refuse(refusal.outcome.reason)
            status = refusal.outcome.http
            answer = _encode(refusal.status, encoding or "json")
            content_type = media_type if encoding else "application/json"
            extra += _told(refusal)
        try:
            await respond(send, status, [(b"content-type", content_type.encode("latin-1")), *extra], answer)
        except TimeoutError:
            return  # the client does not take its answer

    async def _export(self, scope: Scope, receive: Receive, headers: dict[str, str], encoding: Encoding | None) -> Message:
        signal = PATHS.get(scope["path"].rstrip("/"))
        if signal is None:
            raise UnknownPath(f"nothing is served here; OTLP/HTTP is at {', '.join(f'/v1/{name}' for name in SIGNALS)}")
        if scope["method"] != "POST":
            raise WrongMethod(f"{scope['method']} is not served here; use POST")
        caller = self._ingest.admit(headers, peer_of(scope))
        if encoding is None:
            raise UnsupportedMedia(f"the content type must be one of {', '.join(ENCODINGS)}")
        compression = headers.get("content-encoding", "")
        names = {name.strip().lower() for name in compression.split(",")} - {"", "identity"}
        if not names <= DECOMPRESSORS.keys():
            raise UnsupportedMedia(f"the content encoding must be one of {', '.join(DECOMPRESSORS)}")
        hold = self._ingest.budget.hold()
        try:
            body = await self._reader.read(receive, headers, hold)
        except BaseException:
            hold.release()
            raise
        future = self._ingest.submit(signal, body, encoding, compression if names else "", caller, hold)
        del body
        return await result_of(future)

    def _cors(self, headers: dict[str, str]) -> list[Header]:
        origin = headers.get("origin", "")
        if not origin or not (origin in self._origins or "*" in self._origins):
            return []
        return [(b"access-control-allow-origin", origin.encode("latin-1")), (b"vary", b"origin")]

    def _preflight(self, headers: dict[str, str]) -> list[Header]:
        if not self._cors(headers):
            return []
        # No cookie opens this door, so any header may be sent along.
        wanted = headers.get("access-control-request-headers", "content-type")
        return [
            (b"access-control-allow-methods", b"POST"),
            (b"access-control-allow-headers", wanted.encode("latin-1")),
            (b"access-control-max-age", b"7200"),
        ]


def _told(refusal: Refusal) -> list[Header]:
    """The headers that go with a refusal."""
    headers: list[Header] = []
    if refusal.retry_info is not None:
        headers.append((b"retry-after", str(math.ceil(refusal.retry_after_s)).encode()))
    if refusal.outcome.http == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    if refusal.outcome.http == 405:
        headers.append((b"allow", _ALLOWED.encode()))
    if refusal.outcome.http in _CLOSING:
        headers.append((b"connection", b"close"))
    return headers


def _encode(message: Any, encoding: Encoding) -> bytes:
    if encoding == "protobuf":
        return bytes(message.SerializeToString())
    return MessageToJson(message, indent=None).encode()
