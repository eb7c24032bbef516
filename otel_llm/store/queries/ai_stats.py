"""Calls and policy findings at full grain: time, repository, endpoint, key, model, host, user and conversation
(Flashback's statistics)."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from otel_llm.store.queries import ai_stats_dimensions as dimensions
from otel_llm.store.queries.ai_stats_dimensions import Grain
from otel_llm.store.queries.attribution import Attributed, attribute
from otel_llm.store.queries.call import SPAN, Column
from otel_llm.store.queries.calls import Calls, storable
from otel_llm.store.queries.metrics import TOTALS, aggregates
from otel_llm.store.queries.reading import Reader
from otel_llm.store.queries.window import Window

Filters = Mapping[str, Collection[str]]
"""Dimension (a field of :class:`Grain`) to the values that pass; all dimensions must pass."""


@dataclass(slots=True)
class AiStats:
    """What happened at one grain. ``*_tokens`` are the models', ``guard_*`` those of guardrails' model calls beside them."""

    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    duration_ns: int = 0
    guard_input_tokens: int = 0
    guard_output_tokens: int = 0
    findings: list[tuple[str, str]] = field(default_factory=list)
    """(action, severity) of each policy finding, in lower case."""

    def count(self, kind: int, value: str) -> int:
        """How many findings have the action (kind 0) or severity (kind 1)."""
        return sum(finding[kind] == value for finding in self.findings)


class Row(NamedTuple):
    """One row of the answer; ``bucket`` in epoch seconds."""

    bucket: int
    grain: Grain
    stats: AiStats


def ai_stats(reader: Reader, project: str, window: Window, filters: Filters, unit: str) -> list[Row]:
    """One row for each bucket and grain that has calls or findings, ascending."""
    functions = reader.functions
    calls = Calls(functions, project, window, inherit=("user_id", "session_id"))
    expressions = dimensions.expressions(project, calls.user_id, calls.session_id)
    keys = [
        functions.bucket(SPAN.start_ns, unit).label("bucket_start"),
        *(expressions[name].label(f"by_{name}") for name in Grain._fields),
    ]
    statement = calls.grouped(keys, *aggregates(functions, TOTALS)).where(*_conditions(expressions, filters))
    rows: dict[tuple[int, Grain], AiStats] = {}
    width = len(keys)
    for row in reader.rows(statement):
        rows[int(row[0]), Grain(*row[1:width])] = AiStats(
            int(row.call_count), int(row.input_sum or 0), int(row.output_sum or 0), int(row.duration_ns_sum or 0)
        )
    for item in attribute(reader, project, window, unit):
        if item.time_ns in window and _passes(item.grain, filters):
            _add(rows, item)
    found = [Row(bucket, grain, stats) for (bucket, grain), stats in rows.items() if stats.calls or stats.findings]
    return sorted(found, key=lambda row: (row.bucket, row.grain))


def _conditions(expressions: Mapping[str, Column], filters: Filters) -> list[Column]:
    return [expressions[name].in_(sorted(value for value in values if storable(value))) for name, values in filters.items()]


def _passes(grain: Grain, filters: Filters) -> bool:
    return all(getattr(grain, name) in values for name, values in filters.items())


def _add(rows: dict[tuple[int, Grain], AiStats], item: Attributed) -> None:
    stats = rows.setdefault((item.bucket, item.grain), AiStats())
    stats.calls += item.calls
    stats.input_tokens += item.input_tokens
    stats.output_tokens += item.output_tokens
    stats.duration_ns += item.duration_ns
    stats.guard_input_tokens += item.guard_input_tokens
    stats.guard_output_tokens += item.guard_output_tokens
    if item.finding is not None:
        stats.findings.append(item.finding)
