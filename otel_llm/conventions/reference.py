"""The reference page of all attributes that are read, made from the tables: ``python -m otel_llm.conventions.reference``."""

import sys
from collections.abc import Iterable

from otel_llm.conventions import content, gathered, names, policy, providers, redaction, roles, timing
from otel_llm.conventions.dialect import Dialect
from otel_llm.conventions.dialects import DIALECTS
from otel_llm.conventions.logs import CALL_EVENTS, DETAILS
from otel_llm.conventions.metrics import KEPT
from otel_llm.conventions.routes import PARAMETERS
from otel_llm.conventions.slots import EVIDENCE
from otel_llm.spans import FIELDS

_HEAD = """# Attributes

Generated from the dialect tables by `python -m otel_llm.conventions.reference > docs/attributes.md`; do not edit.

Of all sources of a field that a span carries and that parse, the one with the lowest rank wins; the order of attributes on
a span never matters. `a#b` is part `b` of the object (or JSON text) in attribute `a`. Fields marked *gathers* take every
source. Every other attribute is kept with the span as sent, except message content, which is dropped unless
`capture_content` is on. `otel-llm explain` shows for a stored span which source fed which field.
"""


def page() -> str:
    """The whole page, Markdown."""
    parts = [
        _HEAD,
        _dialects(),
        _fields(),
        _evidence(),
        _roles(),
        _providers(),
        _finish(),
        _time(),
        _content(),
        _policy(),
        _logs(),
    ]
    return "\n".join(parts)


