"""The ingest budget: bytes of requests in flight, every protocol together.

A :class:`Hold` grows while a request's bytes arrive and while they are decompressed, so that a sender pays for what it
sent and not for what it announced; it is given back in one step when the request is answered.
"""

from threading import Lock

from otel_llm.errors import Overloaded

_RETRY_AFTER_S = 1.0
"""Commits take milliseconds, so a full budget drains fast; stock exporters drop a batch whose hint exceeds their 10 s."""


class Budget:
    """A thread-safe number of bytes that may be in use at once."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._used = 0
        self._lock = Lock()

    @property
    def used(self) -> int:
        """Bytes in use now."""
        return self._used

    def reserve(self, size: int) -> None:
        """Takes bytes, all or nothing. Raises Overloaded."""
        with self._lock:
            if self._used + size > self.limit:
                raise Overloaded(
                    f"the server has {self._used} of {self.limit} bytes of requests in flight; come back in a moment",
                    _RETRY_AFTER_S,
                )
            self._used += size

    def release(self, size: int) -> None:
        """Gives bytes back."""
        with self._lock:
            self._used -= size

    def hold(self) -> "Hold":
        """An empty hold on this budget."""
        return Hold(self)


class Hold:
    """What one request holds of a budget. Owned by one request, so only :meth:`release` may race, and it may be repeated."""

    __slots__ = ("_budget", "_lock", "_size")

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._size = 0
        self._lock = Lock()

    @property
    def size(self) -> int:
        """Bytes held."""
        return self._size

    def grow(self, size: int) -> None:
        """Takes more bytes. Raises Overloaded; what is held already stays held."""
        with self._lock:
            self._budget.reserve(size)
            self._size += size

    def shrink(self, size: int) -> None:
        """Gives some of the held bytes back, at most all of them."""
        with self._lock:
            size = min(size, self._size)
            self._size -= size
        self._budget.release(size)

    def release(self) -> None:
        """Gives all held bytes back."""
        self.shrink(self._size)
