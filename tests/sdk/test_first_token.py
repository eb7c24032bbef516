"""Streamed calls get their time to first token, under every instrumentation."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from model_server import ModelServer

from otel_llm.sdk.first_token import FIRST_CHUNK
from tests.sdk.conftest import FIRST_TOKEN_S
from tests.sdk.stream_spans import INSTRUMENTATIONS
from tests.sdk.streams import ENDS, STREAMS

ROOT = Path(__file__).parents[2]
OUTPUT = 12
TOKEN_S = 0.04
"""Slow enough for a busy client, which may be a third of a second late for the first chunk."""


ENDED_WITH_THE_HEADERS = {
    "genai": (),
    "openllmetry": ("chat_raw", "chat_raw_async", "chat_streaming", "responses_raw", "messages_raw", "messages_streaming"),
    "openinference": ("messages_raw", "messages_streaming"),
}
"""Streams whose span these instrumentations end before the app parses the answer (or never start): nothing can be added."""


@pytest.fixture(scope="module")
def slow_model() -> Iterator[ModelServer]:
    with ModelServer(first_token_delay=FIRST_TOKEN_S, token_delay=TOKEN_S) as server:
        yield server


@pytest.fixture(scope="module")
def found(slow_model: ModelServer) -> dict[str, dict[str, Any]]:
    """vendor → spans by stream, and what the app saw.

    All vendors at once, each in its own process; one is switched on before our watch.
    """
    orders = {"genai": "first", "openllmetry": "first", "openinference": "last"}
    processes = {
        vendor: subprocess.Popen(
            [sys.executable, "-m", "tests.sdk.stream_spans", vendor, slow_model.url, order],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        for vendor, order in orders.items()
    }
    ended = {}
    for vendor, process in processes.items():
        output, log = process.communicate(timeout=150)
        assert process.returncode == 0, log
        ended[vendor] = json.loads(output)
    return ended


@pytest.mark.parametrize("vendor", INSTRUMENTATIONS)
@pytest.mark.parametrize("stream", STREAMS)
def test_a_streamed_call_has_its_time_to_first_token(vendor: str, stream: str, found: dict[str, Any]) -> None:
    if stream in ENDED_WITH_THE_HEADERS[vendor]:
        assert not any(FIRST_CHUNK in span["attributes"] for span in found[vendor]["spans"][stream])
        return
    (span,) = found[vendor]["spans"][stream]
    # One chunk, and nothing after it to wait for; or a client that makes its classes of events while the server goes on.
    if stream in ("chat_tools", "messages_beta"):
        assert FIRST_TOKEN_S <= span["attributes"][FIRST_CHUNK] <= span["ns"] / 1e9
        return
    some_of_the_rest_s = (OUTPUT - 1) * TOKEN_S / 4  # a busy client may be late for the first chunk, the server goes on
    assert FIRST_TOKEN_S <= span["attributes"][FIRST_CHUNK] <= span["ns"] / 1e9 - some_of_the_rest_s


@pytest.mark.parametrize("vendor", INSTRUMENTATIONS)
@pytest.mark.parametrize("end", ENDS)
def test_a_stream_that_ends_otherwise_looks_the_same_to_the_app(vendor: str, end: str, found: dict[str, Any]) -> None:
    assert found[vendor]["watched"][end] == found[vendor]["plain"][end]
