"""Spans and attributes that are written from their JSON text, against the way along the descriptors."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from otel_llm.conventions.wire import TraceRequest
from otel_llm.otlp import json_attributes
from otel_llm.otlp.damage import Damage
from otel_llm.otlp.decode import decode_reporting
from otel_llm.otlp.json_attributes import AttributeTexts
from otel_llm.otlp.signals import SIGNALS
from otel_llm.otlp.transcode import _attributes_field, transcode

TRACE_ID, SPAN_ID = "5b8efff798038103d269b633813fc60c", "eee19b7ec3c1b174"
TIME = "1544712660000000000"


class Object(list[tuple[str, Any]]):
    """Members of a JSON object, of which some may have the same name."""


def written(value: Any, comma: str, colon: str) -> str:
    """JSON text of a value, with these separators; a tuple holds text that is JSON already."""
    if isinstance(value, tuple):
        return value[0]
    if isinstance(value, Object):
        members = [json.dumps(name) + colon + written(each, comma, colon) for name, each in value]
        return "{" + comma.join(members) + "}"
    if isinstance(value, list):
        return "[" + comma.join(written(each, comma, colon) for each in value) + "]"
    return json.dumps(value)


def request(spans: str) -> bytes:
    return f'{{"resourceSpans":[{{"scopeSpans":[{{"spans":{spans}}}]}}]}}'.encode()


def check(spans: str) -> None:
    """What is read of spans, and what is left out, is what the way along the descriptors reads."""
    body = request(spans)
    damage = Damage()
    encoded = transcode(msgspec.json.decode(body), SIGNALS["traces"].descriptor, damage)
    for _ in range(2):  # the second time attributes are known
        decoded = decode_reporting("traces", body, "json")
        assert decoded.message == ExportTraceServiceRequest.FromString(encoded)
        assert (decoded.damage.values, decoded.damage.rejected) == (damage.values, damage.rejected)


JUNK = st.sampled_from([None, True, False, 0, 1, -1, 1.5, "", "x", "7", [], {}, [1], {"a": 1}])
COUNTS = st.sampled_from([0, 1, 257, 2**32 - 1, 2**32, "0", 0.0]) | JUNK
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=5) | st.sampled_from(
    ["plain", '{"key"', '"}}, {"key": ', "\\", "]", "Value:", "x" * 119, "x" * 120, "x" * 300]
)
PLAIN_VALUES = st.one_of(
    st.tuples(st.just("stringValue"), TEXTS | JUNK),
    st.tuples(
        st.just("intValue"),
        st.integers(-(2**63), 2**63)
        | st.integers(0, 300).map(str)
        | st.sampled_from(["007", " 7", "1_0", "-0", "٣", ""])
        | JUNK,
    ),
    st.tuples(
        st.just("doubleValue"),
        st.floats(allow_nan=False, allow_infinity=False) | st.sampled_from([("-0",), ("1e5",), ("1.50",), "2.5", "NaN"]) | JUNK,
    ),
    st.tuples(st.just("boolValue"), JUNK),
    st.tuples(st.sampled_from(["string_value", "unknownValue", "bytesValue"]), TEXTS),
)
KEYS = st.sampled_from(["a", "b", "gen_ai.request.model", "é", '{"key"', "stringValue"]) | JUNK


def attributes_of(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Lists of attributes, most of them as they are due."""
    due = st.tuples(KEYS, values).map(lambda pair: Object([("key", pair[0]), ("value", pair[1])]))
    members = st.tuples(st.just("key"), KEYS) | st.tuples(st.just("value"), values) | st.tuples(st.just("other"), values)
    return st.lists(due | st.lists(members, max_size=3).map(Object) | JUNK, max_size=4)


