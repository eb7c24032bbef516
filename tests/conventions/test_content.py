"""Message content never reaches a batch unless it is captured; personal data is hidden where the operator asks for it."""

import json
from typing import Any

import pytest

from otel_llm.config import Settings
from otel_llm.conventions.content import ContentPolicy
from otel_llm.conventions.dialects import DIALECTS
from otel_llm.conventions.redaction import luhn, redacted
from tests.conventions.corpus import SCENARIOS, Scenario, extracted, rows
from tests.conventions.otlp import extract, request, row, span

CANARY = "canary-7f3a the quick brown fox"

CONTENT_KEYS = [
    "gen_ai.input.messages",
    "gen_ai.output.messages",
    "gen_ai.system_instructions",
    "gen_ai.tool.call.arguments",
    "gen_ai.tool.call.result",
    "gen_ai.tool.definitions",
    "gen_ai.retrieval.documents",
    "gen_ai.prompt",
    "gen_ai.completion",
    "gen_ai.prompt.0.content",
    "gen_ai.completion.0.content",
    "gen_ai.completion.0.tool_calls.0.arguments",
    "gen_ai.prompt.variable.city",
    "traceloop.entity.input",
    "traceloop.entity.output",
    "llm.prompts",
    "llm.prompts.0.content",
    "llm.completions.0.content",
    "input.value",
    "output.value",
    "llm.input_messages.0.message.content",
    "llm.output_messages.3.message.contents.0.message_content.text",
    "llm.input_messages.0.message.tool_calls.0.tool_call.function.arguments",
    "llm.prompt_template.template",
    "llm.prompt_template.variables",
    "retrieval.documents.0.document.content",
    "embedding.embeddings.0.embedding.text",
    "llm.tools.0.tool.json_schema",
    "tool.parameters",
    "reranker.input_documents.0.document.content",
    "langfuse.observation.input",
    "langfuse.observation.output",
    "langfuse.trace.input",
    "langfuse.trace.output",
    "mlflow.spanInputs",
    "mlflow.spanOutputs",
    "mlflow.chat.messages",
    "ai.prompt",
    "ai.prompt.messages",
    "ai.prompt.tools",
    "ai.response.text",
    "ai.response.object",
    "ai.response.toolCalls",
    "ai.response.reasoning",
    "ai.toolCall.args",
    "ai.toolCall.result",
    "ai.value",
    "ai.values",
    "request_data",
    "response_data",
    "all_messages_events",
    "pydantic_ai.all_messages",
    "final_result",
    "tool_arguments",
    "tool_response",
    "events",
    "llm.openai.messages",
    "llm.anthropic.content",
    "llm.request.functions.0.description",
    "gen_ai.content.prompt",
    "gen_ai.content.completion",
    "gcp.vertex.agent.llm_request",
    "gcp.vertex.agent.llm_response",
    "gcp.vertex.agent.tool_call_args",
    "gcp.vertex.agent.data",
    "spring.ai.chat.client.user.text",
    "spring.ai.tool.call.arguments",
    "haystack.component.input",
    "haystack.component.output",
    "user_prompt",
    "system_prompt",
    "request",
    "response",
]
"""Attribute keys that carry content, as their instrumentations write them (from their documentation and captures)."""

CONTENT_EVENTS = [
    *(f"gen_ai.{name}" for name in ("system.message", "user.message", "assistant.message", "tool.message", "choice")),
    *(f"gen_ai.content.{name}" for name in ("prompt", "completion", "completion.chunk")),
    "llm.content.completion.chunk",
    "gen_ai.client.inference.operation.details",
    "LLMChatStartEvent",
    "RetrievalEndEvent",
]

TABLE_KEYS = sorted(
    {key for dialect in DIALECTS for key in dialect.content}
    | {prefix + ("" if prefix[-1].isalpha() else "0.content") for dialect in DIALECTS for prefix in dialect.content_prefixes}
)


def _texts(found: dict[str, Any]) -> str:
    return json.dumps({name: value for name, value in found.items() if isinstance(value, str)})


@pytest.mark.parametrize("key", [*CONTENT_KEYS, *TABLE_KEYS])
@pytest.mark.parametrize("form", ["text", "list", "object"])
def test_content_of_an_attribute_is_dropped(key: str, form: str) -> None:
    value = {"text": CANARY, "list": [CANARY], "object": {"content": [{"text": CANARY}]}}[form]
    for scope in ("", "openinference.instrumentation.openai", "ai", "langfuse-sdk"):
        assert CANARY not in _texts(row({key: value, "gen_ai.operation.name": "chat"}, scope=scope))