def _table(head: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    columns = list(head)
    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    lines.extend("| " + " | ".join(str(cell).replace("|", "\\|") for cell in row) + " |" for row in rows)
    return "\n".join(lines) + "\n"


def _code(texts: Iterable[str]) -> str:
    return ", ".join(f"`{text}`" for text in texts)


def _dialects() -> str:
    def notes(dialect: Dialect) -> str:
        told = []
        if dialect.exclusive_cache:
            whom = f" for {_code(sorted(dialect.exclusive_providers))}" if dialect.exclusive_providers else ""
            where = "" if dialect.exclusive_cache == ("*",) else f" in {_code(dialect.exclusive_cache)}"
            told.append(f"input leaves cached tokens out{whom}{where}")
        if dialect.exclusive_reasoning:
            told.append("output leaves reasoning tokens out")
        if dialect.raw_cache:
            told.append("passes the provider's raw input count on: arithmetic decides")
        if dialect.provider:
            told.append(f"provider {dialect.provider} unless named")
        return "; ".join(told)

    rows = [
        (f"`{dialect.name}`", dialect.title, _code(dialect.scopes), _code(dialect.fingerprints), notes(dialect))
        for dialect in sorted(DIALECTS, key=lambda dialect: dialect.order)
    ]
    text = "The scope name decides the dialect (longest pattern that fits); else the first dialect with a fingerprint among\n"
    text += "the attribute keys. The dialect selects units and what input counts include, and the sources limited to it.\n\n"
    return "## Dialects\n\n" + text + _table(("dialect", "what", "scopes", "fingerprints", "notes"), rows)


def _sources(field: str) -> str:
    listed = [
        (source.rank, source.key, source.on, dialect.name, source.only)
        for dialect in DIALECTS
        for source in dialect.sources
        if source.field == field
    ]
    listed.extend(
        (prefix.rank, prefix.prefix + "*", "span", dialect.name, frozenset())
        for dialect in DIALECTS
        for prefix in dialect.prefixes
        if prefix.field == field
    )
    rows = [
        (rank, f"`{key}`" + (" (resource)" if on == "resource" else ""), dialect, ", ".join(sorted(only)))
        for rank, key, on, dialect, only in sorted(listed)
    ]
    return _table(("rank", "source", "table", "only in"), rows) if rows else ""


_GATHERING = {"tags", "metadata", "request_tags", "modality_tokens", "ttft", "first_token_at", "cost"}


def _fields() -> str:
    parts = ["## Fields\n"]
    for field in FIELDS:
        unit = f", {field.unit}" if field.unit else ""
        gathers = " *gathers*" if field.name in _GATHERING else ""
        parts.append(f"### {field.name}\n\n{field.type}{unit}: {field.meaning}.{gathers}\n")
        table = _sources(field.name)
        if table:
            parts.append(table)
    return "\n".join(parts)


def _evidence() -> str:
    parts = ["## Evidence\n\nRead to settle the fields above, not stored as columns.\n"]
    for name, meaning in EVIDENCE.items():
        table = _sources(name)
        if table:
            parts.append(f"### {name}\n\n{meaning}.\n\n{table}")
    return "\n".join(parts)


def _roles() -> str:
    parts = ["## Roles\n\nFirst rule that decides: vendor type attributes, operation name, request type, known names, shape.\n"]
    for name, listed in roles.VENDOR_TYPES.items():
        rows = [(f"`{value}`", role, operation) for value, (role, operation) in listed.items()]
        parts.append(f"### by {name}\n\n" + _table(("value", "role", "operation"), rows))
    rows = [(f"`{value}`", role, operation) for value, (role, operation) in roles.OPERATIONS.items()]
    parts.append("### by gen_ai.operation.name\n\n" + _table(("value", "role", "operation"), rows))
    rows = [(f"`{value}`", role, operation) for value, (role, operation) in roles.REQUEST_TYPES.items()]
    parts.append("### by llm.request.type\n\n" + _table(("value", "role", "operation"), rows))
    named = [(f"`{name}`", of, role, operation or "") for name, (of, role, operation) in roles.KNOWN_NAMES.items()]
    parts.append("### by span name\n\n" + _table(("name", "dialect", "role", "operation"), named))
    return "\n".join(parts)


def _providers() -> str:
    spelled = _table(("provider", "spellings"), [(name, _code(words)) for name, words in providers.SPELLINGS.items()])
    hosts = _table(("host", "provider"), [(f"`{pattern}`", name) for pattern, name in providers.HOSTS])
    models = _table(("model", "provider"), [(f"`{pattern}`", name) for pattern, name in providers.MODEL_PREFIXES])
    ignored = f"Never a provider: {_code(sorted(providers.FRAMEWORKS))}.\n"
    inferred = "When no attribute names one, the endpoint decides, then the model (`vendor/model` implies the vendor).\n"
    return "\n".join(("## Providers\n", spelled, ignored, inferred, hosts, models))


def _finish() -> str:
    return "## Finish reasons\n\n" + _table(
        ("sent", "kept as"), [(f"`{word}`", f"`{reason}`") for word, reason in names.FINISH_REASONS.items()]
    )


def _time() -> str:
    rows = [(rank, f"`{name}`") for name, rank in timing.EVENT_RANKS.items()]
    text = "Sources of `ttft` and `first_token_at` above, then these span events. A value must be above zero and no longer\n"
    text += f"than the span. `{timing.SERVER_TTFT}` is milliseconds in `strands`, seconds elsewhere, and ignored in `openlit`\n"
    text += f"without a stream. `{gathered.CACHE_HIT}` true makes the reported cost zero.\n\n"
    return "## Time to first token\n\n" + text + _table(("rank", "event"), rows)


def _content() -> str:
    keys = sorted({key for dialect in DIALECTS for key in dialect.content})
    prefixes = sorted({prefix + "*" for dialect in DIALECTS for prefix in dialect.content_prefixes})
    events = sorted({name for dialect in DIALECTS for name in dialect.content_events})
    rules = _table(("rule", "pattern"), [(rule.name, f"`{rule.pattern.pattern}`") for rule in redaction.RULES])
    return "\n".join(
        (
            "## Message content\n\nDropped unless `capture_content` is on.\n",
            f"Attributes: {_code(keys)}.\n",
            f"Attribute prefixes: {_code(prefixes)}.\n",
            f"Members of request parameters ({_code(sorted(PARAMETERS))}): {_code(sorted(content.CONTENT_MEMBERS))}.\n",
            f"Attributes of these events, but for ids, models, counts and reasons: {_code(events)}.\n",
            "### Redaction\n\nWith `redact`, these are replaced in free text (not in attributes read as ids or names), and\n"
            f"the values of keys ending like `{redaction.SECRET_KEYS.pattern}`.\n",
            rules,
            f"User ids and names hashed with `hash_user_ids` begin with `{content.HASHED}`.\n",
        )
    )


def _policy() -> str:
    rows: list[tuple[str, ...]] = [
        (f"`{name}` (event, log)", "", _code(event.action), _code(event.severity))
        for name, event in policy.FINDING_EVENTS.items()
    ]
    rows.extend(
        (f"`{rule.verdict}`", _code(sorted(rule.when)), _code(rule.event.action), _code(rule.event.severity))
        for rule in policy.FINDING_ATTRIBUTES
    )
    return "## Policy findings\n\n" + _table(("signal", "when", "action", "severity"), rows)


def _logs() -> str:
    rows = [(f"`{name}`", event.dialect, event.only_kind) for name, event in CALL_EVENTS.items()]
    text = f"`{DETAILS}` is used only where the span it describes never comes.\n"
    kept = f"Metrics whose names start with {_code(KEPT)} are kept as they come and never added to what spans say.\n"
    return "## Logs and metrics\n\n" + _table(("log event", "dialect", "event.kind"), rows) + "\n" + text + "\n" + kept


if __name__ == "__main__":
    sys.stdout.write(page())
