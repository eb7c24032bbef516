"""The real way of a request, from its bytes to rows in a DuckDB store in memory, and what must hold of any request."""

import itertools
import time
from collections import Counter
from types import SimpleNamespace
from typing import Any, NamedTuple

import sqlalchemy as sa
from google.protobuf.message import DecodeError, Message

from otel_llm.access.caller import Caller
from otel_llm.accounting import Accounting
from otel_llm.budget import Budget
from otel_llm.config import Settings
from otel_llm.conventions.content import ContentPolicy
from otel_llm.conventions.explain import explain, text
from otel_llm.errors import InvalidPayload, PayloadTooLarge
from otel_llm.otlp.decode import Encoding
from otel_llm.otlp.signals import SIGNALS, SignalName
from otel_llm.pipeline import Pipeline
from otel_llm.precedence import Precedence
from otel_llm.pricing import Pricer
from otel_llm.spans import CALL_ROLES, FIELD_NAMES
from otel_llm.store import schema
from otel_llm.store.open import open_engine
from otel_llm.store.writer import Writer
from receiver.ingest import Ingest

Row = dict[str, Any]

HOUR_NS = 3_600 * 10**9
SLACK_NS = 1_000_000
"""A time to first token may be so much longer than its span: the two clocks were read apart."""

PARTS = (
    ("cache_read_tokens", "input_tokens"),
    ("cache_write_tokens", "input_tokens"),
    ("cache_write_1h_tokens", "cache_write_tokens"),
    ("reasoning_tokens", "output_tokens"),
)
"""No part exceeds its whole, where both are known."""
NOT_NEGATIVE = (
    *("input_tokens", "output_tokens", "total_tokens", "cache_read_tokens", "cache_write_tokens", "cache_write_1h_tokens"),
    *("reasoning_tokens", "cost_reported", "cost_computed", "ttft_ns"),
)


class Taken(NamedTuple):
    """What became of a request: its tally, and the response it was answered with; None when it was refused as a whole."""

    tally: dict[str, Any]
    response: Message


class IngestPath:
    """Everything between the ports and the store, without the ports."""

    def __init__(self) -> None:
        self.settings = Settings(database_url="duckdb://", commit_interval_ms=0)
        self.engine = open_engine(self.settings.database_url, self.settings)
        self.pricer = Pricer()
        self.pricer.load()
        self.writer = Writer(self.engine, self.pricer.price, max_spans=10_000, margin_ns=3_600 * 10**9)
        self.writer.start()
        self._projects = itertools.count()

    def close(self) -> None:
        self.writer.stop()
        self.engine.close()

    def project(self) -> str:
        """A project with nothing in it."""
        return f"p{next(self._projects)}"

    def take(self, signal: SignalName, body: bytes, encoding: Encoding, project: str, *, capture: bool = False) -> Taken | None:
        """Sends one request through; its accounting alone is in the result."""
        accounting = Accounting()
        content = ContentPolicy(capture=capture)
        backend = SimpleNamespace(
            settings=self.settings,
            accounting=accounting,
            budget=Budget(self.settings.ingest_budget_bytes),
            door=None,
            pipeline=Pipeline(self.writer, self.pricer, accounting, content),
            precedence=Precedence(),
        )
        ingest = Ingest(backend)  # type: ignore[arg-type] # the door is not asked
        hold = backend.budget.hold()
        hold.grow(len(body))
        try:
            response = ingest.submit(signal, body, encoding, "", Caller(project, None, frozenset({"ingest"})), hold).result(60)
        except (InvalidPayload, PayloadTooLarge):
            assert not any(tally["received"] for tally in self._tallies(accounting)), "refused as a whole, yet counted"
            return None
        finally:
            ingest.close()
        return Taken(accounting.snapshot()[SIGNALS[signal].counted_as], response)

    @staticmethod
    def _tallies(accounting: Accounting) -> list[dict[str, Any]]:
        snapshot = accounting.snapshot()
        return [snapshot[signal.counted_as] for signal in SIGNALS.values()]

    def rows(self, project: str) -> list[Row]:
        """Every stored span of a project."""
        query = sa.select(*(schema.spans.c[name] for name in FIELD_NAMES)).where(schema.spans.c.project == project)
        with self.engine.sql.connect() as connection:
            return [dict(row) for row in connection.execute(query).mappings()]

    def finding_times(self, project: str) -> list[int]:
        """When the policy findings of a project were made."""
        with self.engine.sql.connect() as connection:
            return list(connection.scalars(sa.select(schema.findings.c.time_ns).where(schema.findings.c.project == project)))

    def point_times(self, project: str) -> list[int]:
        """Of when the stored metric points of a project are."""
        points = schema.metric_points.c
        with self.engine.sql.connect() as connection:
            return list(connection.scalars(sa.select(points.time_ns).where(points.project == project)))


