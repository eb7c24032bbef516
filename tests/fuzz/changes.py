"""Changes to a request that keep it a request: what a mutation of bytes hardly ever brings about."""

import json
import random
from collections.abc import Callable
from typing import Any

from google.protobuf.message import DecodeError, Message

from otel_llm.otlp.decode import Encoding
from otel_llm.otlp.signals import SIGNALS, SignalName
from tests.fuzz.requests import KEYS, USAGE_NAMES, WORDS, pair, to_json

_NUMBERS = [0, 1, -1, 7, 1_000, 2**31, 2**53 + 1, 2**63 - 1, -(2**63), 0.5, -0.5, 1e300, float("nan"), float("inf")]
_TIMES = [0, 1, 1_767_225_600 * 10**9, 1_767_225_601 * 10**9, 2**63 - 1, 2**63, 2**64 - 1]


def change(signal: SignalName, encoding: Encoding, body: bytes, chance: random.Random) -> bytes | None:
    """The body with a few changes; None when it is no request as it stands."""
    if encoding == "json":
        return _change_json(body, chance)
    try:
        message = SIGNALS[signal].request.FromString(body)
    except DecodeError:
        return None
    for _ in range(chance.randint(1, 3)):
        _change_message(message, chance)
    return bytes(message.SerializeToString())


def _change_message(message: Message, chance: random.Random) -> None:
    """Changes one field of one message anywhere in the tree."""
    field, parent = chance.choice([*_fields(message)] or [(None, message)])
    if field is None:
        return
    if field.name == "attributes":
        _change_attributes(getattr(parent, field.name), chance)
    elif field.name.endswith("time_unix_nano"):
        setattr(parent, field.name, chance.choice(_TIMES))
    elif field.name in ("trace_id", "span_id", "parent_span_id"):
        size = 16 if field.name == "trace_id" else 8
        setattr(parent, field.name, chance.choice([b"", bytes(size), bytes([chance.randint(1, 3)] * size), b"short"]))
    elif field.name in ("name", "event_name") and field.type == field.TYPE_STRING:
        setattr(parent, field.name, chance.choice(WORDS[:8] + KEYS))
    elif field.is_repeated and field.message_type is not None:
        items = getattr(parent, field.name)
        if chance.random() < 0.5:
            items.add().CopyFrom(chance.choice(items))
        else:
            del items[chance.randrange(len(items))]


def _fields(message: Message) -> list[tuple[Any, Message]]:
    """Every field that is set, with the message it is set in; attributes are taken whole."""
    found: list[tuple[Any, Message]] = []
    waiting = [message]
    while waiting:
        node = waiting.pop()
        for field, value in node.ListFields():
            found.append((field, node))
            if field.message_type is not None and field.name != "attributes":
                waiting.extend(value if field.is_repeated else [value])
    return found


def _change_attributes(attributes: Any, chance: random.Random) -> None:
    kept = [attribute for attribute in attributes if chance.random() < 0.9]
    kept.append(pair(chance.choice(KEYS), _plain(chance)))
    del attributes[:]
    attributes.extend(kept)


def _plain(chance: random.Random, depth: int = 0) -> Any:
    kinds: list[Callable[[], Any]] = [
        lambda: chance.choice(_NUMBERS),
        lambda: str(chance.choice(_NUMBERS)),
        lambda: chance.choice([word for word in WORDS if word.isprintable()]),
        lambda: chance.random() < 0.5,
        lambda: json.dumps({name: chance.choice(_NUMBERS) for name in chance.sample(USAGE_NAMES, 3)}),
    ]
    if depth < 3:
        kinds += [
            lambda: [_plain(chance, depth + 1) for _ in range(chance.randint(0, 3))],
            lambda: {name: _plain(chance, depth + 1) for name in chance.sample(USAGE_NAMES, 2)},
        ]
    return chance.choice(kinds)()


def _change_json(body: bytes, chance: random.Random) -> bytes | None:
    """Replaces one value anywhere in the document."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return None
    places: list[tuple[Any, Any]] = []
    waiting = [document]
    while waiting:
        node = waiting.pop()
        found = list(node.items()) if isinstance(node, dict) else list(enumerate(node)) if isinstance(node, list) else []
        places.extend((node, key) for key, _ in found)
        waiting.extend(value for _, value in found)
    if not places:
        return None
    for _ in range(chance.randint(1, 3)):
        node, key = chance.choice(places)
        if key == "attributes":
            node[key] = [json.loads(to_json(pair(chance.choice(KEYS), _plain(chance)))) for _ in range(chance.randint(1, 6))]
        else:
            node[key] = _plain(chance)
    return json.dumps(document).encode()
