"""Moves a captured scenario to another time and gives it other ids, so that it is new data and keeps its shape.

Times (fields, and ISO or epoch times inside attribute values) keep their distances; equal ids stay equal over all requests
of the scenario.
"""

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from otel_llm.otlp.signals import SIGNALS

_ID_FIELDS = {"trace_id", "span_id", "parent_span_id"}
_JSON_IDS = {"traceId", "spanId", "parentSpanId"}
_DAY_S = 86_400
_UNITS = (1, 10**3, 10**6, 10**9)
_ISO = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.(\d{1,9}))?(?:Z|[+-]\d\d:\d\d)?")
_HEX = re.compile(r"\b(?:[0-9a-f]{32}|[0-9a-f]{16})\b")


class Relocation:
    """The way of one scenario from where it was captured to an hour of its own."""

    def __init__(self, folder: Path, to_ns: int, salt: str, people: Iterable[str]) -> None:
        """Its first span will start at ``to_ns``; ``salt`` tells its ids from those of every other scenario. ``people`` are
        the users and sessions it names, which get new names as well."""
        self.meta: dict[str, Any] = json.loads((folder / "meta.json").read_text())
        self._folder = folder
        self._salt = salt
        self._ids: set[bytes] = set()
        starts = []
        for request in self.meta["requests"]:
            for kind, value in _facts(self._read(request)):
                if kind == "id":
                    self._ids.add(value)
                elif kind == "start" and request["signal"] == "traces":
                    starts.append(value)
        self._from_ns = min(starts)
        self._shift_ns = to_ns - self._from_ns
        self.names = {name: self._renamed(name) for name in (*self.meta["response_ids"], *people)}
        longest_first = sorted(self.names, key=len, reverse=True)
        self._named = re.compile("|".join(map(re.escape, longest_first))) if longest_first else None

    def _renamed(self, name: str) -> str:
        return hashlib.sha256(f"{self._salt}{name}".encode()).hexdigest()[: max(len(name), 8)]

    def bodies(self) -> Iterator[tuple[dict[str, Any], bytes]]:
        """Each request (its entry in meta.json) with its new body, in the order they were captured."""
        for request in self.meta["requests"]:
            found = self._read(request)
            if isinstance(found, Message):
                self._move(found)
                yield request, found.SerializeToString()
            else:
                yield request, json.dumps(self._moved_json(found)).encode()

    def _read(self, request: dict[str, Any]) -> Any:
        body = (self._folder / request["file"]).read_bytes()
        return json.loads(body) if request["encoding"] == "json" else SIGNALS[request["signal"]].request.FromString(body)

    # values
    def _id(self, old: bytes) -> bytes:
        return hashlib.sha256(self._salt.encode() + old).digest()[: len(old)]

    def _time(self, time_ns: int) -> int:
        return time_ns + self._shift_ns if time_ns else 0

    def _number(self, value: Any) -> Any:
        """An epoch time in any unit moves along; every other number stays."""
        for unit in _UNITS:
            if abs(value / unit - self._from_ns / 1e9) < _DAY_S:
                moved = self._shift_ns * unit / 1e9
                return value + (round(moved) if isinstance(value, int) else moved)
        return value

    def _text(self, text: str) -> str:
        if self._named is not None:
            text = self._named.sub(lambda found: self.names[found[0]], text)
        return _ISO.sub(self._iso, _HEX.sub(self._hex, text))

    def _hex(self, found: re.Match[str]) -> str:
        known = bytes.fromhex(found[0])
        return self._id(known).hex() if known in self._ids else found[0]

    def _iso(self, found: re.Match[str]) -> str:
        zoned = datetime.fromisoformat(found[0].replace(" ", "T"))
        then = zoned if zoned.tzinfo else zoned.replace(tzinfo=UTC)
        if abs(then.timestamp() - self._from_ns / 1e9) > _DAY_S:
            return found[0]
        moved = (then + timedelta(microseconds=self._shift_ns / 1000)).isoformat(
            timespec="microseconds" if found[1] else "seconds"
        )
        return moved if zoned.tzinfo else moved.removesuffix("+00:00")

    # messages
    def _move(self, message: Message) -> None:
        for field, value in message.ListFields():
            if field.type == FieldDescriptor.TYPE_MESSAGE:
                for part in value if field.is_repeated else (value,):
                    self._move(part)
            elif change := self._change(field):
                if field.is_repeated:
                    value[:] = [change(each) for each in value]
                else:
                    setattr(message, field.name, change(value))

    def _change(self, field: FieldDescriptor) -> Callable[[Any], Any] | None:
        if field.name in _ID_FIELDS:
            return self._id
        if field.name.endswith("_unix_nano"):
            return self._time
        if field.name in ("string_value", "message"):
            return self._text
        return self._number if field.name in ("int_value", "double_value") else None

    def _moved_json(self, node: Any) -> Any:
        if isinstance(node, list):
            return [self._moved_json(each) for each in node]
        if not isinstance(node, dict):
            return node
        moved = {}
        for key, value in node.items():
            if key in _JSON_IDS:
                moved[key] = self._id(bytes.fromhex(value)).hex()
            elif key.endswith("UnixNano"):
                moved[key] = str(self._time(int(value)))
            elif key == "stringValue":
                moved[key] = self._text(value)
            elif key == "intValue":
                moved[key] = str(self._number(int(value)))
            else:
                moved[key] = self._moved_json(value)
        return moved


def _facts(node: Any) -> Iterator[tuple[str, Any]]:
    """Every id, and every start of a span, of a request."""
    if isinstance(node, Message):
        for field, value in node.ListFields():
            if field.type == FieldDescriptor.TYPE_MESSAGE:
                for part in value if field.is_repeated else (value,):
                    yield from _facts(part)
            elif field.name in _ID_FIELDS:
                yield "id", value
            elif field.name == "start_time_unix_nano":
                yield "start", value
    elif isinstance(node, list):
        for each in node:
            yield from _facts(each)
    elif isinstance(node, dict):
        for key, value in node.items():
            if key in _JSON_IDS:
                yield "id", bytes.fromhex(value)
            elif key == "startTimeUnixNano":
                yield "start", int(value)
            else:
                yield from _facts(value)
