"""A bar on standard error for work whose end is known."""

import sys
from types import TracebackType
from typing import Any

import click


class ProgressBar:
    """Shown on a terminal only, from the first :meth:`show` on. A context."""

    def __init__(self, label: str) -> None:
        self._label = label
        self._bar: Any = None
        self._done = 0

    def show(self, done: int, total: int) -> None:
        """``done`` of ``total``; both may grow."""
        if not total or not sys.stderr.isatty():
            return
        if self._bar is None:
            self._bar = click.progressbar(length=total, label=self._label, file=sys.stderr, show_pos=True).__enter__()
        self._bar.length = total
        self._bar.update(done - self._done)
        self._done = done

    def __enter__(self) -> "ProgressBar":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._bar is not None:
            self._bar.__exit__(kind, error, trace)
