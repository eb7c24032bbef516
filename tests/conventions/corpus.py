"""The captured exports of real instrumentations (``tests/corpus``), read and extracted."""

import base64
import json
from pathlib import Path
from typing import Any, NamedTuple

from google.protobuf import json_format
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from otel_llm.conventions.content import ContentPolicy
from otel_llm.conventions.extract import extract_spans
from otel_llm.conventions.extraction import Extraction

CORPUS = Path(__file__).parent.parent / "corpus"
NOW_NS = 1_795_400_000_000_000_000

_MESSAGES = {"traces": ExportTraceServiceRequest, "metrics": ExportMetricsServiceRequest, "logs": ExportLogsServiceRequest}


class Scenario(NamedTuple):
    """One captured scenario."""

    name: str
    folder: Path
    expected: dict[str, Any]

    def requests(self, signal: str) -> list[Any]:
        """The scenario's requests of one signal, in the order they were captured."""
        meta = json.loads((self.folder / "meta.json").read_text())
        found = []
        for request in meta["requests"]:
            if request["signal"] == signal:
                body = (self.folder / request["file"]).read_bytes()
                found.append(_decoded(_MESSAGES[signal](), body, request["encoding"]))
        return found


def _decoded(message: Any, body: bytes, encoding: str) -> Any:
    if encoding != "json":
        message.ParseFromString(body)
        return message
    document = json.loads(body)
    _hex_to_base64(document)
    return json_format.ParseDict(document, message, ignore_unknown_fields=True)


def _hex_to_base64(node: Any) -> None:
    if isinstance(node, list):
        for item in node:
            _hex_to_base64(item)
    elif isinstance(node, dict):
        for key, value in node.items():
            if key in ("traceId", "spanId", "parentSpanId") and isinstance(value, str):
                node[key] = base64.b64encode(bytes.fromhex(value)).decode()
            else:
                _hex_to_base64(value)


SCENARIOS = [
    Scenario(f"{path.parent.parent.name}/{path.parent.name}", path.parent, json.loads(path.read_text()))
    for path in sorted(CORPUS.glob("*/*/expected.json"))
]


def extracted(scenario: Scenario, content: ContentPolicy | None = None) -> list[Extraction]:
    """The extraction of each of a scenario's trace requests."""
    return [
        extract_spans(request, project="default", key_id=None, now_ns=NOW_NS, content=content or ContentPolicy())
        for request in scenario.requests("traces")
    ]


def rows(scenario: Scenario, content: ContentPolicy | None = None) -> list[dict[str, Any]]:
    """Every span of a scenario as a row."""
    return [row for extraction in extracted(scenario, content) for row in extraction.batch.rows()]
