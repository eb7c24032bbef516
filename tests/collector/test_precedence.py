"""Questions before ingest: ingest waits for a question, never for long, and never for all of them."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

import pytest
import requests
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st

from otel_llm.access.caller import OPEN_CALLER
from otel_llm.collector import Collector
from otel_llm.config import Settings
from otel_llm.precedence import FIRST_S, SAVED_S, SHARE, Precedence
from tests.receiver.backend import Running
from tests.receiver.requests import traces
from tests.serving.small_server import SmallServer


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_ingest_does_not_wait_while_nothing_is_asked() -> None:
    precedence = Precedence()
    precedence.give_way()
    with precedence.question():
        pass
    assert precedence.left_s <= 0
    precedence.give_way()


@pytest.mark.parametrize("beside_a_long_one", [False, True])
def test_ingest_goes_on_as_soon_as_a_question_is_answered(beside_a_long_one: bool) -> None:
    clock = Clock()  # it stands while ingest waits
    precedence, waited = Precedence(clock=clock), threading.Event()

    def work() -> None:
        precedence.give_way()
        waited.set()

    thread = threading.Thread(target=work)
    with ExitStack() as asked:
        if beside_a_long_one:
            asked.enter_context(precedence.question())
            clock.now += 10
        with precedence.question():
            thread.start()
            assert not waited.wait(0.05)
        assert waited.wait(10)
    thread.join()


def test_ingest_waits_for_the_first_moments_of_a_long_question_only() -> None:
    precedence, started = Precedence(), time.monotonic()
    with precedence.question():
        precedence.give_way()
        assert time.monotonic() - started >= FIRST_S * 0.9
        assert precedence.left_s <= 0


def test_a_short_question_beside_a_long_one_has_precedence_too() -> None:
    clock = Clock()
    precedence = Precedence(clock=clock)
    with precedence.question():
        clock.now += 10
        assert precedence.left_s <= 0
        with precedence.question():
            assert precedence.left_s == pytest.approx(FIRST_S)


def test_without_a_share_ingest_never_waits() -> None:
    precedence = Precedence(share=0.0)
    with precedence.question():
        assert precedence.left_s <= 0


def test_a_question_that_fails_holds_nobody_up() -> None:
    precedence = Precedence(clock=Clock())
    with pytest.raises(ZeroDivisionError), precedence.question():
        raise ZeroDivisionError
    assert precedence.left_s <= 0


@given(st.lists(st.tuples(st.sampled_from(["ask", "answer", "wait", "go on"]), st.floats(0, 3)), max_size=60))
def test_whatever_is_asked_ingest_waits_for_a_share_of_the_time(steps: list[tuple[str, float]]) -> None:
    clock = Clock()
    precedence, begun, waited = Precedence(clock=clock), clock.now, 0.0
    asked: list[tuple[float, AbstractContextManager[None]]] = []
    waiting: list[AbstractContextManager[None]] = []
    for what, seconds in steps:
        if what == "ask":
            question = precedence.question()
            question.__enter__()
            asked.append((clock.now, question))
        elif what == "answer" and asked:
            asked.pop(len(asked) // 2)[1].__exit__(None, None, None)
        elif what == "wait":
            waiting.append(precedence.waiting())
            waiting[-1].__enter__()
        elif what == "go on" and waiting:
            waiting.pop().__exit__(None, None, None)
        left = precedence.left_s
        assert left <= max((since + FIRST_S - clock.now for since, _ in asked), default=0.0) + 1e-6
        waited += min(max(left, 0.0), seconds) if waiting else 0.0
        clock.now += seconds
    assert waited <= SHARE * (clock.now - begun) + SAVED_S + 1e-6
    for _, question in asked:
        question.__exit__(None, None, None)
    assert precedence.given_s == pytest.approx(waited)


def test_a_commit_waits_for_a_question_and_is_made_then(tmp_path: Path) -> None:
    collector, clock = Collector(Settings(database_url=f"duckdb:///{tmp_path / 'store.duckdb'}")), Clock()
    collector.precedence.__init__(clock=clock)  # type: ignore[misc]
    collector.start()
    try:
        with ThreadPoolExecutor(1) as pool, collector.precedence.question():
            answer = pool.submit(collector.pipeline.traces, traces(), OPEN_CALLER)
            with pytest.raises(TimeoutError):
                answer.result(0.1)
            clock.now += FIRST_S
            answer.result(10)  # though the question goes on
    finally:
        collector.stop()


def test_a_large_request_is_read_after_a_question() -> None:
    with Running() as running:
        running.backend.precedence.__init__(clock=Clock())  # type: ignore[misc]
        ingest, body = running.receiver.ingest, traces("x" * 10_000).SerializeToString()
        with running.backend.precedence.question():
            answer = ingest.submit("traces", body, "protobuf", "", OPEN_CALLER, ingest.budget.hold())
            with pytest.raises(TimeoutError):
                answer.result(0.1)
            assert not running.pipeline.requests
        answer.result(10)
        assert running.pipeline.requests


def test_an_answer_of_the_api_is_a_question_also_when_it_fails() -> None:
    asked: list[str] = []

    @contextmanager
    def question() -> Iterator[None]:
        asked.append("begun")
        yield
        asked.append("ended")

    app = Flask(__name__)
    app.add_url_rule("/fails", view_func=lambda: asked.append("answered") or 1 / 0)  # type: ignore[func-returns-value]
    with SmallServer(app, question=question) as server:
        assert requests.get(f"{server.url}/fails", timeout=10).status_code == 500
    assert asked == ["begun", "answered", "ended"]
