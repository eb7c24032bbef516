"""Reading a request body to its end, on the event loop, before any thread is used."""

import asyncio
import contextlib
from dataclasses import dataclass

from otel_llm.budget import Budget, Hold
from otel_llm.errors import Overloaded, PayloadTooLarge, SlowSender
from otel_llm.serving.asgi import Receive

MIB = 1024 * 1024


class ClientGone(Exception):
    """The client closed the connection before its body was complete."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How slow a sender may be: ``grace_s`` for nothing, then a second for every ``rate`` bytes, at most ``longest_s``.

    The stock exporters give up after 10 s, so a body that is not here by then is mostly a body nobody waits for. While
    half of the budget is used, a sender of less than ``rate`` bytes in a second is sent away at once, so that stuck
    bodies cannot keep the budget from those that move.
    """

    grace_s: float = 10.0
    rate: int = 64 * 1024
    longest_s: float = 120.0

    def allowed_s(self, received: int) -> float:
        """Seconds after the start at which a body of which so much was received counts as stuck."""
        return min(self.longest_s, self.grace_s + received / self.rate)


class _Stopwatch:
    """Measures one body against a pace."""

    def __init__(self, pace: Pace, budget: Budget) -> None:
        self._pace = pace
        self._budget = budget
        self._now = asyncio.get_running_loop().time
        self._start = self._now()
        self._second = self._start + 1.0
        self._fresh = 0
        self._received = 0

    def next_look(self) -> float:
        """Time at which to look again, whether or not anything has come."""
        return min(self._second, self._start + self._pace.allowed_s(self._received))

    def look(self, size: int) -> None:
        """So many bytes have come since the last look. Raises SlowSender or Overloaded."""
        self._received += size
        self._fresh += size
        now = self._now()
        if now >= self._start + self._pace.allowed_s(self._received):
            raise SlowSender(f"only {self._received} bytes of the body came in {now - self._start:.0f} s")
        if now >= self._second:
            if self._fresh < self._pace.rate and self._budget.used > self._budget.limit // 2:
                raise Overloaded("the server is busy and the body came too slowly; come back in a moment")
            self._second, self._fresh = now + 1.0, 0


@dataclass(frozen=True, slots=True)
class BodyReader:
    """Reads bodies up to ``limit`` bytes, paid from the budget as they arrive."""

    limit: int
    budget: Budget
    pace: Pace = Pace()

    async def read(self, receive: Receive, headers: dict[str, str], hold: Hold) -> bytes:
        """The whole body; ``hold`` grows by its size.

        Raises PayloadTooLarge, SlowSender, Overloaded or ClientGone. A body that is refused is read on for a while and
        thrown away, because most clients look for the answer only after they have sent everything.
        """
        announced = headers.get("content-length", "")
        waits = headers.get("expect", "").lower() == "100-continue"
        if announced.isdigit() and int(announced) > self.limit:
            if not waits:
                await self._discard(receive, int(announced))
            raise PayloadTooLarge(f"the body has {announced} bytes and the limit is {self.limit}")
        body = bytearray()
        more = True
        watch = _Stopwatch(self.pace, self.budget)
        try:
            while more:
                chunk = b""
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout_at(watch.next_look()):
                        message = await receive()
                        if message["type"] == "http.disconnect":
                            raise ClientGone
                        chunk, more = message.get("body", b""), message.get("more_body", False)
                if len(body) + len(chunk) > self.limit:
                    raise PayloadTooLarge(f"the body is larger than {self.limit} bytes")
                hold.grow(len(chunk))
                body += chunk
                if more:
                    watch.look(len(chunk))
        except (Overloaded, PayloadTooLarge):
            body.clear()
            hold.release()
            if more:
                await self._discard(receive, self.limit)
            raise
        return bytes(body)

    async def _discard(self, receive: Receive, size: int) -> None:
        """Reads and drops what is left of a refused body, within bounds."""
        left = min(size, 4 * self.limit) + MIB
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.pace.grace_s):
                while left > 0:
                    message = await receive()
                    left -= len(message.get("body", b""))
                    if not message.get("more_body", False):
                        return
