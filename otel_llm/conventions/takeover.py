"""What the counted record of a call takes over from its other records: every fillable field it lacks, if it fits.

A value never contradicts what the counted record says itself: parts stay within their whole, a time to first token within the
call, a follower (the source of a cost, the port of a server) comes with the value it belongs to.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import msgspec

from otel_llm.spans import FILLABLE

Row = dict[str, Any]
Own = Mapping[str, Any]

_TTFT_SLACK_NS = 1_000_000

_TOGETHER: dict[str, tuple[str, ...]] = {
    "input_tokens": ("cache_read_tokens", "cache_write_tokens", "cache_write_1h_tokens"),
    "output_tokens": ("reasoning_tokens",),
    "cost_reported": ("cost_reported_source", "cost_reported_input", "cost_reported_output"),
    "ttft_ns": ("ttft_source",),
}
"""Whole -> what is read together with it: taken from the same record as the whole."""
_BELONGS_TO = {
    "user_name": "user_id",
    "user_tags": "user_id",
    "agent_id": "agent_name",
    "prompt_version": "prompt_name",
    "server_port": "server_address",
}
"""Field -> the field it qualifies: taken only from a record that has the same value there."""
_ORDER = (
    *_TOGETHER,
    *(part for parts in _TOGETHER.values() for part in parts),
    *(name for name in FILLABLE if name not in _TOGETHER and name not in _BELONGS_TO),
    *_BELONGS_TO,
)
_FIELDS = tuple(dict.fromkeys(_ORDER))
_WHOLE_OF = {part: whole for whole, parts in _TOGETHER.items() for part in parts}
_NEVER_ALONE = frozenset(_TOGETHER["cost_reported"] + _TOGETHER["ttft_ns"])
"""Taken only with their whole: they say nothing about another record's value."""


def takeover(keeper: Row, donors: Sequence[Row]) -> list[str]:
    """Fills what the counted record lacks from the other records' own values; the first donor with a fitting value gives it.

    ``keeper`` and ``donors`` are full rows by field name; values a donor took over itself (its ``filled``) are not its own.
    The keeper's row is changed in place, except for ``filled``: the names to put there are returned, sorted.
    """
    others = [_own(donor) for donor in donors]
    taken: list[str] = []
    for name in _FIELDS:
        if keeper[name] is None and name not in _NEVER_ALONE and _WHOLE_OF.get(name) not in taken:
            for donor in others:
                value = donor.get(name)
                if value is not None and _fits(name, keeper, donor):
                    taken.append(name)
                    keeper[name] = value
                    _take_parts(name, keeper, donor, taken)
                    break
    return sorted(taken)


def restore(row: Row) -> None:
    """Gives a row its own values back: what it took over becomes None again."""
    for name in filled_fields(row):
        row[name] = None
    row["filled"] = None


def filled_fields(row: Own) -> Sequence[str]:
    """Names of the fields a row took over."""
    filled = row.get("filled")
    return msgspec.json.decode(filled, type=list[str]) if filled else ()


def _own(donor: Row) -> Own:
    names = filled_fields(donor)
    return {name: value for name, value in donor.items() if name not in names} if names else donor


def _take_parts(whole: str, keeper: Row, donor: Own, taken: list[str]) -> None:
    for part in _TOGETHER.get(whole, ()):
        value = donor.get(part)
        if keeper[part] is None and value is not None and _fits(part, keeper, donor):
            keeper[part] = value
            taken.append(part)


def _fits(name: str, keeper: Row, donor: Own) -> bool:
    owner = _BELONGS_TO.get(name)
    if owner is not None:
        return bool(keeper[owner] == donor.get(owner))
    check = _CHECKS.get(name)
    return check is None or check({**keeper, name: donor[name]}, donor)


def _within(whole: str, parts: Iterable[str]) -> Callable[[Own, Own], bool]:
    names = tuple(parts)

    def check(row: Own, _donor: Own) -> bool:
        return row[whole] is None or sum(row[name] or 0 for name in names) <= row[whole]

    return check


def _total_fits(row: Own, _donor: Own) -> bool:
    known = [row[name] for name in ("input_tokens", "output_tokens") if row[name] is not None]
    return bool(row["total_tokens"] == sum(known) if len(known) == 2 else row["total_tokens"] >= sum(known))


def _ttft_fits(row: Own, _donor: Own) -> bool:
    return bool(0 < row["ttft_ns"] <= row["end_ns"] - row["start_ns"] + _TTFT_SLACK_NS)


def _cost_fits(row: Own, donor: Own) -> bool:
    """A cost of 0 from a record that knows of no tokens says nothing about a call that has some."""
    names = ("input_tokens", "output_tokens")
    return bool(row["cost_reported"] or any(donor.get(name) for name in names) or not any(row[name] for name in names))


_cache_within_input = _within("input_tokens", ("cache_read_tokens", "cache_write_tokens"))
_CHECKS: dict[str, Callable[[Own, Own], bool]] = {
    "input_tokens": _cache_within_input,
    "cache_read_tokens": _cache_within_input,
    "cache_write_tokens": lambda row, donor: (
        _cache_within_input(row, donor) and (row["cache_write_1h_tokens"] or 0) <= row["cache_write_tokens"]
    ),
    "cache_write_1h_tokens": _within("cache_write_tokens", ("cache_write_1h_tokens",)),
    "output_tokens": _within("output_tokens", ("reasoning_tokens",)),
    "reasoning_tokens": _within("output_tokens", ("reasoning_tokens",)),
    "total_tokens": _total_fits,
    "ttft_ns": _ttft_fits,
    "cost_reported": _cost_fits,
}
