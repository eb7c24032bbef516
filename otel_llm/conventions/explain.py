"""Why a stored span says what it says: which attribute fed which field, what was changed, why it counts.

Everything is worked out again from the stored raw attributes with the tables that extraction uses, so the explanation
cannot drift from what extraction does. Content that was not kept plays no part in any number.
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from otel_llm.conventions import roles
from otel_llm.conventions.anyvalue import unwrapped
from otel_llm.conventions.content import ContentPolicy
from otel_llm.conventions.extract import extract_spans
from otel_llm.conventions.logs import CALL_EVENTS, CODEX_REQUEST
from otel_llm.conventions.replay import request_of
from otel_llm.conventions.routes import BY_NAME, Candidate, candidates, compile_plan, dialect_of_scope, resource_candidates
from otel_llm.conventions.slots import GATHERED, SLOT, SLOTS
from otel_llm.conventions.values import BadValueError
from otel_llm.spans import CALL_ROLES, FIELD_NAMES

ADJUSTMENTS: Final[dict[str, str]] = {
    "exclusive_cache": "the reported input left cached tokens out; they were added",
    "exclusive_reasoning": "the reported output left reasoning tokens out; they were added",
    "input_from_total": "no input was reported; it is the total less the output",
    "output_from_total": "no output was reported; it is the total less the input",
    "input_from_cache_parts": "no input was reported; it is the cached tokens",
}
"""Marks of ``tokens_adjusted`` in words."""

_NOT_RECOMPUTED: Final = {"key_id", "ingested_ns", "attribute_count"}
_DECIDED_LATER: Final = {"cost_computed", "cost_computed_source", "counted", "suppressed_by", "reason", "filled"}
_RECOMPUTED: Final = frozenset(FIELD_NAMES) - _NOT_RECOMPUTED - _DECIDED_LATER
_SHOWN_EVIDENCE: Final = frozenset(SLOTS[len(FIELD_NAMES) :])


def explain(row: Mapping[str, Any]) -> dict[str, Any]:
    """The explanation of one stored row (as :meth:`otel_llm.spans.SpanBatch.row` gives it), as plain JSON types.

    ``fields`` lists, per field that an attribute could feed, every candidate with its rank and what it reads as, and
    which one won; ``now`` lists fields that would be read differently today (an older version wrote the row, or values
    were taken over from other copies of the call).
    """
    attributes = _object(row.get("attributes"))
    resource = _object(row.get("resource_attributes"))
    dialect = BY_NAME.get(str(row.get("dialect"))) or dialect_of_scope(str(row.get("scope_name") or ""))
    keys = tuple(attributes)
    plan = compile_plan(keys, dialect)
    found: dict[str, Any] = dict(attributes)
    for key, opener, parts in plan.opened:
        opened = opener(attributes.get(key)) or {}
        found.update((part_key, opened.get(part)) for part_key, part in parts)
    listed: dict[int, list[tuple[Candidate, Mapping[str, Any]]]] = {}
    for place, by_slot in ((found, candidates(keys, plan.dialect)), (resource, resource_candidates(resource))):
        for slot, items in by_slot.items():
            listed.setdefault(slot, []).extend((item, place) for item in items)
    sources = {SLOTS[slot]: _candidates(slot, items, resource) for slot, items in sorted(listed.items())}
    for slot, rank, label, key, read in plan.gathers:
        if label is not None:
            entry = {"attribute": key, "rank": rank, "value": _read(read, found.get(key))[0], "wins": True}
            sources.setdefault(SLOTS[slot], []).append(entry)
    again = _again(row)
    taken = _list(row.get("filled"))
    return {
        "trace_id": _hex(row.get("trace_id")),
        "span_id": _hex(row.get("span_id")),
        "name": row.get("name"),
        "dialect": row.get("dialect"),
        "scope": row.get("scope_name"),
        "role": {"value": row.get("role"), "rule": _role_rule(row, attributes), "is_call": row.get("role") in CALL_ROLES},
        "provider": {"value": row.get("provider"), "inferred": row.get("provider_inferred")},
        "fields": {name: {"value": row.get(name), "candidates": items} for name, items in sources.items() if items},
        "normalised": _normalised(row),
        "counting": {
            "counted": row.get("counted"),
            "suppressed_by": _hex(row.get("suppressed_by")),
            "reason": row.get("reason"),
            "taken_over": taken,
        },
        "cost": {
            "reported": row.get("cost_reported"),
            "reported_source": row.get("cost_reported_source"),
            "computed": row.get("cost_computed"),
            "computed_source": row.get("cost_computed_source"),
        },
        "ttft": {"ns": row.get("ttft_ns"), "source": row.get("ttft_source")},
        "now": {
            name: {"stored": row.get(name), "read": again[name]}
            for name in sorted(_RECOMPUTED)
            if again and name not in taken and row.get(name) != again[name] and not isinstance(again[name], bytes)
        },
        "attributes_not_kept": _not_kept(row),
    }


def text(explained: Mapping[str, Any]) -> str:
    """An explanation for a person to read."""
    role, counting, cost = explained["role"], explained["counting"], explained["cost"]
    lines = [
        f"span {explained['span_id']} of trace {explained['trace_id']}: {explained['name']}",
        f"  read as {explained['dialect']} (scope {explained['scope'] or 'none'})",
        f"  role {role['value']}: {role['rule']}",
        f"  counted: {_counted(role, counting)}",
    ]
    if explained["provider"]["value"]:
        how = "inferred" if explained["provider"]["inferred"] else "named by an attribute"
        lines.append(f"  provider {explained['provider']['value']}: {how}")
    if cost["reported"] is not None:
        lines.append(f"  cost reported {cost['reported']} USD by {cost['reported_source']}")
    if cost["computed"] is not None:
        lines.append(f"  cost computed {cost['computed']} USD from {cost['computed_source']}")
    if explained["ttft"]["ns"] is not None:
        lines.append(f"  first token after {explained['ttft']['ns'] / 1e6:g} ms by {explained['ttft']['source']}")
    lines.extend(f"  changed: {note}" for note in explained["normalised"])
    lines.append("  fields:")
    for name, entry in explained["fields"].items():
        shown = "" if name in _SHOWN_EVIDENCE else f" = {_short(entry['value'])}"
        lines.append(f"    {name}{shown}")
        lines.extend(_line(item) for item in entry["candidates"])
    if explained["now"]:
        lines.append("  would be read differently now:")
        lines.extend(
            f"    {name}: {_short(item['stored'])} -> {_short(item['read'])}" for name, item in explained["now"].items()
        )
    if explained["attributes_not_kept"]:
        lines.append(f"  {explained['attributes_not_kept']} attributes of message content were not kept")
    return "\n".join(lines)


def _candidates(
    slot: int, items: list[tuple[Candidate, Mapping[str, Any]]], resource: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Every candidate of a field; the first that parses wins, all of a field that gathers do."""
    result: list[dict[str, Any]] = []
    won = False
    for item, place in sorted(items, key=lambda pair: (pair[0].rank, pair[0].key)):
        value, problem = _read(item.read, place.get(item.key))
        if value is None and problem is None:
            continue
        wins = value is not None and (SLOTS[slot] in GATHERED or not won)
        won = won or wins
        entry = {"attribute": item.key, "rank": item.rank, "value": value, "wins": wins}
        if place is resource:
            entry["on"] = "resource"
        if problem:
            entry["problem"] = problem
        result.append(entry)
    return result


