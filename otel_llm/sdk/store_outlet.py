"""Straight into a store, without a server: the collector's own extract → price → store path, in the app's process."""

import ctypes
import os
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

from otel_llm.access.caller import OPEN_CALLER
from otel_llm.database_url import safe_url
from otel_llm.errors import OtelLLMError, StoreBusy, StoreUnavailable
from otel_llm.sdk.destination import Signal

if TYPE_CHECKING:
    from otel_llm.collector import Collector

_RETRY_OPEN_S = 5.0
"""A store that another process owns is asked again after this long."""

_lock = threading.Lock()
_open: dict[str, tuple["Collector", int]] = {}
"""Collectors of this process by database URL, with the number of outlets that use them."""
_of_parent: set[str] = set()
"""Stores that were open when this process was forked: DuckDB would hand out the parent's own, whose threads are not here."""


class StoreOutlet:
    """An exporter of one signal into a store; all outlets of a process share one collector per store.

    The store is opened by the first export, so an app that forks before it exports leaves the file to its workers.
    """

    def __init__(self, signal: Signal, database_url: str) -> None:
        self._signal = signal
        self._database_url = database_url
        self._collector: Collector | None = None
        self._busy_until = 0.0

    def export(self, items: Any, **_: Any) -> bool:
        """Returns True when the items are committed. Raises OtelLLMError with a sentence for the user."""
        collector = self._collector or self._acquire()
        getattr(collector.pipeline, self._signal)(_encode(self._signal, items), OPEN_CALLER)
        return True

    def shutdown(self) -> None:
        """Commits, checkpoints and closes the store when this was its last outlet."""
        if self._collector is not None:
            self._collector = None
            _release(self._database_url)

    def _acquire(self) -> "Collector":
        if time.monotonic() < self._busy_until:
            raise StoreUnavailable(f"{safe_url(self._database_url)} could not be opened")
        try:
            self._collector = _collector_of(self._database_url)
        except StoreBusy as error:
            self._busy_until = time.monotonic() + _RETRY_OPEN_S
            raise StoreBusy(
                f"{error} An app writes straight into a DuckDB file only while no other process has it open: "
                "start one `otel-llm serve` on the file, and let the apps send to it (OTEL_LLM_ENDPOINT)."
            ) from None
        except OtelLLMError:
            self._busy_until = time.monotonic() + _RETRY_OPEN_S
            raise
        return self._collector


def _encode(signal: Signal, items: Any) -> Any:
    if signal == "traces":
        from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans

        return encode_spans(items)
    if signal == "metrics":
        from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics

        return encode_metrics(items)
    from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs

    return encode_logs(items)


def _collector_of(database_url: str) -> "Collector":
    from otel_llm.collector import Collector
    from otel_llm.config_sources import load_settings

    with _lock:
        if database_url in _of_parent:
            raise StoreBusy(f"{safe_url(database_url)} belongs to the process this one was forked from.")
        collector, users = _open.get(database_url, (None, 0))
        if collector is None:
            collector = Collector(load_settings({"database_url": database_url}))  # all others from OTEL_LLM_* variables
            collector.start()
        _open[database_url] = collector, users + 1
        return collector


def _release(database_url: str) -> None:
    with _lock:
        collector, users = _open.pop(database_url)
        if users > 1:
            _open[database_url] = collector, users - 1
            return
        collector.stop()


def _forget_in_child() -> None:
    """A forked child has the parent's stores in memory but must never touch them, not even by a destructor: the file would
    be written by two processes, and DuckDB's destructors join threads that a fork does not copy (a crash at the end)."""
    global _lock  # noqa: PLW0603 a lock copied by fork may be held by a thread that no longer exists
    _lock = threading.Lock()
    for collector, _ in _open.values():
        _keep_for_ever(collector)
    if _open and (duckdb := sys.modules.get("duckdb")):
        _keep_for_ever(duckdb.default_connection())  # importing the package has opened it, and its end would close it
    _of_parent.update(url for url in _open if url.startswith("duckdb"))
    _open.clear()


def _keep_for_ever(value: object) -> None:
    """One reference too many: no destructor runs before the process has ended."""
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(value))


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_in_child)
