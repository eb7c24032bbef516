"""The tags in use. A call has several, so they cannot be a column to group by: the largest are found, then asked for."""

import json
from collections import Counter

import sqlalchemy as sa

from otel_llm.store.queries.call import SPAN
from otel_llm.store.queries.reading import Reader
from otel_llm.store.queries.window import Window

MAX_TEXTS = 5_000
"""Different stored tag lists that are looked at, the most frequent first."""


def tags_of(reader: Reader, project: str, window: Window, limit: int) -> list[str]:
    """Tags of the spans of a window, the most frequent first: trace tags as they are, request tags as ``key=value``."""
    found: Counter[str] = Counter()
    for column, read in ((SPAN.tags, _listed), (SPAN.request_tags, _pairs)):
        statement = (
            sa.select(column.label("text"), sa.func.count().label("times"))
            .where(SPAN.project == project, SPAN.start_ns.between(*window), column.is_not(None))
            .group_by(column)
            .order_by(sa.literal_column("2").desc(), sa.literal_column("1"))
            .limit(MAX_TEXTS)
        )
        for row in reader.rows(statement):
            for tag in read(row.text):
                found[tag] += int(row.times)
    return [tag for tag, _ in sorted(found.items(), key=lambda item: (-item[1], item[0]))[:limit]]


def _listed(text: str) -> list[str]:
    return list(dict.fromkeys(json.loads(text)))


def _pairs(text: str) -> list[str]:
    return [f"{key}={value}" for key, value in json.loads(text).items()]
