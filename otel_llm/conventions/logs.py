"""Log records that report an LLM call, or a policy finding.

Coding agents on the command line (Claude Code, Codex, Gemini CLI) report their calls as log events; each becomes a call
with ids of its own, made from what identifies the event, so that a resent record is the same call. Its request id is its
response id: where a span of the same request exists, the two are one call. Everything else is ignored, with a reason.
"""

import hashlib
from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from otel_llm.conventions import policy, values
from otel_llm.conventions.content import ContentPolicy
from otel_llm.conventions.extract import Base, Walk
from otel_llm.conventions.extraction import Extraction
from otel_llm.conventions.identity import SPAN_ID_BYTES, TRACE_ID_BYTES, Fault, check_times, hex_of
from otel_llm.conventions.routes import BY_NAME
from otel_llm.conventions.values import NS_PER_S, BadValueError, clean, clean_attributes, json_text
from otel_llm.conventions.wire import wire_span
from otel_llm.spans import Rejection


class CallEvent(NamedTuple):
    """A log event that is a call: the dialect its attributes are read as, and what it tells beyond them."""

    dialect: str
    error: bool = False
    only_kind: str = ""
    """Value of ``event.kind`` that makes the event a call; empty is any."""


CALL_EVENTS: Final[dict[str, CallEvent]] = {
    "claude_code.api_request": CallEvent("claude_code"),
    "claude_code.api_error": CallEvent("claude_code", error=True),
    "codex.sse_event": CallEvent("codex", only_kind="response.completed"),
    "gemini_cli.api_response": CallEvent("gemini_cli"),
    "gemini_cli.api_error": CallEvent("gemini_cli", error=True),
}
"""Events of coding agents that are calls."""

CODEX_REQUEST: Final = "codex.api_request"
"""Codex reports a call in two records: this one knows how long it took and whether it failed, the event that completes
the stream knows the tokens. They share the conversation and the order, no id."""

DETAILS: Final = "gen_ai.client.inference.operation.details"
"""The conventions' event that repeats a span's attributes. It takes the span's own ids and an end before the span's, so
that the span, whenever it comes, is the copy that is kept."""
DETAILS_LEAD_NS: Final = NS_PER_S
"""How much earlier than its record a call from a details event ends: instrumentations write the record within
milliseconds of the span's end, before or after it."""

SERVICES: Final[dict[str, str]] = {
    "claude-code": "claude_code.",
    "codex_cli_rs": "codex.",
    "codex-cli": "codex.",
    "gemini-cli": "gemini_cli.",
}
"""Beginning of the event names of a service, where the event leaves it out."""

IGNORED: Final[tuple[tuple[str, str], ...]] = (
    ("gen_ai.system.message", "message_event"),
    ("gen_ai.user.message", "message_event"),
    ("gen_ai.assistant.message", "message_event"),
    ("gen_ai.tool.message", "message_event"),
    ("gen_ai.choice", "message_event"),
    ("gen_ai.evaluation.result", "evaluation_event"),
    ("gen_ai.client.operation.exception", "exception_event"),
    ("claude_code.", "no_call_event"),
    ("codex.", "no_call_event"),
    ("gemini_cli.", "no_call_event"),
)
"""Beginnings of event names that are known and carry no call, and the reason they are counted under."""
NO_CALL: Final = "log_without_call"


def extract_logs(
    message: ExportLogsServiceRequest, *, project: str, key_id: str | None, now_ns: int, content: ContentPolicy
) -> Extraction:
    """Reads a logs request: calls as rows, policy findings as findings, all else ignored by reason. Never raises."""
    reader = _Reader(project, key_id, now_ns, content)
    for resource_logs in message.resource_logs:
        base = reader.walk.resource(resource_logs.resource.SerializeToString())
        service = _service(resource_logs.resource.attributes)
        for scope_logs in resource_logs.scope_logs:
            scope = scope_logs.scope
            for record in scope_logs.log_records:
                reader.record(record, base, service, scope.name, scope.version)
    return reader.extraction()


def _service(attributes: Iterable[Any]) -> str:
    name = clean_attributes(attributes).get("service.name")
    return name if isinstance(name, str) else ""


