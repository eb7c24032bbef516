"""What is said in a conversation is found nowhere: a server gets it in every attribute, event and log body that is known to
hold content, and then its files, its log and its answers are searched."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
import requests
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from otel_llm.conventions.dialects import DIALECTS
from otel_llm.otlp.signals import SIGNALS
from tests.access.test_break_in import READS
from tests.cli.conftest import ServerProcess
from tests.conventions.corpus import SCENARIOS
from tests.conventions.otlp import request, span
from tests.conventions.test_content import CONTENT_EVENTS, CONTENT_KEYS, TABLE_KEYS

CANARY = "zq7canary"
KEPT = "zq7kept"
NOT_SAID = (
    *("exception.", "error", "rpc.service", "name", "gen_ai.usage.", "gen_ai.headers", "gen_ai.workflow.", "agent.trace."),
    *(
        "langsmith.span.tags",
        "litellm.provider.error",
        "logfire.msg",
        "metadata.",
        "hidden_params",
        "langfuse.observation.status_message",
    ),
    *("traceloop.workflow.name", "traceloop.entity.path", "gen_ai.request.user", "operation.name", "process."),
    "llm.invocation_parameters",
)
"""Beginnings of the captured attributes whose text is no part of the conversation: errors, names, settings of the caller."""


def marked(value: Any) -> Any:
    """A JSON value with the canary in every text that says something."""
    if isinstance(value, str):
        return f"{CANARY} {value}" if " " in value.strip() else value
    if isinstance(value, list):
        return [marked(item) for item in value]
    if isinstance(value, dict):
        return {name: marked(item) for name, item in value.items()}
    return value


def mark(value: AnyValue) -> None:
    kind = value.WhichOneof("value")
    if kind == "string_value":
        try:
            value.string_value = json.dumps(marked(json.loads(value.string_value)))
        except ValueError:
            value.string_value = marked(value.string_value)
    elif kind == "array_value":
        for item in value.array_value.values:
            mark(item)
    elif kind == "kvlist_value":
        for pair in value.kvlist_value.values:
            mark(pair.value)


def mark_pairs(pairs: Any) -> None:
    for pair in pairs:
        if not pair.key.startswith(NOT_SAID):
            mark(pair.value)


def captured() -> Iterator[tuple[str, Any]]:
    """Everything real instrumentations sent, with the canary in every text of several words."""
    for scenario in SCENARIOS:
        for message in scenario.requests("traces"):
            for scope in (scope for resource in message.resource_spans for scope in resource.scope_spans):
                for one in scope.spans:
                    mark_pairs(one.attributes)
                    for part in (*one.events, *one.links):
                        mark_pairs(part.attributes)
            yield "traces", message
        for message in scenario.requests("logs"):
            for scope in (scope for resource in message.resource_logs for scope in resource.scope_logs):
                for record in scope.log_records:
                    mark(record.body)
                    mark_pairs(record.attributes)
            yield "logs", message


def composed() -> Iterator[tuple[str, Any]]:
    """Every key and event of the tables and of the lists kept beside them, in every form a value can have."""
    text = f"{CANARY} the quick brown fox"
    keys = {*CONTENT_KEYS, *TABLE_KEYS}
    events = {*CONTENT_EVENTS, *(name for dialect in DIALECTS for name in dialect.content_events)}
    forms: list[Any] = [text, [text], {"content": [{"text": text}]}, json.dumps({"content": [{"text": text}]})]
    for form in forms:
        for operation in ("chat", "execute_tool", "invoke_agent"):
            attributes = {**dict.fromkeys(sorted(keys), form), "gen_ai.operation.name": operation, "kept": KEPT}
            few = [span({key: form, "gen_ai.operation.name": operation}) for key in sorted(keys)]
            happened = [(name, 0.1, {"content": form, "message": form, "gen_ai.prompt": form}) for name in sorted(events)]
            yield "traces", request(span(attributes, events=happened), *few)
    logs = ExportLogsServiceRequest()
    scope = logs.resource_logs.add().scope_logs.add()
    for name in (
        *sorted(events),
        "gen_ai.client.inference.operation.details",
        "claude_code.user_prompt",
        "gemini_cli.api_response",
    ):
        record = scope.log_records.add(event_name=name, trace_id=bytes(range(16)), span_id=bytes(range(8)))
        record.body.string_value = text
        for key in sorted(keys):
            record.attributes.append(KeyValue(key=key, value=AnyValue(string_value=text)))
    yield "logs", logs


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server that was told everything."""
    server = ServerProcess(tmp_path_factory.mktemp("told"), "--log-level", "debug")
    try:
        with requests.Session() as session:
            for signal, message in (*captured(), *composed()):
                answer = session.post(
                    f"{server.otlp_url}/v1/{signal}",
                    message.SerializeToString(),
                    headers={"content-type": "application/x-protobuf"},
                    timeout=60,
                )
                assert answer.status_code == 200
                assert CANARY not in answer.text
        yield server
    finally:
        server.kill()


def files_of(folder: Path) -> bytes:
    return b"\n".join(file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file())


def rows_of(folder: Path) -> str:
    """Every row of every table: text in the file itself may be compressed."""
    with duckdb.connect(str(folder / "spans.duckdb"), read_only=True) as connection:
        tables = [name for (name,) in connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()]
        return repr([connection.execute(f"SELECT * FROM {name}").fetchall() for name in tables])


def test_what_was_said_is_in_no_file_no_log_and_no_answer(told: ServerProcess) -> None:
    with requests.Session() as session:
        calls = session.get(told.api_url + "/api/v1/calls?limit=1000", timeout=60).json()["calls"]
        traces = sorted({call["trace_id"] for call in calls})
        paths = [(method, path.replace("session-of-alpha", "s"), body) for method, path, body in READS if "{" not in path]
        paths += [("GET", f"/api/v1/traces/{trace}{end}", None) for trace in traces[:40] for end in ("", "/explain", "/why")]
        for method, path, body in paths:
            answer = session.request(method, told.api_url + path, json=body, timeout=60)
            assert answer.status_code == 200, path
            assert CANARY not in answer.text, path
    while_running = files_of(told.folder)
    assert told.stop() == 0
    stored = files_of(told.folder)
    assert KEPT.encode() in while_running + stored, "what is no content is found this way"
    assert CANARY.encode() not in while_running
    assert CANARY.encode() not in stored
    rows = rows_of(told.folder)
    assert KEPT in rows
    assert CANARY not in rows
    assert CANARY not in "\n".join(told.log)


def test_the_messages_hold_what_is_searched_for() -> None:
    for source in (captured, composed):
        sent = [message.SerializeToString() for _, message in source()]
        assert sum(CANARY.encode() in body for body in sent) > 0.3 * len(sent)
    assert set(SIGNALS) == {"traces", "metrics", "logs"}, "metrics hold numbers; their attributes are content keys as above"
