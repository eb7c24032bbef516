"""The route table: all dialect tables merged, and the plan that routes one set of attribute keys.

A span's attribute keys decide which attribute is tried first for which field, so that is worked out once per set of keys
(a *plan*) and remembered; what is left per span is to read the values. Instrumentations use few sets of keys. The memory
of plans and of single keys is bounded, so that a sender of ever new keys costs time, never memory.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple

from otel_llm.conventions.dialect import Dialect, Opened, Source, matches
from otel_llm.conventions.dialects import DIALECTS
from otel_llm.conventions.slots import GATHERED, SLOT, reader_of
from otel_llm.conventions.values import Reader

MAX_PLANS: Final = 4096
"""Plans remembered per dialect; an instrumentation has some tens."""
MAX_KEYS: Final = 10_000
"""Single keys remembered."""
MAX_REMEMBERED_KEY: Final = 256
"""Longer keys are routed each time they come."""
MAX_REMEMBERED_TEXT: Final = 12_288
"""Key sets whose keys are longer together are planned each time they come."""
WIDE: Final = 48
"""Spans with more attributes than this are planned by the keys that mean something only: conversations with a varying
number of messages as attributes would each be a new set of keys."""


class Candidate(NamedTuple):
    """One source of a plan, ready to be read."""

    slot: int
    rank: int
    key: str
    read: Reader


class KeyRoute(NamedTuple):
    """What one attribute key means, whatever the dialect."""

    sources: tuple[Source, ...]
    opened: tuple[Opened, ...]
    gathers: tuple[tuple[str, int, str], ...]
    content: bool
    relevant: bool


class Plan:
    """How to read one set of keys in one dialect."""

    __slots__ = ("content", "dialect", "gathers", "opened", "parameters", "shared", "steps", "typed")

    dialect: Dialect
    steps: tuple[tuple[int, str, Reader, tuple[tuple[str, Reader], ...]], ...]
    """Per field: slot, best key, its reader, and what to try when it says nothing."""
    shared: tuple[tuple[int, tuple[Candidate, ...]], ...]
    """The same for fields that the resource may feed too, whose rank must be compared."""
    gathers: tuple[tuple[int, int, str | None, str, Reader], ...]
    """Fields that collect: slot, rank, label, key, reader."""
    opened: tuple[tuple[str, Any, tuple[tuple[str, str], ...]], ...]
    """Objects to open: key, reader, and (source key, part) to take."""
    content: tuple[str, ...]
    """Keys that hold message content."""
    parameters: tuple[str, ...]
    """Keys with an object of request parameters, content among them."""
    typed: bool
    """True when a vendor's own type attribute is among the keys."""


GENERIC: Final = next(dialect for dialect in DIALECTS if dialect.name == "generic")
BY_NAME: Final[dict[str, Dialect]] = {dialect.name: dialect for dialect in DIALECTS}
_ORDERED: Final = tuple(sorted(DIALECTS, key=lambda dialect: dialect.order))

_TYPE_FIELDS: Final = frozenset(
    [
        "langfuse_type",
        "openinference_kind",
        "mlflow_type",
        "langsmith_kind",
        "ai_operation",
        "traceloop_kind",
        "spring_kind",
        "span_type",
    ]
)


def all_sources() -> list[Source]:
    """Every source of every dialect, in table order."""
    return [source for dialect in DIALECTS for source in dialect.sources]


def _by_key(on: str) -> dict[str, tuple[Source, ...]]:
    found: dict[str, list[Source]] = {}
    for source in all_sources():
        if source.on == on:
            found.setdefault(source.key, []).append(source)
    return {key: tuple(sources) for key, sources in found.items()}


_SPAN: Final = _by_key("span")
_RESOURCE: Final = _by_key("resource")
RESOURCE_FIELDS: Final = frozenset(source.field for sources in _RESOURCE.values() for source in sources)
"""Fields that a resource may feed."""

