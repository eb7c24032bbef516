"""``GET /metrics`` in Prometheus text: the server's own counters, and the LLM usage of the caller's project.

What was received and the LLM usage are those of the project the key belongs to; the state of the server itself (commits,
queue, size, time of queries) holds no content and is the same for every caller. Label
values are bounded: the most called models have their own series, all others share one.
"""

import threading
import time
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from flask import Blueprint, Response, g, request
from flask.sansio.app import App
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector as MetricSource

from otel_llm import __version__
from otel_llm.accounting import SIGNALS
from otel_llm.errors import OtelLLMError
from otel_llm.latency import LatencyHistogram, Snapshot
from otel_llm.store.queries.reading import reading
from otel_llm.store.queries.usage_counters import UsageCounters, usage_counters
from query_api.access import reader_of, seen_by
from query_api.errors import HOUSE, log

if TYPE_CHECKING:
    from otel_llm.collector import Collector

MAX_MODELS = 100
"""Series of each usage metric; a store with more models shows the rest as provider "other", model "other"."""
MIN_AGE_S = 10.0
"""Usage is read from the store at most this often, however many scrapers there are."""
AGE_PER_COST = 20.0
"""And never takes more than a twentieth of the time: a large store is asked less often."""

_USAGE: tuple[tuple[str, str, str, float], ...] = (
    ("otel_llm_calls", "calls", "LLM calls, each counted once", 1),
    ("otel_llm_call_errors", "errors", "LLM calls that failed", 1),
    ("otel_llm_input_tokens", "input_tokens", "Input tokens, cached ones included", 1),
    ("otel_llm_output_tokens", "output_tokens", "Output tokens, reasoning included", 1),
    ("otel_llm_cost_usd", "cost", "Cost in USD: reported, else computed", 1),
    ("otel_llm_call_duration_seconds", "duration_ns", "Summed duration of LLM calls", 1e-9),
)
"""Metric, field of the counters, help, scale."""


def blueprint(collector: "Collector") -> Blueprint:
    """The endpoint."""
    routes = Blueprint("prometheus", __name__)
    usage = UsageMemory(collector)
    queries: dict[str, LatencyHistogram] = {}
    routes.record_once(lambda state: _time_queries(state.app, queries))

    @routes.get("/metrics")
    def metrics() -> Response:
        caller = reader_of(collector.door, HOUSE)
        registry = CollectorRegistry()
        registry.register(_Source(collector, seen_by(caller), queries, usage.of(caller.project)))
        return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)

    return routes


def _time_queries(app: App, queries: dict[str, LatencyHistogram]) -> None:
    """Times every request by its route; paths nobody serves are left out."""

    @app.before_request
    def begin() -> None:
        g.begun = time.perf_counter()

    @app.after_request
    def end(response: Response) -> Response:
        begun = g.pop("begun", None)
        if begun is not None and request.url_rule is not None:
            queries.setdefault(request.url_rule.rule, LatencyHistogram()).observe(time.perf_counter() - begun)
        return response


Labels = tuple[str, str]
"""(provider, model)."""
Numbers = tuple[float, ...]
"""The counters of :class:`UsageCounters`, in its order."""
OTHER: Labels = ("other", "other")


class UsageMemory:
    """Usage of each project as it was last read, never falling: retention deletes spans, and a counter that falls would
    look like a restart to Prometheus, which would count everything that is left once more. For the same reason a model
    that once had a series of its own keeps it, and one that came too late for one never gets it."""

    def __init__(self, collector: "Collector") -> None:
        self._collector = collector
        self._lock = threading.Lock()
        self._due: dict[str, float] = {}
        self._read: dict[str, dict[Labels, Numbers]] = {}
        self._shown: dict[str, dict[Labels, Numbers]] = {}

    def of(self, project: str) -> list[UsageCounters]:
        """The counters of a project; what was known last, while the store does not answer."""
        with self._lock:
            if self._due.get(project, 0.0) <= time.monotonic():
                try:
                    self._renew(project)
                except OtelLLMError as error:
                    log.warning("usage for /metrics cannot be read: %s", error)
            shown = self._shown.get(project, {})
            return [UsageCounters._make((*labels, *numbers)) for labels, numbers in shown.items()]

    def _renew(self, project: str) -> None:
        begun = time.monotonic()
        with reading(self._collector.engine, self._collector.settings.query_timeout_s) as reader:
            found = usage_counters(reader, project)
        self._due[project] = begun + max(MIN_AGE_S, (time.monotonic() - begun) * AGE_PER_COST)
        before = self._read.get(project, {})
        shown = self._shown.setdefault(project, {})
        now: dict[Labels, Numbers] = {}
        for row in found:
            own = (row.provider, row.model)
            labels = own if own in shown or len(shown.keys() | now.keys()) < MAX_MODELS else OTHER
            now[labels] = _plus(now.get(labels), row[2:])
        for labels, numbers in now.items():
            old = before.get(labels, (0,) * len(numbers))
            grown = tuple(max(0, new - was) for new, was in zip(numbers, old, strict=True))
            shown[labels] = _plus(shown.get(labels), grown)
        self._read[project] = now


