"""GET /healthz: is the server there, does its store answer, and what became of everything that arrived."""

from typing import TYPE_CHECKING

import sqlalchemy as sa
from flask import Blueprint, Response, request

from otel_llm import __version__
from otel_llm.errors import OtelLLMError
from otel_llm.store.queries.reading import run
from query_api.access import reader_of
from query_api.answers import answer
from query_api.errors import HOUSE, ApiError, log

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
        return answer(
            {
                "status": "ok" if healthy else "unavailable",
                **({"version": __version__} if _may_read(collector) else {}),
                **collector.accounting.snapshot(),
            },
            200 if healthy else 503,
        )

    return routes


def _store_answers(collector: "Collector") -> bool:
    try:
        run(collector.engine, sa.select(sa.literal(1)), STORE_TIMEOUT_S)
    except (OtelLLMError, sa.exc.SQLAlchemyError) as error:
        log.warning("the store does not answer: %s", error)
        return False
    return True


def _may_read(collector: "Collector") -> bool:
    """Strangers are not told the version."""
    if not collector.door.open and not {"Authorization", "X-Api-Key"} & {name.title() for name, _ in request.headers.items()}:
        return False
    try:
        reader_of(collector.door, HOUSE)
    except (OtelLLMError, ApiError):
        return False
    return True
