from concurrent.futures import ThreadPoolExecutor

import pytest

from otel_llm.budget import Budget
from otel_llm.errors import Overloaded


def test_a_budget_gives_no_more_than_it_has_and_takes_back():
    budget = Budget(100)
    budget.reserve(60)
    with pytest.raises(Overloaded, match="60 of 100 bytes"):
        budget.reserve(41)
    budget.reserve(40)
    budget.release(100)
    assert budget.used == 0


def test_a_hold_grows_shrinks_and_is_released_once():
    budget = Budget(100)
    hold = budget.hold()
    hold.grow(30)
    hold.grow(30)
    hold.shrink(10)
    assert (hold.size, budget.used) == (50, 50)
    hold.release()
    hold.release()
    assert (hold.size, budget.used) == (0, 0)


def test_a_refused_growth_keeps_what_was_held():
    budget = Budget(100)
    hold = budget.hold()
    hold.grow(90)
    with pytest.raises(Overloaded):
        hold.grow(11)
    assert (hold.size, budget.used) == (90, 90)


def test_many_threads_never_exceed_the_limit_nor_lose_a_byte():
    budget = Budget(1000)
    seen: list[int] = []

    def work(size: int) -> int:
        refused = 0
        for _ in range(300):
            hold = budget.hold()
            try:
                hold.grow(size)
                hold.grow(size)
                seen.append(budget.used)
            except Overloaded:
                refused += 1
            hold.release()
        return refused

    with ThreadPoolExecutor(16) as threads:
        list(threads.map(work, range(90, 250, 10)))
    assert max(seen) <= 1000
    assert budget.used == 0
