"""Small apps in processes of their own: what happens at their end, after a fork, and with nobody at the other side."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]


@dataclass
class Ended:
    """How an app ended."""

    code: int
    output: str
    log: str
    seconds: float


def run_app(source: str, *, timeout: float = 40, arguments: tuple[str, ...] = (), **environment: str) -> Ended:
    """Runs Python source; ``ready`` in its output starts the clock, so that imports do not count."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith("OTEL_")}
    command = [sys.executable, *arguments, "-c", textwrap.dedent(source)] if not arguments else [*arguments]
    app = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**clean, **environment},
        start_new_session=True,
    )
    assert app.stdout is not None
    lines, started = [], time.monotonic()
    stuck = threading.Timer(timeout, os.killpg, (app.pid, signal.SIGKILL))  # its forked children too
    stuck.start()
    try:
        while True:
            line = app.stdout.readline()
            lines.append(line)
            if not line or line.strip() == "ready":
                started = time.monotonic()
                break
        rest, log = app.communicate()
    finally:
        stuck.cancel()
    return Ended(app.returncode, "".join(lines) + rest, log, time.monotonic() - started)
