"""What a dialect table is made of. The tables themselves are in :mod:`otel_llm.conventions.dialects`, one file each.

A dialect is one vendor's way to write a GenAI call on a span. Its table says which attributes feed which canonical field
at which rank; :mod:`otel_llm.conventions.routes` merges all tables into one. Nothing else in the house knows a dialect.
"""

from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple

from otel_llm.conventions.values import Reader


class Source(NamedTuple):
    """One attribute that can feed one field.

    Of all sources of a field that are present and parse, the one with the lowest rank wins. ``key`` names an attribute,
    or ``attribute#part`` a part of an attribute that is opened (see :class:`Opened`). ``read`` of None is the field's
    own reader. ``only`` limits the source to spans of these dialects: for keys too common to mean the same everywhere.
    """

    field: str
    rank: int
    key: str
    read: Reader | None = None
    only: frozenset[str] = frozenset()
    on: Literal["span", "resource"] = "span"


class Opened(NamedTuple):
    """An attribute that holds an object, often as JSON text: ``read`` gives its parts, each a source ``key#part``."""

    key: str
    read: Callable[[Any], Mapping[str, Any] | None]
    only: frozenset[str] = frozenset()


class Prefix(NamedTuple):
    """All attributes that start with a text feed one map field; the rest of the key is the key in the map."""

    prefix: str
    field: str
    rank: int
    without: frozenset[str] = frozenset()


class Dialect(NamedTuple):
    """One dialect: how to tell it, and what its attributes mean.

    ``scopes`` are instrumentation scope names that decide the dialect, a trailing ``*`` matching any rest.
    ``fingerprints`` are attribute keys (or prefixes ending in ``*``) that tell it when the scope does not; the lowest
    ``order`` wins. ``exclusive_cache`` names scopes (same patterns) whose input counts exclude cached tokens, and
    ``exclusive_providers`` limits that to some providers. ``raw_cache`` marks dialects that pass the provider's raw
    number on, so that arithmetic must decide; ``exclusive_reasoning`` scopes whose output count leaves reasoning tokens out.
    ``thoughts_in_total`` names scopes (same patterns) where nothing but the total includes these.
    ``content`` lists attribute keys, ``content_prefixes`` their beginnings,
    and ``content_events`` event names whose attributes hold message content. ``parameters`` are attributes with an object of
    request parameters, some of whose members may be content.
    """

    name: str
    title: str
    order: int
    sources: tuple[Source, ...] = ()
    opened: tuple[Opened, ...] = ()
    prefixes: tuple[Prefix, ...] = ()
    scopes: tuple[str, ...] = ()
    fingerprints: tuple[str, ...] = ()
    exclusive_cache: tuple[str, ...] = ()
    exclusive_providers: frozenset[str] = frozenset()
    raw_cache: bool = False
    exclusive_reasoning: tuple[str, ...] = ()
    thoughts_in_total: tuple[str, ...] = ()
    provider: str | None = None
    content: tuple[str, ...] = ()
    content_prefixes: tuple[str, ...] = ()
    content_events: tuple[str, ...] = ()
    parameters: tuple[str, ...] = ()


def matches(pattern: str, name: str) -> bool:
    """True when a name fits a pattern: equal, or, for a pattern with a trailing ``*``, starting with it."""
    return name.startswith(pattern[:-1]) if pattern.endswith("*") else name == pattern
