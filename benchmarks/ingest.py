"""Durable ingest: spans a second acknowledged and committed, beside floors measured in the same run.

    python -m benchmarks.ingest                      # gRPC, 512-span requests; 1-span requests; HTTP protobuf and JSON
    python -m benchmarks.ingest --only grpc --spans 2000000

The load generator runs in a process of its own beside the collector, as in production on one machine. Every span has its own
ids, response id and advancing times (:mod:`benchmarks.load`). Requests of one span come from :mod:`benchmarks.frames`, and once
from grpc's Python client.
"""

import argparse
import asyncio
import gzip
import http.client
import multiprocessing
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import NamedTuple

import grpc
import grpc.aio
from google.protobuf import json_format
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from benchmarks import frames
from benchmarks.load import SECOND, Template
from benchmarks.server import Server, machine
from otel_llm.serving.server import loop_factory

EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
START = 1_767_225_600 * SECOND
PREPARED_SPANS = 600_000
"""A load of up to this many spans (500 MB) is made before the clock starts; a longer one while it is sent."""


PROCESSES = multiprocessing.get_context("spawn")
"""Where generators run."""
CALM_S = 3.0
"""Between two runs, for what the one before has left to be settled and brought to the disk."""
IN_FLIGHT = 4
"""Requests at a time over a connection, where several are sent."""
CLIENT_SPANS = 8_000
"""Spans of the one-span run whose generator is grpc's Python client, which takes most of a core."""
FLOOR = "floor: grpc's asyncio server alone"


class Light(NamedTuple):
    """Says to a running load when to send, and when it is over. Its events are those of :data:`PROCESSES`."""

    go: Event
    enough: Event


@dataclass
class Load:
    """What a generator process did."""

    spans: int = 0
    seconds: float = 0.0
    cpu_s: float = 0.0
    latencies: list[float] = field(default_factory=list)

    def percentile(self, fraction: float) -> float:
        """A latency percentile in ms."""
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(len(ordered) * fraction))] * 1e3 if ordered else 0.0


def _grpc_sender(port: int) -> Callable[[bytes], None]:
    channel = grpc.insecure_channel(
        f"127.0.0.1:{port}", options=[("grpc.use_local_subchannel_pool", 1), ("grpc.max_send_message_length", -1)]
    )
    export = channel.unary_unary(EXPORT)

    def send(body: bytes) -> None:
        while True:
            try:
                export(body, timeout=60)
                return
            except grpc.RpcError as error:
                if error.code() not in (grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.UNAVAILABLE):
                    raise
                time.sleep(0.2)

    return send


def _http_sender(port: int, kind: str) -> Callable[[bytes], None]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    headers = {"content-type": "application/json" if kind == "json" else "application/x-protobuf"}
    if kind == "gzip":
        headers["content-encoding"] = "gzip"

    def send(body: bytes) -> None:
        if kind == "gzip":
            body = gzip.compress(body, 1)
        connection.request("POST", "/v1/traces", body, headers)
        answer = connection.getresponse()
        text = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{answer.status} {text[:200]!r}")

    return send


def _to_json(body: bytes) -> bytes:
    """OTLP/JSON of an encoded request: ids in hex."""
    import base64
    import json

    document = json_format.MessageToDict(ExportTraceServiceRequest.FromString(body), use_integers_for_enums=True)
    for resource in document["resourceSpans"]:
        for scope in resource["scopeSpans"]:
            for span in scope["spans"]:
                for name in ("traceId", "spanId", "parentSpanId"):
                    if name in span:
                        span[name] = base64.b64decode(span[name]).hex()
    return json.dumps(document).encode()


