"""What fuzzing has found, each as a test of its own."""

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from otel_llm.otlp.decode import Encoding
from tests.conventions.otlp import START_NS, TRACE_ID, request, span
from tests.fuzz.extraction_path import check_bytes
from tests.fuzz.requests import pair, to_json

CALL = {"gen_ai.operation.name": "chat"}
VIOLATION = "flashback.policy.violation"
POLICY = {"policy.id": "no\x00secrets", "policy.name": "No\x00secrets", "policy.action": "block"}


@pytest.mark.parametrize("encoding", ["protobuf", "json"])
@pytest.mark.parametrize("event", [("exception", {"exception.type": "Value\x00Error"}), (VIOLATION, POLICY)])
def test_a_nul_character_in_an_event_reaches_no_text(encoding: Encoding, event: tuple[str, dict[str, str]]) -> None:
    message = request(span(CALL, events=[(event[0], 0.5, event[1])], status=(2, "")))
    check_bytes("traces", message.SerializeToString() if encoding == "protobuf" else to_json(message), encoding)


def test_a_nul_character_in_a_log_record_that_is_a_finding_reaches_no_text() -> None:
    message = ExportLogsServiceRequest()
    record = (
        message.resource_logs.add()
        .scope_logs.add()
        .log_records.add(event_name=VIOLATION, time_unix_nano=START_NS, trace_id=TRACE_ID, span_id=b"\x01" * 8)
    )
    record.attributes.extend(pair(key, value) for key, value in POLICY.items())
    check_bytes("logs", message.SerializeToString(), "protobuf")


@pytest.mark.parametrize("tag", [0x5A, 0x6A], ids=["events", "links"])
def test_an_event_or_link_of_broken_bytes_leaves_none_rather_than_an_empty_list(tag: int) -> None:
    encoded = span(CALL).SerializeToString() + bytes([tag, 0x01, 0xFF])
    for field in (0x12, 0x12, 0x0A):  # span in scope, scope in resource, resource in request
        encoded = bytes([field, 0x80 | len(encoded) & 0x7F, len(encoded) >> 7]) + encoded
    check_bytes("traces", encoded, "protobuf")
