"""The agent a call works for: the nearest of the agents it is nested in.

Only traces in which several agents are named need a look at who is nested in whom; in all others the trace's one agent is
the answer already (:mod:`otel_llm.store.queries.trace_values`).
"""

from collections.abc import Sequence

import sqlalchemy as sa

from otel_llm.store import schema
from otel_llm.store.queries import call
from otel_llm.store.queries.trace_values import TraceIds
from otel_llm.store.queries.window import EVER, Window, within

MAX_DEPTH = 64
"""Levels looked up; ids that name each other as parents must come to an end, too."""


def nearest_agents(project: str, among: Sequence[TraceIds], reach: Window = EVER) -> sa.Subquery:
    """One row for each call below one of several agents of its trace: ``of_trace``, ``of_span`` and ``nearest_agent``.

    Calls that name an agent themselves have none. All spans of the traces start in ``reach``.
    """
    span = schema.other_spans()
    several = (
        sa.select(span.c.trace_id)
        .where(span.c.project == project, span.c.agent_name.is_not(None), *within(span.c.start_ns, reach))
        .where(*(span.c.trace_id.in_(ids) for ids in among))
        .group_by(span.c.trace_id)
        .having(sa.func.min(span.c.agent_name) != sa.func.max(span.c.agent_name))
    )
    member = schema.other_spans()
    kin = (
        sa.select(
            member.c.trace_id,
            member.c.span_id,
            member.c.parent_span_id,
            member.c.agent_name,
            call.counted(member.c).label("is_call"),
        )
        .where(member.c.project == project, *within(member.c.start_ns, reach), member.c.trace_id.in_(several))
        .cte("kin")
    )
    begin = sa.select(
        kin.c.trace_id.label("of_trace"),
        kin.c.span_id.label("of_span"),
        kin.c.parent_span_id.label("above"),
        kin.c.agent_name.label("agent"),
        sa.cast(sa.literal_column("0"), sa.BigInteger()).label("depth"),
    ).where(kin.c.is_call, kin.c.agent_name.is_(None), kin.c.parent_span_id.is_not(None))
    below = begin.cte("below", recursive=True)
    parent = kin.alias("parent")
    found = below.union_all(
        sa.select(below.c.of_trace, below.c.of_span, parent.c.parent_span_id, parent.c.agent_name, below.c.depth + 1)
        .select_from(below.join(parent, sa.and_(parent.c.trace_id == below.c.of_trace, parent.c.span_id == below.c.above)))
        .where(below.c.agent.is_(None), below.c.depth < MAX_DEPTH)
    )
    return (
        sa.select(found.c.of_trace, found.c.of_span, sa.func.max(found.c.agent).label("nearest_agent"))
        .where(found.c.agent.is_not(None))
        .group_by(found.c.of_trace, found.c.of_span)
        .subquery("nearest_agents")
    )
