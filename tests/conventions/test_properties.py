"""Properties of extraction over random requests made of the attributes that the tables know."""

import json
import random
from collections.abc import MutableSequence
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from otel_llm.conventions.content import ContentPolicy
from otel_llm.conventions.dialects import DIALECTS
from otel_llm.conventions.extract import extract_spans
from otel_llm.conventions.replay import request_of
from otel_llm.conventions.wire import ScopeSpans, TraceRequest
from otel_llm.spans import FIELDS
from tests.conventions.otlp import NOW_NS, extract, request, span
from tests.effort import examples

KEYS = sorted({source.key.split("#")[0] for dialect in DIALECTS for source in dialect.sources})
TOKEN_KEYS = [key for key in KEYS if "token" in key.lower()]
SCOPES = ["", *sorted({scope.rstrip("*") for dialect in DIALECTS for scope in dialect.scopes})]

scalars = (
    st.text(max_size=20)
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats()
    | st.booleans()
    | st.none()
    | st.sampled_from(
        ["chat", "LLM", '"quoted"', "[1, 2", "{'a': 1}", '{"input": 5, "total": -1}', "none", "2026-11-22T00:00:00Z"]
    )
)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3), max_leaves=6
)
keys = st.sampled_from(KEYS) | st.text(max_size=12)
unclean_keys = keys.map("{}\x00".format)
attributes = st.dictionaries(keys | unclean_keys, values, max_size=12)
counts = st.integers(0, 5000) | st.sampled_from([0, 2**62, 2**63 - 1]) | st.integers(0, 5000).map(str)
names = st.sampled_from(["chat", "call_llm", "model_call", "raw_gen_ai_request", ""]) | st.text(max_size=8)


class Swapping(random.Random):
    """Chance that swaps the two attributes of an example."""

    def shuffle(self, x: MutableSequence[Any]) -> None:
        """Turns the order around."""
        x.reverse()


SWAPPING = Swapping()


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(st.sampled_from(TOKEN_KEYS), counts, max_size=8), st.sampled_from(SCOPES), st.booleans())
def test_parts_of_usage_never_exceed_their_whole(usage: dict[str, Any], scope: str, embedding: bool) -> None:
    made = span({"gen_ai.operation.name": "embeddings" if embedding else "chat", **usage})
    found = extract(request(made, scope=scope)).batch.row(0)
    if found["input_tokens"] is not None:
        assert (found["cache_read_tokens"] or 0) + (found["cache_write_tokens"] or 0) <= found["input_tokens"]
    else:
        assert not found["cache_read_tokens"]
        assert not found["cache_write_tokens"]
    assert (found["cache_write_1h_tokens"] or 0) <= (found["cache_write_tokens"] or 0)
    assert (found["reasoning_tokens"] or 0) <= (found["output_tokens"] or 0)
    modalities = json.loads(found["modality_tokens"] or "{}")
    for side in ("input", "output"):
        assert sum(number for name, number in modalities.items() if name.startswith(side)) <= (found[f"{side}_tokens"] or 0)
    for name in ("input_tokens", "output_tokens", "total_tokens"):
        assert found[name] is None or 0 <= found[name] < 2**63


@settings(max_examples=examples(300, 80), deadline=None)
@given(
    attributes,
    attributes,
    names,
    st.sampled_from(SCOPES),
    st.integers(0, 5),
    st.integers(0, 2**64 - 1),
    st.integers(0, 2**64 - 1),
)
def test_extraction_never_raises_and_accounts_for_every_span(
    sent: dict[str, Any], resource: dict[str, Any], name: str, scope: str, kind: int, start: int, end: int
) -> None:
    made = span(sent, name=name, kind=kind, start_time_unix_nano=start, end_time_unix_nano=end, events=[(name, 0.1, sent)])
    extraction = extract(request(made, span({}), scope=scope, resource=resource))
    assert extraction.received == 2 == len(extraction.batch) + len(extraction.rejections) + extraction.ignored.total()
    for found in extraction.batch.rows():
        for field in FIELDS:
            _fits(field.type, found[field.name])
            assert found[field.name] is not None or not field.required


