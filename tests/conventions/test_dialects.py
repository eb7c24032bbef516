"""Shapes that real instrumentations send, beyond what the captured exports hold (CONVENTIONS 8.3)."""

import json
from typing import Any

import pytest

from otel_llm.conventions.counting import decide
from otel_llm.conventions.takeover import takeover
from otel_llm.spans import SpanBatch
from tests.conventions.otlp import INTERNAL, SERVER, START_NS, extract, request, row, span

USAGE = {"gen_ai.usage.input_tokens": 100, "gen_ai.usage.output_tokens": 20}
CALL = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-4o", **USAGE}


def test_ai_sdk_7_only_the_chat_span_of_three_levels_is_a_call() -> None:
    roles = [
        row({**CALL, "gen_ai.operation.name": operation}, scope="gen_ai")["role"]
        for operation in ("invoke_agent", "agent_step", "chat")
    ]
    assert roles == ["agent", "agent", "generation"]


def test_legacy_ai_sdk_only_inner_spans_are_calls() -> None:
    def role(operation: str) -> str:
        found = row({"ai.operationId": operation, "ai.model.id": "gpt-4o", "ai.usage.inputTokens": 5}, scope="ai")
        return str(found["role"])

    assert role("ai.streamText") == role("ai.generateText") == role("ai.embedMany") == "agent"
    assert role("ai.streamText.doStream") == role("ai.generateText.doGenerate") == "generation"
    assert role("ai.embedMany.doEmbed") == "embedding"
    assert role("ai.toolCall") == "tool"


def test_legacy_ai_sdk_anthropic_input_without_details_leaves_cached_tokens_out() -> None:
    metadata = json.dumps({"anthropic": {"cacheCreationInputTokens": 256, "cacheReadInputTokens": 1024}})
    found = row(
        {
            "ai.operationId": "ai.streamText.doStream",
            "ai.model.provider": "anthropic.messages",
            "ai.model.id": "claude-sonnet-4-5",
            "ai.usage.promptTokens": 3720,
            "ai.usage.completionTokens": 20,
            "ai.response.providerMetadata": metadata,
            "ai.response.msToFirstChunk": 250.5,
        },
        scope="ai",
    )
    assert (found["input_tokens"], found["cache_read_tokens"], found["cache_write_tokens"]) == (5000, 1024, 256)
    assert found["tokens_adjusted"] == "exclusive_cache"
    assert found["provider"] == "anthropic"
    assert (found["ttft_ns"], found["is_streaming"]) == (250_500_000, True)


def test_strands_first_token_time_is_in_milliseconds_and_its_provider_is_inferred() -> None:
    attributes = {
        **CALL,
        "gen_ai.provider.name": "strands-agents",
        "gen_ai.request.model": "us.anthropic.claude-sonnet-4-5-v1:0",
        "gen_ai.usage.prompt_tokens": 100,
        "gen_ai.usage.completion_tokens": 20,
        "gen_ai.usage.total_tokens": 120,
        "gen_ai.server.time_to_first_token": 213,
    }
    found = row(attributes, scope="strands.telemetry.tracer", kind=INTERNAL)
    assert found["ttft_ns"] == 213_000_000
    assert (found["provider"], found["provider_inferred"]) == ("aws.bedrock", True)
    assert found["input_tokens"] == 100


def test_strands_agent_and_cycle_spans_are_no_calls() -> None:
    for operation in ("invoke_agent", "execute_event_loop_cycle"):
        found = row({**CALL, "gen_ai.operation.name": operation}, scope="strands.telemetry.tracer")
        assert found["role"] == "agent"


def test_adk_1_call_llm_is_a_call_by_its_name() -> None:
    found = row(
        {"gen_ai.system": "gcp.vertex.agent", "gen_ai.request.model": "gemini-2.5-flash", **USAGE},
        name="call_llm",
        scope="gcp.vertex.agent",
    )
    assert (found["role"], found["provider"], found["provider_inferred"]) == ("generation", "gcp.gemini", True)


def test_litellm_proxy_server_span_is_a_call_by_its_request_type() -> None:
    found = row(
        {
            "llm.request.type": "acompletion",
            "gen_ai.system": "openai",
            "gen_ai.request.model": "gpt-4o",
            "llm.is_streaming": "False",
            "metadata.user_api_key_end_user_id": "u-1",
            **USAGE,
        },
        name="Received Proxy Server Request",
        scope="litellm",
        kind=SERVER,
    )
    assert (found["role"], found["user_id"], found["is_streaming"]) == ("generation", "u-1", False)


