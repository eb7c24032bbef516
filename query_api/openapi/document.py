"""The document, put together from its modules."""

from functools import cache
from types import ModuleType
from typing import TYPE_CHECKING

from flask import Blueprint, Response

from otel_llm import __version__
from query_api.answers import answer
from query_api.openapi import agentlens, flashback, house, langdb, langfuse, reports, v1
from query_api.openapi.parts import Json

if TYPE_CHECKING:
    from otel_llm.collector import Collector

MODULES: tuple[ModuleType, ...] = (langfuse, langdb, flashback, agentlens, reports, v1, house)
"""Each has PATHS and SCHEMAS."""
_STRANGERS_SEE = __version__.partition(".")[0]
"""The whole version is told to keys only."""


@cache
def document() -> Json:
    """The OpenAPI 3.1 description of the query API."""
    paths: Json = {}
    schemas: Json = {}
    for module in MODULES:
        paths |= module.PATHS
        schemas |= module.SCHEMAS
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "otel-llm",
            "version": _STRANGERS_SEE,
            "description": "LLM cost, tokens, latency and time to first token, in the words of four products. Times are UTC.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "description": "secret key"},
                "basic": {"type": "http", "scheme": "basic", "description": "public key and secret key"},
                "apiKey": {"type": "apiKey", "in": "header", "name": "X-Api-Key", "description": "secret key"},
            },
        },
    }


def blueprint(collector: "Collector") -> Blueprint:
    """The endpoint."""
    routes = Blueprint("openapi", __name__)

    @routes.get("/openapi.json")
    def openapi() -> Response:
        return answer(document())

    return routes
