"""One signal's way to its destination: opened late, safe across forks, never in the way of the app's end."""

import atexit
import contextvars
import os
import threading
import time
import weakref
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from otel_llm.errors import OtelLLMError
from otel_llm.sdk.destination import Destination, Signal
from otel_llm.sdk.loss import Loss, overheard
from otel_llm.sdk.mismatch import explained
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


class _Attempt:
    """One export in a thread of its own, so that whoever waits for it can stop waiting: no socket can be hurried."""

    def __init__(self, export: Callable[[], str | None]) -> None:
        self._export = export
        self._awake = threading.Event()
        self.failure: str | None = "the app ended before they were taken"
        """Why the items are lost; None when they are delivered."""

    def wait(self) -> None:
        """Returns when the export has ended, or was given up."""
        context = contextvars.copy_context()  # it says that exports are not to be traced themselves
        try:
            threading.Thread(target=context.run, args=(self._run,), name="otel-llm-export", daemon=True).start()
        except RuntimeError:  # the interpreter ends and starts no threads any more
            self._run()
        self._awake.wait()

    def give_up(self) -> None:
        """Stops the waiting; the export itself may still be stuck."""
        self._awake.set()

    def _run(self) -> None:
        failure = self._export()
        if not self._awake.is_set():
            self.failure = failure
            self._awake.set()


class Link:
    """Sends one signal to one destination. Every method returns; none raises."""

    def __init__(self, signal: Signal, destination: Destination) -> None:
        self._signal = signal
        self._destination = destination
        self.loss = Loss(_NOUNS[signal], str(destination))
        self._outlet: Any = None
        self._hurry: Hurry | None = None
        self._attempt: _Attempt | None = None
        self._sending = threading.Lock()
        _links.add(self)
        if hasattr(os, "register_at_fork"):
            mine = weakref.WeakMethod(self._after_fork)
            os.register_at_fork(after_in_child=lambda: (method := mine()) and method())

    def send(self, items: Any, count: int, **options: Any) -> bool:
        """True when the destination has taken the items. False: they are lost, and counted so."""
        _watch_the_end()
        with self._sending:
            if self._hurry is not None and self._hurry.over:
                failure: str | None = "the app ended before they could be sent"
            elif self._destination.database_url is not None:
                failure = self._export(items, options)
            else:
                self._attempt = attempt = _Attempt(lambda: self._export(items, options))
                attempt.wait()
                self._attempt = None
                failure = attempt.failure
            if failure is None:
                return True
            self.loss.record(count, failure)
            if self._hurry is not None:
                self._hurry.failed = True
            return False

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
            if (attempt := self._attempt) is not None:
                attempt.give_up()
        _close(outlet)

    def _export(self, items: Any, options: Mapping[str, Any]) -> str | None:
        """Why the items are lost; None when they are delivered."""
        with overheard() as stock:
            try:
                outlet = self._outlet
                if outlet is None:
                    timeout_s = _LAST_EXPORT_S if self._hurry else None
                    outlet = self._outlet = open_outlet(self._destination, self._signal, timeout_s)
                result = outlet.export(items, **options)
            except Exception as error:  # whatever it is, it must not reach the app's threads
                return str(error) if isinstance(error, OtelLLMError) else f"{type(error).__name__}: {error}"
            if result is True or getattr(result, "name", "") == "SUCCESS":
                return None
            failure = stock.message or "refused"
            return explained(failure) or failure

    def close(self) -> None:
        """Ends the link; what is sent later opens it anew."""
        outlet, self._outlet = self._outlet, None
        _close(outlet)
        self.loss.conclude()

    def _after_fork(self) -> None:
        if self._outlet is not None:
            _inherited.append(self._outlet)
        self._outlet = None
        self._hurry = None
        self._attempt = None
        self.loss.count = 0
        self._sending = threading.Lock()


def hurry(links: Iterable[Link]) -> None:
    """Tells links that the app ends: together they take a few seconds more, whatever the other side does."""
    shared = Hurry()
    grace_until = time.monotonic() + _GRACE_S
    for link in links:
        link.hurry(shared, grace_until=grace_until)


def _close(outlet: Any) -> None:
    """Ends an outlet, and its wait between two attempts."""
    if outlet is None:
        return
    with overheard():
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
