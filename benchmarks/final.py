"""What FINAL costs on ClickHouse: every endpoint over the same store, with it and without it by turns.

    python -m benchmarks.final                 # 200,000 spans over 30 days

FINAL makes a read see the newest version of each row only, which exactly-once needs. Without it nothing else differs: the
same process, the same SQL, the same parts. The store is filled through the receiver and read as the fill left it, with its
many parts, then once more when the server has merged each day into one part. The engine runs in process (chDB), so the
processor time of the process is that of the engine and of the query API; other work on the machine does not count in it.
"""

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from flask.testing import FlaskClient

from benchmarks.engines import fill
from benchmarks.query import DAY, DAYS, END, QUESTIONS
from benchmarks.server import Server, machine
from otel_llm.collector import Collector
from otel_llm.config import Settings
from query_api import create_app

REPEATS = 7


class _Client:
    """Asks an application of this process."""

    def __init__(self, url: str) -> None:
        self.collector = Collector(Settings(database_url=url))
        self._client: FlaskClient = create_app(self.collector).test_client()

    def get(self, path: str) -> Any:
        return self._answer(self._client.get(path))

    def post(self, path: str, body: Any) -> Any:
        return self._answer(self._client.post(path, json=body))

    def _answer(self, response: Any) -> Any:
        if response.status_code != 200:
            raise RuntimeError(response.get_data(as_text=True))
        return json.loads(response.data)


def _table(title: str, clients: dict[str, _Client]) -> None:
    engine = next(iter(clients.values())).collector.engine
    with engine.sql.connect() as connection:
        parts = connection.exec_driver_sql(
            "SELECT count() FROM system.parts WHERE active AND database = currentDatabase() AND table = 'spans'"
        ).scalar()
    columns = " | ".join(f"{each}, ms | processor, ms" for each in clients)
    print(f"\n{title}: {parts} parts\n\n| {DAYS} days | {columns} |\n|---|---|---|---|---|", flush=True)
    for name, question in QUESTIONS.items():
        if DAYS not in question.days:
            continue
        took: dict[str, list[tuple[float, float]]] = {each: [] for each in clients}
        for turn in range(2 * REPEATS):
            each = list(clients)[(turn + turn // 2) % 2]  # who goes first changes too
            started, used = time.perf_counter(), time.process_time()
            question.ask(clients[each], END - DAYS * DAY, END)
            took[each].append((time.perf_counter() - started, time.process_time() - used))
        medians = [statistics.median(values) * 1e3 for each in took.values() for values in zip(*each, strict=True)]
        print(f"| {name} | {' | '.join(f'{median:,.0f}' for median in medians)} |", flush=True)


def main() -> None:
    """Runs the benchmark and prints tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--spans", type=int, default=200_000)
    args = parser.parse_args()
    print(f"# {machine()}\n# python -m benchmarks.final --spans {args.spans}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        url = f"clickhousedb:///default?interface=chdb&path={Path(folder) / 'clickhouse'}"
        server = Server.start(url)
        try:
            fill(server, "clickhouse", args.spans)
        finally:
            server.stop()
        clients = {"with FINAL": _Client(url), "without": _Client(f"{url}&final=0")}
        engine = clients["without"].collector.engine
        with engine.sql.connect() as connection:
            connection.exec_driver_sql("SYSTEM STOP MERGES spans")
            _table("As ingest left them", clients)
            connection.exec_driver_sql("SYSTEM START MERGES spans")
            connection.exec_driver_sql("OPTIMIZE TABLE spans FINAL")
        _table("Merged", clients)
        for client in clients.values():
            client.collector.stop()


if __name__ == "__main__":
    main()
