"""A PostgreSQL server that stops, crashes or drops connections under load loses nothing acknowledged and doubles nothing."""

import signal
import threading
import time
from collections.abc import Callable, Iterator

import pytest
import sqlalchemy as sa

from otel_llm.config import Settings
from otel_llm.errors import StoreUnavailable
from otel_llm.store import schema
from otel_llm.store.engines.base import Engine
from otel_llm.store.open import open_engine
from otel_llm.store.writer import Work, Writer
from tests.engines import lacking
from tests.postgresql_server import NoServerBinary, PostgreSQLServer

from .rows import batch, span
from .test_resolution import HOUR, commit, no_prices, stored

SENDERS = 3
SPANS = 20


@pytest.fixture(scope="module")
def own_server() -> Iterator[PostgreSQLServer]:
    """A server that these tests may stop."""
    pytest.importorskip("psycopg", reason="psycopg is not installed (pip install 'otel-llm[postgres]')")
    try:
        server = PostgreSQLServer()
    except NoServerBinary as missing:
        lacking(str(missing))
    server.start()
    yield server
    server.remove()


@pytest.fixture
def admin(own_server: PostgreSQLServer) -> Callable[[str], None]:
    """Runs a statement as the server's owner."""

    def run(statement: str) -> None:
        engine = sa.create_engine(own_server.url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
        with engine.connect() as connection:
            connection.exec_driver_sql(statement)

    return run


@pytest.fixture
def restarted(own_server: PostgreSQLServer, admin: Callable[[str], None]) -> Iterator[Engine]:
    """An engine on an empty database of that server."""
    name = f"d{time.time_ns()}"
    admin(f"CREATE DATABASE {name}")
    engine = open_engine(own_server.url.replace("/postgres", f"/{name}"), Settings())
    yield engine
    engine.close()


class Sender(threading.Thread):
    """Submits batches of fresh traces one after another; repeats each until it is acknowledged."""

    def __init__(self, number: int, writer: Writer, stopping: threading.Event) -> None:
        super().__init__(daemon=True)
        self.number, self.writer, self.stopping = number, writer, stopping
        self.acknowledged = self.refused = 0

    def run(self) -> None:
        trace = self.number * 1_000_000
        while not self.stopping.is_set():
            traces = range(trace, trace + SPANS)
            trace += SPANS
            while True:
                try:
                    self.writer.submit(Work(batch(*(span(trace=number) for number in traces))))
                    break
                except StoreUnavailable:
                    self.refused += 1
                    time.sleep(0.05)
            self.acknowledged += SPANS


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGQUIT], ids=["restart", "crash"])
def test_nothing_acknowledged_is_lost_or_doubled_when_the_server_goes(
    own_server: PostgreSQLServer, restarted: Engine, how: signal.Signals
) -> None:
    writer = Writer(restarted, no_prices, max_spans=500, margin_ns=HOUR)
    writer.start()
    stopping = threading.Event()
    senders = [Sender(number, writer, stopping) for number in range(1, SENDERS + 1)]
    for sender in senders:
        sender.start()
    for _ in range(3):
        time.sleep(0.5)
        own_server.stop(how)
        own_server.start()
    time.sleep(0.5)
    stopping.set()
    for sender in senders:
        sender.join(30)
        assert not sender.is_alive(), "a sender was never acknowledged"
    writer.stop()
    with restarted.sql.connect() as connection:
        rows, distinct = connection.execute(sa.select(sa.func.count(), sa.func.count(schema.spans.c.trace_id.distinct()))).one()
    assert rows == distinct == sum(sender.acknowledged for sender in senders) > 0


def test_a_server_that_stays_away_refuses_as_retryable_and_is_used_again_when_back(
    own_server: PostgreSQLServer, restarted: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("otel_llm.store.engines.postgresql.RETRY_FOR_S", 0.5)
    own_server.stop()
    try:
        with pytest.raises(StoreUnavailable):
            commit(restarted, span())
    finally:
        own_server.start()
    assert commit(restarted, span()) == 0
    assert len(stored(restarted)) == 1


def in_thread(job: Callable[[], object]) -> tuple[threading.Thread, list[object]]:
    """A job at work and the place where its result, or its error, will be."""
    results: list[object] = []

    def run() -> None:
        try:
            results.append(job())
        except Exception as error:
            results.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    return thread, results


def end_backends(admin: Callable[[str], None], query: str) -> None:
    admin(
        "DO $$ BEGIN FOR i IN 1..100 LOOP "
        f"IF (SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE {query}) > 0 THEN RETURN; END IF; "
        "PERFORM pg_sleep(0.05); PERFORM pg_stat_clear_snapshot(); END LOOP; RAISE 'nobody to end'; END $$"
    )


def test_a_commit_whose_answer_is_lost_is_known_to_be_stored(
    own_server: PostgreSQLServer, restarted: Engine, admin: Callable[[str], None]
) -> None:
    """With a standby that never answers, the server commits, then waits: ended there, the client cannot know by itself."""
    commit(restarted, span(trace=9))
    admin("ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
    admin("SELECT pg_reload_conf()")
    try:
        thread, results = in_thread(lambda: commit(restarted, span(trace=1), span(trace=2)))
        end_backends(admin, "wait_event = 'SyncRep'")
        thread.join(20)
    finally:
        admin("ALTER SYSTEM RESET synchronous_standby_names")
        admin("SELECT pg_reload_conf()")
    assert results == [0], "stored, and none of it a duplicate"
    assert len(stored(restarted)) == 3


def test_a_connection_that_breaks_before_the_commit_is_replaced_and_the_work_done_again(
    restarted: Engine, admin: Callable[[str], None]
) -> None:
    commit(restarted, span(trace=9))
    with restarted.sql.begin() as blocker:
        blocker.exec_driver_sql("LOCK TABLE spans IN ACCESS EXCLUSIVE MODE")
        thread, results = in_thread(lambda: commit(restarted, span(trace=1)))
        end_backends(admin, "wait_event_type = 'Lock'")
    thread.join(20)
    assert results == [0]
    assert len(stored(restarted)) == 2


def test_queries_work_again_after_a_restart(own_server: PostgreSQLServer, restarted: Engine) -> None:
    commit(restarted, span())
    assert len(stored(restarted)) == 1
    own_server.stop()
    own_server.start()
    assert len(stored(restarted)) == 1
