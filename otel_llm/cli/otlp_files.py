"""OTLP requests in files: protobuf, JSON, JSON Lines as the Collector's file exporter writes, each plain or gzip."""

import gzip
import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from otel_llm.errors import InvalidPayload
from otel_llm.otlp.decode import decode
from otel_llm.otlp.signals import SignalName

_KEYS: dict[str, SignalName] = {
    "resourceSpans": "traces",
    "resource_spans": "traces",
    "resourceMetrics": "metrics",
    "resource_metrics": "metrics",
    "resourceLogs": "logs",
    "resource_logs": "logs",
}
_NAMED: tuple[SignalName, ...] = ("metrics", "logs", "traces")
_GZIP = b"\x1f\x8b"
_TOO_DEEP = "nested too deeply"
_JSON_STARTS = (b"{", b"[", b"\xef\xbb\xbf")


class FileRequest(NamedTuple):
    """One request of a file: ``message`` is the ``Export…ServiceRequest``, ``end`` the part of the file read so far (0..1)."""

    signal: SignalName
    message: Any
    end: float

    @property
    def items(self) -> int:
        """How many spans, log records or data points it holds."""
        if self.signal == "traces":
            return sum(len(scope.spans) for group in self.message.resource_spans for scope in group.scope_spans)
        if self.signal == "logs":
            return sum(len(scope.log_records) for group in self.message.resource_logs for scope in group.scope_logs)
        metrics = (m for group in self.message.resource_metrics for scope in group.scope_metrics for m in scope.metrics)
        return sum(len(getattr(metric, kind).data_points) for metric in metrics if (kind := metric.WhichOneof("data")))


def read_requests(path: Path, signal: SignalName | None = None) -> Iterator[FileRequest]:
    """The requests of a file, in order. JSON says itself what it holds; of protobuf ``signal``, else the file's name does.

    Raises InvalidPayload with the file's name, and the line of a bad line.
    """
    data = path.read_bytes()
    try:
        if data.startswith(_GZIP):
            data = gzip.decompress(data)
    except (OSError, EOFError) as error:
        raise InvalidPayload(f"{path}: {error}") from None
    if not data:
        return
    if data.lstrip().startswith(_JSON_STARTS):
        yield from _json(path, data)
        return
    guessed: SignalName = next((name for name in _NAMED if name in path.name), "traces")
    named = guessed if signal is None else signal
    position = 0
    for part in _delimited(data) or [data]:
        position += len(part)
        try:
            yield FileRequest(named, decode(named, part, "protobuf"), min(1.0, position / len(data)))
        except InvalidPayload as error:
            raise InvalidPayload(f"{path}: begins like no JSON, and is {error}") from None


def _json(path: Path, data: bytes) -> Iterator[FileRequest]:
    try:
        whole = json.loads(data)
    except RecursionError:
        raise InvalidPayload(f"{path}: {_TOO_DEEP}") from None
    except ValueError:
        whole = None
    if whole is not None:
        documents = whole if isinstance(whole, list) else [whole]
        for number, document in enumerate(documents, 1):
            try:
                body = json.dumps(document).encode()
            except RecursionError:
                raise InvalidPayload(f"{path}: {_TOO_DEEP}") from None
            yield from _document(f"{path}", document, body, number / len(documents))
        return
    position = 0
    for number, line in enumerate(data.splitlines(keepends=True), 1):
        position += len(line)
        if not line.strip():
            continue
        place = f"{path}, line {number}"
        try:
            document = json.loads(line)
        except RecursionError:
            raise InvalidPayload(f"{place}: {_TOO_DEEP}") from None
        except ValueError as error:
            raise InvalidPayload(f"{place}: {error}") from None
        yield from _document(place, document, line, position / len(data))


def _document(place: str, document: Any, body: bytes, end: float) -> Iterator[FileRequest]:
    keys = [key for key in _KEYS if isinstance(document, dict) and key in document]
    if not keys:
        raise InvalidPayload(f"{place}: holds no resourceSpans, resourceMetrics or resourceLogs")
    for signal in dict.fromkeys(_KEYS[key] for key in keys):
        try:
            yield FileRequest(signal, decode(signal, body, "json"), end)
        except InvalidPayload as error:
            raise InvalidPayload(f"{place}: {error}") from None


def _delimited(data: bytes) -> list[bytes] | None:
    """The messages of a file of the Collector's file exporter (``format: proto``): each behind its size in four bytes."""
    parts, position = [], 0
    while position < len(data):
        if position + 4 > len(data):
            return None
        (size,) = struct.unpack_from(">I", data, position)
        position += 4
        if size == 0 or position + size > len(data):
            return None
        parts.append(data[position : position + size])
        position += size
    return parts
