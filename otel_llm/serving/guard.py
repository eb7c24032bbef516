"""The HTTP/1.1 protocol of every HTTP port, with the limits on request heads that uvicorn leaves to a proxy before it."""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

HEAD_LIMIT = 64 * 1024
"""Bytes of request line and headers: URLs of 8 kB and large cookies fit many times."""
HEAD_TIMEOUT_S = 10.0
"""From the connection, or the first byte of a further request, to the end of its headers."""


class GuardedProtocol(HttpToolsProtocol):
    """Closes connections whose request head is too large (431) or takes too long."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._head_size = 0
        self._in_head = True
        self._head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as its parent has it
        """A connection that sends nothing is as slow as one that sends slowly."""
        super().connection_made(transport)
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forgets the timer."""
        self._head_done()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Counts what comes before the end of a head."""
        if self._in_head:
            self._head_size += len(data)
        super().data_received(data)
        if self.transport.is_closing() or self.parser is None:
            return
        if self._in_head and self._head_size > HEAD_LIMIT:
            self._refuse_head()
        elif self._in_head and self._is_idle():
            self._expect_head()

    def on_message_begin(self) -> None:
        """A further request on the same connection."""
        super().on_message_begin()
        self._in_head = True
        if self._head_timer is None:
            self._expect_head()

    def on_headers_complete(self) -> None:
        """The head is here; from now on the body has its own deadline."""
        size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
        self._head_done()
        self._in_head = False
        self._head_size = 0
        if size > HEAD_LIMIT:
            self._refuse_head()
            return
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Drops the body of a refused head."""
        if self.cycle is not None:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """What follows is the next head."""
        if self.cycle is not None:
            super().on_message_complete()
        self._in_head = True
        self._head_size = 0

    def shutdown(self) -> None:
        """A stop waits for requests that were taken, not for bodies that are still on their way."""
        if self.cycle is not None and not self.cycle.response_complete and self.cycle.more_body:
            self.transport.close()
        else:
            super().shutdown()

    def _is_idle(self) -> bool:
        """True with no timer running and no request in work: bytes that begin no message end the keep-alive timer."""
        timed = self._head_timer is not None or self.timeout_keep_alive_task is not None
        return not timed and (self.cycle is None or self.cycle.response_complete)

    def _expect_head(self) -> None:
        self._head_timer = self.loop.call_later(HEAD_TIMEOUT_S, self._head_too_slow)

    def _head_done(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _head_too_slow(self) -> None:
        self._head_timer = None
        if not self.transport.is_closing():
            self.transport.close()

    def _refuse_head(self) -> None:
        text = b"Request headers are too large\n"
        self.transport.write(
            STATUS_LINE[431]
            + b"content-type: text/plain; charset=utf-8\r\nconnection: close\r\ncontent-length: %d\r\n\r\n" % len(text)
            + text
        )
        self.transport.close()
