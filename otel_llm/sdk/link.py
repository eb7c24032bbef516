"""One signal's way to its destination: opened late, safe across forks, never in the way of the app's end."""

import atexit
import os
import threading
import time
import weakref
from collections.abc import Iterable
from typing import Any

from otel_llm.errors import OtelLLMError
from otel_llm.sdk.destination import Destination, Signal
from otel_llm.sdk.loss import Loss, overheard
from otel_llm.sdk.outlets import open_outlet

_NOUNS: dict[Signal, str] = {"traces": "spans", "metrics": "metric exports", "logs": "log records"}
_GRACE_S = 2.0
"""At the app's end, an export that is under way may still take this long."""
_LAST_EXPORT_S = 3.0
"""At the app's end, a new export may take this long; the first one that fails is the last one tried."""
_END_S = _GRACE_S + _LAST_EXPORT_S

_links: "weakref.WeakSet[Link]" = weakref.WeakSet()
_inherited: list[Any] = []
"""Exporters a forked child got from its parent: never used, never closed, the parent needs the connection."""


class Hurry:
    """The app ends: a deadline shared by all its links."""

    def __init__(self) -> None:
        self.until = time.monotonic() + _END_S
        self.failed = False

    @property
    def over(self) -> bool:
        """True when nothing more is worth trying."""
        return self.failed or time.monotonic() > self.until


class Link:
    """Sends one signal to one destination. Every method returns; none raises."""

    def __init__(self, signal: Signal, destination: Destination) -> None:
        self._signal = signal
        self._destination = destination
        self.loss = Loss(_NOUNS[signal], str(destination))
        self._outlet: Any = None
        self._hurry: Hurry | None = None
        self._reset_locks()
        _links.add(self)
        if hasattr(os, "register_at_fork"):
            mine = weakref.WeakMethod(self._after_fork)
            os.register_at_fork(after_in_child=lambda: (method := mine()) and method())

    def send(self, items: Any, count: int, **options: Any) -> bool:
        """True when the destination has taken the items. False: they are lost, and counted so."""
        _watch_the_end()
        with self._sending:
            if self._hurry is not None and self._hurry.over:
                self.loss.record(count, "the app ended before they could be sent")
                return False
            with overheard() as stock:
                try:
                    if self._outlet is None:
                        self._outlet = open_outlet(self._destination, self._signal, _LAST_EXPORT_S if self._hurry else None)
                    result = self._outlet.export(items, **options)
                    delivered = result is True or getattr(result, "name", "") == "SUCCESS"
                    reason = stock.message or "refused"
                except Exception as error:
                    # whatever it is, it must not reach the app's threads
                    delivered = False
                    reason = str(error) if isinstance(error, OtelLLMError) else f"{type(error).__name__}: {error}"
            if not delivered:
                self.loss.record(count, reason)
                if self._hurry is not None:
                    self._hurry.failed = True
            return delivered

    def hurry(self, hurry: Hurry, *, grace_until: float) -> None:
        """The app ends: lets an export that is under way finish until ``grace_until``, keeps all later ones short."""
        self._hurry = hurry
        if self._destination.database_url is not None:
            return  # a local commit is never long under way
        outlet = self._outlet
        if self._sending.acquire(timeout=max(0.0, grace_until - time.monotonic())):
            self._outlet = None
            self._sending.release()
        else:
            hurry.failed = True
        if outlet is not None:
            with overheard():
                _close(outlet)  # also ends its wait between two attempts

    def close(self) -> None:
        """Ends the link; what is sent later opens it anew."""
        outlet, self._outlet = self._outlet, None
        if outlet is not None:
            with overheard():
                _close(outlet)
        self.loss.conclude()

    def _reset_locks(self) -> None:
        self._sending = threading.Lock()

    def _after_fork(self) -> None:
        if self._outlet is not None:
            _inherited.append(self._outlet)
        self._outlet = None
        self._hurry = None
        self.loss.count = 0
        self._reset_locks()


def hurry(links: Iterable[Link]) -> None:
    """Tells links that the app ends: together they take a few seconds more, whatever the other side does."""
    shared = Hurry()
    grace_until = time.monotonic() + _GRACE_S
    for link in links:
        link.hurry(shared, grace_until=grace_until)


def _close(outlet: Any) -> None:
    try:
        outlet.shutdown()
    except Exception:  # the app is ending; there is nobody to tell
        return


_watched = False


def _watch_the_end() -> None:
    """Registered by the first export, so later than any tracer provider's own exit handler, which therefore runs after."""
    global _watched  # noqa: PLW0603 once in a process
    if not _watched:
        _watched = True
        try:
            atexit.register(hurry_all)
        except Exception:  # the interpreter is already ending
            return


def hurry_all() -> None:
    """Tells every link of the process that the app ends."""
    hurry(list(_links))
