"""What extraction does with any span, whatever its dialect."""

import json
from typing import Any

import pytest

from otel_llm.conventions.content import ContentPolicy
from otel_llm.spans import FIELDS
from tests.conventions.otlp import INTERNAL, NOW_NS, START_NS, TRACE_ID, extract, request, row, span

CALL = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o"}
USAGE = {"gen_ai.usage.input_tokens": 100, "gen_ai.usage.output_tokens": 20}


def test_every_field_of_a_batch_has_a_value_for_every_row() -> None:
    batch = extract(request(span(CALL), span({}))).batch
    assert set(batch.columns) == {field.name for field in FIELDS}
    assert {len(column) for column in batch.columns.values()} == {2}
    for field in FIELDS:
        if field.required:
            assert None not in batch[field.name]


@pytest.mark.parametrize(
    ("fields", "reason", "named"),
    [
        ({"trace_id": b""}, "invalid_trace_id", "trace_id"),
        ({"trace_id": b"\x01" * 15}, "invalid_trace_id", "trace_id"),
        ({"trace_id": bytes(16)}, "invalid_trace_id", "trace_id"),
        ({"span_id": b"\x01" * 16}, "invalid_span_id", "span_id"),
        ({"span_id": bytes(8)}, "invalid_span_id", "span_id"),
        ({"parent_span_id": b"\x01" * 3}, "invalid_parent_span_id", "parent_span_id"),
        ({"start_time_unix_nano": 2**63}, "time_out_of_range", "start_time_unix_nano"),
        ({"end_time_unix_nano": 2**64 - 1}, "time_out_of_range", "end_time_unix_nano"),
    ],
)
def test_a_span_that_cannot_be_stored_is_rejected_and_its_neighbours_stay(
    fields: dict[str, Any], reason: str, named: str
) -> None:
    extraction = extract(request(span(CALL), span(CALL, **fields), span(CALL)))
    assert len(extraction.batch) == 2
    assert extraction.received == 3
    [rejection] = extraction.rejections
    assert rejection.reason == reason
    assert named in rejection.detail
    assert (rejection.project, rejection.signal) == ("p", "spans")


def test_an_all_zero_parent_is_a_root() -> None:
    assert row(CALL, parent_span_id=bytes(8))["parent_span_id"] is None


@pytest.mark.parametrize(
    ("start", "end", "stored"),
    [
        (START_NS, START_NS - 5, (START_NS, START_NS)),
        (0, START_NS, (START_NS, START_NS)),
        (START_NS, 0, (START_NS, START_NS)),
        (0, 0, (NOW_NS, NOW_NS)),
        (1, 2, (1, 2)),
        (2**63 - 1, 2**63 - 1, (2**63 - 1, 2**63 - 1)),
    ],
)
def test_times_that_are_missing_or_reversed(start: int, end: int, stored: tuple[int, int]) -> None:
    found = row(CALL, start_time_unix_nano=start, end_time_unix_nano=end)
    assert (found["start_ns"], found["end_ns"]) == stored


@pytest.mark.parametrize(
    ("value", "tokens", "reason"),
    [
        ("100", 100, None),
        (100.0, 100, None),
        (" 100 ", 100, None),
        ("", None, None),
        (2**63 - 1, 2**63 - 1, None),
        (-1, None, "negative"),
        ("-1", None, "negative"),
        (1.5, None, "not a whole number"),
        (float("nan"), None, "not finite"),
        (float("inf"), None, "not finite"),
        (1e30, None, "beyond 64 bits"),
        ("99999999999999999999", None, "beyond 64 bits"),
        ("many", None, "not a number"),
        ([1], None, "not a number"),
        (True, None, "not a number"),
        ({"a": 1}, None, "not a number"),
    ],
)
def test_a_token_count_is_read_or_dropped_and_counted_by_reason(value: Any, tokens: int | None, reason: str | None) -> None:
    extraction = extract(request(span({**CALL, "gen_ai.usage.input_tokens": value})))
    assert extraction.batch["input_tokens"] == [tokens]
    assert dict(extraction.values) == ({f"gen_ai.usage.input_tokens: {reason}": 1} if reason else {})
    assert not extraction.rejections


