"""Which calls a question is about: project, time window and filters, with the values calls inherit from their trace.

The trace side is joined only where a filter or a dimension needs it, and only for traces that can matter: those that
hold the value a filter asks for, or those with a call that lacks a value of its own.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import sqlalchemy as sa

from otel_llm.store import schema
from otel_llm.store.engines.base import Functions
from otel_llm.store.queries import agent_spans, call, trace_values
from otel_llm.store.queries.call import SPAN, Column, Columns
from otel_llm.store.queries.reading import AnySelect, Reader
from otel_llm.store.queries.window import Window, within

Inheritable = Literal["user_id", "session_id", "trace_name", "agent_name"]
Placed = Literal["start", "end"]
"""By which of its times a call lies in a window."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallFilter:
    """Conditions that all must hold; None and () ask for nothing."""

    user_id: str | None = None
    user_name: str | None = None
    user_tags: Sequence[str] = ()
    """Any of."""
    session_id: str | None = None
    provider: str | None = None
    model: str | None = None
    agent: str | None = None
    """As AgentLens matches agents (:func:`otel_llm.store.queries.call.agent_is`)."""
    roles: Collection[str] = ()


class Calls:
    """The counted calls of a project in a window. ``select`` gives a statement over them."""

    def __init__(
        self,
        functions: Functions,
        project: str,
        window: Window,
        filters: CallFilter | None = None,
        *,
        by: Placed = "start",
        inherit: Collection[Inheritable] = (),
        any_of: Mapping[Inheritable, Collection[str]] | None = None,
        complete: Collection[Inheritable] = (),
        narrow: bool = True,
    ) -> None:
        """``inherit`` names the values that the properties will be asked for, ``any_of`` those that must be one of some
        texts. ``complete`` ones are set on every call itself, so that they are never inherited (:func:`asked_calls`);
        ``narrow`` False says that the window holds most of the store's traces, so that naming them saves nothing."""
        self._functions = functions
        self._project = project
        self._window = window
        self._by = by
        filters = filters or CallFilter()
        self._conditions: list[Column] = [*population(SPAN, project, window, by), *_own_conditions(filters)]
        wanted = _wanted(filters) | dict(any_of or {})
        profile = _asks_profile(filters)
        self._names: set[Inheritable] = {*inherit, *wanted}
        if profile:
            self._names.add("user_id")
        self._inherited = self._names - set(complete)
        candidates = self._candidates(filters, {name: texts for name, texts in wanted.items() if name in self._inherited})
        self._conditions.extend(SPAN.trace_id.in_(traces) for traces in candidates)
        among = candidates or ([self._lacking()] if narrow else [])
        self._trace = trace_values.inherited(functions, project, self._inherited, among) if self._inherited else None
        nested = "agent_name" in self._inherited
        self._nearest = agent_spans.nearest_agents(project, candidates or [self._lacking()]) if nested else None
        self._profile = trace_values.profiles(functions, project, candidates) if profile else None
        self._conditions.extend(one_of(self._effective(name), texts) for name, texts in wanted.items())
        self._conditions.extend(self._profile_conditions(filters))

    @property
    def user_id(self) -> Column:
        """The call's own user, else its trace's."""
        return self._effective("user_id")

    @property
    def session_id(self) -> Column:
        """The call's own session, else its trace's."""
        return self._effective("session_id")

    @property
    def trace_name(self) -> Column:
        """The trace name the call sets, else its trace's."""
        return self._effective("trace_name")

    @property
    def agent_name(self) -> Column:
        """The agent the call names, else the nearest one it is nested in, else its trace's."""
        trace_agent = self._effective("agent_name")
        return (
            trace_agent
            if self._nearest is None
            else sa.func.coalesce(SPAN.agent_name, self._nearest.c.nearest_agent, trace_agent)
        )

    def select(self, *columns: Any) -> sa.Select[Any]:
        """A statement over these calls."""
        source: sa.FromClause = schema.spans
        if self._trace is not None:
            source = source.outerjoin(self._trace, self._trace.c.of_trace == SPAN.trace_id)
        if self._nearest is not None:
            nearest = self._nearest.c
            source = source.outerjoin(
                self._nearest, sa.and_(nearest.of_trace == SPAN.trace_id, nearest.of_span == SPAN.span_id)
            )
        if self._profile is not None:
            source = source.outerjoin(
                self._profile,
                sa.and_(
                    self._profile.c.of_trace == SPAN.trace_id,
                    self._profile.c.of_user == sa.func.coalesce(self.user_id, ""),
                ),
            )
        return sa.select(*columns).select_from(source).where(*self._conditions)

    def grouped(self, keys: Sequence[Any], *values: Any) -> sa.Select[Any]:
        """A statement with one row for each combination of the keys; without keys, one row."""
        statement = self.select(*keys, *values)
        # By position: a key with a bound parameter is, to the database, another expression when it is written again.
        return statement.group_by(*(sa.literal_column(str(place)) for place in range(1, len(keys) + 1)))

    def _effective(self, name: Inheritable) -> Column:
        if name not in self._names:
            raise ValueError(f"{name} was not asked for with inherit=")
        if self._trace is None or name not in self._inherited:
            return SPAN[name]
        return sa.func.coalesce(SPAN[name], self._trace.c[f"trace_{name}"])

    def _lacking(self) -> sa.Select[Any]:
        """Traces of calls that lack one of the values that are asked for."""
        span = schema.other_spans()
        lacks = sa.or_(sa.false(), *(span.c[name].is_(None) for name in sorted(self._inherited)))
        return sa.select(span.c.trace_id).where(*population(span.c, self._project, self._window, self._by), lacks)

    def _candidates(self, filters: CallFilter, wanted: Mapping[Inheritable, Collection[str]]) -> list[sa.Select[Any]]:
        """For each filter on an inherited value, the traces in which some span has it: no other trace can pass."""
        functions = self._functions
        asked: list[Any] = [
            lambda of, name=name, texts=texts: one_of(of[name], texts) for name, texts in sorted(wanted.items())
        ]
        if filters.user_name is not None:
            asked.append(lambda of: equals(of.user_name, filters.user_name))
        if filters.user_tags:
            asked.append(lambda of: has_any(functions, of.user_tags, filters.user_tags))
        return [trace_values.traces_with(self._project, condition) for condition in asked]

    def _profile_conditions(self, filters: CallFilter) -> list[Column]:
        conditions: list[Column] = []
        if self._profile is not None and filters.user_name is not None:
            conditions.append(equals(sa.func.coalesce(SPAN.user_name, self._profile.c.profile_name), filters.user_name))
        if self._profile is not None and filters.user_tags:
            tags = sa.func.coalesce(SPAN.user_tags, self._profile.c.profile_tags)
            conditions.append(has_any(self._functions, tags, filters.user_tags))
        return conditions


