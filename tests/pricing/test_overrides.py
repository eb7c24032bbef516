"""The operator's own prices: which call they hold for, and what a wrong file says."""

from pathlib import Path

import pytest

from otel_llm.config import Settings
from otel_llm.errors import ConfigError
from otel_llm.pricing import Pricer
from otel_llm.pricing.overrides import read_overrides

from .calls import call, cost, ns, source


def pricer_of(tmp_path: Path, text: str) -> Pricer:
    file = tmp_path / "prices.toml"
    file.write_text(text, encoding="utf-8")
    return Pricer.from_settings(Settings(prices_file=file))


def test_a_rule_wins_over_the_table_for_the_models_it_matches(tmp_path: Path) -> None:
    pricer = pricer_of(
        tmp_path,
        """
        [[price]]
        name = "contract"
        provider = "openai"
        model = "gpt-4o*"
        input_per_million = 1
        output_per_million = 2
        """,
    )
    assert cost(pricer, call("gpt-4o-mini")) == pytest.approx((1000 * 1 + 100 * 2) / 1e6)
    assert source(pricer, call("gpt-4o-mini")) == "override: contract"
    assert source(pricer, call("my-deployment", response_model="GPT-4o")) == "override: contract"
    assert str(source(pricer, call("gpt-4.1"))).startswith("genai-prices")
    assert str(source(pricer, call("gpt-4o", "azure.ai.openai"))).startswith("genai-prices")


def test_a_rule_prices_models_that_no_table_knows(tmp_path: Path) -> None:
    pricer = pricer_of(tmp_path, '[[price]]\nmodel = "house-*"\ninput_per_token = 1e-6\noutput_per_million = 3.5\n')
    assert cost(pricer, call("house-7b", None)) == pytest.approx((1000 * 1 + 100 * 3.5) / 1e6)
    assert source(pricer, call("house-7b", None)) == "override: house-*"
    assert cost(pricer, call("other", None)) is None


def test_parts_without_a_rate_cost_what_their_whole_costs(tmp_path: Path) -> None:
    parts = {"cache_read_tokens": 100, "cache_write_tokens": 200, "cache_write_1h_tokens": 50, "reasoning_tokens": 40}
    bare = pricer_of(tmp_path, '[[price]]\nmodel = "m"\ninput_per_million = 10\noutput_per_million = 20\n')
    assert cost(bare, call("m", **parts)) == pytest.approx((1000 * 10 + 100 * 20) / 1e6)
    full = pricer_of(
        tmp_path,
        """
        [[price]]
        model = "m"
        input_per_million = 10
        output_per_million = 20
        cache_read_per_million = 1
        cache_write_per_million = 12
        cache_write_1h_per_million = 16
        reasoning_per_million = 30
        """,
    )
    assert cost(full, call("m", **parts)) == pytest.approx((700 * 10 + 100 * 1 + 150 * 12 + 50 * 16 + 60 * 20 + 40 * 30) / 1e6)


def test_rules_have_dates_and_the_first_that_holds_counts(tmp_path: Path) -> None:
    pricer = pricer_of(
        tmp_path,
        """
        [[price]]
        name = "summer"
        model = "gpt-4o"
        from = 2025-06-01
        until = 2025-09-01T12:00:00Z
        input_per_million = 1
        [[price]]
        name = "year"
        model = "gpt-*"
        until = 2026-01-01
        input_per_million = 2
        """,
    )

    def at(start_ns: int) -> str:
        return str(source(pricer, call("gpt-4o", start_ns=start_ns)))

    assert at(ns(2025, 6, 1) - 1) == "override: year"
    assert at(ns(2025, 6, 1)) == at(ns(2025, 9, 1, 11, 59, 59)) == "override: summer"
    assert at(ns(2025, 9, 1, 12)) == at(ns(2026, 1, 1) - 1) == "override: year"
    assert at(ns(2026, 1, 1)).startswith("genai-prices")


def test_dates_far_away_are_fine(tmp_path: Path) -> None:
    pricer = pricer_of(tmp_path, '[[price]]\nmodel = "o3"\nfrom = 0001-01-01\nuntil = 9999-12-31\noutput_per_million = 1\n')
    assert source(pricer, call("o3")) == "override: o3"


def test_a_rule_of_zero_makes_a_model_free(tmp_path: Path) -> None:
    pricer = pricer_of(tmp_path, '[[price]]\nprovider = "ollama"\nmodel = "*"\ninput_per_million = 0\noutput_per_million = 0\n')
    assert cost(pricer, call("llama3.2", "ollama")) == 0


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[[price]\n", ["prices.toml", "not valid TOML"]),
        ("[prices]\n", ["unknown table 'prices'", "[[price]]"]),
        ("price = 3\n", ["[[price]]"]),
        ('[[price]]\nmodel = "a"\ninput_per_million = 1\n[[price]]\nname = "b"\n', ["price 2 (b)", "'model'", "missing"]),
        ('[[price]]\nmodel = ""\n', ["price 1", "'model'"]),
        ('[[price]]\nmodel = "a"\nprovider = 4\n', ["'provider'", "text", "4"]),
        ('[[price]]\nmodel = "a"\ninput = 4\n', ["'input'", "input_per_million"]),
        ('[[price]]\nmodel = "a"\ninput_per_million = "4"\n', ["'input_per_million'", "number"]),
        ('[[price]]\nmodel = "a"\ninput_per_million = -1\n', ["'input_per_million'", "0 or more"]),
        ('[[price]]\nmodel = "a"\ninput_per_million = nan\n', ["'input_per_million'"]),
        ('[[price]]\nmodel = "a"\ninput_per_million = true\n', ["'input_per_million'"]),
        ('[[price]]\nmodel = "a"\ninput_per_million = 1\ninput_per_token = 1\n', ["'input_per_token'", "twice"]),
        ('[[price]]\nmodel = "a"\ncache_read_per_million = 1\n', ["input_per_million", "missing"]),
        ('[[price]]\nmodel = "a"\ninput_per_million = 1\nfrom = "2025-01-01"\n', ["'from'", "quotes"]),
        ('[[price]]\nmodel = "a"\ninput_per_million = 1\nfrom = 2025-01-02\nuntil = 2025-01-02\n', ["'until'", "after"]),
    ],
)
def test_a_wrong_file_is_refused_with_file_entry_and_field(tmp_path: Path, text: str, words: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        pricer_of(tmp_path, text)
    assert "prices.toml" in str(caught.value)
    for word in words:
        assert word in str(caught.value)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        read_overrides(tmp_path / "none.toml")
