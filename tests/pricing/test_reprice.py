"""History priced anew: every call, nothing else, in chunks, and never against a writer that was faster."""

import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from otel_llm.config import Settings
from otel_llm.pricing import Pricer
from otel_llm.pricing.overrides import read_overrides
from otel_llm.pricing.reprice import Progress, reprice
from otel_llm.pricing.unpriced import UnpricedModel, unpriced
from otel_llm.spans import SpanBatch
from otel_llm.store.engines.base import Change, CostUpdate, Engine
from otel_llm.store.open import open_engine
from otel_llm.store.queries.window import Window
from otel_llm.store.schema import spans

from .calls import ns

T0 = ns(2025, 6, 1)


def stored_call(number: int, model: str = "gpt-4o", **values: Any) -> dict[str, Any]:
    """A complete stored call of the trace and span with this number."""
    return {
        "project": "default",
        "trace_id": number.to_bytes(16, "big"),
        "span_id": number.to_bytes(8, "big"),
        "name": "chat",
        "kind": 3,
        "start_ns": T0 + number,
        "end_ns": T0 + number + 10**9,
        "ingested_ns": T0,
        "dialect": "semconv",
        "role": "generation",
        "provider": "openai",
        "request_model": model,
        "input_tokens": 1000,
        "output_tokens": 100,
        "error": False,
        "status_code": 0,
        "attribute_count": 1,
        "counted": True,
    } | values


def store(engine: Engine, rows: Sequence[dict[str, Any]]) -> None:
    with engine.write([]) as session:
        session.apply(Change(insert=SpanBatch.of_rows(rows)))


def stored(engine: Engine, *names: str) -> list[tuple[Any, ...]]:
    with engine.sql.connect() as connection:
        rows = connection.execute(sa.select(*(spans.c[name] for name in names)).order_by(spans.c.start_ns, spans.c.span_id))
        return [tuple(row) for row in rows]


def with_prices(tmp_path: Path, text: str) -> Pricer:
    file = tmp_path / "prices.toml"
    file.write_text(text, encoding="utf-8")
    return Pricer(read_overrides(file))


@pytest.fixture
def price_store() -> Iterator[Engine]:
    engine = open_engine("duckdb://", Settings())
    yield engine
    engine.close()


def test_every_call_gets_the_price_of_now_and_reported_cost_stays(price_store: Engine, tmp_path: Path) -> None:
    pricer = Pricer()
    rows = [
        stored_call(1, cost_reported=9.0, cost_reported_source="operation.cost", cost_computed=123.0),
        stored_call(2, "house"),
        stored_call(3, "gpt-4o", role="agent", cost_computed=5.0),
        stored_call(4, "gpt-4o", input_tokens=None, output_tokens=None, cost_computed=5.0),
        stored_call(5, "gpt-4o", counted=False),
        stored_call(6, "house", project="other"),
    ]
    store(price_store, rows)
    pricer.load()
    assert reprice(price_store, pricer, dry_run=True)[:3] == (5, 3, 5)
    assert [cost for (cost,) in stored(price_store, "cost_computed")] == [123.0, None, 5.0, 5.0, None, None], "nothing written"
    assert reprice(price_store, pricer) == Progress(5, 3, 5, pytest.approx(0.0035 - 123 + 0.0035 - 5))
    costs = [cost for (cost,) in stored(price_store, "cost_computed")]
    assert costs == [pytest.approx(0.0035), None, 5.0, None, pytest.approx(0.0035), None]
    contract = with_prices(tmp_path, '[[price]]\nmodel = "house"\ninput_per_million = 1\noutput_per_million = 2\n')
    assert reprice(price_store, contract, "default") == Progress(4, 1, 4, pytest.approx(0.0012))
    found = stored(price_store, "cost_computed", "cost_computed_source", "cost_reported", "cost_reported_source")
    assert found[1] == (pytest.approx(0.0012), "override: house", None, None)
    assert found[0][2:] == (9.0, "operation.cost")
    assert found[5] == (None, None, None, None), "another project"
    assert reprice(price_store, contract, "default").changed == 0


