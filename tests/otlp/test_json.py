"""OTLP/JSON, by the JSON mapping of the OTLP specification."""

import base64
import contextlib
import json
import math
from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from otel_llm.errors import InvalidPayload
from otel_llm.otlp.decode import decode, decode_reporting

TRACE_ID, SPAN_ID = "5b8efff798038103d269b633813fc60c", "eee19b7ec3c1b174"


def of_span(span: Any, damage: dict[str, int] | None = None) -> Any:
    document = {"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}
    decoded = decode_reporting("traces", json.dumps(document).encode(), "json")
    assert decoded.damage.values == (damage or {})
    assert not decoded.damage.rejected
    return decoded.message.resource_spans[0].scope_spans[0].spans[0]


def of_value(value: Any, damage: dict[str, int] | None = None) -> Any:
    return of_span({"attributes": [{"key": "k", "value": value}]}, damage).attributes[0].value


def test_the_example_of_the_specification():
    span = of_span(
        {
            "traceId": TRACE_ID.upper(),
            "spanId": SPAN_ID.upper(),
            "parentSpanId": "eee19b7ec3c1b173",
            "name": "I'm a server span",
            "startTimeUnixNano": "1544712660000000000",
            "endTimeUnixNano": "1544712661000000000",
            "kind": 2,
            "attributes": [{"key": "my.span.attr", "value": {"stringValue": "some value"}}],
            "links": [{"traceId": TRACE_ID, "spanId": SPAN_ID}],
        }
    )
    assert span.trace_id.hex() == TRACE_ID
    assert span.span_id.hex() == SPAN_ID
    assert span.parent_span_id.hex() == "eee19b7ec3c1b173"
    assert (span.start_time_unix_nano, span.end_time_unix_nano, span.kind) == (1544712660 * 10**9, 1544712661 * 10**9, 2)
    assert span.attributes[0].key == "my.span.attr"
    assert span.attributes[0].value.string_value == "some value"
    assert (span.links[0].trace_id.hex(), span.links[0].span_id.hex()) == (TRACE_ID, SPAN_ID)


@pytest.mark.parametrize("value", ["1544712660000000000", 1544712660000000000, 1.54471266e18, "1.54471266e18"])
def test_64_bit_integers_are_numbers_or_text(value):
    assert of_span({"startTimeUnixNano": value}).start_time_unix_nano == 1544712660000000000


@pytest.mark.parametrize(("value", "kind"), [(3, 3), ("SPAN_KIND_CLIENT", 3), ("3", 3), (99, 99)])
def test_enums_are_numbers_and_names_are_taken_too(value, kind):
    assert of_span({"kind": value}).kind == kind


@pytest.mark.parametrize(
    ("value", "field", "read"),
    [
        ({"stringValue": "ü\u0000"}, "string_value", "ü\u0000"),
        ({"boolValue": True}, "bool_value", True),
        ({"boolValue": False}, "bool_value", False),
        ({"intValue": "-9223372036854775808"}, "int_value", -(2**63)),
        ({"intValue": 2**63 - 1}, "int_value", 2**63 - 1),
        ({"intValue": -1}, "int_value", -1),
        ({"doubleValue": 1.5}, "double_value", 1.5),
        ({"doubleValue": 3}, "double_value", 3.0),
        ({"doubleValue": "2.5"}, "double_value", 2.5),
        ({"doubleValue": "Infinity"}, "double_value", math.inf),
        ({"doubleValue": "-Infinity"}, "double_value", -math.inf),
        ({"bytesValue": base64.b64encode(b"\xff\xfe\xfd").decode()}, "bytes_value", b"\xff\xfe\xfd"),
        ({"bytesValue": base64.urlsafe_b64encode(b"\xff\xfe").decode().rstrip("=")}, "bytes_value", b"\xff\xfe"),
        ({"string_value": "snake"}, "string_value", "snake"),
    ],
)
def test_values_of_every_type(value, field, read):
    parsed = of_value(value)
    assert parsed.WhichOneof("value") == field
    assert getattr(parsed, field) == read


def test_not_a_number_is_a_number():
    assert math.isnan(of_value({"doubleValue": "NaN"}).double_value)


def test_an_empty_string_is_a_value_and_an_empty_value_is_none():
    assert of_value({"stringValue": ""}).WhichOneof("value") == "string_value"
    assert of_value({}).WhichOneof("value") is None


def test_arrays_and_maps_nest():
    value = of_value(
        {
            "arrayValue": {
                "values": [{"intValue": "1"}, {"kvlistValue": {"values": [{"key": "a", "value": {"boolValue": True}}]}}]
            }
        }
    )
    assert value.array_value.values[0].int_value == 1
    assert value.array_value.values[1].kvlist_value.values[0].key == "a"
    assert value.array_value.values[1].kvlist_value.values[0].value.bool_value is True


def test_unknown_keys_are_ignored_and_null_is_unset():
    span = of_span({"name": None, "attributes": None, "futureField": {"a": [1]}, "status": {"code": 2, "x": 1}, "kind": 3})
    assert (span.name, list(span.attributes), span.status.code, span.kind) == ("", [], 2, 3)


def test_snake_case_keys_are_taken_too():
    document = {"resource_spans": [{"scope_spans": [{"spans": [{"trace_id": TRACE_ID, "start_time_unix_nano": 7}]}]}]}
    span = decode("traces", json.dumps(document).encode(), "json").resource_spans[0].scope_spans[0].spans[0]
    assert (span.trace_id.hex(), span.start_time_unix_nano) == (TRACE_ID, 7)


@pytest.mark.parametrize("bad", ["xyz", "", "5b8efff798038103d269b633813fc60", "Ä" * 8, "zzzzzzzzzzzzzzzz", "zzzzzzzz"])
def test_a_bad_id_is_passed_on_with_a_length_that_no_id_has(bad):
    span = of_span({"traceId": bad, "spanId": bad, "name": "kept"})
    assert len(span.trace_id) != 16
    assert len(span.span_id) != 8
    assert span.name == "kept"


@pytest.mark.parametrize(
    ("span", "field"),
    [
        ({"startTimeUnixNano": "yesterday"}, "start_time_unix_nano"),
        ({"startTimeUnixNano": -1}, "start_time_unix_nano"),
        ({"startTimeUnixNano": 2**64}, "start_time_unix_nano"),
        ({"startTimeUnixNano": 1.5}, "start_time_unix_nano"),
        ({"startTimeUnixNano": [1]}, "start_time_unix_nano"),
        ({"startTimeUnixNano": True}, "start_time_unix_nano"),
        ({"kind": "client"}, "kind"),
        ({"flags": {}}, "flags"),
        ({"status": 2}, "status"),
        ({"attributes": {"a": 1}}, "attributes"),
        ({"attributes": ["a"]}, "attributes"),
        ({"events": [7]}, "events"),
    ],
)
def test_a_value_that_does_not_fit_its_field_costs_only_itself(span, field):
    read = of_span(span | {"name": "kept"}, {"wrong_type": 1})
    assert read.name == "kept"
    assert not read.HasField(field) if field == "status" else not getattr(read, field)


@pytest.mark.parametrize("value", [{"intValue": "many"}, {"intValue": 2**63}, {"stringValue": 3}, {"bytesValue": "*"}])
def test_an_attribute_that_does_not_fit_keeps_its_key(value):
    assert of_value(value, {"wrong_type": 1}).WhichOneof("value") is None


def test_a_span_that_is_no_object_is_rejected_alone():
    document = {"resourceSpans": [{"scopeSpans": [{"spans": [{"name": "good"}, 7, "x", {"name": "fine"}]}]}]}
    message, damage = decode_reporting("traces", json.dumps(document).encode(), "json")
    assert [span.name for span in message.resource_spans[0].scope_spans[0].spans] == ["good", "fine"]
    assert damage.rejected == {"undecodable": 2}
    assert damage.message("span").startswith("2 spans rejected: spans[1] is the number 7 where an object is due")


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b"", "truncated"),
        (b"{", "truncated"),
        (b"nonsense", "malformed"),
        (b"[]", "the document is an array where an object is due"),
        (b'"text"', "the document is the text 'text' where an object is due"),
        (b'{"resourceSpans":{}}', "resourceSpans is an object where an array is due"),
        (b'{"resourceSpans":[1]}', r"resourceSpans\[0\] is the number 1 where an object is due"),
        (b'{"resourceSpans":[{},{"scopeSpans":1}]}', r"resourceSpans\[1\].scopeSpans is the number 1 where an array is due"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"a":' * 100_000, "nested too deeply"),
    ],
)
def test_what_is_no_request_is_refused_with_what_and_where(body, sentence):
    with pytest.raises(InvalidPayload, match=sentence):
        decode("traces", body, "json")


