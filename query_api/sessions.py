"""The cookie of a login session, and what it opens: what a browser shows and nothing else, that is GET requests of the
dashboard, of ``/api/v1`` (not its admin part) and of ``/metrics``.
"""

from flask import Response, current_app, request

from otel_llm.access import Caller
from otel_llm.access.login_sessions import LIFETIME_S, LoginSessions
from otel_llm.errors import Unauthenticated

COOKIE = "otel_llm_session"
EXTENSION = "otel_llm_sessions"
"""Where a Flask application keeps its :class:`~otel_llm.access.login_sessions.LoginSessions`."""
_PATHS = ("/api/v1/", "/ui/")
_CLOSED = ("/api/v1/admin",)


def session_caller() -> Caller | None:
    """The caller of this request's session cookie; None when it has none, or asks for what a session does not open."""
    sessions: LoginSessions | None = current_app.extensions.get(EXTENSION)
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
