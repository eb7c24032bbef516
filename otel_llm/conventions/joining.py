"""Spans of several requests as if they had come in one: those of equal resource and scope become one ScopeSpans.

Most of what it costs to read a few spans is to begin with them. Clients that send span by span send the same resource and scope
each time, so the spans that wait for one commit can be read in one go. They are joined as bytes: none of them is parsed for
it.
"""

from collections.abc import Iterator
from itertools import chain
from typing import Any

from otel_llm.conventions.frames import frames_of, scope_of
from otel_llm.conventions.wire import ScopeSpans


class _Scope:
    """One resource and scope."""

    __slots__ = ("parts", "places", "resource")

    def __init__(self, resource: bytes) -> None:
        self.resource = resource
        self.parts: list[bytes] = []
        """What makes up its ScopeSpans."""
        self.places: list[int] = []
        """Which spans of all requests it has."""


class Joined:
    """The ScopeSpans of several requests."""

    def __init__(self) -> None:
        self._scopes: list[_Scope] = []
        self._known: dict[tuple[bytes, bytes], _Scope] = {}
        """By resource and scope, both encoded."""
        self._spans = 0

    def add(self, request: Any) -> int:
        """Takes in a TraceRequest; returns how many spans it has. Raises DecodeError when a scope of it does not parse, which
        may also be found when it is read."""
        before = self._spans
        for resource_spans in request.resource_spans:
            resource, scopes = resource_spans.resource, resource_spans.scope_spans
            if not scopes:
                self._new(resource)  # it may be one that cannot be read
            for encoded in scopes:
                self._add(resource, encoded)
        return self._spans - before

    def _add(self, resource: bytes, encoded: bytes) -> None:
        _, start = scope_of(encoded)
        frames = frames_of(encoded, start)
        if frames is None:
            # In what follows it, a length that is wrong would be filled with the spans of others.
            scope, part, spans = self._new(resource), encoded, len(ScopeSpans.FromString(encoded).spans)
        else:
            spans = len(frames.starts)
            key = (resource, encoded[:start])
            known = self._known.get(key)
            if known is None:
                scope = self._known[key] = self._new(resource)
                part = encoded[: frames.end]
            else:
                scope, part = known, encoded[start : frames.end]
        scope.parts.append(part)
        scope.places += range(self._spans, self._spans + spans)
        self._spans += spans

    def _new(self, resource: bytes) -> _Scope:
        scope = _Scope(resource)
        self._scopes.append(scope)
        return scope

    def scopes(self) -> Iterator[tuple[bytes, bytes]]:
        """Each encoded resource and ScopeSpans."""
        return ((scope.resource, b"".join(scope.parts)) for scope in self._scopes)

    def order(self) -> list[int] | None:
        """For each span of the requests, its place among those of :meth:`scopes`; None when the spans of both are in one
        order."""
        if len(self._scopes) <= 1:
            return None
        places = list(chain.from_iterable(scope.places for scope in self._scopes))
        if places == list(range(len(places))):
            return None
        return sorted(range(len(places)), key=places.__getitem__)
