"""From bytes to priced rows without a store, and what must hold of any bytes: fast enough for a fuzzer."""

from functools import cache
from typing import Any

from otel_llm.conventions.content import ContentPolicy
from otel_llm.conventions.explain import explain
from otel_llm.conventions.extract import extract_spans
from otel_llm.conventions.logs import extract_logs
from otel_llm.conventions.metrics import extract_metrics
from otel_llm.errors import InvalidPayload, PayloadTooLarge
from otel_llm.otlp.decode import Encoding, decode_reporting
from otel_llm.otlp.signals import SignalName
from otel_llm.pipeline import Pipeline
from otel_llm.pricing import Pricer
from tests.fuzz.ingest_path import NOT_NEGATIVE, PARTS, Row

NOW_NS = 1_795_400_000_000_000_000
_EXTRACT: dict[SignalName, Any] = {"traces": extract_spans, "logs": extract_logs, "metrics": extract_metrics}


@cache
def _pricer() -> Pricer:
    pricer = Pricer()
    pricer.load()
    return pricer


def check_bytes(signal: SignalName, body: bytes, encoding: Encoding) -> None:
    """Decodes, extracts and prices a body. It is refused as a whole with a sentence, or every item of it is accounted for."""
    try:
        message, damage = decode_reporting(signal, body, encoding, Pipeline.reads.get(signal))
        found = _EXTRACT[signal](message, project="p", key_id=None, now_ns=NOW_NS, content=ContentPolicy())
    except (InvalidPayload, PayloadTooLarge):
        return
    damage.add(found.damage)
    damage.message("item")
    _pricer().price(found.batch)
    kept = found.batch.size + len(found.metric_points)
    missing = found.received - kept - found.ignored.total() - len(found.rejections)
    assert missing == 0 if signal != "logs" else 0 <= missing <= len(found.findings)
    for row in found.batch.rows():
        check_row(row)
    for record in (*found.findings, *found.metric_points, *found.rejections):
        check_texts(record._asdict())


def check_row(row: Row) -> None:
    """What holds of a single row before anything is known of its relatives."""
    assert 0 <= row["start_ns"] <= row["end_ns"] < 2**63
    assert (len(row["trace_id"]), len(row["span_id"])) == (16, 8)
    for name in NOT_NEGATIVE:
        assert row[name] is None or 0 <= row[name] < 2**63, name
    for part, whole in PARTS:
        assert row[part] is None or row[whole] is None or row[part] <= row[whole], (part, whole)
    check_texts(row)
    assert explain(row)["now"] == {}, explain(row)["now"]


def check_texts(record: Row) -> None:
    """Every text is one that each database takes."""
    for name, value in record.items():
        if isinstance(value, str):
            assert "\x00" not in value, name
            value.encode()
