"""Tables of the store in ClickHouse, on one server or on a cluster.

``spans`` is a ReplacingMergeTree: a row is never changed, a new version of it is inserted, and reads with ``final = 1`` see
the newest version only. The key is (project, hour of the start, trace, span): the hour serves every endpoint's time
window, the trace behind it serves the writer's question and the joins over whole traces, and puts equal texts (resource,
session, model) next to each other, where they compress. A copy whose start lies in another hour has another key: the old
one gets a tombstone (``is_deleted``).

On a cluster every table has a replicated local table on each server. What belongs to a trace is spread over the shards by
trace, so that all versions of a span meet on one shard; the small tables are whole on every server.
"""

import math
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa

from otel_llm.retention import Ages
from otel_llm.spans import FIELD_BY_NAME
from otel_llm.store import schema

HOUR_NS = 3_600_000_000_000
DAY_NS = 24 * HOUR_NS

_TYPES: dict[type[sa.types.TypeEngine[Any]], str] = {
    sa.Text: "String",
    sa.BigInteger: "Int64",
    sa.Double: "Float64",
    sa.Boolean: "Bool",
    sa.LargeBinary: "String",
}
_FIXED = {
    "trace_id": 16,
    "span_id": 8,
    "parent_span_id": 8,
    "suppressed_by": 8,
    "secret_sha256": 32,
    "token_sha256": 32,
} | dict.fromkeys(("finding_key", "point_key"), 16)
_FEW_VALUES = frozenset(
    {
        "agent_name",
        "ai_llm_id",
        "api_key_id",
        "app",
        "cost_computed_source",
        "cost_reported_source",
        "dialect",
        "environment",
        "error_type",
        "finish_reasons",
        "key_id",
        "operation",
        "project",
        "provider",
        "reason",
        "release",
        "repo_id",
        "request_model",
        "response_model",
        "role",
        "scope_name",
        "scope_version",
        "server_address",
        "service_name",
        "service_namespace",
        "service_tier",
        "tokens_adjusted",
        "ttft_source",
        "version",
    }
)
"""Text columns with few distinct values: stored as numbers into a dictionary, which groups faster and takes less room."""
_SPEED_OF_LOOKUP = {
    "spans": (
        "INDEX by_trace trace_id TYPE bloom_filter(0.001) GRANULARITY 1",
        "INDEX by_response response_id TYPE bloom_filter(0.001) GRANULARITY 1",
        "INDEX by_user user_id TYPE bloom_filter(0.001) GRANULARITY 1",
        "INDEX by_session session_id TYPE bloom_filter(0.001) GRANULARITY 1",
    )
}
SPAN_VERSION = "row_version"
SPAN_DELETED = "is_deleted"
FIRST_STAYS = "row_order"
"""Version of findings and metric points: the larger, the earlier it was written."""

_EXTRA: dict[str, tuple[str, ...]] = {
    "spans": (f"{SPAN_VERSION} UInt128", f"{SPAN_DELETED} UInt8 DEFAULT 0"),
    "findings": (f"{FIRST_STAYS} UInt64",),
    "metric_points": (f"{FIRST_STAYS} UInt64",),
}
_ENGINES: dict[str, tuple[str, str]] = {
    "spans": ("ReplacingMergeTree", f"{SPAN_VERSION}, {SPAN_DELETED}"),
    "findings": ("ReplacingMergeTree", FIRST_STAYS),
    "metric_points": ("ReplacingMergeTree", FIRST_STAYS),
}
_LAYOUT: dict[str, str] = {
    "spans": f"PARTITION BY intDiv(start_ns, {DAY_NS}) ORDER BY (project, intDiv(start_ns, {HOUR_NS}), trace_id, span_id)",
    "findings": "ORDER BY (project, finding_key)",
    "metric_points": "ORDER BY (project, point_key)",
    # a commit that is sent again is known by its token
    "rejections": "ORDER BY (project, time_ns) SETTINGS non_replicated_deduplication_window = 1000",
    "projects": "ORDER BY (name, updated_ns)",
    "keys": "ORDER BY (public_key, updated_ns)",
    "login_sessions": "ORDER BY (token_sha256)",
    "audit": "ORDER BY (time_ns)",
    "otel_llm_schema": "ORDER BY (version)",
}
_SHARDED_BY: dict[str, str] = {
    "spans": "sipHash64(project, trace_id)",
    "findings": "sipHash64(project, trace_id)",
    "metric_points": "sipHash64(project, point_key)",
    "rejections": "rand()",
}
"""Sharding keys; every other table is whole on every server."""

_LAST_SECOND = 2**32 - 1  # of a DateTime: 2106


