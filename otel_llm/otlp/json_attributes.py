"""Attributes that were left as JSON text: most of them were seen before, and are looked up by their bytes.

The text of a list is split where its attributes begin. That is exact: in JSON, ``{"key"`` begins an object (within a text its
quotes would be escaped), and where each piece is an object of its own, none of them lies inside another one. A list that is
written otherwise is split by the JSON parser.
"""

import re
from collections.abc import Callable
from typing import Any, Final

import msgspec

from otel_llm.otlp import json_scalars
from otel_llm.otlp.damage import Damage, Undecodable
from otel_llm.otlp.json_scalars import shown
from otel_llm.otlp.varint import SHORT, length

Write = Callable[[Any, list[bytes], Damage, int], None]
"""Appends one field's bytes: (JSON value, output, damage, depth of the message). Raises Undecodable."""

_MOST_KEYS, _LONGEST_KEY = 4096, 200
_MOST_KNOWN, _LONGEST_KNOWN = 16_384, 256
"""Attributes of a field that are remembered, and the bytes of the longest."""
_MOST_OF_KEY = 64
"""Values of a key that are remembered: ids and counts are new each time and not worth a place."""
_MOST_PLACES = 128
"""Places of a list whose last attribute is remembered."""

SHORT_TEXT: Final = 120
"""Texts below these bytes have a length of one byte, also with what is around them."""
_TEXT_HEADS = tuple(bytes([size + 2, 0x0A, size]) for size in range(SHORT_TEXT))
"""Length of an AnyValue that holds a text, the text's tag, the text's length."""

PLAIN_VALUES: Final[dict[str, tuple[bytes, Callable[[Any], bytes]]]] = {
    "intValue": (b"\x18", json_scalars.INT64),
    "doubleValue": (b"\x21", json_scalars.double),
    "boolValue": (b"\x10", json_scalars.boolean),
}
"""Key of an AnyValue in JSON: its tag, its writer."""
IRREGULAR: Final[tuple[tuple[str, Any], ...]] = ()
KEYS: Final[dict[str, tuple[bytes, int]]] = {}
"""Attribute keys that were seen: the bytes of a KeyValue up to its value's length, and their number."""


def short_text(tag: bytes, head: bytes, head_size: int, text: bytes) -> bytes:
    """An attribute that is a text of less than :data:`SHORT_TEXT` bytes. ``head`` are the bytes of the KeyValue up to its
    value's length, ``head_size`` is their number."""
    size = len(text)
    return b"".join((tag, SHORT[head_size + size + 3], head, _TEXT_HEADS[size], text))


def attribute(tag: bytes, head: bytes, head_size: int, value: bytes) -> bytes:
    """An attribute with any encoded AnyValue."""
    size = length(len(value))
    return b"".join((tag, length(head_size + len(size) + len(value)), head, size, value))


def remember_key(element: Any) -> None:
    """Notes the key of an attribute that was read from JSON, whatever that is."""
    key = element.get("key") if type(element) is dict else None
    if type(key) is str and len(key) <= _LONGEST_KEY and len(KEYS) < _MOST_KEYS:
        head = b"\x0a" + json_scalars.text(key) + b"\x12"
        KEYS[key] = head, len(head)


