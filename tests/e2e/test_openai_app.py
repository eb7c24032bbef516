"""The main job: a real app, a real instrumentation, a real exporter, a collector process, and the answers over REST.

The example app runs with each of two instrumentations over each protocol; the truth is the model server's own record.
"""

import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from collector_process import CollectorProcess
from genai_prices import Usage, calc_price
from model_server import Call, ModelServer

EXAMPLES = Path(__file__).parents[2] / "examples"
FIRST_TOKEN_S = 0.15
TOKEN_S = 0.008
STREAMED_MODEL = "gpt-4o-2024-08-06"
RUNS = [
    pytest.param((instrumentation, protocol), id=f"{instrumentation}-{protocol.split('/')[0]}")
    for instrumentation in ("genai-openai", "openllmetry")
    for protocol in ("grpc", "http/protobuf")
]


@dataclass
class Run:
    """One run of the app: its window in time, what the model really did, and whom to ask."""

    name: str
    window: dict[str, int]
    calls: list[Call]
    collector: CollectorProcess

    @property
    def answered(self) -> list[Call]:
        return [call for call in self.calls if not call.error]

    def summary(self, *group_by: str) -> list[dict[str, Any]]:
        body = {**self.window, "groupBy": list(group_by)}
        rows: list[dict[str, Any]] = self.collector.post("/analytics/summary", body)["summary"]
        return rows


def price(call: Call) -> float:
    usage = Usage(input_tokens=call.input, output_tokens=call.output, cache_read_tokens=call.cache_read)
    return float(calc_price(usage, model_ref=call.served, provider_id="openai").total_price)


@pytest.fixture(scope="module")
def model() -> Iterator[ModelServer]:
    with ModelServer(first_token_delay=FIRST_TOKEN_S, token_delay=TOKEN_S) as server:
        yield server


@pytest.fixture(scope="module")
def collector() -> Iterator[CollectorProcess]:
    with CollectorProcess() as process:
        yield process


@pytest.fixture(scope="module", params=RUNS)
def run(request: pytest.FixtureRequest, model: ModelServer, collector: CollectorProcess) -> Run:
    instrumentation, protocol = request.param
    name = f"e2e-{instrumentation}-{protocol}"
    endpoint = collector.grpc_url if protocol == "grpc" else collector.http_url
    arguments = ["--instrumentation", instrumentation, "--protocol", protocol, "--endpoint", endpoint]
    arguments += ["--model-url", model.url, "--service-name", name]
    before, start_us = len(model.calls), time.time_ns() // 1000
    app = subprocess.run(
        [sys.executable, str(EXAMPLES / "openai_app.py"), *arguments], capture_output=True, text=True, timeout=60, check=False
    )
    assert app.returncode == 0, app.stderr
    assert "Traceback" not in app.stderr
    window = {"start_time_us": start_us, "end_time_us": time.time_ns() // 1000}
    return Run(name, window, model.calls[before:], collector)


def test_every_call_is_counted_once_with_its_tokens(run: Run) -> None:
    (total,) = run.summary()
    assert len(run.calls) == 8
    assert total["total_requests"] == len(run.calls)
    assert total["total_input_tokens"] == sum(call.input for call in run.answered)
    assert total["total_output_tokens"] == sum(call.output for call in run.answered)


def test_usage_total_agrees_with_the_model(run: Run) -> None:
    total = run.collector.post("/usage/total", run.window)["total"]
    assert total["total_input_tokens"] == sum(call.input for call in run.answered)
    assert total["total_output_tokens"] == sum(call.output for call in run.answered)
    assert total["total_cost"] == pytest.approx(sum(price(call) for call in run.answered), rel=1e-9)


def test_each_model_costs_what_the_price_list_says(run: Run) -> None:
    expected: dict[str, float] = {}
    for call in run.answered:
        expected[call.served] = expected.get(call.served, 0.0) + price(call)
    models = run.collector.post("/usage/models", run.window)["models"]
    costs = {row["model_name"]: row["total_cost"] for row in models if row["model_name"] in expected}
    assert costs == pytest.approx(expected, rel=1e-9)
    assert {row["provider"] for row in models} == {"openai"}


def test_the_refused_call_is_the_only_error(run: Run) -> None:
    (total,) = run.summary()
    assert total["error_request_count"] == 1
    assert total["error_rate"] == pytest.approx(1 / len(run.calls))
    failed = [row for row in run.summary("model") if row["error_request_count"]]
    assert [row["tag_tuple"] for row in failed] == [["gpt-4o-rate-limited"]]
    assert failed[0]["total_cost"] == 0


def test_latency_is_the_time_the_calls_took(run: Run) -> None:
    slept_ms = 1000 * sum(FIRST_TOKEN_S + (call.output - 1) * TOKEN_S for call in run.answered if call.output)
    (total,) = run.summary()
    whole_run_ms = (run.window["end_time_us"] - run.window["start_time_us"]) / 1000
    assert slept_ms <= total["total_duration"] <= whole_run_ms
    assert total["duration_p50"] <= total["duration_p95"] <= total["duration_p99"]


def test_the_streamed_call_has_its_time_to_first_token(run: Run) -> None:
    (streamed,) = [row for row in run.summary("model") if row["tag_tuple"] == [STREAMED_MODEL]]
    (call,) = [call for call in run.calls if call.stream]
    assert streamed["total_requests"] == 1
    rest_ms = 1000 * (call.output - 1) * TOKEN_S
    assert 1000 * FIRST_TOKEN_S <= streamed["ttft"] <= streamed["duration"] - rest_ms


def test_agentlens_answers_for_the_app_by_its_service_name(run: Run) -> None:
    answer = run.collector.get(f"/api/analytics/llm?agentId={run.name.replace('/', '%2F')}")
    chats = [call for call in run.calls if call.api != "embeddings"]
    answered = [call for call in chats if not call.error]
    summary = answer["summary"]
    assert summary["totalCalls"] == len(chats)
    assert summary["totalInputTokens"] == sum(call.input for call in answered)
    assert summary["totalOutputTokens"] == sum(call.output for call in answered)
    assert summary["totalCostUsd"] == pytest.approx(sum(price(call) for call in answered), rel=1e-9)
    assert summary["avgLatencyMs"] > 1000 * FIRST_TOKEN_S / 2
    assert {(row["provider"], row["model"]) for row in answer["byModel"]} >= {("openai", STREAMED_MODEL)}


def test_the_collector_logs_no_error(collector: CollectorProcess, run: Run) -> None:
    log = collector.log_file.read_text()
    assert "Traceback" not in log
    assert "error" not in log.lower()
