"""Token counts as the house counts them: input includes cached tokens, output includes reasoning tokens.

Dialects differ in what their counts include; CONVENTIONS 7.4 says which do. What was changed is noted in
``tokens_adjusted``. Whatever arrives, no part exceeds its whole afterwards.
"""

from collections.abc import Callable
from typing import Any, Final

from otel_llm.conventions.dialect import Dialect, matches
from otel_llm.conventions.slots import SLOT
from otel_llm.conventions.values import INT64_MAX, json_text

_INPUT, _OUTPUT, _TOTAL = SLOT["input_tokens"], SLOT["output_tokens"], SLOT["total_tokens"]
_READ, _WRITE, _WRITE_1H = SLOT["cache_read_tokens"], SLOT["cache_write_tokens"], SLOT["cache_write_1h_tokens"]
_WRITE_5M, _REASONING = SLOT["cache_write_5m_tokens"], SLOT["reasoning_tokens"]
_MODALITY, _SHAPE = SLOT["modality_tokens"], SLOT["usage_shape"]
_INCLUSIVE = SLOT["inclusive_detail"]
_ADJUSTED, _PROVIDER, _SCOPE = SLOT["tokens_adjusted"], SLOT["provider"], SLOT["scope_name"]

MODALITIES: Final = ("text", "image", "audio")


def _leaves_cache_out(row: list[Any], dialect: Dialect, tokens_in: int, tokens_out: int | None, cached: int) -> bool:
    if row[_INCLUSIVE] is None and is_exclusive(dialect, row[_SCOPE], row[_PROVIDER]):
        return True
    total = row[_TOTAL]
    return dialect.raw_cache and total is not None and bool(total == tokens_in + (tokens_out or 0) + cached)


def _leaves_reasoning_out(row: list[Any], dialect: Dialect) -> bool:
    scope = row[_SCOPE] or ""
    return any(matches(pattern, scope) for pattern in dialect.exclusive_reasoning)


_verdicts: dict[tuple[str, str | None, str | None], bool] = {}
MAX_VERDICTS: Final = 4096


def is_exclusive(dialect: Dialect, scope: str | None, provider: str | None) -> bool:
    """True when a dialect is known to leave cached tokens out of its input count; remembered."""
    key = (dialect.name, scope, provider)
    found = _verdicts.get(key)
    if found is None:
        if len(_verdicts) >= MAX_VERDICTS:
            _verdicts.clear()
        found = _verdicts[key] = _is_exclusive(dialect, scope, provider)
    return found


def _is_exclusive(dialect: Dialect, scope: str | None, provider: str | None) -> bool:
    if not dialect.exclusive_cache or not any(matches(pattern, scope or "") for pattern in dialect.exclusive_cache):
        return False
    return not dialect.exclusive_providers or provider in dialect.exclusive_providers


def normalise(row: list[Any], dialect: Dialect, role: str, drop: Callable[[str], None]) -> None:
    """Makes the counts of one span canonical, in place; ``drop`` is told about each value that had to go."""
    tokens_in, tokens_out, total = row[_INPUT], row[_OUTPUT], row[_TOTAL]
    read, write, reasoning = row[_READ], row[_WRITE], row[_REASONING]
    if not tokens_in and not tokens_out and not total and tokens_in is not None and tokens_out is not None:
        # Zeros from a stream whose usage never came (OpenAI without include_usage): unknown, unless parts say more.
        tokens_in = tokens_out = None
        row[_INPUT] = row[_OUTPUT] = None
    if (
        dialect.thoughts_in_total
        and total
        and tokens_in is not None
        and tokens_out is not None
        and total > tokens_in + tokens_out
        and any(matches(pattern, row[_SCOPE] or "") for pattern in dialect.thoughts_in_total)
    ):
        tokens_out = row[_OUTPUT] = total - tokens_in
        row[_ADJUSTED] = "output_from_total"
    if tokens_in is not None and tokens_out is not None and not (read or write or reasoning or row[_MODALITY] or row[_SHAPE]):
        if row[_WRITE_1H] or row[_WRITE_5M]:
            _normalise(row, dialect, role, drop)
        elif read is None and write is None:
            row[_WRITE_1H] = None
        return
    if (
        read
        and tokens_in is not None
        and read <= tokens_in
        and tokens_out is not None
        and not (write or reasoning or total or row[_MODALITY] or row[_SHAPE])
        and row[_WRITE_1H] is None
        and row[_WRITE_5M] is None
        and not (row[_INCLUSIVE] is None and is_exclusive(dialect, row[_SCOPE], row[_PROVIDER]))
    ):
        return  # cached tokens that are part of the input already: by far the most calls that have any
    if (
        tokens_in is None
        and tokens_out is None
        and not (total or read or write or reasoning or row[_MODALITY] or row[_WRITE_1H])
    ):
        return
    _normalise(row, dialect, role, drop)


