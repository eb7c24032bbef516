"""``otel-llm stats``, ``models`` and ``recent``: the same answers from a server and from the store."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import Outcome, ServerProcess, ask, otel_llm, spans

QUESTIONS = [
    ("stats",),
    ("stats", "--model", "gpt-4o"),
    ("stats", "--provider", "openai", "--user", "bob"),
    ("stats", "--agent", "shop", "--from", "1h"),
    ("stats", "--from", "2001-01-01", "--to", "2001-01-02"),
    ("models",),
    ("models", "--user", "nobody"),
    ("recent", "--limit", "3"),
    ("recent", "--model", "gpt-4o-mini", "--from", "2001-01-01T00:00:00Z"),
]


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[dict[tuple[str, ...], list[str]], Path]]:
    """Text and JSON answers of every question from a running server, and the folder of its store after it stopped."""
    folder = tmp_path_factory.mktemp("reports")
    server = ServerProcess(folder)
    try:
        for batch in (spans(3), spans(2, model="gpt-4o-mini", user="bob")):
            assert ask(server.otlp_url + "/v1/traces", method="POST", body=batch)[0] == 200
        answers = {question: [server.cli(*question, *form) for form in ((), ("--json",))] for question in QUESTIONS}
        assert server.stop() == 0
    finally:
        server.kill()
    assert all(answer.returncode == 0 for pair in answers.values() for answer in pair), answers
    assert all("asking it at" in answer.stderr for pair in answers.values() for answer in pair)
    return {question: [answer.stdout for answer in pair] for question, pair in answers.items()}, folder


def from_store(folder: Path, *words: str) -> Outcome:
    return otel_llm(*words, folder=folder, OTEL_LLM_DATABASE_URL=f"duckdb:///{folder / 'spans.duckdb'}")


@pytest.mark.parametrize("question", QUESTIONS, ids=" ".join)
def test_server_and_store_give_the_same_answer(
    question: tuple[str, ...], both: tuple[dict[tuple[str, ...], list[str]], Path]
) -> None:
    answers, folder = both
    text, document = answers[question]
    again = from_store(folder, *question, "--json")
    assert json.loads(again.stdout) == json.loads(document)
    assert "asking" not in again.stderr
    if question == ("models",):
        assert from_store(folder, *question).stdout == text


def test_the_numbers_are_those_that_were_sent(both: tuple[dict[tuple[str, ...], list[str]], Path]) -> None:
    answers, _ = both
    stats = json.loads(answers["stats",][1])
    assert (stats["calls"], stats["errors"], stats["input_tokens"], stats["output_tokens"]) == (5, 0, 500, 50)
    assert stats["cost"] > 0
    assert stats["latency_ms"]["p50"] == 500
    assert json.loads(answers[QUESTIONS[1]][1])["calls"] == 3
    assert json.loads(answers[QUESTIONS[2]][1])["calls"] == 2
    assert json.loads(answers[QUESTIONS[3]][1])["calls"] == 5
    assert json.loads(answers[QUESTIONS[4]][1])["calls"] == 0
    models = json.loads(answers["models",][1])
    assert [(row["model"], row["calls"]) for row in models] == [("gpt-4o", 3), ("gpt-4o-mini", 2)]
    recent = json.loads(answers[QUESTIONS[7]][1])
    assert [row["start"] for row in recent] == sorted((row["start"] for row in recent), reverse=True)
    assert len(recent) == 3
    assert {row["user"] for row in json.loads(answers[QUESTIONS[8]][1])} == {"bob"}


def test_tables_are_readable(both: tuple[dict[tuple[str, ...], list[str]], Path]) -> None:
    answers, _ = both
    heading, rule, first, *_ = answers["models",][0].splitlines()
    assert heading.split()[:2] == ["PROVIDER", "MODEL"]
    assert set(rule) == {"─", " "}
    assert first.split()[:3] == ["openai", "gpt-4o", "3"]
    assert "Calls                5" in answers["stats",][0]
    assert answers[QUESTIONS[6]][0] == "No calls match.\n"


def test_a_wrong_time_and_an_absent_store_are_said_in_a_sentence(tmp_path: Path) -> None:
    wrong = from_store(tmp_path, "stats", "--from", "last week")
    assert wrong.returncode == 2
    assert "24h or 7d" in wrong.stderr
    absent = from_store(tmp_path, "stats")
    assert absent.returncode == 1
    assert "there is no store" in absent.stderr
    assert "Traceback" not in wrong.stderr + absent.stderr


def test_an_unreachable_server_is_said_in_a_sentence(tmp_path: Path) -> None:
    result = otel_llm("stats", "--server", "http://127.0.0.1:1", folder=tmp_path)
    assert result.returncode == 1
    assert "no otel-llm server answers at http://127.0.0.1:1" in result.stderr
    assert "Traceback" not in result.stderr