@pytest.mark.parametrize("value", [-0.5, float("nan"), float("-inf"), "free"])
def test_an_impossible_cost_is_dropped_and_counted(value: Any) -> None:
    extraction = extract(request(span({**CALL, "operation.cost": value})))
    assert extraction.batch["cost_reported"] == [None]
    assert extraction.values.total() == 1


def test_the_next_source_stands_in_for_one_that_does_not_parse() -> None:
    extraction = extract(request(span({**CALL, "gen_ai.usage.input_tokens": -5, "gen_ai.usage.prompt_tokens": 100})))
    assert extraction.batch["input_tokens"] == [100]
    assert extraction.values.total() == 1


def test_sums_beyond_64_bits_are_unknown() -> None:
    extraction = extract(
        request(
            span({**CALL, "gen_ai.usage.input_tokens": 2**62, "gen_ai.usage.cache_read.input_tokens": 2**63 - 1}),
        )
    )
    assert extraction.batch["input_tokens"] == [None]
    assert extraction.batch["cache_read_tokens"] == [None]
    assert extraction.values == {"input_tokens: sum beyond 64 bits": 1}


def test_cache_parts_larger_than_the_input_mean_that_it_left_them_out() -> None:
    found = row(
        {
            **CALL,
            "gen_ai.usage.input_tokens": 10,
            "gen_ai.usage.cache_read.input_tokens": 90,
            "gen_ai.usage.cache_write.input_tokens": 5,
        }
    )
    assert (found["input_tokens"], found["tokens_adjusted"]) == (105, "exclusive_cache")


def test_a_missing_part_follows_from_the_total() -> None:
    assert row({**CALL, "gen_ai.usage.total_tokens": 120, "gen_ai.usage.output_tokens": 20})["input_tokens"] == 100
    assert row({**CALL, "gen_ai.usage.total_tokens": 120, "gen_ai.usage.input_tokens": 100})["output_tokens"] == 20
    assert row({"gen_ai.operation.name": "embeddings", "gen_ai.usage.total_tokens": 7})["input_tokens"] == 7


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        ("Production", "production"),
        ("my env!", "default"),
        ("x" * 50, "x" * 40),
        ("a_b-9", "a_b-9"),
        ("", None),
        ("é", "default"),
    ],
)
def test_environments_are_normalised_as_langfuse_does(sent: str, stored: str | None) -> None:
    assert row(CALL, resource={"deployment.environment.name": sent})["environment"] == stored
    assert row({**CALL, "langfuse.environment": sent})["environment"] == stored


def test_an_environment_that_nobody_set_is_none() -> None:
    assert row(CALL)["environment"] is None


@pytest.mark.parametrize(
    ("address", "host", "port"),
    [
        ("api.openai.com", "api.openai.com", None),
        ("https://API.openai.com/v1", "api.openai.com", None),
        ("http://user:secret@localhost:8080/v1?x=1", "localhost", 8080),
        ("localhost:11434", "localhost", 11434),
        ("[::1]:8000", "::1", 8000),
        ("::1", "::1", None),
        ("host:notaport", "host", None),
        ("", None, None),
    ],
)
def test_server_addresses_lose_scheme_port_and_path(address: str, host: str | None, port: int | None) -> None:
    found = row({**CALL, "server.address": address})
    assert (found["server_address"], found["server_port"]) == (host, port)


def test_a_span_says_its_own_and_its_resource_stands_in() -> None:
    resource = {
        "service.name": "shop",
        "service.version": "1.2",
        "user.id": "r",
        "gen_ai.agent.name": "from-resource",
        "agentlens.agentId": "a",
    }
    found = row({**CALL, "user.id": "u"}, resource=resource)
    assert (found["user_id"], found["agent_name"], found["agentlens_agent_id"]) == ("u", "from-resource", "a")
    assert (found["service_name"], found["app"], found["version"]) == ("shop", "shop", "1.2")
    assert row(CALL, resource=resource)["user_id"] == "r"


