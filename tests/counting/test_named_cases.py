"""Shapes that real instrumentations send, one by one."""

import pytest

from otel_llm.conventions.counting import ONLY_CALL, decide

from .tree import CLIENT, NONE, SERVER, counted, span, verdicts


def test_the_only_call_of_a_trace_counts() -> None:
    assert verdicts(span("root", role="workflow"), span("a", "root")) == {"a": ONLY_CALL}


def test_spans_that_are_no_calls_get_no_decision() -> None:
    assert decide([span("a", role="agent"), span("b", "a", role="tool"), span("c", "b", role="other")]) == {}


def test_two_sibling_calls_with_equal_numbers_stay_two() -> None:
    assert counted(span("agent", role="agent"), span("a", "agent"), span("b", "agent")) == {"a", "b"}


def test_framework_call_over_client_call_counts_once_at_the_inner_one() -> None:
    found = verdicts(span("langchain", tokens=(100, 20)), span("openai", "langchain", kind=CLIENT))
    assert found["openai"].counted
    assert found["openai"].reason == "innermost_with_usage"
    assert found["openai"].donors == (("p", b"t", b"langchain"),)
    assert not found["langchain"].counted
    assert found["langchain"].suppressed_by == ("p", b"t", b"openai")
    assert found["langchain"].reason == "outer_of_counted_call"


def test_a_chain_of_three_counts_the_innermost_and_lists_donors_nearest_first() -> None:
    found = verdicts(span("a", at=(0, 9)), span("b", "a", at=(1, 8)), span("c", "b", at=(2, 7)))
    assert found["c"].donors == (("p", b"t", b"b"), ("p", b"t", b"a"))
    assert found["a"].suppressed_by == found["b"].suppressed_by == ("p", b"t", b"c")


def test_spans_that_are_no_calls_may_lie_between() -> None:
    assert counted(span("a"), span("http", "a", role="other"), span("task", "http", role="workflow"), span("b", "task")) == {
        "b"
    }


def test_outer_record_counts_when_only_it_has_usage() -> None:
    found = verdicts(span("a"), span("b", "a", tokens=NONE), span("c", "b", tokens=NONE))
    assert found["a"].counted
    assert found["a"].reason == "outer_with_usage"
    assert found["b"].reason == found["c"].reason == "inner_without_usage"


def test_innermost_record_counts_when_none_has_usage() -> None:
    found = verdicts(span("a", tokens=NONE), span("b", "a", tokens=NONE))
    assert found["b"].counted
    assert found["b"].reason == "innermost_call"


def test_usage_in_the_middle_of_a_chain_is_the_record_that_counts() -> None:
    assert counted(span("a", tokens=NONE), span("b", "a"), span("c", "b", tokens=NONE)) == {"b"}


def test_zero_tokens_are_usage() -> None:
    assert counted(span("a"), span("b", "a", tokens=(0, None))) == {"b"}


def test_a_wrapper_of_several_calls_leaves_all_of_them() -> None:
    assert counted(
        span("wrapper", tokens=(200, 40)), span("a", "wrapper", response="1"), span("b", "wrapper", response="2")
    ) == {
        "a",
        "b",
    }


def test_calls_with_two_different_response_ids_are_two_calls() -> None:
    assert counted(span("a", response="1"), span("b", "a", response="2")) == {"a", "b"}


def test_a_response_id_absent_on_one_side_does_not_part_two_records() -> None:
    assert counted(span("openinference", response=None), span("native", "openinference", response="msg_1")) == {"native"}
    assert counted(span("openinference", response="msg_1"), span("native", "openinference")) == {"native"}


def test_an_embedding_below_a_generation_is_a_call_of_its_own() -> None:
    assert counted(span("rag"), span("embed", "rag", role="embedding", response=None)) == {"rag", "embed"}
    assert counted(span("a", response="x"), span("b", "a", role="embedding", response="x")) == {"a", "b"}


@pytest.mark.parametrize("between", ["agent", "tool"])
def test_a_hosted_tool_that_calls_a_model_is_a_call_of_its_own(between: str) -> None:
    assert counted(span("a", tokens=(1000, 50)), span("x", "a", role=between), span("b", "x", tokens=(10, 5))) == {"a", "b"}


@pytest.mark.parametrize("between", ["agent", "tool"])
def test_equal_token_sums_across_an_agent_or_tool_are_one_call(between: str) -> None:
    assert counted(span("a", tokens=(10, 5)), span("x", "a", role=between), span("b", "x", tokens=(10, 5))) == {"b"}


