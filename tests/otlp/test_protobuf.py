"""Protobuf requests, good and broken."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from otel_llm.errors import InvalidPayload, PayloadTooLarge
from otel_llm.otlp.decode import Encoding, decode, decode_reporting
from otel_llm.otlp.signals import SIGNALS, SignalName

GOOD = {"trace_id": b"t" * 16, "span_id": b"s" * 8}


def request_of(*names: str) -> Any:
    request = ExportTraceServiceRequest()
    scope = request.resource_spans.add().scope_spans.add()
    for name in names:
        span = scope.spans.add(name=name, **GOOD)
        span.attributes.add(key="gen_ai.request.model").value.string_value = "gpt-4o"
        span.attributes.add(key="gen_ai.usage.input_tokens").value.int_value = 100
    return request


def spans_of(message: Any) -> list[Any]:
    return [span for resource in message.resource_spans for scope in resource.scope_spans for span in scope.spans]


OUTCOMES = ("decoded", "not an Export")


def refusal(signal: SignalName, body: bytes, encoding: Encoding) -> str:
    try:
        decode_reporting(signal, body, encoding)
    except InvalidPayload as error:
        return str(error)
    return "decoded"


def size(content: bytes) -> bytes:
    rest, out = len(content), bytearray()
    while rest > 127:
        out.append(rest & 127 | 128)
        rest >>= 7
    return bytes([*out, rest])


def field(number: int, content: bytes) -> bytes:
    return bytes([number << 3 | 2]) + size(content) + content


def with_spans(*spans: bytes) -> bytes:
    return field(1, field(2, b"".join(field(2, span) for span in spans)))


def nested(depth: int) -> ExportTraceServiceRequest:
    request = request_of("deep", "good")
    value = request.resource_spans[0].scope_spans[0].spans[0].attributes.add(key="nest").value
    for _ in range(depth):
        value = value.array_value.values.add()
    value.string_value = "core"
    return request


@pytest.mark.parametrize("signal", SIGNALS)
def test_an_empty_body_is_an_empty_request(signal):
    assert decode(signal, b"", "protobuf") == SIGNALS[signal].request()


def test_a_good_request_has_no_damage():
    request = request_of("a", "b")
    message, damage = decode_reporting("traces", request.SerializeToString(), "protobuf")
    assert message == request
    assert not damage
    assert damage.message("span") == ""


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b"\x0a", "an ExportTraceServiceRequest ends in the middle of a field"),
        (b"\x0a\x7fabc", "field 1 of an ExportTraceServiceRequest announces 127 bytes and 3 are left"),
        (b"hello world", "field 13 of an ExportTraceServiceRequest has wire type 4"),
        (b'{"resourceSpans":[]}', "ExportTraceServiceRequest"),
        (b"\xff" * 20, "a number of more than 10 bytes"),
        (b"\x00\x01", "field number 0 at byte 0"),
        (field(1, b"\x12\x05ab"), "field 2 of a ResourceSpans announces 5 bytes and 2 are left"),
        (b"\x0b", "ends in the middle of a field"),
        (b"\x0b\x14", "a group of an ExportTraceServiceRequest is closed by another one's end"),
    ],
)
def test_broken_bytes_outside_of_items_are_refused_with_what_and_where(body, sentence):
    with pytest.raises(InvalidPayload, match=sentence):
        decode("traces", body, "protobuf")


@pytest.mark.parametrize("old", [b"b\x00d", b"gpt-4o", b"gen_ai.request.model"])
def test_text_that_is_not_utf8_costs_only_its_broken_characters(old):
    body = request_of("good", "b\x00d").SerializeToString().replace(old, b"\xff" * len(old))
    message, damage = decode_reporting("traces", body, "protobuf")
    assert len(spans_of(message)) == 2
    assert all(span.trace_id == GOOD["trace_id"] for span in spans_of(message))
    assert set(damage.values) == {"invalid_utf8"}
    assert not damage.rejected
    assert "is not UTF-8 at byte 0" in damage.message("span")


def test_text_outside_of_spans_that_is_not_utf8_is_mended():
    request = request_of("good")
    request.resource_spans[0].resource.attributes.add(key="service.name").value.string_value = "svc!"
    message = decode("traces", request.SerializeToString().replace(b"svc!", b"\xffsvc"), "protobuf")
    assert message.resource_spans[0].resource.attributes[0].value.string_value == "\ufffdsvc"
    assert spans_of(message)[0].name == "good"


@pytest.mark.parametrize("depth", [48, 60, 200, 400])
def test_a_value_nested_deeper_than_protobuf_allows_costs_only_itself(depth):
    # the runtime refuses to serialise what it refuses to parse, so the bytes are put together here
    value = b"\x0a\x04core"
    for _ in range(depth):
        value = b"\x2a" + size(b"\x0a" + size(value) + value) + b"\x0a" + size(value) + value
    attribute = b"\x0a\x04nest" + b"\x12" + size(value) + value
    deep = b"\x4a" + size(attribute) + attribute + b"\x2a\x04deep"
    scope = b"\x12" + size(deep) + deep + field(2, b"\x2a\x04good")
    resource = b"\x12" + size(scope) + scope
    message, damage = decode_reporting("traces", b"\x0a" + size(resource) + resource, "protobuf")
    assert [span.name for span in spans_of(message)] == ["deep", "good"]
    assert spans_of(message)[0].attributes[0].key == "nest"
    assert damage.values == {"too_deep": 1}


def test_nesting_that_protobuf_allows_is_kept():
    request = nested(47)
    message, damage = decode_reporting("traces", request.SerializeToString(), "protobuf")
    assert message == request
    assert not damage


@pytest.mark.parametrize(
    "broken",
    [
        b"\x0a\x7fx",  # an id that announces more than there is
        b"\x4a\x03\x12\x7fx",  # the same inside of an attribute
        b"\x2e",  # wire type 6
        b"\x39\x00",  # a time of one byte
        b"\x80",  # a tag that does not end
    ],
)
def test_a_span_of_broken_bytes_is_rejected_alone(broken):
    good, fine = (span.SerializeToString() for span in spans_of(request_of("good", "fine")))
    message, damage = decode_reporting("traces", with_spans(good, broken, fine), "protobuf")
    assert [span.name for span in spans_of(message)] == ["good", "fine"]
    assert damage.rejected == {"undecodable": 1}


def test_a_data_point_of_broken_bytes_is_rejected_alone():
    request = ExportMetricsServiceRequest()
    metric = request.resource_metrics.add().scope_metrics.add().metrics.add(name="m")
    metric.sum.data_points.add(as_int=1)
    metric.sum.data_points.add(as_int=2).attributes.add(key="b!d")
    body = request.SerializeToString().replace(b"\x0a\x03b!d", b"\x0a\x7fb!d")
    message, damage = decode_reporting("metrics", body, "protobuf")
    assert [point.as_int for point in message.resource_metrics[0].scope_metrics[0].metrics[0].sum.data_points] == [1]
    assert damage.rejected == {"undecodable": 1}


@pytest.mark.parametrize("many", [b"\x0a\x00", b"\x12\x00"])
def test_a_request_of_millions_of_empty_parts_is_too_large(many):
    """Two bytes on the wire are hundreds in memory, and each span would be walked."""
    parts = many * 1_000_000
    body = parts if many == b"\x0a\x00" else b"\x0a" + size(b"\x12" + size(parts) + parts) + b"\x12" + size(parts) + parts
    with pytest.raises(PayloadTooLarge, match="more than 262144 resources, scopes and spans"):
        decode("traces", body, "protobuf")


def test_unknown_fields_and_groups_pass():
    extra = b"\x9b\x06\x08\x01\x9c\x06" + b"\xa0\x06\x07" + b"\xaa\x06\x01z"  # group 99, fields 100 and 101
    body = request_of("good", "b!d").SerializeToString().replace(b"b!d", b"\xff!d") + extra
    message, damage = decode_reporting("traces", body, "protobuf")
    assert len(spans_of(message)) == 2
    assert damage.values == {"invalid_utf8": 1}


@given(data=st.data())
def test_one_flipped_byte_never_does_worse_than_a_refusal(data):
    body = bytearray(request_of("a", "b", "c").SerializeToString())
    position = data.draw(st.integers(0, len(body) - 1))
    body[position] ^= data.draw(st.integers(1, 255))
    assert refusal("traces", bytes(body), "protobuf").startswith(OUTCOMES)


@pytest.mark.parametrize("encoding", ["protobuf", "json"])
@given(body=st.binary(max_size=300))
def test_any_bytes_decode_or_are_an_invalid_payload(encoding: Encoding, body):
    for signal in SIGNALS:
        assert refusal(signal, body, encoding).startswith(OUTCOMES)


@given(spans=st.lists(st.binary(max_size=40), max_size=3))
def test_whatever_the_bytes_of_spans_are_the_good_one_is_kept(spans):
    good = spans_of(request_of("good"))[0]
    body = b"".join(with_spans(span) for span in spans) + request_of("good").SerializeToString()
    message, damage = decode_reporting("traces", body, "protobuf")
    assert spans_of(message)[-1] == good
    assert len(spans_of(message)) - 1 + damage.rejected.total() == len(spans)
