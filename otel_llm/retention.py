"""What ``--retention`` says: how long, and up to which size, what was received is kept."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from otel_llm.quantities import BYTES, SECONDS, seconds, size

RETENTION_FORM = "limits such as 90d, 20GB, 90d,20GB or 30d,team-a=7d,team-a=5GB"
_MOST_YEARS = 200
_YEAR_S = 365 * 86_400


class RetentionRule(NamedTuple):
    """One limit. ``project`` None is every project without an age of its own, or the size of the whole store; the size of a
    project is its share of the store, by its rows."""

    project: str | None
    max_age_s: float | None
    max_bytes: int | None


def parse_rule(text: str) -> RetentionRule:
    """``90d`` (age), ``20GB`` (size of the store), ``team-a=7d`` or ``team-a=5GB`` (in one project). Raises ValueError."""
    project, separator, limit = text.rpartition("=")
    project = project.strip()
    if separator and not project:
        raise ValueError(f"expected {RETENTION_FORM}")
    unit = limit.strip().lstrip("0123456789. ").lower()
    # "m" alone would be minutes or megabytes: neither is a retention, so it is refused rather than guessed
    if unit in SECONDS and unit not in {"m", "ms"}:
        age = seconds(limit)
        if not 0 < age <= _MOST_YEARS * _YEAR_S:  # nanoseconds of 64 bits reach 292 years back
            raise ValueError(f"an age above zero and of at most {_MOST_YEARS} years")
        return RetentionRule(project or None, age, None)
    if unit in BYTES and unit != "m":
        return RetentionRule(project or None, None, size(limit))
    raise ValueError(f"expected {RETENTION_FORM}")


class Ages(NamedTuple):
    """How many seconds rows are kept."""

    general: float | None = None
    """In every project without an age of its own; None is for ever."""
    by_project: Mapping[str, float] = {}

    def __bool__(self) -> bool:
        return self.general is not None or bool(self.by_project)


def ages(rules: Sequence[RetentionRule]) -> Ages:
    """The ages among some rules; of two for the same rows the later one counts."""
    found = {rule.project: rule.max_age_s for rule in rules if rule.max_age_s is not None}
    general = found.pop(None, None)
    return Ages(general, {project: age for project, age in found.items() if project is not None})
