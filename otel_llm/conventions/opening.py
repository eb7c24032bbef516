"""Readers that open an attribute holding an object and give the parts a dialect table names."""

from collections.abc import Callable, Mapping
from typing import Any

from otel_llm.conventions import values


def at(found: Any, path: str) -> Any:
    """The value at a dotted path of nested objects; a key that holds dots itself is met first."""
    if not isinstance(found, dict):
        return None
    if path in found:
        return found[path]
    head, dot, rest = path.partition(".")
    return at(found.get(head), rest) if dot else None


def parts_of(*parts: str, **spellings: tuple[str, ...]) -> Callable[[Any], Mapping[str, Any] | None]:
    """A reader of an object that gives the values at these paths; ``spellings`` lists other paths of a part, best first."""

    def read(value: Any) -> Mapping[str, Any] | None:
        found = values.obj(value)
        if not found:
            return None
        result = {}
        for part in parts:
            for path in spellings.get(part, (part,)):
                inner = at(found, path)
                if inner is not None and inner != "":
                    result[part] = inner
                    break
        return result

    return read