def _fits(kind: str, value: Any) -> None:
    if value is None:
        return
    types = {"text": str, "json": str, "int": int, "float": float, "bool": bool, "bytes": bytes}
    assert type(value) is types[kind]
    if kind in ("text", "json"):
        assert "\x00" not in value
        value.encode()
    if kind == "json":
        json.loads(value)
    if kind == "int":
        assert -(2**63) <= value < 2**63


@settings(max_examples=examples(200, 80), deadline=None)
@given(attributes, st.sampled_from(SCOPES), st.randoms(use_true_random=False))
@example({"user.id": "a", "user.id\x00": "b"}, "", SWAPPING)
@example({"user.id\x00": "a", "\x00user.id": "b"}, "", SWAPPING)
@example({"gen_ai.usage.input_tokens\x00": 1, "gen_ai.usage.input_tokens": -1}, "", SWAPPING)
@example({"gen_ai.prompt": "a", "gen_ai.prompt\x00": "b"}, "", SWAPPING)
@example({"metadata": {"k": 1}, "metadata\x00": {"k\x00": 2}}, "langfuse-sdk", SWAPPING)
def test_the_order_of_attributes_never_changes_the_result(sent: dict[str, Any], scope: str, chance: Any) -> None:
    items = list(sent.items())
    chance.shuffle(items)
    first, second = (extract(request(span(dict(order), span_id=b"\x01" * 8), scope=scope)) for order in (sent.items(), items))
    assert first.values == second.values
    assert first.ignored == second.ignored
    for one, other in zip(first.batch.rows(), second.batch.rows(), strict=True):
        for name in one:
            if name == "attributes":
                assert json.loads(one[name] or "{}") == json.loads(other[name] or "{}")
            else:
                assert one[name] == other[name], name


@settings(max_examples=examples(200, 60), deadline=None)
@given(attributes, attributes, st.sampled_from(SCOPES))
def test_a_stored_row_extracts_to_itself(sent: dict[str, Any], resource: dict[str, Any], scope: str) -> None:
    extraction = extract(request(span(sent, events=[("e", 0.2, {"k": "v"})]), scope=scope, resource=resource))
    for found in extraction.batch.rows():
        [again] = extract(request_of(found), ContentPolicy(capture=True, max_bytes=2**30)).batch.rows()
        changed = {name for name in found if found[name] != again[name]}
        # What was cut from the raw attributes is no longer counted, and a moved start is not moved again.
        assert changed <= {"attribute_count", "start_ns"}


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=400))
def test_a_request_of_broken_attributes_never_raises(body: bytes) -> None:
    scope_spans = ScopeSpans()
    target = scope_spans.spans.add(trace_id=b"\x01" * 16, span_id=b"\x02" * 8)
    target.attributes.extend([body, body[:7], b"\x0a\x01k"])
    target.events.append(body)
    target.links.append(body)
    target.status = body
    target.name = body
    made = TraceRequest()
    made.resource_spans.add().scope_spans.append(scope_spans.SerializeToString())
    extraction = extract_spans(made, project="p", key_id=None, now_ns=NOW_NS, content=ContentPolicy())
    assert len(extraction.batch) + extraction.ignored.total() == 1


@settings(max_examples=examples(100, 30), deadline=None)
@given(st.lists(st.tuples(attributes, st.sampled_from(SCOPES)), max_size=4))
def test_both_message_classes_give_the_same_rows(spans: list[tuple[dict[str, Any], str]]) -> None:
    message = ExportTraceServiceRequest()
    for sent, scope in spans:
        message.MergeFrom(request(span(sent), scope=scope))
    wire = TraceRequest.FromString(message.SerializeToString())
    one, other = (
        extract_spans(made, project="p", key_id=None, now_ns=NOW_NS, content=ContentPolicy()) for made in (message, wire)
    )
    assert list(one.batch.rows()) == list(other.batch.rows())
