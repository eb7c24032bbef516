"""Switches on the OpenTelemetry instrumentations that are installed, each client once."""

import logging
import os
from collections.abc import Collection
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from opentelemetry.trace import TracerProvider

logger = logging.getLogger("otel_llm")

_PREFERRED = ("opentelemetry.instrumentation.genai.", "opentelemetry.instrumentation.google_genai", "openinference.")
"""Of several instrumentations of one client the first in this order is taken: it tells most about a call."""


def instrument_installed(provider: TracerProvider, only: Collection[str] | None = None) -> list[str]:
    """Switches on what is installed, or ``only`` the given names; gives the names. Failures are logged and passed over.

    ``OTEL_PYTHON_DISABLED_INSTRUMENTATIONS`` is obeyed, as under ``opentelemetry-instrument``.
    """
    disabled = {name.strip() for name in os.environ.get("OTEL_PYTHON_DISABLED_INSTRUMENTATIONS", "").split(",")}
    if "*" in disabled:
        return []
    chosen: dict[str, EntryPoint] = {}
    for entry_point in sorted(entry_points(group="opentelemetry_instrumentor"), key=_preference):
        wanted = only is None or entry_point.name in only
        if wanted and entry_point.name not in disabled and entry_point.name != "otel_llm":
            chosen.setdefault(entry_point.name, entry_point)
    if only is not None and (unknown := sorted(set(only) - chosen.keys())):
        logger.warning("No instrumentation is installed for %s.", ", ".join(unknown))
    return [name for name, entry_point in chosen.items() if _instrument(entry_point, provider)]


def _preference(entry_point: EntryPoint) -> int:
    for rank, prefix in enumerate(_PREFERRED):
        if entry_point.value.startswith(prefix):
            return rank
    return len(_PREFERRED)


def _instrument(entry_point: EntryPoint, provider: TracerProvider) -> bool:
    try:
        from opentelemetry.instrumentation.dependencies import get_dist_dependency_conflicts

        if entry_point.dist is not None and get_dist_dependency_conflicts(entry_point.dist):
            return False  # the library it instruments is not there
        instrumentor: Any = entry_point.load()()
        if not instrumentor.is_instrumented_by_opentelemetry:
            instrumentor.instrument(tracer_provider=provider, skip_dep_check=True)
    except Exception as error:
        level = logging.DEBUG if isinstance(error, ImportError) else logging.WARNING
        logger.log(level, "The instrumentation %s could not be switched on: %s", entry_point.value, error)
        return False
    return True
