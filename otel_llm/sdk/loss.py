"""Telemetry that could not be delivered: counted, and logged once."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from otel_llm.sdk.outlets import STOCK_LOGGERS

logger = logging.getLogger("otel_llm")


class _Overheard(Protocol):
    """What one thread of the process is doing: ``message`` is what a stock exporter said, None outside exports."""

    message: str | None


_here: _Overheard = threading.local()


class _Overhear(logging.Filter):
    """Keeps what stock exporters say during our exports out of the log: they would say it again for every batch."""

    def filter(self, record: logging.LogRecord) -> bool:
        if getattr(_here, "message", None) is None:
            return True
        if record.levelno >= logging.WARNING:
            _here.message = max(_here.message or "", record.getMessage(), key=len)  # the longest says most
        return False


_overhear = _Overhear()


@contextmanager
def overheard() -> Iterator[_Overheard]:
    """Silences the stock exporters' loggers in this thread; ``message`` is what they had to say."""
    for name in STOCK_LOGGERS:
        logging.getLogger(name).addFilter(_overhear)  # adding it again changes nothing
    _here.message = ""
    try:
        yield _here
    finally:
        _here.message = None


class Loss:
    """Counts what was lost on the way to one destination, and says so once."""

    def __init__(self, noun: str, destination: str) -> None:
        self.count = 0
        self.reason = ""
        """Why the first loss happened."""
        self._noun = noun
        self._destination = destination

    def record(self, count: int, reason: str) -> None:
        """``count`` items were lost. The first loss is logged with its reason, all others are only counted."""
        first = self.count == 0
        self.count += count
        if first:
            self.reason = reason.rstrip(". ") or "no reason given"
            logger.warning(
                "%d %s could not be delivered to %s and are lost: %s. The app is not affected; "
                "further losses are counted and not logged.",
                count,
                self._noun,
                self._destination,
                self.reason,
            )

    def conclude(self) -> None:
        """Notes the total at the end."""
        if self.count:
            logger.info("%d %s in all could not be delivered to %s.", self.count, self._noun, self._destination)