_OPENED: Final[dict[str, tuple[Opened, ...]]] = {}
for _dialect in DIALECTS:
    for _item in _dialect.opened:
        _OPENED[_item.key] = (*_OPENED.get(_item.key, ()), _item)

_PARTS: Final[dict[str, tuple[str, ...]]] = {}
"""Source keys (``attribute#part``) of each opened attribute."""
for _key in sorted({*_SPAN, *_RESOURCE}):
    if "#" in _key:
        _PARTS[_key.split("#", 1)[0]] = (*_PARTS.get(_key.split("#", 1)[0], ()), _key)

_PREFIXES: Final = tuple(prefix for dialect in DIALECTS for prefix in dialect.prefixes)
_CONTENT: Final = frozenset(key for dialect in DIALECTS for key in dialect.content)
_CONTENT_PREFIXES: Final = tuple({prefix for dialect in DIALECTS for prefix in dialect.content_prefixes})
PARAMETERS: Final = frozenset(key for dialect in DIALECTS for key in dialect.parameters)
CONTENT_EVENTS: Final = frozenset(name for dialect in DIALECTS for name in dialect.content_events)
_NOT_CONTENT_ENDS: Final = (".role", ".finish_reason", ".mime_type", ".tool_call.id", ".message_content.type")
"""Ends of indexed message attributes that say no words of the conversation."""


def _is_content(key: str) -> bool:
    if key in _CONTENT:
        return True
    return key.startswith(_CONTENT_PREFIXES) and key not in _SPAN and not key.endswith(_NOT_CONTENT_ENDS)


def _resolve(key: str) -> KeyRoute:
    sources = _SPAN.get(key, ())
    opened = _OPENED.get(key, ())
    gathers = tuple(
        (prefix.field, prefix.rank, key[len(prefix.prefix) :])
        for prefix in _PREFIXES
        if key.startswith(prefix.prefix) and len(key) > len(prefix.prefix) and key not in prefix.without
    )
    content = _is_content(key)
    fingerprint = any(matches(pattern, key) for dialect in DIALECTS for pattern in dialect.fingerprints)
    return KeyRoute(sources, opened, gathers, content, bool(sources or opened or gathers or fingerprint))


_key_routes: dict[str, KeyRoute] = {}


def key_route(key: str) -> KeyRoute:
    """What one attribute key means; remembered."""
    found = _key_routes.get(key)
    if found is None:
        found = _resolve(key)
        if len(key) <= MAX_REMEMBERED_KEY:
            if len(_key_routes) >= MAX_KEYS:
                _key_routes.clear()
            _key_routes[key] = found
    return found


@lru_cache(maxsize=4096)
def dialect_of_scope(scope: str) -> Dialect | None:
    """The dialect that an instrumentation scope's name decides; the longest pattern that fits wins."""
    fitting = [(len(pattern), dialect.name) for dialect in DIALECTS for pattern in dialect.scopes if matches(pattern, scope)]
    return BY_NAME[max(fitting)[1]] if fitting else None


def dialect_of_keys(keys: Iterable[str]) -> Dialect:
    """The dialect that attribute keys tell."""
    known = [key for key in keys if key_route(key).relevant]
    for dialect in _ORDERED:
        for pattern in dialect.fingerprints:
            if any(matches(pattern, key) for key in known):
                return dialect
    return GENERIC


def candidates(keys: Sequence[str], dialect: Dialect) -> dict[int, list[Candidate]]:
    """Per slot, every source among the keys in order of rank."""
    found: dict[int, list[Candidate]] = {}

    def add(source: Source) -> None:
        if not source.only or dialect.name in source.only:
            slot = SLOT[source.field]
            found.setdefault(slot, []).append(Candidate(slot, source.rank, source.key, source.read or reader_of(source.field)))

    for key in keys:
        for source in key_route(key).sources:
            add(source)
        for _, _, parts in _opened_of(key, dialect):
            for part_key, _ in parts:
                for source in _SPAN[part_key]:
                    add(source)
    for listed in found.values():
        listed.sort(key=lambda candidate: (candidate.rank, candidate.key))
    return found


