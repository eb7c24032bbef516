"""Attribute keys that differ in NUL characters only are one key once they are clean: which value stays, and that what a
clean key decides (content, secrets, users) is decided for it."""

import itertools
import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from otel_llm.conventions import stencil
from otel_llm.conventions.anyvalue import key_values
from otel_llm.conventions.content import ContentPolicy
from otel_llm.conventions.extract import extract_spans
from otel_llm.conventions.logs import extract_logs
from otel_llm.conventions.metrics import extract_metrics
from otel_llm.conventions.values import pairs, scrub
from otel_llm.conventions.wire import TraceRequest
from otel_llm.otlp.decode import decode
from tests.conventions.otlp import NOW_NS, START_NS, TRACE_ID, extract, request, row, span
from tests.fuzz.requests import to_json
from tests.fuzz.test_findings import VIOLATION

Items = Sequence[tuple[str, Any]]

SAME = [("user.id", "clean"), ("user.id\x00", "one"), ("\x00user.id", "two"), ("user\x00.id\x00", "three")]
"""Four keys that are one, in no order of their own."""
ONLY_UNCLEAN = SAME[1:]


def orders(items: Items) -> list[dict[str, Any]]:
    """The items in every order."""
    return [dict(order) for order in itertools.permutations(items)]


@pytest.mark.parametrize(("items", "stays"), [(SAME, "clean"), (ONLY_UNCLEAN, "one")])
def test_the_clean_key_stays_else_the_one_that_sorts_last(items: Items, stays: str) -> None:
    for order in orders(items):
        assert scrub(order) == {"user.id": stays}
        found = row(order, resource=order, events=[("e", 0.1, order)])
        assert found["user_id"] == stays
        assert json.loads(found["attributes"]) == json.loads(found["resource_attributes"]) == {"user.id": stays}
        assert json.loads(found["events"])[0]["attributes"] == {"user.id": stays}
        assert found["attribute_count"] == len(items)


@pytest.mark.parametrize("items", [SAME, ONLY_UNCLEAN])
@pytest.mark.parametrize("inside", [{}, {"a": 1}])
def test_objects_inside_of_values_are_cleaned_by_the_same_rule(items: Items, inside: Mapping[str, Any]) -> None:
    found = {row({"x": [{**order, **inside}]})["attributes"] for order in orders(items)}
    assert len({json.dumps(json.loads(text), sort_keys=True) for text in found}) == 1


def test_every_message_class_and_json_give_the_same_row() -> None:
    found = set()
    for order in orders(SAME):
        made = request(span(order, span_id=b"\x01" * 8))
        for message in (
            made,
            TraceRequest.FromString(made.SerializeToString()),
            decode("traces", to_json(made), "json"),
        ):
            found.add(json.dumps(extract(message).batch.row(0), sort_keys=True, default=repr))
    assert len(found) == 1


def test_stencils_and_patterns_of_the_clean_keys_leave_such_spans_alone(anew: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stencil, "PATTERN_AFTER", 8)
    given: dict[str, Any] = {"project": "p", "key_id": "k", "now_ns": NOW_NS, "content": ContentPolicy()}

    def message(orders_of_the_odd: list[dict[str, Any]]) -> ExportTraceServiceRequest:
        spans = []
        for number in range(64):
            ordinary = {"user.id": f"u{number}", "gen_ai.request.model": "m", "gen_ai.usage.input_tokens": number + 1}
            spans.append(span(ordinary, span_id=(number + 1).to_bytes(8, "big")))
        for number, order in enumerate(orders_of_the_odd):
            odd = {**order, "gen_ai.request.model": "m", "gen_ai.usage.input_tokens": 1}
            spans.append(span(odd, span_id=(number + 1000).to_bytes(8, "big")))
        return request(*spans)

    for items, stays in ((SAME, "clean"), (ONLY_UNCLEAN, "one"), ([("user.id\x00", "only")], "only")):
        made = message(orders(items))
        for _ in range(4):
            read = extract_spans(made, **given)
        assert list(read.batch.rows()) == list(extract_spans(made, **given, stencils=False).batch.rows())
        assert {found["user_id"] for found in list(read.batch.rows())[64:]} == {stays}


def test_log_records() -> None:
    found, findings = set(), set()
    for order in orders(SAME):
        message = ExportLogsServiceRequest()
        resource_logs = message.resource_logs.add()
        names = [("service.name", "claude-code")] if next(iter(order)) == "user.id" else [("service.name\x00", "claude-code")]
        resource_logs.resource.attributes.extend(key_values(dict(names)))
        records = resource_logs.scope_logs.add().log_records
        call = {"request_id": "r", "session.id\x00": "s", **order}
        records.add(event_name="api_request", time_unix_nano=START_NS).attributes.extend(key_values(call))
        told = {key.replace("user", "policy"): item for key, item in order.items()}
        records.add(event_name=VIOLATION, time_unix_nano=START_NS, trace_id=TRACE_ID).attributes.extend(key_values(told))
        extraction = extract_logs(message, project="p", key_id="k", now_ns=NOW_NS, content=ContentPolicy())
        [call_row] = extraction.batch.rows()
        found.add((call_row["user_id"], call_row["session_id"], call_row["trace_id"], call_row["span_id"]))
        findings |= {finding.policy_id for finding in extraction.findings}
    assert [(user, session) for user, session, _, _ in found] == [("clean", "s")]
    assert findings == {"clean"}


