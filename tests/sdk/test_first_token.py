"""Streamed calls get their time to first token, under every instrumentation."""

import functools
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


@functools.cache
def spans_of(vendor: str, url: str, order: str) -> dict[str, list[dict[str, Any]]]:
    command = [sys.executable, "-m", "tests.sdk.stream_spans", vendor, url, order]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("vendor", INSTRUMENTATIONS)
@pytest.mark.parametrize("stream", STREAMS)
def test_a_streamed_call_has_its_time_to_first_token(vendor: str, stream: str, sdk_model: ModelServer) -> None:
    order = "last" if vendor == "openinference" else "first"  # below every instrumentation, whoever comes first
    (span,) = spans_of(vendor, sdk_model.url, order)[stream]
    half_of_the_rest_s = (OUTPUT - 1) * TOKEN_S / 2  # the client may be late for the first chunk, the server goes on
    assert FIRST_TOKEN_S <= span["attributes"][FIRST_CHUNK] <= span["ns"] / 1e9 - half_of_the_rest_s
