"""Cost, speed and reliability of calls in full, with percentiles, by time and group (LangDB's analytics)."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from otel_llm.store.queries import dimensions
from otel_llm.store.queries.call import SPAN, Column
from otel_llm.store.queries.calls import CallFilter, Calls, asked_calls, storable
from otel_llm.store.queries.metrics import PERCENTILE_VALUES, PERCENTILES, aggregates, percentiles
from otel_llm.store.queries.reading import Reader
from otel_llm.store.queries.window import Window

_SUMS = ("call_count", "error_count", "cost_sum", "input_sum", "output_sum", "duration_ns_sum", "ttft_ns_sum")
Group = Literal["provider", "model", "tag"]


@dataclass(frozen=True, slots=True)
class Grouping:
    """Dimensions in the order asked for. ``tag`` gives one entry for each of ``tag_keys``, else one for all tags."""

    groups: Sequence[Group] = ()
    tag_keys: Sequence[str] = ()


class Analytics(NamedTuple):
    """One row. Sums are exact; percentiles are None where no call has the value."""

    bucket: int | None
    """Start of the bucket, epoch seconds; None without a unit."""
    group: tuple[str, ...]
    requests: int
    errors: int
    cost: float
    input_tokens: int
    output_tokens: int
    duration_ns: int
    ttft_ns: int
    percentiles: dict[str, tuple[float | None, ...]]
    """For each name of PERCENTILE_VALUES, one value for each of PERCENTILES."""


def analytics(
    reader: Reader, project: str, window: Window, filters: CallFilter, grouping: Grouping, *, unit: str | None = None
) -> list[Analytics]:
    """One row for each bucket (of ``unit``, if given) and group that has calls, ascending by bucket, then group."""
    calls = asked_calls(reader, project, window, filters)
    keys: list[Any] = []
    if unit is not None:
        keys.append(reader.functions.bucket(SPAN.start_ns, unit).label("bucket_start"))
    labels: dict[str, str] = {}
    group_columns: list[Column] = []
    for group in grouping.groups:
        if group == "tag" and not grouping.tag_keys:
            labels = _tag_labels(reader, calls)
        group_columns += _columns(reader, group, grouping.tag_keys, labels)
    keys += [column.label(f"group_{index}") for index, column in enumerate(group_columns)]
    statement = calls.grouped(keys, *aggregates(reader.functions, _SUMS), *percentiles(reader.functions))
    whole_tags = [index for index, group in enumerate(grouping.groups) if group == "tag" and not grouping.tag_keys]
    first_group = len(keys) - len(group_columns)
    found = []
    for row in reader.rows(statement):
        texts = list(row[first_group : len(keys)])
        for index in whole_tags:
            texts[index] = labels[texts[index]]
        bucket = int(row[0]) if unit is not None else None
        found.append(_analytics(bucket, tuple(texts), row[len(keys) :]))
    return sorted((row for row in found if row.requests), key=lambda row: (row.bucket or 0, row.group))


def _columns(reader: Reader, group: Group, tag_keys: Sequence[str], labels: dict[str, str]) -> list[Column]:
    if group == "provider":
        return [dimensions.provider()]
    if group == "model":
        return [dimensions.model_name()]
    if tag_keys:
        return [dimensions.request_tag(reader.functions, key) if storable(key) else dimensions.nothing() for key in tag_keys]
    first_of: dict[str, str] = {}
    same = {text: first_of.setdefault(label, text) for text, label in labels.items()}
    return [dimensions.renamed(dimensions.request_tags(), {old: new for old, new in same.items() if old != new})]


def _tag_labels(reader: Reader, calls: Calls) -> dict[str, str]:
    """Each stored text of a tag object in these calls, with its tags as sorted ``k=v`` joined by ``&``."""
    texts = [row[0] for row in reader.rows(calls.select(dimensions.request_tags()).distinct())]
    return {text: _joined(text) for text in sorted(texts)}


def _joined(text: str) -> str:
    tags = json.loads(text) if text else {}
    return "&".join(f"{key}={tags[key]}" for key in sorted(tags))


def _analytics(bucket: int | None, group: tuple[str, ...], values: Sequence[Any]) -> Analytics:
    """A row from the values of :data:`_SUMS` and the percentiles behind them."""
    requests, errors, cost, input_tokens, output_tokens, duration_ns, ttft_ns = values[: len(_SUMS)]
    width = len(PERCENTILES)
    return Analytics(
        bucket,
        group,
        int(requests),
        int(errors or 0),
        float(cost or 0.0),
        int(input_tokens or 0),
        int(output_tokens or 0),
        int(duration_ns or 0),
        int(ttft_ns or 0),
        {
            name: tuple(values[first : first + width])
            for name, first in zip(PERCENTILE_VALUES, range(len(_SUMS), len(values), width), strict=True)
        },
    )