def test_values_nested_beyond_what_protobuf_allows_cost_only_themselves():
    value: Any = {"stringValue": "x"}
    for _ in range(80):
        value = {"arrayValue": {"values": [value]}}
    assert of_value(value, {"too_deep": 1}).WhichOneof("value") == "array_value"


def test_text_that_is_not_utf8_costs_only_its_broken_characters():
    body = b'{"resourceSpans":[{"scopeSpans":[{"spans":[{"name":"a\xffb"},{"name":"good"}]}]}]}'
    message, damage = decode_reporting("traces", body, "json")
    assert [span.name for span in message.resource_spans[0].scope_spans[0].spans] == ["a\ufffdb", "good"]
    assert damage.values == {"invalid_utf8": 1}


def test_a_lone_surrogate_does_not_break_the_batch():
    body = b'{"resourceSpans":[{"scopeSpans":[{"spans":[{"name":"a\\ud800"},{"name":"good"}]}]}]}'
    spans = decode("traces", body, "json").resource_spans[0].scope_spans[0].spans
    assert [span.name for span in spans] == ["a?", "good"]


def test_data_points_of_every_kind():
    document = {
        "resourceMetrics": [
            {
                "scopeMetrics": [
                    {
                        "metrics": [
                            {"name": "g", "gauge": {"dataPoints": [{"asInt": "5", "timeUnixNano": "9"}]}},
                            {"name": "s", "sum": {"isMonotonic": True, "dataPoints": [{"asDouble": 1.5}, "bad"]}},
                            {
                                "name": "h",
                                "histogram": {
                                    "aggregationTemporality": "AGGREGATION_TEMPORALITY_DELTA",
                                    "dataPoints": [{"count": "3", "bucketCounts": ["1", 2], "explicitBounds": [1, 2.5]}],
                                },
                            },
                            {
                                "name": "e",
                                "exponentialHistogram": {
                                    "dataPoints": [{"scale": -3, "positive": {"offset": -2, "bucketCounts": ["4", 5]}}]
                                },
                            },
                            {"name": "q", "summary": {"dataPoints": [{"quantileValues": [{"quantile": 0.5, "value": 7}]}]}},
                        ]
                    }
                ]
            }
        ]
    }
    message, damage = decode_reporting("metrics", json.dumps(document).encode(), "json")
    gauge, total, histogram, exponential, summary = message.resource_metrics[0].scope_metrics[0].metrics
    assert gauge.gauge.data_points[0].as_int == 5
    assert total.sum.is_monotonic
    assert [point.as_double for point in total.sum.data_points] == [1.5]
    assert damage.rejected == {"undecodable": 1}
    assert histogram.histogram.aggregation_temporality == 1
    assert list(histogram.histogram.data_points[0].bucket_counts) == [1, 2]
    assert list(histogram.histogram.data_points[0].explicit_bounds) == [1.0, 2.5]
    assert exponential.exponential_histogram.data_points[0].scale == -3
    assert exponential.exponential_histogram.data_points[0].positive.offset == -2
    assert list(exponential.exponential_histogram.data_points[0].positive.bucket_counts) == [4, 5]
    assert summary.summary.data_points[0].quantile_values[0].value == 7.0


