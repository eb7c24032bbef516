"""``otel-llm serve`` as a process: how it starts, what it refuses, how it stops."""

import datetime
import json
import os
import re
import signal
import socket
import time
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from otel_llm.cli.running import note_path
from tests.cli.conftest import ServerProcess, ask, otel_llm, otel_llm_process, spans

PORTS = ("--grpc-port", "0", "--otlp-http-port", "0", "--api-port", "0")


def calls_of(server: ServerProcess) -> int:
    status, answer = ask(server.api_url + "/api/v1/stats")
    assert status == 200, answer
    return int(answer["calls"])


def test_it_says_where_it_listens_and_is_then_ready(server: ServerProcess) -> None:
    lines = [line.partition("otel_llm: ")[2] for line in server.log]
    listening = [line for line in lines if " on " in line and "machine" not in line]
    assert [line.partition(" on ")[0] for line in listening] == ["OTLP/gRPC", "OTLP/HTTP", "query API"]
    assert re.fullmatch(r"otel-llm \S+ is ready, store duckdb:///\S+", lines[-1])
    status, health = ask(server.api_url + "/healthz")
    assert (status, health["status"]) == (200, "ok")


def test_sigterm_stops_it_with_zero_and_everything_acknowledged_is_there_after_a_restart(server: ServerProcess) -> None:
    status, _ = ask(server.otlp_url + "/v1/traces", method="POST", body=spans(7))
    assert status == 200
    start = time.monotonic()
    assert server.stop(signal.SIGTERM) == 0
    assert time.monotonic() - start < 30
    assert server.log[-1].endswith("otel_llm: stopped")
    note = note_path(server.database_url)
    assert note is not None
    assert not note.exists()
    assert not (server.folder / "spans.duckdb.wal").exists(), "a clean stop leaves one file"
    again = ServerProcess(server.folder)
    try:
        assert calls_of(again) == 7
    finally:
        again.kill()


def test_tls_files_that_cannot_be_used_are_named_and_no_store_is_made(tmp_path: Path) -> None:
    files = ("--tls-cert-file", str(tmp_path / "a.pem"), "--tls-key-file", str(tmp_path / "b.pem"))
    refused = otel_llm_process("serve", *PORTS, *files, folder=tmp_path)
    assert refused.returncode == 2
    assert "cannot use the TLS certificate" in refused.stderr
    assert not list(tmp_path.iterdir())


def test_pandas_is_not_imported_where_it_is_installed(server: ServerProcess) -> None:
    assert ask(server.otlp_url + "/v1/traces", method="POST", body=spans(300))[0] == 200
    assert calls_of(server) == 300
    assert "/pandas/" not in Path(f"/proc/{server.process.pid}/maps").read_text()


@pytest.mark.skipif(not hasattr(os, "SCHED_BATCH"), reason="the system has no such policy")
def test_threads_of_ingest_do_not_push_aside_those_that_answer_questions(server: ServerProcess) -> None:
    assert ask(server.otlp_url + "/v1/traces", method="POST", body=spans(300))[0] == 200
    assert calls_of(server) == 300
    threads = [int(thread.name) for thread in Path(f"/proc/{server.process.pid}/task").iterdir()]
    policies = [os.sched_getscheduler(thread) for thread in threads]
    assert policies.count(os.SCHED_BATCH) >= 3, "gRPC, extraction, writer"
    assert os.sched_getscheduler(server.process.pid) == os.SCHED_OTHER
    assert policies.count(os.SCHED_OTHER) >= 3, "the main thread, OTLP/HTTP and the query API"


def test_ctrl_c_stops_it_with_zero(server: ServerProcess) -> None:
    assert server.stop(signal.SIGINT) == 0


def test_no_line_is_logged_per_span(server: ServerProcess) -> None:
    before = len(server.log)
    for _ in range(20):
        assert ask(server.otlp_url + "/v1/traces", method="POST", body=spans(50))[0] == 200
    assert calls_of(server) == 1000
    assert server.log[before:] == []


def test_a_database_that_another_process_owns_is_one_sentence(server: ServerProcess) -> None:
    result = otel_llm_process("serve", "--database-url", server.database_url, *PORTS, folder=server.folder)
    assert result.returncode != 0
    assert "in use by another process" in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
    assert calls_of(server) == 0, "the owner goes on"


