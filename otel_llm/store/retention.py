"""Retention at work: deletes what is too old or too much, in steps small enough that ingest goes on."""

import logging
import math
import threading
import time
from collections.abc import Sequence

import sqlalchemy as sa

from otel_llm.access import audit
from otel_llm.retention import RetentionRule
from otel_llm.store import schema
from otel_llm.store.engines.base import Engine

log = logging.getLogger(__name__)

STEP_SPANS = 20_000
"""Spans deleted in one step: about 50 ms on DuckDB, which is how long a commit may have to wait for it."""
KEPT_REJECTIONS = 100_000
"""Newest rejections (and copies that came again) that are kept whatever the rules: the audit of single items is bounded."""
_SLACK = 1.1  # so that a full table is not trimmed by a few rows each time
_PAUSE = 2.0  # between two steps, as a multiple of the step: at least two thirds of the time belong to ingest
_NS = 1_000_000_000
_END_OF_TIME = 2**63 - 1


class Retention:
    """Applies the rules once in a while, in a thread of its own."""

    def __init__(self, engine: Engine, rules: Sequence[RetentionRule], interval_s: float) -> None:
        self._engine = engine
        self._rules = rules
        self._interval_s = interval_s
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="otel-llm-retention", daemon=True)

    def start(self) -> None:
        """Starts the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Stops after the step at hand."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self._stopping.wait(self._interval_s):
            try:
                self.apply(time.time_ns())
                self.trim_rejections()
            except Exception:
                log.exception("retention run failed, the next one is in %.0f s", self._interval_s)

    def apply(self, now_ns: int) -> int:
        """One run at a given time; returns how many spans were deleted. Writes one audit entry when there were any."""
        deleted = self._by_age(now_ns) + self._by_size()
        if deleted:
            log.info("retention deleted %d spans", deleted)
            with self._engine.sql.begin() as connection:
                audit.record(connection, "retention.run", actor=audit.SERVER, detail={"spans": deleted})
        return deleted

    def trim_rejections(self, keep: int = KEPT_REJECTIONS) -> None:
        """Deletes all but about the newest ``keep`` rejections: entries of one nanosecond go or stay together."""
        time_ns = schema.rejections.c.time_ns
        count = sa.select(sa.func.count()).select_from(schema.rejections)
        newest = sa.select(time_ns).order_by(time_ns.desc()).limit(keep).subquery()
        with self._engine.sql.connect() as connection:
            if int(connection.execute(count).scalar_one()) <= keep * _SLACK:
                return
            oldest = int(connection.execute(sa.select(sa.func.min(newest.c.time_ns))).scalar_one())
        self._engine.delete_rejections(oldest)

    def _by_age(self, now_ns: int) -> int:
        ages = {rule.project: rule.max_age_s for rule in self._rules if rule.max_age_s is not None}
        general = ages.pop(None, None)
        deleted = sum(self._older(project, now_ns - int(age * _NS)) for project, age in ages.items())
        if general is None:
            return deleted
        cutoff = now_ns - int(general * _NS)
        if not ages:
            return deleted + self._older(None, cutoff)
        others = [project for project in self._projects(cutoff) if project not in ages]
        return deleted + sum(self._older(project, cutoff) for project in others)

    def _by_size(self) -> int:
        limits = [rule.max_bytes for rule in self._rules if rule.max_bytes is not None]
        if not limits:
            return 0
        deleted = 0
        while (used := self._engine.used_bytes()) > min(limits):
            excess = math.ceil(self._count() * (1 - min(limits) / used))
            step = self._oldest(excess)
            deleted += step
            if not step:
                break
        return deleted

    def _oldest(self, count: int) -> int:
        """Deletes about so many of the oldest spans, then has the freed space given back."""
        deleted = 0
        while deleted < count and (step := self._step(None, _END_OF_TIME)):
            deleted += step
        if deleted:
            self._engine.checkpoint()
        return deleted

    def _count(self) -> int:
        with self._engine.sql.connect() as connection:
            return int(connection.execute(sa.select(sa.func.count()).select_from(schema.spans)).scalar() or 0)

    def _older(self, project: str | None, cutoff_ns: int) -> int:
        deleted = 0
        while step := self._step(project, cutoff_ns):
            deleted += step
        if deleted:
            self._engine.checkpoint()
        return deleted

    def _step(self, project: str | None, before_ns: int) -> int:
        """One bounded deletion, and a pause; 0 when there is nothing left or the process stops."""
        if self._stopping.is_set():
            return 0
        started = time.perf_counter()
        deleted = self._engine.delete_spans(project, before_ns, STEP_SPANS)
        self._stopping.wait(min((time.perf_counter() - started) * _PAUSE, 1.0))
        return deleted

    def _projects(self, before_ns: int) -> list[str]:
        spans = schema.spans.c
        with self._engine.sql.connect() as connection:
            return list(connection.execute(sa.select(spans.project).where(spans.start_ns < before_ns).distinct()).scalars())