def test_litellm_cache_hit_really_costs_nothing() -> None:
    found = row({**CALL, "litellm.cache_hit": "True", "gen_ai.cost.total_cost": 0.5}, scope="litellm")
    assert (found["cost_reported"], found["cost_reported_source"]) == (0.0, "litellm.cache_hit")


def test_a_reported_cost_of_zero_beside_tokens_is_none() -> None:
    assert row({**CALL, "gen_ai.usage.cost": 0})["cost_reported"] is None
    found = row({**CALL, "gen_ai.usage.cost": 0, "operation.cost": 0.25})
    assert (found["cost_reported"], found["cost_reported_source"]) == (0.25, "operation.cost")


def test_vllm_server_span_is_a_call_without_operation() -> None:
    found = row(
        {
            "gen_ai.response.model": "qwen",
            "gen_ai.usage.prompt_tokens": 100,
            "gen_ai.usage.completion_tokens": 20,
            "gen_ai.latency.time_to_first_token": 0.2,
            "gen_ai.request.id": "cmpl-1",
            "gen_ai.usage.cached_tokens": 64,
        },
        name="llm_request",
        scope="vllm.llm_engine",
        kind=SERVER,
    )
    assert (found["role"], found["input_tokens"], found["cache_read_tokens"]) == ("generation", 100, 64)
    assert (found["ttft_ns"], found["response_id"]) == (200_000_000, "cmpl-1")


def test_logfire_pending_spans_are_ignored() -> None:
    extraction = extract(
        request(
            span({**CALL, "logfire.span_type": "pending_span"}),
            span({**CALL, "logfire.span_type": "span"}),
            scope="logfire.openai",
        )
    )
    assert extraction.ignored == {"pending_span": 1}
    assert extraction.received == 2
    assert len(extraction.batch) == 1


def test_logfire_stream_log_is_a_call_that_began_its_duration_before() -> None:
    found = row(
        {
            "logfire.span_type": "log",
            "duration": 2.5,
            "gen_ai.response.model": "gpt-4o",
            "gen_ai.response.id": "chatcmpl-1",
            "gen_ai.system": "openai",
            **USAGE,
        },
        scope="logfire.openai",
        seconds=0,
        kind=INTERNAL,
    )
    assert found["role"] == "generation"
    assert found["end_ns"] - found["start_ns"] == 2_500_000_000


def test_llamaindex_preparation_is_no_call() -> None:
    found = row(
        {"openinference.span.kind": "LLM"},
        name="OpenAI._prepare_chat_with_tools",
        scope="openinference.instrumentation.llama_index",
    )
    assert found["role"] == "other"


def test_openlit_first_token_time_of_a_plain_call_means_nothing() -> None:
    plain = {**CALL, "gen_ai.server.time_to_first_token": 1.0, "gen_ai.request.stream": False}
    assert row(plain, scope="openlit.instrumentation.openai")["ttft_ns"] is None
    assert row({**plain, "gen_ai.request.stream": True}, scope="openlit.instrumentation.openai")["ttft_ns"] == 1_000_000_000


def test_zero_input_and_output_of_a_stream_are_unknown() -> None:
    found = row(
        {**CALL, "gen_ai.usage.input_tokens": 0, "gen_ai.usage.output_tokens": 0},
        scope="opentelemetry.instrumentation.openai_v2",
    )
    assert (found["input_tokens"], found["output_tokens"], found["role"]) == (None, None, "generation")


def test_spring_ai_values_are_text_and_none_is_missing() -> None:
    found = row(
        {
            "gen_ai.operation.name": "chat",
            "gen_ai.system": "openai",
            "gen_ai.request.model": "gpt-4o",
            "gen_ai.response.model": "none",
            "gen_ai.usage.input_tokens": "100",
            "gen_ai.usage.output_tokens": "20",
            "gen_ai.response.finish_reasons": '["STOP"]',
            "spring.ai.chat.client.stream": "true",
        },
        scope="org.springframework.boot",
    )
    assert (found["input_tokens"], found["output_tokens"]) == (100, 20)
    assert found["response_model"] is None
    assert found["finish_reasons"] == '["stop"]'
    assert found["is_streaming"] is True


