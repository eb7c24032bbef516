"""The one table from errors to wire status, for gRPC and HTTP (OTLP 1.11, "Failures"; codes as in google.rpc.Code)."""

import logging
from dataclasses import dataclass

from google.protobuf.any_pb2 import Any as AnyMessage
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status

from otel_llm.errors import (
    InvalidPayload,
    Overloaded,
    PayloadTooLarge,
    PermissionDenied,
    RequestError,
    RetryableError,
    SlowSender,
    StoreUnavailable,
    Unauthenticated,
    UnsupportedMedia,
)

_log = logging.getLogger(__name__)
_SHORTEST_HINT_S, _LONGEST_HINT_S = 1.0, 3.0
"""Python's exporters drop a batch whose hint exceeds what is left of their 10 s."""
_MESSAGE_LIMIT = 1024
"""Characters: gRPC sends the message twice in headers, of which clients take 8 kB."""


class UnknownPath(RequestError):
    """No service on this path."""


class WrongMethod(RequestError):
    """A path that is served, with a method that is not."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one kind of error is told: ``reason`` names it in the counters."""

    grpc: int
    http: int
    reason: str
    retry: bool = False


OUTCOMES: dict[type[Exception], Outcome] = {
    #                        google.rpc.Code          HTTP  reason
    InvalidPayload: Outcome(3, 400, "undecodable"),
    UnsupportedMedia: Outcome(12, 415, "unsupported_media"),
    PayloadTooLarge: Outcome(8, 413, "too_large"),
    SlowSender: Outcome(4, 408, "slow"),
    Unauthenticated: Outcome(16, 401, "unauthenticated"),
    PermissionDenied: Outcome(7, 403, "permission_denied"),
    UnknownPath: Outcome(5, 404, "unknown_path"),
    WrongMethod: Outcome(12, 405, "wrong_method"),
    RequestError: Outcome(3, 400, "invalid"),
    Overloaded: Outcome(8, 429, "overloaded", retry=True),
    StoreUnavailable: Outcome(14, 503, "store_unavailable", retry=True),
    RetryableError: Outcome(14, 503, "unavailable", retry=True),
    Exception: Outcome(13, 500, "internal"),
}


@dataclass(frozen=True, slots=True)
class Refusal:
    """One refused request, ready to be written by either protocol."""

    outcome: Outcome
    status: Status
    retry_info: RetryInfo | None
    retry_after_s: float

    @classmethod
    def of(cls, error: Exception, what: str) -> "Refusal":
        """The refusal of an error. One that nobody foresaw is logged with its traceback and told in neutral words."""
        outcome = next(OUTCOMES[kind] for kind in type(error).__mro__ if kind in OUTCOMES)
        message = str(error)[:_MESSAGE_LIMIT]
        if outcome.reason == "internal":
            _log.error("%s failed", what, exc_info=error)
            message = "internal error; the server's log says more"
        status = Status(code=outcome.grpc, message=message)
        if not outcome.retry:
            return cls(outcome, status, None, 0.0)
        wanted = error.retry_after if isinstance(error, RetryableError) else _SHORTEST_HINT_S
        seconds = min(max(wanted, _SHORTEST_HINT_S), _LONGEST_HINT_S)
        retry_info = RetryInfo()
        retry_info.retry_delay.FromNanoseconds(int(seconds * 1e9))
        packed = AnyMessage()
        packed.Pack(retry_info)
        status.details.append(packed)
        return cls(outcome, status, retry_info, seconds)
