"""An explanation names the attributes a stored span was read from, and what was done to them."""

import json

from otel_llm.conventions.explain import explain, text
from tests.conventions.corpus import SCENARIOS, rows
from tests.conventions.otlp import row


def test_candidates_winner_and_problem_are_told() -> None:
    found = row(
        {
            "gen_ai.operation.name": "chat",
            "gen_ai.system": "openai",
            "gen_ai.usage.input_tokens": -1,
            "gen_ai.usage.prompt_tokens": 100,
            "llm.token_count.prompt": 100,
            "user.id": "u",
        },
        resource={"user.id": "r"},
    )
    explained = explain(found)
    listed = explained["fields"]["input_tokens"]["candidates"]
    assert [(item["attribute"], item["wins"]) for item in listed] == [
        ("gen_ai.usage.input_tokens", False),
        ("gen_ai.usage.prompt_tokens", True),
        ("llm.token_count.prompt", False),
    ]
    assert listed[0]["problem"] == "negative"
    assert [item.get("on") for item in explained["fields"]["user_id"]["candidates"]] == [None, "resource"]
    assert explained["role"] == {"value": "generation", "rule": "gen_ai.operation.name", "is_call": True}


def test_normalisation_and_inference_are_told() -> None:
    found = row(
        {
            "gen_ai.operation.name": "chat",
            "gen_ai.request.model": "gpt-4o",
            "gen_ai.usage.input_tokens": 5,
            "gen_ai.usage.cache_read.input_tokens": 64,
        }
    )
    notes = " ".join(explain(found)["normalised"])
    assert "cached tokens out" in notes
    assert "no attribute names the provider" in notes


def test_a_counting_decision_is_told() -> None:
    found = {
        **row({"gen_ai.operation.name": "chat"}),
        "counted": False,
        "suppressed_by": b"\x01" * 8,
        "reason": "outer_of_counted_call",
    }
    told = text(explain(found))
    assert "no (outer_of_counted_call), span 0101010101010101 is counted instead" in told
    kept = {**found, "counted": True, "reason": "only_record", "filled": '["ttft_ns"]'}
    assert "yes (only_record); took over ttft_ns" in text(explain(kept))


def test_every_captured_span_is_explained_as_it_was_stored() -> None:
    for scenario in SCENARIOS:
        for found in rows(scenario):
            explained = explain(found)
            json.dumps(explained)
            assert explained["now"] == {}
            assert found["name"] in text(explained)
            for name, entry in explained["fields"].items():
                winners = [item["value"] for item in entry["candidates"] if item["wins"]]
                if name in ("request_model", "response_model", "user_id", "session_id", "response_id", "provider"):
                    assert found[name] == winners[0], name


def test_a_field_that_would_be_read_differently_today_is_told() -> None:
    found = {**row({"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o"}), "request_model": "older"}
    assert explain(found)["now"]["request_model"] == {"stored": "older", "read": "gpt-4o"}
