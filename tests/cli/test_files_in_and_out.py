"""``otel-llm demo``, ``send`` and ``export``: traffic in, files out, and the same spans in again."""

import csv
import gzip
import json
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
from click.testing import CliRunner, Result
from collector_process import CollectorProcess
from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from otel_llm.cli.main import main
from otel_llm.cli.otlp_files import read_requests
from tests.logs import logging_undone

ROOT = Path(__file__).parents[2]
TRACES = 30


def otel_llm(*arguments: str | Path) -> Result:
    with logging_undone():
        return CliRunner().invoke(main, [str(argument) for argument in arguments], catch_exceptions=False)


def columns_of(database: Path) -> list[Any]:
    """Everything a span's own export decides: not when it arrived, nor what a batch decided."""
    with duckdb.connect(str(database), read_only=True) as connection:
        return connection.execute("SELECT * EXCLUDE (ingested_ns) FROM spans ORDER BY trace_id, span_id").fetchall()


@pytest.fixture(scope="module")
def demo_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    database = tmp_path_factory.mktemp("demo") / "demo.duckdb"
    done = otel_llm("demo", "--traces", str(TRACES), "--seed", "7", "--database-url", f"duckdb:///{database}")
    assert done.exit_code == 0, done.output
    return database


@pytest.fixture(scope="module")
def send_collector() -> Iterator[CollectorProcess]:
    with CollectorProcess() as collector:
        yield collector


@pytest.fixture(scope="module")
def exported(demo_store: Path) -> Path:
    file = demo_store.with_name("spans.jsonl")
    done = otel_llm("export", "--format", "otlp-json", "-o", file, "--database-url", f"duckdb:///{demo_store}")
    assert done.exit_code == 0, done.output
    return file


def test_demo_makes_believable_traffic(demo_store: Path) -> None:
    with duckdb.connect(str(demo_store), read_only=True) as connection:
        traces, roles, unpriced = connection.execute(
            "SELECT count(DISTINCT trace_id), list(DISTINCT role), "
            "count(*) FILTER (WHERE counted AND NOT error AND cost_computed IS NULL) FROM spans"
        ).fetchall()[0]
    assert traces == TRACES
    assert {"generation", "embedding", "agent", "tool"} <= set(roles)
    assert unpriced == 0


@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf"])
def test_demo_sends_to_a_collector(protocol: str, send_collector: CollectorProcess) -> None:
    endpoint = send_collector.grpc_url if protocol == "grpc" else send_collector.http_url
    before = send_collector.get("/healthz")["spans"]["stored"]
    done = otel_llm("demo", "--traces", "5", "--endpoint", endpoint, "--protocol", protocol)
    assert done.exit_code == 0, done.output
    assert f"({send_collector.get('/healthz')['spans']['stored'] - before} spans)" in done.output


def test_demo_says_when_nobody_listens() -> None:
    done = otel_llm("demo", "--traces", "5", "--endpoint", "http://127.0.0.1:9")
    assert done.exit_code == 1
    assert "Is a collector running?" in done.output


def test_demo_says_when_a_key_is_missing(tmp_path: Path) -> None:
    assert (
        otel_llm("keys", "create", "--project", "shop", "--database-url", f"duckdb:///{tmp_path}/spans.duckdb").exit_code == 0
    )
    with CollectorProcess(tmp_path) as collector:
        for endpoint in (collector.http_url, collector.grpc_url):
            protocol = "grpc" if endpoint == collector.grpc_url else "http/protobuf"
            done = otel_llm("demo", "--traces", "1", "--endpoint", endpoint, "--protocol", protocol)
            assert done.exit_code == 1
            assert "It asks for a key: give one with the scope ingest" in done.output


def test_what_is_exported_and_sent_is_the_same_again(exported: Path, demo_store: Path, tmp_path: Path) -> None:
    with CollectorProcess(tmp_path) as collector:
        done = otel_llm("send", "--endpoint", collector.grpc_url, "--protocol", "grpc", exported)
        assert done.exit_code == 0, done.output
        assert "0 rejected" in done.output
    assert columns_of(tmp_path / "spans.duckdb") == columns_of(demo_store)


def test_sending_again_stores_nothing_twice(exported: Path, send_collector: CollectorProcess) -> None:
    otel_llm("send", "--endpoint", send_collector.http_url, exported)
    before = send_collector.get("/healthz")["spans"]
    done = otel_llm("send", "--endpoint", send_collector.http_url, "--gzip", exported)
    after = send_collector.get("/healthz")["spans"]
    assert done.exit_code == 0
    assert after["stored"] == before["stored"]
    assert after["duplicate"] - before["duplicate"] == len(exported_spans(exported))


def exported_spans(file: Path) -> list[dict[str, Any]]:
    requests = [json.loads(line) for line in file.read_text().splitlines()]
    return [
        span
        for request in requests
        for group in request["resourceSpans"]
        for scope in group["scopeSpans"]
        for span in scope["spans"]
    ]


