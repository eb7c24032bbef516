"""What became of everything that arrived: received = stored + duplicate + ignored(reason) + rejected(reason).

An item (span, log record, data point) is counted as received in the same step as its outcome, under one lock, so the
identity holds whenever it is looked at. A request that is answered with a retryable error was not received: its items
come again. Items are counted by project, so that a key is told of its own only. Whole requests that were refused are
counted apart, for the whole server: who was refused belongs to no project.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from threading import Lock
from typing import Any, Literal

Signal = Literal["spans", "log_records", "data_points"]
SIGNALS: tuple[Signal, ...] = ("spans", "log_records", "data_points")


class Tally:
    """Counts of one signal of one project."""

    __slots__ = ("duplicate", "ignored", "received", "rejected", "stored")

    def __init__(self) -> None:
        self.received = 0
        self.stored = 0
        self.duplicate = 0
        self.ignored: Counter[str] = Counter()
        self.rejected: Counter[str] = Counter()

    def add(self, other: "Tally") -> None:
        """Adds the counts of another."""
        self.received += other.received
        self.stored += other.stored
        self.duplicate += other.duplicate
        self.ignored.update(other.ignored)
        self.rejected.update(other.rejected)


class _Book:
    """Counts of one project."""

    __slots__ = ("tallies", "values")

    def __init__(self) -> None:
        self.tallies: dict[Signal, Tally] = {signal: Tally() for signal in SIGNALS}
        self.values: Counter[str] = Counter()


class Accounting:
    """Thread-safe counters of one server, since its start."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._books: dict[str, _Book] = {}
        self._refused: Counter[str] = Counter()

    def record(
        self,
        signal: Signal,
        project: str,
        *,
        stored: int = 0,
        duplicate: int = 0,
        ignored: Mapping[str, int] | None = None,
        rejected: Mapping[str, int] | None = None,
        values: Mapping[str, int] | None = None,
    ) -> None:
        """Counts the outcome of one request's items; ``values`` are values dropped from items that were kept."""
        with self._lock:
            book = self._books.get(project)
            if book is None:
                book = self._books[project] = _Book()
            tally = book.tallies[signal]
            tally.stored += stored
            tally.duplicate += duplicate
            total = stored + duplicate
            if ignored:
                tally.ignored.update(ignored)
                total += sum(ignored.values())
            if rejected:
                tally.rejected.update(rejected)
                total += sum(rejected.values())
            tally.received += total
            if values:
                book.values.update(values)

    def refuse(self, reason: str) -> None:
        """Counts one request that was refused as a whole (undecodable, too large, unauthenticated, overloaded, ...)."""
        with self._lock:
            self._refused[reason] += 1

    def snapshot(self, project: str | None = None) -> dict[str, Any]:
        """All counters of a project at one instant, as plain JSON types; None is the sum of all projects."""
        with self._lock:
            books = self._books.values() if project is None else [self._books.get(project) or _Book()]
            tallies, values = _sum(books)
            return {
                **{
                    signal: {
                        "received": tally.received,
                        "stored": tally.stored,
                        "duplicate": tally.duplicate,
                        "ignored": dict(tally.ignored),
                        "rejected": dict(tally.rejected),
                    }
                    for signal, tally in tallies.items()
                },
                "values_dropped": dict(values),
                "requests_refused": dict(self._refused),
            }


def _sum(books: Iterable[_Book]) -> tuple[dict[Signal, Tally], Counter[str]]:
    total = _Book()
    for book in books:
        for signal, tally in book.tallies.items():
            total.tallies[signal].add(tally)
        total.values.update(book.values)
    return total.tallies, total.values
