"""Requests that are read together give the rows that each gives by itself, or it is seen that one of them has to be."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any, NamedTuple

import pytest
from google.protobuf.message import DecodeError
from hypothesis import example, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from otel_llm.conventions.content import ContentPolicy
from otel_llm.conventions.extract import extract_spans, extract_together
from otel_llm.conventions.extraction import Extraction
from otel_llm.conventions.wire import TraceRequest
from otel_llm.errors import InvalidPayload
from otel_llm.otlp import varint
from otel_llm.otlp.decode import decode_reporting
from otel_llm.spans import SpanBatch
from tests.conventions.otlp import NOW_NS, request, span
from tests.conventions.test_layouts import calls, laid_out
from tests.conventions.test_stencils import assert_equal
from tests.effort import examples

GIVEN: dict[str, Any] = {"project": "p", "key_id": "k", "now_ns": NOW_NS, "content": ContentPolicy()}

pytestmark = pytest.mark.usefixtures("early_patterns")


class Part(NamedTuple):
    """Spans of one scope of a request."""

    service: str
    scope: str
    seed: int
    spans: int
    odd: str = ""

    def encoded(self) -> tuple[bytes, bytes]:
        """Its resource and its ScopeSpans."""
        spans = calls(self.seed, self.spans)
        if self.odd == "no id" and spans:
            spans[-1].span_id = b""
        elif self.odd == "pending":
            spans.append(span({"logfire.span_type": "pending_span"}))
        elif self.odd == "other":
            spans.append(span({"app.odd": self.seed}))
        resource_spans = request(*spans, scope=self.scope, resource={"service.name": self.service}).resource_spans[0]
        scope_spans = resource_spans.scope_spans[0]
        if self.odd == "schema":
            scope_spans.schema_url = "https://opentelemetry.io/schemas/1.37.0"
        body = scope_spans.SerializeToString()
        if self.odd == "no scope":
            scope_spans.ClearField("scope")
            body = scope_spans.SerializeToString()
        elif self.odd == "scope behind":
            scope = scope_spans.scope.SerializeToString()
            scope_spans.ClearField("scope")
            body = scope_spans.SerializeToString() + field(1, scope)
        elif self.odd == "cut":
            body = body[:-3]
        elif self.odd == "too long":
            body += b"\x12\x40" + spans[0].SerializeToString()[:20] if spans else b"\x12\x40"
        elif self.odd == "no field":
            body += b"\xff"
        return resource_spans.resource.SerializeToString(), body


ODD = ["", "no id", "pending", "other", "schema", "no scope", "scope behind", "cut", "too long", "no field"]


def field(number: int, content: bytes) -> bytes:
    return bytes((number << 3 | 2,)) + varint.length(len(content)) + content


def body_of(parts: Sequence[Part]) -> bytes:
    """A request."""
    made = [(field(1, resource), field(2, scope)) for resource, scope in (part.encoded() for part in parts)]
    return b"".join(field(1, resource + scope) for resource, scope in made)


def alone(body: bytes) -> Extraction | None:
    """What a request is by itself, read span by span; None for one that is refused."""
    try:
        return extract_spans(TraceRequest.FromString(body), **GIVEN, stencils=False)
    except InvalidPayload:
        return None


def together(bodies: Sequence[bytes]) -> tuple[Extraction, list[int]] | None:
    """What requests are together; None when one of them has to be read by itself."""
    try:
        extraction, received = extract_together([TraceRequest.FromString(body) for body in bodies], **GIVEN)
    except DecodeError:
        return None
    return (extraction, received) if extraction.is_plain else None


def assert_same(bodies: Sequence[bytes]) -> None:
    each = [alone(body) for body in bodies]
    plain = [one for one in each if one is not None and one.is_plain]
    found = together(bodies)
    if len(plain) < len(each):
        assert found is None
        return
    assert found is not None
    extraction, received = found
    assert received == [one.received for one in plain]
    batch = SpanBatch.concat([one.batch for one in plain]) if any(received) else SpanBatch()
    assert_equal(extraction, Extraction(batch, batch.size))


def learned(service: str, scope: str) -> None:
    """Reads spans until most are matched."""
    for seed in range(60):
        before = laid_out()
        extract_spans(request(*calls(seed), scope=scope, resource={"service.name": service}), **GIVEN)
        if laid_out() - before > 40:
            return
    raise AssertionError("layouts are not learned")


PART = st.builds(
    Part, st.sampled_from("xy"), st.sampled_from(["app", "lib"]), st.integers(0, 200), st.integers(0, 3), st.just("")
) | st.builds(
    Part, st.sampled_from("xy"), st.sampled_from(["app", "lib"]), st.integers(0, 200), st.integers(0, 3), st.sampled_from(ODD)
)


@settings(max_examples=examples(1000, 80), deadline=None)
@given(st.lists(st.lists(PART, max_size=2), min_size=1, max_size=10))
@example([[Part("x", "app", seed, 1)] for seed in range(8)])
@example([[Part("xy"[seed % 2], "app", seed, 1)] for seed in range(12)])
@example([[Part("x", "app", 1, 1, "too long")], *([Part("x", "app", seed, 1)] for seed in range(8))])
def test_requests_read_together_are_as_read_alone(sent: list[list[Part]]) -> None:
    for service, scope in (("x", "app"), ("y", "lib")):
        learned(service, scope)
    assert_same([body_of(parts) for parts in sent])


@settings(max_examples=examples(2000, 60), deadline=None)
@given(
    st.integers(0, 99),
    st.integers(0, 7),
    st.lists(st.tuples(st.integers(0, 10**6), st.integers(1, 255)), min_size=1, max_size=3),
)
def test_flipped_bits_of_one_of_them(seed: int, which: int, flips: list[tuple[int, int]]) -> None:
    learned("x", "app")
    bodies = [body_of([Part("x", "app", seed + number, 1)]) for number in range(8)]
    body = bytearray(bodies[which])
    for place, bits in flips:
        body[place % len(body)] ^= bits
    bodies[which] = bytes(body)
    with suppress(InvalidPayload):
        decoded = decode_reporting("traces", bodies[which], "protobuf", TraceRequest)
        if not decoded.damage and not isinstance(decoded.message, ExportTraceServiceRequest):
            assert_same(bodies)


def test_spans_of_one_span_requests_are_matched() -> None:
    learned("x", "app")
    before = laid_out()
    extract_together([TraceRequest.FromString(body_of([Part("x", "app", seed, 1)])) for seed in range(8)], **GIVEN)
    assert laid_out() - before > 4