def test_log_records_with_bodies():
    record = {"traceId": TRACE_ID, "severityNumber": 9, "body": {"stringValue": "hi"}, "eventName": "e"}
    document = {"resourceLogs": [{"scopeLogs": [{"logRecords": [record]}]}]}
    read = decode("logs", json.dumps(document).encode(), "json").resource_logs[0].scope_logs[0].log_records[0]
    assert (read.trace_id.hex(), read.severity_number, read.body.string_value) == (TRACE_ID, 9, "hi")
    assert read.event_name == "e"


def fields_of(descriptor: Any, depth: int = 0) -> st.SearchStrategy[dict[str, Any]]:
    """Any content of a message, built along its descriptor, as keyword arguments of its class."""
    optional = {field.name: content_of(field, depth) for field in descriptor.fields if depth < 9 or not field.message_type}
    # Members of a oneof exclude each other: choose one.
    chosen = [st.just({})] if not descriptor.oneofs else []
    plain = {name: strategy for name, strategy in optional.items() if not in_oneof(descriptor, name)}
    for oneof in descriptor.oneofs:
        chosen += [st.fixed_dictionaries({f.name: optional[f.name]}) for f in oneof.fields if f.name in optional]
    base = st.fixed_dictionaries({}, optional=plain)
    return st.tuples(base, st.one_of(chosen)).map(lambda pair: pair[0] | pair[1])


