"""What has not ended in time is stopped, until it has; nothing else is."""

import threading
import time
import weakref
from collections.abc import Callable

import pytest

from otel_llm.store.queries.deadlines import Deadlines
from tests.waiting import wait_until


def watchers() -> int:
    """Threads that watch."""
    return sum(thread.name == "otel-llm-deadlines" for thread in threading.enumerate())


def test_what_ends_in_time_is_not_stopped_and_starts_no_thread_of_its_own() -> None:
    deadlines, stopped = Deadlines(0.01), threading.Event()
    before = watchers()
    for _ in range(20):
        with deadlines.watch(time.monotonic() + 0.05, stopped.set):
            assert watchers() <= before + 1
    wait_until(lambda: watchers() == before)
    assert not stopped.is_set()


def test_what_is_overdue_is_stopped_again_until_it_ends() -> None:
    deadlines, calls = Deadlines(0.001), 0

    def stop() -> None:
        nonlocal calls
        calls += 1

    with deadlines.watch(time.monotonic(), stop):
        wait_until(lambda: calls >= 3)
    ended = calls
    time.sleep(0.05)
    assert calls == ended


def test_an_earlier_deadline_is_kept_beside_a_later_one() -> None:
    deadlines, stopped = Deadlines(0.01), threading.Event()
    with deadlines.watch(time.monotonic() + 600, lambda: None), deadlines.watch(time.monotonic() + 0.01, stopped.set):
        assert stopped.wait(10)


def test_what_has_ended_is_let_go_before_its_deadline() -> None:
    class Statement:
        def stop(self) -> None:
            """Ends it."""

    deadlines, statement = Deadlines(0.01), Statement()
    left = weakref.ref(statement)
    with deadlines.watch(time.monotonic() + 600, statement.stop):
        del statement
        assert left() is not None
    assert left() is None


def test_without_a_thread_to_watch_nothing_is_begun_and_the_next_is_watched(monkeypatch: pytest.MonkeyPatch) -> None:
    deadlines, unwatched, stopped = Deadlines(0.01), threading.Event(), threading.Event()
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", no_thread)
        with pytest.raises(RuntimeError), deadlines.watch(time.monotonic(), unwatched.set):
            pytest.fail("it was begun")
    with deadlines.watch(time.monotonic() + 0.05, stopped.set):
        assert stopped.wait(10)
    assert not unwatched.is_set()


def test_without_a_thread_to_stop_it_what_is_overdue_is_stopped_later(monkeypatch: pytest.MonkeyPatch) -> None:
    deadlines, refused, stopped = Deadlines(0.01), threading.Event(), threading.Event()

    def start(thread: threading.Thread) -> None:
        refused.set()
        no_thread(thread)

    with deadlines.watch(time.monotonic() + 0.1, stopped.set):
        with monkeypatch.context() as patched:
            patched.setattr(threading.Thread, "start", start)
            assert refused.wait(10)
            assert not stopped.is_set()
        assert stopped.wait(10)


def no_thread(_: threading.Thread) -> None:
    """Starts none, as where a process has as many as it may."""
    raise RuntimeError("can't start new thread")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_one_that_cannot_be_stopped_does_not_keep_others_from_being_stopped() -> None:
    deadlines, stopped, hanging = Deadlines(0.01), threading.Event(), threading.Event()

    def fails() -> None:
        raise OSError("nobody answers")

    with deadlines.watch(time.monotonic(), fails), deadlines.watch(time.monotonic() + 0.01, stopped.set):
        assert stopped.wait(10)
    stopped.clear()
    thread = threading.Thread(target=lambda: _watch(deadlines, lambda: hanging.wait(10)))
    thread.start()
    with deadlines.watch(time.monotonic() + 0.05, stopped.set):
        assert stopped.wait(5)
    hanging.set()
    thread.join()


def _watch(deadlines: Deadlines, stop: Callable[[], object]) -> None:
    with deadlines.watch(time.monotonic(), lambda: (stop(), None)[1]):
        time.sleep(0.1)
