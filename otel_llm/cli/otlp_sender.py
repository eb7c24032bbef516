"""Sends ready OTLP requests to a receiver, and waits as long as it asks for."""

import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException
from typing import Any, NamedTuple, Protocol

from otel_llm.errors import OtelLLMError
from otel_llm.otlp.signals import SIGNALS, Signal, SignalName
from otel_llm.sdk.destination import Destination
from otel_llm.sdk.mismatch import explained

_TRIES = 8
_TRIES_UNREACHED = 4
"""Nothing has answered yet: most likely nothing is there, and 3.5 s are enough for a server that is just starting."""
_TIMEOUT_S = 60.0
_FIRST_WAIT_S = 0.5
_LONGEST_WAIT_S = 10.0
_RETRYABLE_HTTP = frozenset({429, 502, 503, 504})
_RETRY_INFO = "google.rpc.retryinfo-bin"


class Refused(OtelLLMError):
    """The receiver does not take a request, or cannot be reached."""


class Taken(NamedTuple):
    """What a receiver says to a request it took: rejected items and its message."""

    rejected: int
    message: str


class _Busy(Exception):
    """Come back after ``wait_s`` seconds; None leaves it to the sender. ``answered`` False: nobody was reached."""

    def __init__(self, reason: str, wait_s: float | None, *, answered: bool = True) -> None:
        super().__init__(reason)
        self.wait_s = wait_s
        self.answered = answered


class Send(Protocol):
    """Sends one request and returns when it is answered. Raises Refused."""

    def __call__(self, signal: SignalName, message: Any) -> Taken: ...


@contextmanager
def sender(to: Destination) -> Iterator[Send]:
    """A connection to the collector of a destination."""
    if to.protocol == "grpc":
        import grpc

        target = to.endpoint.split("://", 1)[1]
        secure = to.endpoint.startswith("https://")
        compression = grpc.Compression.Gzip if to.compression == "gzip" else grpc.Compression.NoCompression
        channel = (
            grpc.secure_channel(target, grpc.ssl_channel_credentials(), compression=compression)
            if secure
            else grpc.insecure_channel(target, compression=compression)
        )
        with channel:
            yield _Patient(to, lambda signal, message: _grpc(channel, to, signal, message))
    else:
        # no proxy: the receiver is named on purpose, and a key must not pass through a third party
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        yield _Patient(to, lambda signal, message: _http(opener, to, signal, message))


class _Patient:
    """Sends, and tries again while that may help."""

    def __init__(self, to: Destination, attempt: Send) -> None:
        self._to = to
        self._attempt = attempt
        self._answered = False

    def __call__(self, signal: SignalName, message: Any) -> Taken:
        wait_s = _FIRST_WAIT_S
        number = 0
        while True:
            number += 1
            try:
                taken = self._attempt(signal, message)
            except _Busy as busy:
                if meaning := explained(str(busy)):
                    raise Refused(f"{self._to} does not understand what is sent: {meaning}") from None
                if number == (_TRIES if self._answered else _TRIES_UNREACHED):
                    raise Refused(f"{self._to} does not take it after {number} tries: {busy}") from None
                self._answered |= busy.answered
                time.sleep(min(_LONGEST_WAIT_S, wait_s if busy.wait_s is None else busy.wait_s))
                wait_s *= 2
            else:
                self._answered = True
                return taken


def _grpc(channel: Any, to: Destination, signal: SignalName, message: Any) -> Taken:
    import grpc
    from google.rpc.error_details_pb2 import RetryInfo

    spec = SIGNALS[signal]
    retryable = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.ABORTED}
    call = channel.unary_unary(
        f"/{spec.service}/Export",
        request_serializer=lambda item: item.SerializeToString(),
        response_deserializer=spec.response.FromString,
    )
    try:
        return _taken(spec, call(message, metadata=tuple(to.headers.items()), timeout=_TIMEOUT_S))
    except grpc.RpcError as error:
        reason = f"{error.code().name}: {error.details()}"
        trailing: Any = error.trailing_metadata() or ()
        hint = dict(trailing).get(_RETRY_INFO)
        exhausted_for_good = error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED and hint is None
        if error.code() not in retryable or exhausted_for_good:
            raise Refused(f"{to} refused a request: {reason}") from None
        delay = RetryInfo.FromString(bytes(hint)).retry_delay if isinstance(hint, bytes) else None
        wait_s = None if delay is None else delay.seconds + delay.nanos / 1e9
        raise _Busy(reason, wait_s, answered=error.code() is not grpc.StatusCode.UNAVAILABLE or hint is not None) from None


def _http(opener: urllib.request.OpenerDirector, to: Destination, signal: SignalName, message: Any) -> Taken:
    body: bytes = message.SerializeToString()
    headers = {"content-type": "application/x-protobuf", **to.headers}
    if to.compression == "gzip":
        import gzip

        body, headers["content-encoding"] = gzip.compress(body, 1), "gzip"
    request = urllib.request.Request(f"{to.endpoint}/v1/{signal}", body, headers)  # noqa: S310 the destination checks it
    try:
        with opener.open(request, timeout=_TIMEOUT_S) as answer:
            return _taken(SIGNALS[signal], SIGNALS[signal].response.FromString(answer.read()))
    except urllib.error.HTTPError as error:
        with error:
            reason = f"HTTP {error.code} {_status_message(error.read())}".rstrip()
            after = error.headers.get("retry-after", "")
            if error.code in _RETRYABLE_HTTP:
                raise _Busy(reason, float(after) if after.isdigit() else None) from None
            raise Refused(f"{to} refused a request: {reason}") from None
    except (OSError, HTTPException) as error:  # no connection; an answer that is no HTTP
        raise _Busy(f"{type(error).__name__}: {getattr(error, 'reason', error)}", None, answered=False) from None


def _status_message(body: bytes) -> str:
    from google.protobuf.message import DecodeError
    from google.rpc.status_pb2 import Status

    try:
        message: str = Status.FromString(body).message
        return message
    except DecodeError:
        return ""


def _taken(spec: Signal, answer: Any) -> Taken:
    partial = answer.partial_success
    return Taken(getattr(partial, spec.rejected_field), partial.error_message)
