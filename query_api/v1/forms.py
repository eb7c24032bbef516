"""How values are written in answers: times, durations, stored JSON, and tables as CSV."""

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from flask import Response

from otel_llm.store.queries.instants import iso

__all__ = ["iso", "ms", "parsed", "table"]

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def ms(time_ns: int | float | None) -> float | None:
    """Milliseconds."""
    return None if time_ns is None else float(time_ns) / 1e6


def parsed(stored: str | None) -> Any:
    """A stored JSON text as JSON; the text itself should it not be JSON."""
    if stored is None:
        return None
    try:
        return json.loads(stored)
    except ValueError:
        return stored


def table(name: str, columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> Response:
    """A CSV download. Texts that a spreadsheet would run as a formula are led by an apostrophe."""
    written = io.StringIO()
    writer = csv.writer(written)
    writer.writerow(columns)
    writer.writerows([_cell(row.get(column)) for column in columns] for row in rows)
    return Response(
        "\ufeff" + written.getvalue(),  # the mark tells spreadsheets that this is UTF-8
        mimetype="text/csv",
        headers={"Content-Disposition": f'attachment; filename="otel-llm-{name}.csv"'},
    )


def _cell(value: Any) -> Any:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict | list):
        value = json.dumps(value, ensure_ascii=False)
    if isinstance(value, str) and value.startswith(_FORMULA):
        return "'" + value
    return value
