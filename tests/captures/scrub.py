"""Takes local paths out of an export: what stack traces and resources say about the machine becomes ``/app/``.

A protobuf body is parsed and written again, so that lengths stay right; one without a local path is kept byte for byte.
"""

import os
import re
import socket
from typing import Any

from google.protobuf.message import Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

MESSAGES: dict[str, Any] = {
    "traces": ExportTraceServiceRequest,
    "metrics": ExportMetricsServiceRequest,
    "logs": ExportLogsServiceRequest,
}
_PATH = re.compile(r"(?<![\w.:/])/(?:tmp|home|root|work|usr/lib|usr/local)/[^\s\"':,)\\]*")
_OWN = re.compile(re.escape(socket.gethostname())) if len(socket.gethostname()) > 3 else None


def scrubbed(signal: str, encoding: str, body: bytes) -> tuple[bytes, bool]:
    """The body without local paths and the machine's name, and whether anything had to be changed."""
    if encoding == "json":
        text = body.decode()
        clean = _clean(text)
        return clean.encode(), clean != text
    message = MESSAGES[signal].FromString(body)
    return (message.SerializeToString(), True) if _walk(message) else (body, False)


def _clean(text: str) -> str:
    text = _PATH.sub(lambda found: "/app/" + os.path.basename(found.group(0).rstrip("/")), text)
    return _OWN.sub("host", text) if _OWN else text


def _walk(message: Message) -> bool:
    changed = False
    for field, value in message.ListFields():
        if field.type == field.TYPE_MESSAGE:
            for part in (value,) if isinstance(value, Message) else value:
                changed |= _walk(part)
        elif field.type == field.TYPE_STRING and isinstance(value, str):
            clean = _clean(value)
            if clean != value:
                setattr(message, field.name, clean)
                changed = True
    return changed