def test_spring_ai_framework_spans_are_no_calls() -> None:
    found = row({"gen_ai.operation.name": "framework", "spring.ai.kind": "chat_client", "gen_ai.system": "spring_ai"})
    assert (found["role"], found["dialect"]) == ("other", "spring_ai")


def test_mlflow_values_are_json_in_quotes() -> None:
    found = row(
        {
            "mlflow.spanType": '"CHAT_MODEL"',
            "mlflow.llm.model": '"gpt-4o"',
            "mlflow.llm.provider": '"openai"',
            "mlflow.chat.tokenUsage": json.dumps(
                {"input_tokens": 100, "output_tokens": 20, "total_tokens": 120, "cache_read_input_tokens": 64}
            ),
            "mlflow.llm.cost": json.dumps({"input_cost": 0.1, "output_cost": 0.2, "total_cost": 0.3}),
        }
    )
    assert (found["role"], found["request_model"], found["provider"]) == ("generation", "gpt-4o", "openai")
    assert (found["input_tokens"], found["output_tokens"], found["cache_read_tokens"]) == (100, 20, 64)
    assert (found["cost_reported"], found["cost_reported_input"], found["cost_reported_output"]) == (0.3, 0.1, 0.2)


def test_mlflow_raw_anthropic_usage_is_told_by_its_total() -> None:
    usage = {
        "input_tokens": 3720,
        "output_tokens": 20,
        "cache_read_input_tokens": 1024,
        "cache_creation_input_tokens": 256,
        "total_tokens": 5020,
    }
    found = row({"mlflow.spanType": '"LLM"', "mlflow.chat.tokenUsage": json.dumps(usage)})
    assert (found["input_tokens"], found["tokens_adjusted"]) == (5000, "exclusive_cache")


@pytest.mark.parametrize(
    ("usage", "tokens"),
    [
        ({"prompt_tokens": 1100, "completion_tokens": 20, "prompt_tokens_details": {"cached_tokens": 1024}}, (1100, 20, 1024)),
        ({"input_tokens": 1100, "output_tokens": 20, "input_tokens_details": {"cached_tokens": 1024}}, (1100, 20, 1024)),
        ({"input": 76, "output": 8, "input_cached_tokens": 1024, "output_reasoning": 12, "total": 1120}, (1100, 20, 1024)),
        ({"input_tokens": 76, "output_tokens": 20, "cache_read_input_tokens": 1024}, (1100, 20, 1024)),
        ({"input": 100, "output": 20}, (100, 20, None)),
    ],
)
def test_langfuse_usage_is_read_by_its_shape(usage: dict[str, object], tokens: tuple[int, int, int | None]) -> None:
    found = row(
        {"langfuse.observation.type": "generation", "langfuse.observation.usage_details": json.dumps(usage)},
        scope="langfuse-sdk",
    )
    assert (found["input_tokens"], found["output_tokens"], found["cache_read_tokens"]) == tokens


def test_langfuse_first_token_instant_becomes_a_time() -> None:
    found = row(
        {
            "langfuse.observation.type": "generation",
            "langfuse.observation.completion_start_time": '"2026-11-21T14:26:40.200000Z"',
        },
        scope="langfuse-sdk",
    )
    begun = 1_795_271_200_200_000_000 - START_NS
    assert found["ttft_ns"] == (begun if 0 < begun <= 10**9 else None)


def test_langfuse_error_level_is_an_error() -> None:
    found = row(
        {"langfuse.observation.level": "ERROR", "langfuse.observation.status_message": "too fast"}, scope="langfuse-sdk"
    )
    assert (found["error"], found["error_type"], found["error_message"]) == (True, "_OTHER", "too fast")


def test_claude_code_input_leaves_cached_tokens_out() -> None:
    found = row(
        {
            "span.type": "llm_request",
            "model": "claude-sonnet-4-5",
            "input_tokens": 220,
            "output_tokens": 20,
            "cache_read_tokens": 1024,
            "cache_creation_tokens": 256,
            "ttft_ms": 300,
            "request_id": "req_1",
        },
        name="claude_code.llm_request",
        scope="com.anthropic.claude_code.tracing",
    )
    assert (found["role"], found["provider"], found["input_tokens"]) == ("generation", "anthropic", 1500)
    assert (found["ttft_ns"], found["response_id"]) == (300_000_000, "req_1")


