"""The span processor of the app's side: stamps a block's values on spans, and knows the spans of live calls."""

import logging

from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor
from opentelemetry.trace import TracerProvider

from otel_llm.sdk import live_calls
from otel_llm.sdk.block import current_block

logger = logging.getLogger("otel_llm")


class OtelLLMSpanProcessor(SpanProcessor):
    """Add it to a tracer provider of your own; :func:`otel_llm.configure` and ``opentelemetry-instrument`` do it for you."""

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Sets the attributes of the open :class:`otel_llm.context` block, except those the span already has."""
        try:
            block = current_block(parent_context)
            if block is not None:
                own = span.attributes or {}
                for key, value in block.attributes.items():
                    if key not in own:
                        span.set_attribute(key, value)
            scope = span.instrumentation_scope
            if scope is not None:
                live_calls.started(span, scope.name)
        except Exception:  # telemetry never breaks the app
            logger.debug("a span was not stamped", exc_info=True)

    def on_end(self, span: ReadableSpan) -> None:
        """Nothing to do."""

    def shutdown(self) -> None:
        """Nothing to do."""

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """Nothing is buffered here."""
        return True


def add_processor(provider: TracerProvider) -> None:
    """Adds our span processor to an SDK tracer provider that has none of it yet."""
    if hasattr(provider, "add_span_processor") and not getattr(provider, "_otel_llm_processor", None):
        processor = OtelLLMSpanProcessor()
        provider.add_span_processor(processor)
        provider._otel_llm_processor = processor  # type: ignore[attr-defined]  # so that the next one sees it
