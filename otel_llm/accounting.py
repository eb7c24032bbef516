"""What became of everything that arrived: received = stored + duplicate + ignored(reason) + rejected(reason).

An item (span, log record, data point) is counted as received in the same step as its outcome, under one lock, so the
identity holds whenever it is looked at. A request that is answered with a retryable error was not received: its items
come again. Whole requests that were refused are counted apart.
"""

from collections import Counter
from collections.abc import Mapping
from threading import Lock
from typing import Any, Literal

Signal = Literal["spans", "log_records", "data_points"]
SIGNALS: tuple[Signal, ...] = ("spans", "log_records", "data_points")


class Tally:
    """Counts of one signal."""

    __slots__ = ("duplicate", "ignored", "received", "rejected", "stored")

    def __init__(self) -> None:
        self.received = 0
        self.stored = 0
        self.duplicate = 0
        self.ignored: Counter[str] = Counter()
        self.rejected: Counter[str] = Counter()


class Accounting:
    """Thread-safe counters of one server, since its start."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._tallies: dict[Signal, Tally] = {signal: Tally() for signal in SIGNALS}
        self._values: Counter[str] = Counter()
        self._refused: Counter[str] = Counter()

    def record(
        self,
        signal: Signal,
        *,
        stored: int = 0,
        duplicate: int = 0,
        ignored: Mapping[str, int] | None = None,
        rejected: Mapping[str, int] | None = None,
        values: Mapping[str, int] | None = None,
    ) -> None:
        """Counts the outcome of one request's items; ``values`` are values dropped from items that were kept."""
        with self._lock:
            tally = self._tallies[signal]
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
                self._values.update(values)

    def refuse(self, reason: str) -> None:
        """Counts one request that was refused as a whole (undecodable, too large, unauthenticated, overloaded, ...)."""
        with self._lock:
            self._refused[reason] += 1

    def snapshot(self) -> dict[str, Any]:
        """All counters at one instant, as plain JSON types."""
        with self._lock:
            return {
                **{
                    signal: {
                        "received": tally.received,
                        "stored": tally.stored,
                        "duplicate": tally.duplicate,
                        "ignored": dict(tally.ignored),
                        "rejected": dict(tally.rejected),
                    }
                    for signal, tally in self._tallies.items()
                },
                "values_dropped": dict(self._values),
                "requests_refused": dict(self._refused),
            }
