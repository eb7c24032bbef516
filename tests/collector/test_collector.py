"""A whole collector without servers: its accounting adds up, and its end is clean whatever the store says."""

import logging
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from otel_llm.access.caller import OPEN_CALLER
from otel_llm.collector import Collector
from otel_llm.config import Settings

T0 = 1_767_225_600_000_000_000


@pytest.fixture
def collector(tmp_path: Path) -> Iterator[Collector]:
    """A started collector on a DuckDB file."""
    running = Collector(Settings(database_url=f"duckdb:///{tmp_path / 'store.duckdb'}"))
    running.start()
    yield running
    running.stop()


def points(*times: int) -> ExportMetricsServiceRequest:
    """One GenAI data point for each time."""
    message = ExportMetricsServiceRequest()
    metric = message.resource_metrics.add().scope_metrics.add().metrics.add(name="gen_ai.client.token.usage")
    for time_ns in times:
        metric.sum.data_points.add(time_unix_nano=time_ns, as_int=1)
    return message


def findings(*times: int) -> ExportLogsServiceRequest:
    """One policy finding as a log record for each time."""
    message = ExportLogsServiceRequest()
    records = message.resource_logs.add().scope_logs.add().log_records
    for time_ns in times:
        records.add(time_unix_nano=time_ns, event_name="flashback.policy.violation")
    return message


def outcome(collector: Collector, signal: str) -> tuple[int, int, int]:
    """Received, stored and duplicate items."""
    tally = collector.accounting.snapshot()[signal]
    return tally["received"], tally["stored"], tally["duplicate"]


def test_a_resent_data_point_is_a_duplicate(collector: Collector) -> None:
    collector.pipeline.metrics(points(T0, T0 + 1), OPEN_CALLER)
    collector.pipeline.metrics(points(T0 + 1, T0 + 2, T0 + 2), OPEN_CALLER)
    assert outcome(collector, "data_points") == (5, 3, 2)


def test_a_resent_finding_is_a_duplicate_log_record(collector: Collector) -> None:
    collector.pipeline.logs(findings(T0), OPEN_CALLER)
    collector.pipeline.logs(findings(T0, T0 + 1), OPEN_CALLER)
    assert outcome(collector, "log_records") == (3, 2, 1)


def test_an_end_without_a_checkpoint_closes_the_store_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "store.duckdb"
    collector = Collector(Settings(database_url=f"duckdb:///{path}"))
    collector.start()

    def full() -> None:
        raise duckdb.IOException("no space left on device")

    monkeypatch.setattr(collector.engine, "checkpoint", full)
    caplog.set_level(logging.WARNING, logger="otel_llm")  # a command that ran in this process may have silenced it
    collector.stop()
    assert "no space left" in caplog.text
    duckdb.connect(str(path)).close()  # nobody else has it open
