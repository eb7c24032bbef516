"""How many tokens and how much money, in all and for each bucket of time, provider and model (LangDB's usage)."""

from typing import NamedTuple

import sqlalchemy as sa

from otel_llm.store.queries import dimensions
from otel_llm.store.queries.call import SPAN
from otel_llm.store.queries.calls import CallFilter, asked_calls
from otel_llm.store.queries.metrics import aggregates, positions, together
from otel_llm.store.queries.reading import Reader
from otel_llm.store.queries.window import Window

_SUMS = ("input_sum", "output_sum", "cost_sum")


class Usage(NamedTuple):
    """Sums over calls; cost in USD."""

    input_tokens: int
    output_tokens: int
    cost: float


class ModelUsage(NamedTuple):
    """Usage of one model in one bucket, which starts at ``bucket`` (epoch seconds, UTC)."""

    bucket: int
    provider: str
    model_name: str
    usage: Usage


def total(reader: Reader, project: str, window: Window, filters: CallFilter) -> Usage:
    """Usage of all calls; zeros when there are none."""
    calls = asked_calls(reader, project, window, filters)
    return _usage(reader.row(calls.grouped((), *aggregates(reader.functions, _SUMS))))


def by_model(reader: Reader, project: str, window: Window, filters: CallFilter, unit: str) -> list[ModelUsage]:
    """Usage for each bucket, provider and model; newest bucket first, then provider and model."""
    calls = asked_calls(reader, project, window, filters)
    bucket = reader.functions.bucket(SPAN.start_ns, unit).label("bucket_start")
    stored = [SPAN[name] for name in ("provider", "provider_inferred", "request_model", "response_model")]
    # Names are made of the few groups, not of every call.
    few = calls.grouped([bucket, *stored], *aggregates(reader.functions, _SUMS)).subquery("few").c
    names = [dimensions.provider(few).label("provider_name"), dimensions.model_name(few).label("model_label")]
    statement = sa.select(few.bucket_start, *names, *together(reader.functions, few, _SUMS)).group_by(*positions(3))
    found = [
        ModelUsage(int(row.bucket_start), row.provider_name, row.model_label, _usage(row)) for row in reader.rows(statement)
    ]
    return sorted(found, key=lambda row: (-row.bucket, row.provider, row.model_name))


def _usage(row: sa.Row[tuple[object, ...]]) -> Usage:
    return Usage(int(row.input_sum or 0), int(row.output_sum or 0), float(row.cost_sum or 0.0))
