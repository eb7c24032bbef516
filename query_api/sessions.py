"""Sessions of the dashboard: a key is typed in once, a random token stands for it from then on.

Tokens live in the memory of this process, hashed, and end with it, after twelve hours, at logout, or with their key. They
open what a browser shows and nothing else: GET requests of the dashboard, ``/api/v1`` (not its admin part) and
``/metrics``.
"""

import hashlib
import secrets
import threading
import time
from collections.abc import Callable

from flask import Response, current_app, request

from otel_llm.access import Caller, Door
from otel_llm.errors import Unauthenticated

COOKIE = "otel_llm_session"
LIFETIME_S = 12 * 3600
MAX_SESSIONS = 10_000
"""Sessions are small; beyond this the oldest ends."""
EXTENSION = "otel_llm_sessions"
"""Where a Flask application keeps its :class:`Sessions`."""
_PATHS = ("/api/v1/", "/ui/")
_CLOSED = ("/api/v1/admin",)


class Sessions:
    """Tokens and the keys they stand for. Thread-safe."""

    def __init__(self, door: Door, clock: Callable[[], float] = time.monotonic) -> None:
        self._door = door
        self._clock = clock
        self._lock = threading.Lock()
        self._known: dict[bytes, tuple[str, float]] = {}

    def begin(self, public_key: str) -> str:
        """A new token for a key that was just proven."""
        token = secrets.token_urlsafe(32)
        now = self._clock()
        with self._lock:
            for digest in [digest for digest, (_, ends) in self._known.items() if ends <= now]:
                del self._known[digest]
            while len(self._known) >= MAX_SESSIONS:
                del self._known[next(iter(self._known))]
            self._known[_digest(token)] = (public_key, now + LIFETIME_S)
        return token

    def caller(self, token: str) -> Caller:
        """Whose token it is. Raises Unauthenticated."""
        found = self._known.get(_digest(token))
        if found is None or found[1] <= self._clock():
            raise Unauthenticated("The session has ended: log in again.")
        return self._door.caller_of(found[0])

    def end(self, token: str) -> None:
        """Forgets a token."""
        with self._lock:
            self._known.pop(_digest(token), None)


def session_caller() -> Caller | None:
    """The caller of this request's session cookie; None when it has none, or asks for what a session does not open."""
    sessions: Sessions | None = current_app.extensions.get(EXTENSION)
    token = request.cookies.get(COOKIE)
    if sessions is None or not token or not _opens(request.method, request.path):
        return None
    try:
        return sessions.caller(token)
    except Unauthenticated:
        return None


def set_cookie(response: Response, token: str) -> None:
    """Gives the token to the browser: out of reach of scripts, never sent along from another site."""
    response.set_cookie(COOKIE, token, max_age=LIFETIME_S, httponly=True, samesite="Strict", secure=request.is_secure, path="/")


def clear_cookie(response: Response) -> None:
    """Takes it back."""
    response.delete_cookie(COOKIE, httponly=True, samesite="Strict", secure=request.is_secure, path="/")


def _opens(method: str, path: str) -> bool:
    if method not in ("GET", "HEAD") or path.startswith(_CLOSED):
        return False
    return path in ("/", "/ui", "/metrics") or path.startswith(_PATHS)


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
