"""A thousand slow or half-open connections on every port: honest clients are answered, memory stays bounded."""

import resource
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import grpc
import pytest
import requests
from grpc_health.v1 import health_pb2, health_pb2_grpc

from otel_llm.otlp.signals import SIGNALS
from otel_llm.serving import BodyReader, HttpServer, WsgiBridge
from receiver import grpc_wire

from .backend import Running
from .requests import traces

MANY = 1000
EXPORT = f"/{SIGNALS['traces'].service}/Export"
HTTP_STARTS = (
    b"",
    b"POST /v1/tr",
    b"POST /v1/traces HTTP/1.1\r\nhost: localhost\r\nx: ",
    b"POST /v1/traces HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 60000000\r\n\r\n{",
    b"POST /v1/traces HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n1\r\n",
)
GRPC_STARTS = (
    b"",
    b"PRI * HT",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00",
)


def resident_mb() -> float:
    fields = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(fields["VmRSS"].split()[0]) / 1024


@pytest.fixture
def served(transport: str) -> Iterator[tuple[Running, str]]:
    """A receiver, and an API port beside it."""
    if resource.getrlimit(resource.RLIMIT_NOFILE)[1] < 12 * MANY:
        pytest.skip("the system allows too few open files for this test")

    def api(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("200 OK", [("content-type", "text/plain")])
        return [b"answer"]

    with Running(transport) as running:
        bridge = WsgiBridge(api, BodyReader(1_000_000, running.backend.budget))
        server = HttpServer(bridge, host="127.0.0.1", port=0)
        server.start()
        yield running, server.url
        server.stop()
        bridge.close()


def honest_clients(running: Running, api_url: str) -> float:
    """Seconds of the slowest of one request to each port, each on a connection of its own."""
    slowest = 0.0
    body = traces().SerializeToString()
    for _ in range(3):
        start = time.monotonic()
        with grpc.insecure_channel(running.target, options=[("grpc.use_local_subchannel_pool", 1)]) as channel:
            channel.unary_unary(EXPORT)(body, timeout=10)
        slowest = max(slowest, time.monotonic() - start)
        for url in (f"{running.url}/v1/traces", f"{api_url}/usage"):
            start = time.monotonic()
            answer = requests.post(url, data=body, headers={"content-type": "application/x-protobuf"}, timeout=10)
            assert answer.status_code == 200
            slowest = max(slowest, time.monotonic() - start)
    return slowest


def test_honest_clients_are_answered_while_a_thousand_connections_hang_on_every_port(served):
    running, api_url = served
    honest_clients(running, api_url)
    before = resident_mb()
    ports = (running.receiver.grpc.port, running.receiver.http.port, int(api_url.rpartition(":")[2]))
    with ExitStack() as held:
        for port in ports:
            starts = GRPC_STARTS if port == ports[0] else HTTP_STARTS
            for number in range(MANY):
                connection = held.enter_context(socket.create_connection(("127.0.0.1", port), timeout=10))
                connection.sendall(starts[number % len(starts)])
        slowest = honest_clients(running, api_url)
        grown = resident_mb() - before
        print(f"slowest honest request {slowest:.2f} s, memory grew by {grown:.0f} MB")
        assert slowest < 5
        assert grown < 150
        assert running.backend.budget.used < MANY * 100  # nobody pays for what was only announced


def test_stuck_bodies_cannot_keep_the_budget_from_honest_clients():
    with Running(ingest_budget_bytes=1_000_000) as running, ExitStack() as held:
        head = (
            b"POST /v1/traces HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 200000\r\n\r\n"
        )
        for _ in range(20):
            connection = held.enter_context(socket.create_connection(("127.0.0.1", running.receiver.http.port), timeout=10))
            connection.sendall(head + b" " * 60_000)
        body = b" " * 300_000 + b"{}"
        start = time.monotonic()
        statuses = []
        while 200 not in statuses and time.monotonic() - start < 10:
            answer = requests.post(
                f"{running.url}/v1/traces", data=body, headers={"content-type": "application/json"}, timeout=10
            )
            statuses.append(answer.status_code)
            time.sleep(0.2)
        assert set(statuses) <= {200, 429}
        assert statuses[0] == 429
        assert time.monotonic() - start < 5


HANGING_CALLS = """
import asyncio, sys
import grpc

async def main(target, method, many):
    options = [("grpc.use_local_subchannel_pool", 1)]
    channels = [grpc.aio.insecure_channel(target, options=options) for _ in range(20)]
    calls = [channels[number % 20].stream_unary(method)() for number in range(many)]
    await asyncio.gather(*(channel.channel_ready() for channel in channels))
    await asyncio.sleep(1)
    print("hanging", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
    print(sum(not call.done() for call in calls), flush=True)

asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
"""


def test_honest_clients_are_answered_while_a_thousand_grpc_calls_never_send_their_message(served):
    running, api_url = served
    # A process of its own, as clients are: grpc's asyncio API shares one event queue between the loops of a process.
    command = [sys.executable, "-c", HANGING_CALLS, running.target, EXPORT, str(MANY)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as client:
        assert client.stdout is not None
        assert client.stdout.readline() == "hanging\n"
        slowest = honest_clients(running, api_url)
        still_hanging = client.communicate("\n", timeout=20)[0]
    print(f"slowest honest request {slowest:.2f} s")
    assert int(still_hanging) == MANY
    assert slowest < 5


def test_a_grpc_call_that_never_sends_its_message_is_ended(transport, monkeypatch):
    monkeypatch.setattr(grpc_wire, "READ_TIMEOUT_S", 0.3)
    with Running(transport) as running, grpc.insecure_channel(running.target) as channel:
        start = time.monotonic()
        wait = threading.Event()

        def never() -> Iterator[bytes]:
            wait.wait(10)
            yield b""

        with pytest.raises(grpc.RpcError) as caught:
            channel.stream_unary(EXPORT)(never(), timeout=10)
        wait.set()
        assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        assert time.monotonic() - start < 3
        assert running.backend.refused == {"slow": 1}


def test_a_stop_waits_for_none_of_them(transport):
    with Running(transport, shutdown_timeout_s=20) as running, ExitStack() as held:
        for port, start in ((running.receiver.http.port, HTTP_STARTS[3]), (running.receiver.grpc.port, GRPC_STARTS[3])):
            connection = held.enter_context(socket.create_connection(("127.0.0.1", port), timeout=10))
            connection.sendall(start)
        channel = held.enter_context(grpc.insecure_channel(running.target))
        watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest())
        assert next(watch).status == health_pb2.HealthCheckResponse.SERVING
        wait = threading.Event()
        held.callback(wait.set)

        def never() -> Iterator[bytes]:
            wait.wait(10)
            yield b""

        call = channel.stream_unary(EXPORT).future(never(), timeout=20)
        time.sleep(0.2)
        start_of_stop = time.monotonic()
        running.receiver.stop()
        assert time.monotonic() - start_of_stop < 5
        assert call.exception(timeout=5) is not None