VALUES = st.recursive(
    st.lists(PLAIN_VALUES, min_size=1, max_size=1).map(Object) | st.lists(PLAIN_VALUES, max_size=2).map(Object) | JUNK,
    lambda inner: st.one_of(
        st.lists(inner, max_size=2).map(lambda values: Object([("arrayValue", Object([("values", values)]))])),
        attributes_of(inner).map(lambda values: Object([("kvlistValue", Object([("values", values)]))])),
    ),
    max_leaves=4,
)
MEMBERS = st.one_of(
    st.tuples(
        st.sampled_from(["traceId", "trace_id"]), st.sampled_from([TRACE_ID, TRACE_ID.upper(), SPAN_ID, "z" * 32]) | JUNK
    ),
    st.tuples(
        st.sampled_from(["spanId", "parentSpanId", "span_id", "parent_span_id"]),
        st.sampled_from([SPAN_ID, TRACE_ID, "z" * 16, "é" * 16]) | JUNK,
    ),
    st.tuples(st.just("name"), TEXTS | JUNK),
    st.tuples(st.just("kind"), st.integers(-1, 200) | st.sampled_from(["SPAN_KIND_CLIENT", "3", "client"]) | JUNK),
    st.tuples(
        st.sampled_from(["startTimeUnixNano", "endTimeUnixNano", "start_time_unix_nano"]),
        st.sampled_from([TIME, int(TIME), "٣", " 7", "1_0", 2**64, str(2**64), -1, "1e3", 1e3]) | JUNK,
    ),
    st.tuples(st.just("attributes"), attributes_of(VALUES) | JUNK),
    st.tuples(st.sampled_from(["status", "flags", "traceState", "events", "links", "dropped_links_count"]), JUNK),
    st.tuples(st.sampled_from(["droppedAttributesCount", "droppedEventsCount", "droppedLinksCount", "flags"]), COUNTS),
    st.tuples(st.just("traceState"), TEXTS),
    st.tuples(
        st.just("status"),
        st.sampled_from([{"code": 2, "message": "m"}, {"code": 0}, {"code": 3}, {"code": "1"}, {"message": "m"}])
        | JUNK.map(lambda code: {"code": code}),
    ),
    st.tuples(st.just("events"), attributes_of(VALUES).map(lambda each: [Object([("name", "e"), ("attributes", each)])])),
    st.tuples(st.sampled_from(["unknown", "Attributes"]), JUNK),
)
DUE = [
    *(("traceId", TRACE_ID), ("spanId", SPAN_ID), ("parentSpanId", SPAN_ID), ("name", "n"), ("kind", 3)),
    *(("startTimeUnixNano", TIME), ("endTimeUnixNano", TIME)),
]


@given(
    spans=st.lists(
        st.tuples(st.lists(st.sampled_from(DUE), unique=True) | st.just(DUE), st.lists(MEMBERS, max_size=3)).map(
            lambda parts: Object([*parts[0], *parts[1]])
        ),
        min_size=1,
        max_size=3,
    ),
    comma=st.sampled_from([", ", ",", " ,\n"]),
    colon=st.sampled_from([": ", ":", " : "]),
)
def test_any_span_is_read_from_its_text_as_along_the_descriptors(spans: list[Object], comma: str, colon: str) -> None:
    check(written(spans, comma, colon))


@given(lists=st.lists(attributes_of(VALUES), min_size=1, max_size=3), comma=st.sampled_from([", ", ",", " ,\n"]))
@example(lists=[[Object([("key", "a"), ("value", Object([("stringValue", "b")]))]), None, []]], comma=",")
def test_any_attributes_are_read_from_their_text_as_along_the_descriptors(lists: list[Any], comma: str) -> None:
    check(written([Object([("traceId", TRACE_ID), ("attributes", each)]) for each in lists], comma, ":"))


NESTED = (
    '{"key":"o","value":{"kvlistValue":{"values":[{"key":"a","value":{"intValue":"1"}},{"key":"b","value":{"intValue":"2"}}]}}}'
)
INNER = '{"key":"a","value":{"intValue":"1"}}'


