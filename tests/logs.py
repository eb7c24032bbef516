"""Logging that a piece of a test set up, undone."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def logging_undone() -> Iterator[None]:
    """A command that runs in the tests' process sets up logging for a process of its own: afterwards it is as it was."""
    root, ours = logging.getLogger(), logging.getLogger("otel_llm")
    before = [(each, each.level, each.handlers[:], each.propagate, each.disabled) for each in (root, ours)]
    try:
        yield
    finally:
        for each, level, handlers, propagate, disabled in before:
            each.setLevel(level)
            each.handlers[:] = handlers
            each.propagate, each.disabled = propagate, disabled