def test_metric_points() -> None:
    points = set()
    for order in orders(SAME):
        message = ExportMetricsServiceRequest()
        resource_metrics = message.resource_metrics.add()
        resource_metrics.resource.attributes.extend(key_values(order))
        metric = resource_metrics.scope_metrics.add().metrics.add(name="gen_ai.client.token.usage")
        metric.sum.data_points.add(time_unix_nano=START_NS, as_int=1).attributes.extend(key_values(order))
        extraction = extract_metrics(message, project="p", key_id="k", now_ns=NOW_NS, content=ContentPolicy())
        points |= {(point.point_key, point.attributes) for point in extraction.metric_points}
    assert [attributes for _, attributes in points] == ['{"user.id":"clean"}']


def test_an_object_in_json_text() -> None:
    for order in orders([("k", "clean"), ("k\x00", "one"), ("\x00k", "two")]):
        assert pairs(json.dumps(order)) == pairs(order) == {"k": "clean"}
    long = "k" * 200
    assert pairs({long + "a": "a", long + "b": "b"}) == pairs({long + "b": "b", long + "a": "a"})


@pytest.mark.parametrize("key", ["gen_ai.input.messages", "llm.input_messages.0.message.content", "gen_ai.prompt"])
def test_a_key_that_names_content_once_it_is_clean_is_content(key: str) -> None:
    unclean = {f"{key}\x00": "words of the conversation", f"\x00{key}": "more words"}
    for sent in (
        unclean,
        {key: "words", **unclean},
        {**unclean, key: "words"},
        {**unclean, **dict.fromkeys(map(str, range(50)), 1)},
    ):
        made = span(sent, events=[("e", 0.1, sent)])
        made.links.add(trace_id=TRACE_ID, span_id=b"\x01" * 8).attributes.extend(key_values(sent))
        found = extract(request(made)).batch.row(0)
        assert not any("words" in text for text in (found["attributes"] or "", found["events"], found["links"]))


def test_content_that_is_captured_is_cut_after_it_is_cleaned() -> None:
    policy = ContentPolicy(capture=True, max_bytes=10)
    for order in orders([("gen_ai.prompt", "a" * 30), ("gen_ai.prompt\x00", "b" * 30)]):
        found = row(order, content=policy)
        assert json.loads(found["attributes"]) == {"gen_ai.prompt": "a" * 10}
    assert json.loads(row({"gen_ai.prompt\x00": "b" * 30}, content=policy)["attributes"]) == {"gen_ai.prompt": "b" * 10}


def test_parameters_under_an_unclean_key_or_with_unclean_members_keep_no_content() -> None:
    for key, member in itertools.product(
        ["llm.invocation_parameters", "llm.invocation_parameters\x00"], ["messages", "messages\x00"]
    ):
        found = row({key: {member: ["words"], "temperature": 0.5}})
        assert json.loads(found["attributes"]) == {"llm.invocation_parameters": {"temperature": 0.5}}


def test_users_and_secrets_under_unclean_keys_are_protected() -> None:
    policy = ContentPolicy(redact=True, redact_keys=("app.*",), user_secret=b"secret")
    sent = {"user.id\x00": "alice", "db.pass\x00word": "hunter2", "\x00app.x": "hunter2", "note": "alice@exa\x00mple.com"}
    found = row(sent, events=[("e", 0.1, sent)], content=policy)
    for text in (found["attributes"], found["events"], found["user_id"]):
        assert "alice" not in text
        assert "hunter2" not in text


@pytest.mark.parametrize(
    "sent",
    [
        {"bytesValue\x00": "AA=="},
        {"doubleValue": "NaN", "doubleValue\x00": "NaN"},
        {"\x00kvlistValue": {"a": "b"}},
        {"kvlistValue": {"intValue\x00": 1}},
    ],
)
def test_an_object_that_looks_like_another_type_once_it_is_clean_is_set_apart(sent: dict[str, Any]) -> None:
    found = row({"x": [sent]})
    stored = json.loads(found["attributes"])["x"][0]
    assert list(stored) == ["kvlistValue"]
    again = row(json.loads(found["attributes"]))
    assert again["attributes"] == found["attributes"]


@pytest.mark.parametrize("key", ["metadata", "user", "llm.invocation_parameters"])
def test_texts_inside_of_json_text_are_cleaned_when_they_become_fields(key: str) -> None:
    sent = {key: json.dumps({"user_id": "a\x00b", "id": "a\x00b", "model": "a\x00b"})}
    found = row(sent)
    assert "ab" in (found["user_id"], found["request_model"])
    assert not any(isinstance(value, str) and "\x00" in value for value in found.values())
