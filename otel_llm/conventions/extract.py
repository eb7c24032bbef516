"""The hot walk: an OTLP trace request becomes a columnar batch.

Every span is walked once. Its attributes become a plain dict (the audit trail), the plan of its keys says which of them
to read for which field (:mod:`otel_llm.conventions.routes`), and a few rules settle what several attributes decide
together. What a resource and a scope say is worked out once and copied into each of their spans.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from operator import itemgetter
from typing import Any, Final, NamedTuple

import msgspec
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from otel_llm.conventions import gathered, names, outcome, policy, providers, roles, timing, usage, values
from otel_llm.conventions.anyvalue import plain_attributes
from otel_llm.conventions.content import ContentPolicy
from otel_llm.conventions.dialect import Dialect
from otel_llm.conventions.events import NO_EVENTS, read_events, read_links
from otel_llm.conventions.extraction import Extraction
from otel_llm.conventions.frames import frames_of, scope_of
from otel_llm.conventions.identity import Fault, check_ids, check_times, hex_of, parent_of
from otel_llm.conventions.joining import Joined
from otel_llm.conventions.pattern import MEASURED, Matched, Pattern
from otel_llm.conventions.routes import (
    PARAMETERS,
    WIDE,
    Plan,
    Plans,
    dialect_of_scope,
    key_route,
    plans_of,
    resource_candidates,
)
from otel_llm.conventions.slots import BLANK, SLOT
from otel_llm.conventions.stencil import MANY, Family, Memory, Scope, Shape
from otel_llm.conventions.values import NUL, BadValueError, clean, scrub_attributes
from otel_llm.conventions.wire import PAIRS, ScopeSpans, WireSpan, read_pair, read_status, trace_request
from otel_llm.otlp.damage import Damage
from otel_llm.otlp.decode import salvage
from otel_llm.spans import CALL_ROLES, FIELD_NAMES, Finding, Rejection, SpanBatch

PENDING: Final = "pending_span"
"""Logfire's early copy of a span that has not ended: ignored, the span itself follows."""
MISSING_WORD: Final = "none"
"""What Spring AI writes for a value it does not have."""

LAST: Final = 1 << 30
"""Rank behind every source."""

MAX_RESOURCES: Final = 512
"""Resources remembered."""
MAX_SCOPES: Final = 64
"""Scopes remembered of each."""
MAX_REMEMBERED_RESOURCE: Final = 8192
"""Longer resources, in bytes, are read each time they come."""

_pair_of: Final = PAIRS.__getitem__
_encode: Final = msgspec.json.Encoder().encode

_TRACE, _SPAN, _PARENT = SLOT["trace_id"], SLOT["span_id"], SLOT["parent_span_id"]
_NAME, _KIND, _START, _END = SLOT["name"], SLOT["kind"], SLOT["start_ns"], SLOT["end_ns"]
_SCOPE, _SCOPE_VERSION = SLOT["scope_name"], SLOT["scope_version"]
_SERVICE, _NAMESPACE = SLOT["service_name"], SLOT["service_namespace"]
_DIALECT, _ROLE, _OPERATION = SLOT["dialect"], SLOT["role"], SLOT["operation"]
_PROVIDER, _INFERRED = SLOT["provider"], SLOT["provider_inferred"]
_REQUEST_MODEL, _RESPONSE_MODEL = SLOT["request_model"], SLOT["response_model"]
_STATUS, _ERROR, _TTFT, _STREAMING = SLOT["status_code"], SLOT["error"], SLOT["ttft"], SLOT["is_streaming"]
_FINISH, _TOOL, _ENTITY = SLOT["finish_reasons"], SLOT["tool_name"], SLOT["entity_name"]
_TRACELOOP, _LOGFIRE, _LOGGED = SLOT["traceloop_kind"], SLOT["logfire_span_type"], SLOT["logged_duration"]
_HOST, _VERDICT, _COST, _HIT = SLOT["server_address"], SLOT["verdict"], SLOT["cost"], SLOT["cache_hit"]
_TAGS, _METADATA = SLOT["tags"], SLOT["metadata"]
_REQUEST_TAGS, _USER_TAGS = SLOT["request_tags"], SLOT["user_tags"]
_MODALITY = SLOT["modality_tokens"]
_ATTRIBUTES, _EVENTS, _LINKS = SLOT["attributes"], SLOT["events"], SLOT["links"]
_RESOURCE, _COUNT = SLOT["resource_attributes"], SLOT["attribute_count"]
_ALL_LIVE: Final = (1 << len(FIELD_NAMES)) - 1
"""Bits of all slots that are fields."""
_MEASURED_LIVE: Final = sum(1 << slot for slot in (_TRACE, _SPAN, _PARENT, _ATTRIBUTES, *MEASURED))
"""Those that are filled on every span anew."""


