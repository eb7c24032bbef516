"""One wake-up of an event loop for everything a commit answers.

A thread that answers requests of an event loop wakes it through a socket and hands over the interpreter with that. For eight
requests of one commit that would be eight times; those who answer several at once say so, and whoever is to be woken is woken
once, after the last of them.
"""

import asyncio
import threading
import weakref
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

Result = TypeVar("Result")

_of_thread = threading.local()


@contextmanager
def together() -> Iterator[None]:
    """What this thread wakes up meanwhile is woken at the end, once."""
    due: dict[Callable[[], None], None] = {}
    _of_thread.due = due
    try:
        yield
    finally:
        del _of_thread.due
        for wake in due:
            wake()


def _wake_up(wake: Callable[[], None]) -> None:
    due: dict[Callable[[], None], None] | None = getattr(_of_thread, "due", None)
    if due is None:
        wake()
    else:
        due[wake] = None


async def result_of(future: "Future[Result]") -> Result:
    """The result of a future that another thread completes. Cancelling the wait cancels the future, if it has not begun."""
    if not future.done():
        loop = asyncio.get_running_loop()
        waiters = _waiters.get(loop)
        if waiters is None:
            waiters = _waiters[loop] = _Waiters(loop)
        await waiters.wait(future)
    return future.result()


class _Waiters:
    """Coroutines of one loop that wait for futures of other threads."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = weakref.ref(loop)  # or the loop would be kept by what is kept for as long as it lives
        self._completed: deque[asyncio.Future[None]] = deque()
        self._wake = self._call_in_loop  # one object, so that it is due once

    async def wait(self, future: "Future[Any]") -> None:
        """Returns when the future is done."""
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def completed(_: object) -> None:
            self._completed.append(waiter)
            _wake_up(self._wake)

        future.add_done_callback(completed)
        try:
            await waiter
        except asyncio.CancelledError:
            future.cancel()
            raise

    def _call_in_loop(self) -> None:
        loop = self._loop()
        if loop is not None:
            with suppress(RuntimeError):  # the loop is closed, and nobody waits any more
                loop.call_soon_threadsafe(self._resume)

    def _resume(self) -> None:
        while self._completed:
            waiter = self._completed.popleft()
            if not waiter.done():
                waiter.set_result(None)


_waiters: "weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, _Waiters]" = weakref.WeakKeyDictionary()