def items(signal: SignalName, body: bytes) -> int | None:
    """How many spans, log records or data points a body holds; None when it is not protobuf as it stands."""
    try:
        message: Any = SIGNALS[signal].request.FromString(body)
    except DecodeError:
        return None
    if signal == "traces":
        return sum(len(scope.spans) for resource in message.resource_spans for scope in resource.scope_spans)
    if signal == "logs":
        return sum(len(scope.log_records) for resource in message.resource_logs for scope in resource.scope_logs)
    metrics = [metric for resource in message.resource_metrics for scope in resource.scope_metrics for metric in scope.metrics]
    return sum(len(getattr(metric, kind).data_points) for metric in metrics if (kind := metric.WhichOneof("data")))


def check_request(path: IngestPath, signal: SignalName, body: bytes, encoding: Encoding, *, capture: bool = False) -> None:
    """Sends a request into an empty project, and once more; checks every number and every row."""
    project = path.project()
    taken = path.take(signal, body, encoding, project, capture=capture)
    if taken is None:
        return
    _check_tally(taken, signal, items(signal, body) if encoding == "protobuf" else None)
    rows = path.rows(project)
    check_rows(rows)
    if signal == "traces":
        assert len(rows) == taken.tally["stored"]
    elif signal == "metrics":
        assert len(path.point_times(project)) == taken.tally["stored"]
    again = path.take(signal, body, encoding, project, capture=capture)
    assert again is not None
    assert again.tally["received"] == taken.tally["received"]
    assert (again.tally["ignored"], again.tally["rejected"]) == (taken.tally["ignored"], taken.tally["rejected"])
    # without any time an item takes that of its arrival, so that it is another one each time
    times = [row["end_ns"] for row in rows] + path.finding_times(project) + path.point_times(project)
    if all(abs(time_ns - time.time_ns()) > HOUR_NS for time_ns in times):
        assert again.tally["stored"] == 0, "sent twice, stored twice"
        _check_equal(path.rows(project), rows)


def _check_tally(taken: Taken, signal: SignalName, received: int | None) -> None:
    tally = taken.tally
    ignored, rejected = Counter(tally["ignored"]), Counter(tally["rejected"])
    assert tally["received"] == tally["stored"] + tally["duplicate"] + ignored.total() + rejected.total()
    assert min([tally["stored"], tally["duplicate"], *ignored.values(), *rejected.values()]) >= 0
    if received is not None:
        assert tally["received"] == received
    partial = taken.response.partial_success
    assert getattr(partial, SIGNALS[signal].rejected_field) == rejected.total()
    assert bool(partial.error_message) or not rejected


def check_rows(rows: list[Row]) -> None:
    """What holds of stored spans, whatever was sent."""
    keys = [(row["project"], row["trace_id"], row["span_id"]) for row in rows]
    assert len(set(keys)) == len(keys), "a span is stored twice"
    counted = {row["span_id"] for row in rows if row["counted"]}
    for row in rows:
        assert row["start_ns"] <= row["end_ns"]
        for name in NOT_NEGATIVE:
            assert row[name] is None or row[name] >= 0, name
        for part, whole in PARTS:
            assert row[part] is None or row[whole] is None or row[part] <= row[whole], _told(row, part, whole, "filled")
        cached = (row["cache_read_tokens"] or 0) + (row["cache_write_tokens"] or 0)
        assert row["input_tokens"] is None or cached <= row["input_tokens"], "cached parts together exceed the input"
        assert row["ttft_ns"] is None or row["ttft_ns"] <= row["end_ns"] - row["start_ns"] + SLACK_NS, _told(
            row, "ttft_ns", "filled"
        )
        assert (row["counted"] is None) == (row["role"] not in CALL_ROLES)
        if row["counted"] is False:
            assert row["reason"]
            assert row["suppressed_by"] in counted, "a record that is not counted names the one that is"
        explained = explain(row)
        assert explained["now"] == {}, f"what is stored reads differently: {explained['now']}\n{_told(row, 'filled')}"
        assert text(explained)


def _told(row: Row, *names: str) -> str:
    return str(
        {name: row[name] for name in (*names, "dialect", "scope_name", "name", "attributes", "resource_attributes", "events")}
    )


def _check_equal(rows: list[Row], before: list[Row]) -> None:
    """The same spans with the same values, whenever they arrived."""
    found, expected = ({(row["trace_id"], row["span_id"]): row for row in some} for some in (rows, before))
    assert found.keys() == expected.keys()
    for key, row in found.items():
        changed = {name: (expected[key][name], row[name]) for name in row if row[name] != expected[key][name]}
        assert changed.keys() <= {"ingested_ns"}, f"the second arrival changed {changed}"
