"""Reading a request body to its end, on the event loop, before any thread is used."""

import asyncio
from dataclasses import dataclass

from otel_llm.budget import Budget, Hold
from otel_llm.errors import Overloaded, PayloadTooLarge, SlowSender
from otel_llm.serving.asgi import Receive

MIB = 1024 * 1024


class ClientGone(Exception):  # noqa: N818 - an outcome, not an error: nobody is left to be told
    """The client closed the connection before its body was complete."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How slow a sender may be: ``grace_s`` for nothing, then a second for every ``rate`` bytes, at most ``longest_s``.

    The stock exporters give up after 10 s, so a body that is not here by then is mostly a body nobody waits for.
    """

    grace_s: float = 10.0
    rate: int = 64 * 1024
    longest_s: float = 120.0

    def allowed_s(self, received: int) -> float:
        """Seconds after the first byte at which a body of which so much was received counts as stuck."""
        return min(self.longest_s, self.grace_s + received / self.rate)


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
        loop = asyncio.get_running_loop()
        start = loop.time()
        try:
            async with asyncio.timeout(self.pace.allowed_s(0)) as patience:
                while more:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise ClientGone
                    chunk, more = message.get("body", b""), message.get("more_body", False)
                    if len(body) + len(chunk) > self.limit:
                        raise PayloadTooLarge(f"the body is larger than {self.limit} bytes")
                    hold.grow(len(chunk))
                    body += chunk
                    patience.reschedule(start + self.pace.allowed_s(len(body)))
        except (Overloaded, PayloadTooLarge):
            body.clear()
            hold.release()
            if more:
                await self._discard(receive, self.limit)
            raise
        except TimeoutError:
            raise SlowSender(f"only {len(body)} bytes of the body came in {loop.time() - start:.0f} s") from None
        return bytes(body)

    async def _discard(self, receive: Receive, size: int) -> None:
        """Reads and drops what is left of a refused body, within bounds."""
        left = min(size, 4 * self.limit) + MIB
        try:
            async with asyncio.timeout(self.pace.grace_s):
                while left > 0:
                    message = await receive()
                    left -= len(message.get("body", b""))
                    if not message.get("more_body", False):
                        return
        except TimeoutError:
            return
