"""The three engines beside each other: ingest and every endpoint over the same spans, through the running binary.

    python -m benchmarks.engines                       # 1 M spans over 30 days on each engine
    python -m benchmarks.engines --spans 50000 --engines duckdb,postgresql

PostgreSQL is a throw-away server of the local installation with a quarter of the memory as buffers, as its manual advises;
ClickHouse is its own engine in the collector's process (chDB), because no server of it can be installed everywhere. Both
wait for the disk before they acknowledge, as DuckDB does.
"""

import argparse
import os
import statistics
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.ingest import START, Load, run
from benchmarks.query import DAY, DAYS, END, ENDPOINTS, measure
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


def bench(url: str, spans: int) -> Result:
    """Fills an empty store, then asks it, after a restart of the collector."""
    server = Server.start(url)
    bulk, cpu = run(server, "grpc", 512, spans, 8, DAYS * DAY // spans, START)
    small, _ = run(server, "grpc", 1, min(2_000, spans // 20), 8, 1_000_000, END + DAY)
    memory = server.memory_mb(peak=True)
    server.stop()
    engine = open_engine(url, Settings())
    size = engine.size_bytes()
    engine.close()
    server = Server.start(url)
    result = Result(bulk, cpu, small, size / spans, memory)
    result.one_day, result.all_days = measure(server, 1), measure(server, DAYS)
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
            results[name] = bench(url, args.spans)
            print(f"# {name} done", flush=True)
    print(f"\n| | {' | '.join(names)} |\n|---|{'---|' * len(names)}")
    _line("spans/s, 512-span requests", [f"{each.bulk.spans / each.bulk.seconds:,.0f}" for each in results.values()])
    _line(
        "CPU s of the collector / 100k spans", [f"{each.bulk_cpu_s / each.bulk.spans * 1e5:.2f}" for each in results.values()]
    )
    _line("1-span requests acknowledged/s", [f"{each.small.spans / each.small.seconds:,.0f}" for each in results.values()])
    _line("their p99 ms", [f"{each.small.percentile(0.99):.0f}" for each in results.values()])
    _line("bytes a span on disk", [f"{each.bytes_a_span:,.0f}" for each in results.values()])
    _line("peak memory of the collector, MB", [f"{each.memory_mb:,.0f}" for each in results.values()])
    for endpoint in ENDPOINTS:
        _line(f"{endpoint}, 1 day, ms", [_median_ms(each.one_day[endpoint]) for each in results.values()])
        _line(f"{endpoint}, {DAYS} days, ms", [_median_ms(each.all_days[endpoint]) for each in results.values()])


def _median_ms(seconds: list[float]) -> str:
    return f"{statistics.median(seconds) * 1e3:,.0f}"


def _line(name: str, cells: list[str]) -> None:
    print(f"| {name} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