def test_an_agent_above_both_records_does_not_part_them() -> None:
    assert counted(span("agent", role="agent"), span("a", "agent", tokens=(9, 9)), span("b", "a", tokens=(1, 1))) == {"b"}


def test_agents_never_count_whatever_usage_they_carry() -> None:
    found = verdicts(span("agent", role="agent", tokens=(500, 90)), span("a", "agent"), span("b", "agent"))
    assert set(found) == {"a", "b"}
    assert all(decision.counted for decision in found.values())


def test_equal_response_ids_of_siblings_are_one_call() -> None:
    found = verdicts(
        span("root", role="workflow"),
        span("a", "root", response="x", tokens=NONE, kind=CLIENT),
        span("b", "root", response="x"),
        span("c", "root", response="x", kind=CLIENT),
    )
    assert {name for name, d in found.items() if d.counted} == {"c"}, "usage first, then the client's record"
    assert found["c"].reason == "kept_of_same_response_id"
    assert found["a"].reason == "same_response_id"


def test_of_equal_response_ids_the_deepest_with_usage_counts() -> None:
    spans = [
        span("a", response="x"),
        span("h", "a", role="other"),
        span("b", "h", response="x"),
        span("n", "b", response="x", tokens=NONE),
    ]
    assert counted(*spans) == {"b"}


def test_of_equal_response_ids_on_one_level_the_smallest_id_counts() -> None:
    assert counted(span("b", response="x"), span("a", response="x"), span("c", response="x")) == {"a"}


def test_a_server_mirror_below_its_client_is_not_counted_even_with_the_better_data() -> None:
    found = verdicts(
        span("client", kind=CLIENT, tokens=NONE, response="x"),
        span("post", "client", role="other", kind=CLIENT),
        span("vllm", "post", kind=SERVER, response="x"),
    )
    assert found["client"].counted
    assert found["client"].reason == "client_of_server_mirror"
    assert found["vllm"].reason == "server_mirror"


def test_a_mirror_is_known_by_the_scope_of_a_model_server_too() -> None:
    assert counted(span("client", kind=CLIENT), span("s", "client", scope="vllm.llm_engine")) == {"client"}
    assert counted(span("client", kind=CLIENT), span("s", "client", scope="com.anthropic.claude-platform")) == {"client"}


def test_a_server_record_without_a_client_counts() -> None:
    assert counted(span("s", kind=SERVER), span("other", role="other", kind=CLIENT)) == {"s"}
    assert counted(span("app", tokens=NONE), span("s", "app", kind=SERVER)) == {"s"}


def test_a_gateway_counts_once_at_the_upstream_call() -> None:
    found = verdicts(
        span("sdk", kind=CLIENT),
        span("proxy", "sdk", kind=SERVER),
        span("litellm_request", "proxy"),
        span("openai", "litellm_request", kind=CLIENT),
    )
    assert {name for name, d in found.items() if d.counted} == {"openai"}
    assert {key[2] for key in found["openai"].donors} == {b"sdk", b"proxy", b"litellm_request"}


def test_two_mirrored_calls_of_one_agent_are_two_calls() -> None:
    spans = [span("agent", role="agent", kind=CLIENT)]
    for n in "12":
        spans += [span(f"c{n}", "agent", kind=CLIENT), span(f"s{n}", f"c{n}", kind=SERVER)]
    assert counted(*spans) == {"c1", "c2"}


