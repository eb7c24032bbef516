"""The stock OTLP exporter for a signal, a protocol and a destination: one table."""

from collections.abc import Callable
from importlib import import_module
from typing import Any

from otel_llm.sdk.destination import Destination, Protocol, Signal

_STOCK: dict[tuple[Protocol, Signal], tuple[str, str]] = {
    ("grpc", "traces"): ("opentelemetry.exporter.otlp.proto.grpc.trace_exporter", "OTLPSpanExporter"),
    ("grpc", "metrics"): ("opentelemetry.exporter.otlp.proto.grpc.metric_exporter", "OTLPMetricExporter"),
    ("grpc", "logs"): ("opentelemetry.exporter.otlp.proto.grpc._log_exporter", "OTLPLogExporter"),
    ("http/protobuf", "traces"): ("opentelemetry.exporter.otlp.proto.http.trace_exporter", "OTLPSpanExporter"),
    ("http/protobuf", "metrics"): ("opentelemetry.exporter.otlp.proto.http.metric_exporter", "OTLPMetricExporter"),
    ("http/protobuf", "logs"): ("opentelemetry.exporter.otlp.proto.http._log_exporter", "OTLPLogExporter"),
}
STOCK_LOGGERS = (
    "opentelemetry.exporter.otlp.proto.grpc.exporter",
    *sorted({module for (protocol, _), (module, _) in _STOCK.items() if protocol == "http/protobuf"}),
)
"""Loggers on which the stock exporters report every failed attempt."""


def open_outlet(destination: Destination, signal: Signal, timeout_s: float | None) -> Any:
    """A new exporter with ``export`` and ``shutdown``; ``timeout_s`` None leaves its own (10 s, or as the environment says).

    Raises what the stock exporter or the store raises.
    """
    if destination.database_url is not None:
        from otel_llm.sdk.store_outlet import StoreOutlet

        return StoreOutlet(signal, destination.database_url)
    module, name = _STOCK[destination.protocol, signal]
    arguments: dict[str, Any] = {"headers": dict(destination.headers) or None}
    if timeout_s is not None:
        arguments["timeout"] = timeout_s
    if destination.protocol == "grpc":
        import grpc

        arguments["compression"] = (
            grpc.Compression.Gzip if destination.compression == "gzip" else grpc.Compression.NoCompression
        )
    else:
        from opentelemetry.exporter.otlp.proto.http import Compression

        arguments["compression"] = Compression.Gzip if destination.compression == "gzip" else Compression.NoCompression
    if not destination.standard:
        path = f"/v1/{signal}" if destination.protocol == "http/protobuf" else ""
        arguments["endpoint"] = destination.endpoint + path
    stock: Callable[..., Any] = getattr(import_module(module), name)
    return stock(**arguments)
