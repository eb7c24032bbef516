"""From a decoded OTLP request to a durable answer: extract, price, write, account."""

import time
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from itertools import chain
from typing import Any, ClassVar, NamedTuple, Protocol

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from otel_llm.access.caller import Caller
from otel_llm.accounting import Accounting, Signal
from otel_llm.conventions.content import ContentPolicy
from otel_llm.conventions.extract import extract_spans, extract_together
from otel_llm.conventions.extraction import Extraction
from otel_llm.conventions.logs import extract_logs
from otel_llm.conventions.metrics import extract_metrics
from otel_llm.conventions.wire import TraceRequest
from otel_llm.otlp.signals import SignalName
from otel_llm.spans import Rejection, SpanBatch
from otel_llm.store.writer import Work, Writer

_MESSAGE_REASONS = 5  # different reasons spelled out in one partial_success message
_TOGETHER_BYTES = 4_096
"""Spans of requests up to this size are read together: most of what a request of a few spans costs, it costs for being one."""
_KEPT_REJECTIONS = 100  # rejections of one request that are kept in the store; all are counted
_NONE: Counter[str] = Counter()
_UNREAD = SpanBatch()
"""Of every request that is not read yet: nobody adds to it."""
_NOUNS: dict[Signal, str] = {"spans": "span", "log_records": "log record", "data_points": "data point"}


class _Signal(NamedTuple):
    extract: Callable[..., Extraction]
    counted_as: Signal
    apart: bool
    """Findings and metric points are items of the request, not parts of its spans."""