@pytest.mark.parametrize("name", CONTENT_EVENTS)
@pytest.mark.parametrize("key", ["content", "message", "gen_ai.event.content", "gen_ai.prompt", "body", "tool_calls"])
def test_content_of_an_event_is_dropped(name: str, key: str) -> None:
    found = row({}, events=[(name, 0.1, {key: CANARY, "finish_reason": "stop"})])
    assert CANARY not in _texts(found)
    assert name in found["events"]
    assert "stop" in found["events"]


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_no_word_of_a_captured_conversation_is_kept(scenario: Scenario) -> None:
    for found in rows(scenario):
        assert not [word for word in ("Capital", "France", "Weather in", "Be brief", "Paris") if word in _texts(found)]


def test_content_is_kept_when_it_is_captured() -> None:
    kept = [row({key: CANARY}, content=ContentPolicy(capture=True)) for key in CONTENT_KEYS]
    assert all(CANARY in found["attributes"] for found in kept)


def test_capturing_content_changes_no_number() -> None:
    numbers = ("role", "input_tokens", "output_tokens", "request_model", "provider", "ttft_ns", "user_id", "finish_reasons")
    for scenario in SCENARIOS:
        for kept, dropped in zip(rows(scenario, ContentPolicy(capture=True)), rows(scenario), strict=True):
            assert [kept[name] for name in numbers] == [dropped[name] for name in numbers]


SECRETS = {
    "email": "write to ann.lee@example.com now",
    "bearer": "authorization Bearer abcdefghijklmnop123456",
    "api_key": "key sk-proj-abcdefghijklmnop1234 used",
    "jwt": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abcdefgh",
    "card": "card 4111 1111 1111 1111.",
    "private_key": "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----",
}


@pytest.mark.parametrize("rule", SECRETS)
def test_a_secret_in_free_text_is_replaced_by_a_mark(rule: str) -> None:
    text = SECRETS[rule]
    policy = ContentPolicy(capture=True, redact=True)
    found = row(
        {"note": text, "nested": {"a": [text]}, "gen_ai.prompt": text, "tag.note": text},
        name=text,
        status=(2, text),
        resource={"about": text},
        events=[("exception", 0.1, {"exception.message": text})],
        content=policy,
    )
    assert text not in json.loads(f"[{json.dumps(_texts(found))}]")[0]
    assert f"[redacted:{rule}]" in found["name"]
    for name in ("attributes", "events", "resource_attributes", "error_message", "request_tags"):
        assert f"[redacted:{rule}]" in found[name], name


@pytest.mark.parametrize(
    "text",
    [
        "order 1234567890123456",
        "4111 1111 1111 1112",
        "1795300000000000000",
        "a@b",
        "sk-short",
        "v1.2.3",
        "0000000000000000",
        "plain",
    ],
)
def test_text_that_only_looks_like_a_secret_stays(text: str) -> None:
    assert redacted(text) == text


def test_luhn_tells_card_numbers() -> None:
    assert luhn("4111111111111111")
    assert not luhn("4111111111111112")


def test_ids_and_names_are_facts_and_not_redacted() -> None:
    found = row({"user.id": "ann@example.com", "session.id": "4111111111111111"}, content=ContentPolicy(redact=True))
    assert (found["user_id"], found["session_id"]) == ("ann@example.com", "4111111111111111")


def test_values_of_secret_keys_and_chosen_keys_are_hidden() -> None:
    sent = {"http.request.header.authorization": ["abc"], "db.password": "hunter2", "customer.name": "Ann", "kept": "yes"}
    stored = json.loads(row(sent, content=ContentPolicy(redact=True, redact_keys=("customer.*",)))["attributes"])
    assert stored == {**dict.fromkeys(sent, "[redacted]"), "kept": "yes"}


def test_chosen_patterns_are_replaced() -> None:
    stored = json.loads(
        row({"note": "ticket ACME-123 open"}, content=ContentPolicy(redact_patterns=(r"ACME-\d+",)))["attributes"]
    )
    assert stored == {"note": "ticket [redacted] open"}


