"""The three engines beside each other: ingest and every endpoint over the same spans, through the running binary.

    python -m benchmarks.engines                       # 1 M spans over 30 days on each engine
    python -m benchmarks.engines --spans 50000 --engines duckdb,postgresql
    python -m benchmarks.engines --keep FOLDER         # stores stay in the folder; those of an earlier run are only asked

Progress goes to standard error, tables to standard output. A question is repeated until it took five seconds in all, and one
that the server stops is shown as such. An engine that fails is reported and the others go on; the program then ends with 1.

PostgreSQL is a throw-away server of the local installation with a quarter of the memory as buffers, as its manual advises;
ClickHouse is its own engine in the collector's process (chDB), because no server of it can be installed everywhere. Both
wait for the disk before they acknowledge, as DuckDB does.
"""

import argparse
import json
import os
import signal
import statistics
import sys
import tempfile
import time
import urllib.error
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.ingest import START, Load, run
from benchmarks.query import DAY, DAYS, END, QUESTIONS, REPEATS
from benchmarks.server import Server, machine
from otel_llm.config import Settings
from otel_llm.store.open import open_engine


@dataclass
class Store:
    """Where an engine's store is, and the processor seconds that a server of its own has used."""

    url: str
    server_cpu_s: Callable[[], float] = lambda: 0.0


@contextmanager
def _duckdb(folder: Path) -> Iterator[Store]:
    yield Store(f"duckdb:///{folder / 'bench.duckdb'}")


@contextmanager
def _postgresql(folder: Path) -> Iterator[Store]:
    from tests.postgresql_server import PostgreSQLServer

    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    server = PostgreSQLServer(folder / "server", shared_buffers=f"{memory // 4 // 2**20}MB", max_wal_size="4GB")
    server.start()
    try:
        yield Store(server.url, server.cpu_s)
    finally:
        server.stop()


@contextmanager
def _clickhouse(folder: Path) -> Iterator[Store]:
    yield Store(f"clickhousedb:///default?interface=chdb&path={folder / 'clickhouse'}")


ENGINES: dict[str, Callable[[Path], AbstractContextManager[Store]]] = {
    "duckdb": _duckdb,
    "postgresql": _postgresql,
    "clickhouse": _clickhouse,
}


@dataclass
class Filled:
    """What the fill of a store showed."""

    spans: int
    spans_a_second: float
    collector_cpu_s: float
    """Processor seconds of the collector for 100,000 spans."""
    server_cpu_s: float
    """Those of the engine's own server; 0 where the engine is in the collector's process."""
    small_a_second: float
    """1-span requests acknowledged a second."""
    small_p99_ms: float
    bytes_a_span: float
    memory_mb: float


@dataclass
class Result:
    """What one engine showed."""

    filled: Filled
    one_day: dict[str, list[float]]
    all_days: dict[str, list[float]]


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
        _progress(f"{name}: {endpoint}, {'1 day' if days == 1 else f'{days} days'}: {_median_ms(seconds)} ms")
    return found


def fill_and_size(store: Store, name: str, spans: int) -> Filled:
    """Fills an empty store; the collector ends in between, so that its size is that of a store at rest."""
    server = Server.start(store.url)
    try:
        before = store.server_cpu_s()
        bulk, cpu_s = fill(server, name, spans)
        server_cpu_s = store.server_cpu_s() - before
        small, _ = run(server, "frames", 1, min(2_000, spans // 20), 8, 1_000_000, END + DAY)
        memory = server.memory_mb(peak=True)
    finally:
        server.stop()
    engine = open_engine(store.url, Settings())
    size = engine.size_bytes()
    engine.close()
    return Filled(
        spans,
        bulk.spans / bulk.seconds,
        cpu_s / bulk.spans * 1e5,
        server_cpu_s / bulk.spans * 1e5,
        small.spans / small.seconds,
        small.percentile(0.99),
        size / spans,
        memory,
    )


def bench(name: str, folder: Path, spans: int) -> Result:
    """Fills the store in a folder unless an earlier run did, then asks it. Raises ValueError for a store of other spans."""
    folder.mkdir(exist_ok=True)
    kept = folder / "filled.json"
    with ENGINES[name](folder) as store:
        if kept.exists():
            filled = Filled(**json.loads(kept.read_text()))
            if filled.spans != spans:
                raise ValueError(f"the store in {folder} has {filled.spans} spans, not {spans}")
            _progress(f"{name}: {spans:,} spans of an earlier run")
        else:
            filled = fill_and_size(store, name, spans)
            kept.write_text(json.dumps(asdict(filled)))
        server = Server.start(store.url)
        try:
            return Result(filled, _measure(server, name, 1), _measure(server, name, DAYS))
        finally:
            server.stop()


def _table(results: dict[str, Result]) -> None:
    print(f"\n| | {' | '.join(results)} |\n|---|{'---|' * len(results)}")
    filled = [each.filled for each in results.values()]
    _line("spans/s, 512-span requests", [f"{each.spans_a_second:,.0f}" for each in filled])
    _line("CPU s of the collector / 100k spans", [f"{each.collector_cpu_s:.2f}" for each in filled])
    _line(
        "CPU s of the engine's server / 100k spans",
        [f"{each.server_cpu_s:.2f}" if each.server_cpu_s else "in the collector" for each in filled],
    )
    _line("1-span requests acknowledged/s", [f"{each.small_a_second:,.0f}" for each in filled])
    _line("their p99 ms", [f"{each.small_p99_ms:,.0f}" for each in filled])
    _line("bytes a span on disk", [f"{each.bytes_a_span:,.0f}" for each in filled])
    _line("peak memory of the collector, MB", [f"{each.memory_mb:,.0f}" for each in filled])
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


def main() -> int:
    """Runs the benchmark and prints a table; 1 when an engine failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--spans", type=int, default=1_000_000)
    parser.add_argument("--engines", default=",".join(ENGINES), help="names with commas between (default: all)")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="leave the stores in this folder and use those in it")
    args = parser.parse_args()
    names = args.engines.split(",")
    if unknown := set(names) - ENGINES.keys():
        parser.error(f"no such engine: {', '.join(sorted(unknown))}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # servers are stopped then too
    started = time.monotonic()
    print(f"# {machine()}\n# python -m benchmarks.engines --spans {args.spans} --engines {args.engines}", flush=True)
    results: dict[str, Result] = {}
    for name in names:
        with _folder(args.keep) as folder:
            try:
                results[name] = bench(name, folder / name, args.spans)
            except Exception as error:  # the other engines are worth their figures
                _progress(f"{name} failed: {type(error).__name__}: {error}")
    if results:
        _table(results)
    _progress(f"done in {(time.monotonic() - started) / 60:.1f} minutes")
    return 0 if len(results) == len(names) else 1


@contextmanager
def _folder(kept: Path | None) -> Iterator[Path]:
    """A folder for stores, which the user that runs PostgreSQL can get to."""
    if kept is not None:
        kept.mkdir(parents=True, exist_ok=True)
        yield kept.resolve()
        return
    with tempfile.TemporaryDirectory(prefix="otel-llm-bench-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


if __name__ == "__main__":
    sys.exit(main())
