"""An OTLP server that keeps every request as it came: gRPC and HTTP, on free ports of loopback."""

import gzip
import threading
from concurrent import futures
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

import grpc

_SERVICES = {
    "/opentelemetry.proto.collector.trace.v1.TraceService/Export": "traces",
    "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export": "metrics",
    "/opentelemetry.proto.collector.logs.v1.LogsService/Export": "logs",
}
_KEPT_HEADERS = ("user-agent", "content-type", "content-encoding")


class Recorded(NamedTuple):
    """One export request: its body is decompressed, all else is as it came."""

    signal: str
    transport: str
    encoding: str
    compression: str
    path: str
    headers: dict[str, str]
    body: bytes


class _Grpc(grpc.GenericRpcHandler):
    def __init__(self, kept: list[Recorded]) -> None:
        self._kept = kept

    def service(self, details: grpc.HandlerCallDetails) -> Any:
        signal = _SERVICES.get(details.method)
        headers = {key: str(value) for key, value in details.invocation_metadata or () if key in _KEPT_HEADERS}

        def answer(body: bytes, _context: grpc.ServicerContext) -> bytes:
            if signal:
                self._kept.append(Recorded(signal, "grpc", "protobuf", "", details.method, headers, body))
            return b""

        return grpc.unary_unary_rpc_method_handler(answer)


class _Handler(BaseHTTPRequestHandler):
    server: "_HttpServer"

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_POST(self) -> None:
        body = self._body()
        signal = self.path.partition("?")[0].rpartition("/")[2]
        compression = self.headers.get("content-encoding") or ""
        json_body = "json" in (self.headers.get("content-type") or "")
        if signal in _SERVICES.values():
            headers = {key: self.headers[key] for key in _KEPT_HEADERS if key in self.headers}
            plain = gzip.decompress(body) if compression == "gzip" else body
            encoding = "json" if json_body else "protobuf"
            self.server.kept.append(Recorded(signal, "http", encoding, compression, self.path, headers, plain))
        answer = b"{}" if json_body else b""
        self.send_response(200)
        self.send_header("content-type", "application/json" if json_body else "application/x-protobuf")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def _body(self) -> bytes:
        """The body, whole or in chunks (as Node's exporter sends it)."""
        if "chunked" not in (self.headers.get("transfer-encoding") or ""):
            return self.rfile.read(int(self.headers.get("content-length") or 0))
        parts = []
        while size := int(self.rfile.readline().partition(b";")[0], 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)


class _HttpServer(ThreadingHTTPServer):
    daemon_threads = True
    kept: list[Recorded]


class Recorder:
    """Records while it is entered: ``requests`` in order of arrival, at ``http_url`` and ``grpc_url``."""

    def __enter__(self) -> "Recorder":
        self.requests: list[Recorded] = []
        self._grpc = grpc.server(futures.ThreadPoolExecutor(max_workers=2), handlers=(_Grpc(self.requests),))
        self.grpc_url = f"http://127.0.0.1:{self._grpc.add_insecure_port('127.0.0.1:0')}"
        self._grpc.start()
        self._http = _HttpServer(("127.0.0.1", 0), _Handler)
        self._http.kept = self.requests
        self.http_url = f"http://127.0.0.1:{self._http.server_address[1]}"
        threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._grpc.stop(1).wait()
        self._http.shutdown()
        self._http.server_close()