def test_chunks_lose_and_double_nothing_whatever_the_times(price_store: Engine) -> None:
    pick = random.Random(1)
    rows = [
        stored_call(
            n, start_ns=T0 + pick.choice([0, 0, 1, 2]), trace_id=pick.choice([b"a", b"b"]) * 16, project=pick.choice("pq")
        )
        for n in range(1, 500)
    ]
    store(price_store, rows)
    seen: list[Progress] = []
    end = reprice(price_store, Pricer(), progress=seen.append, chunk=7)
    assert end == Progress(499, 499, 499, pytest.approx(499 * 0.0035))
    assert [state.done for state in seen] == [*range(7, 499, 7), 499]
    assert stored(price_store, "cost_computed") == [(pytest.approx(0.0035),)] * 499


def test_only_calls_of_the_window_are_priced(price_store: Engine) -> None:
    store(price_store, [stored_call(n) for n in range(10)])
    assert reprice(price_store, Pricer(), window=Window(T0 + 3, T0 + 6)).done == 4
    assert [cost is not None for (cost,) in stored(price_store, "cost_computed")] == [3 <= n <= 6 for n in range(10)]


def test_nothing_stored_is_nothing_to_do(price_store: Engine) -> None:
    assert reprice(price_store, Pricer()) == Progress(0, 0, 0)
    assert price_store.update_costs([]) == 0


@pytest.mark.parametrize("way", ["of the engine", "of any engine"])
def test_a_cost_that_changed_meanwhile_is_kept(price_store: Engine, way: str) -> None:
    store(price_store, [stored_call(1, cost_computed=1.0), stored_call(2, cost_computed=7.0), stored_call(3)])
    updates = [
        CostUpdate("default", n.to_bytes(16, "big"), n.to_bytes(8, "big"), T0 + n, was, 2.0, "new")
        for n, was in ((1, 1.0), (2, 1.0), (3, None), (4, None))
    ]
    update_costs = price_store.update_costs if way == "of the engine" else lambda news: Engine.update_costs(price_store, news)
    assert update_costs(updates) == 2
    assert stored(price_store, "cost_computed", "cost_computed_source", "input_tokens") == [
        (2.0, "new", 1000),
        (7.0, None, 1000),
        (2.0, "new", 1000),
    ]


class TestUnpriced:
    def test_models_without_a_price_are_listed_by_volume(self, price_store: Engine) -> None:
        batch = SpanBatch.of_rows(
            [
                stored_call(1, "small"),
                stored_call(2, "large", input_tokens=5000, response_model="large-2"),
                stored_call(3, "large", input_tokens=2**62, response_model="large-2", cost_reported=1.0),
                stored_call(4, "large", input_tokens=2**62, output_tokens=None, response_model="large-2"),
                stored_call(5, "gpt-4o"),
                stored_call(6, "small", counted=False),
                stored_call(7, "silent", input_tokens=None, output_tokens=None),
                stored_call(8, "small", project="other"),
                stored_call(9, "helper", role="agent", counted=None),
                stored_call(10, "small"),
            ]
        )
        Pricer().price(batch)
        with price_store.write([]) as session:
            session.apply(Change(insert=batch))
        large = UnpricedModel("openai", "large-2", 3, 5000 + 2**63, 200, 1, T0 + 2, T0 + 4)
        small = UnpricedModel("openai", "small", 2, 2000, 200, 0, T0 + 1, T0 + 10)
        assert unpriced(price_store, "default") == [large, small]
        assert unpriced(price_store, "default", limit=1) == [large]
        assert unpriced(price_store, "default", Window(T0 + 10, T0 + 10))[0].calls == 1
        assert unpriced(price_store)[1].calls == 3
        assert unpriced(price_store, "nobody") == []
