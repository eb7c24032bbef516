"""What an OTLP/gRPC server says and reads, whichever transport carries it: options, headers, addresses, refusals."""

from collections.abc import Callable, Iterable
from typing import Any, Protocol

import grpc

from otel_llm.errors import InvalidPayload, SlowSender, StoreUnavailable
from otel_llm.otlp.signals import SIGNALS
from receiver.status import Refusal

READ_TIMEOUT_S = 60.0
"""For a whole message; stock clients give up after 10 s."""
LAST_ANSWERS_S = 0.5
"""For answers that are on their way when the server closes."""
MAX_CALLS = 1_000
"""Of a connection, at a time; further ones wait at their client. One that waits for its commit takes 20 kB, of which the ingest
budget counts its message only."""
HEALTH_SERVICES = ("", *(signal.service for signal in SIGNALS.values()))


Ready = Callable[[int], None]
"""Who is told that calls are accepted, and on which port."""


class Transport(Protocol):
    """One way to serve OTLP/gRPC; made with the :class:`~receiver.ingest.Ingest` and ``drain_s``. Serves once."""

    def serve(self, address: str, credentials: grpc.ServerCredentials | None, ready: Ready) -> None:
        """Serves in the calling thread until it is told to stop, and has stopped: what was taken is answered within
        ``drain_s``, everything else is told to come back."""

    def ask_to_stop(self) -> None:
        """Returns at once; from any thread, also again, also when :meth:`serve` has returned."""


def options(max_message_bytes: int) -> list[tuple[str, int]]:
    """Arguments of gRPC's core."""
    return [
        ("grpc.max_receive_message_length", max_message_bytes),
        ("grpc.max_concurrent_streams", MAX_CALLS),
        # It counts calls that were answered a moment ago, so that clients at the limit are refused though they keep it.
        ("grpc.http.overload_protection", 0),
        # Messages are taken as they come, still compressed: gRPC's own decompression makes the whole message before it looks
        # at the size limit.
        ("grpc.per_message_decompression", 0),
        ("grpc.max_metadata_size", 64 * 1024),
        ("grpc.so_reuseport", 0),  # a taken port is an error, not a shared load
        ("grpc.server_handshake_timeout_ms", 10_000),
        # Exporters ping as often as every 10 s, also without calls; gRPC's default answers too_many_pings.
        ("grpc.http2.min_recv_ping_interval_without_data_ms", 5_000),
        ("grpc.http2.max_ping_strikes", 0),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.keepalive_time_ms", 60_000),  # finds connections whose other end has vanished
        ("grpc.keepalive_timeout_ms", 20_000),
    ]


def headers_of(metadata: Iterable[Any] | None) -> dict[str, str]:
    """The text headers of a call, those of one name joined; names are lower case."""
    headers: dict[str, str] = {}
    for name, value in metadata or ():
        if isinstance(value, str):
            headers[name] = f"{headers[name]},{value}" if name in headers else value
    return headers


def address_of(peer: str) -> str:
    """The address in ``ipv4:127.0.0.1:5000`` or ``ipv6:%5B::1%5D:5000``."""
    kind, _, rest = peer.partition(":")
    if kind not in ("ipv4", "ipv6"):
        return rest
    return rest.rpartition(":")[0].replace("%5B", "").replace("%5D", "").strip("[]")


def compression_of(message: bytes) -> str:
    """How a message is compressed, by its first bytes: an OTLP request starts with the tag of its only field, 0x0a."""
    if message[:2] == b"\x1f\x8b":
        return "gzip"
    if message[:1] == b"\x78" and len(message) > 1 and (0x7800 | message[1]) % 31 == 0:
        return "deflate"
    return ""


def trailing_of(refusal: Refusal) -> tuple[tuple[str, bytes], ...]:
    """The trailing metadata of a refused call."""
    details = ("grpc-status-details-bin", refusal.status.SerializeToString())
    if refusal.retry_info is None:
        return (details,)
    # Go, Java and .NET read the details; Python reads the other one only.
    return details, ("google.rpc.retryinfo-bin", refusal.retry_info.SerializeToString())


def slow_sender() -> SlowSender:
    """Why a call ends whose message is not complete in time."""
    return SlowSender(f"the message did not arrive within {READ_TIMEOUT_S:.0f} s")


def no_message() -> InvalidPayload:
    """Why a call ends without a message: nothing was sent, or gRPC refused what was (and has told the client so already)."""
    return InvalidPayload("no message, or one beyond the size limit")


def stopping() -> StoreUnavailable:
    """Why a call ends that comes, or whose message comes, when the server stops."""
    return StoreUnavailable("the server is stopping")
