"""The ASGI types of this package, and the two things every ASGI app here does: read headers, send one answer."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
Header = tuple[bytes, bytes]

_ANSWER_TIMEOUT_S = 30.0
"""Longest wait for a client that does not take its answer; then the connection is dropped."""

_BODILESS = (204, 304)


def headers_of(scope: Scope) -> dict[str, str]:
    """Request headers with lower-case names; repeated ones are joined by a comma, as RFC 9110 has it."""
    headers: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]},{value}" if name in headers else value
    return headers


def peer_of(scope: Scope) -> str:
    """Address of the client, without its port; empty when the transport has none."""
    client = scope.get("client")
    return str(client[0]) if client else ""


async def respond(send: Send, status: int, headers: Iterable[Header], body: bytes) -> None:
    """Sends one complete answer."""
    sized = list(headers)
    if status not in _BODILESS:
        sized.append((b"content-length", str(len(body)).encode()))
    async with asyncio.timeout(_ANSWER_TIMEOUT_S):
        await send({"type": "http.response.start", "status": status, "headers": sized})
        await send({"type": "http.response.body", "body": body})