def test_session_id_wins_over_conversation_id() -> None:
    assert row({**CALL, "gen_ai.conversation.id": "c", "session.id": "s"})["session_id"] == "s"
    assert row({**CALL, "gen_ai.conversation.id": "c"})["session_id"] == "c"
    assert row({**CALL, "mcp.session.id": "m"})["session_id"] is None


def test_tags_are_a_union_and_maps_lose_their_prefixes() -> None:
    found = row(
        {
            "langfuse.trace.tags": ["b", "a"],
            "tag.tags": '["c"]',
            "langsmith.span.tags": "d, e",
            "tag.team": "search",
            "langdb.tag.tier": "gold",
            "langdb.tags": "k=v&x=y",
            "traceloop.association.properties.flow": "ask",
            "metadata": '{"n": 1, "flow": "lost"}',
        }
    )
    assert json.loads(found["tags"]) == ["a", "b", "c", "d", "e"]
    assert json.loads(found["request_tags"]) == {"k": "v", "team": "search", "tier": "gold", "x": "y"}
    assert json.loads(found["metadata"]) == {"flow": "ask", "n": "1"}


def test_providers_are_named_once_frameworks_never_and_missing_ones_inferred() -> None:
    def provider(**attributes: Any) -> tuple[Any, Any]:
        found = row({"gen_ai.operation.name": "chat", **attributes})
        return found["provider"], found["provider_inferred"]

    assert provider(**{"gen_ai.provider.name": "Azure_OpenAI"}) == ("azure.ai.openai", False)
    assert provider(**{"gen_ai.system": "openai.responses"}) == ("openai", False)
    assert provider(**{"gen_ai.system": "Langchain", "llm.provider": "google"}) == ("gcp.gemini", False)
    assert provider(**{"gen_ai.system": "LangChain", "gen_ai.request.model": "claude-sonnet-4-5"}) == ("anthropic", True)
    assert provider(**{"gen_ai.request.model": "mistralai/mixtral"}) == ("mistral_ai", True)
    assert provider(**{"gen_ai.request.model": "own", "server.address": "eu.openai.azure.com"}) == ("azure.ai.openai", True)
    assert provider(**{"gen_ai.request.model": "own"}) == (None, None)


def test_errors_have_a_type_and_a_message() -> None:
    exception = ("exception", 0.5, {"exception.type": "openai.RateLimitError", "exception.message": "slow down"})
    by_event = row(CALL, status=(2, ""), events=[exception])
    assert (by_event["error"], by_event["error_type"], by_event["error_message"]) == (True, "RateLimitError", "slow down")
    by_type = row({**CALL, "error.type": "<class 'anthropic.APIError'>"})
    assert (by_type["error"], by_type["error_type"], by_type["status_code"]) == (True, "APIError", 0)
    by_http = row({**CALL, "http.response.status_code": 429}, status=(2, "too many"))
    assert (by_http["error_type"], by_http["error_message"]) == ("429", "too many")
    assert row(CALL, status=(2, ""))["error_type"] == "_OTHER"
    handled = row(CALL, events=[exception])
    assert (handled["error"], handled["error_type"], handled["error_message"]) == (False, None, None)


@pytest.mark.parametrize("sent", [["STOP"], '["stop"]', "['end_turn']", "stop", ["stop_sequence"]])
def test_finish_reasons_come_in_many_forms(sent: Any) -> None:
    assert row({**CALL, "gen_ai.response.finish_reasons": sent})["finish_reasons"] == '["stop"]'


def test_raw_attributes_are_kept_losslessly() -> None:
    sent = {
        "i": 1,
        "f": 1.0,
        "big": 2**63 - 1,
        "b": False,
        "s": "",
        "n": None,
        "l": [],
        "o": {},
        "nan": float("nan"),
        "t": "ü😀",
    }
    stored = json.loads(row(sent)["attributes"])
    assert stored == {**sent, "nan": {"doubleValue": "NaN"}}
    assert isinstance(stored["f"], float)


def test_bytes_are_kept_as_base64() -> None:
    made = span({})
    made.attributes.add(key="raw").value.bytes_value = b"\x00\xff"
    found = extract(request(made)).batch.row(0)
    assert json.loads(found["attributes"]) == {"raw": {"bytesValue": "AP8="}}


