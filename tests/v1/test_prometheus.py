"""``/metrics``: valid text, sums that add up, bounded labels, counters that never fall."""

import time

import pytest
from prometheus_client.parser import text_string_to_metric_families

from query_api import prometheus
from query_api.prometheus import UsageMemory
from tests.query_api.call_rows import call
from tests.query_api.conftest import QueryServer

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


@pytest.fixture
def v1_server(own_v1_server: QueryServer) -> QueryServer:
    """A server of its own for each test, as counters are what is tested."""
    return own_v1_server


def samples(server: QueryServer) -> Samples:
    response = server.client.get("/metrics")
    assert response.status_code == 200
    assert response.mimetype == "text/plain"
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(response.text)
        for sample in family.samples
    }


def named(found: Samples, name: str) -> dict[tuple[tuple[str, str], ...], float]:
    return {labels: value for (sample, labels), value in found.items() if sample == name}


@pytest.fixture
def fresh_usage(monkeypatch: pytest.MonkeyPatch) -> None:
    """Usage is read anew at every scrape."""
    monkeypatch.setattr(prometheus, "MIN_AGE_S", 0.0)
    monkeypatch.setattr(prometheus, "AGE_PER_COST", 0.0)


def test_outcomes_add_up_to_what_was_received(v1_server: QueryServer) -> None:
    v1_server.accounting.record(
        "spans", "default", stored=5, duplicate=2, ignored={"pending": 3}, rejected={"invalid_trace_id": 1}
    )
    v1_server.accounting.refuse("too_large")
    found = samples(v1_server)
    assert found["otel_llm_ingest_received_total", (("signal", "spans"),)] == 11
    outcomes = named(found, "otel_llm_ingest_items_total")
    assert sum(value for labels, value in outcomes.items() if dict(labels)["signal"] == "spans") == 11
    assert found["otel_llm_ingest_requests_refused_total", (("reason", "too_large"),)] == 1


@pytest.mark.usefixtures("fresh_usage")
def test_usage_is_that_of_the_store_and_never_falls(v1_server: QueryServer) -> None:
    used = {"input_tokens": 10, "output_tokens": 5, "cost_reported": 0.25, "response_model": "m"}
    v1_server.store([call(**used), call(**used, error=True), call(**used, counted=False)])
    labels = (("model", "m"), ("provider", "openai"))

    def calls() -> float:
        return samples(v1_server)["otel_llm_calls_total", labels]

    found = samples(v1_server)
    assert found["otel_llm_calls_total", labels] == 2
    assert found["otel_llm_call_errors_total", labels] == 1
    assert found["otel_llm_input_tokens_total", labels] == 20
    assert found["otel_llm_cost_usd_total", labels] == 0.5
    assert found["otel_llm_call_duration_seconds_total", labels] == 2
    while v1_server.engine.delete_oldest(None, 2**63 - 1, 1):
        pass
    assert calls() == 2
    v1_server.store([call(**used)])
    assert calls() == 3


@pytest.mark.usefixtures("fresh_usage")
def test_labels_are_bounded_and_sums_stay_whole(v1_server: QueryServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prometheus, "MAX_MODELS", 3)
    for many in range(1, 9):
        v1_server.store([call(response_model=f"m{many}") for _ in range(many)])
        found = named(samples(v1_server), "otel_llm_calls_total")
        assert sum(found.values()) == many * (many + 1) / 2
        assert len(found) <= 4


def test_usage_is_read_at_most_every_ten_seconds(v1_server: QueryServer) -> None:
    v1_server.store([call()])
    memory = UsageMemory(v1_server)  # type: ignore[arg-type]  # it asks for engine and settings only
    assert memory.of("default")[0].calls == 1
    v1_server.store([call()])
    assert memory.of("default")[0].calls == 1


def test_answers_are_timed_by_endpoint_and_unknown_paths_make_no_series(v1_server: QueryServer) -> None:
    v1_server.get("/api/v1/info")
    v1_server.client.get("/no/such/path")
    v1_server.client.get("/another/one")
    counts = named(samples(v1_server), "otel_llm_query_duration_seconds_count")
    assert counts == {(("endpoint", "/api/v1/info"),): 1}


def test_hostile_model_names_stay_one_label(v1_server: QueryServer) -> None:
    v1_server.store([call(response_model='evil"} 1\notel_llm_calls_total{model="x')])
    assert len(named(samples(v1_server), "otel_llm_calls_total")) == 1


def test_store_and_writer_are_measured(v1_server: QueryServer) -> None:
    found = samples(v1_server)
    for name in (
        "otel_llm_store_bytes",
        "otel_llm_ingest_queue_bytes",
        "otel_llm_commits_total",
        "otel_llm_waiting_spans",
        "otel_llm_journal_commits_total",
    ):
        assert named(found, name) == {(): 0}
    assert named(found, "otel_llm_ingest_queue_limit_bytes")
    assert named(found, "otel_llm_commit_duration_seconds_count") == {(): 0}


def test_time_that_questions_had_precedence_is_counted(v1_server: QueryServer) -> None:
    with v1_server.precedence.question():
        time.sleep(0.001)
    assert v1_server.precedence.given_s == 0  # nobody waited
    with v1_server.precedence.question(), v1_server.precedence.waiting():
        time.sleep(0.001)
    counted = named(samples(v1_server), "otel_llm_ingest_gave_way_seconds_total")
    assert counted == {(): pytest.approx(v1_server.precedence.given_s)}
    assert v1_server.precedence.given_s >= 0.001
