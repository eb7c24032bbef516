"""The pages. Each is a frame that its script fills from ``/api/v1``; nothing of the store is in the HTML itself."""

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from flask import Blueprint, Response, make_response, redirect, render_template, request
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response as AnyResponse

from otel_llm import __version__
from otel_llm.access import Caller
from otel_llm.access.login_sessions import LoginSessions
from otel_llm.errors import PermissionDenied, Unauthenticated
from query_api import sessions
from query_api.access import reader_of
from query_api.dashboard.assets import Assets
from query_api.dashboard.login import caller_with, from_own_page, safe_target
from query_api.errors import HOUSE, ApiError

if TYPE_CHECKING:
    from otel_llm.collector import Collector

PAGES: dict[str, tuple[str, str]] = {
    "/": ("overview", "Overview"),
    "/ui/usage": ("usage", "Usage"),
    "/ui/calls": ("calls", "Calls"),
    "/ui/health": ("health", "Data health"),
}
"""Path to template (and module) and title, in the order of the navigation."""

HEADERS: dict[str, str] = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "same-origin",
}
"""On every page: scripts and styles from here only, nothing inline."""


def blueprint(collector: "Collector") -> Blueprint:
    """The dashboard of a collector."""
    routes = Blueprint("dashboard", __name__, template_folder="../templates")
    assets = Assets()
    door = collector.door
    known = LoginSessions(collector.engine.sql, door, collector.settings.keys_refresh_s)
    routes.record_once(lambda state: state.app.extensions.update({sessions.EXTENSION: known}))

    def html(template: str, status: int = 200, **values: Any) -> Response:
        page = render_template(template, asset=assets.url, pages=PAGES, version=__version__, path=request.path, **values)
        response = make_response(page, status)
        response.headers.update(HEADERS)
        return response

    def shown(template: str, status: int = 200, **values: Any) -> AnyResponse:
        """A page for those who may read; the login for others, if a key would help."""
        try:
            caller: Caller = reader_of(door, HOUSE)
        except PermissionDenied:
            return html("refused.html", 403, title="Not allowed", sentence="This key lacks the scope read.")
        except ApiError as refusal:
            if door.has_keys:
                here = request.full_path.rstrip("?")
                return redirect("/ui/login?next=" + quoted(here) if here != "/" else "/ui/login", 303)
            return html("refused.html", 403, title="Not from here", sentence=refusal.message or "")
        return html(template, status, project=caller.project, logged_in=caller.key_id is not None, **values)

    def serve(path: str, name: str, title: str) -> None:
        routes.add_url_rule(path, name, lambda: shown(f"{name}.html", title=title, module=name), methods=["GET"])

    for path, (name, title) in PAGES.items():
        serve(path, name, title)

    @routes.get("/ui/traces/<trace_id>")
    def trace(trace_id: str) -> AnyResponse:
        return shown("trace.html", title="Trace", module="trace", trace_id=trace_id)

    @routes.get("/ui")
    @routes.get("/ui/")
    def ui() -> AnyResponse:
        return redirect("/", 308)

    @routes.get("/ui/<path:unknown>")
    def not_found(unknown: str) -> AnyResponse:
        del unknown
        return shown("not_found.html", 404, title="Not found")

    @routes.get("/ui/login")
    def login() -> AnyResponse:
        if not door.has_keys:
            return redirect("/", 303)
        return html("login.html", title="Log in", target=safe_target(request.args.get("next")))

    @routes.post("/ui/login")
    def log_in() -> AnyResponse:
        target = safe_target(request.form.get("next"))
        if not from_own_page():
            return html("refused.html", 403, title="Not from here", sentence="This form was sent by another site.")
        try:
            caller = caller_with(door, request.form.get("key", ""))
        except (Unauthenticated, PermissionDenied) as error:
            status = 403 if isinstance(error, PermissionDenied) else 401
            return html("login.html", status, title="Log in", target=target, problem=str(error))
        response = make_response(redirect(target, 303))
        sessions.set_cookie(response, known.begin(caller.key_id or ""))
        return response

    @routes.post("/ui/logout")
    def log_out() -> AnyResponse:
        if not from_own_page():
            return html("refused.html", 403, title="Not from here", sentence="This form was sent by another site.")
        known.end(request.cookies.get(sessions.COOKIE, ""))
        response = make_response(redirect("/ui/login", 303))
        sessions.clear_cookie(response)
        return response

    @routes.get("/ui/assets/<digest>/<path:name>")
    def asset(digest: str, name: str) -> AnyResponse:
        try:
            return assets.response(digest, name)
        except NotFound:
            return Response("not found", 404, mimetype="text/plain")

    @routes.get("/favicon.ico")
    def favicon() -> AnyResponse:
        return redirect(assets.url("icon.svg"), 307)

    return routes


def quoted(target: str) -> str:
    """A path with its query, as the value of a query parameter."""
    return quote(target, safe="/")
