import gzip
import logging
import socket
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import grpc
import pytest
from google.rpc.error_details_pb2 import RetryInfo
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_status import rpc_status

from otel_llm.access.caller import Caller
from otel_llm.config import Settings
from otel_llm.errors import ConfigError, Overloaded, StoreUnavailable
from otel_llm.otlp.signals import SIGNALS
from receiver import grpc_core, grpc_wire
from receiver.grpc_aio import AioTransport
from receiver.grpc_server import GrpcServer
from receiver.ingest import Ingest
from receiver.server import Receiver

from .backend import Answer, Backend, Running
from .requests import REQUESTS, traces

TEAM_A = Caller("team-a", "pk-a", frozenset({"ingest"}))
EXPORT = f"/{SIGNALS['traces'].service}/Export"
READER = Caller("team-a", "pk-r", frozenset({"read"}))


@pytest.fixture(scope="module")
def shared_running(transport: str) -> Iterator[Running]:
    with Running(transport) as server:
        yield server
        core = server.receiver.grpc.transport
        if isinstance(core, grpc_core.CoreTransport):  # whatever became of them, all calls have ended
            wait_until(lambda: not (core.live or core.reading or core.taken or core.watches))


def export(channel: grpc.Channel, body: bytes, signal: str = "traces", **options: Any) -> Any:
    kind = SIGNALS[signal]
    call = channel.unary_unary(f"/{kind.service}/Export", response_deserializer=kind.response.FromString)
    return call(body, timeout=10, **options)


def failure(channel: grpc.Channel, body: bytes, **options: Any) -> grpc.RpcError:
    with pytest.raises(grpc.RpcError) as caught:
        export(channel, body, **options)
    return caught.value


@pytest.mark.parametrize("signal", SIGNALS)
def test_every_signal_is_served_and_full_success_leaves_partial_success_unset(running, channel, signal):
    request = REQUESTS[signal]()
    response = export(channel, request.SerializeToString(), signal)
    assert not response.HasField("partial_success")
    assert running.pipeline.requests[0][:2] == (signal, request)


@pytest.mark.parametrize("signal", SIGNALS)
def test_an_empty_request_is_a_success(running, channel, signal):
    assert not export(channel, b"", signal).HasField("partial_success")


@pytest.mark.parametrize(("signal", "field"), [(name, kind.rejected_field) for name, kind in SIGNALS.items()])
def test_rejected_items_and_the_reason_are_reported_in_partial_success(running, channel, signal, field):
    running.pipeline.answer = Answer(2, "2 items rejected: bad id")
    partial = export(channel, REQUESTS[signal]().SerializeToString(), signal).partial_success
    assert getattr(partial, field) == 2
    assert partial.error_message == "2 items rejected: bad id"


@pytest.mark.parametrize("compression", [grpc.Compression.Gzip, grpc.Compression.Deflate, grpc.Compression.NoCompression])
def test_compressed_messages_are_read(running, channel, compression):
    request = traces(*(f"chat {number}" for number in range(100)))
    export(channel, request.SerializeToString(), compression=compression)
    assert running.pipeline.requests[0][1] == request


def test_garbage_is_an_invalid_argument_that_says_what_was_wrong(running, channel):
    error = failure(channel, b"\x0a\x7fabc")
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "announces 127 bytes and 3 are left" in error.details()
    assert running.backend.refused == {"undecodable": 1}


def test_one_span_with_broken_text_does_not_cost_its_batch(running, channel):
    body = traces("good", "bad!", "fine").SerializeToString().replace(b"bad!", b"b\xff\xfe!")
    partial = export(channel, body).partial_success
    assert [span.name for span in running.pipeline.spans] == ["good", "b\ufffd\ufffd!", "fine"]
    assert partial.rejected_spans == 0
    assert "name of a Span is not UTF-8 at byte 1" in partial.error_message
    assert running.backend.accounting.snapshot()["values_dropped"] == {"invalid_utf8": 1}