def extract_spans(
    message: ExportTraceServiceRequest | Any,
    *,
    project: str,
    key_id: str | None,
    now_ns: int,
    content: ContentPolicy,
    dialect: Dialect | None = None,
    stencils: bool = True,
) -> Extraction:
    """Reads a trace request into a batch of spans.

    ``project`` and ``key_id`` are the caller's, ``now_ns`` the time of arrival (ns since 1970); ``dialect`` is given when the
    spans themselves do not tell it any more; without ``stencils`` each span is read on its own, which gives the same rows.
    A span that cannot be stored becomes a rejection, a value that cannot be is dropped and counted. A request that was decoded
    as a :data:`otel_llm.conventions.wire.TraceRequest` is read without a further copy; what does not parse of its scopes is
    found here, and is the extraction's damage. Raises InvalidPayload when nothing can be made of such a request.
    """
    damage = Damage()
    try:
        walk = _walked(message, Walk(project, key_id, now_ns, content), dialect, stencils=stencils)
    except DecodeError:
        message, damage = salvage("traces", message.SerializeToString())
        walk = _walked(message, Walk(project, key_id, now_ns, content), dialect, stencils=stencils)
    extraction = walk.extraction()
    extraction.damage = damage
    return extraction


def extract_together(
    messages: Sequence[Any], *, project: str, key_id: str | None, now_ns: int, content: ContentPolicy
) -> tuple[Extraction, list[int]]:
    """Reads several trace requests of one caller into one batch, for a fraction of what each costs by itself.

    Also gives how many spans each of them has: these are its rows, in the order of the requests, when the extraction
    :attr:`~otel_llm.conventions.extraction.Extraction.is_plain`; of another nobody knows which request has what. Raises
    DecodeError when a scope of one of them does not parse.
    """
    walk = Walk(project, key_id, now_ns, content)
    joined = Joined()
    received = [joined.add(trace_request(message)) for message in messages]
    for resource, encoded in joined.scopes():
        walk.scope_spans(encoded, walk.resource(resource))
    extraction = walk.extraction()
    order = joined.order()
    if order is not None and extraction.is_plain:
        extraction.batch = extraction.batch.take(order)
    return extraction, received


def _walked(message: Any, walk: "Walk", dialect: Dialect | None, *, stencils: bool) -> "Walk":
    """Reads all spans of a request. Raises DecodeError for a scope that does not parse."""
    for resource_spans in trace_request(message).resource_spans:
        base = walk.resource(resource_spans.resource)
        for scope_spans in resource_spans.scope_spans:
            walk.scope_spans(scope_spans, base, dialect, stencils=stencils)
    return walk


class Base:
    """What every span of one resource shares: the start of its row, the ranks of what the resource fed, and the stencils of
    its spans by scope."""

    __slots__ = ("_families", "_memory", "ranks", "row")

    def __init__(self, row: list[Any], ranks: dict[int, int], memory: Memory | None) -> None:
        """``memory`` is None for a resource that is not remembered."""
        self.row = row
        self.ranks = ranks
        self._memory = memory
        self._families: dict[bytes, Family] = {}

    def family(self, encoded_scope: bytes) -> Family | None:
        """What is remembered of the spans of one scope; None when nothing is."""
        if self._memory is None:
            return None
        found = self._families.get(encoded_scope)
        if found is None:
            if len(self._families) >= MAX_SCOPES:
                self._families.clear()
            found = self._families[encoded_scope] = Family(self.ranks, self._memory)
        return found


