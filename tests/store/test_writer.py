"""Group commit: answered by the commit that holds it, and nobody pays for a neighbour."""

import threading
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa

from otel_llm.errors import StoreUnavailable
from otel_llm.spans import Finding, MetricPoint, SpanBatch
from otel_llm.store import schema
from otel_llm.store.engines.base import Engine, ResponseKey, TraceKey, WriteSession
from otel_llm.store.engines.duckdb import DuckDBEngine
from otel_llm.store.writer import Work, Writer
from tests.waiting import wait_until

from .rows import T0, batch, span
from .test_resolution import stored

HOUR = 3_600_000_000_000


class Moody(DuckDBEngine):
    """A DuckDB store whose first commits fail, or that waits before each."""

    failures = 0
    gate: threading.Event | None = None

    @contextmanager
    def write(self, traces: Collection[TraceKey], responses: Collection[ResponseKey] = ()) -> Iterator[WriteSession]:
        if self.gate is not None:
            self.gate.wait(10)
        with super().write(traces, responses) as session:
            yield session
            if self.failures:
                self.failures -= 1
                raise OSError("the disk went away")


def no_prices(batch: SpanBatch, rows: Sequence[int]) -> None:
    """A price table that knows nothing."""


@pytest.fixture
def moody(tmp_path: Path) -> Iterator[Moody]:
    engine = Moody(str(tmp_path / "moody.duckdb"))
    engine.open()
    yield engine
    engine.close()


@pytest.fixture
def writer(moody: Moody) -> Iterator[Writer]:
    running = Writer(moody, no_prices, max_spans=1000, margin_ns=HOUR)
    running.start()
    yield running
    running.stop()


def submit(writer: Writer, work: Work) -> threading.Thread:
    """Submits from a thread of its own; the outcome is in the work."""

    def run() -> None:
        try:
            writer.submit(work)
        except StoreUnavailable as error:
            work.error = error

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def test_a_submitted_span_is_visible_when_submit_returns(moody: Moody, writer: Writer) -> None:
    work = Work(batch(span()))
    writer.submit(work)
    assert (work.stored, work.duplicate, len(stored(moody))) == (1, 0, 1)


def test_a_failed_commit_is_a_retryable_error_and_the_same_request_succeeds_later(moody: Moody, writer: Writer) -> None:
    moody.failures = 1
    with pytest.raises(StoreUnavailable):
        writer.submit(Work(batch(span())))
    assert stored(moody) == {}
    again = Work(batch(span()))
    writer.submit(again)
    assert (again.stored, again.duplicate) == (1, 0)


def test_requests_that_wait_while_a_commit_runs_share_the_next_one(moody: Moody, writer: Writer) -> None:
    moody.gate = threading.Event()
    works = [Work(batch(span(span_id=number))) for number in range(1, 21)]
    threads = [submit(writer, work) for work in works]
    wait_until(lambda: writer.statistics.submitted == 20)
    moody.gate.set()
    for thread in threads:
        thread.join()
    assert writer.statistics.commits <= 2, "what was taken when the gate closed, and all the rest"
    assert [work.stored for work in works] == [1] * 20


def test_a_commit_is_bounded_in_bytes(moody: Moody) -> None:
    committed: list[int] = []
    writer = Writer(
        moody, no_prices, max_spans=1000, max_bytes=100, margin_ns=HOUR, on_commit=lambda _, spans: committed.append(spans)
    )
    moody.gate = threading.Event()
    writer.start()
    sizes = [10, 30, 40, 40, 500, 10]
    first = submit(writer, Work(batch(span()), size_bytes=1))
    wait_until(lambda: writer.statistics.submitted == 1 and not writer.statistics.waiting_spans)
    threads = [first]
    for number, size in enumerate(sizes, 2):
        threads.append(submit(writer, Work(batch(span(span_id=number)), size_bytes=size)))
        wait_until(lambda number=number: writer.statistics.submitted == number)  # type: ignore[misc]
    moody.gate.set()
    for thread in threads:
        thread.join()
    writer.stop()
    assert committed == [1, 3, 1, 1, 1], "10 + 30 + 40, 40, 500 on its own, 10"


