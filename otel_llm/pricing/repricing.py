"""Repricing as an operation: with the prices of now, on the record, and in the background of a server."""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from otel_llm.access import audit
from otel_llm.config import Settings
from otel_llm.errors import OtelLLMError
from otel_llm.pricing.overrides import read_overrides
from otel_llm.pricing.pricer import Pricer
from otel_llm.pricing.reprice import Progress, reprice
from otel_llm.store.engines.base import Engine
from otel_llm.store.queries.instants import iso
from otel_llm.store.queries.window import EVER, MAX_NS, MIN_NS, Window

log = logging.getLogger(__name__)

_STOP_WAIT_S = 10.0  # a chunk takes less than a second

NOTHING_YET = Progress(0, 0, 0)

State = Literal["running", "done", "stopped", "failed"]


class RepricingBusy(OtelLLMError):
    """Another run is at work."""


class _Stopped(Exception):
    """A run was told to end."""


@dataclass(slots=True)
class Run:
    """One run: which calls (``project`` None is every project), who asked for it, and how far it is."""

    project: str | None = None
    window: Window = EVER
    dry_run: bool = False
    actor: str = audit.OPERATOR
    state: State = "running"
    progress: Progress = NOTHING_YET
    error: str = ""
    started_ns: int = field(default_factory=time.time_ns)
    ended_ns: int | None = None

    def document(self) -> dict[str, Any]:
        """As JSON. ``from`` is inclusive, ``to`` exclusive; null is open."""
        first, last = self.window
        return {
            "state": self.state,
            "project": self.project,
            "from": iso(first) if first != MIN_NS else None,
            "to": iso(last + 1) if last != MAX_NS else None,
            "dry_run": self.dry_run,
            **self.progress._asdict(),
            "error": self.error or None,
            "started": iso(self.started_ns),
            "ended": iso(self.ended_ns) if self.ended_ns is not None else None,
        }


def perform(engine: Engine, pricer: Pricer, run: Run, progress: Callable[[Progress], None]) -> None:
    """Does a run to its end. What changes costs is in the audit log, before and after. Raises what :func:`reprice` raises."""
    asked = {name: run.document()[name] for name in ("from", "to")}
    if not run.dry_run:
        _record(engine, run, "cost.reprice", asked)

    def note(now: Progress) -> None:
        run.progress = now
        progress(now)

    try:
        run.progress = reprice(engine, pricer, run.project, run.window, note, dry_run=run.dry_run)
        run.state = "done"
    except _Stopped:
        run.state = "stopped"
    except BaseException as error:
        run.state, run.error = "failed", str(error)
        raise
    finally:
        run.ended_ns = time.time_ns()
        if not run.dry_run:
            found = {"state": run.state, "calls": run.progress.done, "changed": run.progress.changed}
            _record(engine, run, "cost.repriced", found | {"difference": run.progress.difference})


def _record(engine: Engine, run: Run, action: str, detail: dict[str, Any]) -> None:
    with engine.sql.begin() as connection:
        audit.record(connection, action, actor=run.actor, project=run.project, detail=detail)


class Repricing:
    """Runs in the background of a server, one at a time."""

    def __init__(self, engine: Engine, pricer: Pricer, settings: Settings) -> None:
        self._engine = engine
        self._pricer = pricer
        self._settings = settings
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._run: Run | None = None

    @property
    def last(self) -> Run | None:
        """The run at work, else the last one; None before the first."""
        return self._run

    def start(self, run: Run) -> None:
        """Starts a run, with the operator's prices as their file has them now. Unless it is a dry run, new calls are priced
        with them as well from here on. Raises RepricingBusy, or ConfigError when the file is wrong."""
        overrides = read_overrides(self._settings.prices_file) if self._settings.prices_file else ()
        with self._lock:
            if self._thread is not None and self._thread.is_alive():
                raise RepricingBusy("another repricing is at work; wait for its end, or stop it")
            if not run.dry_run:
                self._pricer.override(overrides)
            self._run = run
            self._stopping.clear()
            self._thread = threading.Thread(
                target=self._work, args=(run, Pricer(overrides)), name="otel-llm-reprice", daemon=True
            )
            self._thread.start()

    def stop(self) -> None:
        """Ends the run at work after its chunk, and waits for it."""
        self._stopping.set()
        thread = self._thread
        if thread is not None:
            thread.join(_STOP_WAIT_S)

    def _work(self, run: Run, pricer: Pricer) -> None:
        try:
            perform(self._engine, pricer, run, self._note)
        except Exception:
            log.exception("repricing failed")

    def _note(self, progress: Progress) -> None:
        if self._stopping.is_set():
            raise _Stopped
