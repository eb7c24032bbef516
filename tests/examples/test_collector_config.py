"""The OpenTelemetry Collector's configuration: its parts fit, its keys exist, and what it describes is taken."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from collector_process import CollectorProcess
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import Compression, OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

CONFIG = Path(__file__).parents[2] / "examples" / "opentelemetry-collector" / "config.yaml"
# The keys of configgrpc.ClientConfig, configretry.BackOffConfig and exporterhelper's queue in the Collector's source.
EXPORTER_KEYS = {
    "": {"endpoint", "compression", "tls", "keepalive", "headers", "auth", "timeout", "retry_on_failure", "sending_queue"},
    "retry_on_failure": {
        "enabled",
        "initial_interval",
        "randomization_factor",
        "multiplier",
        "max_interval",
        "max_elapsed_time",
    },
    "sending_queue": {"enabled", "num_consumers", "queue_size", "storage", "sizer", "block_on_overflow", "batch"},
    "tls": {"insecure", "insecure_skip_verify", "ca_file", "cert_file", "key_file", "server_name_override"},
}


@pytest.fixture(scope="module")
def config() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(CONFIG.read_text())
    return loaded


def expanded(text: str, environment: dict[str, str]) -> str:
    """``${env:NAME:-default}``, as the Collector replaces it; a variable that is not set is empty."""
    return re.sub(r"\$\{env:(\w+)(?::-([^}]*))?\}", lambda found: environment.get(found[1], found[2] or ""), text)


def test_every_signal_goes_through_parts_that_are_declared(config: dict[str, Any]) -> None:
    pipelines = config["service"]["pipelines"]
    assert set(pipelines) == {"traces", "metrics", "logs"}
    for kind in ("receivers", "processors", "exporters"):
        assert {part for pipeline in pipelines.values() for part in pipeline[kind]} == set(config[kind])


def test_the_exporter_s_keys_are_the_collector_s(config: dict[str, Any]) -> None:
    exporter = config["exporters"]["otlp_grpc/otel_llm"]
    for section, keys in EXPORTER_KEYS.items():
        assert set(exporter[section] if section else exporter) <= keys
    assert exporter["retry_on_failure"] == {"enabled": True, "max_elapsed_time": 0}  # 0: it never gives up


def test_requests_as_it_describes_them_are_stored(config: dict[str, Any]) -> None:
    exporter = config["exporters"]["otlp_grpc/otel_llm"]
    assert exporter["compression"] == "gzip"
    with CollectorProcess() as collector:
        environment = {
            "OTEL_LLM_GRPC": collector.grpc_url.removeprefix("http://"),
            "OTEL_LLM_API_KEY": "",
        }  # no key: "Bearer " is sent
        provider = TracerProvider(shutdown_on_exit=False)
        stock = OTLPSpanExporter(
            endpoint=expanded(exporter["endpoint"], environment),
            insecure=exporter["tls"]["insecure"],
            headers={name: expanded(value, environment) for name, value in exporter["headers"].items()},
            compression=Compression.Gzip,
            timeout=5,
        )
        provider.add_span_processor(SimpleSpanProcessor(stock))
        provider.get_tracer("t").start_span("through the Collector").end()
        provider.shutdown()
        assert collector.get("/healthz")["spans"]["stored"] == 1
