"""Where telemetry goes: what is wrong in the environment never reaches the app, what is wrong in its own code does."""

import logging
from typing import Any

import pytest
from opentelemetry import trace

import otel_llm
from otel_llm.errors import ConfigError, WrongEnvironment
from otel_llm.sdk.destination import destination

WRONG_VARIABLES = {
    "OTEL_LLM_ENDPOINT": "localhost:4318",
    "OTEL_LLM_PROTOCOL": "carrier-pigeon",
    "OTEL_LLM_COMPRESSION": "zip",
    "OTEL_LLM_API_KEY": "sk-1\nsk-2",
    "OTEL_EXPORTER_OTLP_PROTOCOL": "http/json",
    "OTEL_EXPORTER_OTLP_ENDPOINT": "nonsense",
    "OTEL_EXPORTER_OTLP_COMPRESSION": "zip",
}
WRONG_FOR_THE_SDK = {
    "OTEL_BSP_MAX_QUEUE_SIZE": "-5",
    "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "99999",
    "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT": "many",
    "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT": "-1",
}
"""Values over which the OpenTelemetry SDK itself raises."""


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    for name in [name for name in os.environ if name.startswith("OTEL_")]:
        monkeypatch.delenv(name)


@pytest.mark.parametrize(("name", "value"), [*WRONG_VARIABLES.items(), *WRONG_FOR_THE_SDK.items()])
def test_a_wrong_variable_is_one_line_in_the_log_and_the_app_goes_on(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv(name, value)
    before = trace.get_tracer_provider()
    with caplog.at_level(logging.INFO):
        provider = otel_llm.configure(service_name="app", instrument=False)
        with provider.get_tracer("t").start_as_current_span("s") as span:
            assert not span.is_recording()
        provider.force_flush()
        otel_llm.shutdown()
    (record,) = caplog.records
    assert record.name == "otel_llm"
    assert "The app is not traced" in record.message
    assert record.exc_info is None
    if name in WRONG_VARIABLES:
        assert name in record.message
        assert "sk-1" not in record.message
    assert trace.get_tracer_provider() is before


def test_two_destinations_in_the_environment_are_a_wrong_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_LLM_ENDPOINT", "http://localhost:4318")
    monkeypatch.setenv("OTEL_LLM_DATABASE_URL", "duckdb:///x.duckdb")
    with pytest.raises(WrongEnvironment, match=r"OTEL_LLM_ENDPOINT and OTEL_LLM_DATABASE_URL"):
        destination()
    assert destination(endpoint="http://there:4318").database_url is None
    assert destination(database_url="duckdb:////tmp/x.duckdb").endpoint == ""


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"endpoint": "localhost:4318"}, "endpoint"),
        ({"endpoint": "http://:4318"}, "endpoint"),
        ({"endpoint": "http://host:99999"}, "endpoint"),
        ({"endpoint": 4318}, "endpoint"),
        ({"endpoint": "http://h:4318", "protocol": "http/json"}, "protocol"),
        ({"endpoint": "http://h:4318", "compression": "zip"}, "compression"),
        ({"endpoint": "http://h:4318", "api_key": "sk\x00"}, "api_key"),
        ({"endpoint": "http://h:4318", "database_url": "duckdb:///x.duckdb"}, "endpoint and database_url"),
    ],
)
def test_wrong_arguments_are_the_app_s_own_mistake(arguments: dict[str, Any], named: str) -> None:
    with pytest.raises(ConfigError, match=f"^{named}") as error:
        otel_llm.configure(instrument=False, **arguments)
    assert not isinstance(error.value, WrongEnvironment)


def test_passwords_and_keys_are_not_shown() -> None:
    to = destination(endpoint="http://ann:secret@host:4318", api_key="sk-hidden\n")
    assert to.headers["authorization"] == "Bearer sk-hidden"
    assert "secret" not in f"{to} {to.headers.keys()}"
    assert "sk-hidden" not in repr(to)
    with pytest.raises(ConfigError) as error:
        destination(endpoint="ftp://ann:secret@host")
    assert "secret" not in str(error.value)


@pytest.mark.parametrize(
    ("variables", "endpoint", "protocol", "compression"),
    [
        ({}, "http://localhost:4318", "http/protobuf", "none"),
        ({"OTEL_LLM_ENDPOINT": "http://there:4317"}, "http://there:4317", "grpc", "gzip"),
        ({"OTEL_LLM_ENDPOINT": "", "OTEL_LLM_PROTOCOL": ""}, "http://localhost:4318", "http/protobuf", "none"),
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "http://localhost:4317", "grpc", "none"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://there:4317"}, "http://there:4317", "grpc", "gzip"),
        (
            {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "there:4317", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "grpc"},
            "there:4317",
            "grpc",
            "gzip",
        ),
        (
            {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://localhost:4318", "OTEL_EXPORTER_OTLP_TRACES_COMPRESSION": "gzip"},
            "http://localhost:4318",
            "http/protobuf",
            "gzip",
        ),
        (
            {"OTEL_LLM_ENDPOINT": "http://there:4318", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
            "http://there:4318",
            "http/protobuf",
            "gzip",
        ),
    ],
)
def test_the_environment_names_the_collector(
    variables: dict[str, str], endpoint: str, protocol: str, compression: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    found = destination()
    assert (found.endpoint, found.protocol, found.compression) == (endpoint, protocol, compression)