def _plus(some: Numbers | None, more: Numbers) -> Numbers:
    return more if some is None else tuple(a + b for a, b in zip(some, more, strict=True))


class _Source(MetricSource):
    """Everything, collected for one scrape."""

    def __init__(
        self,
        collector: "Collector",
        project: str | None,
        queries: dict[str, LatencyHistogram],
        usage: Iterable[UsageCounters],
    ) -> None:
        self._collector = collector
        self._project = project
        self._queries = queries
        self._usage = list(usage)

    def collect(self) -> Iterator[Metric]:
        """All metric families."""
        yield from self._ingest()
        yield from self._store()
        yield _histograms(
            "otel_llm_query_duration_seconds",
            "Time to answer, by endpoint",
            {name: histogram.snapshot() for name, histogram in sorted(self._queries.items())},
        )
        for name, field, text, scale in _USAGE:
            family = CounterMetricFamily(name, text, labels=["provider", "model"])
            for row in self._usage:
                family.add_metric([row.provider, row.model], float(getattr(row, field)) * scale)
            yield family
        info = GaugeMetricFamily("otel_llm_build_info", "Version of the server", labels=["version"])
        info.add_metric([__version__], 1)
        yield info

    def _ingest(self) -> Iterator[Metric]:
        counts: dict[str, Any] = self._collector.accounting.snapshot(self._project)
        received = CounterMetricFamily("otel_llm_ingest_received", "Items received", labels=["signal"])
        outcome = CounterMetricFamily(
            "otel_llm_ingest_items",
            "What became of received items; the outcomes of a signal add up to what was received",
            labels=["signal", "outcome", "reason"],
        )
        for signal in SIGNALS:
            tally = counts[signal]
            received.add_metric([signal], tally["received"])
            outcome.add_metric([signal, "stored", ""], tally["stored"])
            outcome.add_metric([signal, "duplicate", ""], tally["duplicate"])
            for kind in ("ignored", "rejected"):
                for reason, times in sorted(tally[kind].items()):
                    outcome.add_metric([signal, kind, reason], times)
        yield received
        yield outcome
        yield _by_reason("otel_llm_ingest_values_dropped", "Values dropped from items that were kept", counts["values_dropped"])
        yield _by_reason("otel_llm_ingest_requests_refused", "Requests refused as a whole", counts["requests_refused"])
        budget = self._collector.budget
        yield GaugeMetricFamily("otel_llm_ingest_queue_bytes", "Bytes of requests in work", value=budget.used)
        yield GaugeMetricFamily(
            "otel_llm_ingest_queue_limit_bytes", "Bytes of requests in work beyond which senders wait", value=budget.limit
        )

    def _store(self) -> Iterator[Metric]:
        collector = self._collector
        statistics = collector.writer.statistics
        yield CounterMetricFamily("otel_llm_commits", "Commits of the writer", value=statistics.commits)
        yield CounterMetricFamily("otel_llm_commits_failed", "Commits that failed", value=statistics.failed_commits)
        yield CounterMetricFamily("otel_llm_committed_spans", "Spans in commits, duplicates too", value=statistics.spans)
        yield GaugeMetricFamily("otel_llm_waiting_spans", "Spans that wait for a commit", value=statistics.waiting_spans)
        yield CounterMetricFamily(
            "otel_llm_ingest_gave_way_seconds",
            "Time in which threads of ingest waited for a question",
            value=collector.precedence.given_s,
        )
        yield _histogram("otel_llm_commit_duration_seconds", "Time of a commit", collector.commit_latency.snapshot())
        journal = collector.engine.journal
        if journal is not None:
            yield CounterMetricFamily(
                "otel_llm_journal_commits", "Commits that went to the journal first", value=journal.appends
            )
            yield CounterMetricFamily(
                "otel_llm_journal_settlements", "Transactions that brought them into the database", value=journal.settlements
            )
            yield GaugeMetricFamily(
                "otel_llm_journal_spans", "Spans that are in the journal and not in the database", value=journal.pending_spans
            )
        yield GaugeMetricFamily("otel_llm_store_bytes", "Size of the store on disk", value=collector.engine.size_bytes())


def _by_reason(name: str, text: str, counts: dict[str, int]) -> Metric:
    family = CounterMetricFamily(name, text, labels=["reason"])
    for reason, times in sorted(counts.items()):
        family.add_metric([reason], times)
    return family


def _buckets(found: Snapshot) -> list[tuple[str, float]]:
    return [(bound, float(times)) for bound, times in zip([*map(str, found.bounds), "+Inf"], found.counts, strict=True)]


def _histogram(name: str, text: str, found: Snapshot) -> Metric:
    return HistogramMetricFamily(name, text, buckets=_buckets(found), sum_value=found.sum_s)


def _histograms(name: str, text: str, found: dict[str, Snapshot]) -> Metric:
    family = HistogramMetricFamily(name, text, labels=["endpoint"])
    for endpoint, snapshot in found.items():
        family.add_metric([endpoint], buckets=_buckets(snapshot), sum_value=snapshot.sum_s)
    return family
