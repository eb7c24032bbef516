"""Query parameters of the neutral endpoints: read once, refused by name, bounded.

An empty parameter counts as absent, an unknown one is ignored.
"""

import re
import time
from collections.abc import Collection, Sequence
from typing import Any

from flask import request

from otel_llm.store.queries.slices import DIMENSIONS, LACKING, Slice
from otel_llm.store.queries.window import DAY_NS, MAX_NS, Window
from query_api.errors import ApiError
from query_api.instants import parse_instant

MAX_VALUES = 50
"""Values of one filter."""
MAX_SPAN_NS = 3660 * DAY_NS
"""Ten years: longer windows are open ones."""
_NUMBER = re.compile(r"-?\d{1,9}", re.ASCII)
_BOOLEANS = {"true": True, "false": False}


def text(name: str) -> str | None:
    """The only value of a parameter; None when absent or empty."""
    return request.args.get(name) or None


def texts(name: str) -> list[str]:
    """Every value of a repeatable parameter."""
    found = [value for value in request.args.getlist(name) if value]
    if len(found) > MAX_VALUES:
        raise ApiError(400, f"{name} has more than {MAX_VALUES} values")
    return list(dict.fromkeys(found))


def words(name: str, allowed: Collection[str], default: Sequence[str] = (), *, most: int = MAX_VALUES) -> list[str]:
    """A list of known words, separated by commas."""
    found = [word for value in texts(name) for word in value.split(",") if word]
    for word in found:
        if word not in allowed:
            raise ApiError(400, f"{name} is a list of: {', '.join(sorted(allowed))}")
    if len(found) > most:
        raise ApiError(400, f"{name} has more than {most} values")
    return list(dict.fromkeys(found)) or list(default)


def word(name: str, allowed: Collection[str], default: str) -> str:
    """One known word."""
    found = text(name) or default
    if found not in allowed:
        raise ApiError(400, f"{name} is one of: {', '.join(allowed)}")
    return found


def integer(name: str, default: int, least: int, most: int) -> int:
    """A whole number in a range."""
    found = text(name)
    if found is None:
        return default
    if not _NUMBER.fullmatch(found) or not least <= int(found) <= most:
        raise ApiError(400, f"{name} is a whole number from {least} to {most}")
    return int(found)


def boolean(name: str) -> bool | None:
    """``true`` or ``false``; None when absent."""
    found = text(name)
    if found is None:
        return None
    if found not in _BOOLEANS:
        raise ApiError(400, f"{name} is true or false")
    return _BOOLEANS[found]


def instant(name: str) -> int | None:
    """A time in ns; None when absent."""
    found = text(name)
    if found is None:
        return None
    parsed = parse_instant(found)
    if parsed is None:
        raise ApiError(400, f"{name} is ISO 8601, e.g. 2026-02-08 or 2026-02-08T10:00:00Z")
    return parsed.ns


def closed_window() -> Window:
    """``from`` (inclusive, default a day before ``to``) to ``to`` (exclusive, default now)."""
    end = instant("to")
    end = time.time_ns() if end is None else end
    first = instant("from")
    first = end - DAY_NS if first is None else first
    if first >= end:
        raise ApiError(400, "from is a time before to")
    if end - first > MAX_SPAN_NS:
        raise ApiError(400, "from is at most ten years before to")
    # Starts are never negative; an earlier previous window is simply empty.
    return Window.before(max(first, 0), min(max(end, 1), MAX_NS))


def open_window() -> Window:
    """``from`` (inclusive) to ``to`` (exclusive); what is absent is open."""
    return Window.before(instant("from"), instant("to"))


def chosen(window: Window) -> Slice:
    """The filters of the request. Values of one filter are alternatives, filters must all hold."""
    status = text("status")
    if status not in (None, "ok", "error"):
        raise ApiError(400, "status is ok or error")
    return Slice(
        window=window,
        values={name: values for name in DIMENSIONS if (values := texts(name))},
        without=words("without", {*DIMENSIONS, *LACKING}),
        tags=texts("tag"),
        error=None if status is None else status == "error",
        streaming=boolean("streaming"),
    )


def trace_id_of(hexadecimal: str) -> bytes:
    """A trace id from a path."""
    return _id(hexadecimal, 16, "trace id")


def span_id_of(hexadecimal: str) -> bytes:
    """A span id from a path."""
    return _id(hexadecimal, 8, "span id")


def _id(hexadecimal: str, size: int, what: str) -> bytes:
    if not re.fullmatch(rf"[0-9a-fA-F]{{{2 * size}}}", hexadecimal, re.ASCII):
        raise ApiError(400, f"a {what} is {2 * size} hexadecimal digits")
    return bytes.fromhex(hexadecimal)


FILTERS: dict[str, str] = {
    **{name: dimension.meaning for name, dimension in DIMENSIONS.items()},
    "tag": "a tag of the trace, or key=value of the call's own request tags",
    "without": "dimensions, or cost, price, tokens, ttft, that the call lacks",
    "status": "ok or error",
    "streaming": "true for streamed answers, false for others",
}
"""Filter to what it asks for; the description of the API is made from it."""


def echo(window: Window) -> dict[str, Any]:
    """The window that was used, for the answer."""
    from query_api.v1.forms import iso

    return {"from": iso(window.first_ns), "to": iso(window.last_ns + 1)}