class _Reader:
    """The state of reading one logs request."""

    def __init__(self, project: str, key_id: str | None, now_ns: int, content: ContentPolicy) -> None:
        self.walk = Walk(project, key_id, now_ns, content)
        self._project = project
        self._now_ns = now_ns
        self._records = 0
        self._findings = 0
        self._requests: dict[tuple[str, str], tuple[int, int]] = {}
        """Codex requests whose tokens have not come: (service, conversation) → start and end."""

    def extraction(self) -> Extraction:
        """The outcome, counted in log records."""
        result = self.walk.extraction()
        result.received = self._records
        return result

    def record(self, record: LogRecord, base: Base, service: str, scope_name: str, scope_version: str) -> None:
        """Reads one record."""
        self._records += 1
        attributes = clean_attributes(record.attributes)
        name = self._name(record, attributes, service, scope_name)
        instant = check_times(record.time_unix_nano or record.observed_time_unix_nano, 0, self._now_ns)
        event = CALL_EVENTS.get(name)
        codex_request = name == CODEX_REQUEST
        if name not in policy.FINDING_EVENTS and event is None and name != DETAILS and not codex_request:
            self.walk.ignore(next((reason for start, reason in IGNORED if name.startswith(start)), NO_CALL))
            return
        if isinstance(instant, Fault):
            self.walk.rejections.append(
                Rejection(
                    self._project,
                    self._now_ns,
                    "log_records",
                    hex_of(record.trace_id),
                    hex_of(record.span_id),
                    instant.reason,
                    "time_unix_nano is after the year 2262",
                )
            )
            return
        time_ns = instant[0]
        identity = _identity(service, attributes, time_ns, name)
        trace_id, span_id = self._context(record, identity)
        if name in policy.FINDING_EVENTS:
            self._finding(name, attributes, time_ns, trace_id, span_id)
            return
        if name == DETAILS:
            inside = len(record.span_id) == SPAN_ID_BYTES and any(record.span_id)
            moment = max(time_ns - DETAILS_LEAD_NS, 1) if inside else time_ns
            span = _span(record, name, trace_id, span_id if inside else identity[:SPAN_ID_BYTES], moment, moment)
            self.walk.spans([wire_span(span)], base, scope_name, scope_version)
            return
        if event is not None and event.only_kind and attributes.get("event.kind") != event.only_kind:
            self.walk.ignore("no_call_event")
            return
        start_ns = max(time_ns - _duration(attributes), 1)
        failed = bool(event and event.error)
        if name.startswith("codex."):
            conversation = (service, str(attributes.get("conversation.id")))
            if codex_request and not _codex_failed(attributes):
                self._requests[conversation] = (start_ns, time_ns)
                self.walk.ignore("joined_with_completion")
                return
            failed = failed or codex_request
            start_ns = min(start_ns, self._requests.pop(conversation, (start_ns, time_ns))[0]) if not failed else start_ns
        span = _span(record, name, trace_id, identity[:SPAN_ID_BYTES], start_ns, time_ns)
        if failed:
            span.status.code = Status.STATUS_CODE_ERROR
        dialect = BY_NAME[event.dialect if event else "codex"]
        self.walk.spans([wire_span(span)], base, scope_name, scope_version, dialect)

    def _name(self, record: LogRecord, attributes: dict[str, Any], service: str, scope_name: str) -> str:
        """The event's name: its field, the older attribute, or a body that is a name; completed by the service's beginning."""
        named = record.event_name or attributes.get("event.name") or record.body.string_value
        name = clean(named)[: values.TEXT_CAP] if isinstance(named, str) else ""
        start = SERVICES.get(service) or ("claude_code." if scope_name.startswith("com.anthropic.claude_code") else "")
        return start + name if start and not name.startswith(start) and start + name in (*CALL_EVENTS, CODEX_REQUEST) else name

    def _context(self, record: LogRecord, identity: bytes) -> tuple[bytes, bytes]:
        """The record's own trace and span where it was written inside one, else ids made from what identifies it."""
        trace_id = record.trace_id if len(record.trace_id) == TRACE_ID_BYTES and any(record.trace_id) else identity[16:]
        span_id = record.span_id if len(record.span_id) == SPAN_ID_BYTES and any(record.span_id) else identity[:SPAN_ID_BYTES]
        return trace_id, span_id

    def _finding(self, name: str, attributes: dict[str, Any], time_ns: int, trace_id: bytes, span_id: bytes) -> None:
        finding = policy.of_event(name, attributes, time_ns, self._project, trace_id, span_id, 0)
        if finding:
            self.walk.findings.append(finding)


def _identity(service: str, attributes: dict[str, Any], time_ns: int, name: str) -> bytes:
    """32 bytes that are the same for a resent record: the first half tells the call, the second its session."""
    session = next((str(attributes[key]) for key in ("session.id", "conversation.id") if attributes.get(key)), "")
    request = attributes.get("request_id")
    told = [service, session, name, str(request)] if request else [service, session, name, str(time_ns), json_text(attributes)]
    call = hashlib.sha256("\x00".join(told).encode("utf-8", "replace")).digest()[:16]
    trace = hashlib.sha256("\x00".join((service, session or str(time_ns))).encode("utf-8", "replace")).digest()[:16]
    return call + trace


def _duration(attributes: dict[str, Any]) -> int:
    try:
        return values.milliseconds(attributes.get("duration_ms")) or 0
    except BadValueError:
        return 0


def _codex_failed(attributes: dict[str, Any]) -> bool:
    status = values.text(attributes.get("http.response.status_code", attributes.get("status")))
    return bool(attributes.get("error.message")) or bool(status and status[0] in "45" and len(status) == 3)


def _span(record: LogRecord, name: str, trace_id: bytes, span_id: bytes, start_ns: int, end_ns: int) -> Span:
    """The call as a span: a root of unspecified kind, which loses to every span of the same call."""
    span = Span(trace_id=trace_id, span_id=span_id, name=name, start_time_unix_nano=start_ns, end_time_unix_nano=end_ns)
    span.attributes.extend(record.attributes)
    return span
