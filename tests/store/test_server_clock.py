"""The collector's own clock may jump, by hours and back: what is stored does not depend on it."""

import random
import time
from collections.abc import Callable

import pytest
import sqlalchemy as sa
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from otel_llm.access.caller import Caller
from otel_llm.accounting import Accounting
from otel_llm.config import Settings
from otel_llm.conventions.content import ContentPolicy
from otel_llm.pipeline import Pipeline
from otel_llm.pricing import Pricer
from otel_llm.store import schema
from otel_llm.store.open import open_engine
from otel_llm.store.writer import Writer
from tests.conventions.otlp import request, span

DAY_NS = 86_400 * 10**9
CALLER = Caller("p", None, frozenset({"ingest"}))


def _request(chance: random.Random, number: int) -> ExportTraceServiceRequest:
    """A trace of three calls; one in three is also recorded by a second instrumentation, as its child."""
    trace, start = chance.randbytes(16), 1_767_225_600 * 10**9 + number * 10**9
    spans = []
    for call in range(3):
        sent = {
            "gen_ai.operation.name": "chat",
            "gen_ai.request.model": "gpt-4o",
            "gen_ai.response.id": f"r-{number}-{call}",
            "gen_ai.usage.input_tokens": 100 + number,
            "gen_ai.usage.output_tokens": 10 + call,
        }
        made = [span(sent), span(sent)][: 2 if call == number % 3 else 1]
        for each in made:
            each.trace_id, each.span_id = trace, chance.randbytes(8)
            each.start_time_unix_nano, each.end_time_unix_nano = start, start + 10**9
        if len(made) > 1:
            made[1].parent_span_id = made[0].span_id
        spans += made
    chance.shuffle(spans)
    return request(*spans)


@pytest.mark.parametrize("seed", range(2))
def test_a_clock_that_jumps_loses_and_doubles_nothing(engine_url: str, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    chance = random.Random(seed)
    now: Callable[[], int] = time.time_ns
    jump = [0]
    monkeypatch.setattr(time, "time_ns", lambda: now() + jump[0])
    pricer, accounting = Pricer(), Accounting()
    requests = [_request(chance, number) for number in range(12)]
    halves = []
    for message in requests:  # the records of a trace come apart, and each request comes twice
        first, second = ExportTraceServiceRequest(), ExportTraceServiceRequest()
        for half, part in ((first, slice(None, 2)), (second, slice(2, None))):
            half.CopyFrom(message)
            del half.resource_spans[0].scope_spans[0].spans[:]
            half.resource_spans[0].scope_spans[0].spans.extend(message.resource_spans[0].scope_spans[0].spans[part])
        halves += [first, second] * 2
    chance.shuffle(halves)
    for session in range(3):  # and the server is started anew
        engine = open_engine(engine_url, Settings(database_url=engine_url))
        writer = Writer(engine, pricer.price, max_spans=10_000, margin_ns=3_600 * 10**9)
        writer.start()
        pipeline = Pipeline(writer, pricer, accounting, ContentPolicy())
        for message in halves[session::3]:
            jump[0] = chance.choice(
                [0, -3_600 * 10**9, 3_600 * 10**9, -5 * DAY_NS, 400 * DAY_NS, chance.randrange(-DAY_NS, DAY_NS)]
            )
            answer = pipeline.traces(message, CALLER)
            assert answer.rejected == 0
        if session == 2:
            spans = schema.spans
            with engine.sql.connect() as connection:
                rows = connection.execute(
                    sa.select(spans.c.trace_id, spans.c.span_id, spans.c.input_tokens, spans.c.counted, spans.c.cost_computed)
                ).all()
        writer.stop()
        engine.close()
    sent = [made for message in requests for made in message.resource_spans[0].scope_spans[0].spans]
    assert sorted((row.trace_id, row.span_id) for row in rows) == sorted((made.trace_id, made.span_id) for made in sent)
    counted = [row for row in rows if row.counted]
    assert len(counted) == 3 * len(requests)
    assert sum(row.input_tokens for row in counted) == sum(3 * (100 + number) for number in range(len(requests)))
    tally = accounting.snapshot()["spans"]
    assert tally["received"] == 2 * len(sent)
    assert (tally["stored"], tally["duplicate"]) == (len(sent), len(sent))