def quoted(text: str) -> str:
    """The text as a literal."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def column_type(column: sa.Column[Any]) -> str:
    """Type of a column, as ClickHouse spells it."""
    if column.name in _FIXED and isinstance(column.type, sa.LargeBinary):
        name = f"FixedString({_FIXED[column.name]})"
    else:
        name = _TYPES[type(column.type)]
    name = f"Nullable({name})" if column.nullable else name
    return f"LowCardinality({name})" if column.name in _FEW_VALUES and isinstance(column.type, sa.Text) else name


def column_types(table: sa.Table) -> dict[str, str]:
    """All columns of a table as it is stored, ours included."""
    columns = {column.name: column_type(column) for column in table.columns}
    for extra in _EXTRA.get(table.name, ()):
        name, type_ = extra.removesuffix(" DEFAULT 0").split(" ", 1)
        columns[name] = type_
    return columns


def _definition(table: sa.Table) -> str:
    columns = [f"{column.name} {column_type(column)}{_codec(column)}" for column in table.columns]
    return ", ".join([*columns, *_EXTRA.get(table.name, ()), *_SPEED_OF_LOOKUP.get(table.name, ())])


def _codec(column: sa.Column[Any]) -> str:
    field = FIELD_BY_NAME.get(column.name)
    if field is None:
        return ""
    if field.type == "json":
        return " CODEC(ZSTD(1))"
    return " CODEC(Delta, ZSTD(1))" if column.name.endswith("_ns") and field.required else ""


def local_name(name: str, cluster: str | None) -> str:
    """The table that holds the rows of a table on one server."""
    return f"{name}_local" if cluster and name in _SHARDED_BY else name


def table_names(cluster: str | None) -> frozenset[str]:
    """The tables of a store, those that hold the rows on one server among them."""
    return frozenset(each for name in schema.metadata.tables for each in (name, local_name(name, cluster)))


def statements(cluster: str | None) -> Iterator[str]:
    """The DDL of a new store; each statement may be run again."""
    for table in schema.metadata.tables.values():
        name = table.name
        family, arguments = _ENGINES.get(name, ("MergeTree", ""))
        if cluster is None:
            yield f"CREATE TABLE IF NOT EXISTS {name} ({_definition(table)}) ENGINE = {family}({arguments}) {_LAYOUT[name]}"
            continue
        sharded = name in _SHARDED_BY
        # a sharded table has its replicas within the shard; a whole one has every server as a replica
        path = f"/clickhouse/tables/{'{shard}' if sharded else 'all'}/{{database}}/{name}"
        replica = "{replica}" if sharded else "{shard}-{replica}"
        engine = f"Replicated{family}('{path}', '{replica}'{', ' if arguments else ''}{arguments})"
        yield (
            f"CREATE TABLE IF NOT EXISTS {local_name(name, cluster)} ON CLUSTER '{cluster}' ({_definition(table)}) "
            f"ENGINE = {engine} {_LAYOUT[name].replace('non_replicated', 'replicated')}"
        )
        if sharded:
            yield (
                f"CREATE TABLE IF NOT EXISTS {name} ON CLUSTER '{cluster}' AS {local_name(name, cluster)} "
                f"ENGINE = Distributed('{cluster}', currentDatabase(), {local_name(name, cluster)}, {_SHARDED_BY[name]})"
            )


def ttl(time_column: str, ages: Ages) -> str | None:
    """When a row goes, as the TTL of its table; None when rows stay. Spelled as the server spells it back.

    Rows go at the end of their hour: all versions of a span lie in one hour, and if the newest went before the others, an
    older one would be read in its place. Times that no DateTime holds are clamped, so that they cannot wrap around to a
    moment in the past; no time is 0, which means never.

    There is always a condition, if only a true one. Each part notes when its last row goes; without a condition the server
    believes the note of an earlier TTL and drops the part unread, so that ages that were lifted and then set again, longer
    than before, would delete what they keep. With one, notes belong to the expression they were made for.
    """
    if not ages:
        return None
    condition = "1"
    kept = str(_LAST_SECOND if ages.general is None else _whole_seconds(ages.general))
    if ages.by_project:
        own = sorted(ages.by_project.items())
        projects = ", ".join(quoted(project) for project, _ in own)
        if ages.general is None:
            condition = f"project IN ({projects})"
        kept = f"transform(project, [{projects}], [{', '.join(str(_whole_seconds(age)) for _, age in own)}], {kept})"
    return f"{_ttl_head(time_column)}{kept}, {_LAST_SECOND})) WHERE {condition}"


def is_ours(ttl: str, time_column: str) -> bool:
    """Whether a table's TTL was made by :func:`ttl`, for whatever ages."""
    return _bare(ttl).startswith(_bare(_ttl_head(time_column)))


def _ttl_head(time_column: str) -> str:
    return f"toDateTime(least(greatest((intDiv({time_column}, {HOUR_NS}) + 1) * 3600, 0) + "


def _whole_seconds(age: float) -> int:
    return min(math.ceil(age), _LAST_SECOND)


def _bare(text: str) -> str:
    """Without what versions of the server may format differently."""
    return "".join(character for character in text if not character.isspace() and character not in "()")
