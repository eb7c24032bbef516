"""Which spans record the LLM call that is being made right here: those a first token belongs to."""

import re
import weakref
from collections.abc import Mapping
from contextvars import ContextVar
from functools import lru_cache
from typing import Any

from opentelemetry import trace
from opentelemetry.trace import Span

_DEEPEST = 16
"""Instrumentations of one call that are told apart; more never nest."""
_LLM_SCOPE = re.compile(
    r"openai|anthropic|gen_?ai|openinference|traceloop|openlit|langchain|langgraph|llama|litellm|langfuse|langsmith|logfire|"
    r"pydantic|haystack|crewai|agent|strands|semantic_kernel|mlflow|google|bedrock|otel_llm"
)
_CALLS = {
    "gen_ai.operation.name": frozenset({"chat", "text_completion", "completion", "generate_content", "generate", "llm_call"}),
    "openinference.span.kind": frozenset({"LLM"}),
    "llm.request.type": frozenset({"chat", "completion"}),
    "langfuse.observation.type": frozenset({"generation"}),
}
"""Attribute → values that make a span a generating call. The first attribute that is present decides."""
_NAMES_A_MODEL = ("gen_ai.request.model", "llm.model_name")


class _Entry:
    """A live span; ``taken`` once a stream has been found to belong to it."""

    __slots__ = ("span", "taken")

    def __init__(self, span: Span) -> None:
        self.span = weakref.ref(span)
        self.taken = False

    def live(self) -> Span | None:
        """The span, while it records."""
        span = self.span()
        return span if span is not None and span.is_recording() else None


_entries: ContextVar[tuple[_Entry, ...]] = ContextVar("otel_llm_live_calls", default=())


@lru_cache(maxsize=1024)
def _is_llm_scope(scope: str) -> bool:
    return _LLM_SCOPE.search(scope.lower()) is not None


def started(span: Span, scope: str) -> None:
    """Remembers a span in the context it starts in: some instrumentations never make their span the current one."""
    if _is_llm_scope(scope):
        alive = tuple(entry for entry in _entries.get() if entry.live() is not None)
        _entries.set((*alive, _Entry(span))[-_DEEPEST:])


def claim(started_before: int | None = None) -> list[Span]:
    """The recording LLM-call spans around the caller that no stream has claimed yet, each once.

    ``started_before`` (ns since 1970) leaves out spans with a later start.
    """
    found: dict[int, Span] = {}
    taken: set[int] = set()
    for entry in _entries.get():
        span = entry.live()
        if span is None:
            continue
        span_id = span.get_span_context().span_id
        if entry.taken:
            taken.add(span_id)
        elif _is_call_of(span, started_before):
            entry.taken = True
            found[span_id] = span
    current = trace.get_current_span()
    if current.is_recording() and _is_call_of(current, started_before):
        span_id = current.get_span_context().span_id
        if span_id not in taken:
            found.setdefault(span_id, current)
    return list(found.values())


def _is_call_of(span: Span, started_before: int | None) -> bool:
    in_time = started_before is None or (getattr(span, "start_time", None) or 0) <= started_before
    return in_time and is_generating_call(attributes_of(span))


def attributes_of(span: Span) -> Mapping[str, Any]:
    """The attributes of a live span; empty for spans of other SDKs that do not show them."""
    return getattr(span, "attributes", None) or {}


def is_generating_call(attributes: Mapping[str, Any]) -> bool:
    """True for the span of a call that generates tokens: no agent, tool or embedding."""
    for key, calls in _CALLS.items():
        value = attributes.get(key)
        if value is not None:
            return value in calls
    return any(key in attributes for key in _NAMES_A_MODEL)