def _read(read: Any, value: Any) -> tuple[Any, str | None]:
    try:
        return read(unwrapped(value)) if value is not None else None, None
    except BadValueError as bad:
        return None, str(bad)


def _role_rule(row: Mapping[str, Any], attributes: Mapping[str, Any]) -> str:
    """The rule of :mod:`otel_llm.conventions.roles` that decides for this row."""
    dialect = BY_NAME.get(str(row.get("dialect"))) or BY_NAME["generic"]
    plan = compile_plan(tuple(attributes), dialect)
    values: list[Any] = [None] * len(SLOTS)
    for slot, key, read, others in plan.steps:
        for candidate_key, candidate_read in ((key, read), *others):
            value, _ = _read(candidate_read, attributes.get(candidate_key))
            if value is not None:
                values[slot] = value
                break
    for name in ("request_model", "response_model", "provider", "input_tokens", "output_tokens", "total_tokens", "kind"):
        values[SLOT[name]] = row.get(name) if name != "provider" or not row.get("provider_inferred") else None
    for name in ("tool_name", "agent_name", "agent_id", "response_id"):
        values[SLOT[name]] = row.get(name)
    return roles.decide(values, str(row.get("name")), str(row.get("scope_name") or ""), dialect.name, plan.typed).rule


def _normalised(row: Mapping[str, Any]) -> list[str]:
    notes = [ADJUSTMENTS.get(mark, mark) for mark in str(row.get("tokens_adjusted") or "").split(",") if mark]
    if row.get("provider_inferred"):
        notes.append("no attribute names the provider; it follows from the endpoint or the model")
    if row.get("start_ns") is not None and row.get("start_ns") == row.get("end_ns"):
        notes.append("the span has no duration: it ends when it starts, or was sent with one time only")
    return notes


def _again(row: Mapping[str, Any]) -> dict[str, Any]:
    """The row as extraction reads the stored attributes now; empty for a row that a log event gave."""
    if row.get("name") in CALL_EVENTS or row.get("name") == CODEX_REQUEST:
        return {}
    extraction = extract_spans(
        request_of(row),
        project=str(row.get("project")),
        key_id=None,
        now_ns=int(row.get("ingested_ns") or 1),
        content=_KEEP,
        # an attribute that was not kept may have told the dialect
        dialect=BY_NAME.get(str(row.get("dialect"))) if _not_kept(row) else None,
    )
    return extraction.batch.row(0) if extraction.batch.size else {}


_KEEP: Final = ContentPolicy(capture=True, max_bytes=2**40)
"""Stored attributes are read as they are: what had to go is gone already."""


def _not_kept(row: Mapping[str, Any]) -> int:
    return max((row.get("attribute_count") or 0) - len(_object(row.get("attributes"))), 0)


def _counted(role: Mapping[str, Any], counting: Mapping[str, Any]) -> str:
    if not role["is_call"]:
        return "no, it is no LLM call"
    if counting["counted"] is None:
        return "not decided yet"
    if counting["counted"]:
        taken = f"; took over {', '.join(counting['taken_over'])}" if counting["taken_over"] else ""
        return f"yes ({counting['reason']}){taken}"
    return f"no ({counting['reason']}), span {counting['suppressed_by']} is counted instead"


def _line(item: Mapping[str, Any]) -> str:
    where = " (resource)" if item.get("on") else ""
    problem = f" ({item['problem']})" if item.get("problem") else ""
    return f"      {'*' if item['wins'] else ' '} {item['attribute']}{where} = {_short(item['value'])}{problem}"


def _short(value: Any) -> str:
    shown = repr(value)
    return shown if len(shown) <= 100 else shown[:97] + "..."


def _object(text: Any) -> dict[str, Any]:
    found = msgspec.json.decode(text) if text else {}
    return found if isinstance(found, dict) else {}


def _list(text: Any) -> list[str]:
    found = msgspec.json.decode(text) if text else []
    return found if isinstance(found, list) else []


def _hex(identifier: Any) -> str | None:
    return bytes(identifier).hex() if identifier else None
