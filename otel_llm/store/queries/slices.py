"""A slice of the calls: window and filters over the dimensions that people look at calls by (dashboard, neutral API).

One table says what each dimension is. A dimension's value is a text; None is "the call has none".
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import sqlalchemy as sa

from otel_llm.store.engines.base import Functions
from otel_llm.store.queries import call, trace_values
from otel_llm.store.queries.call import SPAN, Column
from otel_llm.store.queries.calls import CallFilter, Calls, Inheritable, equals, storable
from otel_llm.store.queries.window import Window

DEFAULT_ENVIRONMENT = "default"


class Dimension(NamedTuple):
    """What calls are split and filtered by. ``inherits`` is the value that a call takes from its trace."""

    meaning: str
    column: Callable[[Calls], Column]
    inherits: Inheritable | None = None


def _own(name: str) -> Callable[[Calls], Column]:
    return lambda calls: SPAN[name]


DIMENSIONS: dict[str, Dimension] = {
    "model": Dimension("the model that answered, else the one asked for", lambda calls: call.model()),
    "provider": Dimension("the provider", _own("provider")),
    "user": Dimension("the end user, of the call or of its trace", lambda calls: calls.user_id, "user_id"),
    "session": Dimension("the session, of the call or of its trace", lambda calls: calls.session_id, "session_id"),
    "agent": Dimension(
        "name or id of the agent: the call's own, else of the nearest agent above it, else of its trace",
        lambda calls: sa.func.coalesce(SPAN.agent_name, SPAN.agent_id, SPAN.agentlens_agent_id, calls.agent_name),
        "agent_name",
    ),
    "service": Dimension("service.name", _own("service_name")),
    "environment": Dimension(
        "the deployment environment, 'default' when not set",
        lambda calls: sa.func.coalesce(SPAN.environment, sa.literal_column("'default'", sa.Text())),
    ),
    "trace_name": Dimension("the trace's name", lambda calls: calls.trace_name, "trace_name"),
    "scope": Dimension("the instrumentation that recorded the call", _own("scope_name")),
    "error_type": Dimension("the type of the error", _own("error_type")),
    "role": Dimension("generation or embedding", _own("role")),
    "key": Dimension("public id of the key the span came in with", _own("key_id")),
}
"""Name to dimension. Tags are apart (:mod:`otel_llm.store.queries.tags`): a call has several."""

LACKING: dict[str, Callable[[], Column]] = {
    "cost": lambda: call.cost().is_(None),
    "price": lambda: sa.and_(call.cost().is_(None), sa.or_(SPAN.input_tokens.is_not(None), SPAN.output_tokens.is_not(None))),
    "tokens": lambda: sa.and_(SPAN.input_tokens.is_(None), SPAN.output_tokens.is_(None)),
    "ttft": lambda: SPAN.ttft_ns.is_(None),
}
"""What a call may lack besides a value of a dimension."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """All conditions must hold; empty ones ask for nothing."""

    window: Window = field(default_factory=Window)
    values: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Dimension to the values of which a call has one."""
    without: Collection[str] = ()
    """Dimensions and things (:data:`LACKING`) that the call has not."""
    tags: Sequence[str] = ()
    """Any of."""
    error: bool | None = None
    streaming: bool | None = None


class SlicedCalls:
    """The calls of a project in a slice, and the columns of their dimensions."""

    def __init__(self, functions: Functions, project: str, chosen: Slice, *, by: Collection[str] = ()) -> None:
        """``by`` names the dimensions that :meth:`dimension` will be asked for."""
        asked = {*by, *chosen.values, *(name for name in chosen.without if name in DIMENSIONS)}
        inherit = {found for name in asked if (found := DIMENSIONS[name].inherits) is not None}
        # A filter on one user or session narrows the traces that are joined; the general form below cannot.
        narrow = {
            DIMENSIONS[name].inherits: values[0]
            for name, values in chosen.values.items()
            if name in ("user", "session") and len(values) == 1
        }
        filters = CallFilter(user_id=narrow.get("user_id"), session_id=narrow.get("session_id"))
        self._calls = Calls(functions, project, chosen.window, filters, inherit=inherit)
        self._conditions = [self._any_of(name, values) for name, values in chosen.values.items()]
        self._conditions += [self._lacks(name) for name in chosen.without]
        if chosen.tags:
            self._conditions.append(sa.or_(*(tagged(functions, project, tag) for tag in chosen.tags)))
        if chosen.error is not None:
            self._conditions.append(SPAN.error == (sa.true() if chosen.error else sa.false()))
        if chosen.streaming is not None:
            streams = sa.func.coalesce(SPAN.is_streaming, sa.false()) == sa.true()
            self._conditions.append(streams if chosen.streaming else sa.not_(streams))

    def dimension(self, name: str) -> Column:
        """The column of a dimension; NULL where a call has no value."""
        return DIMENSIONS[name].column(self._calls)

    def select(self, *columns: Any) -> sa.Select[Any]:
        """A statement over these calls."""
        return self._calls.select(*columns).where(*self._conditions)

    def grouped(self, keys: Sequence[Any], *values: Any) -> sa.Select[Any]:
        """A statement with one row for each combination of the keys; without keys, one row."""
        return self._calls.grouped(keys, *values).where(*self._conditions)

    def _any_of(self, name: str, values: Sequence[str]) -> Column:
        column = self.dimension(name)
        return sa.or_(*(equals(column, value) for value in values))

    def _lacks(self, name: str) -> Column:
        return self.dimension(name).is_(None) if name in DIMENSIONS else LACKING[name]()


def tagged(functions: Functions, project: str, tag: str) -> Column:
    """Calls with a tag: a tag of their trace, or ``key=value`` among their own request tags."""
    if not storable(tag):
        return sa.false()
    traces = trace_values.traces_with(project, lambda of: functions.list_has(of.tags, tag))
    conditions: list[Column] = [SPAN.trace_id.in_(traces)]
    key, separator, value = tag.partition("=")
    if separator:
        conditions.append(sa.func.coalesce(functions.object_get(SPAN.request_tags, key) == value, sa.false()))
    return sa.or_(*conditions)
