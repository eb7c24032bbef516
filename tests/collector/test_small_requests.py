"""Small requests that are read together for one commit are answered, stored and counted as if each had come alone."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from otel_llm.access.caller import Caller
from otel_llm.accounting import Accounting
from otel_llm.conventions.content import ContentPolicy
from otel_llm.conventions.wire import TraceRequest
from otel_llm.errors import InvalidPayload
from otel_llm.pipeline import Pipeline
from otel_llm.pricing import Pricer
from otel_llm.store.engines.duckdb import DuckDBEngine
from otel_llm.store.writer import Writer
from tests.conventions.otlp import request, span
from tests.effort import examples
from tests.store.test_resolution import stored

SMALL = 4_096
CALLERS = [Caller(project, key_id, frozenset({"ingest"})) for project, key_id in (("a", "1"), ("a", "2"), ("b", None))]
PRICER = Pricer()

CALL = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o", "gen_ai.usage.input_tokens": 10}


def _good(number: int) -> list[Any]:
    return [span(CALL | {"gen_ai.usage.output_tokens": number}, span_id=_id(number))]


def _id(number: int) -> bytes:
    return (number + 1).to_bytes(8, "big")


def _kinds() -> dict[str, Any]:
    """What a request may hold, by name: spans made from a number."""
    return {
        "good": _good,
        "two": lambda number: [*_good(number), *_good(number + 40)],
        "none": lambda number: [],
        "no id": lambda number: [span(CALL, span_id=b"")],
        "one of them without id": lambda number: [*_good(number), span(CALL, span_id=b"\x01")],
        "pending": lambda number: [span({"logfire.span_type": "pending_span"}, span_id=_id(number)), *_good(number + 20)],
        "bad value": lambda number: [span(CALL | {"gen_ai.usage.input_tokens": -5}, span_id=_id(number))],
        "event": lambda number: [span(CALL, span_id=_id(number), events=[("gen_ai.choice", 0.5, {"index": 0})])],
        "verdict": lambda number: [
            span(CALL, span_id=_id(number), events=[("flashback.policy.violation", 0.5, {"policy.id": "p"})])
        ],
    }


class Sent(NamedTuple):
    """One request: which kind, made from which number, of which service and caller."""

    kind: str
    number: int
    service: str
    caller: int

    def encoded(self) -> bytes:
        """Its bytes."""
        made = request(*_kinds()[self.kind](self.number), scope="app", resource={"service.name": self.service})
        if self.kind == "two" and self.number % 2:  # a resource without spans, and two scopes
            made.resource_spans.add()
            scope = made.resource_spans[0].scope_spans.add()
            scope.spans.append(made.resource_spans[0].scope_spans[0].spans.pop())
        return made.SerializeToString()


SENT = st.builds(
    Sent,
    st.sampled_from(sorted(_kinds())),
    st.integers(0, 12),
    st.sampled_from(["x", "y"]),
    st.integers(0, len(CALLERS) - 1),
)


class Outcome(NamedTuple):
    """What a store and its clients know in the end."""

    answers: list[Any]
    rows: dict[str, Any]
    tally: dict[str, Any]
    commits: int


def outcome(sent: Sequence[tuple[bytes, Caller]], size_bytes: int, folder: Path) -> Outcome:
    """Sends requests that all wait for the same commit."""
    engine = DuckDBEngine(str(folder / f"{size_bytes}.duckdb"))
    engine.open()
    try:
        writer = Writer(engine, PRICER.price, max_spans=10_000, margin_ns=10**12)
        accounting = Accounting()
        pipeline = Pipeline(writer, PRICER, accounting, ContentPolicy())
        futures = [pipeline.accept("traces", TraceRequest.FromString(body), caller, size_bytes) for body, caller in sent]
        writer.start()
        answers = [future.exception(30) or future.result() for future in futures]
        writer.stop()
        rows = {project: stored(engine, project) for project in ("a", "b")}
        for row in (row for of_project in rows.values() for row in of_project.values()):
            del row["ingested_ns"]
        tally = {project: accounting.snapshot(project) for project in ("a", "b")}
        return Outcome(answers, rows, tally, writer.statistics.commits)
    finally:
        engine.close()


@settings(max_examples=examples(200, 8), deadline=None)
@given(st.lists(SENT, min_size=1, max_size=14))
@example([Sent("good", 1, "x", 0), Sent("good", 5, "x", 1), Sent("bad value", 7, "x", 1), Sent("good", 5, "y", 0)])
def test_requests_read_together_are_stored_answered_and_counted_as_read_alone(sent: list[Sent]) -> None:
    requests = [(each.encoded(), CALLERS[each.caller]) for each in sent]
    callers = [each.caller for each in sent]
    by_caller = sorted(range(len(sent)), key=lambda place: callers.index(callers[place]))  # of equal copies the first stays
    with tempfile.TemporaryDirectory() as name:
        together = outcome(requests, SMALL, Path(name))
        alone = outcome([requests[place] for place in by_caller], 0, Path(name))
    assert [together.answers[place] for place in by_caller] == alone.answers
    assert together.rows == alone.rows
    assert together.tally == alone.tally
    assert together.commits <= 1


def test_a_request_with_a_broken_scope_costs_those_read_with_it_nothing(tmp_path: Path) -> None:
    good = [request(*_good(number), scope="app").SerializeToString() for number in range(6)]
    broken = TraceRequest()
    broken.resource_spans.add().scope_spans.append(b"\x12\x7f\x0a")
    beyond_repair = broken.SerializeToString()
    bodies = [(body, CALLERS[0]) for body in (*good[:3], beyond_repair, *good[3:])]
    found = outcome(bodies, SMALL, tmp_path)
    bad = found.answers.pop(3)
    assert isinstance(bad, InvalidPayload) or bad.rejected, "it is told what is wrong with it"
    assert [answer.rejected for answer in found.answers] == [0] * 6
    assert len(found.rows["a"]) == 6
    assert found.tally["a"]["spans"]["stored"] == 6


def test_a_price_that_cannot_be_computed_costs_those_read_with_it_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    price = PRICER.price

    def fails_for_three(batch: Any, rows: Any = None) -> None:
        if 3 in batch["output_tokens"]:
            raise ArithmeticError("no price for three")
        price(batch, rows)

    monkeypatch.setattr(PRICER, "price", fails_for_three)
    sent = [(request(*_good(number)).SerializeToString(), CALLERS[number % 2]) for number in range(6)]
    found = outcome(sent, SMALL, tmp_path)
    assert isinstance(found.answers.pop(3), ArithmeticError)
    assert [answer.rejected for answer in found.answers] == [0] * 5
    assert sorted(row["output_tokens"] for row in found.rows["a"].values()) == [0, 1, 2, 4, 5]
    assert found.tally["a"]["spans"]["stored"] == 5


def test_a_price_list_that_fails_for_one_is_answered_and_the_next_requests_are_served(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = ExportTraceServiceRequest.SerializeToString(request(*_good(1), scope="app"))

    def fails(batch: Any, rows: Any = None) -> None:
        raise ArithmeticError("no price today")

    engine = DuckDBEngine(str(tmp_path / "store.duckdb"))
    engine.open()
    pricer = Pricer()
    writer = Writer(engine, pricer.price, max_spans=100, margin_ns=10**12)
    pipeline = Pipeline(writer, pricer, Accounting(), ContentPolicy())
    writer.start()
    monkeypatch.setattr(pricer, "price", fails)
    with pytest.raises(ArithmeticError):
        pipeline.accept("traces", TraceRequest.FromString(body), CALLERS[0], SMALL).result(30)
    monkeypatch.undo()
    answer = pipeline.accept("traces", TraceRequest.FromString(body), CALLERS[0], SMALL).result(30)
    assert (answer.rejected, len(stored(engine, "a"))) == (0, 1)
    writer.stop()
    engine.close()
