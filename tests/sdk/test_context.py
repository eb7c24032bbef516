"""The values of a block reach every span inside it, and no other."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import otel_llm


def users(spans: InMemorySpanExporter) -> dict[str, object]:
    return {span.name: span.attributes.get("user.id") for span in spans.get_finished_spans()}


def work(provider: TracerProvider, name: str) -> None:
    provider.get_tracer("t").start_span(name).end()


def test_every_value_has_its_attribute(sdk_provider: TracerProvider, sdk_spans: InMemorySpanExporter) -> None:
    with otel_llm.context(
        user="u1",
        session="s1",
        tags=["beta", "eu"],
        trace_name="checkout",
        metadata={"plan": "pro", "seats": 3, "none": None, "odd": [1, 2]},
        user_name="Ann",
        user_tags=["vip"],
        request_tags={"team": "a"},
        environment="staging",
    ):
        work(sdk_provider, "inside")
    (span,) = sdk_spans.get_finished_spans()
    assert span.attributes == {
        "user.id": "u1",
        "user.name": "Ann",
        "user.tags": ("vip",),
        "session.id": "s1",
        "langfuse.trace.name": "checkout",
        "langfuse.environment": "staging",
        "metadata.plan": "pro",
        "metadata.seats": 3,
        "metadata.odd": "[1, 2]",
        "langdb.tag.team": "a",
        "tag.tags": ("beta", "eu"),
    }


def test_only_spans_inside_carry_them(sdk_provider: TracerProvider, sdk_spans: InMemorySpanExporter) -> None:
    work(sdk_provider, "before")
    with otel_llm.context(user="u1"):
        work(sdk_provider, "inside")
    work(sdk_provider, "after")
    assert users(sdk_spans) == {"before": None, "inside": "u1", "after": None}


def test_blocks_nest_and_tags_add_up(sdk_provider: TracerProvider, sdk_spans: InMemorySpanExporter) -> None:
    with otel_llm.context(user="u1", tags=["a"], session="s1"):
        with otel_llm.context(user="u2", tags=["b", "a"]):
            work(sdk_provider, "inner")
        work(sdk_provider, "outer")
    inner, outer = (span.attributes for span in sdk_spans.get_finished_spans())
    assert (inner["user.id"], inner["session.id"], inner["tag.tags"]) == ("u2", "s1", ("a", "b"))
    assert (outer["user.id"], outer["tag.tags"]) == ("u1", ("a",))


def test_what_a_span_says_itself_stays(sdk_provider: TracerProvider, sdk_spans: InMemorySpanExporter) -> None:
    with otel_llm.context(user="block"):
        sdk_provider.get_tracer("t").start_span("own", attributes={"user.id": "span"}).end()
    assert users(sdk_spans) == {"own": "span"}


def test_the_app_s_exception_passes_and_the_block_ends(sdk_provider: TracerProvider, sdk_spans: InMemorySpanExporter) -> None:
    with pytest.raises(KeyError), otel_llm.context(user="u1"):
        raise KeyError("app")
    work(sdk_provider, "after")
    assert users(sdk_spans) == {"after": None}


def test_concurrent_tasks_do_not_mix(sdk_provider: TracerProvider, sdk_spans: InMemorySpanExporter) -> None:
    async def job(number: int) -> None:
        async with otel_llm.context(user=f"u{number}"):
            await asyncio.sleep(0.001 * (number % 3))
            await asyncio.gather(*(asyncio.to_thread(work, sdk_provider, f"job {number} part {part}") for part in range(2)))

    async def main() -> None:
        await asyncio.gather(*(job(number) for number in range(20)))

    asyncio.run(main())
    assert users(sdk_spans) == {f"job {number} part {part}": f"u{number}" for number in range(20) for part in range(2)}


def test_decorated_functions_are_blocks(sdk_provider: TracerProvider, sdk_spans: InMemorySpanExporter) -> None:
    @otel_llm.context(user="plain")
    def plain() -> str:
        """What it does."""
        work(sdk_provider, "plain")
        return "result"

    @otel_llm.context(user="async")
    async def later() -> str:
        await asyncio.sleep(0)
        work(sdk_provider, "later")
        return "result"

    async def twice() -> list[str]:
        return list(await asyncio.gather(later(), later()))

    assert plain() == "result"
    assert plain.__doc__ == "What it does."
    assert asyncio.run(twice()) == ["result", "result"]
    assert users(sdk_spans) == {"plain": "plain", "later": "async"}


def test_a_generator_cannot_be_decorated() -> None:
    with pytest.raises(TypeError, match="inside the generator"):

        @otel_llm.context(user="u")
        def generator() -> object:
            yield 1


def test_jobs_of_a_thread_pool_belong_to_the_block_that_submitted_them(
    sdk_provider: TracerProvider, sdk_spans: InMemorySpanExporter
) -> None:
    release = threading.Event()

    def late() -> None:
        release.wait(5)
        work(sdk_provider, "late job of u1")

    with ThreadPoolExecutor(1) as pool:
        with otel_llm.context(user="u1"):
            pool.submit(work, sdk_provider, "job of u1").result()
            job = pool.submit(late)
        release.set()
        job.result()
        with otel_llm.context(user="u2"):
            list(pool.map(lambda name: work(sdk_provider, name), ["job of u2"]))
        pool.submit(work, sdk_provider, "job of nobody").result()
    assert users(sdk_spans) == {"job of u1": "u1", "late job of u1": "u1", "job of u2": "u2", "job of nobody": None}


def test_a_thread_belongs_to_the_block_only_while_it_lasts(
    sdk_provider: TracerProvider, sdk_spans: InMemorySpanExporter
) -> None:
    first, block_is_over, second = threading.Event(), threading.Event(), threading.Event()

    def worker() -> None:
        work(sdk_provider, "while it lasts")
        first.set()
        block_is_over.wait(5)
        work(sdk_provider, "kept for others")
        second.set()

    with otel_llm.context(user="u1"):
        thread = threading.Thread(target=worker)
        thread.start()
        assert first.wait(5)
    block_is_over.set()
    thread.join()
    assert users(sdk_spans) == {"while it lasts": "u1", "kept for others": None}


def test_subclassed_threads_and_their_errors_are_untouched(
    sdk_provider: TracerProvider, sdk_spans: InMemorySpanExporter
) -> None:
    class Worker(threading.Thread):
        result = 0

        def run(self) -> None:
            work(sdk_provider, "subclass")
            self.result = 42

    with otel_llm.context(user="u1"):
        worker = Worker()
        worker.start()
        with pytest.raises(RuntimeError, match="threads can only be started once"):
            worker.start()
        worker.join()
    assert worker.result == 42
    assert users(sdk_spans) == {"subclass": "u1"}
