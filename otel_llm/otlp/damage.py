"""What of a decoded request could not be read: whole items, or single values of items that were kept."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Final


class Undecodable(Exception):
    """A part of a request cannot be read; the text says what and where. Whoever can do without that part catches it."""


_NOTHING: Final[Counter[str]] = Counter()


def _nothing() -> Counter[str]:
    return _NOTHING


def _one_more(counts: Counter[str], reason: str) -> Counter[str]:
    if counts is _NOTHING:
        counts = Counter()
    counts[reason] += 1
    return counts


@dataclass(slots=True)
class Damage:
    """Damage of one request, by reason. The sentences name the first of each kind.

    Every request has one and most are whole, so that those share their counts, which nobody else may change.
    """

    rejected: Counter[str] = field(default_factory=_nothing)
    values: Counter[str] = field(default_factory=_nothing)
    sentences: dict[str, str] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.rejected or self.values)

    def reject(self, reason: str, sentence: str) -> None:
        """Counts an item that is left out."""
        self.rejected = _one_more(self.rejected, reason)
        self.sentences.setdefault(reason, sentence)

    def drop(self, reason: str, sentence: str) -> None:
        """Counts a value that is left out, or was mended, in an item that is kept."""
        self.values = _one_more(self.values, reason)
        self.sentences.setdefault(reason, sentence)

    def add(self, other: "Damage") -> None:
        """Adds the damage of a part."""
        self.rejected = self.rejected + other.rejected
        self.values = self.values + other.values
        self.sentences = {**other.sentences, **self.sentences}

    def message(self, noun: str) -> str:
        """A sentence for partial_success; empty without damage."""
        parts = []
        if self.rejected:
            total = self.rejected.total()
            parts.append(f"{total} {noun}{'s' if total > 1 else ''} rejected: {self._list(self.rejected)}")
        if self.values:
            total = self.values.total()
            parts.append(f"{total} value{'s' if total > 1 else ''} could not be read: {self._list(self.values)}")
        return ". ".join(parts)

    def before(self, message: str, noun: str) -> str:
        """Its sentence, and a message about the rest behind it; either may be empty."""
        return ". ".join(part for part in (self.message(noun), message) if part)

    def _list(self, counts: Counter[str]) -> str:
        return "; ".join(f"{self.sentences[reason]} ({reason}, {count})" for reason, count in counts.items())
