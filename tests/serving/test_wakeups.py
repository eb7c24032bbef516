"""Requests that are answered together wake their event loop once, and each gets its own answer."""

import asyncio
import gc
import threading
import weakref
from concurrent.futures import Future
from typing import Any

import pytest

from otel_llm import wakeups
from otel_llm.wakeups import result_of


async def _waiting(futures: "list[Future[int]]") -> list["asyncio.Task[int]"]:
    tasks = [asyncio.create_task(result_of(future)) for future in futures]
    await asyncio.sleep(0)
    return tasks


def _in_a_thread(work: Any) -> threading.Thread:
    thread = threading.Thread(target=work)
    thread.start()
    return thread


def _counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    loop = asyncio.get_running_loop()
    calls: list[int] = []
    wake = loop.call_soon_threadsafe

    def counted(*args: Any, **options: Any) -> Any:
        calls.append(1)
        return wake(*args, **options)

    monkeypatch.setattr(loop, "call_soon_threadsafe", counted)
    return calls


@pytest.mark.parametrize("at_once", [True, False])
def test_those_answered_together_wake_the_loop_once(monkeypatch: pytest.MonkeyPatch, at_once: bool) -> None:
    futures: list[Future[int]] = [Future() for _ in range(8)]

    def answer() -> None:
        if at_once:
            with wakeups.together():
                for number, future in enumerate(futures):
                    future.set_result(number)
        else:
            for number, future in enumerate(futures):
                future.set_result(number)

    async def main() -> list[int]:
        tasks = await _waiting(futures)
        calls = _counted(monkeypatch)
        thread = _in_a_thread(answer)
        results = await asyncio.wait_for(asyncio.gather(*tasks), 10)
        thread.join()
        assert len(calls) == (1 if at_once else 8)
        return results

    assert asyncio.run(main()) == list(range(8))


def test_an_error_between_answers_leaves_nobody_waiting() -> None:
    first: Future[int] = Future()

    def answer_one_and_fail() -> None:
        with wakeups.together():
            first.set_result(1)
            raise KeyError

    def answer() -> None:
        with pytest.raises(KeyError):
            answer_one_and_fail()

    async def main() -> int:
        (task,) = await _waiting([first])
        _in_a_thread(answer).join()
        return await asyncio.wait_for(task, 10)

    assert asyncio.run(main()) == 1


def test_an_error_is_raised_where_it_is_waited_for() -> None:
    future: Future[int] = Future()

    async def main() -> None:
        (task,) = await _waiting([future])
        _in_a_thread(lambda: future.set_exception(KeyError("lost"))).join()
        with pytest.raises(KeyError, match="lost"):
            await asyncio.wait_for(task, 10)
        with pytest.raises(KeyError, match="lost"):
            await result_of(future)

    asyncio.run(main())


@pytest.mark.parametrize("begun", [True, False])
def test_who_stops_waiting_cancels_what_has_not_begun(begun: bool) -> None:
    future: Future[int] = Future()
    if begun:
        future.set_running_or_notify_cancel()

    async def main() -> None:
        (task,) = await _waiting([future])
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert future.cancelled() is not begun
        if begun:
            _in_a_thread(lambda: future.set_result(1)).join()
            await asyncio.sleep(0.01)

    asyncio.run(main())


def test_an_answer_after_the_loop_has_ended_is_dropped() -> None:
    future: Future[int] = Future()

    async def main() -> None:
        tasks = await _waiting([future])
        del tasks

    future.set_running_or_notify_cancel()
    asyncio.run(main())
    with wakeups.together():
        future.set_result(1)


def test_a_loop_that_was_waited_in_is_not_kept() -> None:
    async def main() -> "weakref.ref[asyncio.AbstractEventLoop]":
        future: Future[int] = Future()
        (task,) = await _waiting([future])
        _in_a_thread(lambda: future.set_result(1)).join()
        await task
        return weakref.ref(asyncio.get_running_loop())

    loop = asyncio.run(main())
    gc.collect()
    assert loop() is None