_SIGNALS: dict[SignalName, _Signal] = {
    "traces": _Signal(extract_spans, "spans", apart=False),
    "logs": _Signal(extract_logs, "log_records", apart=True),
    "metrics": _Signal(extract_metrics, "data_points", apart=True),
}


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes into an OTLP partial_success: rejected items and a message; 0 and "" is full success."""

    rejected: int
    message: str


_SUCCESS = Answer(0, "")
Tell = Callable[[Answer | Exception], None]
"""Is told what became of a request."""


@dataclass(slots=True, kw_only=True)
class _Request(Work):
    """One request on its way through the pipeline."""

    signal: SignalName
    message: Any
    """None once it was read."""
    caller: Caller
    tell: "Tell"
    extraction: Extraction | None = None
    """None where all it holds are spans that were read together with those of others."""


class Prices(Protocol):
    """What the pipeline needs of :class:`otel_llm.pricing.Pricer`."""

    def price(self, batch: SpanBatch) -> None:
        """Fills cost_computed and cost_computed_source of the call rows in place."""


class Pipeline:
    """One ingest path for every protocol, and for the in-process exporter."""

    reads: ClassVar[Mapping[SignalName, Any]] = {"traces": TraceRequest}
    """Message classes that :meth:`take` reads fastest; the generated ones do as well."""

    def __init__(self, writer: Writer, prices: Prices, accounting: Accounting, content: ContentPolicy) -> None:
        self._writer = writer
        self._prices = prices
        self._accounting = accounting
        self._content = content

    def take(self, signal: SignalName, message: Any, caller: Caller, size_bytes: int, tell: Tell) -> None:
        """Takes a decoded request of so many bytes (0 when nobody knows). ``tell`` is called once with the answer, when every
        item is committed, a duplicate, ignored or rejected: in this thread or the writer's, so it must be quick.

        It is told of StoreUnavailable (retryable) when nothing of the request was stored. Spans of a small request are
        extracted by the writer, together with those that wait for the same commit, all others in the calling thread; no thread
        waits for the commit. A message of :attr:`reads` whose scopes do not parse is an InvalidPayload, raised or told, and
        nothing of it is stored or counted then. Of what is raised ``tell`` is not told.
        """
        request = _Request(
            _UNREAD, signal=signal, message=message, caller=caller, tell=tell, size_bytes=size_bytes, done=self._settle
        )
        if signal == "traces" and 0 < size_bytes <= _TOGETHER_BYTES:
            request.unread, request.spans = self._read, 1
        else:
            self._read_alone(request)
            if request.is_empty:
                self._settle(request)
                return
        self._writer.enqueue(request)

    def accept(self, signal: SignalName, message: Any, caller: Caller, size_bytes: int = 0) -> "Future[Answer]":
        """:meth:`take` for who waits: a future gives the answer, or fails with what would be told."""
        answered: Future[Answer] = Future()

        def tell(outcome: Answer | Exception) -> None:
            if isinstance(outcome, Exception):
                answered.set_exception(outcome)
            else:
                answered.set_result(outcome)

        self.take(signal, message, caller, size_bytes, tell)
        return answered

    def _read(self, requests: list[Any]) -> list[Any]:
        """Reads small requests, those of one caller together; returns them by caller."""
        callers: dict[tuple[str, str | None], list[_Request]] = {}
        for request in requests:
            callers.setdefault((request.caller.project, request.caller.key_id), []).append(request)
        for of_caller in callers.values():
            if not self._read_together(of_caller):
                for request in of_caller:
                    try:
                        self._read_alone(request)
                    except Exception as error:  # its own answer; the others have theirs
                        request.error = error
        return list(chain.from_iterable(callers.values()))

    def _read_together(self, requests: "list[_Request]") -> bool:
        """Reads requests of one caller; False when they hold more than spans that are stored as they are."""
        caller = requests[0].caller
        try:
            extraction, received = extract_together(
                [request.message for request in requests],
                project=caller.project,
                key_id=caller.key_id,
                now_ns=time.time_ns(),
                content=self._content,
            )
            if not extraction.is_plain:
                return False
            if extraction.batch.size:
                self._prices.price(extraction.batch)
        except Exception:  # which of them it is shows when each is read alone
            return False
        for request, spans in zip(requests, received, strict=True):
            request.spans, request.message = spans, None
        if extraction.batch.size:
            next(request for request in requests if request.spans).batch = extraction.batch
        return True

    def _read_alone(self, request: "_Request") -> None:
        """Extracts and prices what a request holds. Raises InvalidPayload."""
        caller = request.caller
        extraction = _SIGNALS[request.signal].extract(
            request.message, project=caller.project, key_id=caller.key_id, now_ns=time.time_ns(), content=self._content
        )
        if extraction.batch.size:
            self._prices.price(extraction.batch)
        request.extraction, request.message = extraction, None
        request.batch, request.spans = extraction.batch, extraction.batch.size
        request.findings, request.metric_points = extraction.findings, extraction.metric_points
        request.rejections = extraction.rejections[:_KEPT_REJECTIONS]

    def _settle(self, request: Any) -> None:
        """Accounts for a request and answers it."""
        outcome: Answer | Exception | None = request.error
        if outcome is None:
            try:
                outcome = self._account(request)
            except Exception as error:  # whoever waits must get an answer
                outcome = error
        request.tell(outcome)

    def traces(self, message: ExportTraceServiceRequest, caller: Caller) -> Answer:
        """:meth:`accept` for spans, waited for. Raises StoreUnavailable."""
        return self.accept("traces", message, caller).result()

    def logs(self, message: ExportLogsServiceRequest, caller: Caller) -> Answer:
        """The same for log records: those that carry an LLM call become spans, the rest is ignored and counted."""
        return self.accept("logs", message, caller).result()

    def metrics(self, message: ExportMetricsServiceRequest, caller: Caller) -> Answer:
        """The same for data points: GenAI metrics are kept, the rest is ignored and counted."""
        return self.accept("metrics", message, caller).result()

    def _account(self, request: "_Request") -> Answer:
        kind, project, extraction = _SIGNALS[request.signal], request.caller.project, request.extraction
        signal, duplicate = kind.counted_as, request.duplicate + (request.repeated if kind.apart else 0)
        if extraction is None:
            self._accounting.record(signal, project, stored=request.stored, duplicate=duplicate)
            return _SUCCESS
        rejected = Counter(rejection.reason for rejection in extraction.rejections) if extraction.rejections else _NONE
        ignored = extraction.ignored.total() if extraction.ignored else 0
        refused = len(extraction.rejections)
        self._accounting.record(
            signal,
            project,
            stored=extraction.received - refused - ignored - duplicate,
            duplicate=duplicate,
            ignored=extraction.ignored,
            rejected=rejected,
            values=extraction.values,
        )
        message = _message(signal, extraction.rejections, extraction.values)
        damage = extraction.damage
        if damage:
            self._accounting.record(signal, project, rejected=damage.rejected, values=damage.values)
            refused += damage.rejected.total()
            message = damage.before(message, _NOUNS[signal])
        return Answer(refused, message)


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
