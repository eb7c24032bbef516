"""Aliases of spans: made once, and another one each time within a statement."""

import threading
from itertools import pairwise

from otel_llm.store import schema


def test_what_a_thread_gets_does_not_depend_on_others_and_is_made_once() -> None:
    found: list[list[object]] = []

    def take() -> None:
        found.append([schema.other_spans() for _ in range(2 * len(schema._ALIASES))])

    for _ in range(2):
        thread = threading.Thread(target=take)
        thread.start()
        thread.join()
    once, again = found
    assert all(one is other for one, other in zip(once, again, strict=True))
    assert len(set(map(id, once))) == len(schema._ALIASES)
    assert all(one is not following for one, following in pairwise(once))
