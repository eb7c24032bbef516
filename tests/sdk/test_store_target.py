"""Straight into a DuckDB file: the same rows as through a collector, and a clear word when the file is taken."""

from pathlib import Path
from typing import Any

import duckdb
import pytest
from collector_process import CollectorProcess
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

from otel_llm.sdk.destination import destination
from otel_llm.sdk.exporters import OtelLLMSpanExporter
from tests.sdk.app_process import run_app

CALLS = """
import otel_llm
otel_llm.configure(service_name="batch-job", instrument=False)
for number in range(3):
    with otel_llm.context(user="u1"), otel_llm.llm_call(model="gpt-4o-mini", provider="openai") as call:
        call.mark_first_token()
        call.usage(input_tokens=1000, output_tokens=100, cache_read_tokens=200)
        call.response(model="gpt-4o-mini-2024-07-18", id=f"r{number}", finish_reasons=["stop"])
print("ready", flush=True)
"""
COLUMNS = (
    "name, role, provider, response_model, input_tokens, output_tokens, cache_read_tokens, cost_computed, user_id, "
    "service_name, counted, ttft_ns > 0"
)


def rows(database: Path) -> list[Any]:
    with duckdb.connect(str(database), read_only=True) as connection:
        return connection.execute(f"select {COLUMNS} from spans order by response_id").fetchall()


def test_an_app_without_a_server_stores_priced_calls(tmp_path: Path) -> None:
    app = run_app(CALLS, OTEL_LLM_DATABASE_URL=f"duckdb:///{tmp_path}/llm.duckdb")
    assert (app.code, app.log) == (0, "")
    cost = pytest.approx((800 * 0.15 + 200 * 0.075 + 100 * 0.6) / 1e6)
    call = (
        "chat gpt-4o-mini",
        "generation",
        "openai",
        "gpt-4o-mini-2024-07-18",
        1000,
        100,
        200,
        cost,
        "u1",
        "batch-job",
        True,
        True,
    )
    assert rows(tmp_path / "llm.duckdb") == [call] * 3


def test_a_collector_stores_the_same(tmp_path: Path) -> None:
    (tmp_path / "collector").mkdir()
    with CollectorProcess(tmp_path / "collector") as collector:
        assert run_app(CALLS, OTEL_LLM_ENDPOINT=collector.http_url).code == 0
    run_app(CALLS, OTEL_LLM_DATABASE_URL=f"duckdb:///{tmp_path}/direct.duckdb")
    assert rows(tmp_path / "collector" / "spans.duckdb") == rows(tmp_path / "direct.duckdb")


def test_a_second_run_adds_to_the_same_file(tmp_path: Path) -> None:
    for _ in range(2):
        assert run_app(CALLS, OTEL_LLM_DATABASE_URL=f"duckdb:///{tmp_path}/llm.duckdb").code == 0
    assert len(rows(tmp_path / "llm.duckdb")) == 6


def test_a_relative_file_is_meant_where_the_app_started(tmp_path: Path) -> None:
    source = CALLS.replace("import otel_llm\n", f"import os, otel_llm\nos.chdir({str(tmp_path)!r})\n")
    source = source.replace("for number", f"os.chdir({str(tmp_path.parent)!r})\nfor number", 1)
    assert run_app(source, OTEL_LLM_DATABASE_URL="duckdb:///llm.duckdb").code == 0
    assert len(rows(tmp_path / "llm.duckdb")) == 3


def test_a_file_that_another_process_owns_is_named_once_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "collector").mkdir()
    with CollectorProcess(tmp_path / "collector"):
        app = run_app(CALLS, OTEL_LLM_DATABASE_URL=f"duckdb:///{tmp_path}/collector/spans.duckdb")
    assert app.code == 0
    assert len(app.log.splitlines()) == 1, app.log
    assert "3 spans could not be delivered" in app.log
    assert "OTEL_LLM_ENDPOINT" in app.log
    assert "Traceback" not in app.log


def test_a_forked_child_leaves_the_parent_s_file_alone(tmp_path: Path) -> None:
    app = run_app(
        """
        import os, otel_llm
        provider = otel_llm.configure(service_name="app", instrument=False)
        tracer = provider.get_tracer("t")
        tracer.start_span("parent before").end()
        provider.force_flush()
        child = os.fork()
        tracer.start_span("child" if child == 0 else "parent after").end()
        if child:
            print("child", os.waitpid(child, 0)[1])
        """,
        OTEL_LLM_DATABASE_URL=f"duckdb:///{tmp_path}/llm.duckdb",
    )
    assert app.code == 0, app.log
    assert "child 0" in app.output
    assert app.log.count("could not be delivered") == 1  # the child's: the parent owns the file
    with duckdb.connect(f"{tmp_path}/llm.duckdb", read_only=True) as connection:
        names = [name for (name,) in connection.execute("select name from spans order by name").fetchall()]
    assert names == ["parent after", "parent before"]


def test_logs_and_metrics_go_into_the_same_store(tmp_path: Path) -> None:
    app = run_app(
        """
        from opentelemetry.sdk.metrics import MeterProvider
        from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from otel_llm.sdk.exporters import OtelLLMMetricExporter, OtelLLMSpanExporter
        traces = TracerProvider()
        traces.add_span_processor(BatchSpanProcessor(OtelLLMSpanExporter()))
        metrics = MeterProvider([PeriodicExportingMetricReader(OtelLLMMetricExporter())])
        tokens = metrics.get_meter("t").create_histogram("gen_ai.client.token.usage", "{token}")
        tokens.record(5, {"gen_ai.token.type": "input"})
        traces.get_tracer("t").start_span("s").end()
        print("ready")
        """,
        OTEL_LLM_DATABASE_URL=f"duckdb:///{tmp_path}/llm.duckdb",
    )
    assert (app.code, app.log) == (0, "")
    with duckdb.connect(f"{tmp_path}/llm.duckdb", read_only=True) as connection:
        assert connection.execute("select count(*) from spans").fetchone() == (1,)
        assert connection.execute("select name from metric_points").fetchall() == [("gen_ai.client.token.usage",)]


def test_a_store_in_memory_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    exporter = OtelLLMSpanExporter(destination(database_url="duckdb://"))
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    for _ in range(2):
        provider.get_tracer("t").start_span("s").end()
    provider.shutdown()
    (record,) = caplog.records
    assert "duckdb:// is in memory" in record.message


@pytest.mark.parametrize(
    ("url", "variables", "said"),
    [
        ("nonsense", {}, "is not a URL"),
        ("sqlite:///x.db", {}, "no engine for sqlite:// URLs"),
        ("duckdb:////nowhere/at/all.duckdb", {}, "cannot open /nowhere/at/all.duckdb"),
        ("duckdb://", {"OTEL_LLM_COMMIT_MAX_SPANS": "many"}, "the environment variable OTEL_LLM_COMMIT_MAX_SPANS is 'many'"),
    ],
)
def test_a_store_that_cannot_be_is_said_once(
    url: str, variables: dict[str, str], said: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(OtelLLMSpanExporter(destination(database_url=url))))
    for _ in range(3):
        provider.get_tracer("t").start_span("s").end()
    provider.shutdown()
    (record,) = caplog.records
    assert said in record.message