def test_a_span_of_broken_bytes_is_rejected_alone_and_counted(running, channel):
    request = traces("good", "fine")
    broken = b"\x12\x03\x0a\x7fx"  # field 2 of ScopeSpans: a span whose id announces more bytes than there are
    scope = request.resource_spans[0].scope_spans[0].SerializeToString() + broken
    resource = b"\x12" + bytes([len(scope)]) + scope
    partial = export(channel, b"\x0a" + bytes([len(resource)]) + resource).partial_success
    assert [span.name for span in running.pipeline.spans] == ["good", "fine"]
    assert partial.rejected_spans == 1
    spans = running.backend.accounting.snapshot()["spans"]
    assert (spans["received"], spans["rejected"]) == (1, {"undecodable": 1})  # the pipeline counts the others


def test_a_full_budget_is_resource_exhausted_with_a_retry_hint_in_both_places(running, channel):
    running.pipeline.error = Overloaded("come back", retry_after=1.5)
    error = failure(channel, traces().SerializeToString())
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert_hint(error, 1.5)
    assert running.backend.refused == {"overloaded": 1}


def test_a_failed_commit_is_unavailable_with_a_retry_hint(running, channel):
    running.pipeline.error = StoreUnavailable("the commit failed")
    error = failure(channel, traces().SerializeToString())
    assert error.code() is grpc.StatusCode.UNAVAILABLE
    assert_hint(error, 1.0)


def test_a_hint_is_never_longer_than_stock_exporters_wait(running, channel):
    running.pipeline.error = StoreUnavailable("later", retry_after=600)
    assert_hint(failure(channel, traces().SerializeToString()), 3.0)


def assert_hint(error: Any, seconds: float) -> None:
    trailing = dict(error.trailing_metadata())
    plain = RetryInfo.FromString(trailing["google.rpc.retryinfo-bin"])
    detail = RetryInfo()
    status = rpc_status.from_call(error)
    assert status is not None
    assert status.details[0].Unpack(detail)
    assert plain.retry_delay.ToTimedelta().total_seconds() == detail.retry_delay.ToTimedelta().total_seconds() == seconds


def test_an_unforeseen_error_is_internal_neutral_and_logged_once(running, channel, caplog):
    running.pipeline.error = RuntimeError("secret detail")
    with caplog.at_level(logging.ERROR):
        error = failure(channel, traces().SerializeToString())
    assert error.code() is grpc.StatusCode.INTERNAL
    assert "secret" not in error.details()
    records = [record for record in caplog.records if record.exc_info]
    assert len(records) == 1
    assert "secret detail" in str(records[0].exc_info[1])


@pytest.mark.parametrize(
    "metadata",
    [
        [("authorization", "Bearer sk-a")],
        [("authorization", "Basic cGstYTpzay1h")],
        [("x-api-key", "sk-a")],
        [("x-api-key", "sk-a"), ("x-project-id", "team-a")],
    ],
)
def test_every_credential_style_opens_the_door(running, channel, metadata):
    running.backend.door.keys["sk-a"] = TEAM_A
    export(channel, traces().SerializeToString(), metadata=metadata)
    assert running.pipeline.requests[0][2] is TEAM_A
    assert running.backend.door.seen[0][1] == "127.0.0.1"


@pytest.mark.parametrize(
    ("metadata", "code"),
    [
        ([], grpc.StatusCode.UNAUTHENTICATED),
        ([("x-api-key", "wrong")], grpc.StatusCode.UNAUTHENTICATED),
        ([("x-api-key", "sk-r")], grpc.StatusCode.PERMISSION_DENIED),
        ([("x-api-key", "sk-a"), ("x-project-id", "team-b")], grpc.StatusCode.PERMISSION_DENIED),
    ],
)
def test_the_door_stays_closed_to_others(running, channel, metadata, code):
    running.backend.door.keys.update({"sk-a": TEAM_A, "sk-r": READER})
    assert failure(channel, traces().SerializeToString(), metadata=metadata).code() is code
    assert not running.pipeline.requests


