"""Cost, speed and reliability of calls in full, with percentiles, by time and group (LangDB's analytics)."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from otel_llm.store.queries import dimensions
from otel_llm.store.queries.call import SPAN, Column
from otel_llm.store.queries.calls import CallFilter, Calls, storable
from otel_llm.store.queries.metrics import METRICS, PERCENTILE_VALUES, PERCENTILES, aggregates
from otel_llm.store.queries.reading import Reader
from otel_llm.store.queries.window import Window

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
    percentiles: dict[str, float | None]
    """``duration_ns_p50`` ... ``tpot_s_p99``."""


def analytics(
    reader: Reader, project: str, window: Window, filters: CallFilter, grouping: Grouping, *, unit: str | None = None
) -> list[Analytics]:
    """One row for each bucket (of ``unit``, if given) and group that has calls, ascending by bucket, then group."""
    calls = Calls(reader.functions, project, window, filters)
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
    statement = calls.grouped(keys, *aggregates(reader.functions, METRICS))
    width = len(group_columns)
    whole_tags = _whole_tag_places(grouping)
    found = [
        _row(row, unit is not None, tuple(labels.get(text, text) if i in whole_tags else text for i, text in enumerate(texts)))
        for row in reader.rows(statement)
        if row.call_count
        for texts in [tuple(row[len(keys) - width : len(keys)])]
    ]
    return sorted(found, key=lambda row: (row.bucket or 0, row.group))


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


def _whole_tag_places(grouping: Grouping) -> set[int]:
    return {index for index, group in enumerate(grouping.groups) if group == "tag"} if not grouping.tag_keys else set()


def _row(row: Any, has_bucket: bool, group: tuple[str, ...]) -> Analytics:
    values = row._mapping
    return Analytics(
        bucket=int(values["bucket_start"]) if has_bucket else None,
        group=group,
        requests=int(values["call_count"]),
        errors=int(values["error_count"] or 0),
        cost=float(values["cost_sum"] or 0.0),
        input_tokens=int(values["input_sum"] or 0),
        output_tokens=int(values["output_sum"] or 0),
        duration_ns=int(values["duration_ns_sum"] or 0),
        ttft_ns=int(values["ttft_ns_sum"] or 0),
        percentiles={
            name: None if values[name] is None else float(values[name])
            for kind in PERCENTILE_VALUES
            for name in (f"{kind}_{percentile}" for percentile in PERCENTILES)
        },
    )
