"""Readers of attribute values: what instrumentations send, turned into what a field holds.

Every reader takes a plain Python value (see :mod:`otel_llm.conventions.anyvalue`) and gives the parsed value, ``None``
when the value says nothing, or raises :class:`BadValueError` when it says something impossible. Sources disagree about types:
counts come as text, lists as JSON text or as the ``repr`` of a Python list, text with a second pair of quotes.
"""

import ast
import math
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
from opentelemetry.proto.common.v1.common_pb2 import KeyValue

from otel_llm.conventions.anyvalue import plain_attributes, unwrapped, wrapped

Reader = Callable[[Any], Any]

INT64_MAX = 2**63 - 1
MAX_PARSED_TEXT = 262_144
"""Longest text that is parsed as JSON or as a Python literal; usage objects are below 2 kB, content is not parsed."""
MAX_LITERAL_TEXT = 16_384
"""Longest text given to the Python literal parser, whose memory use is many times the text."""
MAX_LITERAL_DEPTH = 30
TEXT_CAP = 256
"""Length of model names, ids and every other short text field; longer values are cut."""
TAG_CAP = 128
MESSAGE_CAP = 4096
MAP_KEY_CAP = 50
LIST_CAP = 100
NS_PER_S = 1_000_000_000

NUL = b"\\u0000"
"""A NUL character in JSON."""
_encode = msgspec.json.Encoder().encode


class BadValueError(ValueError):
    """A value that cannot be what its attribute says; its text is a short reason fit for a counter's label."""


def clean(text: str) -> str:
    """The text without what a store cannot hold: NUL characters and lone surrogates."""
    if "\x00" in text:
        text = text.replace("\x00", "")
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            text = text.encode("utf-8", "replace").decode()
    return text


def scrub(value: Any) -> Any:
    """A plain value with every text in it cleaned."""
    if value.__class__ is str:
        return clean(value)
    if value.__class__ is list:
        return [scrub(item) for item in value]
    if value.__class__ is dict:
        found = scrub_attributes(value)
        return found if found.keys() == value.keys() else wrapped(found)
    return value


def scrub_attributes(attributes: dict[str, Any]) -> dict[str, Any]:
    """Attributes with every text in them cleaned, their keys too."""
    return {key: scrub(item) for key, item in renamed(attributes, clean).items()}


def clean_attributes(attributes: Iterable[KeyValue]) -> dict[str, Any]:
    """The plain form of a list of attributes, cleaned."""
    raw = plain_attributes(attributes)
    return scrub_attributes(raw) if NUL in _encode(raw) else raw


def renamed(found: dict[Any, Any], name: Callable[[Any], str]) -> dict[str, Any]:
    """The items under new names. Of several that get the same name the one that had it already stays, else the one whose
    old name sorts last: never the one that happened to come last."""
    result = {name(key): item for key, item in found.items()}
    if len(result) < len(found):
        ordered = sorted(found, key=lambda key: (name(key) == key, str(key)))
        result = {name(key): found[key] for key in ordered}
    return result


def decode_json(text: str) -> Any:
    """JSON text as Python, or None when it is none, too long or too deep."""
    if len(text) > MAX_PARSED_TEXT:
        return None
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        return None


def decode_literal(text: str) -> Any:
    """The ``repr`` of a Python list or dict as Python, or None when it is none, too long or too deep."""
    if len(text) > MAX_LITERAL_TEXT or _depth(text) > MAX_LITERAL_DEPTH:
        return None
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return None


def _depth(text: str) -> int:
    depth = deepest = 0
    for char in text:
        if char in "[{(":
            depth += 1
            deepest = max(deepest, depth)
        elif char in "]})":
            depth -= 1
    return deepest


def _unquoted(text: str) -> Any:
    """A text that is a JSON string in quotes, decoded once (MLflow and Langfuse send these)."""
    if len(text) > 1 and text[-1] == '"':
        decoded = decode_json(text)
        if isinstance(decoded, str):
            return decoded
    return text


def text_of(cap: int) -> Reader:
    """A reader of text, cut to a length."""

    def read(value: Any) -> str | None:
        if value.__class__ is str:
            if not value:
                return None
            if value[0] == '"':
                value = clean(_unquoted(value))
        elif value.__class__ is bool:
            value = "true" if value else "false"
        elif value.__class__ is int:
            value = str(value)
        elif value.__class__ is float:
            value = repr(value)
        else:
            return None
        return value[:cap] if len(value) > cap else (value or None)

    return read


text = text_of(TEXT_CAP)
message = text_of(MESSAGE_CAP)


def lower(value: Any) -> str | None:
    """Text in lower case."""
    found = text(value)
    return found.lower() if found else None


def count(value: Any) -> int | None:
    """A token count: a whole number, 0 and above, within 64 bits."""
    if value.__class__ is int:
        if 0 <= value <= INT64_MAX:
            return value
        raise BadValueError("negative" if value < 0 else "beyond 64 bits")
    if value is None:
        return None
    number = _number(value)
    if number is None:
        return None
    if number.__class__ is float:
        if not math.isfinite(number):
            raise BadValueError("not finite")
        if number != int(number):
            raise BadValueError("not a whole number")
        number = int(number)
    if number < 0:
        raise BadValueError("negative")
    if number > INT64_MAX:
        raise BadValueError("beyond 64 bits")
    return int(number)


def _number(value: Any) -> int | float | None:
    if value.__class__ is float or value.__class__ is int:
        return value
    if value.__class__ is str:
        stripped = value.strip().strip('"')
        if not stripped or stripped.lower() in ("none", "null", "undefined"):
            return None
        if len(stripped) > 64:
            raise BadValueError("not a number")
        try:
            return int(stripped)
        except ValueError:
            pass
        try:
            return float(stripped)
        except ValueError:
            raise BadValueError("not a number") from None
    if value.__class__ is dict:
        value = unwrapped(value)
        if value.__class__ is float:
            return value
    if value is None:
        return None
    raise BadValueError("not a number")


