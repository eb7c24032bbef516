"""Langfuse's query parameters and its list of what is wrong with them (the shape and words of its validator)."""

import re
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from flask import request

from otel_llm.store.queries.daily_observations import TraceFilter
from otel_llm.store.queries.window import Window
from query_api.errors import ApiError
from query_api.instants import parse_instant

Issue = dict[str, Any]
T = TypeVar("T")

MAX_LIMIT = 100
DEFAULT_LIMIT = 50
MAX_SAFE = 2**53 - 1
"""Largest integer that JavaScript holds exactly; the original refuses larger ones."""

_DATETIME = re.compile(
    r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d+)?(?:Z|[+-]\d{2}:\d{2})",
    re.ASCII,
)
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?", re.ASCII)
_RADIX = re.compile(r"0(?:[xX][0-9a-fA-F]{1,14}|[oO][0-7]{1,18}|[bB][01]{1,54})", re.ASCII)


class _InvalidError(Exception):
    def __init__(self, issue: Issue) -> None:
        super().__init__(issue["message"])
        self.issue = issue


class Parameters:
    """Reads parameters and gathers everything that is wrong with them."""

    def __init__(self) -> None:
        self.issues: list[Issue] = []

    def page(self) -> int:
        """Number of the page, from 1."""
        return self._read("page", 1, lambda values: _integer(values, 1, 1, {"minimum": 0, "inclusive": False}))

    def limit(self) -> int:
        """Days on a page."""

        def read(values: list[str]) -> int:
            number = _integer(values, DEFAULT_LIMIT, 1, {"minimum": 1, "inclusive": True})
            if number > MAX_LIMIT:
                raise _InvalidError(
                    {
                        "origin": "number",
                        "code": "too_big",
                        "maximum": MAX_LIMIT,
                        "inclusive": True,
                        "message": f"Too big: expected number to be <={MAX_LIMIT}",
                    }
                )
            return number

        return self._read("limit", DEFAULT_LIMIT, read)

    def trace_filter(self) -> TraceFilter:
        """The filters."""
        first_ns = self._read("fromTimestamp", None, _datetime)
        end_ns = self._read("toTimestamp", None, _datetime)
        return TraceFilter(
            trace_name=self._read("traceName", None, _text),
            user_id=self._read("userId", None, _text),
            tags=_listed("tags"),
            environments=_listed("environment"),
            window=Window.before(first_ns, end_ns),
        )

    def check(self) -> None:
        """Raises ApiError (400) when something was wrong."""
        if self.issues:
            raise ApiError(400, issues=self.issues)

    def _read(self, name: str, default: T, read: Callable[[list[str]], T]) -> T:
        values = request.args.getlist(name)
        if not values:
            return default
        try:
            return read(values)
        except _InvalidError as error:
            self.issues.append(
                {key: value for key, value in error.issue.items() if key != "message"}
                | {"path": [name], "message": error.issue["message"]}
            )
            return default


def _listed(name: str) -> Sequence[str]:
    """One value is split at commas; repeated ones are taken as they are."""
    values = request.args.getlist(name)
    if len(values) == 1:
        values = values[0].split(",")
    return tuple(dict.fromkeys(value for value in values if value))


def _text(values: list[str]) -> str | None:
    return _single(values) or None


def _datetime(values: list[str]) -> int:
    text = _single(values)
    instant = parse_instant(text) if _DATETIME.fullmatch(text) else None
    if instant is None:
        raise _InvalidError(
            {"origin": "string", "code": "invalid_format", "format": "datetime", "message": "Invalid ISO datetime"}
        )
    return instant.ns


def _single(values: list[str]) -> str:
    if len(values) > 1:
        raise _InvalidError(
            {
                "expected": "string",
                "code": "invalid_type",
                "message": "Invalid input: expected string, received array",
            }
        )
    return values[0]


def _integer(values: list[str], default: int, least: int, bound: dict[str, Any]) -> int:
    """A number as JavaScript's ``Number()`` reads text; empty means the default."""
    text = values[0].strip() if len(values) == 1 else "several"
    if not text:
        return default
    if _RADIX.fullmatch(text):
        number = float(int(text, 0))
    elif _NUMBER.fullmatch(text):
        number = float(text)
    else:
        raise _not_a("number", "NaN")
    if number in (float("inf"), float("-inf")):
        raise _not_a("number", "Infinity")
    if not number.is_integer():
        raise _not_a("int", "number")
    if number < least:
        sign = ">=" if bound["inclusive"] else ">"
        raise _InvalidError(
            {
                "origin": "number",
                "code": "too_small",
                **bound,
                "message": f"Too small: expected number to be {sign}{bound['minimum']}",
            }
        )
    if number > MAX_SAFE:
        raise _InvalidError(
            {
                "code": "too_big",
                "maximum": MAX_SAFE,
                "inclusive": True,
                "origin": "int",
                "message": f"Too big: expected int to be <={MAX_SAFE}",
            }
        )
    return int(number)


def _not_a(expected: str, received: str) -> _InvalidError:
    return _InvalidError(
        {
            "expected": expected,
            "code": "invalid_type",
            "received": received,
            "message": f"Invalid input: expected {expected}, received {received}",
        }
    )
