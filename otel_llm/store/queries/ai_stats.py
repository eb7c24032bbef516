"""Calls and policy findings at full grain: time, repository, endpoint, key, model, host, user and conversation
(Flashback's statistics)."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from otel_llm.store.queries import ai_stats_dimensions as dimensions
from otel_llm.store.queries.ai_stats_dimensions import Grain
from otel_llm.store.queries.attribution import Attributed, attribute
from otel_llm.store.queries.call import SPAN, Column
from otel_llm.store.queries.calls import Calls, storable
from otel_llm.store.queries.metrics import aggregates
from otel_llm.store.queries.reading import Reader
from otel_llm.store.queries.window import Window

Filters = Mapping[str, Collection[str]]
"""Dimension (a field of :class:`Grain`) to the values that pass; all dimensions must pass."""


class Row(NamedTuple):
    """One row: ``bucket`` in epoch seconds, the fields of :class:`Grain`, and what happened there.

    ``input_tokens`` and ``output_tokens`` are the models', ``guard_*`` those of guardrails' model calls beside them;
    ``findings`` are (action, severity) of each policy finding, in lower case.
    """

    bucket: int
    repo_id: str
    ai_llm_id: str
    api_key_id: str
    llm_type: str
    llm_model: str
    host: str
    user_id: str
    session_id: str
    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    duration_ns: int = 0
    guard_input_tokens: int = 0
    guard_output_tokens: int = 0
    findings: tuple[tuple[str, str], ...] = ()


_PLACE = 1 + len(Grain._fields)
"""How many fields of a row say where it is."""
_SUMS = ("input_sum", "output_sum", "duration_ns_sum")


def ai_stats(reader: Reader, project: str, window: Window, filters: Filters, unit: str) -> list[Row]:
    """One row for each bucket and grain that has calls or findings, ascending."""
    functions = reader.functions
    calls = Calls(functions, project, window, inherit=("user_id", "session_id"))
    expressions = dimensions.expressions(project, calls.user_id, calls.session_id)
    keys = [
        functions.bucket(SPAN.start_ns, unit).label("bucket_start"),
        *(expressions[name].label(f"by_{name}") for name in Grain._fields),
    ]
    # Sums as text: 128-bit integers reach Python four times slower, and answers here may have very many rows.
    sums = [sa.cast(sum_, sa.Text()).label(f"{sum_.name}_text") for sum_ in aggregates(functions, _SUMS)]
    statement = calls.grouped(keys, sa.func.count(), *sums).where(*_conditions(expressions, filters))
    statement = statement.order_by(*(sa.literal_column(str(place)) for place in range(1, _PLACE + 1)))
    rows = [_row(found) for found in reader.rows(statement)]
    corrections = [item for item in attribute(reader, project, window, unit) if item.time_ns in window]
    rows = _corrected(rows, [item for item in corrections if _passes(item.grain, filters)])
    # The database has sorted already, perhaps by a language's alphabet; what it got right costs nothing here.
    return sorted(rows, key=lambda row: row[:_PLACE])


def _row(found: Sequence[Any]) -> Row:
    *place, calls, input_tokens, output_tokens, duration_ns = found
    return Row._make((*place, calls, int(input_tokens or 0), int(output_tokens or 0), int(duration_ns or 0), 0, 0, ()))


def _corrected(rows: list[Row], corrections: Sequence[Attributed]) -> list[Row]:
    """The rows with the corrections added; a row without calls and findings disappears."""
    if not corrections:
        return rows
    by_place: dict[tuple[Any, ...], Row] = {row[:_PLACE]: row for row in rows}
    for item in corrections:
        place = (item.bucket, *item.grain)
        row = by_place.get(place) or Row(*place)
        by_place[place] = row._replace(
            calls=row.calls + item.calls,
            input_tokens=row.input_tokens + item.input_tokens,
            output_tokens=row.output_tokens + item.output_tokens,
            duration_ns=row.duration_ns + item.duration_ns,
            guard_input_tokens=row.guard_input_tokens + item.guard_input_tokens,
            guard_output_tokens=row.guard_output_tokens + item.guard_output_tokens,
            findings=row.findings if item.finding is None else (*row.findings, item.finding),
        )
    return [row for row in by_place.values() if row.calls or row.findings]


def _conditions(expressions: Mapping[str, Column], filters: Filters) -> list[Column]:
    return [expressions[name].in_(sorted(value for value in values if storable(value))) for name, values in filters.items()]


def _passes(grain: Grain, filters: Filters) -> bool:
    return all(getattr(grain, name) in values for name, values in filters.items())
