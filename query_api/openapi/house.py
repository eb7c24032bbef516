"""Paths that belong to no product."""

from query_api.openapi.parts import COUNT, TEXT, Json, described, json_of, record, ref

_BY_REASON: Json = {"type": "object", "additionalProperties": COUNT}
_TALLY = record(
    {"received": COUNT, "stored": COUNT, "duplicate": COUNT, "ignored": _BY_REASON, "rejected": _BY_REASON},
    description="received = stored + duplicate + ignored + rejected",
)

SCHEMAS: dict[str, Json] = {
    "Health": record(
        {
            "status": {"type": "string", "enum": ["ok", "unavailable"]},
            "version": described(TEXT, "only for keys that may read, and while no key exists, as all below"),
            "spans": _TALLY,
            "log_records": _TALLY,
            "data_points": _TALLY,
            "values_dropped": described(_BY_REASON, "values that were dropped from items that were kept"),
            "requests_refused": described(_BY_REASON, "whole requests that were refused"),
        },
        optional=["version", "spans", "log_records", "data_points", "values_dropped", "requests_refused"],
        description="Counts since the start of the server: the project's own; refused requests of the whole server.",
    )
}

PATHS: dict[str, Json] = {
    "/healthz": {
        "get": {
            "tags": ["otel-llm"],
            "operationId": "Health",
            "summary": "Health",
            "security": [],
            "responses": {
                "200": json_of(ref("Health"), "The server and its store answer."),
                "503": json_of(ref("Health"), "The store does not answer."),
            },
        }
    },
    "/openapi.json": {
        "get": {
            "tags": ["otel-llm"],
            "operationId": "Description",
            "summary": "This document",
            "security": [],
            "responses": {"200": json_of({"type": "object"}, "OpenAPI 3.1.")},
        }
    },
}
