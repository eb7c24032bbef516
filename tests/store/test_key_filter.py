"""A filter of keys forgets none, tells projects apart, and rarely takes a strange key for a known one."""

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from otel_llm.store.key_filter import Hashed, KeyFilter

IDS = st.one_of(st.lists(st.binary(max_size=16), max_size=50), st.lists(st.text(max_size=20), max_size=50))


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.text(max_size=3), IDS, st.integers(0, 2**62)), max_size=5))
def test_what_was_added_is_found_in_the_order_it_is_asked_for(added: list[tuple[str, list[bytes] | list[str], int]]) -> None:
    known = KeyFilter()
    for project, ids, latest in added:
        known.add(project, ids, latest)
    assert known.keys == sum(len(ids) for _, ids, _ in added)
    assert known.latest == max((latest for *_, latest in added), default=0)
    for project, ids, _ in added:
        if ids:
            assert known.among(Hashed.of(project, ids)) == ids


def test_strange_keys_and_those_of_other_projects_are_told_apart() -> None:
    drawn = random.Random(0)
    known, strange = ([f"{drawn.getrandbits(96):024x}" for _ in range(50_000)] for _ in range(2))
    keys = KeyFilter()
    keys.add("a", known, 1)
    mixed = [each for pair in zip(known, strange, strict=True) for each in pair]
    found = keys.among(Hashed.of("a", mixed))
    ours = set(known)
    assert [each for each in found if each in ours] == known
    assert len(found) - len(known) < 5
    assert len(keys.among(Hashed.of("b", known))) < 5


def test_keys_asked_for_a_few_at_a_time_are_told_apart_as_many_at_once_are() -> None:
    drawn = random.Random(1)
    known, strange = ([drawn.randbytes(16) for _ in range(20_000)] for _ in range(2))
    keys = KeyFilter()
    keys.add("a", known, 1)
    asked = [each for pair in zip(known, strange, strict=True) for each in pair]
    at_once = keys.among(Hashed.of("a", asked))
    parted = [asked[first : first + 7] for first in range(0, len(asked), 7)]
    assert [each for part in parted for each in keys.among(Hashed.of("a", part))] == at_once
    assert set(known) <= set(at_once)
    assert len(at_once) < len(asked)
