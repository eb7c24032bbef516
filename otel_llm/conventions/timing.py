"""Time to first token, and whether an answer was streamed.

Sources come in seconds, milliseconds, instants and events; the best one that can be true is taken: above zero and not
longer than the span (one millisecond of slack for clocks that were read apart).
"""

from collections.abc import Sequence
from typing import Any, Final

from otel_llm.conventions.slots import SLOT

SLACK_NS: Final = 1_000_000

EVENT_RANKS: Final[dict[str, int]] = {
    "First Token Stream Event": 110,
    "gen_ai.content.completion.chunk": 120,
    "llm.content.completion.chunk": 130,
    "ai.stream.firstChunk": 140,
    "mlflow.chunk.item.0": 150,
}
"""Span events that mark the first token: rank among the sources of ``ttft``, all behind attributes."""

EVERY_CHUNK: Final = frozenset({"gen_ai.content.completion.chunk", "llm.content.completion.chunk"})
"""Events written for each chunk: when a span dropped events, the oldest went first and the first is not the first."""

SERVER_TTFT: Final = "gen_ai.server.time_to_first_token"

_TTFT, _SOURCE, _STREAMING = SLOT["ttft"], SLOT["ttft_source"], SLOT["is_streaming"]
_TTFT_NS, _FIRST_AT, _SERVER = SLOT["ttft_ns"], SLOT["first_token_at"], SLOT["server_ttft"]
_AI_OPERATION = SLOT["ai_operation"]


def timed(row: list[Any]) -> bool:
    """True when a span has anything to say about its first token."""
    return row[_TTFT] is not None or row[_FIRST_AT] is not None or row[_SERVER] is not None


def settle(row: list[Any], dialect: str, start_ns: int, end_ns: int, events: Sequence[tuple[int, str, int]]) -> None:
    """Fills ``ttft_ns``, ``ttft_source`` and ``is_streaming``; ``events`` are (rank, event name, time) of first tokens."""
    found: list[tuple[int, str, int]] = []
    if row[_TTFT]:
        found.extend(row[_TTFT])
    if row[_FIRST_AT]:
        found.extend((rank, key, instant - start_ns) for rank, key, instant in row[_FIRST_AT])
    if row[_SERVER] is not None:
        value = _server(row, dialect)
        if value is not None:
            found.append((70, SERVER_TTFT, value))
    if events:
        found.extend((rank, name, instant - start_ns) for rank, name, instant in events)
    longest = end_ns - start_ns + SLACK_NS
    for _, source, value in found if len(found) == 1 else sorted(found):
        if 0 < value <= longest:
            row[_TTFT_NS] = value
            row[_SOURCE] = source
            break
    settle_streaming(row, dialect)


def settle_streaming(row: list[Any], dialect: str) -> None:
    """Fills ``is_streaming`` where no attribute said it."""
    if row[_STREAMING] is None:
        operation = row[_AI_OPERATION]
        row[_STREAMING] = (row[_TTFT_NS] is not None and dialect != "openlit") or (
            operation is not None and operation.endswith("doStream")
        )


def _server(row: list[Any], dialect: str) -> int | None:
    """The server-side time: milliseconds from Strands, else seconds; OpenLIT writes it on plain calls too."""
    if dialect == "openlit" and row[_STREAMING] is not True:
        return None
    value = row[_SERVER] * (1e6 if dialect == "strands" else 1e9)
    return round(value) if value < 1e18 else None
