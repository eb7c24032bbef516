"""Prices: what a call costs, from the bundled price table and the operator's own file."""

from otel_llm.pricing.pricer import Pricer

__all__ = ["Pricer"]
