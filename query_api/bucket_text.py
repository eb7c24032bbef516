"""Bucket starts as text."""

from datetime import UTC, datetime
from functools import lru_cache


@lru_cache(maxsize=65_536)
def plain(epoch_s: int) -> str:
    """``2025-01-23 04:00:00``, UTC."""
    return datetime.fromtimestamp(epoch_s, UTC).strftime("%Y-%m-%d %H:%M:%S")


@lru_cache(maxsize=65_536)
def iso(epoch_s: int) -> str:
    """``2026-02-08T10:00:00Z``."""
    return datetime.fromtimestamp(epoch_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
