"""The exporters that ``OTEL_TRACES_EXPORTER=otel_llm`` (``OTEL_METRICS_EXPORTER``, ``OTEL_LOGS_EXPORTER``) selects."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk._logs.export import LogRecordExporter, LogRecordExportResult
from opentelemetry.sdk.metrics.export import AggregationTemporality, MetricExporter, MetricExportResult, MetricsData
from opentelemetry.sdk.metrics.view import Aggregation
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from otel_llm.errors import ConfigError
from otel_llm.sdk.destination import Destination, Signal, destination
from otel_llm.sdk.link import Link

logger = logging.getLogger("otel_llm")


def _link(signal: Signal, to: Destination | None) -> Link | None:
    """A link to where the environment says; None, and one line in the log, when it says nonsense."""
    try:
        return Link(signal, to or destination())
    except ConfigError as error:
        logger.error("No %s are exported: %s.", signal, error)
        return None


class OtelLLMSpanExporter(SpanExporter):
    """Sends spans to a collector, or stores them without one; see :func:`otel_llm.sdk.destination.destination`.

    Never raises: what cannot be delivered is counted, and logged once.
    """

    def __init__(self, to: Destination | None = None) -> None:
        self.link = _link("traces", to)

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """SUCCESS when the destination has taken (a store: committed) the spans."""
        sent = self.link is not None and self.link.send(spans, len(spans))
        return SpanExportResult.SUCCESS if sent else SpanExportResult.FAILURE

    def shutdown(self) -> None:
        """Ends the connection, or closes the store."""
        if self.link is not None:
            self.link.close()

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """Nothing is buffered here."""
        return True


class OtelLLMMetricExporter(MetricExporter):
    """The same for metrics."""

    def __init__(
        self,
        to: Destination | None = None,
        preferred_temporality: Mapping[type, AggregationTemporality] | None = None,
        preferred_aggregation: Mapping[type, Aggregation] | None = None,
    ) -> None:
        super().__init__(
            preferred_temporality=dict(preferred_temporality) if preferred_temporality else None,
            preferred_aggregation=dict(preferred_aggregation) if preferred_aggregation else None,
        )
        self.link = _link("metrics", to)

    def export(self, metrics_data: MetricsData, timeout_millis: float = 10_000, **kwargs: Any) -> MetricExportResult:
        """SUCCESS when the destination has taken the data points."""
        sent = self.link is not None and self.link.send(metrics_data, 1)
        return MetricExportResult.SUCCESS if sent else MetricExportResult.FAILURE

    def shutdown(self, timeout_millis: float = 30_000, **kwargs: Any) -> None:
        """Ends the connection, or closes the store."""
        if self.link is not None:
            self.link.close()

    def force_flush(self, timeout_millis: float = 10_000) -> bool:
        """Nothing is buffered here."""
        return True


class OtelLLMLogExporter(LogRecordExporter):
    """The same for log records."""

    def __init__(self, to: Destination | None = None) -> None:
        self.link = _link("logs", to)

    def export(self, batch: Sequence[ReadableLogRecord]) -> LogRecordExportResult:
        """SUCCESS when the destination has taken the records."""
        sent = self.link is not None and self.link.send(batch, len(batch))
        return LogRecordExportResult.SUCCESS if sent else LogRecordExportResult.FAILURE

    def shutdown(self) -> None:
        """Ends the connection, or closes the store."""
        if self.link is not None:
            self.link.close()

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """Nothing is buffered here."""
        return True