def in_oneof(descriptor: Any, name: str) -> bool:
    return descriptor.fields_by_name[name].containing_oneof is not None


def content_of(field: Any, depth: int) -> st.SearchStrategy[Any]:
    kinds: dict[int, st.SearchStrategy[Any]] = {
        field.TYPE_STRING: st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
        field.TYPE_BYTES: st.binary(min_size=16, max_size=16),
        field.TYPE_BOOL: st.booleans(),
        field.TYPE_DOUBLE: st.floats(allow_nan=False),
        field.TYPE_FIXED64: st.integers(0, 2**64 - 1),
        field.TYPE_UINT64: st.integers(0, 2**64 - 1),
        field.TYPE_SFIXED64: st.integers(-(2**63), 2**63 - 1),
        field.TYPE_INT64: st.integers(-(2**63), 2**63 - 1),
        field.TYPE_FIXED32: st.integers(0, 2**32 - 1),
        field.TYPE_UINT32: st.integers(0, 2**32 - 1),
        field.TYPE_INT32: st.integers(-(2**31), 2**31 - 1),
        field.TYPE_SINT32: st.integers(-(2**31), 2**31 - 1),
        field.TYPE_ENUM: st.integers(0, 3),
    }
    inner = st.deferred(lambda: fields_of(field.message_type, depth + 1))
    strategy = inner if field.message_type else kinds[field.type]
    return st.lists(strategy, max_size=2) if field.is_repeated else strategy


def in_hex(value: Any) -> Any:
    if isinstance(value, list):
        return [in_hex(element) for element in value]
    if not isinstance(value, dict):
        return value
    ids = ("traceId", "spanId", "parentSpanId")
    return {name: base64.b64decode(content).hex() if name in ids else in_hex(content) for name, content in value.items()}


@pytest.mark.parametrize(
    ("signal", "request_type"), [("traces", ExportTraceServiceRequest), ("metrics", ExportMetricsServiceRequest)]
)
@given(data=st.data())
def test_json_and_protobuf_of_one_request_decode_equally(signal, request_type, data):
    request = request_type(**data.draw(fields_of(request_type.DESCRIPTOR)))
    document = in_hex(MessageToDict(request, use_integers_for_enums=True))
    message, damage = decode_reporting(signal, json.dumps(document).encode(), "json")
    assert not damage
    assert message == request


# fmt: off
KEYS = [
    "resourceSpans", "scopeSpans", "spans", "resource", "scope", "attributes", "key", "value", "stringValue",
    "intValue", "doubleValue", "boolValue", "bytesValue", "arrayValue", "kvlistValue", "values", "traceId",
    "spanId", "kind", "events", "links", "status", "code",
]
# fmt: on
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(KEYS),
            inner,
            max_size=3,
        )
    ),
    max_leaves=30,
)


@given(document=JSON)
def test_any_json_decodes_or_is_an_invalid_payload(document):
    with contextlib.suppress(InvalidPayload):
        decode_reporting("traces", json.dumps(document).encode(), "json")


@given(spans=JSON)
def test_whatever_the_spans_are_the_good_one_is_kept(spans):
    document = {"resourceSpans": [{"scopeSpans": [{"spans": [spans, {"name": "good"}]}]}]}
    message = decode_reporting("traces", json.dumps(document).encode(), "json").message
    assert message.resource_spans[0].scope_spans[0].spans[-1].name == "good"


