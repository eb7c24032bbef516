"""Acknowledged is committed: killed, stopped or out of disk, a collector loses nothing it acknowledged and doubles nothing."""

import os
import random
import threading
import time
from pathlib import Path

import duckdb
import grpc
import pytest

from benchmarks.load import SECOND, Template
from benchmarks.server import Server, free_ports

EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
ROUNDS = int(os.environ.get("OTEL_LLM_CRASH_ROUNDS", "3"))
SENDERS = 4
SPANS = 64
FILE_LIMIT = 3_000_000


class Sender(threading.Thread):
    """Sends requests of fresh spans one after another; repeats each until it is acknowledged."""

    def __init__(self, number: int, port: int, stopping: threading.Event) -> None:
        super().__init__(daemon=True)
        self.acknowledged = 0
        self.repeated = 0
        self.refusals: set[grpc.StatusCode] = set()
        self._template = Template.make(SPANS, service=f"sender-{number}")
        self._start_ns = 1_767_225_600 * SECOND + number * 3_600 * SECOND
        self._port = port
        self._stopping = stopping

    def run(self) -> None:
        options = [("grpc.initial_reconnect_backoff_ms", 50), ("grpc.max_reconnect_backoff_ms", 200)]
        with grpc.insecure_channel(f"127.0.0.1:{self._port}", options=options) as channel:
            export = channel.unary_unary(EXPORT)
            while not self._stopping.is_set():
                self._start_ns += SPANS * 1_000_000
                self._send(export, self._template.fill(self._start_ns, 1_000_000))

    def _send(self, export: grpc.UnaryUnaryMultiCallable, body: bytes) -> None:
        while True:
            try:
                export(body, timeout=10)
                self.acknowledged += 1
                return
            except grpc.RpcError as error:
                self.refusals.add(error.code())
                self.repeated += 1
                time.sleep(0.05)


def start_senders(port: int) -> tuple[list[Sender], threading.Event]:
    """Senders at work, and the event that ends them."""
    stopping = threading.Event()
    senders = [Sender(number, port, stopping) for number in range(SENDERS)]
    for sender in senders:
        sender.start()
    return senders, stopping


def finish(senders: list[Sender], stopping: threading.Event) -> int:
    """Ends the senders; returns how many spans were acknowledged in all."""
    stopping.set()
    for sender in senders:
        sender.join(60)
        assert not sender.is_alive(), "a sender was never acknowledged"
    return sum(sender.acknowledged for sender in senders) * SPANS


def assert_exactly_once(database: Path, acknowledged: int) -> None:
    """Everything acknowledged is stored once, counted once, with its own tokens."""
    with duckdb.connect(str(database), read_only=True) as connection:
        rows, distinct, counted, tokens = connection.execute(
            "SELECT count(*), count(DISTINCT (trace_id, span_id)), count(*) FILTER (counted), sum(input_tokens) FROM spans"
        ).fetchone()
    assert rows == distinct == counted == acknowledged
    assert tokens == acknowledged // SPANS * sum(900 + index for index in range(SPANS))


@pytest.mark.parametrize("ending", ["kill -9", "SIGTERM"])
def test_every_acknowledged_span_is_stored_exactly_once_over_restarts_under_load(tmp_path: Path, ending: str) -> None:
    database, ports = tmp_path / "store.duckdb", free_ports()
    server = Server.start(f"duckdb:///{database}", tmp_path / "log", ports)
    senders, stopping = start_senders(ports[0])
    chance = random.Random(ending)
    for _ in range(ROUNDS):
        time.sleep(chance.uniform(0.3, 1.2))
        if ending == "SIGTERM":
            assert server.stop() == 0
            assert not Path(f"{database}.wal").exists(), "the store was not checkpointed"
        else:
            server.kill()
        server = Server.start(f"duckdb:///{database}", tmp_path / "log", ports)
    time.sleep(0.5)
    acknowledged = finish(senders, stopping)
    assert server.stop() == 0
    assert acknowledged > 0
    assert sum(sender.repeated for sender in senders) > 0, "no request was cut off: the test did not test anything"
    assert_exactly_once(database, acknowledged)


def test_a_full_disk_refuses_with_a_retryable_error_and_loses_nothing(tmp_path: Path) -> None:
    database, ports = tmp_path / "store.duckdb", free_ports()
    server = Server.start(f"duckdb:///{database}", tmp_path / "log", ports, limit_file_bytes=FILE_LIMIT)
    senders, stopping = start_senders(ports[0])
    deadline = time.monotonic() + 30
    while not all(sender.refusals for sender in senders):
        assert time.monotonic() < deadline, "the disk never filled up"
        time.sleep(0.05)
    assert set().union(*(sender.refusals for sender in senders)) == {grpc.StatusCode.UNAVAILABLE}
    server.kill()
    server = Server.start(f"duckdb:///{database}", tmp_path / "log", ports)
    time.sleep(1)
    acknowledged = finish(senders, stopping)
    assert server.stop() == 0
    assert_exactly_once(database, acknowledged)
