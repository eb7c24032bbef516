"""All dialect tables, one file each. A new dialect is a new file and its name in this list."""

from otel_llm.conventions.dialect import Dialect
from otel_llm.conventions.dialects import (
    coding_agents,
    frameworks,
    generic,
    laminar,
    langfuse,
    langsmith,
    litellm,
    mlflow,
    openinference,
    openlit,
    pydantic_ai,
    semconv,
    servers,
    traceloop,
    vercel_ai,
)

_MODULES = (
    semconv,
    traceloop,
    openinference,
    openlit,
    laminar,
    langfuse,
    vercel_ai,
    pydantic_ai,
    litellm,
    mlflow,
    langsmith,
    frameworks,
    servers,
    coding_agents,
    generic,
)

DIALECTS: tuple[Dialect, ...] = tuple(dialect for module in _MODULES for dialect in module.DIALECTS)
"""Every dialect."""
