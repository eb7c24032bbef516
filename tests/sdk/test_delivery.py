"""What the exporter sends, how it tries again, and that every way out of a process delivers."""

import socket
import sys
import time
from pathlib import Path

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import RetryInfo
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor

from otel_llm.sdk.destination import Destination, destination
from otel_llm.sdk.exporters import OtelLLMSpanExporter
from tests.sdk.app_process import run_app
from tests.sdk.recorder import Recorder

EXIT_S = 8.0
"""No way out of an app may take longer, whatever the other side does (5 s by design, and a loaded machine)."""
PROTOCOLS = ("grpc", "http/protobuf")


def url_of(recorder: Recorder, protocol: str) -> str:
    return recorder.grpc_url if protocol == "grpc" else recorder.http_url


def send(to: Destination, count: int = 1) -> None:
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(OtelLLMSpanExporter(to)))
    for number in range(count):
        provider.get_tracer("t").start_span(f"span {number}").end()
    provider.shutdown()


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_spans_arrive_with_the_key(protocol: str, recorder: Recorder) -> None:
    send(destination(endpoint=url_of(recorder, protocol), protocol=protocol, api_key="sk-1", headers={"X-Project-Id": "shop"}))
    assert [span["name"] for span in recorder.spans()] == ["span 0"]
    headers = recorder.requests[0][2]
    assert headers["authorization"] == "Bearer sk-1"
    assert headers["x-project-id"] == "shop"


def test_http_bodies_are_compressed_when_asked_for(recorder: Recorder) -> None:
    send(destination(endpoint=recorder.http_url, compression="gzip"))
    send(destination(endpoint=recorder.http_url, compression="none"))
    assert [headers.get("content-encoding") for _, _, headers in recorder.requests] == ["gzip", None]


def test_grpc_messages_are_compressed_when_asked_for(recorder: Recorder) -> None:
    send(destination(endpoint=recorder.grpc_url, protocol="grpc", compression="gzip"))
    assert len(list(recorder.spans())) == 1


def test_grpc_waits_as_long_as_retry_info_says(recorder: Recorder) -> None:
    delay = RetryInfo(retry_delay=Duration(nanos=300_000_000))

    def overloaded(context: grpc.ServicerContext) -> None:
        context.set_trailing_metadata((("google.rpc.retryinfo-bin", delay.SerializeToString()),))
        context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "full")

    recorder.failures.append(overloaded)
    send(destination(endpoint=recorder.grpc_url, protocol="grpc"))
    assert len(list(recorder.spans())) == 1
    assert 0.28 <= recorder.arrivals[1] - recorder.arrivals[0] <= 0.75  # the exporter's own first wait is 0.8 to 1.2 s


def test_http_waits_as_long_as_retry_after_says(recorder: Recorder) -> None:
    recorder.http_failures += [(503, {"retry-after": "0"}), (429, {"retry-after": "0"})]
    send(destination(endpoint=recorder.http_url))
    assert len(list(recorder.spans())) == 1
    assert recorder.arrivals[2] - recorder.arrivals[0] <= 0.75


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_an_app_that_just_ends_has_delivered(protocol: str, recorder: Recorder) -> None:
    app = run_app(
        """
        import otel_llm
        provider = otel_llm.configure(service_name="app", instrument=False)
        for number in range(3):
            provider.get_tracer("t").start_span("s").end()
        print("ready")
        """,
        OTEL_LLM_ENDPOINT=url_of(recorder, protocol),
        OTEL_LLM_PROTOCOL=protocol,
    )
    assert (app.code, app.log) == (0, "")
    assert len(list(recorder.spans())) == 3
    assert {span["resource"]["service.name"] for span in recorder.spans()} == {"app"}


