"""``otel-llm unpriced``, ``reprice``, ``why`` and ``explain``: through a running server, and on the store itself."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Outcome, ServerProcess, ask, otel_llm, spans

PRICE = '[[price]]\nmodel = "house-model"\ninput_per_million = {0}\noutput_per_million = {0}\n'


class World:
    """A server's folder: three calls of a model without a price, two of one with, one that came twice, one that was refused."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.prices = folder / "prices.toml"
        self.prices.write_text("")
        self.server = ServerProcess(folder, "--prices-file", str(self.prices))
        self.house = spans(3, model="house-model")
        self.refused = spans(1)
        self._spans(self.refused)[0]["spanId"] = "0" * 16
        for batch in (self.house, spans(2), self.refused, self.house):
            assert ask(self.server.otlp_url + "/v1/traces", method="POST", body=batch)[0] == 200

    @staticmethod
    def _spans(batch: dict[str, Any]) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = batch["resourceSpans"][0]["scopeSpans"][0]["spans"]
        return found

    def ids(self, batch: dict[str, Any]) -> tuple[str, str]:
        """Trace and span id of the first span."""
        first = self._spans(batch)[0]
        return first["traceId"], first["spanId"]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    made = World(tmp_path_factory.mktemp("operations"))
    yield made
    made.server.kill()


def through_server(world: World, *words: str) -> Outcome:
    result = world.server.cli(*words)
    assert "asking it at" in result.stderr
    return result


def test_models_without_a_price_are_listed_with_what_they_used(world: World) -> None:
    (model,) = json.loads(through_server(world, "unpriced", "--json").stdout)
    assert (model["provider"], model["model"], model["calls"]) == ("openai", "house-model", 3)
    assert (model["input_tokens"], model["output_tokens"], model["calls_with_reported_cost"]) == (300, 30, 0)
    assert model["first"] <= model["last"]
    assert "house-model" in through_server(world, "unpriced", "--from", "1h").stdout
    assert through_server(world, "unpriced", "--to", "2001-01-01").stdout == "Every model has a price.\n"


def test_why_tells_what_became_of_each_span(world: World) -> None:
    trace, span = world.ids(world.house)
    document = json.loads(through_server(world, "why", trace.upper(), "--json").stdout)
    outcomes = [(fate["span_id"], fate["outcome"], fate["reason"]) for fate in document["spans"]]
    assert outcomes == [(span, "counted", "only_record"), (span, "duplicate", "duplicate")]
    text = through_server(world, "why", trace, span).stdout
    assert f"{span}  chat house-model: counted (only_record)" in text
    assert "duplicate" in text
    assert "Nothing is known of this span" in through_server(world, "why", trace, "f" * 16).stdout


def test_why_tells_the_reason_of_a_rejection(world: World) -> None:
    trace, _ = world.ids(world.refused)
    text = through_server(world, "why", trace).stdout
    assert "rejected (invalid_span_id)" in text
    assert "Nothing is known of this trace" in through_server(world, "why", "f" * 32).stdout


def test_explain_tells_what_was_read_from_which_attribute(world: World) -> None:
    trace, span = world.ids(world.house)
    document = json.loads(through_server(world, "explain", trace, "--json").stdout)
    assert (document["span_count"], document["truncated"]) == (1, False)
    tokens = document["spans"][0]["fields"]["input_tokens"]
    assert tokens["value"] == 100
    assert [(one["attribute"], one["wins"]) for one in tokens["candidates"]] == [("gen_ai.usage.input_tokens", True)]
    assert "* gen_ai.usage.input_tokens = 100" in through_server(world, "explain", trace, span).stdout
    missing = through_server(world, "explain", "f" * 32)
    assert missing.returncode == 1
    assert "no such trace is stored" in missing.stderr


def test_ids_that_are_none_are_refused_in_a_sentence(world: World) -> None:
    wrong = world.server.cli("why", "123")
    assert wrong.returncode == 2
    assert "a trace id is 32 hexadecimal digits" in wrong.stderr


def test_history_is_priced_anew_by_the_server_with_the_prices_of_its_file_now(world: World) -> None:
    world.prices.write_text(PRICE.format(1000))
    dry = through_server(world, "reprice", "--dry-run")
    assert dry.stdout == "3 of 5 calls would get another cost (+$0.3300 in all).\n", dry.stderr
    assert json.loads(world.server.cli("unpriced", "--json").stdout) != [], "a dry run changes nothing"
    done = json.loads(through_server(world, "reprice", "--json").stdout)
    assert (done["state"], done["changed"], done["done"], done["project"]) == ("done", 3, 5, None)
    assert json.loads(world.server.cli("unpriced", "--json").stdout) == []
    assert (
        through_server(world, "reprice", "--project", "nobody").stdout == "0 of 0 calls got another cost (+$0.0000 in all).\n"
    )
    actions = [entry["action"] for entry in json.loads(world.server.cli("audit", "--json").stdout)]
    assert actions == ["cost.repriced", "cost.reprice"] * 2, "runs are on the record, dry ones are not"
    world.prices.write_text("[[price]]\nmodel = 5\n")
    wrong = through_server(world, "reprice")
    assert wrong.returncode == 1
    assert "prices file" in wrong.stderr
    refused = through_server(world, "reprice", "--prices-file", "mine.toml")
    assert "the server prices by its own file" in refused.stderr


def test_new_calls_have_the_new_prices_too(world: World) -> None:
    world.prices.write_text(PRICE.format(500))
    assert through_server(world, "reprice").returncode == 0
    assert ask(world.server.otlp_url + "/v1/traces", method="POST", body=spans(1, model="house-model"))[0] == 200
    assert json.loads(world.server.cli("stats", "--model", "house-model", "--json").stdout)["cost"] == pytest.approx(4 * 0.055)


def test_the_store_itself_gives_the_same_answers_once_the_server_has_stopped(world: World) -> None:
    trace, span = world.ids(world.house)
    questions = [("unpriced", "--json"), ("why", trace, "--json"), ("explain", trace, span, "--json")]
    from_server = [through_server(world, *question).stdout for question in questions]
    assert world.server.stop() == 0
    url = f"duckdb:///{world.folder / 'spans.duckdb'}"
    assert [otel_llm(*question, folder=world.folder, OTEL_LLM_DATABASE_URL=url).stdout for question in questions] == from_server
    own = world.folder / "own.toml"
    own.write_text(PRICE.format(2000))
    done = otel_llm("reprice", "--prices-file", str(own), "--from", "1h", folder=world.folder, OTEL_LLM_DATABASE_URL=url)
    assert done.stdout == "4 of 6 calls got another cost (+$0.6600 in all).\n"
    assert "asking" not in done.stderr
    again = otel_llm("audit", "--json", "--limit", "1", folder=world.folder, OTEL_LLM_DATABASE_URL=url)
    assert json.loads(again.stdout)[0]["detail"]["changed"] == 4