def _normalise(row: list[Any], dialect: Dialect, role: str, drop: Callable[[str], None]) -> None:
    tokens_in, tokens_out, total = row[_INPUT], row[_OUTPUT], row[_TOTAL]
    read, write, write_1h = row[_READ], row[_WRITE], row[_WRITE_1H]
    reasoning = row[_REASONING]
    notes = [row[_SHAPE]] if row[_SHAPE] in ("exclusive_cache", "exclusive_reasoning") else []
    if row[_ADJUSTED]:
        notes.append(row[_ADJUSTED])
    if write is None and (write_1h is not None or row[_WRITE_5M] is not None):
        write = (write_1h or 0) + (row[_WRITE_5M] or 0)
    if write_1h is not None:
        write_1h = min(write_1h, write or 0) or None
    # a missing part from the total
    if total and tokens_in is None and (tokens_out is not None or role == "embedding") and total >= (tokens_out or 0):
        tokens_in = total - (tokens_out or 0)
        notes.append("input_from_total")
    elif total and tokens_out is None and tokens_in is not None and total > tokens_in and role != "embedding":
        tokens_out = total - tokens_in
        notes.append("output_from_total")
    cached = (read or 0) + (write or 0)
    if cached:
        if tokens_in is None:
            tokens_in = cached
            notes.append("input_from_cache_parts")
        elif cached > tokens_in or (row[_SHAPE] is None and _leaves_cache_out(row, dialect, tokens_in, tokens_out, cached)):
            tokens_in += cached
            notes.append("exclusive_cache")
    if reasoning and (tokens_out is None or reasoning > tokens_out or _leaves_reasoning_out(row, dialect)):
        # Providers that count thoughts apart (Gemini) give more of them than of output.
        tokens_out = (tokens_out or 0) + reasoning
        notes.append("exclusive_reasoning")
    if tokens_in is not None and tokens_in > INT64_MAX:
        drop("input_tokens: sum beyond 64 bits")
        tokens_in = read = write = write_1h = None
    if tokens_out is not None and tokens_out > INT64_MAX:
        drop("output_tokens: sum beyond 64 bits")
        tokens_out = reasoning = None
    row[_INPUT], row[_OUTPUT], row[_READ], row[_WRITE] = tokens_in, tokens_out, read, write
    row[_WRITE_1H], row[_REASONING] = write_1h, reasoning
    if notes:
        row[_ADJUSTED] = ",".join(notes)
    if row[_MODALITY]:
        row[_MODALITY] = _modalities(row[_MODALITY], tokens_in, tokens_out)


def _modalities(gathered: list[tuple[int, str, int]], tokens_in: int | None, tokens_out: int | None) -> str | None:
    """Text, image and audio counts as a JSON object; a side whose parts exceed the whole is left out."""
    found: dict[str, int] = {}
    for _, key, number in sorted(gathered):
        side = "input" if "input" in key or "prompt" in key else "output"
        modality = next((word for word in MODALITIES if word in key), None)
        if modality and number:
            found.setdefault(f"{side}_{modality}", number)
    for side, whole in (("input", tokens_in), ("output", tokens_out)):
        parts = [name for name in found if name.startswith(side)]
        if whole is None or sum(found[name] for name in parts) > whole:
            for name in parts:
                del found[name]
    return json_text(dict(sorted(found.items()))) if found else None