def test_a_key_of_a_deleted_project_may_not_ingest(running, channel):
    running.backend.door.keys["sk-a"] = TEAM_A
    running.backend.door.deleted.add("team-a")
    error = failure(channel, traces().SerializeToString(), metadata=[("x-api-key", "sk-a")])
    assert error.code() is grpc.StatusCode.PERMISSION_DENIED


def test_in_open_mode_the_project_header_says_nothing(running, channel):
    export(channel, traces().SerializeToString(), metadata=[("x-project-id", "team-b")])
    assert running.pipeline.requests[0][2].project == "default"


@pytest.mark.parametrize("compress", [bytes, gzip.compress, zlib.compress])
def test_a_message_beyond_the_limit_is_resource_exhausted_without_a_retry_hint(transport, compress):
    with Running(transport, max_message_bytes=100_000) as running, grpc.insecure_channel(running.target) as channel:
        body = traces("x" * 200_000).SerializeToString()
        how = {gzip.compress: grpc.Compression.Gzip, zlib.compress: grpc.Compression.Deflate}.get(compress)
        error = failure(channel, body, compression=how)
        assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert "google.rpc.retryinfo-bin" not in dict(error.trailing_metadata() or ())
        assert rpc_status.from_call(error) is None or not rpc_status.from_call(error).details
        assert running.backend.budget.used == 0
        export(channel, traces("y" * 90_000).SerializeToString(), compression=how)


def test_the_limit_is_64_mib_unless_set(running, channel):
    export(channel, traces("x" * (30 * 1024 * 1024)).SerializeToString())
    assert len(running.pipeline.spans[0].name) == 30 * 1024 * 1024


def test_a_gzip_bomb_stops_at_the_limit_and_costs_no_memory_beyond_it(transport):
    with Running(transport, max_message_bytes=1_000_000) as running, grpc.insecure_channel(running.target) as channel:
        bomb = b"\x0a" * 100_000_000
        error = failure(channel, bomb, compression=grpc.Compression.Gzip)
        del bomb
        assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert "after gzip decompression" in error.details()


def test_64_requests_wait_for_a_commit_together_and_hold_their_bytes(running, channel):
    running.pipeline.gate = threading.Event()
    body = traces("x" * 1000).SerializeToString()
    with ThreadPoolExecutor(64) as clients:
        calls = [clients.submit(export, channel, body) for _ in range(64)]
        for _ in range(64):
            assert running.pipeline.waiting.acquire(timeout=10)
        assert running.backend.budget.used == 64 * len(body)
        running.pipeline.gate.set()
        for call in calls:
            call.result()
    assert running.backend.budget.used == 0


def test_calls_beyond_the_limit_of_a_connection_wait_at_their_client(transport, monkeypatch):
    monkeypatch.setattr(grpc_wire, "MAX_CALLS", 4)
    with Running(transport) as running, grpc.insecure_channel(running.target) as channel:
        running.pipeline.gate = threading.Event()
        body = traces().SerializeToString()
        calls = [channel.unary_unary(EXPORT).future(body, timeout=20) for _ in range(200)]
        for _ in range(4):
            assert running.pipeline.waiting.acquire(timeout=10)
        assert not running.pipeline.waiting.acquire(timeout=0.2)
        assert running.backend.budget.used == 4 * len(body)
        running.pipeline.gate.set()
        assert [call.result() for call in calls] == [b""] * len(calls)


def test_bytes_of_a_client_that_gave_up_are_given_back(running, channel):
    running.pipeline.gate = threading.Event()
    call = channel.unary_unary(f"/{SIGNALS['traces'].service}/Export")
    future = call.future(traces().SerializeToString())
    assert running.pipeline.waiting.acquire(timeout=10)
    future.cancel()
    running.pipeline.gate.set()
    deadline = time.monotonic() + 5
    while running.backend.budget.used and time.monotonic() < deadline:
        time.sleep(0.01)
    assert running.backend.budget.used == 0