def test_hashed_users_stay_equal_and_cannot_be_read() -> None:
    policy = ContentPolicy(user_secret=b"s3cret")
    direct = row({"user.id": "ann"}, content=policy)
    other = row(
        {"enduser.id": "ann", "metadata": '{"user_id": "ann", "k": "v"}', "user": {"id": "ann"}},
        content=policy,
        resource={"user.id": "ann"},
    )
    assert direct["user_id"] == other["user_id"] != row({"user.id": "bob"}, content=policy)["user_id"]
    assert direct["user_id"] != row({"user.id": "ann"}, content=ContentPolicy(user_secret=b"else"))["user_id"]
    assert '"ann"' not in _texts(other).replace("\\", "")
    again = row(json.loads(direct["attributes"]), content=policy)
    assert again["user_id"] == direct["user_id"]


def test_hashed_users_are_not_told_by_their_names() -> None:
    policy = ContentPolicy(user_secret=b"s3cret")
    direct = row({"user.id": "a1", "user.name": "Ann Lee"}, content=policy)
    opened = row({"user": {"id": "a1", "name": "Ann Lee"}}, content=policy)
    assert direct["user_name"] == opened["user_name"]
    assert direct["user_name"].startswith("hmac:")
    assert "Ann" not in _texts(direct) + _texts(opened)


PARAMETERS = {
    "model": "m",
    "stream": True,
    "temperature": 0.5,
    "system": CANARY,
    "messages": [{"role": "user", "content": CANARY}],
    "tools": [{"description": CANARY}],
    "system_instruction": {"parts": [{"text": CANARY}]},
    "input": CANARY,
}


@pytest.mark.parametrize("key", sorted(key for dialect in DIALECTS for key in dialect.parameters))
@pytest.mark.parametrize("wide", [False, True])
def test_request_parameters_are_kept_without_the_conversation(key: str, wide: bool) -> None:
    more = {f"k{i}": i for i in range(100)} if wide else {}
    for sent in (json.dumps(PARAMETERS), PARAMETERS):
        found = row({**more, key: sent, "gen_ai.operation.name": "chat"})
        assert CANARY not in _texts(found)
        kept = json.loads(found["attributes"])[key]
        assert (json.loads(kept) if isinstance(kept, str) else kept) == {"model": "m", "stream": True, "temperature": 0.5}
    captured = row({key: json.dumps(PARAMETERS)}, content=ContentPolicy(capture=True))
    assert CANARY in captured["attributes"]
    limited = row({key: json.dumps(PARAMETERS)}, content=ContentPolicy(capture=True, max_bytes=100))
    assert CANARY not in limited["attributes"], "too long to keep whole, and half an object says nothing"
    broken = row({key: json.dumps(PARAMETERS)[:-5]})
    assert CANARY not in _texts(broken)


def test_the_policy_follows_the_settings() -> None:
    settings = Settings(capture_content=True, capture_content_max_bytes=7, redact=False, redact_keys=("a",), hash_user_ids="x")
    policy = ContentPolicy.from_settings(settings)
    assert policy == ContentPolicy(True, 7, False, ("a",), (), b"x")
    assert "b'x'" not in repr(policy)


def test_the_captured_exports_hold_nothing_to_redact_that_is_a_number() -> None:
    plain, hidden = (
        [e.batch["input_tokens"] for s in SCENARIOS for e in extracted(s, policy)]
        for policy in (ContentPolicy(), ContentPolicy(redact=True))
    )
    assert plain == hidden


def test_content_of_a_span_with_very_many_attributes_is_dropped_too() -> None:
    sent: dict[str, Any] = {f"k{i}": i for i in range(100)}
    extraction = extract(request(span({**sent, "input.value": CANARY, "llm.input_messages.0.message.content": CANARY})))
    assert CANARY not in _texts(extraction.batch.row(0))


def test_hashing_users_hides_their_names_and_addresses_too() -> None:
    policy = ContentPolicy(user_secret=b"secret")
    user = {"id": "u-1", "name": "Ann", "email": "ann@example.com", "tiers": ["gold"]}
    attributes = {"user.id": "u-1", "user.name": "Ann", "user.email": "ann@example.com", "user": json.dumps(user)}
    found = row(attributes, content=policy)
    assert found["user_id"].startswith("hmac:")
    assert found["user_name"].startswith("hmac:")
    assert found["user_tags"] == '["gold"]'
    assert "Ann" not in _texts(found)
    assert "ann@" not in _texts(found)
    assert "u-1" not in _texts(found)
