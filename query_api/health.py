"""GET /healthz: is the server there, does its store answer, and what became of everything that arrived.

Strangers at a closed door learn the first two. A key that may read sees the counters of its project.
"""

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from flask import Blueprint, Response

from otel_llm import __version__
from otel_llm.errors import OtelLLMError
from otel_llm.store.queries.reading import run
from query_api.access import known_reader, seen_by
from query_api.answers import answer
from query_api.errors import log

if TYPE_CHECKING:
    from otel_llm.collector import Collector

STORE_TIMEOUT_S = 5.0
"""A store that cannot answer ``SELECT 1`` for this long is not healthy."""


def blueprint(collector: "Collector") -> Blueprint:
    """The endpoint."""
    routes = Blueprint("health", __name__)

    @routes.get("/healthz")
    def healthz() -> Response:
        healthy = _store_answers(collector)
        document: dict[str, Any] = {"status": "ok" if healthy else "unavailable"}
        caller = known_reader(collector.door)
        if caller is not None:
            document |= {"version": __version__, **collector.accounting.snapshot(seen_by(caller))}
        return answer(document, 200 if healthy else 503)

    return routes


def _store_answers(collector: "Collector") -> bool:
    try:
        run(collector.engine, sa.select(sa.literal(1)), STORE_TIMEOUT_S, sql=collector.engine.small_tables)
    except (OtelLLMError, sa.exc.SQLAlchemyError) as error:
        log.warning("the store does not answer: %s", error)
        return False
    return True
