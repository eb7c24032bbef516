"""Acknowledged is committed: killed, stopped or out of disk, a collector loses nothing it acknowledged and doubles nothing."""

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path
from typing import Any

import duckdb
import grpc
import pytest
import sqlalchemy as sa

from benchmarks.load import SECOND, Template
from benchmarks.server import Server, free_ports
from otel_llm.store.engines.duckdb_journal import FIRST_BYTES

EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
ROUNDS = [3, pytest.param(100, marks=[pytest.mark.slow, pytest.mark.timeout(3_600)])]
SENDERS = 4
DAY = 86_400 * SECOND
SPANS = 64


class Sender(threading.Thread):
    """Sends requests of fresh spans one after another; repeats each until it is acknowledged. Its clock jumps by days."""

    def __init__(self, number: int, port: int, stopping: threading.Event, deadline_s: float, spans: int) -> None:
        super().__init__(daemon=True)
        self.acknowledged = 0
        self.repeated = 0
        self.refusals: set[grpc.StatusCode] = set()
        self._spans = spans
        self._template = Template.make(spans, spans_a_trace=min(4, spans), service=f"sender-{number}")
        self._start_ns = 1_767_225_600 * SECOND + number * 3_600 * SECOND
        self._port = port
        self._stopping = stopping
        self._deadline_s = deadline_s
        self._chance = random.Random(number)

    def run(self) -> None:
        options = [("grpc.initial_reconnect_backoff_ms", 50), ("grpc.max_reconnect_backoff_ms", 200)]
        with grpc.insecure_channel(f"127.0.0.1:{self._port}", options=options) as channel:
            export = channel.unary_unary(EXPORT)
            while not self._stopping.is_set():
                self._start_ns += self._spans * 1_000_000
                jump = self._chance.choice((0, 0, 0, -30 * DAY, 2 * DAY))
                self._send(export, self._template.fill(self._start_ns + jump, 1_000_000, min(4, self._spans)))

    def _send(self, export: grpc.UnaryUnaryMultiCallable, body: bytes) -> None:
        while True:
            try:
                export(body, timeout=self._deadline_s)
                self.acknowledged += 1
                return
            except grpc.RpcError as error:
                self.refusals.add(error.code())
                self.repeated += 1
                time.sleep(0.05)


def start_senders(port: int, deadline_s: float = 10, spans: int = SPANS) -> tuple[list[Sender], threading.Event]:
    """Senders at work, with so many spans a request, and the event that ends them."""
    stopping = threading.Event()
    senders = [Sender(number, port, stopping, deadline_s, spans) for number in range(SENDERS)]
    for sender in senders:
        sender.start()
    return senders, stopping


def finish(senders: list[Sender], stopping: threading.Event) -> int:
    """Ends the senders; returns how many requests were acknowledged in all."""
    stopping.set()
    for sender in senders:
        sender.join(60)
        assert not sender.is_alive(), "a sender was never acknowledged"
    return sum(sender.acknowledged for sender in senders)


def tokens_of(requests: int, spans: int = SPANS) -> int:
    """Input tokens of requests of so many spans."""
    return requests * sum(900 + index for index in range(spans))


def assert_exactly_once(database: Path, requests: int, spans: int = SPANS) -> None:
    """Every acknowledged request of so many spans is stored once, counted once, with its own tokens."""
    with duckdb.connect(str(database), read_only=True) as connection:
        rows, distinct, counted, tokens = connection.execute(
            "SELECT count(*), count(DISTINCT (trace_id, span_id)), count(*) FILTER (counted), sum(input_tokens) FROM spans"
        ).fetchone()
    assert rows == distinct == counted == requests * spans
    assert tokens == tokens_of(requests, spans)


@contextmanager
def books_watched(api_port: int) -> Iterator[list[dict[str, Any]]]:
    """Looks at /healthz again and again, whenever a server is there: received is stored, duplicate, ignored and rejected."""
    looks: list[dict[str, Any]] = []
    wrong: list[dict[str, Any]] = []
    done = threading.Event()

    def watch() -> None:
        server = Server(None, 0, 0, api_port, 0.0)  # type: ignore[arg-type] # its address is all that is needed
        while not done.wait(0.02):
            try:
                spans = server.get("/healthz")["spans"]
            except (OSError, ValueError, HTTPException):
                continue
            looks.append(spans)
            outcomes = spans["stored"] + spans["duplicate"] + sum(spans["ignored"].values()) + sum(spans["rejected"].values())
            if spans["received"] != outcomes:
                wrong.append(spans)

    watching = threading.Thread(target=watch, daemon=True)
    watching.start()
    try:
        yield looks
    finally:
        done.set()
        watching.join(60)
    assert not wrong


