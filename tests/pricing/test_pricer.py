"""Which calls get which price: names, dates, tokens that are unknown, models nobody knows."""

import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otel_llm.pricing import Pricer
from otel_llm.spans import SpanBatch
from tests.effort import examples

from .calls import call, cost, ns, priced, source


@pytest.mark.parametrize(
    ("provider", "model", "listing"),
    [
        ("openai", "gpt-4o", "openai/gpt-4o"),
        ("openai", "openai/gpt-4o", "openai/gpt-4o"),
        ("openai", "GPT-4o", "openai/gpt-4o"),
        ("azure.ai.openai", "gpt-4o-2024-08-06", "azure/gpt-4o"),
        ("azure.ai.inference", "gpt-4o", "azure/gpt-4o"),
        ("anthropic", "claude-sonnet-4-5-20250929", "anthropic/claude-sonnet-4-5"),
        ("gcp.vertex_ai", "claude-sonnet-4-5@20250929", "google/claude-sonnet-4-5"),
        ("gcp.gemini", "models/gemini-2.5-pro", "google/gemini-2.5-pro"),
        ("gcp.gen_ai", "gemini-2.5-flash", "google/gemini-2.5-flash"),
        ("gcp.vertex_ai", "projects/p/locations/l/publishers/google/models/gemini-2.5-flash", "google/gemini-2.5-flash"),
        ("aws.bedrock", "anthropic.claude-3-haiku-20240307-v1:0", "aws/regional.anthropic.claude-3-haiku-20240307-v1:0"),
        ("aws.bedrock", "eu.anthropic.claude-3-haiku-20240307-v1:0", "aws/regional.anthropic.claude-3-haiku-20240307-v1:0"),
        ("anthropic", "us.anthropic.claude-3-haiku-20240307-v1:0", "aws/regional.anthropic.claude-3-haiku-20240307-v1:0"),
        (
            "aws.bedrock",
            "arn:aws:bedrock:us-east-1:1:inference-profile/us.anthropic.claude-sonnet-4-20250514-v1:0",
            "aws/regional.anthropic.claude-sonnet-4-20250514-v1:0",
        ),
        ("mistral_ai", "mistral-large-latest", "mistral/mistral-large"),
        ("deepseek", "deepseek-chat", "deepseek/deepseek-chat"),
        ("openrouter", "openai/gpt-4o", "openrouter/openai/gpt-4o"),
        ("openai", "anthropic/claude-sonnet-4-5", "anthropic/claude-sonnet-4-5"),
        ("openai", "gemini-2.5-flash", "google/gemini-2.5-flash"),
        ("openai", "text-embedding-3-small", "openai/text-embedding-3-small"),
        (None, "gpt-4o", "openai/gpt-4o"),
        (None, "openai/gpt-4o", "openai/gpt-4o"),
        ("unknown", "claude-sonnet-4-5", "anthropic/claude-sonnet-4-5"),
    ],
)
def test_a_span_finds_its_listing(table_pricer: Pricer, provider: str | None, model: str, listing: str) -> None:
    found = source(table_pricer, call(model, provider))
    assert found is not None
    assert found.split(": ", 1)[1] == listing
    assert found.startswith("genai-prices 0.")


@pytest.mark.parametrize(
    ("provider", "model"),
    [
        ("openai", "house-model"),
        ("ollama", "llama3.2"),
        ("ollama", "deepseek-r1:7b"),
        ("huggingface", "mistralai/Mistral-7B-Instruct-v0.3"),
        ("nobody", "gpt-4o-like"),
        ("openai", None),
        (None, None),
        ("openai", ""),
        ("", "/"),
        ("openai", "x" * 256),
        ("\ud800", "\x00/\n"),
    ],
)
def test_an_unknown_model_has_no_cost(table_pricer: Pricer, provider: str | None, model: str | None) -> None:
    batch = priced(table_pricer, call(model, provider))
    assert batch["cost_computed"] == batch["cost_computed_source"] == [None]


