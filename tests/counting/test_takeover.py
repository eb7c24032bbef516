"""What a counted record takes over: what it lacks, if it fits, and never a value that was itself taken over."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otel_llm.conventions.takeover import restore, takeover
from otel_llm.spans import FIELD_NAMES, FILLABLE
from tests.effort import examples

SECOND = 10**9


def row(**values: Any) -> dict[str, Any]:
    """A full row of a four second call; what is not given is None."""
    assert set(values) <= set(FIELD_NAMES)
    return dict.fromkeys(FIELD_NAMES) | {"start_ns": 0, "end_ns": 4 * SECOND} | values


def taken(keeper: dict[str, Any], *donors: dict[str, Any]) -> dict[str, Any]:
    """What the keeper took over."""
    names = takeover(keeper, donors)
    assert names == sorted(names)
    return {name: keeper[name] for name in names}


def test_a_record_that_lacks_nothing_takes_nothing() -> None:
    full = dict.fromkeys(FILLABLE, 1)
    assert taken(row(**full), row(**dict.fromkeys(FILLABLE, 2))) == {}


def test_the_nearest_donor_gives_first_and_farther_ones_fill_the_rest() -> None:
    near, far = row(request_model="near"), row(request_model="far", user_id="u", session_id="s")
    assert taken(row(), near, far) == {"request_model": "near", "user_id": "u", "session_id": "s"}


def test_own_values_stay() -> None:
    keeper = row(provider="openai", input_tokens=5)
    assert taken(keeper, row(provider="litellm", input_tokens=9)) == {}
    assert keeper["provider"] == "openai"


def test_only_fillable_fields_travel() -> None:
    assert taken(row(), row(name="x", tags='["a"]', environment="prod", error=True, trace_name="t", cost_computed=1.0)) == {}


def test_what_a_donor_took_over_itself_is_not_its_own() -> None:
    assert taken(row(), row(user_id="u", session_id="s", filled='["user_id"]')) == {"session_id": "s"}


def test_tokens_and_their_parts_come_from_one_donor() -> None:
    a = row(input_tokens=100, output_tokens=10)
    b = row(input_tokens=100, output_tokens=10, cache_read_tokens=50, reasoning_tokens=5)
    assert taken(row(), a, b) == {"input_tokens": 100, "output_tokens": 10}
    assert taken(row(), b, a) == {"input_tokens": 100, "output_tokens": 10, "cache_read_tokens": 50, "reasoning_tokens": 5}


def test_parts_join_a_whole_of_the_keepers_own() -> None:
    assert taken(row(input_tokens=100), row(input_tokens=100, cache_read_tokens=50)) == {"cache_read_tokens": 50}


def test_parts_that_exceed_the_keepers_whole_stay_away() -> None:
    assert taken(row(input_tokens=100, cache_write_tokens=60), row(cache_read_tokens=50), row(cache_read_tokens=40)) == {
        "cache_read_tokens": 40
    }
    assert taken(row(output_tokens=4), row(reasoning_tokens=5)) == {}
    assert taken(row(cache_read_tokens=60), row(input_tokens=50), row(input_tokens=70)) == {"input_tokens": 70}


def test_a_total_joins_only_if_it_is_the_sum() -> None:
    assert taken(row(input_tokens=10, output_tokens=5), row(total_tokens=30), row(total_tokens=15)) == {"total_tokens": 15}


def test_a_cost_comes_with_its_source_and_its_own_parts() -> None:
    a = row(cost_reported=0.5, cost_reported_source="litellm.cost.total", cost_reported_input=0.3)
    b = row(cost_reported=0.7, cost_reported_source="gen_ai.usage.cost", cost_reported_output=0.2)
    assert taken(row(), a, b) == {
        "cost_reported": 0.5,
        "cost_reported_source": "litellm.cost.total",
        "cost_reported_input": 0.3,
    }
    assert taken(row(cost_reported=1.0, cost_reported_source="own"), a) == {}


def test_a_cost_of_zero_without_tokens_is_not_taken_for_a_call_with_tokens() -> None:
    zero = row(cost_reported=0.0, cost_reported_source="s")
    assert taken(row(input_tokens=5), zero) == {}
    assert taken(row(input_tokens=5), zero | {"input_tokens": 5}) == {"cost_reported": 0.0, "cost_reported_source": "s"}


@pytest.mark.parametrize(
    ("ttft", "fits"), [(1, True), (4 * SECOND + 1_000_000, True), (4 * SECOND + 1_000_001, False), (0, False)]
)
def test_a_time_to_first_token_lies_within_the_keepers_own_time(ttft: int, fits: bool) -> None:
    expected = {"ttft_ns": ttft, "ttft_source": "s"} if fits else {}
    assert taken(row(), row(ttft_ns=ttft, ttft_source="s")) == expected


def test_user_name_and_tags_come_only_from_a_record_of_the_same_user() -> None:
    other = row(user_id="v", user_name="Vera", user_tags='["x"]')
    assert taken(row(user_id="u"), other) == {}
    assert taken(row(user_id="u"), other, row(user_id="u", user_name="Uwe")) == {"user_name": "Uwe"}
    assert taken(row(), other) == {"user_id": "v", "user_name": "Vera", "user_tags": '["x"]'}


def test_a_port_belongs_to_its_address() -> None:
    assert taken(row(server_address="a"), row(server_address="b", server_port=1), row(server_address="a", server_port=2)) == {
        "server_port": 2
    }


VALUES = {
    **dict.fromkeys(FILLABLE, st.none() | st.sampled_from(["a", "b"])),
    **dict.fromkeys((n for n in FILLABLE if n.endswith("_tokens")), st.none() | st.integers(0, 12)),
    **dict.fromkeys(("ttft_ns", "server_port"), st.none() | st.integers(1, 5 * SECOND)),
    **dict.fromkeys((n for n in FILLABLE if n.startswith("cost_reported")), st.none() | st.floats(0, 9)),
}


@st.composite
def consistent_rows(draw: st.DrawFn) -> dict[str, Any]:
    """A row as extraction leaves it: parts within wholes, sources with their values."""
    values = {name: draw(strategy) for name, strategy in VALUES.items()}
    parts = (values["cache_read_tokens"] or 0) + (values["cache_write_tokens"] or 0)
    if values["input_tokens"] is not None and parts > values["input_tokens"]:
        values["input_tokens"] = parts
    if (values["cache_write_1h_tokens"] or 0) > (values["cache_write_tokens"] or 0):
        values["cache_write_1h_tokens"] = None
    if values["output_tokens"] is not None:
        values["output_tokens"] = max(values["output_tokens"], values["reasoning_tokens"] or 0)
    for whole, names in (
        ("cost_reported", ("cost_reported_input", "cost_reported_output", "cost_reported_source")),
        ("ttft_ns", ("ttft_source",)),
    ):
        for name in names:
            values[name] = None if values[whole] is None else values[name]
    if values["cost_reported"] is not None:
        values["cost_reported_source"] = "a"
    if values["ttft_ns"] is not None:
        values["ttft_source"] = "a"
        values["ttft_ns"] = min(values["ttft_ns"], 4 * SECOND)
    return row(**values)


@settings(max_examples=examples(400, 120), deadline=None)
@given(consistent_rows(), st.lists(consistent_rows(), max_size=4))
def test_a_record_stays_consistent_whatever_it_takes_over(keeper: dict[str, Any], donors: list[dict[str, Any]]) -> None:
    own = dict(keeper)
    before = [dict(donor) for donor in donors]
    names = takeover(keeper, donors)
    assert donors == before
    assert names == sorted(name for name in FIELD_NAMES if keeper[name] is not None and own[name] is None)
    assert set(names) <= set(FILLABLE)
    assert all(keeper[name] == own[name] for name in FIELD_NAMES if own[name] is not None)
    for name in names:
        assert keeper[name] in [donor[name] for donor in donors]
    if keeper["input_tokens"] is not None:
        assert (keeper["cache_read_tokens"] or 0) + (keeper["cache_write_tokens"] or 0) <= keeper["input_tokens"]
    if keeper["output_tokens"] is not None:
        assert (keeper["reasoning_tokens"] or 0) <= keeper["output_tokens"]
    assert (keeper["cost_reported"] is None) is (keeper["cost_reported_source"] is None)
    assert keeper["ttft_ns"] is None or 0 < keeper["ttft_ns"] <= 4 * SECOND + 1_000_000
    keeper["filled"] = json.dumps(names)
    restore(keeper)
    assert keeper == own
