"""Latency of every documented endpoint over a filled store, beside the same question typed into DuckDB by hand.

    python -m benchmarks.query                         # 1 M spans over 30 days
    python -m benchmarks.query --spans 10000000        # the long one: rate of every million, then the queries
    python -m benchmarks.query --under-load            # the same queries while ingest runs at full speed

The store is filled through the real receiver (gRPC, 512-span requests), so the fill is an ingest benchmark too.
"""

import argparse
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb

from benchmarks.ingest import START, Load, run
from benchmarks.load import SECOND
from benchmarks.server import Server, machine

DAY = 86_400 * SECOND
DAYS = 30
END = START + DAYS * DAY
REPEATS = 7

Question = Callable[[Server, int], object]
"""Asks a server about the last so many days of the store."""


def _iso(time_ns: int) -> str:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=time_ns // 1000)).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def _window(days: int) -> dict[str, object]:
    return {"start_time_us": (END - days * DAY) // 1000, "end_time_us": END // 1000}


def _since(days: int, start: str, end: str) -> str:
    return f"{start}={_iso(END - days * DAY)}&{end}={_iso(END)}"


ENDPOINTS: dict[str, Question] = {
    "POST /analytics, hourly by provider": lambda server, days: server.post(
        "/analytics", _window(days) | {"groupBy": ["provider"], "min_unit": "hour"}
    ),
    "POST /analytics/summary by provider, model": lambda server, days: server.post(
        "/analytics/summary", _window(days) | {"groupBy": ["provider", "model"]}
    ),
    "POST /analytics/summary of one user": lambda server, days: server.post(
        "/analytics/summary", _window(days) | {"user_id": "user-000007"}
    ),
    "POST /usage/total": lambda server, days: server.post("/usage/total", _window(days)),
    "POST /usage/models, daily": lambda server, days: server.post("/usage/models", _window(days)),
    "GET /api/analytics/llm, hourly": lambda server, days: server.get(f"/api/analytics/llm?{_since(days, 'from', 'to')}"),
    "GET /api/public/metrics/daily": lambda server, days: server.get(
        f"/api/public/metrics/daily?{_since(days, 'fromTimestamp', 'toTimestamp')}"
    ),
    "GET /aistats/daily": lambda server, days: server.get(f"/aistats/daily?{_since(days, 'startDate', 'endDate')}"),
}

_TTFT = "coalesce(ttft_ns, end_ns - start_ns) / 1e6"
_MS = "(end_ns - start_ns) / 1e6"
_TPS = "CASE WHEN end_ns > start_ns AND output_tokens > 0 THEN (input_tokens + output_tokens) / ((end_ns - start_ns) / 1e9) END"
_TPOT = "CASE WHEN end_ns > start_ns AND output_tokens > 0 THEN ((end_ns - start_ns) / 1e9) / output_tokens END"
_PERCENTILES = ", ".join(
    f"quantile_cont({value}, {fraction})" for value in (_MS, _TTFT, _TPS, _TPOT) for fraction in (0.5, 0.9, 0.95, 0.99)
)
BY_HAND = {
    "POST /analytics, hourly by provider": f"""
        SELECT start_ns // 3600000000000 AS hour, provider, sum(coalesce(cost_reported, cost_computed)), count(*), sum({_MS}),
               sum(input_tokens), sum(output_tokens), avg({_TTFT}), avg(error::INT), sum(error::INT), {_PERCENTILES}
        FROM spans WHERE project = 'default' AND counted AND start_ns >= $start AND start_ns < $end
        GROUP BY ALL ORDER BY ALL""",
    "POST /analytics/summary by provider, model": f"""
        SELECT provider, response_model, sum(coalesce(cost_reported, cost_computed)), count(*), sum({_MS}), sum(input_tokens),
               sum(output_tokens), avg({_TTFT}), avg(error::INT), sum(error::INT), {_PERCENTILES}
        FROM spans WHERE project = 'default' AND counted AND start_ns >= $start AND start_ns < $end GROUP BY ALL""",
    "POST /usage/total": """
        SELECT sum(input_tokens), sum(output_tokens), sum(coalesce(cost_reported, cost_computed))
        FROM spans WHERE project = 'default' AND counted AND start_ns >= $start AND start_ns < $end""",
    "POST /usage/models, daily": """
        SELECT start_ns // 86400000000000 AS day, provider, response_model, sum(input_tokens), sum(output_tokens),
               sum(coalesce(cost_reported, cost_computed))
        FROM spans WHERE project = 'default' AND counted AND start_ns >= $start AND start_ns < $end
        GROUP BY ALL ORDER BY ALL""",
    "GET /api/analytics/llm, hourly": """
        SELECT end_ns // 3600000000000 AS hour, count(*), sum(coalesce(cost_reported, cost_computed)), sum(input_tokens),
               sum(output_tokens), avg(end_ns - start_ns)
        FROM spans WHERE project = 'default' AND counted AND role <> 'embedding' AND end_ns >= $start AND end_ns <= $end
        GROUP BY ALL ORDER BY ALL""",
}


def _timed(ask: Callable[[], object]) -> list[float]:
    seconds = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        ask()
        seconds.append(time.perf_counter() - started)
    return seconds


def fill(server: Server, spans: int) -> None:
    """Fills the store over 30 days; prints the rate of every million."""
    step_ns = DAYS * DAY // spans
    chunk = min(spans, 1_000_000)
    for first in range(0, spans, chunk):
        load, cpu = run(server, "grpc", 512, chunk, 8, step_ns, START + first * step_ns)
        print(
            f"spans {first:>11,} to {first + chunk:>11,}: {load.spans / load.seconds:>8,.0f} spans/s acknowledged, "
            f"{cpu / load.spans * 1e5:.2f} CPU s / 100k, "
            f"{server.memory_mb():.0f} MB now, {server.memory_mb(peak=True):.0f} MB peak",
            flush=True,
        )


def measure(server: Server, days: int) -> dict[str, list[float]]:
    """Seconds of every endpoint, each asked several times."""
    return {name: _timed(lambda ask=ask: ask(server, days)) for name, ask in ENDPOINTS.items()}  # type: ignore[misc]


def by_hand(path: Path, days: int, threads: int) -> dict[str, list[float]]:
    """Seconds of the hand-typed questions on the same file, the server stopped."""
    with duckdb.connect(str(path), read_only=True, config={"threads": threads}) as connection:
        values = {"start": END - days * DAY, "end": END}
        return {name: _timed(lambda sql=sql: connection.execute(sql, values).fetchall()) for name, sql in BY_HAND.items()}  # type: ignore[misc]


def main() -> None:
    """Runs the benchmark and prints tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--spans", type=int, default=1_000_000)
    parser.add_argument("--under-load", action="store_true", help="also ask while ingest runs at full speed")
    args = parser.parse_args()
    print(f"# {machine()}\n# python -m benchmarks.query --spans {args.spans}\n")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "query.duckdb"
        server = Server.start(f"duckdb:///{path}")
        fill(server, args.spans)
        stopped = time.perf_counter()
        server.stop()
        seconds = time.perf_counter() - stopped
        print(f"\nstop with checkpoint {seconds:.1f} s, {path.stat().st_size / args.spans:.0f} bytes a span on disk")
        server = Server.start(f"duckdb:///{path}")
        print(f"start to healthy {server.ready_s:.2f} s\n")
        quiet = {days: measure(server, days) for days in (1, DAYS)}
        loaded = _under_load(server) if args.under_load else {}
        memory = server.memory_mb(peak=True)
        server.stop()
        hands = {days: by_hand(path, days, 1) for days in (1, DAYS)}
    print(
        "| endpoint | 1 day ms | by hand ms | 30 days ms | by hand ms | ratio | under load p95 ms |"
        "\n|---|---|---|---|---|---|---|"
    )
    for name in ENDPOINTS:
        cells = []
        for days in (1, DAYS):
            cells.append(f"{statistics.median(quiet[days][name]) * 1e3:.0f}")
            cells.append(f"{statistics.median(hands[days][name]) * 1e3:.0f}" if name in BY_HAND else "")
        ratio = f"{statistics.median(quiet[DAYS][name]) / statistics.median(hands[DAYS][name]):.2f}" if name in BY_HAND else ""
        under = f"{max(loaded[name]) * 1e3:.0f}" if name in loaded else ""
        print(f"| {name} | {' | '.join(cells)} | {ratio} | {under} |")
    print(f"\npeak memory of the server while asked: {memory:.0f} MB")


def _under_load(server: Server) -> dict[str, list[float]]:
    alone, _ = run(server, "grpc", 512, 200_000, 8, 1_000_000, END + DAY)
    result: list[Load] = []
    thread = threading.Thread(target=lambda: result.append(run(server, "grpc", 512, 400_000, 8, 1_000_000, END + 2 * DAY)[0]))
    thread.start()
    time.sleep(1)
    loaded = measure(server, DAYS)
    thread.join()
    asked, free = result[0].spans / result[0].seconds, alone.spans / alone.seconds
    print(f"ingest alone {free:,.0f} spans/s, while asked all the time {asked:,.0f} ({asked / free - 1:+.0%})\n")
    return loaded


if __name__ == "__main__":
    main()