def test_copies_in_requests_of_one_commit_are_told_apart(moody: Moody, writer: Writer) -> None:
    moody.gate = threading.Event()
    works = [Work(batch(span(span_id=1))) for _ in range(3)]
    threads = [submit(writer, work) for work in works]
    moody.gate.set()
    for thread in threads:
        thread.join()
    assert sum(work.stored for work in works) == 1
    assert sum(work.duplicate for work in works) == 2


def test_a_request_that_cannot_be_stored_does_not_cost_its_neighbours(moody: Moody, writer: Writer) -> None:
    moody.gate = threading.Event()
    first, poison, last = (
        Work(batch(span(span_id=1))),
        Work(batch(span(span_id=2, input_tokens=2**70))),
        Work(batch(span(span_id=3))),
    )
    threads = [submit(writer, work) for work in (first, poison, last)]
    wait_until(lambda: writer.statistics.submitted == 3)
    moody.gate.set()
    for thread in threads:
        thread.join()
    assert isinstance(poison.error, StoreUnavailable)
    assert {key[1][-1] for key in stored(moody)} == {1, 3}


def test_stop_commits_what_waits_and_refuses_what_comes_later(moody: Moody, writer: Writer) -> None:
    moody.gate = threading.Event()
    work = Work(batch(span()))
    thread = submit(writer, work)
    wait_until(lambda: writer.statistics.submitted == 1)
    threading.Timer(0.1, moody.gate.set).start()
    writer.stop()
    thread.join()
    assert work.stored == 1
    with pytest.raises(StoreUnavailable):
        writer.submit(Work(batch(span(span_id=2))))


def test_a_request_that_cannot_be_told_costs_no_other_its_answer(moody: Moody, writer: Writer) -> None:
    def deaf(work: Work) -> None:
        raise KeyError("nobody listens")

    writer.enqueue(Work(batch(span(span_id=1)), done=deaf))
    later = Work(batch(span(span_id=2)))
    writer.submit(later)
    assert later.stored == 1
    assert len(stored(moody)) == 2


def test_findings_and_points_that_are_there_already_are_told_to_the_request_that_repeats_them(engine: Engine) -> None:
    def point(number: int) -> MetricPoint:
        return MetricPoint("default", bytes([number] * 16), "tokens", "1", "sum", T0, T0, None, "{}", "{}")

    finding = Finding("default", b"t" * 16, b"s" * 8, b"f" * 16, T0, "p", "", "alert", "", "test")
    writer = Writer(engine, no_prices, max_spans=1000, margin_ns=HOUR)
    first, twice, again = (
        Work(batch(), [finding], [point(1)]),
        Work(batch(), [finding], [point(1), point(2), point(2)]),
        Work(batch(span()), [finding], [point(3), point(2)]),
    )
    writer.enqueue(first)
    writer.enqueue(twice)  # one commit with the first
    writer.start()
    writer.submit(again)
    writer.stop()
    assert [work.repeated for work in (first, twice, again)] == [0, 3, 2]
    with engine.sql.connect() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(schema.metric_points)).scalar() == 3
        assert connection.execute(sa.select(sa.func.count()).select_from(schema.findings)).scalar() == 1


class Panic(BaseException):
    """What native code raises when it gives up; no Exception, as in the Arrow library."""


