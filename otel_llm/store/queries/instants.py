"""How times are written in documents."""

from datetime import UTC, datetime

from otel_llm.store.queries.window import NS_PER_S, NS_PER_US


def iso(time_ns: int) -> str:
    """ISO 8601 in UTC, to the microsecond (to the second when there is no fraction)."""
    seconds, rest = divmod(time_ns, NS_PER_S)
    whole = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{whole}.{rest // NS_PER_US:06d}Z" if rest // NS_PER_US else f"{whole}Z"