class TestAcrossTraces:
    def test_equal_response_id_and_one_interval_inside_the_other_is_one_call(self) -> None:
        found = verdicts(
            span("traceloop", trace="t1", response="msg_1", at=(0, 4)), span("native", trace="t2", response="msg_1", at=(1, 3))
        )
        assert found["native"].counted
        assert found["native"].donors == (("p", b"t1", b"traceloop"),)
        assert found["traceloop"].reason == "same_response_id_other_trace"

    def test_the_outer_record_counts_when_the_inner_has_no_usage(self) -> None:
        outer = span("outer", trace="t1", response="x", at=(0, 4))
        assert counted(outer, span("inner", trace="t2", response="x", at=(1, 3), tokens=NONE)) == {"outer"}
        bare = span("outer", trace="t1", response="x", at=(0, 4), tokens=NONE)
        assert counted(bare, span("inner", trace="t2", response="x", at=(1, 3), tokens=NONE)) == {"outer"}

    def test_a_cached_answer_given_again_later_is_a_new_call(self) -> None:
        assert counted(span("a", trace="t1", response="x", at=(0, 2)), span("b", trace="t2", response="x", at=(60, 61))) == {
            "a",
            "b",
        }

    def test_overlap_without_containment_is_two_calls(self) -> None:
        assert counted(span("a", trace="t1", response="x", at=(0, 5)), span("b", trace="t2", response="x", at=(3, 9))) == {
            "a",
            "b",
        }

    def test_clocks_may_differ_by_a_second_and_no_more(self) -> None:
        outer = span("outer", trace="t1", response="x", at=(5, 8))
        assert counted(outer, span("inner", trace="t2", response="x", at=(4, 6))) == {"inner"}
        assert counted(outer, span("inner", trace="t2", response="x", at=(3.999_999_999, 6))) == {"outer", "inner"}
        assert counted(outer, span("inner", trace="t2", response="x", at=(7, 9))) == {"inner"}
        assert counted(outer, span("inner", trace="t2", response="x", at=(7, 9.000_000_001))) == {"outer", "inner"}

    def test_other_projects_other_roles_and_absent_ids_are_other_calls(self) -> None:
        a = span("a", trace="t1", response="x")
        assert counted(a, span("b", trace="t2", response="x", project="q")) == {"a", "b"}
        assert counted(a, span("b", trace="t2", response="x", role="embedding")) == {"a", "b"}
        assert counted(a._replace(response_id=None), span("b", trace="t2")) == {"a", "b"}

    def test_an_equal_trace_id_in_another_project_is_another_trace(self) -> None:
        assert counted(span("a"), span("b", "a", project="q")) == {"a", "b"}

    def test_a_response_id_taken_over_within_a_trace_holds_across_traces(self) -> None:
        found = verdicts(
            span("outer", trace="t1", response="x", at=(0, 6)),
            span("inner", "outer", trace="t1", at=(1, 5)),
            span("native", trace="t2", response="x", at=(2, 4)),
        )
        assert {name for name, d in found.items() if d.counted} == {"native"}
        assert [key[2] for key in found["native"].donors] == [b"inner", b"outer"]


class TestHostileParentLinks:
    def test_a_span_that_is_its_own_parent_is_a_root(self) -> None:
        assert counted(span("a", "a"), span("b", "a")) == {"b"}

    def test_spans_in_a_circle_are_roots(self) -> None:
        assert counted(span("a", "c"), span("b", "a"), span("c", "b"), span("d", "c")) == {"a", "b", "d"}

    def test_an_unknown_parent_makes_a_root(self) -> None:
        assert counted(span("a", "gone"), span("b", "gone")) == {"a", "b"}

    @pytest.mark.parametrize("tokens", [(1, 1), NONE])
    def test_a_chain_of_ten_thousand_calls_is_one_call(self, tokens: tuple[int | None, int | None]) -> None:
        chain = [span(str(i), str(i - 1) if i else None, tokens=tokens) for i in range(10_000)]
        assert counted(*chain) == {"9999"}

    def test_a_circle_of_ten_thousand_calls_ends(self) -> None:
        assert len(counted(*(span(str(i), str((i + 1) % 10_000)) for i in range(10_000)))) == 10_000

    def test_ten_thousand_traces_with_one_response_id_at_one_time_are_one_call(self) -> None:
        assert counted(*(span(str(i), trace=str(i), response="x", at=(0, 10 + i)) for i in range(10_000))) == {"0"}

    def test_ten_thousand_siblings_with_one_response_id_are_one_call(self) -> None:
        assert len(counted(*(span(str(i), response="x") for i in range(10_000)))) == 1


def test_of_two_copies_of_a_span_the_later_end_decides_whatever_their_order() -> None:
    early, late = span("b", "a", tokens=NONE, at=(0, 1)), span("b", "a", at=(0, 2))
    for spans in ([span("a"), early, late], [late, early, span("a")]):
        assert counted(*spans) == {"b"}


def test_a_call_read_from_a_log_record_gives_way_to_the_span_it_was_logged_in_though_it_is_shorter() -> None:
    found = verdicts(
        span("log", kind=0, at=(5, 5), response="r", trace="u"), span("span", kind=CLIENT, at=(0, 6), response="r", tokens=NONE)
    )
    assert found["span"].counted
    assert found["span"].donors == (("p", b"u", b"log"),)
    assert not found["log"].counted
    assert found["log"].reason == "logged_by_span"