DEAD = """
    import time, otel_llm
    provider = otel_llm.configure(service_name="app", instrument=False)
    tracer = provider.get_tracer("t")
    started = time.perf_counter()
    for number in range(1500):
        tracer.start_span("s").end()
    print("app went on", round(time.perf_counter() - started, 1))
    time.sleep(0.5)
    print("ready", flush=True)
    """


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("kind", ["refuses", "hangs"])
def test_a_dead_collector_is_logged_once_and_holds_nothing_up(protocol: str, kind: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        if kind == "refuses":
            listener.close()
        app = run_app(DEAD, OTEL_LLM_ENDPOINT=f"http://127.0.0.1:{port}", OTEL_LLM_PROTOCOL=protocol)
    assert app.code == 0
    assert "app went on" in app.output
    assert app.log.count("could not be delivered") == 1, app.log
    assert "Traceback" not in app.log
    assert len(app.log.splitlines()) == 1, app.log
    assert app.seconds < EXIT_S


def test_shutdown_by_hand_is_as_quick_with_a_dead_collector() -> None:
    app = run_app(
        """
        import otel_llm
        provider = otel_llm.configure(service_name="app", instrument=False, endpoint="http://127.0.0.1:9")
        provider.get_tracer("t").start_span("s").end()
        print("ready", flush=True)
        otel_llm.shutdown()
        otel_llm.shutdown()
        print("after")
        """
    )
    assert app.code == 0
    assert "after" in app.output
    assert app.seconds < EXIT_S


FORK = """
    import os, otel_llm
    provider = otel_llm.configure(service_name="app", instrument=False)
    tracer = provider.get_tracer("t")
    def work(name):
        tracer.start_span(name).end()
    work("parent before")
    if {flushed}:
        provider.force_flush()
    print("ready", flush=True)
    child = os.fork()
    work("child" if child == 0 else "parent after")
    if child:
        assert os.waitpid(child, 0)[1] == 0
    """


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("flushed", [True, False], ids=["connected", "not yet connected"])
def test_parent_and_forked_child_both_deliver(protocol: str, flushed: bool, recorder: Recorder) -> None:
    app = run_app(
        FORK.replace("{flushed}", str(flushed)), OTEL_LLM_ENDPOINT=url_of(recorder, protocol), OTEL_LLM_PROTOCOL=protocol
    )
    assert (app.code, app.log) == (0, "")
    assert sorted(span["name"] for span in recorder.spans()) == ["child", "parent after", "parent before"]
    assert app.seconds < EXIT_S


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_multiprocessing_workers_deliver(method: str, protocol: str, recorder: Recorder, tmp_path: Path) -> None:
    source = """
import multiprocessing, sys
import otel_llm
from opentelemetry import trace

def work(number):
    otel_llm.configure(service_name="app", instrument=False)
    trace.get_tracer("t").start_span(f"job {number}").end()

if __name__ == "__main__":
    import logging
    logging.getLogger("otel_llm").setLevel(logging.ERROR)  # a forked worker is configured already, and says so
    otel_llm.configure(service_name="app", instrument=False)
    print("ready", flush=True)
    context = multiprocessing.get_context(sys.argv[1])
    workers = [context.Process(target=work, args=(number,)) for number in range(2)]
    [worker.start() for worker in workers]
    [worker.join() for worker in workers]
    print([worker.exitcode for worker in workers])
"""
    script = tmp_path / "workers.py"
    script.write_text(source)
    app = run_app(
        "",
        arguments=(sys.executable, str(script), method),
        OTEL_LLM_ENDPOINT=url_of(recorder, protocol),
        OTEL_LLM_PROTOCOL=protocol,
    )
    assert "[0, 0]" in app.output, app.log
    assert sorted(span["name"] for span in recorder.spans()) == ["job 0", "job 1"]
    assert app.seconds < EXIT_S + 6  # two interpreters start in it


def test_pre_forked_workers_deliver_and_stop_on_sigterm(recorder: Recorder) -> None:
    """As gunicorn does with a preloaded app: configured in the master, served in workers, ended by SIGTERM."""
    app = run_app(
        """
        import os, signal, sys, time, otel_llm
        provider = otel_llm.configure(service_name="app", instrument=False)
        workers = []
        for number in range(3):
            pid = os.fork()
            if pid == 0:
                signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
                provider.get_tracer("t").start_span(f"worker {number}").end()
                time.sleep(30)
            workers.append(pid)
        time.sleep(0.5)
        print("ready", flush=True)
        for pid in workers:
            os.kill(pid, signal.SIGTERM)
        print([os.waitpid(pid, 0)[1] for pid in workers])
        """,
        OTEL_LLM_ENDPOINT=recorder.http_url,
    )
    assert app.code == 0
    assert "[0, 0, 0]" in app.output, app.log
    assert sorted(span["name"] for span in recorder.spans()) == ["worker 0", "worker 1", "worker 2"]
    assert app.seconds < EXIT_S


def test_an_asyncio_app_delivers_without_blocking_its_loop(recorder: Recorder) -> None:
    app = run_app(
        """
        import asyncio, time, otel_llm
        otel_llm.configure(service_name="app", instrument=False)

        async def job(number):
            async with otel_llm.context(user=f"u{number}"), otel_llm.llm_call(model="m", provider="p"):
                await asyncio.sleep(0.01)

        async def main():
            longest = 0.0
            async def watch():
                nonlocal longest
                while True:
                    started = time.perf_counter()
                    await asyncio.sleep(0)
                    longest = max(longest, time.perf_counter() - started)
            watcher = asyncio.create_task(watch())
            await asyncio.gather(*(job(number) for number in range(200)))
            watcher.cancel()
            print("longest", longest < 0.5, longest)

        asyncio.run(main())
        print("ready", flush=True)
        """,
        OTEL_LLM_ENDPOINT=recorder.http_url,
    )
    assert app.code == 0, app.log
    assert "longest True" in app.output, app.output
    spans = list(recorder.spans())
    assert sorted(span["attributes"]["user.id"] for span in spans) == sorted(f"u{number}" for number in range(200))


def test_a_slow_collector_does_not_slow_the_app(recorder: Recorder) -> None:
    recorder.failures.append(lambda _: time.sleep(2))
    provider = TracerProvider(shutdown_on_exit=False)
    exporter = OtelLLMSpanExporter(destination(endpoint=recorder.grpc_url, protocol="grpc"))
    provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=50))
    tracer = provider.get_tracer("t")
    started = time.perf_counter()
    for _ in range(600):
        tracer.start_span("s").end()
    assert time.perf_counter() - started < 1.0
    provider.shutdown()
    assert len(list(recorder.spans())) == 600


def test_wrong_environment_is_said_once_and_the_app_goes_on() -> None:
    app = run_app(
        """
        from otel_llm.sdk.exporters import OtelLLMSpanExporter
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import SimpleSpanProcessor
        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(OtelLLMSpanExporter()))
        provider.get_tracer("t").start_span("s").end()
        print("ready")
        """,
        OTEL_LLM_ENDPOINT="http://localhost:4318",
        OTEL_LLM_DATABASE_URL="duckdb:///x.duckdb",
    )
    assert app.code == 0
    assert app.log.count("two destinations") == 1
    assert len(app.log.splitlines()) == 1


def test_importing_the_package_is_light() -> None:
    app = run_app(
        """
        import sys, otel_llm
        heavy = {"duckdb", "flask", "grpc", "sqlalchemy", "opentelemetry", "pydantic", "requests", "uvicorn", "openai"}
        print(sorted(heavy & sys.modules.keys()))
        otel_llm.configure
        print(sorted((heavy - {"opentelemetry"}) & sys.modules.keys()))
        print("ready")
        """
    )
    assert app.output.splitlines()[:2] == ["[]", "[]"]