class _Bases(dict[tuple[bytes, ContentPolicy], Base]):
    """Resources that this process has seen, with all that is remembered of their spans."""

    def __init__(self) -> None:
        super().__init__()
        self.memory = Memory()

    def known(self, key: tuple[bytes, ContentPolicy]) -> Base | None:
        """A resource that was seen before."""
        if self.memory.full:
            self._forget()
        return self.get(key)

    def add(self, key: tuple[bytes, ContentPolicy], row: list[Any], ranks: dict[int, int]) -> Base:
        if len(self) >= MAX_RESOURCES:
            self._forget()
        base = self[key] = Base(row, ranks, self.memory)
        return base

    def _forget(self) -> None:
        self.clear()
        self.memory = Memory()


_bases: Final = _Bases()


class Others(NamedTuple):
    """Spans of a scope that are read one by one."""

    received: int
    """How many spans the scope has."""
    places: Sequence[int]
    spans: Sequence[Any]
    """Each a WireSpan."""


class Walk:
    """The state of reading one request."""

    __slots__ = (
        "_content",
        "_guard",
        "_ignored",
        "_key_id",
        "_live",
        "_now_ns",
        "_parts",
        "_places",
        "_project",
        "_rows",
        "_values",
        "findings",
        "received",
        "rejections",
    )

    def __init__(self, project: str, key_id: str | None, now_ns: int, content: ContentPolicy) -> None:
        self._project = project
        self._key_id = key_id
        self._now_ns = now_ns
        self._content = content
        self._guard = content.guard()
        self._rows: list[list[Any]] = []
        self._places: list[int] = []
        """Which span of the request a row is."""
        self._live = 0
        self._parts: list[tuple[SpanBatch, list[int]]] = []
        """Spans that became columns at once, and which of the request they are."""
        self.received = 0
        self._ignored: Counter[str] = Counter()
        self.rejections: list[Rejection] = []
        self._values: Counter[str] = Counter()
        self.findings: list[Finding] = []

    def extraction(self) -> Extraction:
        """The outcome: the rows, turned into columns."""
        batch = self._of_rows()
        if self._parts:
            places = self._places
            parts = [batch] if batch.size else []
            for part, of_part in self._parts:
                places = places + of_part
                parts.append(part)
            batch = SpanBatch.concat(parts)
            if len(parts) > 1:
                batch = batch.take(sorted(range(batch.size), key=places.__getitem__))
        size = batch.size
        if size:
            batch.columns |= {"project": [self._project] * size, "ingested_ns": [self._now_ns] * size}
            if self._key_id is not None:
                batch.columns["key_id"] = [self._key_id] * size
        return Extraction(batch, self.received, self._ignored, self.rejections, self._values, self.findings)

    def _of_rows(self) -> SpanBatch:
        rows = self._rows
        if not rows:
            return SpanBatch()
        live = [slot for slot in range(len(FIELD_NAMES)) if self._live >> slot & 1]
        names = [FIELD_NAMES[slot] for slot in live]
        columns = dict(zip(names, map(list, zip(*map(itemgetter(*live), rows), strict=True)), strict=True))
        return SpanBatch.of_columns(columns, len(rows))

    def scope(self, encoded: bytes, family: Family | None) -> Scope:
        """An instrumentation scope; an empty one when its bytes are none. ``family`` is what is remembered of its spans."""
        if family is not None and family.scope is not None:
            return family.scope
        try:
            read = InstrumentationScope.FromString(encoded)
        except DecodeError:
            self._drop("scope: undecodable")
            return Scope("", "")
        scope = Scope.of(read.name, read.version)
        if family is not None:
            family.scope = scope
        return scope

    def resource(self, encoded_resource: bytes) -> Base:
        """The row that spans of a resource start from."""
        key = (encoded_resource, self._content)
        known = _bases.known(key)
        if known is not None:
            return known
        values_before = self._values.total()
        try:
            resource = Resource.FromString(encoded_resource)
        except DecodeError:
            self._drop("resource: undecodable")
            resource = Resource()
        row = BLANK[:]
        ranks: dict[int, int] = {}
        raw = plain_attributes(resource.attributes)
        encoded = _encode(raw)
        if NUL in encoded:
            raw = scrub_attributes(raw)
            encoded = _encode(raw)
        if self._guard is not None:
            raw, encoded = self._guard.attributes(raw, encoded)
        row[_RESOURCE] = encoded.decode() if raw else None
        row[_SERVICE] = values.text(raw.get("service.name"))
        row[_NAMESPACE] = values.text(raw.get("service.namespace"))
        for slot, listed in resource_candidates(raw).items():
            for candidate in listed:
                value = self.read(candidate.read, candidate.key, raw[candidate.key])
                if value is not None:
                    row[slot], ranks[slot] = value, candidate.rank
                    break
        if len(encoded_resource) > MAX_REMEMBERED_RESOURCE or self._values.total() != values_before or self._content.capture:
            return Base(row, ranks, None)
        return _bases.add(key, row, ranks)

    def read(self, reader: values.Reader, key: str, value: Any) -> Any:
        """A value read by a reader; what is impossible is counted and None."""
        try:
            return reader(value)
        except BadValueError as bad:
            self._values[f"{key}: {bad}"] += 1
            return None

    def scope_spans(self, encoded: bytes, base: Base, dialect: Dialect | None = None, *, stencils: bool = True) -> None:
        """Reads an encoded ScopeSpans. Raises DecodeError when it is none."""
        encoded_scope, start = scope_of(encoded)
        family = base.family(encoded_scope) if stencils and dialect is None else None
        patterns = family.patterns() if family is not None else []
        others = self.alike(encoded, start, patterns)
        if others is None:
            parsed = ScopeSpans.FromString(encoded)
            if family is not None and parsed.scope != encoded_scope:
                family = base.family(parsed.scope)
                patterns = family.patterns() if family is not None else []
            encoded_scope = parsed.scope
            if patterns and len(parsed.spans) >= MANY:
                # Patterns know one order of fields, and their writer may have another.
                again = parsed.SerializeToString()
                others = self.alike(again, scope_of(again)[1], patterns) if again != encoded else None
            if others is None:
                others = Others(len(parsed.spans), range(len(parsed.spans)), parsed.spans)
        scope = self.scope(encoded_scope, family)
        if others.spans:
            self._read(others, base, scope, dialect, family)
        self.received += others.received

    def spans(
        self, spans: Sequence[Any], base: Base, scope_name: str, scope_version: str, dialect: Dialect | None = None
    ) -> None:
        """Reads the spans (each a WireSpan) of one scope; ``dialect`` is given where the scope does not decide it."""
        self._read(Others(len(spans), range(len(spans)), spans), base, Scope.of(scope_name, scope_version), dialect, None)
        self.received += len(spans)

    def _read(self, others: "Others", base: Base, scope: Scope, dialect: Dialect | None, family: Family | None) -> None:
        """Reads spans one by one; ``family`` is given where spans like these may have been read before."""
        plans = plans_of(dialect or dialect_of_scope(scope.name))
        first = self.received
        for place, span in zip(others.places, others.spans, strict=True):
            attributes = list(span.attributes)
            if family is not None and self._fill(span, attributes, family):
                self._places.append(first + place)
                continue
            row = base.row[:]
            row[_SCOPE], row[_SCOPE_VERSION] = scope.name or None, scope.version or None
            if self._span(span, attributes, row, base.ranks, scope.name, plans, family):
                self._rows.append(row)
                self._places.append(first + place)
                self._live |= _ALL_LIVE

    def alike(self, encoded: bytes, start: int, patterns: Sequence[tuple[Shape, Pattern]]) -> "Others | None":
        """Reads the spans of an encoded scope, from a byte on, that patterns match, and returns the others; None when none
        matches, or when there are too few for it. Raises DecodeError when one of the others does not parse."""
        frames = frames_of(encoded, start) if patterns else None
        if frames is None or len(frames.starts) < MANY * min(len(patterns), 2):
            return None
        size = len(frames.starts)
        left: Sequence[int] = range(size)
        found: list[list[Matched]] = []
        for _, pattern in patterns:
            taken = pattern.take(encoded, frames, left)
            found.append([taken])
            left = taken.left
        for (shape, pattern), parts in zip(patterns, found, strict=True):
            if not left:
                break
            matched = pattern.match(encoded, frames, left)
            left = matched.left
            if matched.matches:
                parts.append(matched)
                shape.learn_layouts(pattern, frames, matched)
            if pattern.idle:
                shape.give_up(pattern)
        if len(left) == size:
            return None
        others = list(left)
        for (_, pattern), parts in zip(patterns, found, strict=True):
            matched = parts[0].joined(parts[1:])
            if not matched.places:
                continue
            read = pattern.read(matched, self._measure)
            others += read.left
            if read.places:
                self._parts.append(
                    (SpanBatch.of_columns(read.columns, len(read.places)), [self.received + place for place in read.places])
                )
        others.sort()
        return Others(size, others, [WireSpan.FromString(frames.span(encoded, place)) for place in others])

    def _fill(self, span: Any, attributes: list[bytes], family: Family) -> bool:
        """Reads a span by a stencil; False when there is none that it fits, or when it is out of the ordinary."""
        shapes = family.by_width.get(len(attributes))
        if shapes is None or span.events or span.links:
            return False
        name, kind, status = span.name, span.kind, span.status
        for shape in shapes:
            stencil = shape.stencils.get((name, kind, status, shape.pick(attributes)))
            if stencil is not None:
                break
        else:
            return False
        trace_id, span_id, parent = span.trace_id, span.span_id, span.parent_span_id
        start_ns, end_ns = span.start_time_unix_nano, span.end_time_unix_nano
        if not 0 < start_ns <= end_ns <= values.INT64_MAX or check_ids(trace_id, span_id, parent) is not None:
            return False
        row, pieces = stencil.row[:], stencil.pieces[:]
        for place, piece, cells, column in shape.varying:
            encoded = attributes[place]
            cell = cells.get(encoded) or column.read(encoded)
            if cell is None:
                return False
            if piece >= 0:
                pieces[piece] = cell[0]
            for slot, value in cell[1]:
                row[slot] = value
        for slot in shape.counts:
            if not row[slot]:
                return False
        row[_ATTRIBUTES] = "{" + ",".join(pieces) + "}" if pieces else None
        row[_TRACE], row[_SPAN], row[_PARENT] = trace_id, span_id, parent_of(parent)
        row[_START], row[_END] = start_ns, end_ns
        self._measure(row, shape.plan.dialect, stencil.role, ())
        self._rows.append(row)
        self._live |= stencil.live | _MEASURED_LIVE
        shape.filled()
        return True

    def _span(
        self,
        span: Any,
        attributes: list[bytes],
        row: list[Any],
        ranks: dict[int, int],
        scope: str,
        plans: Plans,
        family: Family | None,
    ) -> bool:
        """Reads one span into its row; False when it is rejected or ignored."""
        trace_id, span_id, parent = span.trace_id, span.span_id, span.parent_span_id
        fault = check_ids(trace_id, span_id, parent)
        times = check_times(span.start_time_unix_nano, span.end_time_unix_nano, self._now_ns)
        if fault is not None or times.__class__ is Fault:
            self._reject(trace_id, span_id, fault or times)  # type: ignore[arg-type]
            return False
        values_before = self._values.total()
        start_ns, end_ns = times
        try:
            raw = dict(map(_pair_of, attributes))
        except DecodeError:
            raw = self._readable(attributes)
        row[_COUNT] = len(attributes)
        keys = tuple(raw)
        plan = plans.get(keys) or plans.make(keys)
        encoded = self._settle_content(raw, plan)
        if NUL in encoded:
            raw = scrub_attributes(raw)
            cleaned = tuple(raw)
            plan = plans.get(cleaned) or plans.make(cleaned)
            encoded = self._settle_content(raw, plan)  # once more: a key that is clean only now may name content
            family = None
        guard = self._guard
        if guard is not None:
            raw, encoded = guard.attributes(raw, encoded)
        row[_ATTRIBUTES] = encoded.decode() if raw else None
        self._route(raw, plan, row, ranks)
        if row[_LOGFIRE] == PENDING:
            self.ignore(PENDING)
            return False
        name = clean(span.name.decode("utf-8", "replace"))
        if guard is not None:
            name = guard.text(name)
        row[_TRACE], row[_SPAN], row[_PARENT] = trace_id, span_id, parent_of(parent)
        row[_NAME], row[_KIND] = name, span.kind
        row[_START], row[_END] = start_ns, end_ns
        row[_STATUS], message = read_status(span.status)
        events, links = span.events, span.links
        read = read_events(events, span.dropped_events_count, self._content, guard) if len(events) else NO_EVENTS
        role = self._settle(row, plan, scope, name, message, read.exceptions)
        if family is not None and not events and not links and row[_VERDICT] is None and len(keys) == len(attributes):
            shape = family.shape(keys, plan)
            if shape is not None and shape.learn(attributes, guard) and self._values.total() == values_before:
                key = (span.name, span.kind, span.status, shape.pick(attributes))
                shape.keep(key, row, raw, role)
        self._measure(row, plan.dialect, role, read.first_tokens)
        if len(events):
            row[_EVENTS] = _encode(read.kept).decode() if read.kept else None
            self._event_findings(read.findings, row)
        if len(links):
            kept = read_links(links, self._content, guard)
            row[_LINKS] = _encode(kept).decode() if kept else None
        if row[_VERDICT] is not None:
            self.findings.extend(policy.of_attributes(raw, row[_END], self._project, row[_TRACE], row[_SPAN]))
        return True

    def _readable(self, attributes: Iterable[bytes]) -> dict[str, Any]:
        """The attributes that decode; the others are counted."""
        pairs = [read_pair(encoded) for encoded in attributes]
        for _ in range(pairs.count(None)):
            self._drop("attribute: undecodable")
        return dict(pair for pair in pairs if pair is not None)

    def _settle_content(self, raw: dict[str, Any], plan: Plan) -> bytes:
        """Takes message content out of the attributes, or cuts it, and gives them as JSON."""
        content = plan.content if len(raw) <= WIDE else [key for key in raw if key_route(key).content]
        parameters = plan.parameters if len(raw) <= WIDE else [key for key in raw if key in PARAMETERS]
        for key in parameters:
            raw[key] = self._content.parameters(raw[key])
        if content:
            if self._content.capture:
                raw.update(self._content.cut({key: raw[key] for key in content}))
            else:
                for key in content:
                    del raw[key]
        return _encode(raw)

    def _route(self, raw: dict[str, Any], plan: Plan, row: list[Any], ranks: dict[int, int]) -> None:
        """Reads every field that the plan names."""
        found = raw
        if plan.opened:
            found = raw.copy()
            for key, opener, parts in plan.opened:
                opened = opener(raw.get(key)) or {}
                for part_key, part in parts:
                    value = opened.get(part)
                    found[part_key] = clean(value) if value.__class__ is str else value
        if plan.dialect.name == "spring_ai":
            found = {key: None if value == MISSING_WORD else value for key, value in found.items()}
        for slot, key, read, others in plan.steps:
            try:
                value = read(found[key])
            except BadValueError as bad:
                self._values[f"{key}: {bad}"] += 1
                value = None
            except KeyError:
                value = None
            if value is None and others:
                for other_key, other_read in others:
                    value = self.read(other_read, other_key, found.get(other_key))
                    if value is not None:
                        break
            row[slot] = value
        for slot, listed in plan.shared:
            known = ranks.get(slot, LAST)
            for _, rank, key, read in listed:
                if rank > known:
                    break
                try:
                    value = read(found.get(key))
                except BadValueError as bad:
                    self._values[f"{key}: {bad}"] += 1
                    continue
                if value is not None:
                    row[slot] = value
                    break
        for slot, rank, label, key, read in plan.gathers:
            value = found.get(key)
            if value is None or value == "":
                continue
            value = self.read(read, key, value)
            if value is not None:
                entry = (rank, label if label is not None else key.split("#", 1)[0], value)
                if row[slot] is None:
                    row[slot] = [entry]
                else:
                    row[slot].append(entry)

    def _settle(self, row: list[Any], plan: Plan, scope: str, name: str, message: str, exceptions: list[dict[str, Any]]) -> str:
        """Settles the fields that several attributes decide together, but for what is measured; returns the role."""
        dialect: Dialect = plan.dialect
        row[_DIALECT] = dialect.name
        decision = roles.decide(row, name, scope, dialect.name, plan.typed)
        role = decision.role
        if decision.rule == roles.NAMED:
            row[_REQUEST_MODEL] = values.text(name.partition(" ")[2])
        if row[_PROVIDER] is not None:
            row[_INFERRED] = False
        elif role in CALL_ROLES:
            found = dialect.provider or providers.inferred(row[_HOST], row[_REQUEST_MODEL], row[_RESPONSE_MODEL])
            if found:
                row[_PROVIDER], row[_INFERRED] = found, True
        row[_ROLE], row[_OPERATION] = role, decision.operation
        if outcome.failed(row):
            message = clean(message)
            outcome.settle(row, self._guard.text(message) if self._guard else message, exceptions)
        else:
            row[_ERROR] = False
        if row[_FINISH] is not None:
            row[_FINISH] = names.finish_json(row[_FINISH])
        if row[_TAGS] or row[_METADATA] or row[_REQUEST_TAGS] or row[_USER_TAGS]:
            gathered.settle_lists(row)
        if row[_ENTITY] and row[_TOOL] is None and row[_TRACELOOP] == "tool":
            row[_TOOL] = row[_ENTITY]
        return role

    def _measure(self, row: list[Any], dialect: Dialect, role: str, first_tokens: Sequence[tuple[int, str, int]]) -> None:
        """Settles what is new on each span: tokens, times, cost."""
        usage.normalise(row, dialect, role, self._drop)
        if row[_MODALITY].__class__ is list:
            row[_MODALITY] = None
        if row[_LOGGED] is not None and row[_LOGFIRE] == "log" and role in CALL_ROLES and row[_END] == row[_START]:
            # The log span of a finished stream is written at its end and says how long it took.
            row[_START] = max(row[_END] - row[_LOGGED], 0)
        if first_tokens or timing.timed(row):
            timing.settle(row, dialect.name, row[_START], row[_END], first_tokens)
        elif row[_STREAMING] is None and role in CALL_ROLES:
            timing.settle_streaming(row, dialect.name)
        if row[_COST] is not None or row[_HIT]:
            gathered.settle_cost(row)

    def _event_findings(self, events: list[dict[str, Any]], row: list[Any]) -> None:
        for position, event in enumerate(events[: policy.MAX_PER_SPAN]):
            finding = policy.of_event(
                event["name"],
                event["attributes"],
                event["time_ns"] or row[_START],
                self._project,
                row[_TRACE],
                row[_SPAN],
                position,
            )
            if finding:
                self.findings.append(finding)

    def ignore(self, reason: str) -> None:
        """Counts one item that is neither stored nor refused."""
        self._ignored[reason] += 1

    def _drop(self, reason: str) -> None:
        self._values[reason] += 1

    def _reject(self, trace_id: bytes, span_id: bytes, fault: Fault) -> None:
        self.rejections.append(
            Rejection(self._project, self._now_ns, "spans", hex_of(trace_id), hex_of(span_id), fault.reason, fault.detail)
        )
