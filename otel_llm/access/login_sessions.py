"""Login sessions: a key is typed in once, a random token stands for it in the browser from then on.

The store knows their digests, so that a session outlives a restart and holds on every server of a store. It ends after
twelve hours, at logout, or with its key.
"""

import hashlib
import secrets
import threading
import time
from collections.abc import Callable
from typing import NamedTuple

import sqlalchemy as sa

from otel_llm.access.caller import Caller
from otel_llm.access.door import Door
from otel_llm.errors import Unauthenticated
from otel_llm.store import schema

LIFETIME_S = 12 * 3600
MAX_PER_KEY = 1_000
"""Sessions are small; beyond this the oldest of the key end."""
MAX_REMEMBERED = 10_000
NS = 1_000_000_000
CLEARED_EVERY_S = 3_600.0
_TABLE = schema.login_sessions
_C = _TABLE.c


class _Session(NamedTuple):
    public_key: str
    begun_ns: int
    ends_ns: int
    asked_s: float
    """When the store said so, by the monotonic clock."""


class LoginSessions:
    """Tokens and the keys they stand for. Thread-safe.

    ``remember_s``: for how long an answer of the store is good, and so how late the logout at another server is noticed;
    0 asks each time.
    """

    def __init__(self, sql: sa.Engine, door: Door, remember_s: float, clock: Callable[[], int] = time.time_ns) -> None:
        self._sql = sql
        self._door = door
        self._remember_s = remember_s
        self._clock = clock
        self._lock = threading.Lock()
        self._remembered: dict[bytes, _Session] = {}
        self._cleared_s = float("-inf")

    def begin(self, public_key: str) -> str:
        """A new token for a key that was just proven."""
        token = secrets.token_urlsafe(32)
        now = self._clock()
        row = {
            "token_sha256": _digest(token),
            "public_key": public_key,
            "begun_ns": now,
            "ends_ns": now + LIFETIME_S * NS,
        }
        with self._sql.begin() as connection:
            connection.execute(sa.insert(_TABLE), [row])
            self._clear(connection, public_key, now)
        return token

    def caller(self, token: str) -> Caller:
        """Whose token it is. Raises Unauthenticated."""
        found = self._session(_digest(token))
        if found is None or found.ends_ns <= self._clock():
            raise Unauthenticated("The session has ended: log in again.")
        return self._door.caller_of(found.public_key)

    def end(self, token: str) -> None:
        """Ends a session, here at once, elsewhere within ``remember_s``."""
        digest = _digest(token)
        with self._lock:
            self._remembered.pop(digest, None)
        found = self._asked(digest)
        now = self._clock()
        if found is None or found.ends_ns <= now:
            return
        row = {"token_sha256": digest, "public_key": found.public_key, "begun_ns": found.begun_ns, "ends_ns": now}
        with self._sql.begin() as connection:
            connection.execute(sa.insert(_TABLE), [row])
        with self._lock:  # a request that was under way may have remembered it again
            self._remembered.pop(digest, None)

    def _session(self, digest: bytes) -> _Session | None:
        known = self._remembered.get(digest)
        if known is not None and time.monotonic() - known.asked_s < self._remember_s:
            return known
        found = self._asked(digest)
        with self._lock:
            self._remembered.pop(digest, None)
            if found is not None:
                if len(self._remembered) >= MAX_REMEMBERED:
                    del self._remembered[next(iter(self._remembered))]
                self._remembered[digest] = found
        return found

    def _asked(self, digest: bytes) -> _Session | None:
        at = time.monotonic()
        query = sa.select(_C.public_key, sa.func.min(_C.begun_ns), sa.func.min(_C.ends_ns))
        with self._sql.connect() as connection:
            row = connection.execute(query.where(_C.token_sha256 == digest).group_by(_C.public_key)).first()
        return None if row is None else _Session(str(row[0]), int(row[1]), int(row[2]), at)

    def _clear(self, connection: sa.Connection, public_key: str, now: int) -> None:
        """Rows of sessions that are over; both of a logout have the same beginning, and go together."""
        own = _C.public_key == public_key
        newest = sa.select(_C.begun_ns).where(own).order_by(_C.begun_ns.desc()).offset(MAX_PER_KEY).limit(1)
        surplus = connection.execute(newest).scalar()
        if surplus is not None:
            connection.execute(sa.delete(_TABLE).where(own, _C.begun_ns <= int(surplus)))
        if time.monotonic() - self._cleared_s >= CLEARED_EVERY_S:
            connection.execute(sa.delete(_TABLE).where(_C.begun_ns < now - LIFETIME_S * NS))
            self._cleared_s = time.monotonic()


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