@pytest.mark.parametrize("service", ["", *(kind.service for kind in SIGNALS.values())])
def test_the_health_service_knows_every_service(running, channel, service):
    stub = health_pb2_grpc.HealthStub(channel)
    answer = stub.Check(health_pb2.HealthCheckRequest(service=service), timeout=5)
    assert answer.status == health_pb2.HealthCheckResponse.SERVING


def test_clients_may_ping_every_ten_seconds_without_calls(running):
    """Pings far more often than that here: gRPC's default would answer too_many_pings after the second."""
    options = [
        ("grpc.keepalive_time_ms", 100),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.max_pings_without_data", 0),
        ("grpc.use_local_subchannel_pool", 1),
    ]
    states: list[grpc.ChannelConnectivity] = []
    with grpc.insecure_channel(running.target, options=options) as channel:
        channel.subscribe(states.append)
        export(channel, traces().SerializeToString())
        time.sleep(1.5)
        export(channel, traces().SerializeToString())
    assert grpc.ChannelConnectivity.TRANSIENT_FAILURE not in states


def test_stop_answers_what_was_taken_and_tells_others_to_come_back(transport):
    with Running(transport) as running, grpc.insecure_channel(running.target) as channel:
        running.pipeline.gate = threading.Event()
        method = channel.unary_unary(f"/{SIGNALS['traces'].service}/Export")
        future = method.future(traces().SerializeToString(), timeout=10)
        assert running.pipeline.waiting.acquire(timeout=10)
        stopping = threading.Thread(target=running.receiver.stop)
        stopping.start()
        time.sleep(0.2)
        late = failure(channel, traces().SerializeToString())
        assert late.code() is grpc.StatusCode.UNAVAILABLE
        assert_hint(late, 1.0)
        running.pipeline.gate.set()
        assert future.result() == b""
        stopping.join(10)
        assert not stopping.is_alive()


def test_a_taken_port_is_a_sentence(running, capfd):
    settings = running.backend.settings.model_copy(update={"grpc_port": running.receiver.grpc.port})
    with pytest.raises(ConfigError, match=f"127.0.0.1 port {running.receiver.grpc.port}: Address already in use"):
        Receiver(Backend(settings)).start()
    assert "add_port" not in capfd.readouterr().err  # gRPC's C++ log


def test_it_serves_ipv6_too(transport):
    if not socket.has_ipv6:
        pytest.skip("no IPv6 here")
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("no IPv6 here")
    with Running(transport, host="::1") as running, grpc.insecure_channel(running.target) as channel:
        export(channel, traces().SerializeToString())
        assert running.backend.door.seen[0][1] == "::1"


def test_a_header_that_comes_twice_is_one_with_both_and_binary_ones_are_none(running, channel):
    export(channel, traces().SerializeToString(), metadata=[("x-a", "1"), ("x-b-bin", b"\xff"), ("x-a", "2")])
    headers = running.backend.door.seen[0][0]
    assert headers["x-a"] == "1,2"
    assert "x-b-bin" not in headers


def test_methods_that_are_not_served_are_unimplemented_and_cost_the_others_nothing(running, channel):
    service = SIGNALS["traces"].service
    for method in ("/x/y", f"/{service}/Exports", f"/{service}/", "/grpc.health.v1.Health/Chuck") * 30:
        with pytest.raises(grpc.RpcError) as caught:
            channel.unary_unary(method)(b"", timeout=10)
        assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
        assert caught.value.details() == "Method not found!"
    export(channel, traces().SerializeToString())


def test_a_call_that_ends_without_a_message_is_an_invalid_argument(running, channel):
    with pytest.raises(grpc.RpcError) as caught:
        channel.stream_unary(EXPORT)(iter(()), timeout=10)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert running.backend.refused == {"undecodable": 1}


def test_who_may_not_come_in_is_told_before_the_message_is_there(running, channel):
    running.backend.door.keys["sk-a"] = TEAM_A
    never = threading.Event()
    with pytest.raises(grpc.RpcError) as caught:
        channel.stream_unary(EXPORT)(messages(never), timeout=10)
    never.set()
    assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED


def messages(until: threading.Event, body: bytes = b"") -> Iterator[bytes]:
    """A message that is sent when it may be."""
    until.wait(20)
    yield body


@pytest.mark.parametrize("step", ["headers_of", "compression_of"])
def test_an_error_that_nobody_foresaw_costs_its_call_only(running, channel, step, monkeypatch, caplog):
    def broken(*_: Any) -> None:
        raise RuntimeError("secret detail")

    with monkeypatch.context() as patch, caplog.at_level(logging.ERROR):
        patch.setattr(grpc_wire, step, broken)
        for _ in range(100):
            assert failure(channel, traces().SerializeToString()).code() is grpc.StatusCode.INTERNAL
    assert "secret detail" in caplog.text
    assert running.backend.budget.used == 0
    export(channel, traces().SerializeToString())


@pytest.mark.parametrize("leaves", ["cancels", "runs out of time"])
def test_a_large_request_is_not_worked_on_when_its_client_leaves_while_it_waits(transport, leaves, monkeypatch):
    with Running(transport) as running, grpc.insecure_channel(running.target) as channel:
        working, go_on, take = threading.Semaphore(0), threading.Event(), running.pipeline.take

        def slow(*args: Any) -> Any:
            working.release()
            assert go_on.wait(20)
            return take(*args)

        monkeypatch.setattr(running.pipeline, "take", slow)
        body = traces("x" * 10_000).SerializeToString()
        call = channel.unary_unary(EXPORT)
        served = [call.future(body, timeout=20) for _ in range(2)]
        for _ in served:
            assert working.acquire(timeout=10)
        waits = call.future(body, timeout=0.5 if leaves == "runs out of time" else 20)
        wait_until(lambda: running.backend.budget.used == 3 * len(body))
        if leaves == "cancels":
            waits.cancel()
        wait_until(lambda: running.backend.budget.used == 2 * len(body))
        go_on.set()
        assert [future.result() for future in served] == [b"", b""]
        assert len(running.pipeline.requests) == 2
        assert running.backend.budget.used == 0
        assert running.backend.refused == {}


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_health_of_a_service_that_is_not_served(running, channel):
    stub, request = health_pb2_grpc.HealthStub(channel), health_pb2.HealthCheckRequest(service="other")
    with pytest.raises(grpc.RpcError) as caught:
        stub.Check(request, timeout=5)
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND
    watch = stub.Watch(request, timeout=5)
    assert next(watch).status == health_pb2.HealthCheckResponse.SERVICE_UNKNOWN
    watch.cancel()


def test_who_watches_health_is_told_of_a_stop(transport):
    with Running(transport) as running, grpc.insecure_channel(running.target) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        gone = stub.Watch(health_pb2.HealthCheckRequest())
        next(gone)
        gone.cancel()
        services = ["", SIGNALS["logs"].service, "other"]
        watches = [stub.Watch(health_pb2.HealthCheckRequest(service=service), timeout=20) for service in services]
        assert [next(watch).status for watch in watches] == [
            health_pb2.HealthCheckResponse.SERVING,
            health_pb2.HealthCheckResponse.SERVING,
            health_pb2.HealthCheckResponse.SERVICE_UNKNOWN,
        ]
        running.receiver.stop()
        assert [next(watch).status for watch in watches[:2]] == [health_pb2.HealthCheckResponse.NOT_SERVING] * 2
        for watch in watches:
            with pytest.raises(grpc.RpcError):
                next(watch)


