"""OpenTelemetry GenAI telemetry: the library that the receiver, the query API and an instrumented app import."""

__version__ = "0.1.0"
