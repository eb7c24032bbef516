"""Published clients, each in an environment of its own, against a running server.

The clients' dependencies exclude each other, so they are installed under ``.venv-interop/`` (kept between runs) and run
there as small scripts that print what they saw as JSON. Where a client cannot be installed its tests are skipped and say
why; with OTEL_LLM_REQUIRE_INTEROP=1 they fail instead.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import ServerProcess, ask

ROOT = Path(__file__).parents[2] / ".venv-interop"
CLIENTS = Path(__file__).parent / "clients"
INSTALL_TIMEOUT_S = 300
RUN_TIMEOUT_S = 60
REQUIREMENTS: dict[str, tuple[str, ...]] = {
    "langfuse2": ("langfuse==2.60.10",),
    "langfuse5": ("langfuse==5.0.4",),
    "pylangdb": ("pylangdb==0.2.4", "pandas"),
    "agentlens": ("agentlensai==0.12.0",),
}
"""Environment to what it holds: the last releases that have the endpoint."""
JS_LANGFUSE = "langfuse@3.37.4"
PIP = (sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check")
"""Our own pip fills every environment: one in each takes longer to install than most clients."""


def missing(reason: str) -> Any:
    """Skips the test, or fails it where every client is required."""
    if os.environ.get("OTEL_LLM_REQUIRE_INTEROP") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


def install(folder: Path, wanted: str, *commands: list[str]) -> None:
    """Runs the commands in a fresh folder, once for each ``wanted``."""
    stamp = folder / "complete"
    if stamp.exists() and stamp.read_text() == wanted:
        return
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for command in commands:
        try:
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=INSTALL_TIMEOUT_S, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            missing(f"{wanted} cannot be installed: {error}")
        if done.returncode:
            missing(f"{wanted} cannot be installed: {(done.stderr or done.stdout).strip()[-400:]}")
    stamp.write_text(wanted)


@dataclass
class Shop:
    """A server with a key, and a few calls of the last hour."""

    server: ServerProcess
    public_key: str
    secret_key: str
    now_ns: int

    def environment(self) -> dict[str, str]:
        """What a client script is told."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "LANGFUSE_"))}
        return kept | {
            "API_URL": self.server.api_url,
            "GRPC_ADDRESS": self.server.address("OTLP/gRPC"),
            "PUBLIC_KEY": self.public_key,
            "SECRET_KEY": self.secret_key,
            "PROJECT": "shop",
            "NOW_US": str(self.now_ns // 1_000),
        }

    def run(self, command: list[str]) -> Any:
        """What a script printed."""
        done = subprocess.run(
            command, env=self.environment(), capture_output=True, text=True, timeout=RUN_TIMEOUT_S, check=False
        )
        assert done.returncode == 0, done.stderr[-2_000:]
        return json.loads(done.stdout.strip().splitlines()[-1])


def attributes(values: dict[str, Any]) -> list[dict[str, Any]]:
    """OTLP/JSON attributes."""
    kinds: dict[type, Callable[[Any], dict[str, Any]]] = {
        str: lambda value: {"stringValue": value},
        int: lambda value: {"intValue": str(value)},
        float: lambda value: {"doubleValue": value},
        list: lambda value: {"arrayValue": {"values": [{"stringValue": text} for text in value]}},
    }
    return [{"key": key, "value": kinds[type(value)](value)} for key, value in values.items()]


def shop_spans(now_ns: int) -> dict[str, Any]:
    """One trace: a root that knows the user, and three calls half an hour ago; one fails."""
    start = now_ns - 1_800 * 10**9
    call = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-4o",
        "gen_ai.usage.input_tokens": 100,
        "gen_ai.usage.output_tokens": 20,
        "server.address": "api.openai.com",
    }
    runs = [{"tags": '{"run": "r1"}'}, {"tags": '{"run": "r2"}', "error.type": "timeout"}, {}]
    spans = [
        {
            "traceId": "5" * 32,
            "spanId": f"{1:016x}",
            "name": "handle request",
            "startTimeUnixNano": str(start),
            "endTimeUnixNano": str(start + 10 * 10**9),
            "attributes": attributes(
                {
                    "user.id": "john",
                    "session.id": "thread-1",
                    "langfuse.trace.name": "my-copilot",
                    "langfuse.trace.tags": ["a,b", "c"],
                }
            ),
        }
    ]
    for number, extra in enumerate(runs):
        begin = start + number * 2 * 10**9
        spans.append(
            {
                "traceId": "5" * 32,
                "spanId": f"{number + 2:016x}",
                "parentSpanId": f"{1:016x}",
                "name": "chat gpt-4o",
                "kind": 3,
                "startTimeUnixNano": str(begin),
                "endTimeUnixNano": str(begin + 10**9),
                "attributes": attributes(call | {"gen_ai.usage.cost": 0.1, "gen_ai.response.id": f"r-{number}"} | extra),
            }
        )
    resource = {"attributes": attributes({"service.name": "shop-agent"})}
    return {"resourceSpans": [{"resource": resource, "scopeSpans": [{"scope": {"name": "shop"}, "spans": spans}]}]}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """A running server with the shop's spans."""
    server = ServerProcess(tmp_path_factory.mktemp("shop"))
    try:
        key = json.loads(server.cli("keys", "create", "--project", "shop").stdout)
        found = Shop(server, key["public_key"], key["secret_key"], time.time_ns())
        headers = {"authorization": f"Bearer {found.secret_key}"}
        status, answer = ask(server.otlp_url + "/v1/traces", method="POST", body=shop_spans(found.now_ns), headers=headers)
        assert (status, answer) == (200, {})
        yield found
    finally:
        server.kill()


@pytest.fixture
def python_client(shop: Shop) -> Callable[[str, str], Any]:
    """Runs a script of tests/interop/clients with a published Python client; gives what it printed."""

    def run(environment: str, script: str) -> Any:
        folder = ROOT / environment
        wanted = " ".join(REQUIREMENTS[environment])
        python = folder / "venv" / "bin" / "python"
        install(
            folder,
            wanted,
            [sys.executable, "-m", "venv", "--without-pip", "venv"],
            [*PIP, "--python", str(python), "install", "--no-compile", *REQUIREMENTS[environment]],
        )
        return shop.run([str(python), str(CLIENTS / script)])

    return run


@pytest.fixture
def node_client(shop: Shop) -> Callable[[str], Any]:
    """Runs a script with the published JavaScript client."""

    def run(script: str) -> Any:
        node, npm = shutil.which("node"), shutil.which("npm")
        if node is None or npm is None:
            pytest.skip("Node.js is not installed: the JavaScript client is asked where it is")
        folder = ROOT / "node"
        install(folder, JS_LANGFUSE, [str(npm), "install", "--no-audit", "--no-fund", "--ignore-scripts", JS_LANGFUSE])
        shutil.copy(CLIENTS / script, folder / script)  # Node looks for packages beside the script
        return shop.run([str(node), str(folder / script)])

    return run
