"""Policy findings out of spans."""

from typing import Any

import pytest

from tests.conventions.otlp import START_NS, extract, request, span


@pytest.mark.parametrize(
    ("attributes", "action", "severity"),
    [
        ({"policy.id": "a", "policy.action": "block", "policy.severity": "HIGH"}, "block", "high"),
        ({"policy.id": "a", "policy.action": "Alert", "policy.severity": "medium"}, "alert", "medium"),
        ({"policy.id": "a", "policy.action": "log"}, "log", ""),
        ({"policy.id": "a", "policy.severity": "unheard-of"}, "log", ""),
    ],
)
def test_a_violation_event_is_a_finding(attributes: dict[str, Any], action: str, severity: str) -> None:
    made = span({}, events=[("flashback.policy.violation", 0.5, attributes)])
    [finding] = extract(request(made)).findings
    assert (finding.action, finding.severity, finding.policy_id) == (action, severity, "a")
    assert (finding.span_id, finding.time_ns) == (made.span_id, START_NS + 500_000_000)


def test_two_equal_events_are_two_findings_and_a_resent_span_has_the_same_ones() -> None:
    event = ("flashback.policy.violation", 0.5, {"policy.id": "a"})
    made = request(span({}, events=[event, event]))
    keys = [finding.finding_key for finding in extract(made).findings]
    assert len(set(keys)) == 2
    assert [finding.finding_key for finding in extract(made).findings] == keys


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        (
            {"gen_ai.guardrail.status": "blocked", "gen_ai.guardrail.name": "pii", "gen_ai.guardrail.failed_guard_count": 2},
            [("pii", "block", "")] * 2,
        ),
        ({"gen_ai.guardrail.status": "success", "gen_ai.guardrail.name": "pii"}, []),
        (
            {
                "litellm.guardrail.status": "guardrail_intervened",
                "litellm.guardrail.name": "g",
                "litellm.guardrail.action": "BLOCKED",
                "litellm.guardrail.risk_score": 0.9,
            },
            [("g", "block", "high")],
        ),
        ({"litellm.guardrail.status": "success", "litellm.guardrail.name": "g"}, []),
        (
            {"gen_ai.security.verdict.type": "warn", "gen_ai.security.policy.id": "p", "gen_ai.security.risk.severity": "low"},
            [("p", "alert", "low")],
        ),
        ({"gen_ai.security.verdict.type": "allow", "gen_ai.security.policy.id": "p"}, []),
    ],
)
def test_verdicts_of_guardrails_are_findings(attributes: dict[str, Any], expected: list[tuple[str, str, str]]) -> None:
    findings = extract(request(span(attributes))).findings
    assert [(finding.policy_id, finding.action, finding.severity) for finding in findings] == expected


def test_a_guardrail_span_has_its_own_role() -> None:
    for attributes in (
        {"openinference.span.kind": "GUARDRAIL"},
        {"langfuse.observation.type": "guardrail"},
        {"gen_ai.operation.name": "apply_guardrail"},
        {"gen_ai.guardrail.name": "pii"},
    ):
        assert extract(request(span(attributes))).batch["role"] == ["guardrail"]