def money(value: Any) -> float | None:
    """An amount in USD, 0 and above."""
    number = _number(value)
    if number is None:
        return None
    try:
        amount = float(number)
    except OverflowError:
        raise BadValueError("beyond a double") from None
    if not math.isfinite(amount):
        raise BadValueError("not finite")
    if amount < 0:
        raise BadValueError("negative")
    if amount > INT64_MAX:
        raise BadValueError("beyond 64 bits")
    return amount


def money_micros(value: Any) -> float | None:
    """An amount in millionths of a USD, as USD."""
    amount = money(value)
    return None if amount is None else amount / 1e6


def port(value: Any) -> int | None:
    """A network port."""
    try:
        number = count(value)
    except BadValueError:
        return None
    return number if number is not None and 0 < number < 65_536 else None


def status(value: Any) -> str | None:
    """A status code, number or text, as short text."""
    found: str | None = text(value)
    return found


def flag(value: Any) -> bool | None:
    """A truth value: a boolean, or one of the texts and numbers used for one."""
    if value.__class__ is bool:
        return value
    if value.__class__ is str:
        word = value.strip().strip('"').lower()
        if word in ("true", "1"):
            return True
        if word in ("false", "0"):
            return False
    if value.__class__ is int and value in (0, 1):
        return bool(value)
    return None


def duration_in(unit_ns: float) -> Reader:
    """A reader of a duration given in some unit, as whole nanoseconds."""

    def read(value: Any) -> int | None:
        number = _number(value) if value.__class__ is not bool else None
        if number is None:
            return None
        try:
            nanoseconds = float(number) * unit_ns
        except OverflowError:
            raise BadValueError("out of range") from None
        if not math.isfinite(nanoseconds):
            raise BadValueError("not finite")
        if nanoseconds < 0:
            raise BadValueError("negative")
        if nanoseconds > INT64_MAX:
            raise BadValueError("out of range")
        return round(nanoseconds)

    return read


seconds = duration_in(1e9)


def seconds_of_all(found: Sequence[float]) -> list[int] | None:
    """:func:`seconds` of finite numbers; None when one of them is impossible."""
    if min(found) < 0 or max(found) * 1e9 > INT64_MAX:
        return None
    return [round(each * 1e9) for each in found]


milliseconds = duration_in(1e6)
microseconds = duration_in(1e3)


def iso_instant(value: Any) -> int | None:
    """An ISO 8601 time, possibly in quotes, as nanoseconds since 1970; no zone means UTC."""
    found = text(value)
    if not found:
        return None
    try:
        moment = datetime.fromisoformat(found)
    except ValueError:
        raise BadValueError("not a time") from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    try:
        whole = int(moment.replace(microsecond=0).timestamp())
    except (OverflowError, ValueError):
        raise BadValueError("not a time") from None
    return whole * NS_PER_S + moment.microsecond * 1000


def parsed(value: Any) -> Any:
    """A list or object: as sent, or from JSON text, or from the ``repr`` of a Python one; anything else is None."""
    if value.__class__ is str:
        stripped = value.strip()
        if stripped[:1] == '"':
            inner = _unquoted(stripped)
            stripped = inner.strip() if isinstance(inner, str) else ""
        if stripped[:1] not in ("{", "["):
            return None
        found = decode_json(stripped)
        if found is None:
            found = decode_literal(stripped)
        value = found
    value = unwrapped(value)
    return value if isinstance(value, dict | list) else None


def obj(value: Any) -> dict[str, Any] | None:
    """An object with text keys."""
    found = parsed(value)
    return found if isinstance(found, dict) else None


def names(value: Any) -> list[str] | None:
    """A list of short texts: a list, JSON text of one, the ``repr`` of one, or text parted by commas."""
    items: Iterable[Any]
    if value.__class__ is list:
        items = value
    elif value.__class__ is str:
        if not value:
            return None
        found = parsed(value)
        items = (
            found if isinstance(found, list) else [] if isinstance(found, dict) else str(_unquoted(value.strip())).split(",")
        )
    else:
        return None
    result = []
    for item in items:
        if item.__class__ is not str:
            if item is None or isinstance(item, dict | list | tuple | set | bytes):
                continue
            item = str(item)  # noqa: PLW2901 (numbers in a list of names are names)
        item = clean(item).strip()[:TAG_CAP]  # noqa: PLW2901
        if item:
            result.append(item)
            if len(result) == LIST_CAP:
                break
    return result or None


def pairs(value: Any) -> dict[str, str] | None:
    """An object of text values: an object, JSON text of one, or ``k=v&k=v``."""
    found = obj(value)
    if found is None and value.__class__ is str and "=" in value:
        found = dict(part.split("=", 1) for part in value.split("&") if "=" in part)
    if not found:
        return None
    kept = dict(list(found.items())[:MAP_KEY_CAP])
    return {key: plain(item) for key, item in renamed(kept, lambda key: clean(str(key))[:TAG_CAP]).items()}


def plain(value: Any) -> str:
    """Any value as short text, for a map of texts: text as it is, everything else as JSON."""
    if value.__class__ is str:
        return clean(_unquoted(value) if value[:1] == '"' else value)[:TEXT_CAP]
    return clean(json_text(value))[:TEXT_CAP]


def json_text(value: Any) -> str:
    """A plain Python value as JSON text; what JSON cannot hold becomes text."""
    try:
        return _encode(value).decode()
    except (TypeError, ValueError, RecursionError):
        return _encode(repr(value)[:MESSAGE_CAP]).decode()