def test_stop_answers_many_in_work_and_refuses_messages_that_arrive(transport):
    with Running(transport) as running, grpc.insecure_channel(running.target) as channel:
        running.pipeline.gate = threading.Event()
        calls = [channel.unary_unary(EXPORT).future(traces("x" * size).SerializeToString()) for size in (1, 9_000) * 16]
        for _ in calls:
            assert running.pipeline.waiting.acquire(timeout=10)
        arrives = threading.Event()
        late = channel.stream_unary(EXPORT).future(messages(arrives, traces().SerializeToString()), timeout=20)
        time.sleep(0.3)
        stopping = threading.Thread(target=running.receiver.stop)
        stopping.start()
        time.sleep(0.3)
        arrives.set()
        error = late.exception()
        assert error.code() is grpc.StatusCode.UNAVAILABLE
        assert_hint(error, 1.0)
        running.pipeline.gate.set()
        assert [call.result() for call in calls] == [b""] * len(calls)
        stopping.join(10)
        assert len(running.pipeline.requests) == len(calls)


def test_stop_is_quick_and_final(transport):
    with Running(transport) as running, grpc.insecure_channel(running.target) as channel:
        export(channel, traces().SerializeToString())
        threads, start = set(threading.enumerate()), time.monotonic()
        running.receiver.grpc.stop()
        assert time.monotonic() - start < 1
        assert "grpc" in [thread.name for thread in threads - set(threading.enumerate())]
        running.receiver.grpc.stop()
        socket.create_server(("127.0.0.1", running.receiver.grpc.port)).close()
        assert failure(channel, traces().SerializeToString()).code() is grpc.StatusCode.UNAVAILABLE


def test_a_server_that_was_never_started_is_stopped_at_once(transport):
    Running(transport).receiver.grpc.stop()


LEAVING = """
import sys, threading, time
import grpc
from tests.receiver.backend import Running
from tests.receiver.requests import traces
from tests.receiver.test_grpc_server import EXPORT

running = Running(sys.argv[1], shutdown_timeout_s=0.2)
running.receiver.start()
channel = grpc.insecure_channel(running.target)
assert channel.unary_unary(EXPORT)(traces().SerializeToString(), timeout=10) == b""
if sys.argv[2] == "late":
    running.pipeline.gate = threading.Event()
    call = channel.unary_unary(EXPORT).future(traces().SerializeToString(), timeout=20)
    assert running.pipeline.waiting.acquire(timeout=10)
    start = time.monotonic()
    running.receiver.stop()
    assert time.monotonic() - start < 3
    assert call.exception() is not None
    running.pipeline.gate.set()
    time.sleep(0.2)
print("left")
"""


@pytest.mark.parametrize("way", ["at once", "late"])
def test_a_process_ends_well_without_a_stop_and_when_an_answer_comes_after_it(transport, way):
    command = [sys.executable, "-c", LEAVING, transport, way]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stdout) == (0, "left\n"), ended.stderr
    assert "Traceback" not in ended.stderr
    assert "Check failed" not in ended.stderr


def test_grpcs_asyncio_server_takes_over_where_the_core_is_another_one(monkeypatch, caplog):
    known = {name: getattr(grpc_core.cygrpc, name) for name in dir(grpc_core.cygrpc)}
    assert grpc_core.usable(SimpleNamespace(**known))
    assert not grpc_core.usable(None)
    for name in ("Server", "CompletionQueue", "CompletionType", "ReceiveCloseOnServerOperation", "SendMessageOperation"):
        assert not grpc_core.usable(SimpleNamespace(**{each: it for each, it in known.items() if each != name}))
    changed = known | {"Server": lambda arguments: known["Server"](arguments, False)}
    assert not grpc_core.usable(SimpleNamespace(**changed))
    monkeypatch.setattr(grpc_core, "cygrpc", SimpleNamespace(**changed))
    ingest = Ingest(Backend(Settings()))
    with caplog.at_level(logging.WARNING):
        server = GrpcServer(ingest, host="127.0.0.1", port=0)
    assert isinstance(server.transport, AioTransport)
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    ingest.close()


def test_the_core_says_which_address_it_cannot_have(running):
    transport = grpc_core.CoreTransport(running.receiver.ingest, 1.0)
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(OSError, match=r"cannot bind 127\.0\.0\.1:"):
        transport.serve(f"127.0.0.1:{taken.getsockname()[1]}", None, lambda port: None)