def request_of(count: int) -> ExportTraceServiceRequest:
    request = ExportTraceServiceRequest()
    spans = request.resource_spans.add().scope_spans.add().spans
    for number in range(1, count + 1):
        spans.add(
            trace_id=number.to_bytes(16), span_id=number.to_bytes(8), name="s", start_time_unix_nano=1, end_time_unix_nano=2
        )
    return request


def contents() -> dict[str, bytes]:
    one, two = request_of(1), request_of(2)
    documents = [MessageToDict(request) for request in (one, two)]
    for document in documents:  # OTLP/JSON spells ids in hex, not in base64
        for number, span in enumerate(document["resourceSpans"][0]["scopeSpans"][0]["spans"], 1):
            span |= {"traceId": number.to_bytes(16).hex(), "spanId": number.to_bytes(8).hex()}
    lines = "".join(json.dumps(document) + "\n" for document in documents).encode()
    binary = [request.SerializeToString() for request in (one, two)]
    return {
        "lines.jsonl": lines,
        "blank lines.jsonl": lines.replace(b"\n", b"\n\n"),
        "lines.jsonl.gz": gzip.compress(lines, mtime=0),
        "indented.json": json.dumps(documents[0], indent=2).encode(),
        "list.json": json.dumps(documents).encode(),
        "traces.pb": binary[1],
        "sized.pb": b"".join(struct.pack(">I", len(part)) + part for part in binary),
        "empty.json": b"",
    }


EXPECTED = {"lines": 3, "blank lines": 3, "indented": 1, "list": 3, "traces": 2, "sized": 3, "empty": 0}


@pytest.mark.parametrize("name", list(contents()))
def test_every_kind_of_file_is_read(name: str, tmp_path: Path) -> None:
    file = tmp_path / name
    file.write_bytes(contents()[name])
    requests = list(read_requests(file))
    assert sum(request.items for request in requests) == EXPECTED[name.partition(".")[0]]
    assert not requests or requests[-1].end == pytest.approx(1.0, abs=0.05)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b'{"resourceSpans": []}\n{"oops"\n', "line 2"),
        (b'{"hello": 1}', "holds no resourceSpans"),
        (b"\xff\xff\xff\xff\xff", "protobuf"),
        (gzip.compress(b"{}" * 50, mtime=0)[:-9], "bad.json"),
        (b'{"resourceSpans":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nested too deeply"),
        (b'{"resourceSpans":[]}\n{"resourceSpans":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "line 2: nested too deeply"),
    ],
)
def test_a_bad_file_is_named_in_one_sentence(
    content: bytes, sentence: str, tmp_path: Path, send_collector: CollectorProcess
) -> None:
    file = tmp_path / "bad.json"
    file.write_bytes(content)
    done = otel_llm("send", "--endpoint", send_collector.http_url, file)
    assert done.exit_code == 1
    assert sentence in done.output
    assert "bad.json" in done.output
    assert "Traceback" not in done.output


def test_rejected_spans_are_told(tmp_path: Path, send_collector: CollectorProcess) -> None:
    request = request_of(2)
    request.resource_spans[0].scope_spans[0].spans[0].trace_id = b"short"
    (tmp_path / "traces.pb").write_bytes(request.SerializeToString())
    done = otel_llm("send", "--endpoint", send_collector.http_url, tmp_path / "traces.pb")
    assert done.exit_code == 1
    assert "1 rejected" in done.output