def test_a_taken_port_is_one_sentence_that_names_it(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        for flag in ("--grpc-port", "--api-port"):
            result = otel_llm_process("serve", *PORTS, flag, port, folder=tmp_path)
            assert result.returncode != 0
            assert f"cannot listen on 127.0.0.1 port {port}: Address already in use" in result.stderr
            assert f"or give another address with --host and {flag}" in result.stderr
            assert "Traceback" not in result.stderr
    assert not list(tmp_path.iterdir()), "no store is made"


def test_an_address_that_others_reach_is_refused_without_a_key(tmp_path: Path) -> None:
    result = otel_llm_process("serve", "--host", "0.0.0.0", *PORTS, folder=tmp_path)
    assert result.returncode != 0
    assert "otel-llm keys create --project NAME" in result.stderr
    assert "Traceback" not in result.stderr


def test_with_a_key_but_without_tls_it_starts_and_warns_or_refuses_if_asked_to(tmp_path: Path) -> None:
    url = f"duckdb:///{tmp_path / 'spans.duckdb'}"
    assert otel_llm("keys", "create", "--database-url", url, "--project", "shop", folder=tmp_path).returncode == 0
    refused = otel_llm_process("serve", "--database-url", url, "--host", "0.0.0.0", "--require-tls", *PORTS, folder=tmp_path)
    assert refused.returncode != 0
    assert "--tls-cert-file" in refused.stderr
    server = ServerProcess(tmp_path, "--host", "0.0.0.0")
    try:
        assert any("warning" in line and "NO TLS" in line for line in server.log)
        port = server.api_url.rpartition(":")[2]
        assert ask(f"http://127.0.0.1:{port}/api/v1/stats")[0] == 401
        asked = server.cli("stats", "--server", f"http://127.0.0.1:{port}")
        assert f"http://127.0.0.1:{port} asks for a key" in asked.stderr
    finally:
        server.kill()


def test_require_tls_is_content_on_loopback(tmp_path: Path) -> None:
    server = ServerProcess(tmp_path, "--require-tls")
    server.kill()


@pytest.mark.parametrize(
    ("flags", "env", "said"),
    [
        (("--grpc-port", "x"), {}, "the flag --grpc-port is 'x'"),
        ((), {"OTEL_LLM_API_PORT": "99999"}, "the environment variable OTEL_LLM_API_PORT is '99999'"),
        (("--config", "absent.toml"), {}, "absent.toml cannot be read"),
        (("--retention", "soon"), {}, "retention must be limits such as"),
    ],
)
def test_a_wrong_setting_is_said_in_a_sentence(flags: tuple[str, ...], env: dict[str, str], said: str, tmp_path: Path) -> None:
    result = otel_llm("serve", *flags, folder=tmp_path, **env)
    assert result.returncode == 2
    assert said in result.stderr


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--database-url", "sqlite:///x.db"), "no engine for sqlite://"),
        (("--tls-cert-file", "absent.pem", "--tls-key-file", "absent.key"), "absent.pem"),
    ],
)
def test_what_cannot_be_opened_is_said_in_a_sentence(flags: tuple[str, ...], said: str, tmp_path: Path) -> None:
    result = otel_llm_process("serve", *PORTS, *flags, folder=tmp_path)
    assert result.returncode == 2
    assert said in result.stderr
    assert "Traceback" not in result.stderr


def test_a_password_in_the_database_url_is_not_shown(tmp_path: Path) -> None:
    for url in ("postgresql+psycopg://otel:hunter2@127.0.0.1:1/otel", "nonsense://otel:hunter2@h/d", "otel:hunter2@h"):
        result = otel_llm("keys", "create", "--project", "shop", "--database-url", url, folder=tmp_path)
        assert result.returncode != 0
        assert "hunter2" not in result.stderr + result.stdout


def test_a_misspelt_variable_is_warned_of(tmp_path: Path) -> None:
    server = ServerProcess(tmp_path, OTEL_LLM_GPRC_PORT="1")
    server.kill()
    assert any("OTEL_LLM_GPRC_PORT is no setting; did you mean OTEL_LLM_GRPC_PORT?" in line for line in server.log)


def test_log_lines_are_json_on_request(tmp_path: Path) -> None:
    server = ServerProcess(tmp_path, "--log-format", "json")
    assert server.stop() == 0
    lines = [json.loads(line) for line in server.log]
    assert {"time", "level", "logger", "message"} <= set(lines[0])
    assert lines[-1]["message"] == "stopped"


def test_only_the_api_or_only_the_receiver_is_started_on_request(tmp_path: Path) -> None:
    api = ServerProcess(tmp_path, "--only", "api")
    try:
        assert not any("OTLP" in line for line in api.log)
        assert ask(api.api_url + "/healthz")[0] == 200
        assert ask(api.api_url + "/api/public/otel/v1/traces", method="POST", body=spans(1))[0] == 404
    finally:
        api.stop()
    receiver = ServerProcess(tmp_path, "--only", "receiver")
    try:
        assert not any("query API" in line for line in receiver.log)
        assert ask(receiver.otlp_url + "/v1/traces", method="POST", body=spans(1))[0] == 200
    finally:
        receiver.stop()


def test_with_a_certificate_every_port_speaks_tls_and_the_command_line_too(tmp_path: Path) -> None:
    certificate, key = self_signed(tmp_path)
    server = ServerProcess(tmp_path, "--tls-cert-file", str(certificate), "--tls-key-file", str(key))
    try:
        assert any(line.endswith("(TLS)") for line in server.log)
        assert server.api_url.startswith("https://127.0.0.1:")
        assert server.otlp_url.startswith("https://127.0.0.1:")
        # By its address: beside the store's file a command would ask through the operator's socket, which needs no TLS.
        trusting = server.cli("stats", "--server", server.api_url, SSL_CERT_FILE=str(certificate))
        assert trusting.returncode == 0, trusting.stderr
        doubting = server.cli("stats", "--server", server.api_url)
        assert doubting.returncode == 1
        assert "Traceback" not in doubting.stderr
    finally:
        server.kill()


def self_signed(folder: Path) -> tuple[Path, Path]:
    """Certificate and key of 127.0.0.1, PEM files."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    files = folder / "server.pem", folder / "server.key"
    files[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    files[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
        )
    )
    return files