def test_the_model_that_answered_is_asked_before_the_model_asked_for(table_pricer: Pricer) -> None:
    assert str(source(table_pricer, call("gpt-4o", response_model="gpt-4o-mini"))).endswith("openai/gpt-4o-mini")
    assert str(source(table_pricer, call("gpt-4o", response_model="my-deployment"))).endswith("openai/gpt-4o")


def test_input_is_inclusive_and_cached_parts_cost_their_own_rate(table_pricer: Pricer) -> None:
    model = {"model": "claude-sonnet-4-5", "provider": "anthropic"}
    found = cost(table_pricer, call(**model, input_tokens=10_000, cache_read_tokens=6_000, cache_write_tokens=3_000))
    assert found == pytest.approx((1_000 * 3 + 6_000 * 0.30 + 3_000 * 3.75 + 100 * 15) / 1e6, rel=1e-12)
    hour = cost(
        table_pricer,
        call(**model, input_tokens=10_000, cache_read_tokens=6_000, cache_write_tokens=3_000, cache_write_1h_tokens=1_000),
    )
    assert hour == pytest.approx((1_000 * 3 + 6_000 * 0.30 + 2_000 * 3.75 + 1_000 * 6 + 100 * 15) / 1e6, rel=1e-12)


def test_reasoning_is_part_of_the_output(table_pricer: Pricer) -> None:
    assert cost(table_pricer, call("gpt-5", reasoning_tokens=90)) == cost(table_pricer, call("gpt-5"))


def test_a_price_has_its_dates(table_pricer: Pricer) -> None:
    before, after = (cost(table_pricer, call("o3", start_ns=start)) for start in (ns(2025, 6, 10) - 1, ns(2025, 6, 10)))
    assert before == pytest.approx((1000 * 10 + 100 * 40) / 1e6)
    assert after == pytest.approx((1000 * 2 + 100 * 8) / 1e6)


def test_a_price_has_its_hours(table_pricer: Pricer) -> None:
    def at(hour: int, minute: int) -> float | None:
        return cost(table_pricer, call("deepseek-reasoner", "deepseek", start_ns=ns(2025, 6, 1, hour, minute)))

    assert at(0, 29) == at(16, 30) == at(23, 0) == pytest.approx((1000 * 0.135 + 100 * 0.55) / 1e6)
    assert at(0, 30) == at(16, 29) == pytest.approx((1000 * 0.55 + 100 * 2.19) / 1e6)


def test_a_service_tier_has_its_price(table_pricer: Pricer) -> None:
    late = call("gpt-5", start_ns=ns(2026, 11, 1))
    assert cost(table_pricer, late | {"service_tier": "flex"}) == pytest.approx((1000 * 0.625 + 100 * 5) / 1e6)
    assert str(source(table_pricer, late | {"service_tier": "flex"})).endswith("openai/gpt-5 (flex)")
    assert cost(table_pricer, late | {"service_tier": "auto"}) == cost(table_pricer, late)
    assert str(source(table_pricer, late | {"service_tier": "default"})).endswith("openai/gpt-5")


def test_one_unknown_count_is_nothing_and_both_are_no_cost(table_pricer: Pricer) -> None:
    assert cost(table_pricer, call(output_tokens=None)) == pytest.approx(1000 * 2.5 / 1e6)
    assert cost(table_pricer, call(input_tokens=None)) == pytest.approx(100 * 10 / 1e6)
    assert cost(table_pricer, call(input_tokens=0, output_tokens=None)) == 0
    assert cost(table_pricer, call(input_tokens=None, output_tokens=None)) is None


def test_an_embedding_is_priced_by_its_input(table_pricer: Pricer) -> None:
    row = call("text-embedding-3-small", role="embedding", output_tokens=None)
    assert cost(table_pricer, row) == pytest.approx(1000 * 0.02 / 1e6)


