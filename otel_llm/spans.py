"""The one vocabulary of the house: canonical span fields and the columnar batch that carries them.

A :class:`SpanBatch` holds one Python list per canonical field; row ``i`` of every list describes span ``i``. Extraction
fills it, pricing and the writer complete it, an engine stores it, and nothing else describes a span on the way.

Field meanings follow the OpenTelemetry GenAI semantic conventions where they name the thing; the mapping of every
dialect to these fields is in :mod:`otel_llm.conventions`.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

FieldType = Literal["text", "int", "float", "bool", "bytes", "json"]
"""``int`` is a signed 64-bit integer, ``json`` is JSON text, ``bytes`` a raw id."""


class Field(NamedTuple):
    """One canonical field: its name is its column in the store.

    ``fillable`` fields are taken over by the counted copy of a call from its suppressed copies when it lacks them.
    ``required`` fields are never None in a finished batch.
    """

    name: str
    type: FieldType
    meaning: str
    unit: str = ""
    fillable: bool = False
    required: bool = False


FIELDS: tuple[Field, ...] = (
    # identity
    Field("project", "text", "project of the key the span came in with; 'default' in open mode", required=True),
    Field("trace_id", "bytes", "trace id, 16 bytes", required=True),
    Field("span_id", "bytes", "span id, 8 bytes", required=True),
    Field("parent_span_id", "bytes", "span id of the parent, 8 bytes; None for a root"),
    Field("name", "text", "span name", required=True),
    Field("kind", "int", "OTLP SpanKind: 0 unspecified, 1 internal, 2 server, 3 client, 4 producer, 5 consumer", required=True),
    Field("start_ns", "int", "start", "ns since 1970, UTC", required=True),
    Field("end_ns", "int", "end, never before the start", "ns since 1970, UTC", required=True),
    Field("scope_name", "text", "instrumentation scope name"),
    Field("scope_version", "text", "instrumentation scope version"),
    Field("service_name", "text", "resource service.name"),
    Field("service_namespace", "text", "resource service.namespace"),
    Field("key_id", "text", "public id of the key the span came in with"),
    Field("ingested_ns", "int", "arrival at the receiver", "ns since 1970, UTC", required=True),
    # what the span is
    Field("dialect", "text", "attribute dialect the span was read as", required=True),
    Field("role", "text", "generation, embedding, agent, workflow, tool, retrieval, rerank, guardrail, other", required=True),
    Field("operation", "text", "operation, normalised to the GenAI conventions", fillable=True),
    Field("provider", "text", "provider, normalised", fillable=True),
    Field("provider_inferred", "bool", "True when no attribute named the provider"),
    Field("request_model", "text", "model asked for, as sent", fillable=True),
    Field("response_model", "text", "model that answered, as sent", fillable=True),
    # usage
    Field("input_tokens", "int", "input tokens, cached and cache-write tokens included", "token", fillable=True),
    Field("output_tokens", "int", "output tokens, reasoning tokens included", "token", fillable=True),
    Field("total_tokens", "int", "total as reported by the instrumentation", "token", fillable=True),
    Field("cache_read_tokens", "int", "part of the input read from a cache", "token", fillable=True),
    Field("cache_write_tokens", "int", "part of the input written to a cache", "token", fillable=True),
    Field("cache_write_1h_tokens", "int", "part of cache_write_tokens with one hour life", "token", fillable=True),
    Field("reasoning_tokens", "int", "part of the output spent on reasoning", "token", fillable=True),
    Field("modality_tokens", "json", "object of audio, image and text token counts", "token", fillable=True),
    Field("tokens_adjusted", "text", "what normalisation changed on the reported counts, e.g. 'exclusive_cache'"),
    # cost
    Field("cost_reported", "float", "cost the span reports", "USD", fillable=True),
    Field("cost_reported_source", "text", "attribute cost_reported was read from", fillable=True),
    Field("cost_reported_input", "float", "input part of the reported cost", "USD", fillable=True),
    Field("cost_reported_output", "float", "output part of the reported cost", "USD", fillable=True),
    Field("cost_computed", "float", "cost from the price table; None when the model has no price", "USD"),
    Field("cost_computed_source", "text", "price the computed cost was made with"),
    # time
    Field("ttft_ns", "int", "time to first token", "ns", fillable=True),
    Field("ttft_source", "text", "attribute or event the time to first token was read from", fillable=True),
    Field("is_streaming", "bool", "True for a streamed answer", fillable=True),
    # who and what for (a span's own values; trace-level inheritance happens in queries)
    Field("user_id", "text", "end user id", fillable=True),
    Field("user_name", "text", "end user name", fillable=True),
    Field("user_tags", "json", "list of tags of the user", fillable=True),
    Field("session_id", "text", "session, else conversation", fillable=True),
    Field("request_tags", "json", "object of string tags of the request (LangDB)", fillable=True),
    Field("tags", "json", "sorted list of trace tags the span carries"),
    Field("metadata", "json", "object of free metadata, prefixes stripped"),
    Field("trace_name", "text", "trace name the span sets"),
    Field("app", "text", "application name"),
    Field("environment", "text", "deployment environment, Langfuse-normalised; None when not set"),
    Field("release", "text", "release of the app"),
    Field("version", "text", "version of the app"),
    Field("agent_name", "text", "agent name, span else resource", fillable=True),
    Field("agent_id", "text", "agent id, span else resource", fillable=True),
    Field("agentlens_agent_id", "text", "agentlens.agentId, span else resource"),
    Field("tool_name", "text", "tool name"),
    Field("prompt_name", "text", "prompt template name", fillable=True),
    Field("prompt_version", "text", "prompt template version", fillable=True),
    # outcome
    Field("error", "bool", "True when the status is ERROR or an error type is present", required=True),
    Field("error_type", "text", "error.type or exception type, last name only"),
    Field("error_message", "text", "status message, else exception message"),
    Field("status_code", "int", "OTLP status code: 0 unset, 1 ok, 2 error", required=True),
    Field("finish_reasons", "json", "list of normalised finish reasons", fillable=True),
    Field("response_id", "text", "provider's response id", fillable=True),
    Field("provider_request_id", "text", "provider's request id", fillable=True),
    # where
    Field("server_address", "text", "host of the model endpoint, no scheme, port or path", fillable=True),
    Field("server_port", "int", "port of the model endpoint", fillable=True),
    Field("service_tier", "text", "service tier (flex, priority, batch, fast, ...)", fillable=True),
    Field("repo_id", "text", "flashback.repo_id, span else resource"),
    Field("ai_llm_id", "text", "flashback.ai_llm_id, span else resource", fillable=True),
    Field("api_key_id", "text", "flashback.api_key_id, span else resource", fillable=True),
    # the audit trail: everything the numbers were read from
    Field("attributes", "json", "span attributes as sent, message content dropped unless captured"),
    Field("resource_attributes", "json", "resource attributes as sent"),
    Field("events", "json", "list of {name, time_ns, attributes}, message content dropped unless captured"),
    Field("links", "json", "list of {trace_id, span_id, attributes}, ids in hex"),
    Field("attribute_count", "int", "number of attributes sent; of two copies with equal end the larger wins", required=True),
    # counting (conventions/counting.py); None for spans that are not LLM calls
    Field("counted", "bool", "True when the call is counted in sums; None for a span that is no call"),
    Field("suppressed_by", "bytes", "span id of the copy that is counted instead"),
    Field("reason", "text", "why the call is or is not counted"),
    Field("filled", "json", "list of field names taken over from suppressed copies; the span's own value was None"),
)

FIELD_NAMES: tuple[str, ...] = tuple(field.name for field in FIELDS)
FIELD_BY_NAME: dict[str, Field] = {field.name: field for field in FIELDS}
FILLABLE: tuple[str, ...] = tuple(field.name for field in FIELDS if field.fillable)
CALL_ROLES = frozenset({"generation", "embedding"})
"""Roles of LLM calls: everything the metric endpoints count."""

SpanKey = tuple[str, bytes, bytes]
"""Identity of a span: (project, trace_id, span_id)."""


class SlimSpan(NamedTuple):
    """What counting needs to know of a span: identity, links, times and usage, no text beyond ids and names."""

    project: str
    trace_id: bytes
    span_id: bytes
    parent_span_id: bytes | None
    start_ns: int
    end_ns: int
    kind: int
    role: str
    scope_name: str | None
    input_tokens: int | None
    output_tokens: int | None
    response_id: str | None
    attribute_count: int
    counted: bool | None
    suppressed_by: bytes | None
    reason: str | None
    filled: str | None

    @property
    def key(self) -> SpanKey:
        """Identity: (project, trace_id, span_id)."""
        return self.project, self.trace_id, self.span_id

    @property
    def is_call(self) -> bool:
        """True for an LLM call: a generation or an embedding."""
        return self.role in CALL_ROLES

    @property
    def weight(self) -> tuple[bool, int, int]:
        """Of two differing copies of a span the heavier one is kept: a span before a log record (kind 0), the later end, more
        attributes."""
        return self.kind != 0, self.end_ns, self.attribute_count


class Finding(NamedTuple):
    """One policy finding (guardrail verdict): what Flashback counts as violation, alert or block."""

    project: str
    trace_id: bytes
    span_id: bytes
    finding_key: bytes
    time_ns: int
    policy_id: str
    policy_name: str
    action: str
    severity: str
    source: str


class MetricPoint(NamedTuple):
    """One data point of a GenAI metric: kept, never added to span counts. ``point_key`` makes a resent point the same."""

    project: str
    point_key: bytes
    name: str
    unit: str
    type: str
    start_ns: int
    time_ns: int
    service_name: str | None
    attributes: str
    value: str


class Rejection(NamedTuple):
    """One span, log record or data point that was refused: why, and its ids as far as they could be read (hex)."""

    project: str
    time_ns: int
    signal: str
    trace_id: str
    span_id: str
    reason: str
    detail: str


class Columns(dict[str, list[Any]]):
    """Columns by field name. One in which every row is None may be left out; it is made when it is asked for."""

    __slots__ = ("_size",)

    def __init__(self, size: int, columns: Mapping[str, list[Any]] | None = None) -> None:
        super().__init__(columns or {})
        self._size = size

    def __missing__(self, name: str) -> list[Any]:
        if name not in FIELD_BY_NAME:
            raise KeyError(name)
        column = self[name] = [None] * self._size
        return column


class SpanBatch:
    """A columnar batch of spans: ``columns[name][row]`` for every name in :data:`FIELD_NAMES`."""

    __slots__ = ("columns", "size")

    def __init__(self, size: int = 0) -> None:
        self.size = size
        self.columns: dict[str, list[Any]] = Columns(size)

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, name: str) -> list[Any]:
        """The column of one canonical field."""
        return self.columns[name]

    @classmethod
    def of_columns(cls, columns: Mapping[str, list[Any]], size: int) -> "SpanBatch":
        """A batch over existing columns of equal length; one that is missing is None in every row."""
        batch = cls.__new__(cls)
        batch.columns = Columns(size, columns)
        batch.size = size
        return batch

    @classmethod
    def of_rows(cls, rows: Sequence[dict[str, Any]]) -> "SpanBatch":
        """A batch from row dicts; absent fields are None. For tests and small work, not for the hot path."""
        columns = {name: [row.get(name) for row in rows] for name in FIELD_NAMES}
        return cls.of_columns(columns, len(rows))

    @classmethod
    def concat(cls, batches: Sequence["SpanBatch"]) -> "SpanBatch":
        """One batch with the rows of all, in order."""
        batches = [batch for batch in batches if batch.size]
        if len(batches) == 1:
            return batches[0]
        held = set().union(*(batch.columns for batch in batches))
        columns: dict[str, list[Any]] = {name: [] for name in held}
        for batch in batches:
            for name, column in columns.items():
                column.extend(batch.columns.get(name) or [None] * batch.size)
        return cls.of_columns(columns, sum(batch.size for batch in batches))

    def filled_columns(self) -> dict[str, list[Any]]:
        """The columns in which some row is not None, in the order of the fields."""
        columns, size = self.columns, self.size
        held = ((name, columns[name]) for name in FIELD_NAMES if name in columns)
        return {name: column for name, column in held if size and (column[0] is not None or column.count(None) < size)}

    def take(self, rows: Sequence[int]) -> "SpanBatch":
        """A batch of the given rows, in that order."""
        columns = {name: [column[row] for row in rows] for name, column in self.columns.items()}
        return SpanBatch.of_columns(columns, len(rows))

    def only(self, names: Collection[str]) -> "SpanBatch":
        """A batch of the named columns, the same lists."""
        return SpanBatch.of_columns({name: self.columns[name] for name in names if name in self.columns}, self.size)

    def part(self, first: int, last: int) -> "SpanBatch":
        """A batch of the rows from one to before another."""
        return SpanBatch.of_columns({name: column[first:last] for name, column in self.columns.items()}, last - first)

    def row(self, index: int) -> dict[str, Any]:
        """One row as a dict."""
        return {name: self.columns[name][index] for name in FIELD_NAMES}

    def rows(self) -> Iterable[dict[str, Any]]:
        """All rows as dicts. For tests and small work, not for the hot path."""
        return (self.row(index) for index in range(self.size))

    def slim(self) -> list[SlimSpan]:
        """The slim form of every row, in order."""
        return list(map(SlimSpan, *(self.columns[name] for name in SlimSpan._fields)))

    def key(self, index: int) -> SpanKey:
        """Identity of one row."""
        columns = self.columns
        return columns["project"][index], columns["trace_id"][index], columns["span_id"][index]


def is_constant(column: Sequence[Any]) -> bool:
    """True when all values of a column, several, are one and the same. Not told of floats, where equal ones may differ (0.0 and
    -0.0)."""
    first = column[0]
    if first is None or first != column[-1] or isinstance(first, float):
        return False
    size = len(column)
    return size > 1 and column.count(first) == size