_KEY_FOLLOWS = b'{"key"'
"""What an attribute begins with."""
_SPLIT_OTHERWISE = b","
"""What a piece begins with that is an attribute as the JSON parser split it. No other piece does."""
_VALUE_FOLLOWS = b'Value":'
"""What ends the names of plain values in JSON. Within a text the quote would be escaped."""
_MOST_DIGITS: Final = 18
"""Digits of an integer below 2**63."""
_DOUBLE: Final = rb"-?(?:0|[1-9][0-9]{0,14})\.[0-9]{1,17}"
_BEHIND = rb"\s*+\}\s*+\}\s*+[,\]]?+\s*+"
_PLAIN_TEXT: Final = {
    "stringValue": re.compile(rb'\s*+"([ !#-\[\]-~]{0,%d})"' % (SHORT_TEXT - 1) + _BEHIND).fullmatch,
    "intValue": re.compile(rb'\s*+"?(0|[1-9][0-9]{0,%d})"?' % (_MOST_DIGITS - 1) + _BEHIND).fullmatch,
    "doubleValue": re.compile(rb"\s*+(" + _DOUBLE + rb")" + _BEHIND).fullmatch,
}
"""JSON of a value that needs no more than its bytes: printable ASCII without an escape, or a number as most are written; and
what closes its attribute."""
_PLAIN_DOUBLE: Final = re.compile(_DOUBLE).fullmatch
_PLAIN_CHARACTERS: Final = bytes(set(range(0x20, 0x7F)) - set(b'"\\'))
_ELEMENTS: Final = msgspec.json.Decoder(list[msgspec.Raw])


class _Form:
    """How attributes of one key and one kind of value are written: what is before the value, and behind it."""

    __slots__ = ("_attribute", "_before", "_behind", "_heads", "_kind", "_start", "_stop", "remembered")

    def __init__(self, before: bytes, behind: bytes, kind: str, attribute: Callable[[bytes], bytes]) -> None:
        """``attribute`` gives the bytes of an attribute from an encoded AnyValue."""
        self._before, self._behind = before, behind
        self._start, self._stop = len(before), -len(behind)
        self._kind = kind
        self._attribute = attribute
        self._heads: dict[int, bytes] = {}
        """Length of an encoded value → the bytes of its attribute up to it, for attributes that may be remembered."""
        self.remembered = 0
        """Values that are remembered."""

    @classmethod
    def of(cls, piece: bytes, tag: bytes, element: Any) -> "_Form | None":
        """The form of an attribute; None for one that has more than a key and a plain value."""
        try:
            ((kind, _),) = element["value"].items() if len(element) == 2 else IRREGULAR
            head, head_size = KEYS[element["key"]]
            found = _PLAIN_TEXT[kind](piece, piece.index(_VALUE_FOLLOWS) + len(_VALUE_FOLLOWS))
        except (KeyError, TypeError, ValueError, AttributeError):
            return None
        if found is None:
            return None
        before, behind = piece[: found.start(1)], piece[found.end(1) :]
        return cls(before, behind, kind, lambda value: attribute(tag, head, head_size, value))

    def read(self, piece: bytes) -> bytes | None:
        """The bytes of an attribute; None when it is not of this form, or its value not plain."""
        if not (piece.startswith(self._before) and piece.endswith(self._behind)):
            return None
        value = piece[self._start : self._stop]
        kind = self._kind
        if kind == "stringValue":
            if not value or value.translate(None, _PLAIN_CHARACTERS):
                return None
        elif kind == "intValue":
            if not value.isdigit() or len(value) > _MOST_DIGITS:
                return None
            value = length(int(value))
        elif _PLAIN_DOUBLE(value) is None:
            return None
        else:
            value = json_scalars.double(float(value))
        size = len(value)
        head = self._heads.get(size)
        if head is not None:
            return head + value
        encoded = self._attribute(b"\x0a" + length(size) + value if kind == "stringValue" else PLAIN_VALUES[kind][0] + value)
        if size < SHORT_TEXT and len(piece) <= _LONGEST_KNOWN:
            self._heads[size] = encoded[: len(encoded) - size]
        return encoded


def _form_of(piece: bytes) -> bytes:
    """What attributes of one form have in common: the JSON text up to the value, and the last byte."""
    before, name, _ = piece.partition(_VALUE_FOLLOWS)
    return before + name + piece[-1:]


def _element(piece: bytes, begin: bytes) -> bytes:
    """The JSON text of the attribute of a piece, see :meth:`AttributeTexts._complete`."""
    if begin == _SPLIT_OTHERWISE:
        return piece[1:]
    piece = piece.rstrip()
    return begin + (piece[:-1] if piece.endswith((b",", b"]")) else piece)


