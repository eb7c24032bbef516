"""From a decoded OTLP request to a durable answer: extract, price, write, account."""

import time
from collections import Counter
from dataclasses import dataclass
from typing import Protocol

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from otel_llm.access.caller import Caller
from otel_llm.accounting import Accounting, Signal
from otel_llm.conventions.content import ContentPolicy
from otel_llm.conventions.extract import extract_spans
from otel_llm.conventions.extraction import Extraction
from otel_llm.conventions.logs import extract_logs
from otel_llm.conventions.metrics import extract_metrics
from otel_llm.spans import Rejection, SpanBatch
from otel_llm.store.writer import Work, Writer

_MESSAGE_REASONS = 5  # different reasons spelled out in one partial_success message
_KEPT_REJECTIONS = 100  # rejections of one request that are kept in the store; all are counted
_NOUNS: dict[Signal, str] = {"spans": "span", "log_records": "log record", "data_points": "data point"}


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes into an OTLP partial_success: rejected items and a message; 0 and "" is full success."""

    rejected: int
    message: str


class Prices(Protocol):
    """What the pipeline needs of :class:`otel_llm.pricing.Pricer`."""

    def price(self, batch: SpanBatch) -> None:
        """Fills cost_computed and cost_computed_source of the call rows in place."""


class Pipeline:
    """One ingest path for every protocol, and for the in-process exporter."""

    def __init__(self, writer: Writer, prices: Prices, accounting: Accounting, content: ContentPolicy) -> None:
        self._writer = writer
        self._prices = prices
        self._accounting = accounting
        self._content = content

    def traces(self, message: ExportTraceServiceRequest, caller: Caller) -> Answer:
        """Returns when every span of the request is committed, a duplicate, ignored or rejected.

        Raises StoreUnavailable when nothing of it was stored.
        """
        extraction = extract_spans(
            message, project=caller.project, key_id=caller.key_id, now_ns=time.time_ns(), content=self._content
        )
        return self._store("spans", extraction)

    def logs(self, message: ExportLogsServiceRequest, caller: Caller) -> Answer:
        """The same for log records: those that carry an LLM call become spans, the rest is ignored and counted."""
        extraction = extract_logs(
            message, project=caller.project, key_id=caller.key_id, now_ns=time.time_ns(), content=self._content
        )
        return self._store("log_records", extraction)

    def metrics(self, message: ExportMetricsServiceRequest, caller: Caller) -> Answer:
        """The same for data points: GenAI metrics are kept, the rest is ignored and counted."""
        extraction = extract_metrics(
            message, project=caller.project, key_id=caller.key_id, now_ns=time.time_ns(), content=self._content
        )
        return self._store("data_points", extraction)

    def _store(self, signal: Signal, extraction: Extraction) -> Answer:
        work = Work(
            extraction.batch, extraction.findings, extraction.metric_points, extraction.rejections[:_KEPT_REJECTIONS]
        )
        if work.batch.size:
            self._prices.price(work.batch)
        if work.batch.size or work.findings or work.metric_points or work.rejections:
            self._writer.submit(work)
        rejected = Counter(rejection.reason for rejection in extraction.rejections)
        outcome = extraction.received - rejected.total() - extraction.ignored.total() - work.duplicate
        self._accounting.record(
            signal,
            stored=outcome,
            duplicate=work.duplicate,
            ignored=extraction.ignored,
            rejected=rejected,
            values=extraction.values,
        )
        return Answer(rejected.total(), _message(signal, extraction.rejections, extraction.values))


def _message(signal: Signal, rejections: list[Rejection], values: Counter[str]) -> str:
    parts = []
    if rejections:
        noun = _NOUNS[signal]
        details = Counter(f"{rejection.reason}: {rejection.detail}" for rejection in rejections)
        shown = "; ".join(
            f"{detail} ({count})" if count > 1 else detail for detail, count in details.most_common(_MESSAGE_REASONS)
        )
        more = f"; and {len(details) - _MESSAGE_REASONS} more reasons" if len(details) > _MESSAGE_REASONS else ""
        parts.append(f"{len(rejections)} {noun}{'s' if len(rejections) > 1 else ''} rejected: {shown}{more}")
    if values:
        shown = "; ".join(f"{reason} ({count})" for reason, count in values.most_common(_MESSAGE_REASONS))
        parts.append(f"values dropped: {shown}")
    return ". ".join(parts)
