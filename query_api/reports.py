"""``/api/v1/stats``, ``models``, ``calls`` and ``unpriced``: neutral reports, the ones the command line prints.

Parameters: ``from`` (inclusive) and ``to`` (exclusive), ISO 8601; ``model``, ``provider``, ``agent``, ``user``: equality
(not for ``unpriced``); ``limit`` (``calls`` only). All are optional; an empty one counts as absent.
"""

from typing import TYPE_CHECKING

from flask import Blueprint, Response, request

from otel_llm.access import Caller
from otel_llm.pricing.unpriced import unpriced
from otel_llm.store.queries import reports
from otel_llm.store.queries.calls import CallFilter
from otel_llm.store.queries.reading import reading
from otel_llm.store.queries.window import Window
from query_api.access import reader_of
from query_api.answers import answer
from query_api.errors import ApiError, product_of
from query_api.instants import parse_instant

if TYPE_CHECKING:
    from otel_llm.collector import Collector

DEFAULT_CALLS = 20
MAX_CALLS = 1000


def blueprint(collector: "Collector") -> Blueprint:
    """The endpoints."""
    routes = Blueprint("reports", __name__, url_prefix="/api/v1")
    timeout_s = collector.settings.query_timeout_s

    def reader() -> Caller:
        return reader_of(collector.door, product_of(request.path))

    @routes.get("/stats")
    def stats() -> Response:
        caller, window = reader(), _window()
        with reading(collector.engine, timeout_s) as store:
            return answer(reports.stats(store, caller.project, window, _filters()))

    @routes.get("/models")
    def models() -> Response:
        caller, window = reader(), _window()
        with reading(collector.engine, timeout_s) as store:
            return answer({"models": reports.models(store, caller.project, window, _filters())})

    @routes.get("/calls")
    def calls() -> Response:
        caller, window = reader(), _window()
        text = request.args.get("limit") or str(DEFAULT_CALLS)
        if not (text.isascii() and text.isdigit() and len(text) <= 9 and 1 <= int(text) <= MAX_CALLS):
            raise ApiError(400, f"limit is a whole number from 1 to {MAX_CALLS}")
        with reading(collector.engine, timeout_s) as store:
            return answer({"calls": reports.recent(store, caller.project, window, _filters(), int(text))})

    @routes.get("/unpriced")
    def unpriced_models() -> Response:
        caller, window = reader(), _window()
        found = unpriced(collector.engine, caller.project, window, timeout_s=timeout_s)
        return answer({"models": [model.document() for model in found]})

    return routes


def _window() -> Window:
    return Window.before(_instant("from"), _instant("to"))


def _instant(name: str) -> int | None:
    text = request.args.get(name)
    if not text:
        return None
    found = parse_instant(text)
    if found is None:
        raise ApiError(400, f"{name} is ISO 8601, e.g. 2026-02-08 or 2026-02-08T10:00:00Z")
    return found.ns


def _filters() -> CallFilter:
    return CallFilter(
        model=request.args.get("model") or None,
        provider=request.args.get("provider") or None,
        agent=request.args.get("agent") or None,
        user_id=request.args.get("user") or None,
    )
