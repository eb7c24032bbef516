"""Whatever a client sends: nothing raises, every item is accounted for, and what is stored is consistent in itself."""

import random
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from otel_llm.otlp import varint
from otel_llm.otlp.signals import SignalName
from tests.conventions.otlp import request, span
from tests.effort import examples
from tests.fuzz.ingest_path import IngestPath, check_request
from tests.fuzz.requests import LOGS, METRICS, TRACES, to_json

REQUESTS: dict[SignalName, st.SearchStrategy[Any]] = {"traces": TRACES, "logs": LOGS, "metrics": METRICS}
ANY_PACE = settings(
    deadline=None, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


@pytest.fixture(scope="module")
def ingest_path() -> Iterator[IngestPath]:
    path = IngestPath()
    yield path
    path.close()


@given(message=TRACES, capture=st.booleans())
@settings(ANY_PACE, max_examples=examples(250, 60))
def test_spans_of_any_shape(ingest_path: IngestPath, message: Any, capture: bool) -> None:
    check_request(ingest_path, "traces", message.SerializeToString(), "protobuf", capture=capture)


@given(message=LOGS)
@settings(ANY_PACE, max_examples=examples(80, 25))
def test_log_records_of_any_shape(ingest_path: IngestPath, message: Any) -> None:
    check_request(ingest_path, "logs", message.SerializeToString(), "protobuf")


@given(message=METRICS)
@settings(ANY_PACE, max_examples=examples(60, 20))
def test_data_points_of_any_shape(ingest_path: IngestPath, message: Any) -> None:
    check_request(ingest_path, "metrics", message.SerializeToString(), "protobuf")


@given(message=st.one_of(TRACES.map(lambda made: ("traces", made)), LOGS.map(lambda made: ("logs", made))))
@settings(ANY_PACE, max_examples=examples(60, 20))
def test_requests_in_json(ingest_path: IngestPath, message: tuple[SignalName, Any]) -> None:
    signal, made = message
    check_request(ingest_path, signal, to_json(made), "json")


@pytest.mark.parametrize("signal", list(REQUESTS))
@given(data=st.data())
@settings(ANY_PACE, max_examples=examples(50, 15))
def test_requests_with_broken_bytes(ingest_path: IngestPath, signal: SignalName, data: st.DataObject) -> None:
    body = bytearray(data.draw(REQUESTS[signal]).SerializeToString())
    chance = random.Random(data.draw(st.integers(0, 2**32)))
    for _ in range(data.draw(st.integers(1, 4))):
        if body:
            body[chance.randrange(len(body))] = chance.randrange(256)
    check_request(ingest_path, signal, bytes(body), "protobuf")


@given(first=TRACES, second=TRACES, logs=LOGS)
@settings(ANY_PACE, max_examples=examples(60, 20))
def test_requests_that_share_spans(ingest_path: IngestPath, first: Any, second: Any, logs: Any) -> None:
    """Counted over several requests into one project: rows are what was stored, however copies and families are split."""
    project = ingest_path.project()
    stored = 0
    for message in (first, second):
        taken = ingest_path.take("traces", message.SerializeToString(), "protobuf", project)
        assert taken is not None
        stored += taken.tally["stored"]
    assert len(ingest_path.rows(project)) == stored
    assert ingest_path.take("logs", logs.SerializeToString(), "protobuf", project) is not None


def test_a_broken_span_is_counted_once(ingest_path: IngestPath) -> None:
    good = [span(span_id=bytes([number] * 8)) for number in range(1, 4)]
    scope = request(*good).resource_spans[0].scope_spans[0].SerializeToString() + b"\x12\x03\x0a\x7fx"
    content = b"\x12" + varint.length(len(scope)) + scope
    taken = ingest_path.take("traces", b"\x0a" + varint.length(len(content)) + content, "protobuf", ingest_path.project())
    assert taken is not None
    assert (taken.tally["received"], taken.tally["stored"], taken.tally["rejected"]) == (4, 3, {"undecodable": 1})
    partial = taken.response.partial_success
    assert partial.rejected_spans == 1
    assert partial.error_message.startswith("1 span rejected: ")


def test_a_scope_that_ends_in_the_middle_is_refused_as_a_whole(ingest_path: IngestPath) -> None:
    scope = request(span()).resource_spans[0].scope_spans[0].SerializeToString() + b"\x12\x7f"
    content = b"\x12" + varint.length(len(scope)) + scope
    body = b"\x0a" + varint.length(len(content)) + content
    assert ingest_path.take("traces", body, "protobuf", ingest_path.project()) is None
