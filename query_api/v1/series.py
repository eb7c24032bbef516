"""GET /api/v1/series: measures over time, split by a dimension."""

from typing import Any

from otel_llm.store.queries.measures import MEASURES
from otel_llm.store.queries.reading import Reader
from otel_llm.store.queries.slices import DIMENSIONS
from otel_llm.store.queries.timeseries import MAX_BUCKETS, TARGET_BUCKETS, step_for, timeseries
from otel_llm.store.queries.window import NS_PER_S
from query_api.errors import ApiError
from query_api.v1 import parameters
from query_api.v1.forms import iso

DEFAULT_MEASURES = ("calls", "errors", "cost", "input_tokens", "output_tokens")
MAX_GROUPS = 20
MAX_STEP_S = 366 * 86_400
MAX_OFFSET_S = 18 * 3_600


def view(reader: Reader, project: str) -> dict[str, Any]:
    """Columns of numbers: ``starts`` (epoch seconds) and, for each group, one list for each measure."""
    window = parameters.closed_window()
    names = parameters.words("measures", MEASURES, DEFAULT_MEASURES)
    split = parameters.text("split")
    if split is not None and split != "tag" and split not in DIMENSIONS:
        raise ApiError(400, f"split is one of: {', '.join((*DIMENSIONS, 'tag'))}")
    seconds = (window.last_ns - window.first_ns + 1) / NS_PER_S
    points = parameters.integer("points", TARGET_BUCKETS, 1, MAX_BUCKETS)
    step_s = parameters.integer("step", 0, 1, MAX_STEP_S) or step_for(seconds, points)
    if seconds > step_s * MAX_BUCKETS:
        raise ApiError(400, f"step is too short for this window: more than {MAX_BUCKETS} buckets")
    found = timeseries(
        reader,
        project,
        parameters.chosen(window),
        names,
        step_s=step_s,
        offset_s=parameters.integer("offset", 0, -MAX_OFFSET_S, MAX_OFFSET_S),
        split=split,
        top=parameters.integer("top", 8, 1, MAX_GROUPS),
        rank_by=parameters.word("rank", MEASURES, "calls"),
    )
    document: dict[str, Any] = {
        **parameters.echo(window),
        "step": found.step_s,
        "split": split,
        "measures": {name: {"unit": MEASURES[name].unit, "additive": MEASURES[name].additive} for name in names},
        "starts": found.starts,
        "groups": [{"value": group.value, "rest": group.rest, "points": group.points} for group in found.groups],
    }
    if parameters.text("format") == "csv":
        document["rows"] = [
            {
                "start": iso(start * NS_PER_S),
                **({split: "(rest)" if group.rest else group.value} if split else {}),
                **{name: group.points[name][place] for name in names},
            }
            for place, start in enumerate(found.starts)
            for group in found.groups
        ]
    return document


def columns(document: dict[str, Any]) -> list[str]:
    """Columns of the CSV form."""
    split = document["split"]
    return ["start", *([split] if split else []), *document["measures"]]
