"""User, session and trace name of whole traces.

A value set anywhere in a trace holds for all its calls: the root's value, else that of the earliest span that has one
(ties: smallest span id). A trace may lie anywhere in time, so nothing here is bounded by time: the caller names the
traces (``among``), and every span of theirs is asked, unless it knows in which time they lie.
"""

from collections.abc import Collection, Sequence
from typing import Any

import sqlalchemy as sa

from otel_llm.store import schema
from otel_llm.store.engines.base import Functions
from otel_llm.store.queries.call import Column, Columns
from otel_llm.store.queries.window import EVER, Window, within

TraceIds = sa.Select[Any] | Sequence[bytes]
"""Some traces: a statement that gives their trace_id, or those themselves."""


def precedence(of: Columns) -> tuple[Column, ...]:
    """Root first, then by start, then by span id."""
    return of.parent_span_id.is_not(None), of.start_ns, of.span_id


def traces_with(project: str, condition: Any) -> sa.Select[Any]:
    """The traces of a project with a span that meets ``condition(columns)``, each as often as it has one."""
    span = schema.other_spans()
    return sa.select(span.c.trace_id).where(span.c.project == project, condition(span.c))


def inherited(
    functions: Functions, project: str, names: Collection[str], among: Sequence[TraceIds], reach: Window = EVER
) -> sa.Subquery:
    """One row for each trace that sets one of the named columns: ``trace_id`` and a ``trace_<name>`` for each name. All spans
    of the traces start in ``reach``."""
    span = schema.other_spans()
    values = {name: span.c[name] for name in sorted(names)}
    order = precedence(span.c)
    return (
        sa.select(
            span.c.trace_id.label("of_trace"),
            *(functions.first_by(value, *order).label(f"trace_{name}") for name, value in values.items()),
        )
        .where(
            span.c.project == project,
            *within(span.c.start_ns, reach),
            sa.or_(*(value.is_not(None) for value in values.values())),
            *(span.c.trace_id.in_(traces) for traces in among),
        )
        .group_by(span.c.trace_id)
        .subquery("trace_values")
    )


def profiles(functions: Functions, project: str, among: Sequence[TraceIds]) -> sa.Subquery:
    """Name and tags of each user a trace names: only spans that name a user speak for it ('' is the unnamed user)."""
    span = schema.other_spans()
    order = precedence(span.c)
    user = sa.func.coalesce(span.c.user_id, "")
    return (
        sa.select(
            span.c.trace_id.label("of_trace"),
            user.label("of_user"),
            functions.first_by(span.c.user_name, *order).label("profile_name"),
            functions.first_by(span.c.user_tags, *order).label("profile_tags"),
        )
        .where(
            span.c.project == project,
            sa.or_(span.c.user_name.is_not(None), span.c.user_tags.is_not(None)),
            *(span.c.trace_id.in_(traces) for traces in among),
        )
        .group_by(span.c.trace_id, user)
        .subquery("profiles")
    )
