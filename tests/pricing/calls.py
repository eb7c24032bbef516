"""Short notation for calls in pricing tests."""

from datetime import UTC, datetime
from typing import Any

from otel_llm.pricing import Pricer
from otel_llm.spans import SpanBatch


def ns(*moment: int) -> int:
    """A UTC date (and time) as ns since 1970."""
    return int(datetime(*moment, tzinfo=UTC).timestamp()) * 10**9  # type: ignore[misc]


def call(model: str | None = "gpt-4o", provider: str | None = "openai", **values: Any) -> dict[str, Any]:
    """One generation on 1 June 2025 with 1,000 tokens in and 100 out, unless said otherwise."""
    defaults = {"role": "generation", "start_ns": ns(2025, 6, 1), "input_tokens": 1000, "output_tokens": 100}
    return defaults | {"provider": provider, "request_model": model} | values


def priced(pricer: Pricer, *calls: dict[str, Any]) -> SpanBatch:
    """The calls as a priced batch."""
    batch = SpanBatch.of_rows(calls)
    pricer.price(batch)
    return batch


def cost(pricer: Pricer, one: dict[str, Any]) -> float | None:
    """Computed cost of one call."""
    found: float | None = priced(pricer, one)["cost_computed"][0]
    return found


def source(pricer: Pricer, one: dict[str, Any]) -> str | None:
    """Price that one call was computed with."""
    found: str | None = priced(pricer, one)["cost_computed_source"][0]
    return found
