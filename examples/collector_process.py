"""A collector of one's own for a demo or a test: ``otel-llm serve`` as a process, on free ports, with a temporary store."""

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

START_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 30.0
POLL_S = 0.05


def free_ports(count: int) -> list[int]:
    """Ports nobody listens on, all different."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [sock.getsockname()[1] for sock in sockets]
    for sock in sockets:
        sock.close()
    return ports


class CollectorProcess:
    """A running collector; a context manager. ``grpc_url`` and ``http_url`` take OTLP, ``api_url`` answers questions."""

    def __init__(self, folder: Path | None = None, **settings: str) -> None:
        """Settings are those of ``otel-llm serve``, for example ``log_level="warning"``."""
        self._temporary = tempfile.TemporaryDirectory(prefix="otel-llm-") if folder is None else None
        self.folder = folder or Path(self._temporary.name if self._temporary else ".")
        self._settings = settings
        self.grpc_port, self.http_port, self.api_port = free_ports(3)
        self.grpc_url, self.http_url, self.api_url = (
            f"http://127.0.0.1:{port}" for port in (self.grpc_port, self.http_port, self.api_port)
        )
        self.log_file = self.folder / "collector.log"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "CollectorProcess":
        settings = {
            "database_url": f"duckdb:///{self.folder / 'spans.duckdb'}",
            "grpc_port": str(self.grpc_port),
            "otlp_http_port": str(self.http_port),
            "api_port": str(self.api_port),
            **self._settings,
        }
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("OTEL_")}
        environment = inherited | {f"OTEL_LLM_{name.upper()}": value for name, value in settings.items()}
        command = [sys.executable, "-m", "otel_llm", "serve"]
        with self.log_file.open("wb") as log:
            self._process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, cwd=self.folder)
        deadline = time.monotonic() + START_TIMEOUT_S
        while True:
            try:
                self.get("/healthz")
                return self
            except (urllib.error.URLError, ConnectionError):
                if self._process.poll() is not None or time.monotonic() > deadline:
                    self.stop()
                    raise RuntimeError(f"the collector did not start:\n{self.log_file.read_text()}") from None
                time.sleep(POLL_S)

    def __exit__(self, *exc_info: object) -> None:
        self.stop()
        if self._temporary:
            self._temporary.cleanup()

    def stop(self) -> int | None:
        """Asks the collector to stop, waits, and gives its exit code."""
        if self._process is None:
            return None
        self._process.terminate()
        try:
            return self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()

    def get(self, path: str) -> Any:
        """The JSON answer of a GET on the query API."""
        return self._ask(urllib.request.Request(self.api_url + path))

    def post(self, path: str, body: dict[str, Any]) -> Any:
        """The JSON answer of a POST on the query API."""
        headers = {"content-type": "application/json"}
        return self._ask(urllib.request.Request(self.api_url + path, json.dumps(body).encode(), headers))

    @staticmethod
    def _ask(request: urllib.request.Request) -> Any:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)