class AttributeTexts:
    """Writes the attributes of one field from their JSON text. For any thread."""

    def __init__(self, tag: bytes, write: Write) -> None:
        """``write`` writes a list of attributes that were read from JSON."""
        self._tag = tag
        self._write = write
        self._known: dict[bytes, bytes] = {}
        self._forms: dict[bytes, _Form] = {}
        self._last: dict[int, _Form] = {}
        """Place in a list → the form of what was last there: it is likely to be met there again."""
        self._forget()

    def write(self, text: bytes, out: list[bytes], damage: Damage, depth: int) -> None:
        """Appends the bytes of a list of attributes. ``text`` is valid JSON but for the characters in its texts. Raises
        Undecodable, and what :func:`msgspec.json.decode` raises."""
        pieces = text.split(_KEY_FOLLOWS)
        found: list[Any] = list(map(self._known.get, pieces))
        if None in found and not self._complete(found, pieces, _KEY_FOLLOWS, damage, depth):
            try:
                pieces = [_SPLIT_OTHERWISE + bytes(each) for each in _ELEMENTS.decode(text)]
            except msgspec.ValidationError:
                raise Undecodable(f"is {shown(msgspec.json.decode(text))} where an array is due") from None
            found = list(map(self._known.get, pieces))
            self._complete(found, pieces, _SPLIT_OTHERWISE, damage, depth)
        out += found

    def _complete(self, found: list[Any], pieces: list[bytes], begin: bytes, damage: Damage, depth: int) -> bool:
        """Fills the gaps of ``found``, which is as long as ``pieces``. ``begin`` is what was cut off before each, or
        :data:`_SPLIT_OTHERWISE`. False when a piece is no attribute of its own; then no damage was noted. Raises what
        :func:`msgspec.json.decode` raises."""
        unread = []
        for at, piece in enumerate(pieces):
            if found[at] is None:
                form = self._last.get(at)
                encoded = form.read(piece) if form is not None else None
                if encoded is None:
                    form = self._forms.get(_form_of(piece))
                    encoded = form.read(piece) if form is not None else None
                if form is None or encoded is None:
                    unread.append(at)
                    continue
                found[at] = encoded
                if at < _MOST_PLACES:
                    self._last[at] = form
                if form.remembered < _MOST_OF_KEY:
                    self._remember(piece, encoded, form)
        if not unread:
            return True
        try:
            elements = [msgspec.json.decode(_element(pieces[at], begin)) for at in unread]
        except (msgspec.MsgspecError, UnicodeDecodeError):
            if begin == _SPLIT_OTHERWISE:
                raise
            return False
        for at, element in zip(unread, elements, strict=True):
            found[at] = self._read(pieces[at], element, damage, depth)
        return True

    def _read(self, piece: bytes, element: Any, damage: Damage, depth: int) -> bytes:
        """The bytes of an attribute that was read; remembered when nothing of it was left out."""
        written: list[bytes] = []
        before = damage.values.total()
        self._write([element], written, damage, depth)
        found = b"".join(written)
        if len(piece) <= _LONGEST_KNOWN and damage.values.total() == before:
            text = _form_of(piece)
            form = self._forms.get(text)
            if form is None:
                form = _Form.of(piece, self._tag, element)
                if form is not None and form.read(piece) == found and len(self._forms) < _MOST_KEYS:
                    self._forms[text] = form
            self._remember(piece, found, form)
        return found

    def _remember(self, piece: bytes, found: bytes, form: _Form | None) -> None:
        if len(piece) > _LONGEST_KNOWN:
            return
        if form is not None:
            if form.remembered >= _MOST_OF_KEY:
                return
            form.remembered += 1
        if len(self._known) >= _MOST_KNOWN:
            self._forget()
        self._known[piece] = found

    def _forget(self) -> None:
        self._forms.clear()
        self._last.clear()
        self._known.clear()
        # what is before the first attribute, and lists without one
        self._known |= {b"[": b"", b"[]": b"", b"null": b""}
