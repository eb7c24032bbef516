"""Calls and policy findings at full grain: time, repository, endpoint, key, model, host, user and conversation
(Flashback's statistics)."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from otel_llm.store.queries import ai_stats_dimensions as dimensions
from otel_llm.store.queries.ai_stats_dimensions import Grain
from otel_llm.store.queries.attribution import Attributed, attribute
from otel_llm.store.queries.call import SPAN, Column
from otel_llm.store.queries.calls import Inheritable, asked_calls, one_of, population
from otel_llm.store.queries.metrics import aggregates, positions, together
from otel_llm.store.queries.reading import AnySelect, Reader
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
_OPTIONAL = ("repo_id", "service_namespace", "ai_llm_id", "api_key_id", "key_id")
"""Columns that are rarely used: where a window has no value, grouping by them is saved."""
_INHERITED: tuple[Inheritable, ...] = ("user_id", "session_id")


def ai_stats(reader: Reader, project: str, window: Window, filters: Filters, unit: str) -> list[Row]:
    """One row for each bucket and grain that has calls or findings, ascending."""
    rows = [_row(found) for found in reader.rows(_statement(reader, project, window, filters, unit))]
    corrections = [item for item in attribute(reader, project, window, unit) if item.time_ns in window]
    rows = _corrected(rows, [item for item in corrections if _passes(item.grain, filters)])
    # The database has sorted already, perhaps by a language's alphabet; what it got right costs nothing here.
    return sorted(rows, key=lambda row: row[:_PLACE])


def _statement(reader: Reader, project: str, window: Window, filters: Filters, unit: str) -> AnySelect:
    """Groups by the columns as they are stored, then those few groups by what is made of them: making a dimension out of
    several columns for each call costs more than counting it."""
    functions = reader.functions
    any_of = {name: filters[name] for name in _INHERITED if name in filters}
    calls = asked_calls(reader, project, window, inherit=_INHERITED, any_of=any_of)
    absent = _absent(reader, project, window)
    stored = [name for name in dimensions.STORED if name not in absent]
    by: list[Column] = [
        functions.bucket(SPAN.start_ns, unit),
        *(SPAN[name] for name in stored),
        calls.user_id,
        calls.session_id,
    ]
    keys = [column.label(f"key_{place}") for place, column in enumerate(by)]
    own = dimensions.expressions(project, calls.user_id, calls.session_id)
    few = (
        calls.grouped(keys, sa.func.count().label("call_count"), *aggregates(functions, _SUMS))
        .where(*(one_of(own[name], values) for name, values in filters.items() if name not in any_of))
        .subquery("few")
        .c
    )
    named = dict(zip(("bucket_start", *stored, *_INHERITED), (few[key.name] for key in keys), strict=True))
    columns = {name: named.get(name, sa.type_coerce(sa.null(), SPAN[name].type)) for name in dimensions.STORED}
    expressions = dimensions.expressions(project, named["user_id"], named["session_id"], columns)
    # Sums as text: 128-bit integers reach Python four times slower, and answers here may have very many rows.
    sums = [sa.cast(sum_, sa.Text()).label(f"{sum_.name}_text") for sum_ in together(functions, few, _SUMS)]
    places = positions(_PLACE)
    return (
        sa.select(
            named["bucket_start"].label("bucket_start"),
            *(expressions[name].label(f"by_{name}") for name in Grain._fields),
            functions.exact_sum(few.call_count),
            *sums,
        )
        .group_by(*places)
        .order_by(*places)
    )


def _absent(reader: Reader, project: str, window: Window) -> frozenset[str]:
    """The optional columns that no call of the window has a value for, where that is known without reading them."""
    if not reader.capabilities.columnar:
        return frozenset()
    calls: AnySelect = sa.select(SPAN.start_ns).where(*population(SPAN, project, window, "start"))
    return frozenset(name for name in _OPTIONAL if not reader.any(calls.where(SPAN[name].is_not(None))))


def _row(found: Sequence[Any]) -> Row:
    *place, calls, input_tokens, output_tokens, duration_ns = found
    return Row._make((*place, int(calls), int(input_tokens or 0), int(output_tokens or 0), int(duration_ns or 0), 0, 0, ()))


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


def _passes(grain: Grain, filters: Filters) -> bool:
    return all(getattr(grain, name) in values for name, values in filters.items())
