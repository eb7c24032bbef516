"""The three engines beside each other: ingest and every endpoint over the same spans, through the running binary.

    python -m benchmarks.engines                       # 1 M spans over 30 days on each engine
    python -m benchmarks.engines --spans 50000 --engines duckdb,postgresql

Progress goes to standard error, tables to standard output; a million spans take about ten minutes on two quiet cores. A
question is repeated until it took five seconds in all, and one that the server stops is shown as such.

PostgreSQL is a throw-away server of the local installation with a quarter of the memory as buffers, as its manual advises;
ClickHouse is its own engine in the collector's process (chDB), because no server of it can be installed everywhere. Both
wait for the disk before they acknowledge, as DuckDB does.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
import urllib.error
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.ingest import START, Load, run
from benchmarks.query import DAY, DAYS, END, QUESTIONS, REPEATS
from benchmarks.server import Server, machine
from otel_llm.config import Settings
from otel_llm.store.open import open_engine


@contextmanager
def _duckdb(folder: Path) -> Iterator[str]:
    yield f"duckdb:///{folder / 'bench.duckdb'}"


@contextmanager
def _postgresql(folder: Path) -> Iterator[str]:
    from tests.postgresql_server import PostgreSQLServer

    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    server = PostgreSQLServer(shared_buffers=f"{memory // 4 // 2**20}MB", max_wal_size="4GB")
    server.start()
    try:
        yield server.url
    finally:
        server.remove()


@contextmanager
def _clickhouse(folder: Path) -> Iterator[str]:
    yield f"clickhousedb:///default?interface=chdb&path={folder / 'clickhouse'}"


ENGINES: dict[str, Callable[[Path], object]] = {"duckdb": _duckdb, "postgresql": _postgresql, "clickhouse": _clickhouse}


@dataclass
class Result:
    """What one engine showed."""

    bulk: Load
    bulk_cpu_s: float
    small: Load
    bytes_a_span: float
    memory_mb: float
    one_day: dict[str, list[float]] = field(default_factory=dict)
    all_days: dict[str, list[float]] = field(default_factory=dict)


CHUNK_SPANS = 50_000
MOST_SECONDS = 5.0
"""A question is not repeated any more when its answers took so long together."""


def _progress(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


def fill(server: Server, name: str, spans: int) -> tuple[Load, float]:
    """Fills a store over 30 days, in pieces so that progress can be seen."""
    whole, cpu_s, step_ns = Load(), 0.0, DAYS * DAY // spans
    for first in range(0, spans, CHUNK_SPANS):
        load, cpu = run(server, "grpc", 512, min(CHUNK_SPANS, spans - first), 8, step_ns, START + first * step_ns)
        whole.spans += load.spans
        whole.seconds += load.seconds
        whole.cpu_s += load.cpu_s
        whole.latencies += load.latencies
        cpu_s += cpu
        left = max(0, spans - whole.spans) / whole.spans * whole.seconds
        _progress(f"{name}: {whole.spans:,} spans, {load.spans / load.seconds:,.0f}/s, about {left:,.0f} s left")
    return whole, cpu_s


def _measure(server: Server, name: str, days: int) -> dict[str, list[float]]:
    """Seconds of every endpoint, each asked several times; infinite when the server stopped it."""
    found: dict[str, list[float]] = {}
    for endpoint, question in QUESTIONS.items():
        if days not in question.days:
            continue
        seconds: list[float] = []
        while len(seconds) < REPEATS and sum(seconds) < MOST_SECONDS:
            started = time.perf_counter()
            try:
                question.ask(server, END - days * DAY, END)
                seconds.append(time.perf_counter() - started)
            except urllib.error.HTTPError as error:
                if error.code != 503:
                    raise
                seconds = [float("inf")]
        found[endpoint] = seconds
        _progress(f"{name}: {endpoint}, {days} days: {_median_ms(seconds)} ms")
    return found


def bench(url: str, name: str, spans: int) -> Result:
    """Fills an empty store, then asks it, after a restart of the collector."""
    server = Server.start(url)
    bulk, cpu = fill(server, name, spans)
    small, _ = run(server, "grpc", 1, min(1_000, spans // 20), 8, 1_000_000, END + DAY)
    memory = server.memory_mb(peak=True)
    server.stop()
    engine = open_engine(url, Settings())
    size = engine.size_bytes()
    engine.close()
    server = Server.start(url)
    result = Result(bulk, cpu, small, size / spans, memory)
    result.one_day, result.all_days = _measure(server, name, 1), _measure(server, name, DAYS)
    server.stop()
    return result


def main() -> None:
    """Runs the benchmark and prints tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--spans", type=int, default=1_000_000)
    parser.add_argument("--engines", default=",".join(ENGINES))
    args = parser.parse_args()
    names = args.engines.split(",")
    print(f"# {machine()}\n# python -m benchmarks.engines --spans {args.spans} --engines {args.engines}\n", flush=True)
    results: dict[str, Result] = {}
    for name in names:
        with tempfile.TemporaryDirectory() as folder, ENGINES[name](Path(folder)) as url:  # type: ignore[attr-defined] # each is a context manager
            results[name] = bench(url, name, args.spans)
    print(f"\n| | {' | '.join(names)} |\n|---|{'---|' * len(names)}")
    _line("spans/s, 512-span requests", [f"{each.bulk.spans / each.bulk.seconds:,.0f}" for each in results.values()])
    _line(
        "CPU s of the collector / 100k spans", [f"{each.bulk_cpu_s / each.bulk.spans * 1e5:.2f}" for each in results.values()]
    )
    _line("1-span requests acknowledged/s", [f"{each.small.spans / each.small.seconds:,.0f}" for each in results.values()])
    _line("their p99 ms", [f"{each.small.percentile(0.99):.0f}" for each in results.values()])
    _line("bytes a span on disk", [f"{each.bytes_a_span:,.0f}" for each in results.values()])
    _line("peak memory of the collector, MB", [f"{each.memory_mb:,.0f}" for each in results.values()])
    for endpoint, question in QUESTIONS.items():
        if 1 in question.days:
            _line(f"{endpoint}, 1 day, ms", [_median_ms(each.one_day[endpoint]) for each in results.values()])
        if DAYS in question.days:
            _line(f"{endpoint}, {DAYS} days, ms", [_median_ms(each.all_days[endpoint]) for each in results.values()])


def _median_ms(seconds: list[float]) -> str:
    median = statistics.median(seconds) * 1e3
    return "stopped" if median == float("inf") else f"{median:,.0f}"


def _line(name: str, cells: list[str]) -> None:
    print(f"| {name} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