def generate(
    kind: str,
    port: int,
    spans_a_request: int,
    total: int,
    connections: int,
    in_flight: int,
    step_ns: int,
    start_ns: int,
    result: "multiprocessing.Queue[Load]",
    light: "Light | None" = None,
) -> None:
    """Sends ``total`` spans over some connections, so many requests at a time over each (one, but for gRPC); puts a
    :class:`Load` into the queue. Runs in its own process, until all is sent or the light, at which "frames" does not look, says
    that it is enough."""
    load = Load()
    lock = threading.Lock()
    requests = iter(range(0, total, spans_a_request))
    prepared: list[bytes] = []
    if kind in ("json", "frames") or total <= PREPARED_SPANS:  # making requests in Python costs more than sending them
        template = Template.make(spans_a_request, spans_a_trace=min(4, spans_a_request))
        prepared = [template.fill(start_ns + at * step_ns, step_ns, min(4, spans_a_request)) for at in requests]
        if kind == "json":
            prepared = [_to_json(body) for body in prepared]
        requests = iter(range(len(prepared)))

    def work(send: Callable[[bytes], None]) -> None:
        template = Template.make(spans_a_request, spans_a_trace=min(4, spans_a_request))
        latencies = []
        while True:
            with lock:
                at = next(requests, None)
            if light is not None:
                light.go.wait()
            if at is None or (light is not None and light.enough.is_set()):
                break
            body = prepared[at] if prepared else template.fill(start_ns + at * step_ns, step_ns, min(4, spans_a_request))
            sent = time.perf_counter()
            send(body)
            latencies.append(time.perf_counter() - sent)
        with lock:
            load.latencies.extend(latencies)
            load.spans += len(latencies) * spans_a_request

    if kind == "frames":
        started, cpu = time.perf_counter(), time.process_time()
        load.latencies = frames.send(port, EXPORT, prepared, connections, in_flight)
        load.spans, load.seconds, load.cpu_s = total, time.perf_counter() - started, time.process_time() - cpu
        result.put(load)
        return
    senders = [_grpc_sender(port) if kind == "grpc" else _http_sender(port, kind) for _ in range(connections)]
    threads = [threading.Thread(target=work, args=(send,)) for send in senders for _ in range(in_flight)]
    started, cpu = time.perf_counter(), time.process_time()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    load.seconds, load.cpu_s = time.perf_counter() - started, time.process_time() - cpu
    result.put(load)


def run(
    server: "Server | Echo",
    kind: str,
    spans_a_request: int,
    total: int,
    connections: int,
    step_ns: int = 1_000_000,
    start_ns: int = START,
    in_flight: int = 1,
    light: "Light | None" = None,
) -> tuple[Load, float]:
    """One load against a server, until all is sent or the light says that it is enough; returns it with the server's processor
    seconds."""
    result: multiprocessing.Queue[Load] = PROCESSES.Queue()
    port = server.grpc_port if kind in ("grpc", "frames") else server.http_port
    before = server.cpu_s()
    process = PROCESSES.Process(
        target=generate, args=(kind, port, spans_a_request, total, connections, in_flight, step_ns, start_ns, result, light)
    )
    process.start()
    load = result.get(timeout=3600)
    process.join()
    return load, server.cpu_s() - before


def floors(spans: int) -> dict[str, float]:
    """Microseconds a span of what cannot be avoided: protobuf parse alone, and DuckDB's Arrow append of the same rows alone."""
    from otel_llm.conventions.content import ContentPolicy
    from otel_llm.conventions.extract import extract_spans
    from otel_llm.store.engines.base import Change
    from otel_llm.store.engines.duckdb import DuckDBEngine

    template = Template.make(512)
    bodies = [template.fill(START + at * 1_000_000, 1_000_000) for at in range(0, spans, 512)]
    started = time.perf_counter()
    messages = [ExportTraceServiceRequest.FromString(body) for body in bodies]
    parsed = time.perf_counter() - started
    started = time.perf_counter()
    batches = [
        extract_spans(each, project="default", key_id=None, now_ns=START, content=ContentPolicy()).batch for each in messages
    ]
    extracted = time.perf_counter() - started
    with tempfile.TemporaryDirectory() as folder:
        engine = DuckDBEngine(f"{folder}/floor.duckdb", journal_spans=0)
        engine.open()
        started = time.perf_counter()
        for first in range(0, len(batches), 16):  # a row group
            fresh = type(batches[0]).concat(batches[first : first + 16])
            with engine.write(()) as session:
                session.apply(Change(insert=fresh))
        appended = time.perf_counter() - started
        engine.close()
    count = len(bodies) * 512
    return {
        "protobuf parse": parsed / count * 1e6,
        "extraction": extracted / count * 1e6,
        "DuckDB append and fsync": appended / count * 1e6,
    }


