"""Models that calls were seen of, and no price: what the sums of cost lack."""

from typing import Any, NamedTuple

import sqlalchemy as sa

from otel_llm.store.engines.base import Engine
from otel_llm.store.queries.instants import iso
from otel_llm.store.queries.reading import run
from otel_llm.store.queries.window import EVER, Window
from otel_llm.store.schema import spans


class UnpricedModel(NamedTuple):
    """Counted calls with tokens of one model without a price. ``model`` is the one that answered, else the one asked for."""

    provider: str | None
    model: str | None
    calls: int
    input_tokens: int
    output_tokens: int
    calls_with_reported_cost: int
    """Calls that report their own cost, which sums use: only the others are missing there."""
    first_ns: int
    last_ns: int

    def document(self) -> dict[str, Any]:
        """As JSON: what the endpoint answers and the command line prints."""
        own = self._asdict()
        return {name: own[name] for name in self._fields[:-2]} | {"first": iso(self.first_ns), "last": iso(self.last_ns)}


def unpriced(
    engine: Engine, project: str | None = None, window: Window = EVER, limit: int = 1000, timeout_s: float = 30.0
) -> list[UnpricedModel]:
    """Models seen without a price, most tokens first, then most calls. ``project`` None is every project.

    Raises QueryTimeout.
    """
    column = spans.c
    model = sa.func.coalesce(column.response_model, column.request_model)
    tokens_in, tokens_out = (
        sa.func.coalesce(engine.functions.exact_sum(tokens), 0) for tokens in (column.input_tokens, column.output_tokens)
    )
    calls = sa.func.count()
    statement = (
        sa.select(
            column.provider,
            model,
            calls,
            tokens_in,
            tokens_out,
            sa.func.count(column.cost_reported),
            sa.func.min(column.start_ns),
            sa.func.max(column.start_ns),
        )
        .where(
            column.counted.is_(True),
            column.cost_computed.is_(None),
            sa.or_(column.input_tokens.is_not(None), column.output_tokens.is_not(None)),
            column.start_ns.between(*window),
        )
        .group_by(column.provider, model)
        .order_by((tokens_in + tokens_out).desc(), calls.desc(), column.provider, model)
        .limit(limit)
    )
    if project is not None:
        statement = statement.where(column.project == project)
    found = (tuple(row) for row in run(engine, statement, timeout_s))
    return [UnpricedModel(provider, model, *map(int, numbers)) for provider, model, *numbers in found]
