"""A short run of the coverage-guided fuzzer; long ones are started by hand (see :mod:`tests.fuzz.otlp_bytes`)."""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from otel_llm.otlp.signals import SIGNALS

SECONDS = 1
"""For each signal in each encoding, after the captured exports."""


def test_no_bytes_break_a_promise(tmp_path: Path) -> None:
    if find_spec("atheris") is None:
        lacking = "atheris is not installed (dependency group fuzz)"
        pytest.fail(lacking) if os.environ.get("OTEL_LLM_REQUIRE_FUZZER") else pytest.skip(lacking)
    command = [sys.executable, "-m", "tests.fuzz.otlp_bytes", str(tmp_path), f"-max_total_time={SECONDS}"]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=200, cwd=Path(__file__).parents[2], check=False)
    assert ran.returncode == 0, ran.stderr[-5_000:]
    assert ran.stderr.count("Done ") == 2 * len(SIGNALS), ran.stderr[-5_000:]
    assert not list(tmp_path.glob("broken-*"))