def test_spans_that_are_no_calls_are_left_alone(table_pricer: Pricer) -> None:
    batch = priced(table_pricer, call(role="agent", cost_computed=7.0, cost_computed_source="s"), call(role="tool"))
    assert batch["cost_computed"] == [7.0, None]
    assert batch["cost_computed_source"] == ["s", None]


def test_only_the_rows_asked_for_are_priced_and_old_costs_go(table_pricer: Pricer) -> None:
    batch = priced(table_pricer, call(), call(), call())
    batch["input_tokens"][:] = [2000, 2000, 2000]
    batch["request_model"][2] = "nobody-knows"
    table_pricer.price(batch, [1, 2])
    assert batch["cost_computed"] == [pytest.approx(0.0035), pytest.approx(0.006), None]
    assert batch["cost_computed_source"][2] is None


def test_reported_cost_is_never_touched(table_pricer: Pricer) -> None:
    batch = priced(table_pricer, call(cost_reported=9.0, cost_reported_source="gen_ai.usage.cost"))
    assert batch["cost_reported"] == [9.0]
    assert batch["cost_reported_source"] == ["gen_ai.usage.cost"]
    assert batch["cost_computed"] == [pytest.approx(0.0035)]


COUNT = st.none() | st.integers(0, 2**63 - 1)
TEXT = st.none() | st.text(max_size=40) | st.sampled_from(["openai", "gpt-4o", "aws.bedrock", "a/b/c", "us.anthropic."])


@settings(max_examples=examples(500, 150), deadline=None)
@given(
    st.fixed_dictionaries(
        {
            **dict.fromkeys(("provider", "request_model", "response_model", "service_tier"), TEXT),
            **dict.fromkeys(("cache_read_tokens", "cache_write_tokens", "cache_write_1h_tokens", "reasoning_tokens"), COUNT),
            **dict.fromkeys(("input_tokens", "output_tokens"), COUNT),
            "modality_tokens": st.none() | st.text(max_size=9) | st.just('{"input_audio":5}'),
            "start_ns": st.integers(0, 2**63 - 1),
            "role": st.sampled_from(["generation", "embedding"]),
        }
    )
)
def test_no_span_makes_pricing_fail_or_go_below_zero(table_pricer: Pricer, row: dict[str, object]) -> None:
    found = cost(table_pricer, row)
    assert found is None or 0 <= found < float("inf")


def test_the_price_package_is_imported_on_first_use_only() -> None:
    program = (
        "import sys; from otel_llm.pricing import Pricer; p = Pricer(); assert 'genai_prices' not in sys.modules;"
        "p.load(); assert 'genai_prices' in sys.modules; assert 'genai_prices.data' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_a_batch_across_changes_of_prices_costs_what_its_calls_cost_alone(table_pricer: Pricer) -> None:
    hour = 3_600 * 1_000_000_000
    rows = [
        call(model, provider, start_ns=ns(2025, 6, 9) + number * 3 * hour, input_tokens=1_000 + number, reasoning_tokens=number)
        for number in range(24)
        for provider, model in (("openai", "o3"), ("deepseek", "deepseek-chat"), ("openai", "gpt-4o"), ("openai", "nobody"))
    ]
    together = priced(table_pricer, *rows)
    alone = [priced(table_pricer, row) for row in rows]
    for name in ("cost_computed", "cost_computed_source"):
        assert together[name] == [each[name][0] for each in alone]
    assert len(set(together["cost_computed"][::4])) > 24 // 2


def test_a_column_that_no_call_has_is_not_made(table_pricer: Pricer) -> None:
    batch = priced(table_pricer, call("gpt-4o", "openai"))
    slim = SpanBatch.of_columns({name: column for name, column in batch.columns.items() if column != [None]}, 1)
    table_pricer.price(slim)
    assert slim["cost_computed"] == batch["cost_computed"]
    assert "reasoning_tokens" not in slim.columns
    table_pricer.price(SpanBatch())
