"""A real server process, and the command line beside it."""

import base64
import json
import os
import secrets
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import chdir
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from click.testing import CliRunner

from otel_llm.cli.main import main
from tests.logs import logging_undone

START_TIMEOUT_S = 60.0
"""Far more than a start takes; test machines are shared."""


def environment(extra: Mapping[str, str]) -> dict[str, str]:
    """The environment of a child: none of the tester's own settings."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    return inherited | extra


class Outcome(NamedTuple):
    """What a command left behind."""

    returncode: int
    stdout: str
    stderr: str


def otel_llm(*words: str, folder: Path, **env: str) -> Outcome:
    """Runs a command to its end, in this process: which is another one than the server's, and saves the start."""
    cleared = dict.fromkeys(name for name in os.environ if name.startswith("OTEL_"))
    with chdir(folder), logging_undone():
        result = CliRunner().invoke(main, words, env={**cleared, **env}, prog_name="otel-llm")
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Outcome(result.exit_code, result.stdout, result.stderr)


def otel_llm_process(*words: str, folder: Path, **env: str) -> Outcome:
    """Runs a command to its end, in a process of its own."""
    command = [sys.executable, "-m", "otel_llm", *words]
    result = subprocess.run(
        command, cwd=folder, env=environment(env), capture_output=True, text=True, timeout=START_TIMEOUT_S, check=False
    )
    return Outcome(result.returncode, result.stdout, result.stderr)


class ServerProcess:
    """``otel-llm serve`` on free ports, with its store in a folder."""

    def __init__(self, folder: Path, *flags: str, **env: str) -> None:
        self.folder = folder
        self.database_url = f"duckdb:///{folder / 'spans.duckdb'}"
        ports = ["--grpc-port", "0", "--otlp-http-port", "0", "--api-port", "0"]
        command = [sys.executable, "-m", "otel_llm", "serve", "--database-url", self.database_url, *ports, *flags]
        self.process = subprocess.Popen(
            command, cwd=folder, env=environment(env), stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        self.log: list[str] = []
        self._ready = threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        if not self._ready.wait(START_TIMEOUT_S) or self.process.poll() is not None:
            self.kill()
            raise AssertionError("the server did not start:\n" + "\n".join(self.log))

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.log.append(line.rstrip("\n"))
            if "is ready" in line:
                self._ready.set()
        self._ready.set()

    def address(self, server: str) -> str:
        """What the start-up line of a server says, e.g. of ``OTLP/HTTP``."""
        return next(line.rpartition(" on ")[2] for line in self.log if f"{server} on " in line).removesuffix(" (TLS)")

    @property
    def api_url(self) -> str:
        return self.address("query API")

    @property
    def otlp_url(self) -> str:
        return self.address("OTLP/HTTP")

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Sends a signal and gives the exit code."""
        self.process.send_signal(number)
        code = self.process.wait(START_TIMEOUT_S)
        self._reader.join(5)
        return code

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self._reader.join(5)

    def cli(self, *words: str, **env: str) -> Outcome:
        """A command on this server's database."""
        return otel_llm(*words, folder=self.folder, **{"OTEL_LLM_DATABASE_URL": self.database_url, **env})


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    """An open loopback server."""
    process = ServerProcess(tmp_path)
    yield process
    process.kill()


def ask(url: str, *, method: str = "GET", body: Any = None, headers: Mapping[str, str] | None = None) -> tuple[int, Any]:
    """Status and JSON answer of a request; a refused one gives its body too."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"content-type": "application/json", **(headers or {})}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            return response.status, _json(response.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, _json(error.read())


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return body.decode(errors="replace")


def spans(count: int, *, model: str = "gpt-4o", user: str = "ada") -> dict[str, Any]:
    """An OTLP/JSON request with LLM calls of 100 input and 10 output tokens, half a second each, now."""
    now = time.time_ns()

    def attribute(key: str, value: str | int) -> dict[str, Any]:
        return {"key": key, "value": {"intValue": str(value)} if isinstance(value, int) else {"stringValue": value}}

    calls = [
        {
            "traceId": secrets.token_hex(16),
            "spanId": secrets.token_hex(8),
            "name": f"chat {model}",
            "kind": 3,
            "startTimeUnixNano": str(now - 500_000_000 - number),
            "endTimeUnixNano": str(now - number),
            "attributes": [
                attribute("gen_ai.operation.name", "chat"),
                attribute("gen_ai.provider.name", "openai"),
                attribute("gen_ai.request.model", model),
                attribute("gen_ai.usage.input_tokens", 100),
                attribute("gen_ai.usage.output_tokens", 10),
                attribute("user.id", user),
            ],
        }
        for number in range(count)
    ]
    resource = {"attributes": [attribute("service.name", "shop")]}
    return {"resourceSpans": [{"resource": resource, "scopeSpans": [{"scope": {"name": "test"}, "spans": calls}]}]}


def credentials(key: Mapping[str, str]) -> list[dict[str, str]]:
    """Every style of showing a key."""
    pair = base64.b64encode(f"{key['public_key']}:{key['secret_key']}".encode()).decode()
    return [
        {"authorization": f"Bearer {key['secret_key']}"},
        {"authorization": f"Basic {pair}"},
        {"x-api-key": key["secret_key"]},
    ]
