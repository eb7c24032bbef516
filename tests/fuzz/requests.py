"""Requests that look like those of instrumentations and are wrong in every way that one of them could be."""

import base64
import json
from typing import Any

from google.protobuf import json_format
from google.protobuf.message import Message
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs
from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    ExponentialHistogram,
    ExponentialHistogramDataPoint,
    Gauge,
    Histogram,
    HistogramDataPoint,
    Metric,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status

from otel_llm.conventions.dialects import DIALECTS
from otel_llm.conventions.logs import CALL_EVENTS, DETAILS
from otel_llm.conventions.policy import FINDING_EVENTS

T0 = 1_767_225_600_000_000_000
SECOND = 1_000_000_000

KEYS = sorted(
    {source.key.partition("#")[0] for dialect in DIALECTS for source in dialect.sources}
    | {opened.key for dialect in DIALECTS for opened in dialect.opened}
    | {prefix.prefix + "x" for dialect in DIALECTS for prefix in dialect.prefixes}
    | {key for dialect in DIALECTS for key in dialect.content}
)
"""Every attribute that means something."""
TOKEN_KEYS = [key for key in KEYS if "token" in key or "usage" in key]
SCOPES = ["", "unheard of", *sorted({pattern.rstrip("*") for dialect in DIALECTS for pattern in dialect.scopes})]
WORDS = [
    *("chat", "embeddings", "text_completion", "generate_content", "invoke_agent", "execute_tool", "llm", "LLM", "generation"),
    *(
        "openai",
        "anthropic",
        "gcp.gemini",
        "aws.bedrock",
        "azure.ai.openai",
        "gpt-4o",
        "claude-sonnet-4-5",
        "openai/gpt-4o-mini",
    ),
    *(
        "stop",
        "true",
        "flex",
        "0.5",
        "12",
        "1e3",
        "-1",
        "nan",
        "",
        "\x00",
        "\ud83d\ude00",
        "2026-01-01T00:00:00.5Z",
        '"2026-01-01T00:00:01Z"',
    ),
    *('["stop"]', "['a', 'b']", '{"input": 5, "output": 3}', "{", "null", "ada@example.com"),
]

COUNTS = st.one_of(st.integers(0, 5_000), st.sampled_from([0, -1, 2**31, 2**53 + 1, 2**63 - 1, -(2**63)]))
TEXTS = st.one_of(st.sampled_from([word for word in WORDS if word.isascii()]), st.text(max_size=12))
USAGE_NAMES = [
    "input",
    "output",
    "total",
    "prompt_tokens",
    "completion_tokens",
    "input_tokens",
    "cached_tokens",
    "reasoning_tokens",
]
OBJECTS = st.dictionaries(st.sampled_from([*USAGE_NAMES, "a", "prompt_tokens_details"]), COUNTS, max_size=4)
PLAIN = st.one_of(COUNTS, st.floats(), TEXTS, st.booleans(), OBJECTS.map(json.dumps), st.lists(TEXTS, max_size=3), OBJECTS)


def to_json(message: Message) -> bytes:
    """The request in OTLP/JSON: as protobuf's JSON, but with ids in hexadecimal digits."""
    document = json_format.MessageToDict(message)
    waiting: list[Any] = [document]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            for key in ("traceId", "spanId", "parentSpanId"):
                if key in node:
                    node[key] = base64.b64decode(node[key]).hex()
        waiting.extend(node.values() if isinstance(node, dict) else node if isinstance(node, list) else ())
    return json.dumps(document).encode()


def any_value(plain: Any) -> AnyValue:
    """A plain value on the wire."""
    if isinstance(plain, bool):
        return AnyValue(bool_value=plain)
    if isinstance(plain, int):
        return AnyValue(int_value=plain)
    if isinstance(plain, float):
        return AnyValue(double_value=plain)
    if isinstance(plain, list):
        value = AnyValue()
        value.array_value.values.extend(map(any_value, plain))
        value.array_value.SetInParent()
        return value
    if isinstance(plain, dict):
        value = AnyValue()
        value.kvlist_value.values.extend(pair(key, part) for key, part in plain.items())
        value.kvlist_value.SetInParent()
        return value
    return AnyValue(string_value=plain)


def pair(key: str, plain: Any) -> KeyValue:
    """An attribute."""
    return KeyValue(key=key, value=any_value(plain))


def _attributes(size: int) -> st.SearchStrategy[list[KeyValue]]:
    known = st.builds(pair, st.sampled_from(KEYS), PLAIN)
    tokens = st.builds(pair, st.sampled_from(TOKEN_KEYS), st.one_of(COUNTS, COUNTS.map(str), OBJECTS.map(json.dumps)))
    call = st.builds(pair, st.just("gen_ai.operation.name"), st.sampled_from(WORDS[:6]))
    strange = st.builds(pair, TEXTS, PLAIN)
    return st.lists(st.one_of(known, tokens, call, strange), max_size=size)


ATTRIBUTES = _attributes(12)
FEW_ATTRIBUTES = _attributes(4)
TRACE_IDS = st.sampled_from([b"\x01" * 16, b"\x02" * 16, b"\x01" * 16, b"\x00" * 16, b"", b"short"])
SPAN_IDS = st.sampled_from([bytes([number]) * 8 for number in (1, 2, 3, 4, 5, 6, 7)] * 3 + [b"\x00" * 8, b"", b"far too long"])
TIMES = st.one_of(
    st.integers(T0, T0 + 10 * SECOND), st.sampled_from([0, 1, T0, T0 + 86_400 * SECOND, 2**63 - 1, 2**63, 2**64 - 1])
)
DURATIONS = st.integers(0, 3 * SECOND)


