"""One line for an app: ``otel_llm.configure(service_name="shop")``."""

import logging
import os
import threading
from collections.abc import Iterable, Mapping
from typing import Any

from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

from otel_llm.errors import WrongEnvironment
from otel_llm.sdk import first_token, link
from otel_llm.sdk.destination import destination
from otel_llm.sdk.exporters import OtelLLMSpanExporter
from otel_llm.sdk.instrumentations import instrument_installed
from otel_llm.sdk.process_end import flush_at_process_end
from otel_llm.sdk.processor import add_processor

logger = logging.getLogger("otel_llm")

_lock = threading.Lock()
_configured: tuple[TracerProvider, OtelLLMSpanExporter, BatchSpanProcessor] | None = None


def configure(
    *,
    service_name: str | None = None,
    endpoint: str | None = None,
    protocol: str | None = None,
    api_key: str | None = None,
    headers: Mapping[str, str] | None = None,
    compression: str | None = None,
    database_url: str | None = None,
    environment: str | None = None,
    resource_attributes: Mapping[str, Any] | None = None,
    instrument: bool | Iterable[str] = True,
    time_to_first_token: bool = True,
) -> TracerProvider:
    """Traces the app: tracer provider, batch processor, exporter, and the instrumentations that are installed.

    The destination is a collector (``endpoint`` with ``protocol`` grpc or http/protobuf, ``api_key``, ``compression`` gzip
    or none) or, with no server at all, a store (``database_url="duckdb:///llm.duckdb"``); what is not given comes from
    ``OTEL_LLM_*``, then ``OTEL_EXPORTER_OTLP_*`` variables, then is http://localhost:4318. ``instrument`` False leaves the
    instrumentations alone, names (``["openai"]``) choose some. A tracer provider that the app has set before is kept and
    extended. Calling it again returns the provider of the first call.

    Raises ConfigError for arguments that cannot be. Whatever else goes wrong is logged and does not reach the app: with
    variables that cannot be it goes on untraced, with a provider that records nothing.
    """
    global _configured  # noqa: PLW0603 one set-up in a process, as OpenTelemetry has one global provider
    try:
        to = destination(
            endpoint=endpoint,
            protocol=protocol,
            api_key=api_key,
            headers=headers,
            compression=compression,
            database_url=database_url,
        )
    except WrongEnvironment as error:
        return _untraced(error)
    with _lock:
        if _configured is not None:
            logger.warning("otel_llm.configure() was called again; the first call stands. Call otel_llm.shutdown() first.")
            return _configured[0]
        resource = {"service.name": service_name, "deployment.environment.name": environment, **(resource_attributes or {})}
        exporter = OtelLLMSpanExporter(to)
        try:  # the SDK reads OTEL_* variables itself, and raises whatever it likes
            processor = BatchSpanProcessor(exporter)
            provider = _provider({key: value for key, value in resource.items() if value is not None})
        except Exception as error:
            return _untraced(error)
        add_processor(provider)
        provider.add_span_processor(processor)
        _configured = provider, exporter, processor
    flush_at_process_end()
    if time_to_first_token:
        first_token.install()
    if instrument:
        instrument_installed(provider, None if instrument is True else list(instrument))
    return provider


def _untraced(error: Exception) -> TracerProvider:
    """A provider of no consequence: it records nothing, and no variable can make it fail."""
    logger.error("The app is not traced: %s.", str(error).rstrip(".") or type(error).__name__)
    unset = SpanLimits.UNSET
    limits = SpanLimits(
        max_attributes=unset,
        max_events=unset,
        max_links=unset,
        max_span_attributes=unset,
        max_event_attributes=unset,
        max_link_attributes=unset,
        max_attribute_length=unset,
        max_span_attribute_length=unset,
    )
    return TracerProvider(sampler=ALWAYS_OFF, resource=Resource.get_empty(), span_limits=limits, shutdown_on_exit=False)


def shutdown() -> None:
    """Sends what is waiting and ends the telemetry of :func:`configure`, within a few seconds. Nothing to do: does nothing."""
    global _configured  # noqa: PLW0603 one set-up in a process
    with _lock:
        if _configured is None:
            return
        _, exporter, processor = _configured
        _configured = None
    if exporter.link is not None:
        link.hurry([exporter.link])
    processor.shutdown()  # type: ignore[no-untyped-call]


def _provider(resource: dict[str, Any]) -> TracerProvider:
    """The app's own SDK provider, else a new one that becomes the global one."""
    present = trace.get_tracer_provider()
    if isinstance(present, TracerProvider):
        if resource:
            logger.info("The app has a tracer provider already: its resource stays as it is.")
        return present
    if "service.name" not in resource and not os.environ.get("OTEL_SERVICE_NAME"):
        logger.info("No service_name is given: spans will say unknown_service.")
    provider = TracerProvider(resource=Resource.create(resource))
    trace.set_tracer_provider(provider)
    return provider
