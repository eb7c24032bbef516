"""Latency of every documented endpoint over a filled store, beside the same question typed into DuckDB by hand.

    python -m benchmarks.query                         # 1 M spans over 30 days
    python -m benchmarks.query --spans 10000000        # the long one: rate of every million, then the queries
    python -m benchmarks.query --under-load            # the same queries beside ingest at full speed as well

The store is filled through the real receiver (gRPC, 512-span requests), so the fill is an ingest benchmark too. A first
tenth of the spans is asked about one of its days; when the store holds all of them, about the same day again: what a
question costs is to grow with its window, not with the store.
"""

import argparse
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import duckdb

from benchmarks.ingest import PROCESSES, START, Light, run
from benchmarks.load import SECOND
from benchmarks.server import Server, machine

DAY = 86_400 * SECOND
DAYS = 30
END = START + DAYS * DAY
REPEATS = 11


class Asked(Protocol):
    """What answers: a server, or an application in this process."""

    def get(self, path: str) -> Any:
        """JSON of a GET."""

    def post(self, path: str, body: Any) -> Any:
        """JSON of a POST."""


Ask = Callable[[Asked, int, int], object]
"""Asks a server about the time from a start to an end (ns)."""


class Question(NamedTuple):
    """A request, the same in SQL typed by hand, and the days it is asked about."""

    ask: Ask
    by_hand: str = ""
    days: tuple[int, ...] = (1, DAYS)


