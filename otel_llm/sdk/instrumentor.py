"""What ``opentelemetry-instrument`` loads: time to first token, and the context values, with no line of code."""

import logging
from collections.abc import Collection
from typing import Any

from opentelemetry import trace
from opentelemetry.instrumentation.instrumentor import BaseInstrumentor  # type: ignore[attr-defined]  # it has no __all__

from otel_llm.sdk import first_token
from otel_llm.sdk.processor import add_processor

logger = logging.getLogger("otel_llm")


class FirstTokenInstrumentor(BaseInstrumentor):  # type: ignore[misc]  # its base is untyped
    """Adds time to first token to streamed calls of the ``openai`` and ``anthropic`` clients, whoever instruments them."""

    def instrumentation_dependencies(self) -> Collection[str]:
        """None: clients that are not installed are left out."""
        return ()

    def _instrument(self, **kwargs: Any) -> None:
        first_token.install()
        add_processor(kwargs.get("tracer_provider") or trace.get_tracer_provider())

    def _uninstrument(self, **kwargs: Any) -> None:
        first_token.uninstall()


def pre_instrument() -> None:
    """Runs before all instrumentors. The loader does not catch what this raises, so it raises nothing."""
    try:
        first_token.install()
        add_processor(trace.get_tracer_provider())
    except Exception:
        logger.warning("time to first token is not recorded", exc_info=True)
