"""The three OTLP signals: their messages, services and names on the wire (opentelemetry-proto 1.11)."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsPartialSuccess,
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
)
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsPartialSuccess,
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTracePartialSuccess,
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from otel_llm import accounting

SignalName = Literal["traces", "metrics", "logs"]


@dataclass(frozen=True, slots=True)
class Signal:
    """One signal: what it is called where, and its three messages."""

    name: SignalName
    counted_as: accounting.Signal
    noun: str
    service: str
    request: type[Message]
    response: type[Message]
    partial: type[Message]
    rejected_field: str

    @property
    def descriptor(self) -> Descriptor:
        """Descriptor of the request."""
        return self.request.DESCRIPTOR  # type: ignore[return-value] # the stubs name a wider type

    def answer(self, rejected: int, message: str) -> Message:
        """The response; ``partial_success`` is left unset on full success, as OTLP asks."""
        if not rejected and not message:
            return self.response()
        partial = self.partial(error_message=message, **{self.rejected_field: rejected})
        return self.response(partial_success=partial)


_COLLECTOR = "opentelemetry.proto.collector"

SIGNALS: Mapping[SignalName, Signal] = MappingProxyType(
    {
        "traces": Signal(
            "traces",
            "spans",
            "span",
            f"{_COLLECTOR}.trace.v1.TraceService",
            ExportTraceServiceRequest,
            ExportTraceServiceResponse,
            ExportTracePartialSuccess,
            "rejected_spans",
        ),
        "metrics": Signal(
            "metrics",
            "data_points",
            "data point",
            f"{_COLLECTOR}.metrics.v1.MetricsService",
            ExportMetricsServiceRequest,
            ExportMetricsServiceResponse,
            ExportMetricsPartialSuccess,
            "rejected_data_points",
        ),
        "logs": Signal(
            "logs",
            "log_records",
            "log record",
            f"{_COLLECTOR}.logs.v1.LogsService",
            ExportLogsServiceRequest,
            ExportLogsServiceResponse,
            ExportLogsPartialSuccess,
            "rejected_log_records",
        ),
    }
)

ITEMS = frozenset(
    f"opentelemetry.proto.{name}"
    for name in (
        "trace.v1.Span",
        "logs.v1.LogRecord",
        "metrics.v1.NumberDataPoint",
        "metrics.v1.HistogramDataPoint",
        "metrics.v1.ExponentialHistogramDataPoint",
        "metrics.v1.SummaryDataPoint",
    )
)
"""Full names of the messages that are accepted or rejected one by one."""

MAX_DEPTH = 100
"""Deepest nesting of messages in a request: the limit of protobuf parsers."""
