"""Policy findings: what guardrails and security checks said about a call.

There is no accepted convention yet, so several producers are read by one table each: this project's neutral event
``flashback.policy.violation`` (span event or log record), the OpenTelemetry proposal, OpenLLMetry and LiteLLM.
"""

import hashlib
from typing import Any, Final, NamedTuple

from otel_llm.conventions import values
from otel_llm.spans import Finding


class FindingEvent(NamedTuple):
    """One event that is a finding: which attributes name the policy, the action and the severity, best first."""

    policy_id: tuple[str, ...]
    policy_name: tuple[str, ...]
    action: tuple[str, ...]
    severity: tuple[str, ...]
    risk_score: tuple[str, ...] = ()


class FindingAttributes(NamedTuple):
    """Attributes of a span that are a finding when ``verdict`` has one of ``when``."""

    verdict: str
    when: frozenset[str]
    event: FindingEvent
    action: str = ""
    number: str = ""


_SECURITY: Final = FindingEvent(
    ("gen_ai.security.policy.id", "gen_ai.guardrail.id"),
    ("gen_ai.security.policy.name", "gen_ai.guardrail.name"),
    ("gen_ai.security.action.type", "gen_ai.security.verdict.type", "gen_ai.security.decision.type"),
    ("gen_ai.security.risk.severity", "gen_ai.security.severity"),
    ("gen_ai.security.risk.score",),
)

FINDING_EVENTS: Final[dict[str, FindingEvent]] = {
    "flashback.policy.violation": FindingEvent(
        ("policy.id", "flashback.policy.id"),
        ("policy.name", "flashback.policy.name"),
        ("policy.action", "flashback.policy.action"),
        ("policy.severity", "flashback.policy.severity"),
    ),
    "gen_ai.security.finding": _SECURITY,
}
"""Span events and log records that are findings, by name."""

FINDING_ATTRIBUTES: Final[tuple[FindingAttributes, ...]] = (
    FindingAttributes(
        "gen_ai.security.verdict.type",
        frozenset({"deny", "block", "blocked", "warn", "alert", "modify", "mask"}),
        _SECURITY,
    ),
    FindingAttributes(
        "gen_ai.guardrail.status",
        frozenset({"blocked", "failed", "intervened"}),
        FindingEvent(
            ("gen_ai.guardrail.id", "gen_ai.guardrail.name"), ("gen_ai.guardrail.name",), ("gen_ai.guardrail.status",), ()
        ),
        number="gen_ai.guardrail.failed_guard_count",
    ),
    FindingAttributes(
        "litellm.guardrail.status",
        frozenset({"guardrail_intervened"}),
        FindingEvent(
            ("litellm.guardrail.id", "litellm.guardrail.name"),
            ("litellm.guardrail.name",),
            ("litellm.guardrail.action",),
            ("litellm.guardrail.severity",),
            ("litellm.guardrail.risk_score",),
        ),
    ),
    FindingAttributes(
        "guardrail_status",
        frozenset({"guardrail_intervened"}),
        FindingEvent(
            ("guardrail_id", "guardrail_name"), ("guardrail_name",), ("guardrail_action",), (), ("guardrail_risk_score",)
        ),
    ),
)
"""Span attributes that are findings."""

ACTIONS: Final[dict[str, str]] = {
    **dict.fromkeys(("block", "blocked", "deny", "denied", "reject", "rejected"), "block"),
    **dict.fromkeys(("alert", "warn", "warning", "notify", "flag"), "alert"),
    **dict.fromkeys(("log", "allow", "audit", "mask", "masked", "modify", "none", "observe"), "log"),
}
"""Words for what was done, lower case; anything else is 'log'."""

SEVERITIES: Final[dict[str, str]] = {
    **dict.fromkeys(("low", "info", "informational", "minor"), "low"),
    **dict.fromkeys(("medium", "moderate", "warning"), "medium"),
    **dict.fromkeys(("high", "critical", "severe", "major"), "high"),
}
"""Words for severity, lower case; anything else is none."""

HIGH_RISK: Final = 0.7
MEDIUM_RISK: Final = 0.4
"""Risk scores (0..1) from which a severity is high or medium when no word says it; this project's own choice."""

MAX_PER_SPAN: Final = 100


def _first(attributes: dict[str, Any], keys: tuple[str, ...]) -> str:
    for key in keys:
        found: str | None = values.text(attributes.get(key))
        if found:
            return found
    return ""


def _severity(attributes: dict[str, Any], event: FindingEvent) -> str:
    word = _first(attributes, event.severity).strip().lower()
    if word or not event.risk_score:
        return SEVERITIES.get(word, "")
    try:
        score = values.money(_first(attributes, event.risk_score) or None)
    except values.BadValueError:
        return ""
    if score is None:
        return ""
    return "high" if score >= HIGH_RISK else "medium" if score >= MEDIUM_RISK else "low"


def of_event(
    name: str, attributes: dict[str, Any], time_ns: int, project: str, trace_id: bytes, span_id: bytes, position: int
) -> Finding | None:
    """The finding that an event or log record is, None when it is none; ``position`` tells equal ones of a span apart."""
    event = FINDING_EVENTS.get(name)
    if event is None:
        return None
    return _finding(event, attributes, name, time_ns, (project, trace_id, span_id), position)


def of_attributes(attributes: dict[str, Any], time_ns: int, project: str, trace_id: bytes, span_id: bytes) -> list[Finding]:
    """The findings that a span's attributes are."""
    found: list[Finding] = []
    for rule in FINDING_ATTRIBUTES:
        verdict = values.lower(attributes.get(rule.verdict))
        if verdict not in rule.when:
            continue
        number = 1
        if rule.number:
            try:
                number = min(values.count(attributes.get(rule.number)) or 1, MAX_PER_SPAN)
            except values.BadValueError:
                number = 1
        found.extend(
            _finding(rule.event, attributes, rule.verdict, time_ns, (project, trace_id, span_id), position)
            for position in range(number)
        )
    return found


def _finding(
    event: FindingEvent, attributes: dict[str, Any], source: str, time_ns: int, owner: tuple[str, bytes, bytes], position: int
) -> Finding:
    project, trace_id, span_id = owner
    policy_id = _first(attributes, event.policy_id)
    action = _first(attributes, event.action).strip().lower()
    key = hashlib.sha256(
        b"\x00".join(
            (project.encode(), trace_id, span_id, source.encode(), policy_id.encode(), str((time_ns, position)).encode())
        )
    ).digest()[:16]
    return Finding(
        project=project,
        trace_id=trace_id,
        span_id=span_id,
        finding_key=key,
        time_ns=time_ns,
        policy_id=policy_id,
        policy_name=_first(attributes, event.policy_name),
        action=ACTIONS.get(action, "log"),
        severity=_severity(attributes, event),
        source=source,
    )
