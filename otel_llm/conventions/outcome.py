"""How a span ended: error, its type and message, finish reasons."""

from typing import Any, Final

from otel_llm.conventions import names, values
from otel_llm.conventions.slots import SLOT

STATUS_ERROR: Final = 2

_ERROR, _TYPE, _MESSAGE = SLOT["error"], SLOT["error_type"], SLOT["error_message"]
_STATUS, _LEVEL, _SUCCESS = SLOT["status_code"], SLOT["level"], SLOT["success"]
_HTTP, _VENDOR_MESSAGE, _TEXT = SLOT["http_status"], SLOT["status_message"], SLOT["error_text"]
_FINISH = SLOT["finish_reasons"]


def failed(row: list[Any]) -> bool:
    """True when a span's status, error type, level, success flag or finish reason says that it failed."""
    return (
        row[_STATUS] == STATUS_ERROR
        or row[_TYPE] is not None
        or (row[_LEVEL] is not None and row[_LEVEL].upper() == "ERROR")
        or row[_SUCCESS] is False
        or (row[_FINISH] is not None and "error" in row[_FINISH])
    )


def settle(row: list[Any], status_message: str, exceptions: list[dict[str, Any]]) -> None:
    """Fills error, error type and message; ``exceptions`` are the attributes of the span's exception events, in order."""
    if not failed(row):
        row[_ERROR] = False
        return
    row[_ERROR] = True
    if row[_TYPE] is None:
        typed = (names.error_type(event.get("exception.type")) for event in exceptions)
        row[_TYPE] = next((name for name in typed if name), None) or row[_HTTP] or "_OTHER"
    messages = (values.message(event.get("exception.message")) for event in exceptions)
    row[_MESSAGE] = (
        values.message(status_message) or row[_VENDOR_MESSAGE] or next((text for text in messages if text), None) or row[_TEXT]
    )
