"""Carries a block's values into threads: contextvars reach asyncio tasks by themselves, but no thread.

A job of a thread pool belongs to the block that submitted it. A thread of its own belongs to the block only while the
block lasts: many libraries start a worker inside whatever request comes first and keep it for all others.
"""

import functools
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from opentelemetry import context as otel_context

from otel_llm.sdk.block import BLOCK_KEY, LentBlock, current_block

_installed = False
_lock = threading.Lock()


def carry_into_threads() -> None:
    """Wraps ``Thread.start`` and ``ThreadPoolExecutor.submit``, once in a process: the first block does it."""
    global _installed  # noqa: PLW0603 once in a process
    with _lock:
        if _installed:
            return
        _installed = True
    start = threading.Thread.start
    submit: Callable[..., Any] = ThreadPoolExecutor.submit

    @functools.wraps(start)
    def start_in_block(self: threading.Thread) -> None:
        block = current_block()
        if block is not None:
            run = self.run
            lent = LentBlock(block)

            def run_in_block() -> None:
                token = otel_context.attach(otel_context.set_value(BLOCK_KEY, lent))
                try:
                    run()
                finally:
                    otel_context.detach(token)

            self.run = run_in_block  # type: ignore[method-assign]
        start(self)

    @functools.wraps(submit)
    def submit_in_block(self: ThreadPoolExecutor, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        block = current_block()
        if block is None:
            return submit(self, fn, *args, **kwargs)

        def job(*args: Any, **kwargs: Any) -> Any:
            if current_block() is block:  # another instrumentation has carried the whole context already
                return fn(*args, **kwargs)
            token = otel_context.attach(otel_context.set_value(BLOCK_KEY, block))
            try:
                return fn(*args, **kwargs)
            finally:
                otel_context.detach(token)

        return submit(self, job, *args, **kwargs)

    threading.Thread.start = start_in_block  # type: ignore[method-assign]
    setattr(ThreadPoolExecutor, "submit", submit_in_block)  # noqa: B010 its type is generic beyond what can be written here
