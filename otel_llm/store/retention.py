"""Retention at work: deletes what is too old or too much, in steps small enough that ingest goes on."""

import logging
import math
import threading
import time
from collections.abc import Sequence

import sqlalchemy as sa

from otel_llm.access import audit
from otel_llm.retention import RetentionRule, ages
from otel_llm.store import schema
from otel_llm.store.engines.base import RECORDS, ROW_TIMES, Deleted, Engine

log = logging.getLogger(__name__)

STEP_ROWS = 20_000
"""Rows deleted in one step: about 50 ms on DuckDB, which is how long a commit may have to wait for it."""
KEPT_REJECTIONS = 100_000
"""Newest rejections (and copies that came again) that are kept whatever the rules: the audit of single items is bounded."""
_PURGE_STEP_ROWS = 50_000  # somebody waits for it
_SLACK = 1.1  # so that a full table is not trimmed by a few rows each time
_ROOM = 0.95  # of a size that was exceeded is left, so that it is not exceeded again at once
_PAUSE = 2.0  # between two steps, as a multiple of the step: at least two thirds of the time belong to ingest
_NS = 1_000_000_000
_END_OF_TIME = 2**63 - 1


class Retention:
    """Applies the rules once in a while, in a thread of its own."""

    def __init__(self, engine: Engine, rules: Sequence[RetentionRule], interval_s: float, *, lifts_ages: bool = True) -> None:
        """``lifts_ages`` False: to have no ages is not to want none. A process that only answers queries is often started
        without the rules, and must not take from the database those that a receiver gave it."""
        self._engine = engine
        self._rules = rules
        self._interval_s = interval_s
        self._ages = ages(rules)
        self._handed_over = not (self._ages or lifts_ages)
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
        self.hand_over()
        while not self._stopping.wait(self._interval_s):
            self.hand_over()
            try:
                self.apply(time.time_ns())
                self.trim_rejections()
            except Exception:
                log.exception("retention run failed, the next one is in %.0f s", self._interval_s)

    def hand_over(self) -> None:
        """Gives the ages to a database that can keep them by itself, once; called again while that fails."""
        if self._handed_over:
            return
        try:
            self._engine.expire(self._ages)
            self._handed_over = True
        except Exception as error:  # no right to alter tables, a server that is away: runs delete all the same
            log.warning("the database was not told how long to keep rows, this process deletes them: %s", error)

    def apply(self, now_ns: int) -> Deleted:
        """One run at a given time. Writes one audit entry when anything was deleted."""
        deleted = self._by_age(now_ns).plus(self._by_size())
        if deleted:
            log.info("retention deleted %d spans and %d other records", *deleted)
            with self._engine.sql.begin() as connection:
                audit.record(connection, "retention.run", actor=audit.SERVER, detail=deleted._asdict())
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

    def _by_age(self, now_ns: int) -> Deleted:
        general, own = self._ages
        deleted = Deleted()
        for name, age in own.items():
            deleted = deleted.plus(self._delete(name, now_ns - int(age * _NS)))
        if general is None:
            return deleted
        cutoff = now_ns - int(general * _NS)
        for project in (each for each in self._projects(cutoff) if each not in own) if own else [None]:
            deleted = deleted.plus(self._delete(project, cutoff))
        return deleted

    def _by_size(self) -> Deleted:
        deleted = Deleted()
        for rule in sorted(self._rules, key=lambda rule: rule.project is None):  # the whole store last
            if rule.max_bytes is None:
                continue
            while (used := self._used_bytes(rule.project)) > rule.max_bytes:
                excess = math.ceil(self._count(rule.project) * (1 - _ROOM * rule.max_bytes / used))
                step = self._delete(rule.project, _END_OF_TIME, excess)
                deleted = deleted.plus(step)
                # A size that does not fall yet (a server that cleans up in its own time) must not cost all the rest.
                if not step or self._used_bytes(rule.project) >= used:
                    break
        return deleted

    def _used_bytes(self, project: str | None) -> float:
        """Bytes of the store, or a project's share of them by its rows: no engine knows the bytes of some rows of a table."""
        used = self._engine.used_bytes()
        if project is None:
            return used
        return used * self._count(project) / max(1, self._count(None))

    def _count(self, project: str | None) -> int:
        """Rows of a project, or of all of them."""
        rows = 0
        with self._engine.sql.connect() as connection:
            for table in (schema.metadata.tables[name] for name in ROW_TIMES):
                count = sa.select(sa.func.count()).select_from(table)
                rows += int(
                    connection.execute(count if project is None else count.where(table.c.project == project)).scalar_one()
                )
        return rows

    def _delete(self, project: str | None, before_ns: int, most: float = math.inf) -> Deleted:
        """Deletes rows from before a time, the oldest first, about ``most`` of them, in bounded steps; then has the freed
        space given back."""
        deleted = Deleted()
        while (left := most - sum(deleted)) > 0 and (step := self._step(project, before_ns, min(left, STEP_ROWS))):
            deleted = deleted.plus(step)
        if deleted:
            self._engine.checkpoint()
        return deleted

    def _step(self, project: str | None, before_ns: int, rows: float) -> Deleted:
        """One bounded deletion, and a pause; nothing when there is nothing left or the process stops."""
        if self._stopping.is_set():
            return Deleted()
        started = time.perf_counter()
        deleted = self._engine.delete_oldest(project, before_ns, int(rows))
        self._stopping.wait(min((time.perf_counter() - started) * _PAUSE, 1.0))
        return deleted

    def _projects(self, before_ns: int) -> list[str]:
        """Projects with anything from before a time."""
        spans = schema.spans.c
        records = [schema.metadata.tables[name].c for name in RECORDS]
        asked = [sa.select(spans.project).where(spans.start_ns < before_ns).distinct()]
        asked += [sa.select(each.project).where(each.time_ns < before_ns).distinct() for each in records]
        with self._engine.sql.connect() as connection:
            return sorted({project for each in asked for project in connection.execute(each).scalars()})


def purge(engine: Engine, project: str) -> Deleted:
    """Deletes everything that a project has received, in bounded steps."""
    deleted = Deleted()
    while step := engine.delete_oldest(project, _END_OF_TIME, _PURGE_STEP_ROWS):
        deleted = deleted.plus(step)
    return deleted
