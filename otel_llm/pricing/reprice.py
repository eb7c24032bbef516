"""Computes the cost of stored calls anew, after a price changed. What spans report themselves stays as it is."""

import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import sqlalchemy as sa

from otel_llm.pricing.pricer import INPUTS, Pricer
from otel_llm.spans import CALL_ROLES, SpanBatch
from otel_llm.store.engines.base import CostUpdate, Engine
from otel_llm.store.queries.window import EVER, Window
from otel_llm.store.schema import spans

CHUNK = 20_000
"""Calls in memory at a time, about 20 MB."""

_KEY = ("start_ns", "project", "trace_id", "span_id")
_COSTS = ("cost_computed", "cost_computed_source")
_COLUMNS = tuple(dict.fromkeys((*_KEY, *INPUTS, *_COSTS)))


class Progress(NamedTuple):
    """How far repricing is: ``done`` of about ``total`` calls, ``changed`` of them with another cost now. ``difference`` is
    what the computed costs of all of them have become dearer by, in USD."""

    done: int
    changed: int
    total: int
    difference: float = 0.0


def reprice(
    engine: Engine,
    pricer: Pricer,
    project: str | None = None,
    window: Window = EVER,
    progress: Callable[[Progress], None] | None = None,
    chunk: int = CHUNK,
    *,
    dry_run: bool = False,
) -> Progress:
    """Computes the cost of every call of a project (None: of all) that started in a window, oldest first.

    Works in chunks, each committed by itself: memory is bounded, ingest goes on meanwhile, and an interrupted run can simply
    be started again. ``progress`` is told after each chunk; what it raises ends the run. A dry run computes and writes
    nothing. Raises StoreUnavailable.
    """
    calls = _calls(project, window)
    with engine.sql.connect() as connection:
        total = connection.execute(sa.select(sa.func.count()).select_from(spans).where(calls)).scalar_one()
    state = Progress(0, 0, total)
    for batch in _chunks(engine, calls, chunk):
        was = [list(batch[name]) for name in _COSTS]
        pricer.price(batch)
        updates = []
        changed = 0
        difference = [state.difference]
        for row, (cost, source) in enumerate(zip(*was, strict=True)):
            new_cost, new_source = (batch[name][row] for name in _COSTS)
            if (new_cost, new_source) != (cost, source):
                changed += new_cost != cost
                difference += (new_cost or 0.0, -(cost or 0.0))
                updates.append(CostUpdate(*batch.key(row), batch["start_ns"][row], cost, new_cost, new_source))
        if not dry_run:
            engine.update_costs(updates)
        done = state.done + batch.size
        state = Progress(done, state.changed + changed, max(total, done), math.fsum(difference))
        if progress is not None:
            progress(state)
    return state


def _calls(project: str | None, window: Window) -> sa.ColumnElement[bool]:
    wanted = sa.and_(spans.c.role.in_(sorted(CALL_ROLES)), spans.c.start_ns.between(*window))
    return wanted if project is None else sa.and_(wanted, spans.c.project == project)


def _chunks(engine: Engine, calls: sa.ColumnElement[bool], chunk: int) -> Iterator[SpanBatch]:
    """The calls in order of time. Each chunk is read on its own, so no cursor is held open while costs are written."""
    key = [spans.c[name] for name in _KEY]
    after: sa.ColumnElement[bool] = sa.true()
    while True:
        statement = sa.select(*(spans.c[name] for name in _COLUMNS)).where(calls, after).order_by(*key).limit(chunk)
        with engine.sql.connect() as connection:
            rows = connection.execute(statement).fetchall()
        if rows:
            columns: dict[str, list[Any]] = dict(zip(_COLUMNS, map(list, zip(*rows, strict=True)), strict=True))
            yield SpanBatch.of_columns(columns, len(rows))
        if len(rows) < chunk:
            return
        after = _after(key, [columns[name][-1] for name in _KEY])


def _after(key: list[sa.Column[Any]], last: list[Any]) -> sa.ColumnElement[bool]:
    """Rows whose key comes after the last one; the bound on time alone lets the engine skip what is done."""
    later: sa.ColumnElement[bool] = sa.false()
    for column, value in reversed(list(zip(key, last, strict=True))):
        later = sa.or_(column > value, sa.and_(column == value, later))
    return sa.and_(key[0] >= last[0], later)
