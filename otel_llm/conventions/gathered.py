"""Fields that gather several attributes: tags, metadata, request tags, reported cost."""

from typing import Any, Final

from otel_llm.conventions import values
from otel_llm.conventions.slots import SLOT

Gathered = list[tuple[int, str | None, Any]]
"""(rank, label, value): a labelled value is one entry of a map, an unlabelled one a whole list or map."""

_TAGS, _METADATA, _REQUEST_TAGS = SLOT["tags"], SLOT["metadata"], SLOT["request_tags"]
_USER_TAGS, _FINISH = SLOT["user_tags"], SLOT["finish_reasons"]
_COST, _REPORTED, _SOURCE = SLOT["cost"], SLOT["cost_reported"], SLOT["cost_reported_source"]
_PART_IN, _PART_OUT, _HIT = SLOT["cost_reported_input"], SLOT["cost_reported_output"], SLOT["cache_hit"]
_INPUT, _OUTPUT, _TOTAL = SLOT["input_tokens"], SLOT["output_tokens"], SLOT["total_tokens"]

CACHE_HIT: Final = "litellm.cache_hit"


def settle_lists(row: list[Any]) -> None:
    """Turns gathered tags and maps, and lists, into their JSON columns."""
    if row[_TAGS] is not None:
        found = {tag for _, _, tags in row[_TAGS] for tag in tags}
        row[_TAGS] = values.json_text(sorted(found)[: values.LIST_CAP]) if found else None
    if row[_METADATA] is not None:
        row[_METADATA] = _map(row[_METADATA])
    if row[_REQUEST_TAGS] is not None:
        row[_REQUEST_TAGS] = _map(row[_REQUEST_TAGS])
    if row[_USER_TAGS] is not None:
        row[_USER_TAGS] = values.json_text(row[_USER_TAGS])


def _map(gathered: Gathered) -> str | None:
    """One object of texts, keys sorted; of a repeated key the best rank stays."""
    found: dict[str, str] = {}
    for _, label, value in gathered:
        if isinstance(value, dict):
            for key, inner in value.items():
                found.setdefault(key, inner)
        elif label:
            found.setdefault(values.clean(label)[: values.TAG_CAP], value)
    kept = sorted(found.items())[: values.MAP_KEY_CAP]
    return values.json_text(dict(kept)) if kept else None


def settle_cost(row: list[Any]) -> None:
    """Fills the reported cost: the best source above zero; zero counts only where there are no tokens, because
    instrumentations write it when they know no price. A gateway's cache hit really costs nothing."""
    if row[_HIT]:
        row[_REPORTED], row[_SOURCE] = 0.0, CACHE_HIT
        row[_PART_IN] = row[_PART_OUT] = None
        return
    tokens = row[_INPUT] or row[_OUTPUT] or row[_TOTAL]
    for _, label, amount in row[_COST] or ():
        if amount > 0 or not tokens:
            row[_REPORTED], row[_SOURCE] = amount, label
            if amount > 0:
                break
    if row[_REPORTED] is None or row[_REPORTED] == 0:
        row[_PART_IN] = row[_PART_OUT] = None
