"""The Python examples run as their pages say, and the collector gives the answers the pages show."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from collector_process import CollectorProcess
from model_server import ModelServer

ROOT = Path(__file__).parents[2]
FIRST_TOKEN_S = 0.05


@pytest.fixture(scope="module")
def example_model() -> Iterator[ModelServer]:
    with ModelServer(first_token_delay=FIRST_TOKEN_S, token_delay=0.004) as server:
        yield server


@pytest.fixture(scope="module")
def example_collector() -> Iterator[CollectorProcess]:
    with CollectorProcess() as collector:
        yield collector


def run(command: list[str], collector: CollectorProcess, **environment: str) -> str:
    inherited = {"PATH": str(Path(sys.executable).parent)}
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=60,
        env={**inherited, "OTEL_LLM_ENDPOINT": collector.http_url, **environment},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout


def summary(collector: CollectorProcess, app: str) -> dict[str, Any]:
    answer: dict[str, Any] = collector.get(f"/api/analytics/llm?agentId={app}")["summary"]
    return answer


def test_anthropic_app(example_model: ModelServer, example_collector: CollectorProcess) -> None:
    """Every call is recorded by the client itself and by the instrumentation: it is counted once."""
    output = run([sys.executable, "examples/anthropic_app.py", "--model-url", example_model.url], example_collector)
    assert "102 tokens came from the cache" in output
    answer = summary(example_collector, "anthropic-app")
    assert (answer["totalCalls"], answer["totalInputTokens"], answer["totalOutputTokens"]) == (3, 208, 30)
    # haiku 4.5, dollars a million: input 1, cache read 0.1, cache write 1.25, output 5
    dollars = (4 + 51) * 1 + 102 * 0.1 + 51 * 1.25 + 30 * 5
    assert answer["totalCostUsd"] == pytest.approx(dollars / 1e6)
    by_user = example_collector.post("/analytics/summary", {"user_id": "ann"})["summary"][0]
    assert (by_user["total_requests"], by_user["error_request_count"]) == (3, 1)
    daily = example_collector.get("/api/public/metrics/daily?userId=ann&tags=example")["data"]
    assert [day["countTraces"] for day in daily] == [3]


def test_langchain_app(example_model: ModelServer, example_collector: CollectorProcess) -> None:
    pytest.importorskip("langchain_openai", reason="the examples group is not installed: pip install --group examples")
    run([sys.executable, "examples/langchain_app.py", "--model-url", example_model.url], example_collector)
    answer = summary(example_collector, "langchain-app")
    assert (answer["totalCalls"], answer["totalInputTokens"], answer["totalOutputTokens"]) == (4, 18, 50)
    by_user = example_collector.post("/analytics/summary", {"user_id": "ben"})["summary"][0]
    assert by_user["total_requests"] == 4


def test_app_without_a_line_of_telemetry(example_model: ModelServer, example_collector: CollectorProcess) -> None:
    launcher = str(Path(sys.executable).with_name("opentelemetry-instrument"))
    run(
        [launcher, sys.executable, "examples/auto_app.py", "--model-url", example_model.url],
        example_collector,
        OTEL_TRACES_EXPORTER="otel_llm",
        OTEL_METRICS_EXPORTER="none",
        OTEL_LOGS_EXPORTER="none",
        OTEL_SERVICE_NAME="auto-app",
    )
    by_model = example_collector.get("/api/analytics/llm?agentId=auto-app")["byModel"]
    (streamed,) = [row for row in by_model if row["model"] == "gpt-4o-mini-2024-07-18"]
    assert streamed["calls"] == 1  # however many instrumentations of the client are installed here
    assert (streamed["inputTokens"], streamed["outputTokens"]) == (5, 12)


def test_demo_shows_every_answer(example_collector: CollectorProcess) -> None:
    output = run([sys.executable, "examples/demo.py", "--once"], example_collector)
    for text in (
        "POST /analytics/summary",
        "GET /api/analytics/llm",
        "GET /api/public/metrics/daily",
        "236 tokens in, 82 out",
    ):
        assert text in output


def test_vercel_ai_app(example_model: ModelServer, example_collector: CollectorProcess) -> None:
    folder = ROOT / "examples" / "vercel-ai"
    if not (folder / "node_modules").is_dir():
        pytest.skip("examples/vercel-ai needs Node.js: run npm install there")
    import shutil

    node = shutil.which("node")
    assert node is not None
    run(
        [node, str(folder / "app.mjs")],
        example_collector,
        MODEL_URL=f"{example_model.url}/v1",
        OTEL_EXPORTER_OTLP_ENDPOINT=example_collector.http_url,
    )
    answer = summary(example_collector, "vercel-ai-app")
    assert (answer["totalCalls"], answer["totalInputTokens"], answer["totalOutputTokens"]) == (2, 8, 50)