def test_bedrock_input_leaves_cached_tokens_out() -> None:
    attributes = {
        **CALL,
        "gen_ai.provider.name": "aws.bedrock",
        "gen_ai.usage.input_tokens": 3720,
        "gen_ai.usage.cache_read.input_tokens": 1024,
    }
    assert row(attributes, scope="opentelemetry.instrumentation.botocore.bedrock-runtime")["input_tokens"] == 4744
    assert row(attributes, scope="opentelemetry.instrumentation.bedrock")["input_tokens"] == 4744
    assert row(attributes, scope="opentelemetry.instrumentation.genai.openai")["input_tokens"] == 3720


def test_langdb_model_call_is_the_call_and_its_first_token_time_is_in_microseconds() -> None:
    found = row(
        {
            "provider_name": "openai",
            "model_name": "gpt-4o",
            "usage": json.dumps(
                {"input_tokens": 100, "output_tokens": 20, "total_tokens": 120, "prompt_tokens_details": {"cached_tokens": 64}}
            ),
            "cost": json.dumps({"cost": 0.01}),
            "ttft": 250_000,
            "user": json.dumps({"id": "u-1", "name": "Ann", "tags": ["gold"]}),
            "langdb.thread_id": "t-1",
            "tags": json.dumps({"team": "search"}),
        },
        name="model_call",
        kind=INTERNAL,
    )
    assert (found["role"], found["input_tokens"], found["cache_read_tokens"], found["cost_reported"]) == (
        "generation",
        100,
        64,
        0.01,
    )
    assert found["ttft_ns"] == 250_000_000
    assert (found["user_id"], found["user_name"], found["user_tags"]) == ("u-1", "Ann", '["gold"]')
    assert (found["session_id"], found["request_tags"]) == ("t-1", '{"team":"search"}')


@pytest.mark.parametrize("name", ["api_invoke", "cloud_api_invoke", "request_routing", "virtual_model"])
def test_langdb_wrappers_are_no_calls(name: str) -> None:
    assert row({"langdb.run_id": "r", "cost": '{"cost": 1}'}, name=name)["role"] == "workflow"


def test_langsmith_run_type_wins_over_its_operation() -> None:
    found = row({"langsmith.span.kind": "retriever", "gen_ai.operation.name": "embeddings", **USAGE}, scope="langsmith")
    assert found["role"] == "retrieval"
    details = row(
        {"langsmith.span.kind": "llm", **USAGE, "gen_ai.usage.input_token_details": "{'cache_read': 64}"}, scope="langsmith"
    )
    assert (details["role"], details["cache_read_tokens"]) == ("generation", 64)


def test_traceloop_old_names_are_read() -> None:
    found = row(
        {
            "gen_ai.system": "OpenAI",
            "llm.request.type": "chat",
            "gen_ai.request.model": "gpt-4o",
            "gen_ai.usage.prompt_tokens": 100,
            "gen_ai.usage.completion_tokens": 20,
            "llm.usage.total_tokens": 120,
            "llm.user": "u-1",
            "gen_ai.prompt.0.content": "secret",
            "gen_ai.completion.0.finish_reason": "stop",
            "traceloop.association.properties.session_id": "s-1",
        },
        name="openai.chat",
        scope="opentelemetry.instrumentation.openai.v1",
    )
    assert (found["role"], found["provider"], found["input_tokens"], found["user_id"]) == ("generation", "openai", 100, "u-1")
    assert (found["session_id"], found["finish_reasons"], found["total_tokens"]) == ("s-1", '["stop"]', 120)
    assert "secret" not in found["attributes"]


def test_first_chunk_event_gives_the_first_token_time_unless_events_were_dropped() -> None:
    events = [("gen_ai.content.completion.chunk", 0.4, {}), ("gen_ai.content.completion.chunk", 0.2, {})]
    assert row(CALL, events=events)["ttft_ns"] == 200_000_000
    assert row(CALL, events=events, dropped_events_count=3)["ttft_ns"] is None


@pytest.mark.parametrize("seconds", [0, -0.5, 1.5, "soon", float("nan"), float("inf")])
def test_a_first_token_time_that_cannot_be_is_none(seconds: object) -> None:
    assert row({**CALL, "gen_ai.response.time_to_first_chunk": seconds})["ttft_ns"] is None


