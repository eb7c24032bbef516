"""Worker processes of :mod:`multiprocessing` end without the interpreter's exit handlers: their spans are sent here."""

import os
from multiprocessing import process, util

from opentelemetry import trace

_BEFORE_MOST = 100
"""Exit priority of multiprocessing finalizers: high ones run first, while everything still works."""


class _Anchor:
    """Something multiprocessing can hold a weak reference to."""


_anchor: _Anchor | None = None


def flush_at_process_end() -> None:
    """Once in a process; the children it makes by fork, and a spawned child that calls it, flush before they end."""
    global _anchor  # noqa: PLW0603 once in a process
    if _anchor is None:
        _anchor = _Anchor()
        util.register_after_fork(_anchor, _in_child)
    if process.parent_process() is not None:
        _in_child(_anchor)


def _in_child(_: _Anchor) -> None:
    util.Finalize(None, _flush, args=(os.getpid(),), exitpriority=_BEFORE_MOST)


def _flush(pid: int) -> None:
    from otel_llm.sdk import link

    if pid != os.getpid():
        return
    link.hurry_all()
    flush = getattr(trace.get_tracer_provider(), "force_flush", None)
    if flush is not None:
        flush()
