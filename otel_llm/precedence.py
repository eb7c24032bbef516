"""Questions before ingest: of two that want the same interpreter, the one somebody waits for goes first, within bounds.

A question of some ten milliseconds takes the interpreter a hundred times, and beside ingest at full speed it waits each time
behind threads that extract and write. So these look between two steps whether a question has come, and wait until it is
answered: for its first 0.3 s, and for a fifth of all time at most. A longer question goes on beside them, and a
client that asks without a pause does not stop ingest.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

FIRST_S = 0.3
"""How long ingest waits for one question."""
SHARE = 0.2
"""The part of all time that ingest waits at most."""
SAVED_S = 1.0
"""What is not used of this share is saved, up to so many seconds."""


class Precedence:
    """Says to the threads of ingest when to wait for a question. Thread-safe."""

    def __init__(self, *, share: float = SHARE, clock: Callable[[], float] = time.monotonic) -> None:
        """With ``share`` 0 ingest never waits."""
        self._share = share
        self._clock = clock
        self._changed = threading.Condition()
        self._asked: list[float] = []
        """Until when ingest waits for each question that is not answered."""
        self._until = 0.0
        """The last of these; in the past while nothing is asked."""
        self._saved_s = SAVED_S if share else 0.0
        self._counted = clock()
        """Until when is counted what was used, and what has come."""
        self._waiting = 0
        """Threads that wait."""
        self.given_s = 0.0
        """Seconds in which some thread waited."""

    @property
    def left_s(self) -> float:
        """How long ingest has to wait, if nothing comes between; 0 or less for not at all."""
        return self._until - self._clock()

    @contextmanager
    def question(self) -> Iterator[None]:
        """While a question is answered."""
        with self._changed:
            until = self._count() + min(FIRST_S, self._saved_s)
            self._asked.append(until)
            self._until = max(self._asked)
        try:
            yield
        finally:
            with self._changed:
                self._count()
                self._asked.remove(until)
                self._until = max(self._asked, default=0.0)
                self._changed.notify_all()

    def give_way(self) -> None:
        """Waits while a question has precedence. Called by a thread of ingest between two steps, with no lock that most
        questions need."""
        if self.left_s > 0:
            with self._changed, self.waiting():
                while (left_s := self.left_s) > 0:
                    self._changed.wait(left_s)

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """While a thread waits, which alone uses up the share."""
        with self._changed:
            self._count()
            self._waiting += 1
        try:
            yield
        finally:
            with self._changed:
                self._count()
                self._waiting -= 1

    def _count(self) -> float:
        """Takes what was used from what is saved, and adds what has come; returns the time."""
        now = self._clock()
        used_s = max(0.0, min(now, self._until) - self._counted) if self._waiting else 0.0
        self.given_s += used_s
        self._saved_s = min(SAVED_S, self._saved_s + self._share * (now - self._counted)) - used_s
        self._counted = now
        return now
