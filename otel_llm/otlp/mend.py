"""Keeps what is good of a protobuf request that the parser refused as a whole.

The protobuf runtime rejects a request for one badly encoded string or one value nested too deeply. Here the request is
walked along its message descriptors: text that is not UTF-8 gets replacement characters, a value nested too deeply is
left out, an item (span, log record, data point) whose bytes are broken is rejected alone. Only bytes broken outside of
items make the request undecodable. The walk is plain Python and runs only after the parser has failed; items that parse
are copied unread, and the work spent on the others is bounded.
"""

from dataclasses import dataclass, field
from functools import cache

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass

from otel_llm.otlp import varint
from otel_llm.otlp.damage import Damage, Undecodable
from otel_llm.otlp.signals import ITEMS, MAX_DEPTH

_MENDED_BYTES = 8 * 1024 * 1024
"""Bytes of broken items that are walked in one request: about a second of work. Further ones are rejected unread."""


@dataclass(slots=True)
class _Plan:
    name: str
    parser: type[Message] | None
    texts: dict[int, str] = field(default_factory=dict)
    messages: dict[int, "tuple[str, _Plan]"] = field(default_factory=dict)


@cache
def _plan(descriptor: Descriptor) -> _Plan:
    return _build(descriptor, {})


def _build(descriptor: Descriptor, known: dict[str, _Plan]) -> _Plan:
    if descriptor.full_name in known:
        return known[descriptor.full_name]
    article = "an" if descriptor.name[0] in "AEIOU" else "a"
    plan = _Plan(f"{article} {descriptor.name}", GetMessageClass(descriptor) if descriptor.full_name in ITEMS else None)
    known[descriptor.full_name] = plan
    for spec in descriptor.fields:
        if spec.type == FieldDescriptor.TYPE_STRING:
            plan.texts[spec.number] = spec.name
        elif spec.message_type is not None:
            plan.messages[spec.number] = (spec.name, _build(spec.message_type, known))
    return plan


def mend(body: bytes, request: type[Message], damage: Damage) -> Message:
    """The request without its broken parts, which are counted in ``damage``. Raises Undecodable."""
    for copy_parsed_items in (True, False):
        found = Damage()
        mended = _Mender(found, copy_parsed_items).message(body, _plan(request.DESCRIPTOR), 1)
        try:
            message = request.FromString(mended)
        except DecodeError as error:
            # An item that parses by itself may still be too deep inside of its request: then every item is walked.
            reason = str(error)
            continue
        damage.add(found)
        return message
    raise Undecodable(reason)


class _Mender:
    def __init__(self, damage: Damage, copy_parsed_items: bool) -> None:
        self._damage = damage
        self._copy_parsed_items = copy_parsed_items
        self._allowance = _MENDED_BYTES

    def message(self, data: bytes, plan: _Plan, depth: int) -> bytes:
        out: list[bytes] = []
        position = 0
        try:
            while position < len(data):
                start = position
                tag, position = varint.read(data, position)
                number, wire = tag >> 3, tag & 7
                if not 0 < number < 1 << 29:
                    raise Undecodable(f"field number {number} at byte {start} of {plan.name}")
                if wire != 2:
                    position = _skip(data, position, wire, number, plan)
                    out.append(data[start:position])
                    continue
                size, content = varint.read(data, position)
                position = content + size
                if position > len(data):
                    raise Undecodable(
                        f"field {number} of {plan.name} announces {size} bytes and {len(data) - content} are left"
                    )
                if number in plan.messages:
                    mended = self._submessage(data[content:position], *plan.messages[number], depth)
                elif number in plan.texts:
                    mended = self._text(data[content:position], plan.name, plan.texts[number])
                else:
                    mended = data[content:position]
                if mended is not None:
                    out += (varint.varint(tag), varint.length(len(mended)), mended)
        except IndexError:
            raise Undecodable(f"{plan.name} ends in the middle of a field") from None
        except OverflowError:
            raise Undecodable(f"a number of more than 10 bytes in {plan.name}") from None
        return b"".join(out)

    def _submessage(self, data: bytes, name: str, plan: _Plan, depth: int) -> bytes | None:
        if depth >= MAX_DEPTH:
            self._damage.drop("too_deep", f"{name} nested deeper than {MAX_DEPTH} messages")
            return None
        if plan.parser is None:
            return self.message(data, plan, depth + 1)
        if self._copy_parsed_items:
            try:
                plan.parser.FromString(data)
            except DecodeError:
                return self._item(data, plan, depth)
            return data
        return self._item(data, plan, depth)

    def _item(self, data: bytes, plan: _Plan, depth: int) -> bytes | None:
        self._allowance -= len(data)
        if self._allowance < 0:
            self._damage.reject("undecodable", f"{plan.name} that does not decode, after many others")
            return None
        try:
            mended = self.message(data, plan, depth + 1)
        except Undecodable as error:
            self._damage.reject("undecodable", str(error))
            return None
        return mended

    def _text(self, data: bytes, message: str, name: str) -> bytes:
        try:
            data.decode()
        except UnicodeDecodeError as error:
            self._damage.drop("invalid_utf8", f"{name} of {message} is not UTF-8 at byte {error.start}")
            return data.decode(errors="replace").encode()
        return data


def _skip(data: bytes, position: int, wire: int, number: int, plan: _Plan) -> int:
    if wire == 0:
        return varint.read(data, position)[1]
    if wire in (1, 5):
        position += 8 if wire == 1 else 4
        if position > len(data):
            raise IndexError
        return position
    if wire == 3:
        return _skip_group(data, position, number, plan)
    raise Undecodable(f"field {number} of {plan.name} has wire type {wire}")


def _skip_group(data: bytes, position: int, number: int, plan: _Plan) -> int:
    open_groups = [number]
    while open_groups:
        tag, position = varint.read(data, position)
        if tag & 7 == 3:
            open_groups.append(tag >> 3)
        elif tag & 7 == 4:
            if open_groups.pop() != tag >> 3:
                raise Undecodable(f"a group of {plan.name} is closed by another one's end")
        elif tag & 7 == 2:
            size, position = varint.read(data, position)
            position += size
        else:
            position = _skip(data, position, tag & 7, tag >> 3, plan)
    return position
