"""Copies of spans that came again: only the kept one is a row, the others are remembered so that it can be told."""

from collections.abc import Collection

from otel_llm.spans import Rejection, SpanBatch

DUPLICATE = "duplicate"
"""Reason of such an entry among the rejections."""
MOST = 100
"""Copies of one commit that are remembered; all are counted."""


def remembered(batch: SpanBatch, duplicate_rows: Collection[int]) -> list[Rejection]:
    """The entries of the first duplicate rows of a batch."""
    kinds, projects, times = batch["kind"], batch["project"], batch["ingested_ns"]
    trace_ids, span_ids = batch["trace_id"], batch["span_id"]
    return [
        Rejection(
            project=projects[row],
            time_ns=times[row],
            signal="spans" if kinds[row] else "log_records",
            trace_id=trace_ids[row].hex(),
            span_id=span_ids[row].hex(),
            reason=DUPLICATE,
            detail="",
        )
        for row in sorted(duplicate_rows)[:MOST]
    ]