def test_a_first_token_time_beyond_the_span_leaves_the_next_source() -> None:
    found = row({**CALL, "gen_ai.response.time_to_first_chunk": 5.0, "ai.response.msToFirstChunk": 300})
    assert (found["ttft_ns"], found["ttft_source"]) == (300_000_000, "ai.response.msToFirstChunk")


@pytest.mark.parametrize(
    "operation",
    [
        "invoke_agent",
        "create_agent",
        "invoke_workflow",
        "execute_tool",
        "retrieval",
        "search_memory",
        "litellm.moderation",
        "fetch_response",
    ],
)
def test_other_operations_are_never_calls_whatever_usage_they_carry(operation: str) -> None:
    assert row({**CALL, "gen_ai.operation.name": operation})["role"] not in ("generation", "embedding")


def test_a_model_with_usage_and_no_operation_is_a_call_unless_a_server_handled_it() -> None:
    bare = {"gen_ai.request.model": "gpt-4o", **USAGE}
    assert row(bare)["role"] == "generation"
    assert row(bare, kind=SERVER)["role"] == "other"
    assert row({"gen_ai.request.model": "gpt-4o"})["role"] == "other"


def test_gemini_thoughts_are_added_to_the_output() -> None:
    found = row(
        {"gen_ai.operation.name": "chat", "input_token_count": 100, "output_token_count": 8, "thoughts_token_count": 12},
        scope="gemini-cli",
    )
    assert (found["output_tokens"], found["reasoning_tokens"], found["tokens_adjusted"]) == (20, 12, "exclusive_reasoning")


def test_one_span_with_two_generations_of_names_is_read_once() -> None:
    found = row({**CALL, "gen_ai.usage.prompt_tokens": 100, "llm.token_count.prompt": 100, "openinference.span.kind": "LLM"})
    assert found["input_tokens"] == 100


def test_kvlist_attributes_are_kept_and_read_as_objects() -> None:
    found = row({"user": {"id": "u-1", "name": "Ann"}, "nested": {"a": [1, 2.5, True, None, {"b": "c"}]}})
    assert found["user_id"] == "u-1"
    assert json.loads(found["attributes"])["nested"] == {"a": [1, 2.5, True, None, {"b": "c"}]}


def test_an_unknown_producer_whose_total_counts_cached_tokens_apart_left_them_out() -> None:
    usage = {"gen_ai.usage.input_tokens": 3720, "gen_ai.usage.cache_read.input_tokens": 1280, "gen_ai.usage.output_tokens": 20}
    assert row({**CALL, **usage, "gen_ai.usage.total_tokens": 5020})["input_tokens"] == 5000
    assert row({**CALL, **usage, "gen_ai.usage.total_tokens": 3740})["input_tokens"] == 3720
    assert row({**CALL, **usage})["input_tokens"] == 3720


@pytest.mark.parametrize("lacking", ["usage", "ttft", "cost", ""])
def test_a_langdb_model_call_and_its_provider_child_are_one_call_with_all_that_either_says(lacking: str) -> None:
    told = {"usage": '{"input_tokens": 100, "output_tokens": 20}', "ttft": 250_000, "cost": '{"cost": 0.01}'}
    who = {"langdb.run_id": "r", "provider_name": "openai", "model_name": "gpt-4o", "tags": '{"team": "search"}'}
    call = span({**who, **{key: value for key, value in told.items() if key != lacking}}, name="model_call", kind=INTERNAL)
    child = span({"langdb.run_id": "r", **told}, name="openai", kind=INTERNAL, parent_span_id=call.span_id)
    rows = extract(request(span(name="api_invoke", kind=INTERNAL), call, child)).batch
    kept = kept_call(rows)
    assert (kept["input_tokens"], kept["output_tokens"]) == (100, 20)
    assert (kept["ttft_ns"], kept["cost_reported"]) == (250_000_000, 0.01)
    assert (kept["provider"], kept["request_model"], kept["request_tags"]) == ("openai", "gpt-4o", '{"team":"search"}')


def kept_call(batch: SpanBatch) -> dict[str, Any]:
    """The one counted call of a trace, with what it takes over."""
    rows = {(row["project"], row["trace_id"], row["span_id"]): row for row in batch.rows()}
    ((key, decision),) = ((key, each) for key, each in decide(batch.slim()).items() if each.counted)
    takeover(rows[key], [rows[donor] for donor in decision.donors])
    return rows[key]
