"""Deadlines of running statements, watched by one thread: a timer of its own would cost each statement the start of a thread,
which beside threads that extract takes longer than many a question."""

import heapq
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count


class Deadlines:
    """Stops what has not ended in time. The thread that watches starts with the first deadline, and ends when none is left."""

    def __init__(self, again_s: float) -> None:
        """What was stopped and goes on is stopped once more every ``again_s`` seconds."""
        self._again_s = again_s
        self._changed = threading.Condition()
        self._due: list[tuple[float, int, _Watched]] = []
        self._numbers = count()
        self._watching = False

    @contextmanager
    def watch(self, at: float, stop: Callable[[], None]) -> Iterator[None]:
        """From ``at`` (``time.monotonic``) on, ``stop`` is called by a thread of its own until the block ends. When this
        returns, it is not running and will not. Raises RuntimeError, before the block, when no thread can be had."""
        watched = _Watched(stop)
        with self._changed:
            if not self._watching:
                threading.Thread(target=self._run, name="otel-llm-deadlines", daemon=True).start()
                self._watching = True
            elif not self._due or at < self._due[0][0]:
                self._changed.notify()
            heapq.heappush(self._due, (at, next(self._numbers), watched))
        try:
            yield
        finally:
            watched.end()

    def _run(self) -> None:
        while True:
            with self._changed:
                while self._due and self._due[0][2].ended:
                    heapq.heappop(self._due)
                if not self._due:
                    self._watching = False
                    return
                at, number, watched = self._due[0]
                left = at - time.monotonic()
                if left > 0:
                    self._changed.wait(left)
                    continue
                heapq.heappop(self._due)
                try:
                    threading.Thread(target=watched.stop, args=(self._again_s,), name="otel-llm-overdue", daemon=True).start()
                except RuntimeError:  # no thread can be had at the moment
                    heapq.heappush(self._due, (time.monotonic() + self._again_s, number, watched))


class _Watched:
    """A block that must end, and what ends it."""

    __slots__ = ("_lock", "_stop", "ended")

    def __init__(self, stop: Callable[[], None]) -> None:
        self._stop = stop
        self._lock = threading.Lock()
        self.ended = False

    def stop(self, again_s: float) -> None:
        """Stops it until it ends."""
        while True:
            with self._lock:
                if self.ended:
                    return
                self._stop()
            time.sleep(again_s)

    def end(self) -> None:
        """It has ended: nothing stops it from here on. What would have is let go, though the deadline is still to come."""
        with self._lock:
            self.ended = True
            del self._stop