def test_of_a_repeated_key_the_last_one_is_read_and_kept() -> None:
    made = span({"gen_ai.request.model": "first"})
    made.attributes.add(key="gen_ai.request.model").value.string_value = "last"
    found = extract(request(made)).batch.row(0)
    assert found["request_model"] == "last"
    assert json.loads(found["attributes"]) == {"gen_ai.request.model": "last"}
    assert found["attribute_count"] == 2


def test_nul_characters_and_lone_surrogates_never_reach_the_store() -> None:
    found = row(
        {
            **CALL,
            "user.id": "a\x00b",
            "x\x00y": ["\x00"],
            "metadata": '{"k": "\\u0000v", "s": "\\ud800"}',
            "tag.\x00k": "v\x00",
        },
        name="na\x00me",
        scope="sc\x00ope",
        resource={"service.name": "s\x00"},
        status=(2, "m\x00"),
        events=[("e\x00", 0.1, {"k\x00": "v\x00"})],
    )
    for value in found.values():
        if isinstance(value, str):
            value.encode()
            assert "\x00" not in value
    assert json.loads(found["metadata"] or "{}").get("k") in (None, "v")
    assert json.loads(found["request_tags"]) == {"k": "v"}
    assert (found["user_id"], found["name"], found["scope_name"], found["service_name"]) == ("ab", "name", "scope", "s")


def test_long_texts_are_cut_and_deep_values_end() -> None:
    deep: Any = "bottom"
    for _ in range(40):
        deep = [deep]
    found = row(
        {**CALL, "gen_ai.request.model": "m" * 10_000, "user.id": "u" * 10_000, "deep": deep, "tag.tags": "[" * 200_000}
    )
    assert (len(found["request_model"]), len(found["user_id"])) == (256, 256)
    assert found["tags"] is None or isinstance(json.loads(found["tags"]), list)


def test_hundreds_of_attributes_are_read_like_few() -> None:
    many = {f"llm.input_messages.{i}.message.content": "secret" for i in range(300)}
    found = row({**many, "openinference.span.kind": "LLM", "llm.token_count.prompt": 7, "custom": "kept"})
    assert (found["role"], found["input_tokens"], found["attribute_count"]) == ("generation", 7, 303)
    assert "secret" not in found["attributes"]
    assert "custom" in found["attributes"]


def test_ever_new_keys_take_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    from otel_llm.conventions import routes, wire

    for module, limit in ((routes, "MAX_KEYS"), (routes, "MAX_PLANS"), (wire, "MAX_KEYS"), (wire, "MAX_PAIRS")):
        monkeypatch.setattr(module, limit, getattr(module, limit) // 10)
    plans_known = [plans._plans for plans in routes._plans.values()]
    for known in (routes._key_routes, *plans_known, wire.PAIRS):  # by tests before this one, under the higher limits
        known.clear()
    for batch in range(6):
        extract(request(*(span({f"k{batch}.{i}": i, "tag." + "x" * 500 + str(i): "v"}) for i in range(200))))
    assert len(routes._key_routes) <= routes.MAX_KEYS
    assert all(len(plans._plans) <= routes.MAX_PLANS for plans in routes._plans.values())
    assert len(wire.PAIRS) <= wire.MAX_PAIRS


def test_links_are_kept_with_ids_in_hex() -> None:
    made = span(CALL)
    made.links.add(trace_id=TRACE_ID, span_id=b"\x01" * 8)
    found = extract(request(made)).batch.row(0)
    assert json.loads(found["links"]) == [{"trace_id": TRACE_ID.hex(), "span_id": "01" * 8, "attributes": {}}]


def test_captured_content_is_cut_to_its_limit() -> None:
    found = row({**CALL, "gen_ai.prompt": "é" * 100}, content=ContentPolicy(capture=True, max_bytes=11))
    assert json.loads(found["attributes"])["gen_ai.prompt"] == "é" * 5


def test_an_http_span_is_stored_in_full_and_no_call() -> None:
    found = row({"http.request.method": "POST", "server.address": "api.openai.com"}, name="POST", kind=INTERNAL)
    assert (found["role"], found["provider"], found["server_address"]) == ("other", None, "api.openai.com")
