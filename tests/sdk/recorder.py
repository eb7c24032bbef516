"""A receiver that records: what arrived over OTLP/gRPC and OTLP/HTTP, with the headers, and fails when told to."""

import gzip
import threading
import time
from collections.abc import Callable, Iterator
from concurrent import futures
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import grpc
from google.protobuf.message import Message
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue

SERVICES = {
    "opentelemetry.proto.collector.trace.v1.TraceService": (trace_service_pb2, "Trace", "/v1/traces"),
    "opentelemetry.proto.collector.metrics.v1.MetricsService": (metrics_service_pb2, "Metrics", "/v1/metrics"),
    "opentelemetry.proto.collector.logs.v1.LogsService": (logs_service_pb2, "Logs", "/v1/logs"),
}


def plain(value: AnyValue) -> Any:
    """An attribute value as Python sees it."""
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [plain(item) for item in value.array_value.values]
    if kind == "kvlist_value":
        return {item.key: plain(item.value) for item in value.kvlist_value.values}
    return getattr(value, kind) if kind else None


class Recorder:
    """``requests`` holds (signal, message, headers); ``answer`` may raise or give a gRPC abort for the next ones."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, Message, dict[str, str]]] = []
        self.failures: list[Callable[[grpc.ServicerContext], None]] = []
        self.http_failures: list[tuple[int, dict[str, str]]] = []
        self.arrivals: list[float] = []
        self._grpc = grpc.server(futures.ThreadPoolExecutor(4))
        handlers = []
        for service, (module, name, _) in SERVICES.items():
            method = grpc.unary_unary_rpc_method_handler(
                self._receive(name),
                request_deserializer=getattr(module, f"Export{name}ServiceRequest").FromString,
                response_serializer=lambda answer: answer.SerializeToString(),
            )
            handlers.append(grpc.method_handlers_generic_handler(service, {"Export": method}))
        self._grpc.add_generic_rpc_handlers(tuple(handlers))
        self.grpc_port = self._grpc.add_insecure_port("127.0.0.1:0")
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), self._http_handler())
        self._http.daemon_threads = True
        self.http_port = self._http.server_address[1]

    @property
    def grpc_url(self) -> str:
        return f"http://127.0.0.1:{self.grpc_port}"

    @property
    def http_url(self) -> str:
        return f"http://127.0.0.1:{self.http_port}"

    def __enter__(self) -> "Recorder":
        self._grpc.start()
        threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._grpc.stop(0)
        self._http.shutdown()
        self._http.server_close()

    def spans(self) -> Iterator[dict[str, Any]]:
        """Every span that arrived: name, scope, attributes, resource, parent, status, events, duration in seconds."""
        for signal, message, _ in list(self.requests):
            if signal != "Trace":
                continue
            assert isinstance(message, ExportTraceServiceRequest)
            for group in message.resource_spans:
                resource = {item.key: plain(item.value) for item in group.resource.attributes}
                for scope in group.scope_spans:
                    for span in scope.spans:
                        yield {
                            "name": span.name,
                            "scope": scope.scope.name,
                            "resource": resource,
                            "attributes": {item.key: plain(item.value) for item in span.attributes},
                            "trace_id": span.trace_id,
                            "span_id": span.span_id,
                            "parent": span.parent_span_id,
                            "status": span.status.code,
                            "events": [event.name for event in span.events],
                            "seconds": (span.end_time_unix_nano - span.start_time_unix_nano) / 1e9,
                        }

    def _receive(self, name: str) -> Callable[[Message, grpc.ServicerContext], Message]:
        module = next(module for module, other, _ in SERVICES.values() if other == name)

        def receive(message: Message, context: grpc.ServicerContext) -> Message:
            self.arrivals.append(time.monotonic())
            if self.failures:
                self.failures.pop(0)(context)
            self.requests.append((name, message, dict(context.invocation_metadata())))
            return getattr(module, f"Export{name}ServiceResponse")()

        return receive

    def _http_handler(self) -> type[BaseHTTPRequestHandler]:
        recorder = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, format: str, *args: Any) -> None:
                pass

            def _body(self) -> bytes:
                if "content-length" in self.headers:
                    return self.rfile.read(int(self.headers["content-length"]))
                chunks = []  # exporters in JavaScript send chunks
                while size := int(self.rfile.readline(), 16):
                    chunks.append(self.rfile.read(size))
                    self.rfile.readline()
                self.rfile.readline()
                return b"".join(chunks)

            def do_POST(self) -> None:
                recorder.arrivals.append(time.monotonic())
                body = self._body()
                status, headers = 200, {}
                if recorder.http_failures:
                    status, headers = recorder.http_failures.pop(0)
                else:
                    if self.headers.get("content-encoding") == "gzip":
                        body = gzip.decompress(body)
                    module, name = next((module, name) for module, name, path in SERVICES.values() if self.path.endswith(path))
                    message = getattr(module, f"Export{name}ServiceRequest").FromString(body)
                    recorder.requests.append((name, message, {key.lower(): value for key, value in self.headers.items()}))
                self.send_response(status)
                for key, value in headers.items():
                    self.send_header(key, value)
                self.send_header("content-length", "0")
                self.end_headers()

        return Handler
