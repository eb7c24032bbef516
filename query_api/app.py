"""The Flask application: one module for each product, one error table, one set of headers."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from flask import Blueprint, Flask

from query_api import admin, agentlens, dashboard, flashback, health, langdb, langfuse, openapi, prometheus, reports, v1
from query_api.answers import add_security_headers
from query_api.compression import compress_answers
from query_api.cross_origin import allow_origins
from query_api.errors import handle_errors

if TYPE_CHECKING:
    from otel_llm.collector import Collector

BLUEPRINTS: tuple[Callable[["Collector"], Blueprint], ...] = (
    langdb.blueprint,
    langfuse.blueprint,
    flashback.blueprint,
    agentlens.blueprint,
    health.blueprint,
    openapi.blueprint,
    reports.blueprint,
    admin.blueprint,
    v1.blueprint,
    dashboard.blueprint,
    prometheus.blueprint,
)
MAX_BODY_BYTES = 1024 * 1024
"""The largest documented body is a few kB of tag keys."""


def create_app(collector: "Collector") -> Flask:
    """The query API of a collector."""
    app = Flask("query_api", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
    app.config["PROVIDE_AUTOMATIC_OPTIONS"] = False
    app.url_map.merge_slashes = False
    for blueprint in BLUEPRINTS:
        app.register_blueprint(blueprint(collector))
    handle_errors(app)
    compress_answers(app)
    allow_origins(app, collector.settings.cors_origins)
    add_security_headers(app)
    return app
