"""TLS on both ports, with the stock exporters and certificates made here."""

import logging
import socket
import ssl
import time
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
import requests
from cryptography import x509
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpExporter
from opentelemetry.sdk.trace.export import SpanExportResult

from otel_llm.config import Settings
from otel_llm.errors import ConfigError
from otel_llm.serving import TlsFiles
from tests.serving.certificates import Authority

from .backend import Running
from .test_stock_exporters import a_span


class Files:
    def __init__(self, folder: Path) -> None:
        self.authority = Authority(folder, "authority")
        self.cert, self.key = folder / "server.pem", folder / "server.key"
        self.client_cert, self.client_key = folder / "client.pem", folder / "client.key"
        self.serial = self.authority.issue("server", self.cert, self.key)
        self.authority.issue("client", self.client_cert, self.client_key)


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


@pytest.fixture
def secure(transport: str, files: Files) -> Iterator[Running]:
    with Running(transport, tls_cert_file=files.cert, tls_key_file=files.key) as running:
        yield running


@pytest.fixture
def mutual(transport: str, files: Files) -> Iterator[Running]:
    settings = {"tls_cert_file": files.cert, "tls_key_file": files.key, "tls_client_ca_file": files.authority.file}
    with Running(transport, **settings) as running:
        yield running


def serial_seen(port: int) -> int:
    pem = ssl.get_server_certificate(("127.0.0.1", port), timeout=5)
    return x509.load_pem_x509_certificate(pem.encode()).serial_number


def test_stock_exporters_send_over_tls(secure, files, monkeypatch):
    for variable in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):  # requests lets them win over a session's own authorities
        monkeypatch.delenv(variable, raising=False)
    exporters = [
        GrpcExporter(
            endpoint=f"https://{secure.target}", credentials=grpc.ssl_channel_credentials(files.authority.file.read_bytes())
        ),
        HttpExporter(endpoint=f"{secure.url}/v1/traces", certificate_file=str(files.authority.file)),
    ]
    assert secure.url.startswith("https://")
    for exporter in exporters:
        assert exporter.export([a_span()]) is SpanExportResult.SUCCESS
        exporter.shutdown()
    assert len(secure.pipeline.spans) == 2


def test_plain_clients_get_nowhere(secure):
    with pytest.raises(requests.ConnectionError):
        requests.post(secure.url.replace("https", "http") + "/v1/traces", timeout=5)
    with grpc.insecure_channel(secure.target) as channel, pytest.raises(grpc.RpcError):
        channel.unary_unary("/grpc.health.v1.Health/Check")(b"", timeout=2)


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
@pytest.mark.parametrize("port_of", [lambda r: r.receiver.http.port, lambda r: r.receiver.grpc.port], ids=["http", "grpc"])
def test_nothing_older_than_tls_1_2_is_spoken(secure, port_of):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.set_alpn_protocols(["h2", "http/1.1"])
    context.minimum_version = ssl.TLSVersion.TLSv1
    for newest, spoken in ((ssl.TLSVersion.TLSv1_1, False), (ssl.TLSVersion.TLSv1_2, True)):
        context.maximum_version = newest
        with socket.create_connection(("127.0.0.1", port_of(secure)), timeout=5) as plain:
            try:
                context.wrap_socket(plain).close()
                assert spoken
            except (ssl.SSLError, OSError):
                assert not spoken


def test_a_new_certificate_is_used_without_a_restart(secure, files):
    ports = (secure.receiver.http.port, secure.receiver.grpc.port)
    assert {serial_seen(port) for port in ports} == {files.serial}
    renewed = files.authority.issue("server", files.cert, files.key)
    assert {serial_seen(port) for port in ports} == {renewed}


def test_a_rotation_half_done_keeps_the_certificate_in_use_and_is_logged_once(secure, files, caplog):
    ports = (secure.receiver.http.port, secure.receiver.grpc.port)
    before = files.key.read_bytes()
    with caplog.at_level(logging.ERROR):
        files.key.write_bytes(b"not yet")
        for port in ports * 2:
            assert serial_seen(port) == files.serial
    assert len([record for record in caplog.records if "not used yet" in record.getMessage()]) == len(ports)
    files.key.write_bytes(before)
    renewed = files.authority.issue("server", files.cert, files.key)
    assert {serial_seen(port) for port in ports} == {renewed}


def test_mutual_tls_lets_known_clients_in_and_nobody_else(mutual, files):
    certificate = (str(files.client_cert), str(files.client_key))
    trusted = str(files.authority.file)
    assert (
        requests.post(
            mutual.url + "/v1/traces",
            data=b"{}",
            headers={"content-type": "application/json"},
            cert=certificate,
            verify=trusted,
            timeout=5,
        ).status_code
        == 200
    )
    with pytest.raises(requests.ConnectionError):
        requests.post(mutual.url + "/v1/traces", verify=trusted, timeout=5)
    root = files.authority.file.read_bytes()
    known = grpc.ssl_channel_credentials(root, files.client_key.read_bytes(), files.client_cert.read_bytes())
    with grpc.secure_channel(mutual.target, known) as channel:
        channel.unary_unary("/grpc.health.v1.Health/Check")(b"", timeout=5)
    unknown = grpc.ssl_channel_credentials(root)
    with grpc.secure_channel(mutual.target, unknown) as channel, pytest.raises(grpc.RpcError):
        channel.unary_unary("/grpc.health.v1.Health/Check")(b"", timeout=2)


def test_client_authorities_are_replaced_without_a_restart(mutual, files, tmp_path):
    other = Authority(tmp_path, "other")
    other.issue("client", files.client_cert, files.client_key)
    certificate, trusted = (str(files.client_cert), str(files.client_key)), str(files.authority.file)
    own = tmp_path / "server-authority.pem"
    own.write_bytes(files.authority.file.read_bytes())

    def status() -> int:
        return requests.get(mutual.url + "/healthz", cert=certificate, verify=str(own), timeout=5).status_code

    with pytest.raises(requests.ConnectionError):
        status()
    Path(trusted).write_bytes(other.file.read_bytes())
    assert status() == 200


def test_files_that_cannot_be_used_are_a_sentence(files, tmp_path):
    (tmp_path / "broken.key").write_bytes(b"no key")
    for key in ("broken.key", "missing.key"):
        settings = Settings(tls_cert_file=files.cert, tls_key_file=tmp_path / key)
        with pytest.raises(ConfigError, match=f"cannot use the TLS certificate .*server.pem with the key .*{key}"):
            TlsFiles.from_settings(settings)
    settings = Settings(tls_cert_file=files.cert, tls_key_file=files.key, tls_client_ca_file=tmp_path / "broken.key")
    with pytest.raises(ConfigError, match="cannot use the client authorities"):
        TlsFiles.from_settings(settings)


def test_a_client_that_never_finishes_its_handshake_keeps_nobody_waiting(secure, files):
    stuck = [socket.create_connection(("127.0.0.1", secure.receiver.http.port)) for _ in range(50)]
    start = time.monotonic()
    assert requests.get(secure.url + "/healthz", verify=str(files.authority.file), timeout=5).status_code == 200
    assert time.monotonic() - start < 2
    for connection in stuck:
        connection.close()