@st.composite
def spans(draw: st.DrawFn) -> Span:
    """A span; of a few ids, so that copies and families come about."""
    start = draw(TIMES)
    span = Span(
        trace_id=draw(TRACE_IDS),
        span_id=draw(SPAN_IDS),
        parent_span_id=draw(st.one_of(st.just(b""), SPAN_IDS)),
        name=draw(TEXTS),
        kind=draw(st.sampled_from([0, 1, 2, 3, 99])),  # type: ignore[arg-type] # as a number
        start_time_unix_nano=start,
        end_time_unix_nano=draw(st.one_of(TIMES, st.just(min(start + draw(DURATIONS), 2**64 - 1)))),
        attributes=draw(ATTRIBUTES),
    )
    if draw(st.booleans()):
        span.status.CopyFrom(Status(code=draw(st.sampled_from([0, 1, 2])), message=draw(TEXTS)))  # type: ignore[arg-type]
    for name in draw(
        st.lists(st.sampled_from(["exception", "gen_ai.choice", "First Token Stream Event", "other"]), max_size=2)
    ):
        span.events.add(name=name, time_unix_nano=draw(TIMES), attributes=draw(FEW_ATTRIBUTES))
    return span


RESOURCES = FEW_ATTRIBUTES.map(lambda attributes: Resource(attributes=attributes))
SCOPES_SENT = st.builds(InstrumentationScope, name=st.sampled_from(SCOPES), version=TEXTS)

TRACES = st.builds(
    ExportTraceServiceRequest,
    resource_spans=st.lists(
        st.builds(
            ResourceSpans,
            resource=RESOURCES,
            scope_spans=st.lists(
                st.builds(ScopeSpans, scope=SCOPES_SENT, spans=st.lists(spans(), max_size=5)), min_size=1, max_size=2
            ),
        ),
        max_size=2,
    ),
)

_EVENT_NAMES = ["", DETAILS, "codex.api_request", *CALL_EVENTS, *sorted(FINDING_EVENTS), "gen_ai.choice", "anything"]
_RECORDS = st.builds(
    LogRecord,
    time_unix_nano=TIMES,
    observed_time_unix_nano=TIMES,
    trace_id=TRACE_IDS,
    span_id=SPAN_IDS,
    event_name=st.sampled_from(_EVENT_NAMES),
    body=PLAIN.map(any_value),
    attributes=ATTRIBUTES,
)
LOGS = st.builds(
    ExportLogsServiceRequest,
    resource_logs=st.lists(
        st.builds(
            ResourceLogs,
            resource=RESOURCES,
            scope_logs=st.lists(
                st.builds(ScopeLogs, scope=SCOPES_SENT, log_records=st.lists(_RECORDS, max_size=5)), max_size=2
            ),
        ),
        max_size=2,
    ),
)

_POINT = {
    "start_time_unix_nano": TIMES,
    "time_unix_nano": TIMES,
    "attributes": FEW_ATTRIBUTES,
    "flags": st.sampled_from([0, 1]),
}
_WHOLE = st.integers(0, 2**64 - 1)
_NUMBERS = st.lists(
    st.one_of(st.builds(NumberDataPoint, as_double=st.floats(), **_POINT), st.builds(NumberDataPoint, as_int=COUNTS, **_POINT)),
    max_size=3,
)
_HISTOGRAMS = st.builds(
    HistogramDataPoint,
    count=_WHOLE,
    sum=st.floats(),
    bucket_counts=st.lists(_WHOLE, max_size=3),
    explicit_bounds=st.lists(st.floats(), max_size=2),
    **_POINT,
)
_EXPONENTIALS = st.builds(ExponentialHistogramDataPoint, count=_WHOLE, sum=st.floats(), scale=st.integers(-10, 20), **_POINT)
_METRIC_NAMES = st.sampled_from(["gen_ai.client.token.usage", "claude_code.cost.usage", "http.server.duration", "", "llm.\x00"])
_METRICS = st.one_of(
    st.builds(Metric, name=_METRIC_NAMES, unit=TEXTS, sum=st.builds(Sum, data_points=_NUMBERS)),
    st.builds(Metric, name=_METRIC_NAMES, gauge=st.builds(Gauge, data_points=_NUMBERS)),
    st.builds(Metric, name=_METRIC_NAMES, histogram=st.builds(Histogram, data_points=st.lists(_HISTOGRAMS, max_size=3))),
    st.builds(
        Metric,
        name=_METRIC_NAMES,
        exponential_histogram=st.builds(ExponentialHistogram, data_points=st.lists(_EXPONENTIALS, max_size=2)),
    ),
    st.builds(Metric, name=_METRIC_NAMES),
)
METRICS = st.builds(
    ExportMetricsServiceRequest,
    resource_metrics=st.lists(
        st.builds(
            ResourceMetrics,
            resource=RESOURCES,
            scope_metrics=st.lists(
                st.builds(ScopeMetrics, scope=SCOPES_SENT, metrics=st.lists(_METRICS, max_size=3)), max_size=2
            ),
        ),
        max_size=2,
    ),
)
