"""Several receivers on one store: each span stored once, each call counted once, whoever gets what when."""

import random
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from otel_llm.config import Settings
from otel_llm.spans import FIELD_NAMES
from otel_llm.store.engines.base import Engine
from otel_llm.store.open import open_engine
from tests.engines import url_of

from .rows import SECOND, T0, span
from .test_resolution import commit, stored

SHARED = ("postgresql", "clickhouse")
ROUNDS = 12


@pytest.fixture(scope="module", params=SHARED)
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Engine, Engine]]:
    """Two receivers' engines on one store, opened at the same moment."""
    url = url_of(request, str(request.param), tmp_path_factory.mktemp("pair"))
    opened: list[Engine] = []
    threads = [threading.Thread(target=lambda: opened.append(open_engine(url, Settings()))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    first, second = opened
    yield first, second
    first.close()
    second.close()


def at_once(*jobs: Any) -> list[int]:
    """Runs jobs at the same moment; their results. The first error is raised."""
    barrier = threading.Barrier(len(jobs))
    results: list[Any] = [None] * len(jobs)

    def run(place: int) -> None:
        barrier.wait()
        try:
            results[place] = jobs[place]()
        except BaseException as error:
            results[place] = error

    threads = [threading.Thread(target=run, args=(place,)) for place in range(len(jobs))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive(), "two receivers wait for each other"
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return results


def assert_same_rows(engine: Engine, project: str, expected: str) -> None:
    """Two projects hold the same rows."""
    got, wanted = stored(engine, project), stored(engine, expected)
    names = [name for name in FIELD_NAMES if name != "project"]
    assert got.keys() == wanted.keys()
    for key, row in wanted.items():
        assert {name: got[key][name] for name in names} == {name: row[name] for name in names}


def test_a_span_sent_to_two_receivers_at_once_is_stored_once(pair: tuple[Engine, Engine]) -> None:
    for number in range(ROUNDS):
        project = f"same{number}"
        rows = [span(trace=trace, project=project) for trace in range(1, 30)]
        at_once(lambda: commit(pair[0], *rows), lambda: commit(pair[1], *reversed(rows)))  # noqa: B023 done before the next
        assert len(stored(pair[0], project)) == len(rows)


def test_nested_records_of_a_call_sent_to_two_receivers_at_once_count_once(pair: tuple[Engine, Engine]) -> None:
    for number in range(ROUNDS):
        project = f"nested{number}"
        outer = [
            span(trace=trace, span_id=1, session_id="s", end_ns=T0 + 2 * SECOND, project=project) for trace in range(1, 20)
        ]
        inner = [span(trace=trace, span_id=2, parent=1, project=project) for trace in range(1, 20)]
        at_once(lambda: commit(pair[0], *outer), lambda: commit(pair[1], *inner))  # noqa: B023 done before the next
        for (_, span_id), row in stored(pair[0], project).items():
            assert row["counted"] is (span_id[-1] == 2)
            assert row["session_id"] == "s"


def test_a_call_in_two_traces_sent_to_two_receivers_at_once_counts_once(pair: tuple[Engine, Engine]) -> None:
    for number in range(ROUNDS):
        project = f"crossing{number}"
        long = [
            span(trace=trace, response_id=f"r{trace}", end_ns=T0 + 3 * SECOND, project=project, user_id="u")
            for trace in range(1, 20)
        ]
        short = [
            span(trace=100 + trace, response_id=f"r{trace}", start_ns=T0 + SECOND, project=project) for trace in range(1, 20)
        ]
        at_once(lambda: commit(pair[0], *long), lambda: commit(pair[1], *short))  # noqa: B023 done before the next
        rows = stored(pair[0], project)
        assert {key[0][-1] >= 100 for key, row in rows.items() if row["counted"]} == {True}
        assert sum(row["counted"] for row in rows.values()) == len(short)


def test_copies_that_differ_and_start_in_different_hours_meet_as_one(pair: tuple[Engine, Engine]) -> None:
    hour = T0 + 3_600 * SECOND
    for number in range(ROUNDS):
        project = f"moved{number}"
        early = span(project=project, start_ns=hour - SECOND, end_ns=hour + SECOND, name="early")
        late = span(project=project, start_ns=hour + SECOND, end_ns=hour + 2 * SECOND, name="late")
        at_once(lambda: commit(pair[0], early), lambda: commit(pair[1], late))  # noqa: B023 done before the next
        commit(pair[number % 2], span(project=project, span_id=2, start_ns=hour))
        assert {row["name"] for key, row in stored(pair[0], project).items() if key[1][-1] == 1} == {"late"}


def test_any_split_of_traces_over_two_receivers_gives_what_one_commit_gives(pair: tuple[Engine, Engine]) -> None:
    for seed in range(ROUNDS // 2):
        dice = random.Random(seed)
        rows = []
        for trace in range(1, 12):
            for number in range(1, dice.randint(2, 6)):
                start = T0 + dice.randint(0, 4) * SECOND
                rows.append(
                    span(
                        trace=trace,
                        span_id=number,
                        parent=dice.choice([None, *range(1, number + 1)]),
                        role=dice.choice(["generation", "generation", "agent", "tool"]),
                        start_ns=start,
                        end_ns=start + dice.randint(0, 4) * SECOND,
                        input_tokens=dice.choice([None, 1, 2]),
                        response_id=dice.choice([None, "r1", "r2", "r3"]),
                        session_id=dice.choice([None, "s1"]),
                    )
                )
        together, apart = f"together{seed}", f"apart{seed}"
        commit(pair[0], *({**row, "project": together} for row in rows))
        again = [{**row, "project": apart} for row in [*rows, *dice.sample(rows, 5)]]
        dice.shuffle(again)
        parts = [again[place::4] for place in range(4)]

        def send(engine: Engine, *batches: list[dict[str, Any]]) -> int:
            return sum(commit(engine, *each) for each in batches)

        at_once(lambda: send(pair[0], parts[0], parts[1]), lambda: send(pair[1], parts[2], parts[3]))  # noqa: B023
        assert_same_rows(pair[1], apart, together)