def _iso(time_ns: int) -> str:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=time_ns // 1000)).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def _window(start: int, end: int) -> dict[str, object]:
    return {"start_time_us": start // 1000, "end_time_us": end // 1000}


def _post(path: str, body: dict[str, object]) -> Ask:
    return lambda server, start, end: server.post(path, _window(start, end) | body)


def _get(path: str, first: str, last: str, rest: str = "") -> Ask:
    return lambda server, start, end: server.get(f"{path}?{first}={_iso(start)}&{last}={_iso(end)}{rest}")


_TTFT = "coalesce(ttft_ns, end_ns - start_ns) / 1e6"
_MS = "(end_ns - start_ns) / 1e6"
_TPS = "CASE WHEN end_ns > start_ns AND output_tokens > 0 THEN (input_tokens + output_tokens) / ((end_ns - start_ns) / 1e9) END"
_TPOT = "CASE WHEN end_ns > start_ns AND output_tokens > 0 THEN ((end_ns - start_ns) / 1e9) / output_tokens END"
_PERCENTILES = ", ".join(
    f"quantile_cont({value}, {fraction})" for value in (_MS, _TTFT, _TPS, _TPOT) for fraction in (0.5, 0.9, 0.95, 0.99)
)
_CALLS = "FROM spans WHERE project = 'default' AND counted AND start_ns >= $start AND start_ns < $end"
_COST = "sum(coalesce(cost_reported, cost_computed))"
_SUMS = f"{_COST}, count(*), sum(input_tokens), sum(output_tokens)"
_FULL = f"{_SUMS}, sum({_MS}), avg({_TTFT}), avg(error::INT), sum(error::INT), {_PERCENTILES}"
_HOUR, _DAY = "start_ns // 3600000000000 AS hour", "start_ns // 86400000000000 AS day"
_DAILY_TRACES = f"""
    SELECT (SELECT list(found) FROM (SELECT {_DAY}, response_model, count(*), count(DISTINCT trace_id), sum(input_tokens),
            sum(output_tokens), {_COST} FROM spans WHERE project = 'default' AND start_ns >= $start AND start_ns < $end
            GROUP BY ALL) found),
           (SELECT list(found) FROM (SELECT day, count(*) FROM (SELECT min(start_ns) // 86400000000000 AS day FROM spans
            WHERE project = 'default' AND start_ns >= $start AND start_ns < $end GROUP BY trace_id) GROUP BY day) found)"""

QUESTIONS: dict[str, Question] = {
    "POST /analytics, hourly by provider": Question(
        _post("/analytics", {"groupBy": ["provider"], "min_unit": "hour"}),
        f"SELECT {_HOUR}, provider, {_FULL} {_CALLS} GROUP BY ALL ORDER BY ALL",
    ),
    "POST /analytics, hourly by model": Question(
        _post("/analytics", {"groupBy": ["model"], "min_unit": "hour"}),
        f"SELECT {_HOUR}, response_model, {_FULL} {_CALLS} GROUP BY ALL ORDER BY ALL",
    ),
    "POST /analytics/summary by provider, model": Question(
        _post("/analytics/summary", {"groupBy": ["provider", "model"]}),
        f"SELECT provider, response_model, {_FULL} {_CALLS} GROUP BY ALL",
    ),
    "POST /analytics/summary of one user": Question(
        _post("/analytics/summary", {"user_id": "user-000007"}),
        f"SELECT {_FULL} {_CALLS} AND user_id = 'user-000007'",
    ),
    "POST /usage/total": Question(_post("/usage/total", {}), f"SELECT {_SUMS} {_CALLS}"),
    "POST /usage/models, daily": Question(
        _post("/usage/models", {}),
        f"SELECT {_DAY}, provider, response_model, {_SUMS} {_CALLS} GROUP BY ALL ORDER BY ALL",
    ),
    "GET /threads/{id}/cost": Question(
        lambda server, start, end: server.get("/threads/conversation-00000007/cost"),
        "SELECT sum(input_tokens), sum(output_tokens), sum(coalesce(cost_reported, cost_computed)) FROM spans "
        "WHERE project = 'default' AND counted AND session_id = 'conversation-00000007' AND $start < $end",
        days=(DAYS,),
    ),
    "GET /api/analytics/llm, hourly": Question(
        _get("/api/analytics/llm", "from", "to"),
        f"""SELECT end_ns // 3600000000000 AS hour, provider, response_model, {_SUMS}, avg(end_ns - start_ns) FROM spans
            WHERE project = 'default' AND counted AND role <> 'embedding' AND end_ns >= $start AND end_ns <= $end
            GROUP BY ALL ORDER BY ALL""",
    ),
    "GET /api/events": Question(
        _get("/api/events", "from", "to", "&eventType=llm_response&limit=10"),
        """SELECT *, count(*) OVER () FROM (SELECT trace_id, span_id, end_ns, response_model, input_tokens, output_tokens
           FROM spans WHERE project = 'default' AND counted AND role <> 'embedding' AND end_ns >= $start AND end_ns <= $end)
           ORDER BY end_ns DESC, trace_id DESC, span_id DESC LIMIT 10""",
    ),
    "GET /api/public/metrics/daily": Question(_get("/api/public/metrics/daily", "fromTimestamp", "toTimestamp"), _DAILY_TRACES),
    "GET /api/public/metrics/daily of one user": Question(
        _get("/api/public/metrics/daily", "fromTimestamp", "toTimestamp", "&userId=user-000007")
    ),
    "GET /aistats/daily": Question(
        _get("/aistats/daily", "startDate", "endDate"),
        f"""SELECT {_DAY}, service_name, provider, server_address, server_port, response_model, user_id, session_id, {_SUMS},
            avg(end_ns - start_ns) {_CALLS} GROUP BY ALL ORDER BY ALL""",
    ),
    "GET /aistats/daily of one user": Question(_get("/aistats/daily", "startDate", "endDate", "&userUuid=user-000007")),
    "GET /aistats/minute": Question(_get("/aistats/minute", "startDate", "endDate"), days=(1,)),
}
"""Every documented endpoint, some with groups and filters that take other paths through the store."""


def _timed(ask: Callable[[], object], repeats: int = REPEATS) -> list[float]:
    seconds = []
    for _ in range(repeats):
        started = time.perf_counter()
        ask()
        seconds.append(time.perf_counter() - started)
    return seconds


def _p95(seconds: Sequence[float]) -> float:
    return statistics.quantiles(seconds, n=20, method="inclusive")[-1]


def fill(server: Server, spans: int, first: int = 0, last: int | None = None) -> None:
    """Fills the store with a part of that many spans over 30 days; prints the rate of every million."""
    step_ns = DAYS * DAY // spans
    last = spans if last is None else last
    for begin in range(first, last, 1_000_000):
        end = min(begin + 1_000_000, last)
        load, cpu = run(server, "grpc", 512, end - begin, 8, step_ns, START + begin * step_ns)
        print(
            f"spans {begin:>11,} to {end:>11,}: {load.spans / load.seconds:>8,.0f} spans/s acknowledged, "
            f"{cpu / load.spans * 1e5:.2f} CPU s / 100k, "
            f"{server.memory_mb():.0f} MB now, {server.memory_mb(peak=True):.0f} MB peak",
            flush=True,
        )


Timings = dict[str, list[float]]


def measure(server: Server, days: int, end: int = END, repeats: int = REPEATS) -> Timings:
    """Seconds of every endpoint, each asked several times about the days before an end."""
    start = end - days * DAY
    return {
        name: _timed(lambda ask=question.ask: ask(server, start, end), repeats)  # type: ignore[misc]
        for name, question in QUESTIONS.items()
        if days in question.days
    }


def by_hand(path: Path, days: int, threads: int, repeats: int = REPEATS) -> Timings:
    """Seconds of the hand-typed questions on the same file, the server stopped."""
    with duckdb.connect(str(path), read_only=True, config={"threads": threads}) as connection:
        values = {"start": END - days * DAY, "end": END}
        return {
            name: _timed(lambda sql=question.by_hand: connection.execute(sql, values).fetchall(), repeats)  # type: ignore[misc]
            for name, question in QUESTIONS.items()
            if question.by_hand and days in question.days
        }


def main() -> None:
    """Runs the benchmark and prints tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--spans", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=REPEATS, help="how often each endpoint is asked (%(default)s)")
    parser.add_argument("--under-load", action="store_true", help="also ask while ingest runs at full speed")
    args = parser.parse_args()
    load = " --under-load" if args.under_load else ""
    print(f"# {machine()}\n# python -m benchmarks.query --spans {args.spans} --repeats {args.repeats}{load}\n")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "query.duckdb"
        server = Server.start(f"duckdb:///{path}")
        tenth = args.spans // 10
        early_end = START + DAYS * DAY // 10
        fill(server, args.spans, 0, tenth)
        measure(server, 1, early_end, repeats=1)  # the first time, statements are built and planned
        small = measure(server, 1, early_end, args.repeats)
        fill(server, args.spans, tenth)
        large = measure(server, 1, early_end, args.repeats)
        stopping = time.perf_counter()
        server.stop()
        seconds = time.perf_counter() - stopping
        print(f"\nstop with checkpoint {seconds:.1f} s, {path.stat().st_size / args.spans:.0f} bytes a span on disk")
        server = Server.start(f"duckdb:///{path}")
        print(f"start to healthy {server.ready_s:.2f} s\n")
        quiet = {days: measure(server, days, repeats=args.repeats) for days in (1, DAYS)}
        print(f"peak memory of the server while asked: {server.memory_mb(peak=True):.0f} MB\n")
        beside = _under_load(server, args.repeats) if args.under_load else None
        server.stop()
        hands = {days: by_hand(path, days, 1, args.repeats) for days in (1, DAYS)}
    _print_latencies(quiet, hands)
    _print_growth(small, large)
    if beside is not None:
        _print_beside(beside)


def _print_latencies(quiet: dict[int, Timings], hands: dict[int, Timings]) -> None:
    print("| endpoint, median ms | 1 day | by hand | 30 days | by hand | ratio |\n|---|---|---|---|---|---|")
    for name in QUESTIONS:
        cells = []
        for days in (1, DAYS):
            cells += [
                f"{statistics.median(found[name]) * 1e3:.0f}" if name in found else "" for found in (quiet[days], hands[days])
            ]
        asked, hand = quiet[DAYS].get(name), hands[DAYS].get(name)
        cells.append(f"{statistics.median(asked) / statistics.median(hand):.2f}" if asked and hand else "")
        print(f"| {name} | {' | '.join(cells)} |")


def _print_growth(small: Timings, large: Timings) -> None:
    print("\n| endpoint, median ms for the same day | first tenth of the store | whole store | ratio |\n|---|---|---|---|")
    for name in small:
        before, after = statistics.median(small[name]), statistics.median(large[name])
        print(f"| {name} | {before * 1e3:.0f} | {after * 1e3:.0f} | {after / before:.1f} |")


def _print_beside(beside: "Beside") -> None:
    print(
        f"\n| endpoint, p95 ms for 30 days | quiet | one question in {EACH_S:.0f} s beside ingest | ratio "
        "| asked all the time | ratio |\n|---|---|---|---|---|---|"
    )
    for name, seconds in beside.quiet.items():
        quiet, now_and_then, always = (_p95(each) for each in (seconds, beside.now_and_then[name], beside.always[name]))
        print(
            f"| {name} | {quiet * 1e3:.0f} | {now_and_then * 1e3:.0f} | {now_and_then / quiet:.1f} "
            f"| {always * 1e3:.0f} | {always / quiet:.1f} |"
        )


ALONE_S = 5.0
"""Seconds of ingest in each turn that nobody asks beside."""
EACH_S = 2.0
"""Seconds from one question to the next of a client that asks now and then, as a page of charts does."""
CALM_S = 1.0
"""After this long without ingest everything is in the database."""


class Beside(NamedTuple):
    """Seconds of every endpoint, quiet and beside ingest: asked now and then, and without a pause. By turns, as the speed of a
    shared host changes within minutes."""

    quiet: Timings
    now_and_then: Timings
    always: Timings


def _under_load(server: Server, repeats: int) -> Beside:
    """One load, whose requests are made while they are sent, and which stops in each turn for the quiet figures."""
    light = Light(PROCESSES.Event(), PROCESSES.Event())
    thread = threading.Thread(target=run, args=(server, "grpc", 512, 10**9, 8, 1_000_000, END + DAY), kwargs={"light": light})
    thread.start()
    asks = {name: question.ask for name, question in QUESTIONS.items() if DAYS in question.days}
    beside = Beside(*({name: [] for name in asks} for _ in Beside._fields))
    spans, seconds = [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]  # nobody asks, now and then, always

    def ask_all(into: Timings, each_s: float = 0.0) -> None:
        for name, ask in asks.items():
            due = time.perf_counter() + each_s
            into[name] += _timed(lambda ask=ask: ask(server, START, END), 1)  # type: ignore[misc]
            time.sleep(max(0.0, due - time.perf_counter()))

    for turn in range(repeats):
        light.go.set()
        if not turn:
            time.sleep(3)  # the generator starts
        for place, ask in enumerate(
            (lambda: time.sleep(ALONE_S), lambda: ask_all(beside.now_and_then, EACH_S), lambda: ask_all(beside.always))
        ):
            before, started = server.committed_spans(), time.perf_counter()
            ask()
            spans[place] += server.committed_spans() - before
            seconds[place] += time.perf_counter() - started
        light.go.clear()
        time.sleep(CALM_S)
        ask_all(beside.quiet)
    light.enough.set()
    light.go.set()
    thread.join()
    alone, now_and_then, always = (spans[place] / seconds[place] for place in range(3))
    print(
        f"ingest alone {alone:,.0f} spans/s, with one question in {EACH_S:.0f} s {now_and_then:,.0f} "
        f"({now_and_then / alone - 1:+.0%}), asked all the time {always:,.0f} ({always / alone - 1:+.0%})\n"
    )
    return beside


if __name__ == "__main__":
    main()
