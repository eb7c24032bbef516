"""Who is calling: the outcome of authentication, on every protocol."""

from dataclasses import dataclass
from typing import Literal

Scope = Literal["ingest", "read", "admin"]
SCOPES: tuple[Scope, ...] = ("ingest", "read", "admin")
DEFAULT_PROJECT = "default"


@dataclass(frozen=True, slots=True)
class Caller:
    """An authenticated caller. ``key_id`` is the public id of its key, None in open mode."""

    project: str
    key_id: str | None
    scopes: frozenset[Scope]

    def may(self, scope: Scope) -> bool:
        """True when the caller holds the scope; admin holds all."""
        return scope in self.scopes or "admin" in self.scopes

    def is_foreign(self, project: str | None) -> bool:
        """True when an ``x-project-id`` names another project than the caller's. In open mode the header means nothing."""
        return self.key_id is not None and bool(project) and project != self.project


def operator_of(project: str) -> Caller:
    """Who holds the database of a running server: reads any project, manages all."""
    return Caller(project or DEFAULT_PROJECT, None, frozenset(SCOPES))


OPEN_CALLER = Caller(DEFAULT_PROJECT, None, frozenset(SCOPES))
"""Everybody, while a loopback server has no key."""
