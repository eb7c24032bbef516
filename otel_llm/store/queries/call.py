"""What one LLM call contributes to the metrics: expressions over its row of ``spans``.

``of`` names of a table or an alias of it, so that a query can hold several.
"""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.sql.base import ReadOnlyColumnCollection

from otel_llm.spans import CALL_ROLES
from otel_llm.store import schema

Column = sa.ColumnElement[Any]
Columns = ReadOnlyColumnCollection[str, sa.ColumnElement[Any]]

SPAN: Columns = schema.spans.c
UNKNOWN = "unknown"
ZERO: Column = sa.literal_column("0", sa.BigInteger())
"""Not a parameter: databases see that two aggregates are the same only when no parameter tells them apart."""


def counted(of: Columns = SPAN) -> Column:
    """True for a call that sums count; calls that another record of the same call stands for are not."""
    return of.counted == sa.true()


def is_call(of: Columns = SPAN) -> Column:
    """True for an LLM call, counted or not."""
    return of.role.in_(sorted(CALL_ROLES))


def cost(of: Columns = SPAN) -> Column:
    """USD: reported, else computed, else NULL."""
    return sa.func.coalesce(of.cost_reported, of.cost_computed)


def model(of: Columns = SPAN) -> Column:
    """The model that answered, else the one asked for, as sent."""
    return sa.func.coalesce(of.response_model, of.request_model)


def duration_ns(of: Columns = SPAN) -> Column:
    """End minus start."""
    return of.end_ns - of.start_ns


def ttft_or_duration_ns(of: Columns = SPAN) -> Column:
    """Time to first token; a call without one contributes its duration, as LangDB has it."""
    return sa.func.coalesce(of.ttft_ns, duration_ns(of))


def tokens_per_second(of: Columns = SPAN) -> Column:
    """(input + output tokens) / duration; NULL without duration or without output tokens."""
    tokens = _double(sa.func.coalesce(of.input_tokens, ZERO)) + _double(of.output_tokens)
    return sa.case((_has_rates(of), tokens / _seconds(of)))


def seconds_per_output_token(of: Columns = SPAN) -> Column:
    """Duration / output tokens; NULL without duration or without output tokens."""
    return sa.case((_has_rates(of), _seconds(of) / _double(of.output_tokens)))


def agent_is(agent: str, of: Columns = SPAN) -> Column:
    """AgentLens's rule: name or id of the agent, else ``agentlens.agentId``, else the service; nothing is inherited."""
    return (
        sa.case(
            (
                sa.or_(of.agent_name.is_not(None), of.agent_id.is_not(None)),
                sa.or_(sa.func.coalesce(of.agent_name, "") == agent, sa.func.coalesce(of.agent_id, "") == agent),
            ),
            (of.agentlens_agent_id.is_not(None), of.agentlens_agent_id == agent),
            else_=sa.func.coalesce(of.service_name, "") == agent,
        )
        == sa.true()
    )


def _has_rates(of: Columns) -> Column:
    return sa.and_(of.end_ns > of.start_ns, of.output_tokens > ZERO)


def _double(value: Column) -> Column:
    return sa.cast(value, sa.Double())


def _seconds(of: Columns) -> Column:
    return _double(duration_ns(of)) / sa.literal_column("1000000000.0", sa.Double())
