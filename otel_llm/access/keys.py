"""API keys: a public id that may be shown, and a 256-bit secret that is shown once and stored as its SHA-256.

The secret is random, so a plain digest is enough: there is no dictionary to try, and a slow hash would only slow the door.
"""

import json
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from otel_llm.access.caller import SCOPES, Caller, Scope

DEFAULT_SCOPES: tuple[Scope, ...] = ("ingest", "read")
PUBLIC_PREFIX = "pk-otel-"
SECRET_PREFIX = "sk-otel-"  # noqa: S105 - what secrets start with, so that scanners can find leaked ones


@dataclass(frozen=True, slots=True)
class Key:
    """A stored key; times in ns since 1970."""

    public_key: str
    secret_sha256: bytes = field(repr=False)
    project: str
    scopes: tuple[Scope, ...]
    created_ns: int
    expires_ns: int | None = None
    revoked_ns: int | None = None
    last_used_ns: int | None = None

    def caller(self) -> Caller:
        """Who holds this key."""
        return Caller(self.project, self.public_key, frozenset(self.scopes))

    def valid(self, now_ns: int) -> bool:
        """True while neither revoked nor expired."""
        return self.revoked_ns is None and (self.expires_ns is None or now_ns < self.expires_ns)

    def status(self, now_ns: int) -> str:
        """active, expired or revoked."""
        return "revoked" if self.revoked_ns is not None else "active" if self.valid(now_ns) else "expired"


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key at the only moment its secret is known."""

    key: Key
    secret_key: str = field(repr=False)


def digest(secret: str) -> bytes:
    """What is stored of a secret."""
    return sha256(secret.encode("utf-8", "surrogateescape")).digest()


def generate(project: str, scopes: Iterable[Scope], *, now_ns: int, expires_ns: int | None = None) -> NewKey:
    """A new key pair of a project."""
    chosen = set(scopes)
    secret = SECRET_PREFIX + secrets.token_urlsafe(32)
    key = Key(
        public_key=PUBLIC_PREFIX + secrets.token_hex(12),
        secret_sha256=digest(secret),
        project=project,
        scopes=tuple(scope for scope in SCOPES if scope in chosen),
        created_ns=now_ns,
        expires_ns=expires_ns,
    )
    return NewKey(key, secret)


def to_row(key: Key, updated_ns: int) -> dict[str, Any]:
    """The row that records the present state of a key."""
    return {
        "public_key": key.public_key,
        "secret_sha256": key.secret_sha256,
        "project": key.project,
        "scopes": json.dumps(key.scopes),
        "created_ns": key.created_ns,
        "expires_ns": key.expires_ns,
        "revoked_ns": key.revoked_ns,
        "last_used_ns": key.last_used_ns,
        "updated_ns": updated_ns,
    }


def merge(rows: Iterable[Mapping[str, Any]]) -> dict[str, Key]:
    """The state of every key from its append-only rows, whatever their order.

    Rows of several processes meet here, some written from a view that is seconds old. So states are joined, not
    replaced: once revoked is revoked, the earliest expiry holds, the latest use counts. A late note of a use can
    therefore never bring a revoked key back.
    """
    merged: dict[str, Key] = {}
    for row in rows:
        public_key = str(row["public_key"])
        old = merged.get(public_key)
        merged[public_key] = Key(
            public_key=public_key,
            secret_sha256=old.secret_sha256 if old else bytes(row["secret_sha256"]),
            project=old.project if old else str(row["project"]),
            scopes=old.scopes if old else tuple(scope for scope in SCOPES if scope in json.loads(row["scopes"])),
            created_ns=old.created_ns if old else int(row["created_ns"]),
            expires_ns=_join(min, old and old.expires_ns, row["expires_ns"]),
            revoked_ns=_join(min, old and old.revoked_ns, row["revoked_ns"]),
            last_used_ns=_join(max, old and old.last_used_ns, row["last_used_ns"]),
        )
    return merged


def _join(choose: Any, *times: Any) -> int | None:
    known = [int(time) for time in times if time is not None]
    return int(choose(known)) if known else None
