"""OTLP load that is cheap to make: one request is encoded once, then only ids and times are patched in its bytes.

Every span has its own trace or span id, response id and times; about 750 bytes and 18 attributes a span, as the OpenTelemetry
GenAI instrumentations send them.
"""

import os
import struct
from dataclasses import dataclass

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

SECOND = 1_000_000_000
SPANS_A_TRACE = 4


def _text(key: str, value: str) -> KeyValue:
    return KeyValue(key=key, value=AnyValue(string_value=value))


def _int(key: str, value: int) -> KeyValue:
    return KeyValue(key=key, value=AnyValue(int_value=value))


def _span(index: int, trace: bytes, span_id: bytes, parent: bytes, start: int) -> Span:
    model = ("gpt-4o-mini", "gpt-4o", "claude-sonnet-4-5", "gemini-2.5-flash")[index % 4]
    provider = ("openai", "openai", "anthropic", "gcp.gemini")[index % 4]
    return Span(
        trace_id=trace,
        span_id=span_id,
        parent_span_id=parent,
        name=f"chat {model}",
        kind=Span.SPAN_KIND_CLIENT,
        start_time_unix_nano=start,
        end_time_unix_nano=start + 800_000_000 + index * 1_000_000,
        attributes=[
            _text("gen_ai.operation.name", "chat"),
            _text("gen_ai.provider.name", provider),
            _text("gen_ai.request.model", model),
            _text("gen_ai.response.model", f"{model}-2025-04-14"),
            _text("gen_ai.response.id", f"chatcmpl-{index:024d}"),
            KeyValue(
                key="gen_ai.response.finish_reasons",
                value=AnyValue(array_value=ArrayValue(values=[AnyValue(string_value="stop")])),
            ),
            _int("gen_ai.usage.input_tokens", 900 + index),
            _int("gen_ai.usage.output_tokens", 120 + index % 50),
            _int("gen_ai.usage.cache_read.input_tokens", 512),
            KeyValue(key="gen_ai.response.time_to_first_chunk", value=AnyValue(double_value=0.2 + index / 10_000)),
            KeyValue(key="gen_ai.request.stream", value=AnyValue(bool_value=True)),
            KeyValue(key="gen_ai.request.temperature", value=AnyValue(double_value=0.2)),
            _int("gen_ai.request.max_tokens", 1024),
            _text("gen_ai.conversation.id", f"conversation-{index % 64:08d}"),
            _text("user.id", f"user-{index % 200:06d}"),
            _text("server.address", "api.example.com"),
            _int("server.port", 443),
            _text("app.feature", "search-assistant"),
        ],
    )


@dataclass
class Template:
    """An encoded request and where its changing parts lie."""

    body: bytearray
    traces: list[int]
    spans: list[int]
    parents: list[int]
    responses: list[int]
    times: list[tuple[int, int, int, int]]

    @classmethod
    def make(cls, spans: int, service: str = "benchmark", spans_a_trace: int = SPANS_A_TRACE) -> "Template":
        """A template of that many spans in one resource and scope."""
        marks = [os.urandom(40) for _ in range(spans)]
        built = []
        for index, mark in enumerate(marks):
            trace = marks[index - index % spans_a_trace][:16]
            parent = b"" if index % spans_a_trace == 0 else marks[index - index % spans_a_trace][16:24]
            built.append(_span(index, trace, mark[16:24], parent, 1_700_000_000_000_000_000 + index))
        scope = ScopeSpans(spans=built)
        scope.scope.name = "opentelemetry.instrumentation.genai.openai"
        scope.scope.version = "1.3b0"
        resource = ResourceSpans(scope_spans=[scope])
        resource.resource.attributes.extend(
            [
                _text("service.name", service),
                _text("telemetry.sdk.language", "python"),
                _text("deployment.environment.name", "prod"),
            ]
        )
        body = bytearray(ExportTraceServiceRequest(resource_spans=[resource]).SerializeToString())
        template = cls(body, [], [], [], [], [])
        at = 0
        for index, span in enumerate(built):
            encoded = span.SerializeToString()
            at = body.index(encoded, at)
            template.traces.append(body.index(span.trace_id, at))
            template.spans.append(body.index(b"\x12\x08" + span.span_id, at) + 2)
            template.parents.append(body.index(b"\x22\x08" + span.parent_span_id, at) + 2 if span.parent_span_id else -1)
            template.responses.append(body.index(b"chatcmpl-", at) + len("chatcmpl-"))
            start = body.index(b"\x39" + struct.pack("<Q", span.start_time_unix_nano), at) + 1
            end = body.index(b"\x41" + struct.pack("<Q", span.end_time_unix_nano), at) + 1
            template.times.append((start, end, index, span.end_time_unix_nano - span.start_time_unix_nano))
            at += len(encoded)
        return template

    def fill(self, start_ns: int, step_ns: int, spans_a_trace: int = SPANS_A_TRACE) -> bytes:
        """A request of new spans: the first starts at ``start_ns``, each later one ``step_ns`` after the one before."""
        body = self.body
        count = len(self.spans)
        random = os.urandom(count * 32)
        digits = os.urandom(count * 12).hex().encode()
        pack = struct.pack_into
        root = b""
        trace = b""
        for index in range(count):
            if index % spans_a_trace == 0:
                trace = random[index * 32 : index * 32 + 16]
                root = random[index * 32 + 16 : index * 32 + 24]
            at = self.traces[index]
            body[at : at + 16] = trace
            at = self.spans[index]
            body[at : at + 8] = random[index * 32 + 16 : index * 32 + 24]
            at = self.parents[index]
            if at >= 0:
                body[at : at + 8] = root
            at = self.responses[index]
            body[at : at + 24] = digits[index * 24 : index * 24 + 24]
            first, last, number, duration = self.times[index]
            start = start_ns + number * step_ns
            pack("<Q", body, first, start)
            pack("<Q", body, last, start + duration)
        return bytes(body)
