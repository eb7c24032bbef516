"""How many parts a request has, seen before it is parsed.

An empty span takes two bytes on the wire, a hundred times that in memory and a walk in extraction: a message within the
size limit could still fill the memory of a machine. Only the frames of resources, scopes and items are looked at.
"""

from collections.abc import Iterator

from otel_llm.errors import PayloadTooLarge
from otel_llm.otlp import varint

MAX_PARTS = 262_144
"""Most resources, scopes and items (metrics, for data points) of one request. Exporters send 512 to 8,192 items; 64 MiB of
real spans are about 90,000."""
_SMALL = 2 * MAX_PARTS
"""A part takes two bytes at least, so a body up to here cannot have more."""
_PATH = (1, 2, 2)
"""Field numbers from a request to its resources, scopes and items: the same for all three signals."""


def check_extent(body: bytes, noun: str) -> None:
    """Raises PayloadTooLarge for a request of more than :data:`MAX_PARTS` parts. Broken bytes are left to the parser."""
    if len(body) <= _SMALL:
        return
    parts = 0
    try:
        for _ in _walk(body, 0, len(body), 0):
            parts += 1
            if parts > MAX_PARTS:
                raise PayloadTooLarge(f"the request has more than {MAX_PARTS} resources, scopes and {noun}s")
    except (IndexError, OverflowError):
        return


def _walk(body: bytes, position: int, end: int, level: int) -> Iterator[None]:
    """One None for every part."""
    wanted = _PATH[level] << 3 | 2
    while position < end:
        tag, position = varint.read(body, position)
        wire = tag & 7
        if wire == 2:
            size, position = varint.read(body, position)
            if tag == wanted:
                yield None
                if level + 1 < len(_PATH):
                    yield from _walk(body, position, min(position + size, end), level + 1)
            position += size
        elif wire == 0:
            position = varint.read(body, position)[1]
        elif wire in (1, 5):
            position += 8 if wire == 1 else 4
        else:
            return
