"""Random traces, hostile ones included: the fast decision equals the plain one and asks for no order."""

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from otel_llm.conventions.counting import decide
from otel_llm.spans import SlimSpan
from tests.effort import examples

from .reference import judge

SECOND = 10**9
ROLES = ("generation", "generation", "generation", "embedding", "agent", "tool", "other", "workflow")
SCOPES = (None, None, "openai", "vllm.engine", "com.anthropic.claude-platform.x")


@st.composite
def some_spans(draw: st.DrawFn) -> list[SlimSpan]:
    """Up to 14 spans of one to three traces and two projects, sharing response ids and times; parents at random."""
    spans = []
    few_ids = draw(st.sampled_from([(None,), (None, "r1"), (None, "r1", "r2"), ("r1",)]))
    for trace in range(draw(st.integers(1, 3))):
        project = draw(st.sampled_from(["p", "p", "q"]))
        size = draw(st.integers(1, 8 if trace == 0 else 3))
        for i in range(size):
            parent = draw(st.sampled_from([None, *range(max(0, i - 3), i), *range(max(0, i - 3), i), i, (i + 1) % size, 99]))
            start = draw(st.integers(0, 6)) * SECOND // 2
            spans.append(
                SlimSpan(
                    project=project,
                    trace_id=bytes([trace]) * 16,
                    span_id=bytes([i]) * 8,
                    parent_span_id=None if parent is None else bytes([parent]) * 8,
                    start_ns=start,
                    end_ns=start + draw(st.integers(0, 6)) * SECOND // 2,
                    kind=draw(st.sampled_from([1, 1, 2, 3, 3, 0])),
                    role=draw(st.sampled_from(ROLES)),
                    scope_name=draw(st.sampled_from(SCOPES)),
                    input_tokens=draw(st.sampled_from([None, 0, 10, 20])),
                    output_tokens=draw(st.sampled_from([None, None, 5])),
                    response_id=draw(st.sampled_from(few_ids)),
                    attribute_count=1,
                    counted=None,
                    suppressed_by=None,
                    reason=None,
                    filled=None,
                )
            )
    return spans


@settings(max_examples=examples(800, 250), deadline=None)
@given(some_spans(), st.randoms(use_true_random=False))
def test_decisions_equal_the_plain_reference_in_any_order(spans: list[SlimSpan], shuffle: random.Random) -> None:
    decisions = decide(spans)
    judged = judge(spans)
    assert {key: (d.counted, d.suppressed_by, frozenset(d.donors)) for key, d in decisions.items()} == judged
    shuffled = list(spans)
    shuffle.shuffle(shuffled)
    assert decide(shuffled) == decisions


@settings(max_examples=examples(300, 120), deadline=None)
@given(some_spans())
def test_every_record_is_counted_or_stands_behind_exactly_one_that_is(spans: list[SlimSpan]) -> None:
    decisions = decide(spans)
    assert set(decisions) == {span.key for span in spans if span.is_call}
    listed = [donor for decision in decisions.values() for donor in decision.donors]
    assert sorted(listed) == sorted(key for key, decision in decisions.items() if not decision.counted)
    for key, decision in decisions.items():
        assert decision.counted is (decision.suppressed_by is None)
        for donor in decision.donors:
            assert decisions[donor].suppressed_by == key
        if decision.suppressed_by:
            assert decisions[decision.suppressed_by].counted
            assert decision.suppressed_by[0] == key[0], "never another project"


@settings(max_examples=examples(300, 120), deadline=None)
@given(some_spans(), st.randoms(use_true_random=False))
def test_values_taken_over_earlier_change_nothing(spans: list[SlimSpan], pick: random.Random) -> None:
    def stored(span: SlimSpan) -> SlimSpan:
        """The span as the store gives it back after it took over what it lacked."""
        names = [name for name in ("input_tokens", "output_tokens", "response_id") if getattr(span, name) is None]
        if not names:
            return span
        values = {
            "input_tokens": pick.randrange(99),
            "output_tokens": pick.randrange(99),
            "response_id": pick.choice(["r1", "r2"]),
        }
        filled = "[" + ",".join(f'"{name}"' for name in [*names, "provider"]) + "]"
        return span._replace(filled=filled, counted=True, **{name: values[name] for name in names})

    assert decide([stored(span) for span in spans]) == decide(spans)


@settings(max_examples=examples(300, 120), deadline=None)
@given(some_spans(), some_spans())
def test_traces_that_share_no_response_id_decide_alone(some: list[SlimSpan], others: list[SlimSpan]) -> None:
    apart = [
        span._replace(trace_id=b"other" + span.trace_id, response_id=span.response_id and f"other-{span.response_id}")
        for span in others
    ]
    assert decide([*some, *apart]) == decide(some) | decide(apart)


@settings(max_examples=examples(300, 120), deadline=None)
@given(some_spans(), st.data())
def test_the_order_of_donors_changes_only_with_a_decision(spans: list[SlimSpan], data: st.DataObject) -> None:
    """The store takes over anew only where a decision changed, so a late span must not reorder donors silently."""
    late = data.draw(st.sampled_from(spans))
    before, after = decide([span for span in spans if span is not late]), decide(spans)
    if not late.is_call:
        for key, decision in after.items():
            if set(before[key].donors) == set(decision.donors):
                assert before[key].donors == decision.donors
