"""Where the processor time of ingest goes: microseconds a span of each stage, in one thread, without a network.

    python -m benchmarks.stages [--spans 163840] [--spans-a-commit 4096]

The stages are those of the running server, on the same code: decode, extract, price, decide (exactly once, counted once), the
journal, Arrow arrays, DuckDB's insert and commit. What a thread of its own settles in the server is settled here between two
commits. Time is processor time, so that neighbours on the machine count less.
"""

import argparse
import gc
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from benchmarks.load import SECOND, Template
from benchmarks.server import machine

START = 1_767_225_600 * SECOND


class Stopwatch:
    """Adds up the processor time of wrapped calls, without that of wrapped calls inside them."""

    def __init__(self) -> None:
        self.spent: Counter[str] = Counter()
        self._inner = [0.0]

    def wrap(self, owner: Any, name: str, stage: str) -> None:
        """Replaces a function of a module or class by one that is timed."""
        setattr(owner, name, self.timed(getattr(owner, name), stage))

    def timed(self, function: Callable[..., Any], stage: str) -> Callable[..., Any]:
        """The function, timed."""

        def call(*args: Any, **kwargs: Any) -> Any:
            self._inner.append(0.0)
            started = time.process_time()
            try:
                return function(*args, **kwargs)
            finally:
                took = time.process_time() - started
                self.spent[stage] += took - self._inner.pop()  # type: ignore[assignment] # seconds
                self._inner[-1] += took

        return call


class TimedConnection:
    """A DuckDB connection whose statements are timed by their first word."""

    def __init__(self, connection: Any, watch: Stopwatch) -> None:
        self._connection = connection
        self._watch = watch

    def execute(self, statement: str, *parameters: Any) -> Any:
        """Runs a statement."""
        stage = "DuckDB commit" if statement == "COMMIT" else "DuckDB insert and questions"
        return self._watch.timed(self._connection.execute, stage)(statement, *parameters)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


def main() -> None:
    """Runs the benchmark and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--spans", type=int, default=163_840)
    parser.add_argument("--spans-a-commit", type=int, default=4096)
    args = parser.parse_args()
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    from otel_llm.conventions.content import ContentPolicy
    from otel_llm.conventions.extract import extract_spans
    from otel_llm.conventions.wire import TraceRequest
    from otel_llm.otlp.decode import decode_reporting
    from otel_llm.pricing import Pricer
    from otel_llm.store.engines import duckdb as engine_module
    from otel_llm.store.engines.duckdb import DuckDBEngine
    from otel_llm.store.writer import Work, Writer

    template = Template.make(512)
    bodies = [template.fill(START + at * 1_000_000, 1_000_000) for at in range(0, args.spans, 512)]
    started = time.process_time()
    for body in bodies:
        ExportTraceServiceRequest.FromString(body)
    floor = (time.process_time() - started) / args.spans * 1e6
    pricer, policy, watch = Pricer(), ContentPolicy(redact=True), Stopwatch()
    pricer.load()
    decode, extract, price = (
        watch.timed(decode_reporting, "decode"),
        watch.timed(extract_spans, "extract"),
        watch.timed(pricer.price, "price"),
    )
    watch.wrap(engine_module.Arrays, "batch", "Arrow arrays")
    watch.wrap(engine_module._Tables, "_insert_spans", "Arrow arrays")
    watch.wrap(engine_module.RecentSpans, "wrote", "memory of recent spans")
    watch.wrap(engine_module.RecentSpans, "look", "memory of recent spans")
    watch.wrap(engine_module.Journal, "draft", "journal")
    watch.wrap(engine_module.Journal, "append", "journal")
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    with tempfile.TemporaryDirectory() as folder:
        engine = DuckDBEngine(f"{folder}/stages.duckdb")
        engine.open()
        raw = engine._writer
        engine._writer = TimedConnection(raw, watch)  # type: ignore[assignment]
        engine._inlets = engine._inlets_of(engine._writer)
        engine._settler.wake = lambda: None  # type: ignore[method-assign]
        settle = watch.timed(engine._settle_group, "join what is settled")
        writer = Writer(engine, pricer.price, max_spans=args.spans_a_commit, margin_ns=3_600 * SECOND)
        write = watch.timed(writer._write, "decide, join batches, answer")
        waiting: list[Work] = []
        for body in bodies:
            message = decode("traces", body, "protobuf", TraceRequest).message
            extraction = extract(message, project="default", key_id=None, now_ns=START, content=policy)
            price(extraction.batch)
            waiting.append(Work(extraction.batch))
            if len(waiting) * 512 >= args.spans_a_commit:
                write(waiting)
                waiting = []
                settle()
        if waiting:
            write(waiting)
        engine._writer = raw
        engine.close()
    print(f"# {machine()}\n# python -m benchmarks.stages --spans {args.spans} --spans-a-commit {args.spans_a_commit}\n")
    print("| stage | us a span |\n|---|---|")
    print(f"| floor: protobuf parse alone, generated classes | {floor:.2f} |")
    for stage, seconds in watch.spent.most_common():
        print(f"| {stage} | {seconds / args.spans * 1e6:.2f} |")
    print(f"| all stages | {watch.spent.total() / args.spans * 1e6:.2f} |")


if __name__ == "__main__":
    main()