@pytest.mark.parametrize(
    "attributes",
    [
        *("[]", "[ ]", "null", "{}", '"text"', "7", "[null]", "[[]]", '["["]', '["{\\"key\\""]'),
        *(f"[{INNER}]", f"[ {INNER} ]", f"[{INNER} , {INNER}]", f"[{INNER},null]", f"[[{INNER}]]", INNER),
        *(f"[{NESTED}]", f"[{INNER},{NESTED},{INNER}]", f"[{NESTED},{NESTED}]", f"[null,{INNER},[],{NESTED},{{}}]"),
        '[{"value":{"intValue":"1"},"key":"a"}]',
        '[{"key":"a","value":{"intValue":"1"},"value":{"intValue":"2"}}]',
        '[{"key":"a","value":{"stringValue":"' + "}}, " * 100 + '"}}]',
        '[{"key":"a","value":{"intValue":1' + " " * 1000 + "}}" + " " * 1000 + "]",
    ],
)
def test_lists_of_attributes_that_are_split_otherwise(attributes: str) -> None:
    check(f'[{{"traceId":"{TRACE_ID}","attributes":[{INNER}]}},{{"traceId":"{TRACE_ID}","attributes":{attributes}}}]')


@pytest.mark.parametrize("time", ["0" * 39, "0" * 40, "0" * 41, "7" * 19, "9" * 20])
def test_times_of_many_digits(time: str) -> None:
    for start, end in ((time, "1"), ("1", time)):
        due = f'"traceId":"{TRACE_ID}","spanId":"{SPAN_ID}"'
        check(f'[{{{due},"startTimeUnixNano":"{start}","endTimeUnixNano":"{end}"}}]')


def test_a_field_under_both_of_its_names_is_the_last_one() -> None:
    other = "1" * 32
    check(f'[{{"trace_id":"{TRACE_ID}","traceId":"{other}"}},{{"traceId":"{TRACE_ID}","trace_id":"{other}"}}]')


def test_a_value_that_does_not_fit_is_noted_each_time() -> None:
    body = request('[{"attributes":[{"key":"a","value":{"intValue":"many"}}]}]')
    assert [decode_reporting("traces", body, "json").damage.values for _ in range(2)] == [{"wrong_type": 1}] * 2


def test_what_is_remembered_of_attributes_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_attributes, "_MOST_KNOWN", 20)
    monkeypatch.setattr(json_attributes, "_MOST_OF_KEY", 5)
    texts = AttributeTexts(b"\x4a", lambda value, out, damage, depth: out.append(value[0]["key"].encode()))
    for number in range(200):
        texts.write(b'[{"key":"k%d"},{"key":"%s"}]' % (number, b"x" * 300), [], Damage(), 4)
        assert len(texts._known) <= 20
        assert max(map(len, texts._known)) <= 256


JAVASCRIPT = [
    *(("traceId", TRACE_ID), ("spanId", SPAN_ID), ("parentSpanId", SPAN_ID), ("traceState", "a=b"), ("name", "n"), ("kind", 3)),
    *(("startTimeUnixNano", TIME), ("endTimeUnixNano", TIME), ("attributes", [{"key": "a", "value": {"intValue": 1}}])),
    *(("droppedAttributesCount", 0), ("events", []), ("droppedEventsCount", 0), ("status", {"code": 0})),
    *(("links", []), ("droppedLinksCount", 0), ("flags", 257)),
]


def test_what_most_spans_have_is_written_in_the_order_of_the_numbers_without_zeros() -> None:
    body = request(written([Object(JAVASCRIPT)], ",", ":"))
    encoded = decode_reporting("traces", body, "json", TraceRequest).message.resource_spans[0].scope_spans[0]
    span = Span.FromString(encoded[2:])
    assert (span.trace_state, span.flags, span.status.code, len(span.attributes)) == ("a=b", 257, 0, 1)
    assert encoded[2:] == span.SerializeToString()


def test_long_attributes_leave_nothing_behind_of_their_lengths() -> None:
    texts = AttributeTexts(b"\x4a", _attributes_field(Span.DESCRIPTOR.fields_by_name["attributes"]))
    for size in [1, *range(30, 120)]:
        for _ in range(2):  # with the second one the key is known
            attribute = {"key": "k" * 195, "value": {"stringValue": "v" * size}}
            texts.write(msgspec.json.encode([attribute]), [], Damage(), 4)
    (form,) = texts._forms.values()
    assert len(form._heads) <= len(texts._known)
