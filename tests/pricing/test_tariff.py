"""Costs of columns are those of the single calls, to the last bit, and a batch costs what its calls cost alone."""

from hypothesis import given, settings
from hypothesis import strategies as st

from otel_llm.pricing import Pricer
from otel_llm.pricing.tariff import Rates, Tariff, costs
from otel_llm.spans import SpanBatch
from tests.effort import examples

from .calls import call, ns, priced

RATE = st.floats(0, 1_000) | st.sampled_from([0.0, 0.15, 0.6, 3.75])
RATES = st.builds(Rates, *[RATE] * 7)
THRESHOLDS = st.lists(st.integers(0, 300_000), max_size=3, unique=True).map(lambda found: [*sorted(found, reverse=True), -1])
COUNT = st.none() | st.integers(0, 400_000) | st.integers(0, 2**63 - 1)
COUNTS = st.tuples(*[COUNT] * 6)


@st.composite
def tariffs(draw: st.DrawFn) -> list[tuple[int, Rates]]:
    """Bands of a tariff."""
    return [(threshold, draw(RATES)) for threshold in draw(THRESHOLDS)]


def cost(bands: list[tuple[int, Rates]], *tokens: int | None) -> float | None:
    """What one call costs, part by part."""
    if tokens[0] is None and tokens[1] is None:
        return None
    total, output, read, write, write_1h, reasoning = (count or 0 for count in tokens)
    rates = next((rates for threshold, rates in bands if total > threshold), bands[-1][1])
    hour, thought = min(write_1h, write), min(reasoning, output)
    found = read * rates.cache_read
    found += (write - hour) * rates.cache_write + hour * rates.cache_write_1h
    found += max(total - read - write, 0) * rates.input
    found += (output - thought) * rates.output + thought * rates.reasoning
    return found / 1_000_000 + rates.call


@settings(max_examples=examples(1_000, 200), deadline=None)
@given(st.lists(st.tuples(st.none() | tariffs(), COUNTS), max_size=8))
def test_columns_cost_what_each_call_costs(calls: list[tuple[list[tuple[int, Rates]] | None, tuple[int | None, ...]]]) -> None:
    columns = [list(column) for column in zip(*(counts for _, counts in calls), strict=True)] or [[]] * 6
    found = costs([bands and Tariff(bands, "test") for bands, _ in calls], *columns)  # type: ignore[misc]
    assert found == [bands and cost(bands, *counts) for bands, counts in calls]


MODELS = ("gpt-4o", "claude-sonnet-4-5", "gemini-2.5-pro", "gpt-4o-audio-preview", "deepseek-chat", "o3", "nobody", None)
ROW = st.fixed_dictionaries(
    {
        "model": st.sampled_from(MODELS),
        "provider": st.sampled_from(["openai", "anthropic", "gcp.gemini", "deepseek", None]),
        "response_model": st.none() | st.sampled_from(MODELS),
        "service_tier": st.sampled_from([None, "flex", "priority", "batch"]),
        "role": st.sampled_from(["generation", "embedding", "tool"]),
        "start_ns": st.integers(ns(2025, 6, 8), ns(2025, 6, 12)),
        "modality_tokens": st.sampled_from([None, '{"input_audio":5}', "{"]),
        "input_tokens": st.none() | st.integers(0, 400_000),
        "output_tokens": st.none() | st.integers(0, 5_000),
        "cache_read_tokens": st.none() | st.integers(0, 1_000),
        "reasoning_tokens": st.none() | st.integers(0, 9_000),
        "cost_computed": st.sampled_from([None, 7.0]),
    }
)


@settings(max_examples=examples(300, 60), deadline=None)
@given(st.lists(ROW, min_size=1, max_size=8), st.data())
def test_a_batch_costs_what_its_calls_cost_alone(
    table_pricer: Pricer, rows: list[dict[str, object]], data: st.DataObject
) -> None:
    calls = [call(**row) for row in rows]  # type: ignore[arg-type]
    alone = [priced(table_pricer, each) for each in calls]
    together = priced(table_pricer, *calls)
    some = data.draw(st.sets(st.sampled_from(range(len(calls)))))
    partly = SpanBatch.of_rows(calls)
    table_pricer.price(partly, some)
    for name in ("cost_computed", "cost_computed_source"):
        expected = [each[name][0] for each in alone]
        assert together[name] == expected
        assert partly[name] == [
            price if row in some else one.get(name) for row, (price, one) in enumerate(zip(expected, calls, strict=True))
        ]
