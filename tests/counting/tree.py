"""Short notation for traces in tests: one call of :func:`span` per span, ids by name."""

from otel_llm.conventions.counting import Decision, decide
from otel_llm.spans import SlimSpan

SECOND = 10**9
INTERNAL, SERVER, CLIENT = 1, 2, 3


def span(
    name: str,
    under: str | None = None,
    role: str = "generation",
    *,
    tokens: tuple[int | None, int | None] = (100, 20),
    response: str | None = None,
    kind: int = INTERNAL,
    at: tuple[float, float] = (0, 10),
    trace: str = "t",
    project: str = "p",
    scope: str | None = None,
) -> SlimSpan:
    """A span whose id is its name; ``at`` is (start, end) in seconds."""
    return SlimSpan(
        project=project,
        trace_id=trace.encode(),
        span_id=name.encode(),
        parent_span_id=under.encode() if under else None,
        start_ns=int(at[0] * SECOND),
        end_ns=int(at[1] * SECOND),
        kind=kind,
        role=role,
        scope_name=scope,
        input_tokens=tokens[0],
        output_tokens=tokens[1],
        response_id=response,
        attribute_count=1,
        counted=None,
        suppressed_by=None,
        reason=None,
        filled=None,
    )


NONE = (None, None)


def verdicts(*spans: SlimSpan) -> dict[str, Decision]:
    """Decision of every call, by name."""
    return {key[2].decode(): decision for key, decision in decide(spans).items()}


def counted(*spans: SlimSpan) -> set[str]:
    """Names of the counted calls."""
    return {name for name, decision in verdicts(*spans).items() if decision.counted}
