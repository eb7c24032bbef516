"""What all calls of a project add up to, by provider and model."""

from typing import NamedTuple

import sqlalchemy as sa

from otel_llm.store.queries import call
from otel_llm.store.queries.call import SPAN
from otel_llm.store.queries.metrics import aggregates
from otel_llm.store.queries.reading import Reader

_SUMS = ("call_count", "error_count", "cost_sum", "input_sum", "output_sum", "duration_ns_sum")


class UsageCounters(NamedTuple):
    """Sums over calls; cost in USD, duration in ns."""

    provider: str
    model: str
    calls: int
    errors: int
    cost: float
    input_tokens: int
    output_tokens: int
    duration_ns: int


def usage_counters(reader: Reader, project: str) -> list[UsageCounters]:
    """Counters of every model, the most called first."""
    statement = (
        sa.select(
            sa.func.coalesce(SPAN.provider, call.UNKNOWN),
            sa.func.coalesce(call.model(), call.UNKNOWN),
            *aggregates(reader.functions, _SUMS),
        )
        .where(SPAN.project == project, call.counted())
        .group_by(sa.literal_column("1"), sa.literal_column("2"))
    )
    found = [
        UsageCounters(
            row[0],
            row[1],
            int(row.call_count),
            int(row.error_count or 0),
            float(row.cost_sum or 0.0),
            int(row.input_sum or 0),
            int(row.output_sum or 0),
            int(row.duration_ns_sum or 0),
        )
        for row in reader.rows(statement)
    ]
    return sorted(found, key=lambda row: (-row.calls, row.provider, row.model))
