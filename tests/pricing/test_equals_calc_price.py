"""Compiled prices equal the price package's own calculation, for its models, dates, tiers and all kinds of usage."""

import math
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from genai_prices import Usage, calc_price
from genai_prices.data_snapshot import get_snapshot
from genai_prices.types import ModelPrice, TieredPrices
from hypothesis import given, settings
from hypothesis import strategies as st

from otel_llm.pricing import Pricer
from tests.effort import examples

from .calls import cost

MOMENTS = st.integers(1_670_000_000, 1_830_000_000).map(lambda s: datetime.fromtimestamp(s, UTC)) | st.sampled_from(
    # where prices are known to change: midnight of a start date, borders of cheap hours
    [datetime(2025, 6, 10, tzinfo=UTC) + timedelta(seconds=s) for s in (-1, 0, 1)]
    + [
        datetime(2026, 10, 12, h, m, tzinfo=UTC)
        for h, m in ((0, 0), (0, 29), (0, 30), (16, 29), (16, 30), (4, 0), (6, 0), (9, 59))
    ]
)
MODELS = sorted({(provider.id, model.id) for provider in get_snapshot().providers for model in provider.models})
COUNTS = st.integers(0, 300_000) | st.sampled_from([0, 1, 128_000, 199_999, 200_000, 200_001, 272_000, 272_001, 10**12])


@st.composite
def usages(draw: st.DrawFn) -> dict[str, int]:
    """Inclusive counts whose parts fit their whole."""
    total, output = draw(COUNTS), draw(COUNTS)
    read = draw(st.integers(0, total) | st.just(0))
    write = draw(st.integers(0, total - read) | st.just(0))
    return {
        "input_tokens": total,
        "output_tokens": output,
        "cache_read_tokens": read,
        "cache_write_tokens": write,
        "cache_write_1h_tokens": draw(st.integers(0, write) | st.just(0)),
        "reasoning_tokens": draw(st.integers(0, output) | st.just(0)),
    }


def expected(provider: str, model: str, usage: dict[str, int], moment: datetime, tier: str | None) -> float | None:
    """What the package says; None when it does not know the model or prices no tokens of it."""
    counts = {"output_reasoning_tokens" if name == "reasoning_tokens" else name: count for name, count in usage.items()}
    context = {"service_tier": tier, "processing": tier, "speed": tier} if tier else None
    try:
        found = calc_price(Usage(**counts), model, provider_id=provider, genai_request_timestamp=moment, price_context=context)
    except LookupError:
        return None
    if found.model_price.input_mtok is None and found.model_price.output_mtok is None:
        return None
    return float(found.total_price)


def same(left: float | None, right: float | None) -> bool:
    if left is None or right is None:
        return left is right
    return math.isclose(left, right, rel_tol=1e-12, abs_tol=1e-18)


@settings(max_examples=examples(800, 250), deadline=None)
@given(
    st.sampled_from(MODELS),
    usages(),
    MOMENTS,
    st.sampled_from([None, None, "default", "flex", "priority", "fast", "batch", "odd"]),
)
def test_compiled_prices_equal_the_package(
    table_pricer: Pricer, listed: tuple[str, str], usage: dict[str, int], moment: datetime, tier: str | None
) -> None:
    provider, model = listed
    start_ns = (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) * 1000
    right = expected(provider, model, usage, moment, tier)
    row: dict[str, Any] = {"role": "generation", "start_ns": start_ns, "provider": provider, "request_model": model, **usage}
    left = cost(table_pricer, row | {"service_tier": tier})
    if right is not None:  # a name the package does not find under its provider may still be found another way
        assert same(left, right), (left, right)


def _tiered_models() -> list[tuple[str, str, list[int]]]:
    found = []
    for provider in get_snapshot().providers:
        for model in provider.models:
            prices = [model.prices] if isinstance(model.prices, ModelPrice) else [c.prices for c in model.prices]
            starts = {t.start for p in prices for v in vars(p).values() if isinstance(v, TieredPrices) for t in v.tiers}
            if starts:
                found.append((provider.id, model.id, sorted(starts)))
    return found


def test_every_tier_of_every_model_starts_just_beyond_its_threshold(table_pricer: Pricer) -> None:
    moment = datetime(2026, 11, 1, 12, tzinfo=UTC)
    row = {"role": "generation", "start_ns": int(moment.timestamp()) * 10**9}
    checked = 0
    for provider, model, starts in _tiered_models():
        for start in starts:
            for total in (start, start + 1):
                usage = {"input_tokens": total, "output_tokens": 1000, "cache_read_tokens": total // 3}
                right = expected(provider, model, usage, moment, None)
                if right is not None:
                    checked += 1
                    assert same(cost(table_pricer, row | {"provider": provider, "request_model": model, **usage}), right)
    assert checked > 200


def test_every_listed_model_is_priced_under_its_own_name(table_pricer: Pricer) -> None:
    moment = datetime(2026, 11, 1, 12, tzinfo=UTC)
    row = {"role": "generation", "start_ns": int(moment.timestamp()) * 10**9}
    usage = {"input_tokens": 1000, "output_tokens": 100, "cache_read_tokens": 10, "cache_write_tokens": 10}
    known = 0
    for provider, model in MODELS:
        right = expected(provider, model, usage, moment, None)
        if right is not None:
            known += 1
            assert same(cost(table_pricer, row | {"provider": provider, "request_model": model, **usage}), right), (
                provider,
                model,
            )
    assert known > 1500


@pytest.mark.parametrize(
    ("provider", "model"), [("openai", "gpt-audio"), ("openai", "gpt-realtime"), ("google", "gemini-2.5-flash")]
)
def test_audio_tokens_cost_what_the_table_says_of_audio(table_pricer: Pricer, provider: str, model: str) -> None:
    usage = {"input_tokens": 1000, "output_tokens": 100, "cache_read_tokens": 300}
    audio = calc_price(
        Usage(**usage, input_audio_tokens=400, output_audio_tokens=60, cache_audio_read_tokens=0), model, provider_id=provider
    )
    row = {"role": "generation", "start_ns": 1_780_000_000 * 10**9, "provider": provider, "request_model": model, **usage}
    heard = cost(table_pricer, row | {"modality_tokens": '{"input_audio":400,"output_audio":60}'})
    plain = cost(table_pricer, row)
    assert heard is not None
    assert plain is not None
    assert same(heard, float(audio.total_price))
    assert heard > plain
    assert cost(table_pricer, row | {"modality_tokens": '{"input_audio":4000}'}) == plain, "contradicting counts are left aside"
    assert cost(table_pricer, row | {"modality_tokens": "no json"}) == plain
