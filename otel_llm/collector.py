"""The collector: everything behind the servers, built from one settings object."""

import logging
import threading

from otel_llm.access import Door
from otel_llm.accounting import Accounting
from otel_llm.budget import Budget
from otel_llm.config import Settings
from otel_llm.conventions.content import ContentPolicy
from otel_llm.database_url import in_memory
from otel_llm.latency import LatencyHistogram
from otel_llm.pipeline import Pipeline
from otel_llm.precedence import Precedence
from otel_llm.pricing import Pricer
from otel_llm.pricing.repricing import Repricing
from otel_llm.store.open import open_engine
from otel_llm.store.retention import Retention
from otel_llm.store.writer import Writer

log = logging.getLogger(__name__)

_NS = 1_000_000_000


class Collector:
    """Engine, writer, pipeline, door and counters of one process."""

    def __init__(self, settings: Settings) -> None:
        """Opens the store. Raises ConfigError or StoreError."""
        self.settings = settings
        self.ports: dict[str, int] = {}
        """Ports that are really served (``grpc``, ``otlp_http``, ``api``): a configured 0 is a free one."""
        self.accounting = Accounting()
        self.commit_latency = LatencyHistogram()
        self.budget = Budget(settings.ingest_budget_bytes)
        self.pricer = Pricer.from_settings(settings)
        self.engine = open_engine(settings.database_url, settings)
        self.precedence = Precedence(share=0.0) if self.engine.capabilities.shared else Precedence()
        """For a store in this process: a database server computes elsewhere."""
        self.engine.give_way = self.precedence.give_way
        self.door = Door(self.engine, settings)
        self.writer = Writer(
            self.engine,
            self.pricer.price,
            max_spans=settings.commit_max_spans,
            max_bytes=settings.commit_max_bytes,
            margin_ns=settings.related_margin_s * _NS,
            interval_s=settings.commit_interval_ms / 1000,
            on_commit=lambda seconds, spans: self.commit_latency.observe(seconds),
        )
        self.repricing = Repricing(self.engine, self.pricer, settings)
        self.retention = Retention(
            self.engine, settings.retention, settings.retention_interval_s, lifts_ages=settings.only != "api"
        )
        self.pipeline = Pipeline(self.writer, self.pricer, self.accounting, ContentPolicy.from_settings(settings))

    def start(self) -> None:
        """Starts the background threads."""
        if in_memory(self.settings.database_url):
            log.warning(
                "The store %s is in memory: what it holds is gone when this process ends. Name a file to keep it: "
                "duckdb:///otel-llm.duckdb",
                self.settings.database_url,
            )
        # reading the price table takes 0.15 s: not on the first request, and not before the ports are open
        threading.Thread(target=self.pricer.load, name="otel-llm-prices", daemon=True).start()
        self.writer.start()
        self.door.start()
        self.retention.start()

    def stop(self) -> None:
        """Commits what waits, writes back what is lazy, checkpoints and closes the store."""
        self.retention.stop()
        self.repricing.stop()
        self.writer.stop()
        self.door.stop()
        self.pricer.close()
        try:
            self.engine.checkpoint()
        except Exception as error:  # a full disk, a server that is away: what was acknowledged is in the store all the same
            log.warning("the store is closed without a checkpoint: %s", error)
        self.engine.close()