def _opened_of(key: str, dialect: Dialect) -> list[tuple[str, Any, tuple[tuple[str, str], ...]]]:
    return [
        (key, item.read, tuple((part, part.split("#", 1)[1]) for part in _PARTS.get(key, ())))
        for item in key_route(key).opened
        if not item.only or dialect.name in item.only
    ]


def compile_plan(keys: Sequence[str], scope_dialect: Dialect | None) -> Plan:
    """The plan of one set of keys; ``scope_dialect`` is the dialect when the scope decides it."""
    dialect = scope_dialect or dialect_of_keys(keys)
    plan = Plan()
    plan.dialect = dialect
    steps, shared = [], []
    gathers: list[tuple[int, int, str | None, str, Reader]] = []
    for slot, listed in sorted(candidates(keys, dialect).items()):
        field = _FIELD_OF_SLOT[slot]
        if field in GATHERED:
            gathers.extend((slot, item.rank, None, item.key, item.read) for item in listed)
        elif field in RESOURCE_FIELDS:
            shared.append((slot, tuple(listed)))
        else:
            first, *rest = listed
            steps.append((slot, first.key, first.read, tuple((item.key, item.read) for item in rest)))
    for key in keys:
        for field, rank, label in key_route(key).gathers:
            gathers.append((SLOT[field], rank, label, key, reader_of(field)))
    plan.steps = tuple(steps)
    plan.shared = tuple(shared)
    plan.gathers = tuple(sorted(gathers, key=lambda item: (item[0], item[1], item[3])))
    plan.opened = tuple(item for key in keys for item in _opened_of(key, dialect))
    plan.content = tuple(key for key in keys if key_route(key).content)
    plan.parameters = tuple(key for key in keys if key in PARAMETERS)
    plan.typed = any(source.field in _TYPE_FIELDS for key in keys for source in key_route(key).sources)
    return plan


_FIELD_OF_SLOT: Final = {place: name for name, place in SLOT.items()}


class Plans:
    """The plans of one dialect decision (a dialect that a scope decided, or none), remembered by key set."""

    __slots__ = ("_dialect", "_plans", "get")

    def __init__(self, dialect: Dialect | None) -> None:
        self._dialect = dialect
        self._plans: dict[tuple[str, ...], Plan] = {}
        self.get = self._plans.get

    def make(self, keys: tuple[str, ...]) -> Plan:
        """The plan of a key set that :attr:`get` does not know."""
        if len(keys) > WIDE:
            keys = tuple(key for key in keys if key_route(key).relevant)
            known = self._plans.get(keys)
            if known is not None:
                return known
        plan = compile_plan(keys, self._dialect)
        if sum(map(len, keys)) <= MAX_REMEMBERED_TEXT:
            if len(self._plans) >= MAX_PLANS:
                self._plans.clear()
            self._plans[keys] = plan
        return plan


_plans: Final[dict[str | None, Plans]] = {None: Plans(None), **{dialect.name: Plans(dialect) for dialect in DIALECTS}}


def plans_of(dialect: Dialect | None) -> Plans:
    """The plans of a dialect decided by the scope, or of spans whose keys decide."""
    return _plans[dialect.name if dialect else None]


def resource_candidates(attributes: Iterable[str]) -> dict[int, list[Candidate]]:
    """Per slot, every resource attribute that can feed it, in order of rank."""
    found: dict[int, list[Candidate]] = {}
    for key in attributes:
        for source in _RESOURCE.get(key, ()):
            slot = SLOT[source.field]
            found.setdefault(slot, []).append(Candidate(slot, source.rank, key, source.read or reader_of(source.field)))
    for listed in found.values():
        listed.sort(key=lambda candidate: (candidate.rank, candidate.key))
    return found
