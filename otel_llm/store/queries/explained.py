"""The explanation of every span of a trace: what was read from which attribute, and why it counts or not."""

from typing import Any

import sqlalchemy as sa

from otel_llm.conventions.explain import explain
from otel_llm.spans import FIELD_NAMES
from otel_llm.store.queries.call import SPAN
from otel_llm.store.queries.reach import of_trace
from otel_llm.store.queries.reading import Reader

MAX_SPANS = 500
"""Most spans of one answer: an explanation is some 5 kB and takes about a millisecond, as each span is read anew."""

Document = dict[str, Any]


def explained(reader: Reader, project: str, trace_id: bytes, span_id: bytes | None = None, limit: int = 100) -> Document:
    """The trace's spans by start, at most ``limit``; or one span. ``spans`` is empty when nothing of it is stored."""
    conditions = of_trace(reader, project, trace_id)
    if span_id is not None:
        conditions.append(SPAN.span_id == span_id)
    total = int(reader.row(sa.select(sa.func.count()).where(*conditions))[0])
    page = (
        sa.select(*(SPAN[name] for name in FIELD_NAMES)).where(*conditions).order_by(SPAN.start_ns, SPAN.span_id).limit(limit)
    )
    spans = [explain(dict(row._mapping)) for row in reader.rows(page)]
    return {"trace_id": trace_id.hex(), "span_count": total, "truncated": total > len(spans), "spans": spans}