def row(name: str, load: Load, cpu_s: float, peak_mb: float) -> None:
    """Prints a row of the table."""
    print(
        f"| {name} | {load.spans / load.seconds:,.0f} | {len(load.latencies) / load.seconds:,.0f} "
        f"| {load.percentile(0.5):.1f} | {load.percentile(0.99):.1f} | {cpu_s / load.spans * 1e5:.2f} "
        f"| {load.cpu_s / load.spans * 1e5:.2f} | {peak_mb:.0f} |",
        flush=True,
    )


class Echo:
    """The floor of small requests: gRPC's own asyncio server, which reads each message and answers with nothing."""

    http_port = 0

    def __init__(self) -> None:
        self.grpc_port = 0
        self._ready, self._stopping = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        self._ready.wait()

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        async def export(messages: object, call: grpc.aio.ServicerContext) -> bytes:
            await call.read()
            return b""

        service, method = EXPORT.strip("/").split("/")
        server = grpc.aio.server()
        handler = grpc.method_handlers_generic_handler(service, {method: grpc.stream_unary_rpc_method_handler(export)})
        server.add_generic_rpc_handlers((handler,))
        self.grpc_port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        self._ready.set()
        while not self._stopping.is_set():
            await asyncio.sleep(0.1)
        await server.stop(0)

    def cpu_s(self) -> float:
        """Processor seconds of this process, which does nothing else meanwhile."""
        return time.process_time()

    def stop(self) -> None:
        """Ends it."""
        self._stopping.set()
        self._thread.join()


def main() -> None:
    """Runs the benchmark and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--spans", type=int, default=400_000, help="spans of the 512-span runs")
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--only", choices=["grpc", "small", "http", "gzip", "json"], action="append")
    parser.add_argument("--database-url")
    args = parser.parse_args()
    wanted = args.only or ["grpc", "small", "http", "gzip", "json"]
    print(f"# {machine()}\n# python -m benchmarks.ingest --spans {args.spans} --connections {args.connections}\n")
    for name, cost in floors(40_960).items():
        print(f"floor: {name:24} {cost:6.2f} us a span")
    with tempfile.TemporaryDirectory() as folder:
        server = Server.start(args.database_url or f"duckdb:///{folder}/ingest.duckdb", Path("/tmp/otel-llm-bench.log"))
        print(f"\nstart to healthy {server.ready_s:.2f} s, idle {server.memory_mb():.0f} MB\n")
        print("| run | spans/s | requests/s | p50 ms | p99 ms | server CPU s / 100k spans | generator CPU s / 100k | peak MB |")
        print("|---|---|---|---|---|---|---|---|")
        runs = {
            "grpc": ("grpc", 512, args.spans),
            "small": ("frames", 1, 20_000),
            "http": ("protobuf", 512, args.spans // 2),
            "gzip": ("gzip", 512, args.spans // 4),
            "json": ("json", 512, args.spans // 8),
        }
        for name in wanted:
            kind, size, total = runs[name]
            time.sleep(CALM_S)
            row(
                f"{name}, {size} spans a request",
                *run(server, kind, size, total, args.connections),
                server.memory_mb(peak=True),
            )
            if name == "small":
                echo = Echo()
                row(FLOOR, *run(echo, kind, size, total, args.connections), 0)
                several = run(server, kind, size, total, args.connections, start_ns=START + SECOND, in_flight=IN_FLIGHT)
                row(f"{name}, {IN_FLIGHT} requests at a time a connection", *several, server.memory_mb(peak=True))
                row(FLOOR, *run(echo, kind, size, total, args.connections, in_flight=IN_FLIGHT), 0)
                client = run(server, "grpc", size, CLIENT_SPANS, args.connections, start_ns=START + 2 * SECOND)
                row(f"{name}, grpc's Python client", *client, server.memory_mb(peak=True))
                row(FLOOR, *run(echo, "grpc", size, CLIENT_SPANS, args.connections), 0)
                echo.stop()
        print("\nserver stopped with", server.stop())


if __name__ == "__main__":
    main()
