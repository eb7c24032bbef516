"""GET /api/v1/overview: headline figures, with those of the window before."""

from typing import Any

from otel_llm.store.queries.measures import MEASURES
from otel_llm.store.queries.overview import HEADLINES, overview
from otel_llm.store.queries.reading import Reader
from query_api.v1 import parameters

COLUMNS = ("measure", "unit", "value", "previous", "change")


def view(reader: Reader, project: str) -> dict[str, Any]:
    """Each figure with its unit, the value before and the change (a fraction of the value before; None without one)."""
    window = parameters.closed_window()
    found = overview(reader, project, parameters.chosen(window))
    return {
        **parameters.echo(window),
        "previous": parameters.echo(found.previous_window),
        "figures": [
            {
                "measure": name,
                "unit": MEASURES[name].unit,
                "value": found.current[name],
                "previous": found.previous[name],
                "change": _change(found.previous[name], found.current[name]),
            }
            for name in HEADLINES
        ],
    }


def _change(before: float | None, now: float | None) -> float | None:
    return None if not before or now is None else now / before - 1.0