@given(body=st.binary(max_size=200))
def test_any_bytes_as_json_decode_or_are_an_invalid_payload(body):
    with contextlib.suppress(InvalidPayload):
        decode_reporting("logs", body, "json")


@given(
    st.lists(
        st.fixed_dictionaries(
            {"key": st.sampled_from(["a", "b", "é"])},
            optional={
                "value": st.fixed_dictionaries(
                    {},
                    optional={
                        "stringValue": st.text(max_size=4) | st.just("\ud800"),
                        "intValue": st.integers(-5, 2**64) | st.sampled_from(["7", "x"]),
                        "doubleValue": st.floats() | st.just("NaN"),
                        "arrayValue": st.just({"values": [{"stringValue": "s"}, {"boolValue": 7}]}),
                    },
                ),
                "unknown": st.none(),
            },
        )
        | st.sampled_from([7, None, "text", []]),
        max_size=5,
    )
)
def test_attributes_seen_before_are_read_as_ever(attributes):
    document = {"resourceSpans": [{"scopeSpans": [{"spans": [{"traceId": TRACE_ID, "attributes": attributes}]}]}]}
    body = json.dumps(document).encode()
    first, second = decode_reporting("traces", body, "json"), decode_reporting("traces", body, "json")
    # The same document in the other spelling is read without looking anything up.
    spelled = body.replace(b'"spans": [{', b'"spans": [null, {', 1)
    other = decode_reporting("traces", spelled, "json")
    [span] = [span for span in other.message.resource_spans[0].scope_spans[0].spans if span.trace_id]
    for decoded in (first, second):
        assert decoded.message.resource_spans[0].scope_spans[0].spans[0] == span
        assert decoded.damage.values == other.damage.values


VALUES = {
    "stringValue": [
        '"plain"',
        '""',
        '"a b~!#[]"',
        r'"a\"b"',
        r'"\u0041"',
        '"é"',
        r'"\ud800"',
        '"%s"' % ("x" * 119),
        '"%s"' % ("x" * 120),
        "7",
        "null",
    ],
    "intValue": [
        "0",
        "7",
        "127",
        "128",
        '"300"',
        str(10**17),
        str(2**63 - 1),
        str(2**63),
        f'"{2**63 - 1}"',
        "-1",
        "1.0",
        "1.5",
        '"007"',
        '""',
        '"x"',
        "true",
    ],
    "doubleValue": [
        "0.5",
        "-0.0",
        "1.0",
        "5",
        "1e5",
        "1.5e300",
        "0.1234567890123456789",
        f"{2**60}.5",
        "123456789012345.25",
        '"NaN"',
        '"2.5"',
        "null",
    ],
}
SPELLINGS = [
    '{"key": "%s", "value": {"%s": %s}}',
    '{"key":"%s","value":{"%s":%s}}',
    '{"key": "%s", "value": {"%s": %s } }',
    '{"key": "%s", "value": {"%s": %s}, "unknown": {"deep": {}}}',
    '{"key": "%s", "value": {"%s": %s, "boolValue": {}}}',
    '{"key": "%s", "unknown": "\\"Value\\":", "value": {"%s": %s}}',
    '{"key": "%s", "key": "twice", "value": {"%s": %s}}',
]


def _attributes(written: list[str], lazily: bool) -> Any:
    """What is read of attributes written as JSON, and what is left out; lazily as most requests are, or as a mended one."""
    span = f'{{"traceId": "{TRACE_ID}", "attributes": [{",".join(written)}]}}'
    spans = span if lazily else f"{span}, null"
    body = f'{{"resourceSpans": [{{"scopeSpans": [{{"spans": [{spans}]}}]}}]}}'
    decoded = decode_reporting("traces", body.encode(), "json")
    return decoded.message.resource_spans[0].scope_spans[0].spans[0].SerializeToString(), decoded.damage.values


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("kind", VALUES)
def test_a_new_value_of_a_known_key_is_read_as_the_first_one_was(kind: str, spelling: str) -> None:
    for number, value in enumerate(VALUES[kind]):
        for first in VALUES[kind]:
            key = f"of {kind} {number}"
            _attributes([spelling % (key, kind, first)], lazily=True)
            assert _attributes([spelling % (key, kind, value)], lazily=True) == _attributes(
                [spelling % (key, kind, value)], lazily=False
            )
