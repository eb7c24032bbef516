"""All dialect tables, one file each. A new dialect is a new file and its name in this list."""

from otel_llm.conventions.dialect import Dialect
from otel_llm.conventions.dialects import generic, openinference, semconv, traceloop

_MODULES = (semconv, traceloop, openinference, generic)

DIALECTS: tuple[Dialect, ...] = tuple(dialect for module in _MODULES for dialect in module.DIALECTS)
"""Every dialect."""
