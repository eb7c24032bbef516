"""Laminar's SDK: older GenAI names, and its own for users, sessions, tags and content."""

from typing import Any

from otel_llm.conventions import names, values
from otel_llm.conventions.dialect import Dialect, Prefix, Source

_PROPERTIES = "lmnr.association.properties."


def request_type(value: Any) -> str | None:
    """What kind of request the last name of a span's path tells: ``openai.embeddings`` is an embedding."""
    path = values.names(value)
    return "embedding" if path and path[-1].endswith("embeddings") else None


LAMINAR = Dialect(
    name="laminar",
    title="Laminar",
    order=72,
    scopes=("lmnr*",),
    fingerprints=("lmnr.*",),
    sources=(
        Source("request_type", 30, "lmnr.span.path", request_type),
        Source("user_id", 75, _PROPERTIES + "user_id"),
        Source("session_id", 58, _PROPERTIES + "session_id"),
        Source("tags", 65, _PROPERTIES + "tags"),
        Source("server_address", 25, "gen_ai.request.base_url"),
        Source("server_port", 35, "gen_ai.request.base_url", names.url_port),
    ),
    prefixes=(Prefix(_PROPERTIES + "metadata.", "metadata", 35),),
    content=("lmnr.span.input", "lmnr.span.output"),
)

DIALECTS = (LAMINAR,)
