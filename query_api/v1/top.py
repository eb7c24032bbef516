"""GET /api/v1/top: the largest models, providers, users, sessions, agents, services, environments, tags."""

from typing import Any

from otel_llm.store.queries.measures import MEASURES
from otel_llm.store.queries.reading import Reader
from otel_llm.store.queries.slices import DIMENSIONS
from otel_llm.store.queries.top import top
from query_api.errors import ApiError
from query_api.v1 import parameters
from query_api.v1.forms import iso

DEFAULT_MEASURES = (
    *("calls", "errors", "error_rate", "cost", "tokens", "input_tokens", "output_tokens"),
    *("latency_p50", "latency_p95", "ttft_p50", "tps"),
)
MAX_ROWS = 1_000
MAX_DIMENSIONS = 3


def view(reader: Reader, project: str) -> dict[str, Any]:
    """One row for each group, with its share of the total of the measure it is sorted by (None where that is no sum)."""
    window = parameters.closed_window()
    by = parameters.words("by", {*DIMENSIONS, "tag"}, ("model",), most=MAX_DIMENSIONS)
    if "tag" in by and len(by) > 1:
        raise ApiError(400, "by: tag stands alone, because a call may have several")
    names = parameters.words("measures", MEASURES, DEFAULT_MEASURES)
    sort = parameters.word("sort", MEASURES, "cost" if "cost" in names else names[0])
    shown = list(dict.fromkeys([*names, sort]))
    found = top(
        reader,
        project,
        parameters.chosen(window),
        by,
        shown,
        sort=sort,
        descending=parameters.word("order", ("desc", "asc"), "desc") == "desc",
        limit=parameters.integer("limit", 10, 1, MAX_ROWS),
    )
    whole = found.total.get(sort) if MEASURES[sort].additive else None
    return {
        **parameters.echo(window),
        "by": by,
        "sort": sort,
        "groups": found.groups,
        "units": {name: MEASURES[name].unit for name in shown},
        "total": found.total,
        "rows": [
            {
                **dict(zip(by, row.values, strict=True)),
                **row.figures,
                "share": (row.figures[sort] or 0) / whole if whole else None,
                "last": iso(row.last_ns),
            }
            for row in found.rows
        ],
    }


def columns(document: dict[str, Any]) -> list[str]:
    """Columns of the CSV form."""
    return [*document["by"], *document["units"], "share", "last"]
