"""Stored spans as files: OTLP/JSON lines, CSV, Parquet. One function a format; each takes pages of rows."""

import base64
import csv
import json
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

from otel_llm.spans import FIELDS

Row = dict[str, Any]
Pages = Iterable[list[Row]]

_NS = 1_000_000_000
_DUCKDB_TYPES = {
    "text": "VARCHAR",
    "int": "BIGINT",
    "float": "DOUBLE",
    "bool": "BOOLEAN",
    "bytes": "VARCHAR",
    "json": "VARCHAR",
}


def write_otlp_json(pages: Pages, file: TextIO) -> int:
    """One ``ExportTraceServiceRequest`` a line, as the Collector's file exporter writes and ``otel-llm send`` reads."""
    count = 0
    for rows in pages:
        for request in _requests(rows):
            file.write(json.dumps(request, ensure_ascii=False, separators=(",", ":")) + "\n")
        count += len(rows)
    return count


def write_csv(pages: Pages, file: TextIO) -> int:
    """A head line and one line a span: ids in hex, ``start`` and ``end`` in ISO 8601 beside the nanoseconds."""
    writer = csv.writer(file)
    names = [field.name for field in FIELDS]
    writer.writerow(["start", "end", *names])
    count = 0
    for rows in pages:
        for row in rows:
            times = (_iso(row["start_ns"]), _iso(row["end_ns"]))
            writer.writerow([*times, *(_hexed(row[name]) for name in names)])
        count += len(rows)
    return count


def write_parquet(pages: Pages, path: Path) -> int:
    """A Parquet file (zstd): ids in hex, ``start`` and ``end`` as timestamps beside the nanoseconds."""
    import duckdb
    from arro3.core import Array, DataType, Table

    kinds = {"int": DataType.int64(), "float": DataType.float64(), "bool": DataType.bool()}
    count = 0
    with duckdb.connect() as connection:  # in memory, spilling to disk; the store's own engine does not matter
        columns = ", ".join(f"{field.name} {_DUCKDB_TYPES[field.type]}" for field in FIELDS)
        connection.execute(f"CREATE TABLE found ({columns})")
        for rows in pages:
            arrays: dict[str, Any] = {
                field.name: Array([_hexed(row[field.name]) for row in rows], kinds.get(field.type, DataType.utf8()))
                for field in FIELDS
            }
            page = Table.from_pydict(arrays)
            connection.register("page", page)
            connection.execute("INSERT INTO found BY NAME SELECT * FROM page")
            connection.unregister("page")
            count += len(rows)
        found = connection.sql(
            'SELECT make_timestamp_ns(start_ns) AS "start", make_timestamp_ns(end_ns) AS "end", * FROM found'
        )
        try:
            found.write_parquet(str(path), compression="zstd")
        except duckdb.IOException as error:
            raise OSError(str(error)) from None
    return count


TEXT_FORMATS: dict[str, Callable[[Pages, TextIO], int]] = {"otlp-json": write_otlp_json, "csv": write_csv}


def _hexed(value: Any) -> Any:
    return bytes(value).hex() if isinstance(value, bytes | bytearray | memoryview) else value


def _iso(time_ns: int) -> str:
    seconds, rest = divmod(time_ns, _NS)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest:09}Z"


def _requests(rows: list[Row]) -> Iterator[Row]:
    """Rows of one resource and one scope belong together, as they came."""
    groups: dict[str | None, dict[tuple[str | None, str | None], list[Row]]] = {}
    for row in rows:
        scopes = groups.setdefault(row["resource_attributes"], {})
        scopes.setdefault((row["scope_name"], row["scope_version"]), []).append(_span(row))
    for resource, scopes in groups.items():
        yield {
            "resourceSpans": [
                {
                    "resource": {"attributes": _attributes(resource)},
                    "scopeSpans": [
                        {"scope": _without_none({"name": name, "version": version}), "spans": spans}
                        for (name, version), spans in scopes.items()
                    ],
                }
            ]
        }


def _span(row: Row) -> Row:
    status = {"code": row["status_code"], "message": row["error_message"] if row["status_code"] == 2 else None}
    return _without_none(
        {
            "traceId": _hexed(row["trace_id"]),
            "spanId": _hexed(row["span_id"]),
            "parentSpanId": _hexed(row["parent_span_id"]),
            "name": row["name"],
            "kind": row["kind"],
            "startTimeUnixNano": str(row["start_ns"]),
            "endTimeUnixNano": str(row["end_ns"]),
            "attributes": _attributes(row["attributes"]),
            "events": [
                {"name": event["name"], "timeUnixNano": str(event["time_ns"]), "attributes": _pairs(event["attributes"])}
                for event in json.loads(row["events"] or "[]")
            ],
            "links": [
                {"traceId": link["trace_id"], "spanId": link["span_id"], "attributes": _pairs(link["attributes"])}
                for link in json.loads(row["links"] or "[]")
            ],
            "status": _without_none(status),
        }
    )


def _attributes(text: str | None) -> list[Row]:
    return _pairs(json.loads(text)) if text else []


def _pairs(values: dict[str, Any] | None) -> list[Row]:
    return [{"key": key, "value": _value(value)} for key, value in (values or {}).items()]


def _value(value: Any) -> Row:
    if value is None:
        return {}
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": value}
    if isinstance(value, list):
        return {"arrayValue": {"values": [_value(item) for item in value]}}
    if isinstance(value, dict):
        return {"kvlistValue": {"values": _pairs(value)}}
    if isinstance(value, bytes):
        return {"bytesValue": base64.b64encode(value).decode()}
    return {"stringValue": str(value)}


def _without_none(values: Row) -> Row:
    return {key: value for key, value in values.items() if value is not None}
