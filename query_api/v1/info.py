"""GET /api/v1/info: which server this is, where spans go, whether there is anything yet."""

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from otel_llm import __version__
from otel_llm.store.queries.call import SPAN
from otel_llm.store.queries.reading import Reader
from query_api.v1.forms import iso

if TYPE_CHECKING:
    from otel_llm.collector import Collector


def view(reader: Reader, project: str, collector: "Collector") -> dict[str, Any]:
    """Ports are those that are really served; ``first`` and ``last`` are starts of stored spans, None while there are none."""
    settings, ports = collector.settings, collector.ports
    statement = sa.select(sa.func.min(SPAN.start_ns), sa.func.max(SPAN.start_ns), sa.func.count()).where(
        SPAN.project == project
    )
    first, last, spans = reader.row(statement)
    return {
        "version": __version__,
        "project": project,
        "keys": collector.door.has_keys,
        "tls": settings.tls,
        "grpc_port": ports.get("grpc", settings.grpc_port),
        "otlp_http_port": ports.get("otlp_http", settings.otlp_http_port),
        "spans": int(spans),
        "first": None if first is None or not spans else iso(first),
        "last": None if last is None or not spans else iso(last),
    }
