"""Streamed calls get their time to first token, under every instrumentation."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from model_server import ModelServer

from otel_llm.sdk.first_token import FIRST_CHUNK
from tests.sdk.conftest import FIRST_TOKEN_S, TOKEN_S
from tests.sdk.stream_spans import INSTRUMENTATIONS
from tests.sdk.streams import STREAMS

ROOT = Path(__file__).parents[2]
OUTPUT = 12


@pytest.fixture(scope="module")
def spans_of(sdk_model: ModelServer) -> dict[str, dict[str, list[dict[str, Any]]]]:
    """vendor → stream → spans. All vendors at once, each in its own process; one is switched on before our watch."""
    orders = {"genai": "first", "openllmetry": "first", "openinference": "last"}
    processes = {
        vendor: subprocess.Popen(
            [sys.executable, "-m", "tests.sdk.stream_spans", vendor, sdk_model.url, order],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        for vendor, order in orders.items()
    }
    found = {}
    for vendor, process in processes.items():
        output, log = process.communicate(timeout=90)
        assert process.returncode == 0, log
        found[vendor] = json.loads(output)
    return found


@pytest.mark.parametrize("vendor", INSTRUMENTATIONS)
@pytest.mark.parametrize("stream", STREAMS)
def test_a_streamed_call_has_its_time_to_first_token(vendor: str, stream: str, spans_of: dict[str, Any]) -> None:
    (span,) = spans_of[vendor][stream]
    half_of_the_rest_s = (OUTPUT - 1) * TOKEN_S / 2  # the client may be late for the first chunk, the server goes on
    assert FIRST_TOKEN_S <= span["attributes"][FIRST_CHUNK] <= span["ns"] / 1e9 - half_of_the_rest_s