@pytest.mark.parametrize("rounds", ROUNDS)
@pytest.mark.parametrize("ending", ["kill -9", "SIGTERM"])
@pytest.mark.parametrize("spans", [SPANS, 1], ids=["64 spans a request", "1 span a request"])
def test_every_acknowledged_span_is_stored_exactly_once_over_restarts_under_load(
    tmp_path: Path, spans: int, ending: str, rounds: int
) -> None:
    database, ports = tmp_path / "store.duckdb", free_ports()
    server = Server.start(f"duckdb:///{database}", tmp_path / "log", ports)
    senders, stopping = start_senders(ports[0], spans=spans)
    chance = random.Random(ending)
    with books_watched(ports[2]) as looks:
        for _ in range(rounds):
            time.sleep(chance.uniform(0.3, 1.2))
            if ending == "SIGTERM":
                assert server.stop() == 0
                assert not Path(f"{database}.wal").exists(), "the store was not checkpointed"
                assert not Path(f"{database}.journal").exists(), "commits are left in the journal"
            else:
                server.kill()
            server = Server.start(f"duckdb:///{database}", tmp_path / "log", ports)
        time.sleep(0.5)
        acknowledged = finish(senders, stopping)
        last = server.get("/healthz")["spans"]
    assert server.stop() == 0
    assert acknowledged > 0
    assert any(look["received"] > 0 for look in looks)
    assert last["received"] == last["stored"] + last["duplicate"]
    print(f"{rounds} times {ending}: {acknowledged} requests acknowledged, {sum(each.repeated for each in senders)} repeats")
    assert sum(sender.repeated for sender in senders) > 0, "no request was cut off: the test did not test anything"
    assert_exactly_once(database, acknowledged, spans)


@pytest.mark.parametrize("limit", [3_000_000, 9_000_000], ids=["no room for the journal", "room for the journal"])
def test_a_full_disk_refuses_with_a_retryable_error_and_loses_nothing(tmp_path: Path, limit: int) -> None:
    database, ports = tmp_path / "store.duckdb", free_ports()
    spans = 16  # four senders share a commit that is small enough for the journal
    server = Server.start(f"duckdb:///{database}", tmp_path / "log", ports, limit_file_bytes=limit)
    senders, stopping = start_senders(ports[0], spans=spans)
    deadline = time.monotonic() + 30
    while not all(sender.refusals for sender in senders):
        assert time.monotonic() < deadline, "the disk never filled up"
        time.sleep(0.05)
    assert set().union(*(sender.refusals for sender in senders)) == {grpc.StatusCode.UNAVAILABLE}
    assert Path(f"{database}.journal").exists() == (limit > FIRST_BYTES)
    server.kill()
    server = Server.start(f"duckdb:///{database}", tmp_path / "log", ports)
    time.sleep(1)
    acknowledged = finish(senders, stopping)
    assert server.stop() == 0
    assert_exactly_once(database, acknowledged, spans)


def test_a_store_that_stalls_loses_nothing_though_clients_give_up_waiting(
    tmp_path: Path, new_postgresql: Callable[[], str]
) -> None:
    url = new_postgresql()
    server = Server.start(url, tmp_path / "log")
    senders, stopping = start_senders(server.grpc_port, deadline_s=1)
    store = sa.create_engine(url)
    time.sleep(1)
    with store.begin() as connection:
        connection.exec_driver_sql("LOCK TABLE spans IN ACCESS EXCLUSIVE MODE")
        time.sleep(3)
    time.sleep(1)
    acknowledged = finish(senders, stopping)
    tally = server.get("/healthz")["spans"]
    assert server.stop() == 0
    with store.connect() as connection:
        rows, tokens = connection.execute(sa.text("SELECT count(*), sum(input_tokens) FROM spans WHERE counted")).one()
    store.dispose()
    assert rows == acknowledged * SPANS == tally["stored"]
    assert tokens == tokens_of(acknowledged)
    assert tally["received"] == tally["stored"] + tally["duplicate"]
    assert grpc.StatusCode.DEADLINE_EXCEEDED in set().union(*(sender.refusals for sender in senders))
    assert tally["duplicate"] > 0, "what came again while the store stalled was known"
