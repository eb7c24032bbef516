"""The running binary on every engine: several processes on one PostgreSQL, one on the embedded ones."""

import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import ServerProcess, ask, spans
from tests.engines import ENGINES, url_of

REQUESTS = 6


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., ServerProcess]]:
    """Starts processes in folders of their own; ends them."""
    processes: list[ServerProcess] = []

    def run(url: str, *flags: str) -> ServerProcess:
        folder = tmp_path / str(len(processes))
        folder.mkdir()
        processes.append(ServerProcess(folder, "--database-url", url, *flags))
        return processes[-1]

    yield run
    for process in processes:
        process.kill()


def send(receiver: ServerProcess, body: dict[str, Any]) -> None:
    status, answer = ask(receiver.otlp_url + "/v1/traces", method="POST", body=body)
    assert status == 200, answer


def calls(server: ServerProcess) -> int:
    status, answer = ask(server.api_url + "/api/v1/stats")
    assert status == 200, answer
    return int(answer["calls"])


@pytest.mark.parametrize("name", ENGINES)
def test_a_process_serves_any_engine_and_finds_its_spans_after_a_restart(
    request: pytest.FixtureRequest, tmp_path: Path, start: Callable[..., ServerProcess], name: str
) -> None:
    url = f"clickhousedb:///default?interface=chdb&path={tmp_path / 'ch'}"
    if name != "clickhouse":
        url = url_of(request, name, tmp_path)
    else:
        request.getfixturevalue("clickhouse_databases")  # says what is missing
    server = start(url)
    body = spans(7)
    send(server, body)
    send(server, body)
    assert calls(server) == 7
    assert server.stop(signal.SIGTERM) == 0
    assert calls(start(url)) == 7


@pytest.mark.parametrize("name", ["postgresql", "clickhouse"])
def test_receivers_and_query_servers_share_one_store(
    request: pytest.FixtureRequest, tmp_path: Path, start: Callable[..., ServerProcess], name: str
) -> None:
    url = url_of(request, name, tmp_path)
    if name == "clickhouse":  # over HTTP: other processes cannot have the engine of this one in theirs
        url = request.getfixturevalue("clickhouse_http").url(url.partition("?")[0].rpartition("/")[2])
    receivers = [start(url, "--only", "receiver"), start(url, "--only", "receiver")]
    api = start(url, "--only", "api")
    bodies = [spans(10) for _ in range(REQUESTS)]

    def deliver(receiver: ServerProcess, order: list[dict[str, Any]]) -> None:
        for body in order:
            send(receiver, body)

    threads = [
        threading.Thread(target=deliver, args=(receivers[0], bodies)),
        threading.Thread(target=deliver, args=(receivers[1], bodies[::-1])),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert calls(api) == 10 * REQUESTS
    receivers[0].kill()
    send(receivers[1], bodies[0])
    send(receivers[1], spans(1))
    assert calls(api) == 10 * REQUESTS + 1
    assert receivers[1].stop(signal.SIGTERM) == 0
    assert api.stop(signal.SIGTERM) == 0