def asked_calls(
    reader: Reader,
    project: str,
    window: Window,
    filters: CallFilter | None = None,
    *,
    by: Placed = "start",
    inherit: Collection[Inheritable] = (),
    any_of: Mapping[Inheritable, Collection[str]] | None = None,
) -> Calls:
    """The calls, after a look at which of the values that matter are on every call of the window itself: that look ends
    with the first call that lacks one, and joining what nobody inherits would cost more than the question."""
    filters = filters or CallFilter()
    names: set[Inheritable] = {*inherit, *(any_of or ()), *_wanted(filters)}
    if _asks_profile(filters):
        names.add("user_id")
    counted: AnySelect = sa.select(SPAN.start_ns).where(*population(SPAN, project, window, by))
    complete = [name for name in sorted(names) if not reader.any(counted.where(SPAN[name].is_(None)))]
    narrow = len(complete) == len(names) or not holds_most(reader, window)
    return Calls(
        reader.functions, project, window, filters, by=by, inherit=inherit, any_of=any_of, complete=complete, narrow=narrow
    )


def holds_most(reader: Reader, window: Window) -> bool:
    """True when at least half of the time that the store covers lies in the window, where that is known without reading."""
    if not reader.capabilities.columnar:
        return False
    places = reader.functions.places
    time_ns: Column = SPAN.start_ns if places is None else places.table.c.time_ns
    first, last = reader.row(sa.select(sa.func.min(time_ns), sa.func.max(time_ns)))
    if first is None or last is None:
        return False
    stored = Window(int(first), int(last))
    return 2 * stored.common(window).width >= stored.width


def _wanted(filters: CallFilter) -> dict[Inheritable, Collection[str]]:
    """The inheritable values that filters ask for."""
    wanted: dict[Inheritable, Collection[str]] = {}
    if filters.user_id is not None:
        wanted["user_id"] = [filters.user_id]
    if filters.session_id is not None:
        wanted["session_id"] = [filters.session_id]
    return wanted


def _asks_profile(filters: CallFilter) -> bool:
    return filters.user_name is not None or bool(filters.user_tags)


def population(of: Columns, project: str, window: Window, by: Placed) -> list[Column]:
    """Counted calls of the project in the window."""
    conditions = [of.project == project, call.counted(of)]
    if by == "start":
        return conditions + within(of.start_ns, window)
    # A span starts no later than it ends: the last condition follows, and lets the store skip what is newer.
    return conditions + within(of.end_ns, window) + within(of.start_ns, Window(last_ns=window.last_ns))


def _own_conditions(filters: CallFilter) -> list[Column]:
    conditions: list[Column] = []
    if filters.roles:
        conditions.append(SPAN.role.in_(sorted(filters.roles)))
    if filters.provider is not None:
        conditions.append(equals(sa.func.coalesce(SPAN.provider, call.UNKNOWN), filters.provider))
    if filters.model is not None:
        conditions.append(equals(sa.func.coalesce(call.model(), call.UNKNOWN), filters.model))
    if filters.agent is not None:
        conditions.append(call.agent_is(filters.agent) if storable(filters.agent) else sa.false())
    return conditions


def storable(text: str) -> bool:
    """False for text no store can hold (NUL, lone surrogates): comparing with it is an error in some engines."""
    if "\0" in text:
        return False
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def equals(column: Column, value: str | None) -> Column:
    """The column equals the text."""
    return column == value if value is not None and storable(value) else sa.false()


def one_of(column: Column, values: Collection[str]) -> Column:
    """The column equals one of the texts."""
    possible = sorted(value for value in values if storable(value))
    if len(possible) == 1:
        return column == possible[0]
    return column.in_(possible) if possible else sa.false()


def has_any(functions: Functions, json_list: Column, values: Sequence[str]) -> Column:
    """The JSON list holds one of the texts."""
    possible = [value for value in values if storable(value)]
    return functions.list_has_any(json_list, possible) if possible else sa.false()
