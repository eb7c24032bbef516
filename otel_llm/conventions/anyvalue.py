"""OTLP attribute values as plain Python values, and back.

The plain form is what is stored (as JSON), so it loses nothing: text, booleans, integers, doubles, lists and objects are
themselves, an empty value is null, and what JSON has no form for is an object of one key, as in OTLP/JSON:
``{"bytesValue": base64}``, ``{"doubleValue": "NaN"}``. An object that looks like one of these is kept as
``{"kvlistValue": {...}}``.
"""

import base64
import binascii
import math
from collections.abc import Iterable
from typing import Any

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

MAX_DEPTH = 32
"""Values nested deeper are cut: no attribute read here is deeper than 4, and stores and readers recurse."""

_WRAPPERS = frozenset({"bytesValue", "doubleValue", "kvlistValue", "intValue"})
_NON_FINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


def plain_value(value: AnyValue, depth: int = 0) -> Any:
    """The plain form of a value."""
    kind = value.WhichOneof("value")
    if kind == "string_value":
        return value.string_value
    if kind == "int_value":
        return value.int_value
    if kind == "bool_value":
        return value.bool_value
    if kind == "double_value":
        number = value.double_value
        return number if math.isfinite(number) else {"doubleValue": _name_of(number)}
    if kind == "bytes_value":
        return {"bytesValue": base64.b64encode(value.bytes_value).decode()}
    if kind is None or depth >= MAX_DEPTH:
        return None
    if kind == "array_value":
        return [item.string_value or plain_value(item, depth + 1) for item in value.array_value.values]
    if kind == "kvlist_value":
        return wrapped({item.key: plain_value(item.value, depth + 1) for item in value.kvlist_value.values})
    return None


def wrapped(found: dict[str, Any]) -> dict[str, Any]:
    """The object, set apart when it looks like the form of another type."""
    if len(found) == 1 and next(iter(found)) in _WRAPPERS:
        return {"kvlistValue": found}
    return found


def _name_of(number: float) -> str:
    if math.isnan(number):
        return "NaN"
    return "Infinity" if number > 0 else "-Infinity"


def unwrapped(value: Any) -> Any:
    """What readers see of a plain value: objects of one of the special forms opened, bytes as None."""
    if value.__class__ is dict and len(value) == 1:
        key, inner = next(iter(value.items()))
        if key == "doubleValue":
            return _NON_FINITE.get(inner)
        if key == "bytesValue":
            return None
        if key == "kvlistValue":
            return inner
    return value


def plain_attributes(attributes: Iterable[KeyValue]) -> dict[str, Any]:
    """The plain form of a list of attributes; of a repeated key the last one stays."""
    return {item.key: plain_value(item.value) for item in attributes}


def any_value(value: Any) -> AnyValue:
    """The OTLP form of a plain value: the inverse of :func:`plain_value`."""
    result = AnyValue()
    _fill(result, value)
    return result


def key_values(attributes: dict[str, Any]) -> list[KeyValue]:
    """The OTLP form of plain attributes."""
    return [KeyValue(key=key, value=any_value(value)) for key, value in attributes.items()]


def _fill(target: AnyValue, value: Any) -> None:
    if isinstance(value, str):
        target.string_value = value
    elif isinstance(value, bool):
        target.bool_value = value
    elif isinstance(value, int):
        target.int_value = value
    elif isinstance(value, float):
        target.double_value = value
    elif isinstance(value, list):
        target.array_value.SetInParent()
        for item in value:
            _fill(target.array_value.values.add(), item)
    elif isinstance(value, dict):
        _fill_object(target, value)


def _fill_object(target: AnyValue, value: dict[str, Any]) -> None:
    if len(value) == 1:
        key, inner = next(iter(value.items()))
        if key == "doubleValue" and inner in _NON_FINITE:
            target.double_value = _NON_FINITE[inner]
            return
        if key == "bytesValue" and isinstance(inner, str):
            try:
                target.bytes_value = base64.b64decode(inner, validate=True)
            except binascii.Error:
                target.string_value = inner
            return
        if key == "kvlistValue" and isinstance(inner, dict):
            value = inner
    target.kvlist_value.SetInParent()
    for key, inner in value.items():
        item = target.kvlist_value.values.add()
        item.key = key
        _fill(item.value, inner)
