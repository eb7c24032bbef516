"""What ``--retention`` says: how long, and up to which size, what was received is kept."""

from typing import NamedTuple

from otel_llm.quantities import BYTES, SECONDS, seconds, size

RETENTION_FORM = "limits such as 90d, 20GB, 90d,20GB or 30d,team-a=7d,team-a=5GB"


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
        if age <= 0:
            raise ValueError("an age above zero")
        return RetentionRule(project or None, age, None)
    if unit in BYTES and unit != "m":
        return RetentionRule(project or None, None, size(limit))
    raise ValueError(f"expected {RETENTION_FORM}")