def test_csv_and_parquet_hold_the_same_rows(demo_store: Path, tmp_path: Path) -> None:
    url = f"duckdb:///{demo_store}"
    assert otel_llm("export", "--format", "csv", "-o", tmp_path / "spans.csv", "--database-url", url).exit_code == 0
    assert otel_llm("export", "--format", "parquet", "-o", tmp_path / "spans.parquet", "--database-url", url).exit_code == 0
    with (tmp_path / "spans.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    with duckdb.connect() as connection:
        found = connection.execute(
            "SELECT span_id, coalesce(input_tokens::varchar, ''), coalesce(cost_computed, 0), start_ns::varchar, "
            "epoch_ns(start) "
            f"FROM '{tmp_path}/spans.parquet'"
        ).fetchall()
    from_csv = [(line["span_id"], line["input_tokens"], float(line["cost_computed"] or 0), line["start_ns"]) for line in lines]
    assert [row[:4] for row in found] == from_csv
    assert all(int(row[3]) == row[4] for row in found)
    assert len(found) == len(columns_of(demo_store))


def test_export_of_calls_in_a_window(demo_store: Path) -> None:
    url = f"duckdb:///{demo_store}"
    everything = otel_llm("export", "--format", "csv", "--calls", "--database-url", url)
    recent = otel_llm("export", "--format", "csv", "--calls", "--from", "12h", "--database-url", url)
    rows = list(csv.DictReader(everything.stdout.splitlines()))
    assert {row["role"] for row in rows} == {"generation", "embedding"}
    assert 0 < len(list(csv.DictReader(recent.stdout.splitlines()))) < len(rows)
    done = otel_llm("audit", "--json", "--database-url", url)
    entries = [entry for entry in json.loads(done.stdout) if entry["action"] == "data.export"]
    assert [entry["detail"] for entry in entries[:2]] == [
        {"format": "csv", "from": "12h", "to": None, "calls_only": True},
        {"format": "csv", "from": None, "to": None, "calls_only": True},
    ]
    assert {(entry["project"], entry["actor"]) for entry in entries} == {("default", "operator")}


def test_export_asks_no_server(demo_store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "--server" not in otel_llm("export", "--help").output
    monkeypatch.setenv("OTEL_LLM_SERVER", "http://127.0.0.1:9")
    done = otel_llm("export", "--format", "csv", "--database-url", f"duckdb:///{demo_store}")
    assert done.exit_code == 2
    assert "leave out --server (OTEL_LLM_SERVER)" in done.output


def test_export_of_a_file_that_a_server_has_open_says_where_its_calls_are(tmp_path: Path) -> None:
    with CollectorProcess(tmp_path):
        done = otel_llm("export", "--format", "csv", "--database-url", f"duckdb:///{tmp_path / 'spans.duckdb'}")
    assert done.exit_code == 1
    assert "is in use by another process" in done.output
    assert "/api/v1/calls/search?format=csv" in done.output


def test_parquet_needs_a_file(demo_store: Path) -> None:
    done = otel_llm("export", "--format", "parquet", "--database-url", f"duckdb:///{demo_store}")
    assert done.exit_code == 2
    assert "--output" in done.output


@pytest.mark.parametrize("form", ["csv", "otlp-json", "parquet"])
def test_a_folder_that_is_not_there_is_named(form: str, demo_store: Path, tmp_path: Path) -> None:
    file = tmp_path / "nowhere" / "spans"
    done = otel_llm("export", "--format", form, "-o", file, "--database-url", f"duckdb:///{demo_store}")
    assert done.exit_code == 2
    assert f"there is no folder {file.parent}" in done.output


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full on this system")
def test_a_full_disk_is_told_in_one_sentence(demo_store: Path) -> None:
    done = otel_llm("export", "--format", "csv", "-o", "/dev/full", "--database-url", f"duckdb:///{demo_store}")
    assert done.exit_code == 1
    assert "/dev/full cannot be written: No space left on device" in done.output


def test_a_reader_that_leaves_early_ends_export_quietly(demo_store: Path) -> None:
    command = f"{sys.executable} -m otel_llm.cli.main export --format otlp-json --database-url duckdb:///{demo_store}"
    done = subprocess.run(
        ["/bin/sh", "-c", f"{command} | head -c 10"], capture_output=True, text=True, timeout=60, check=False, cwd=ROOT
    )
    assert len(done.stdout) == 10
    assert "Traceback" not in done.stderr


WRONG_PORTS = {
    "gRPC port, HTTP spoken": ("grpc", "http/protobuf", "it speaks gRPC"),
    "HTTP port, gRPC spoken": ("http", "grpc", "it speaks HTTP"),
    "TLS spoken to a plain port": ("http", "tls", "without TLS"),
}


@pytest.mark.parametrize(
    ("command", "mistake"), [*(("send", mistake) for mistake in WRONG_PORTS), ("demo", next(iter(WRONG_PORTS)))]
)
def test_a_port_that_speaks_otherwise_is_recognised(
    command: str, mistake: str, exported: Path, send_collector: CollectorProcess
) -> None:
    port, protocol, sentence = WRONG_PORTS[mistake]
    endpoint = send_collector.grpc_url if port == "grpc" else send_collector.http_url
    endpoint, protocol = (endpoint.replace("http:", "https:"), "http/protobuf") if protocol == "tls" else (endpoint, protocol)
    what = [exported] if command == "send" else ["--traces", "1"]
    done = otel_llm(command, "--endpoint", endpoint, "--protocol", protocol, *what)
    assert done.exit_code == 1
    assert sentence in done.output


def test_send_waits_for_a_receiver_that_is_starting_but_not_for_ever(exported: Path) -> None:
    started = time.monotonic()
    done = otel_llm("send", "--endpoint", "http://127.0.0.1:9", exported)
    assert done.exit_code == 1
    assert "after 4 tries" in done.output
    assert 2 < time.monotonic() - started < 10


def test_an_empty_database_file_is_explained(tmp_path: Path) -> None:
    (tmp_path / "empty.duckdb").touch()
    done = otel_llm("demo", "--traces", "1", "--database-url", f"duckdb:///{tmp_path}/empty.duckdb")
    assert done.exit_code == 1
    assert "is an empty file. Delete it" in done.output
