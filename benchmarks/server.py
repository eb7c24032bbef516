"""A collector process to measure: started with the stock command, watched through the operating system."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))
_CLOCK = os.sysconf("SC_CLK_TCK")


def free_ports() -> tuple[int, int, int]:
    """Three ports nobody listens on."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(3)]
    ports = tuple(each.getsockname()[1] for each in sockets)
    for each in sockets:
        each.close()
    return ports  # type: ignore[return-value]


@dataclass
class Server:
    """A running ``otel-llm serve``."""

    process: subprocess.Popen[bytes]
    grpc_port: int
    http_port: int
    api_port: int
    ready_s: float

    @classmethod
    def start(
        cls,
        database_url: str,
        log: Path | None = None,
        ports: tuple[int, int, int] | None = None,
        limit_file_bytes: int | None = None,
        **settings: str,
    ) -> "Server":
        """Starts a collector and waits until it is healthy; settings are OTEL_LLM_* names without the prefix.

        ``ports`` are gRPC, OTLP/HTTP and API; ``limit_file_bytes`` makes writes beyond that file size fail, as on a full disk.
        """
        grpc_port, http_port, api_port = ports or free_ports()
        environment = os.environ | {f"OTEL_LLM_{name.upper()}": value for name, value in settings.items()}
        command = [
            str(Path(sys.executable).with_name("otel-llm")),
            "serve",
            *("--database-url", database_url),
            *("--grpc-port", str(grpc_port), "--otlp-http-port", str(http_port), "--api-port", str(api_port)),
        ]
        started = time.perf_counter()
        output = log.open("ab") if log else subprocess.DEVNULL
        if limit_file_bytes is not None:
            command = ["prlimit", f"--fsize={limit_file_bytes}", *command]
        process = subprocess.Popen(command, env=environment, stdout=output, stderr=output)
        server = cls(process, grpc_port, http_port, api_port, 0.0)
        while True:
            try:
                server.get("/healthz")
                break
            except OSError:
                if process.poll() is not None:
                    raise RuntimeError(f"the collector ended with {process.returncode}") from None
                if time.perf_counter() - started > 60:
                    raise
                time.sleep(0.01)
        server.ready_s = time.perf_counter() - started
        return server

    def committed_spans(self) -> float:
        """Spans of all commits until now."""
        lines = self._get("/metrics").decode().splitlines()
        return next(float(line.split()[1]) for line in lines if line.startswith("otel_llm_committed_spans_total "))

    def get(self, path: str) -> Any:
        """JSON of a GET on the API port."""
        return json.loads(self._get(path))

    def _get(self, path: str) -> bytes:
        with _OPENER.open(f"http://127.0.0.1:{self.api_port}{path}", timeout=60) as answer:
            body: bytes = answer.read()
        return body

    def post(self, path: str, body: Any) -> Any:
        """JSON of a POST on the API port."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.api_port}{path}", json.dumps(body).encode(), {"content-type": "application/json"}
        )
        with _OPENER.open(request, timeout=60) as answer:
            return json.loads(answer.read())

    def cpu_s(self) -> float:
        """Processor seconds used so far, user and system."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _CLOCK

    def memory_mb(self, peak: bool = False) -> float:
        """Resident memory in MB, now or at its peak."""
        name = "VmHWM:" if peak else "VmRSS:"
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith(name):
                return int(line.split()[1]) / 1024
        return 0.0

    def stop(self) -> int:
        """SIGTERM; returns the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)

    def kill(self) -> None:
        """kill -9."""
        self.process.kill()
        self.process.wait()


def machine() -> str:
    """Processor, cores and date, for result tables."""
    model = next(
        (
            line.split(":")[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        "?",
    )
    return f"{os.cpu_count()} x {model}, Python {sys.version.split()[0]}, {time.strftime('%Y-%m-%d')}"