def test_a_panic_of_native_code_fails_its_commit_and_not_the_writer(
    moody: Moody, writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def panic(*_: object) -> None:
        raise Panic("offset overflow")

    with monkeypatch.context() as patched:
        patched.setattr(writer, "_write", panic)
        with pytest.raises(StoreUnavailable):
            writer.submit(Work(batch(span())))
    again = Work(batch(span()))
    writer.submit(again)
    assert again.stored == 1


def test_requests_that_were_read_together_and_cannot_be_stored_together_are_tried_one_by_one(
    moody: Moody, writer: Writer
) -> None:
    spans = [span(span_id=1), span(span_id=2, input_tokens=2**70), span(span_id=3), span(span_id=4)]
    sizes = [0, 1, 1, 2]

    def read(works: list[Work]) -> list[Work]:
        assert len(works) == 4
        for work, size in zip(works, sizes, strict=True):
            work.spans = size
        works[1].batch = batch(*spans)
        return works

    moody.gate = threading.Event()
    first = submit(writer, Work(batch(span(span_id=9))))
    wait_until(lambda: writer.statistics.submitted == 1 and not writer.statistics.waiting_spans)
    works = [Work(batch(), spans=1, unread=read) for _ in sizes]
    threads = [first]
    for number, work in enumerate(works, 2):
        threads.append(submit(writer, work))
        wait_until(lambda number=number: writer.statistics.submitted == number)  # type: ignore[misc]
    moody.gate.set()
    for thread in threads:
        thread.join()
    assert [work.stored for work in works] == [0, 1, 0, 2]
    assert [work.error is None for work in works] == [True, True, False, True]
    assert {key[1][-1] for key in stored(moody)} == {9, 1, 3, 4}
    assert writer.statistics.waiting_spans == 0


def test_requests_that_cannot_be_joined_are_tried_one_by_one(
    moody: Moody, writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    concat = SpanBatch.concat

    def concat_one(batches: Sequence[SpanBatch]) -> SpanBatch:
        if len(batches) > 1:
            raise MemoryError
        return concat(batches)

    monkeypatch.setattr(SpanBatch, "concat", concat_one)
    moody.gate = threading.Event()
    works = [Work(batch(span(span_id=number))) for number in range(1, 5)]
    threads = [submit(writer, work) for work in works]
    wait_until(lambda: writer.statistics.submitted == 4)
    moody.gate.set()
    wait_until(lambda: not any(thread.is_alive() for thread in threads))
    assert [work.stored for work in works] == [1] * 4
    assert writer.statistics.failed_commits, "some of them were to be joined"


def test_what_is_read_together_is_committed_in_parts_of_as_many_spans_as_one_may_have(moody: Moody) -> None:
    sizes, commits = [0, 2, 1, 1, 5, 0, 3], []

    def read(works: list[Work]) -> list[Work]:
        for work, size in zip(works, sizes, strict=True):
            work.spans = size
        works[1].batch = batch(*(span(span_id=number) for number in range(1, 10)))
        works[6].batch = batch(*(span(span_id=number) for number in range(9, 12)))
        return works

    small = Writer(moody, no_prices, max_spans=3, margin_ns=HOUR, on_commit=lambda _, spans: commits.append(spans))
    finding = Finding("default", b"t" * 16, b"s" * 8, b"f" * 16, T0, "p", "", "alert", "", "test")
    works = [Work(batch(), spans=0, unread=read) for _ in sizes]
    for work in (Work(batch(), [finding]), *works):
        small.enqueue(work)
    small.start()
    small.stop()
    assert commits == [3, 1, 5, 3]
    assert [(work.stored, work.duplicate) for work in works] == [(0, 0), (2, 0), (1, 0), (1, 0), (5, 0), (0, 0), (2, 1)]
    assert len(stored(moody)) == 11


def test_a_reader_that_fails_is_the_answer_of_its_requests_and_of_no_others(moody: Moody, writer: Writer) -> None:
    def read(works: list[Work]) -> list[Work]:
        raise StoreUnavailable("not read")

    unreadable, good = Work(batch(), spans=1, unread=read), Work(batch(span(span_id=2)))
    for thread in [submit(writer, work) for work in (unreadable, good)]:
        thread.join()
    assert isinstance(unreadable.error, StoreUnavailable)
    assert good.stored == 1
    writer.submit(Work(batch(span(span_id=3))))
    assert len(stored(moody)) == 2
