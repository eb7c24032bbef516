"""What a span is: an LLM call, an agent, a tool ... The first rule that decides is named, so that it can be explained.

The rules and their order are CONVENTIONS 8.1. Vendors' own type attributes come before the operation name, because some
vendors fill the operation name with something else (LangSmith marks retriever runs as embeddings).
"""

import re
from typing import Any, Final, NamedTuple

from otel_llm.conventions.slots import SLOT

GENERATION: Final = "generation"
EMBEDDING: Final = "embedding"


class Decision(NamedTuple):
    """The role of a span, its operation in the words of the GenAI conventions, and the rule that decided."""

    role: str
    operation: str | None
    rule: str


CHAT_WORDS = (
    "chat",
    "generate_content",
    "text_completion",
    "text_completions",
    "completion",
    "generate",
    "llm_call",
    "llm_request",
    "image",
)

OPERATIONS: dict[str, tuple[str, str]] = {
    "chat": (GENERATION, "chat"),
    "generate_content": (GENERATION, "generate_content"),
    "text_completion": (GENERATION, "text_completion"),
    "text_completions": (GENERATION, "text_completion"),
    "completion": (GENERATION, "text_completion"),
    "generate": (GENERATION, "chat"),
    "llm_call": (GENERATION, "chat"),
    "llm_request": (GENERATION, "chat"),
    "responses": (GENERATION, "chat"),
    "model_call": (GENERATION, "chat"),
    "acompletion": (GENERATION, "chat"),
    "aresponses": (GENERATION, "chat"),
    "image": (GENERATION, "image"),
    "aembedding": (EMBEDDING, "embeddings"),
    "embeddings": (EMBEDDING, "embeddings"),
    "embedding": (EMBEDDING, "embeddings"),
    "rerank": ("rerank", "rerank"),
    "invoke_agent": ("agent", "invoke_agent"),
    "create_agent": ("agent", "create_agent"),
    "agent_step": ("agent", "agent_step"),
    "agent_call": ("agent", "agent_call"),
    "execute_event_loop_cycle": ("agent", "execute_event_loop_cycle"),
    "orchestrate_tools": ("agent", "orchestrate_tools"),
    "plan": ("agent", "plan"),
    "decide": ("agent", "decide"),
    "invoke_workflow": ("workflow", "invoke_workflow"),
    "execute_tool": ("tool", "execute_tool"),
    "execute_task": ("workflow", "execute_task"),
    "tool_call": ("tool", "tool_call"),
    "framework": ("other", "framework"),
    "retrieval": ("retrieval", "retrieval"),
    "vector_db_retrieve": ("retrieval", "vector_db_retrieve"),
    "realtime": ("other", "realtime"),
    "user_prompt": ("other", "user_prompt"),
    "system_prompt": ("other", "system_prompt"),
    "fetch_response": ("other", "fetch_response"),
    "run_guardrail": ("guardrail", "run_guardrail"),
    "apply_guardrail": ("guardrail", "apply_guardrail"),
}
"""``gen_ai.operation.name``, lower case: role and normalised operation."""

_PREFIXED: Final = re.compile(rf"({'|'.join(sorted(CHAT_WORDS, key=len, reverse=True))})[ ._:/-]")

VENDOR_TYPES: dict[str, dict[str, tuple[str, str]]] = {
    "langfuse_type": {
        "generation": (GENERATION, "chat"),
        "embedding": (EMBEDDING, "embeddings"),
        "agent": ("agent", "invoke_agent"),
        "tool": ("tool", "execute_tool"),
        "chain": ("workflow", "chain"),
        "retriever": ("retrieval", "retrieval"),
        "evaluator": ("other", "evaluator"),
        "guardrail": ("guardrail", "guardrail"),
        "event": ("other", "event"),
    },
    "openinference_kind": {
        "llm": (GENERATION, "chat"),
        "embedding": (EMBEDDING, "embeddings"),
        "chain": ("workflow", "chain"),
        "agent": ("agent", "invoke_agent"),
        "tool": ("tool", "execute_tool"),
        "retriever": ("retrieval", "retrieval"),
        "reranker": ("rerank", "rerank"),
        "guardrail": ("guardrail", "guardrail"),
        "evaluator": ("other", "evaluator"),
        "prompt": ("other", "prompt"),
        "decision": ("other", "decision"),
    },
    "mlflow_type": {
        "chat_model": (GENERATION, "chat"),
        "llm": (GENERATION, "chat"),
        "embedding": (EMBEDDING, "embeddings"),
        "agent": ("agent", "invoke_agent"),
        "chain": ("workflow", "chain"),
        "tool": ("tool", "execute_tool"),
        "retriever": ("retrieval", "retrieval"),
        "reranker": ("rerank", "rerank"),
        "workflow": ("workflow", "invoke_workflow"),
        "task": ("workflow", "task"),
        "parser": ("other", "parser"),
        "memory": ("other", "memory"),
        "guardrail": ("guardrail", "guardrail"),
        "evaluator": ("other", "evaluator"),
    },
    "langsmith_kind": {
        "llm": (GENERATION, "chat"),
        "embedding": (EMBEDDING, "embeddings"),
        "chain": ("workflow", "chain"),
        "tool": ("tool", "execute_tool"),
        "retriever": ("retrieval", "retrieval"),
        "prompt": ("other", "prompt"),
        "parser": ("other", "parser"),
    },
    "traceloop_kind": {
        "workflow": ("workflow", "invoke_workflow"),
        "task": ("workflow", "task"),
        "agent": ("agent", "invoke_agent"),
        "tool": ("tool", "execute_tool"),
    },
    "span_type": {
        "llm_request": (GENERATION, "chat"),
        "interaction": ("workflow", "interaction"),
        "tool": ("tool", "execute_tool"),
        "tool.execution": ("tool", "execute_tool"),
    },
}
"""Vendors' type attributes in order of precedence, by lower-case value; a value that is not listed decides nothing."""

VENDOR_ORDER: Final = ("langfuse_type", "openinference_kind", "mlflow_type", "langsmith_kind", "ai_operation", "traceloop_kind")

REQUEST_TYPES: dict[str, tuple[str, str]] = {
    **dict.fromkeys(
        ("chat", "acompletion", "completion", "responses", "aresponses", "anthropic_messages"), (GENERATION, "chat")
    ),
    **dict.fromkeys(("text_completion", "atext_completion"), (GENERATION, "text_completion")),
    **dict.fromkeys(("generate_content", "agenerate_content", "generate_content_stream"), (GENERATION, "generate_content")),
    **dict.fromkeys(("image_generation", "aimage_generation"), (GENERATION, "image")),
    **dict.fromkeys(("transcription", "atranscription", "speech", "aspeech"), (GENERATION, "audio")),
    **dict.fromkeys(("embedding", "aembedding", "embeddings"), (EMBEDDING, "embeddings")),
    **dict.fromkeys(("rerank", "arerank"), ("rerank", "rerank")),
}
"""``llm.request.type`` of OpenLLMetry and LiteLLM call types, lower case."""

NEVER_CALLS: Final = frozenset({"raw_gen_ai_request"})
"""Names of spans that repeat a call's numbers and are none."""

KNOWN_NAMES: dict[str, tuple[str, str, str | None]] = {
    "call_llm": ("adk", GENERATION, "chat"),
    "call llm": ("crewai", GENERATION, "chat"),
    "claude_code.llm_request": ("claude_code", GENERATION, "chat"),
    "claude_code.api_request": ("claude_code", GENERATION, "chat"),
    "claude_code.api_error": ("claude_code", GENERATION, "chat"),
    "codex.sse_event": ("codex", GENERATION, "chat"),
    "codex.api_request": ("codex", GENERATION, "chat"),
    "gemini_cli.api_response": ("gemini_cli", GENERATION, "chat"),
    "gemini_cli.api_error": ("gemini_cli", GENERATION, "chat"),
    "model_call": ("langdb", GENERATION, "chat"),
    "api_invoke": ("langdb", "workflow", "api_invoke"),
    "cloud_api_invoke": ("langdb", "workflow", "api_invoke"),
    "request_routing": ("langdb", "workflow", "request_routing"),
    "virtual_model": ("langdb", "workflow", "virtual_model"),
    # The provider's span below a model_call is the same call: counting keeps one and fills what it lacks from the other.
    **dict.fromkeys(("openai", "anthropic", "gemini", "bedrock"), ("langdb", GENERATION, "chat")),
    "embedding": ("langdb", "other", None),
}
"""Span names that tell a call where no attribute does: dialect it belongs to (for the rule's name), role, operation."""

NAMED: Final = "span name: operation and model"
"""Rule of a call that nothing but its name tells; the model is the rest of the name."""

STREAM_OPENERS: Final = frozenset({"logfire.openai", "logfire.anthropic"})
"""Scopes whose span of a streamed call ends at the response headers, without usage: the log of the stream's end is the call."""

GATEWAY_SCOPES: Final = ("litellm", "vllm", "com.anthropic.claude-platform", "langdb", "portkey", "kong", "envoy")
"""Beginnings of scope names whose SERVER spans are calls by their attributes alone."""

_KIND_SERVER: Final = 2
_KIND_CONSUMER: Final = 5
_STATUS_ERROR: Final = 2

_OPERATION = SLOT["gen_ai_operation"]
_REQUEST_TYPE = SLOT["request_type"]
_VENDOR_SLOTS = tuple((name, SLOT[name]) for name in VENDOR_ORDER)
_SPRING, _SPAN_TYPE, _GUARDRAIL = SLOT["spring_kind"], SLOT["span_type"], SLOT["guardrail"]
_LOGFIRE, _LOGGED = SLOT["logfire_span_type"], SLOT["logged_duration"]
_REQUEST_MODEL, _RESPONSE_MODEL, _PROVIDER = SLOT["request_model"], SLOT["response_model"], SLOT["provider"]
_INPUT, _OUTPUT, _TOTAL = SLOT["input_tokens"], SLOT["output_tokens"], SLOT["total_tokens"]
_TOOL, _AGENT, _AGENT_ID = SLOT["tool_name"], SLOT["agent_name"], SLOT["agent_id"]
_RESPONSE_ID, _KIND, _STATUS = SLOT["response_id"], SLOT["kind"], SLOT["status_code"]

_OTHER = Decision("other", None, "nothing says it is a call")
_BY_OPERATION = {word: Decision(role, name, "gen_ai.operation.name") for word, (role, name) in OPERATIONS.items()}


def by_operation(operation: str) -> Decision | None:
    """The decision of ``gen_ai.operation.name``, None for a value nobody knows."""
    found = _BY_OPERATION.get(operation)
    if found is not None:
        return found
    word = operation.strip().lower()
    found = _BY_OPERATION.get(word)
    if found is not None:
        return found
    if word.startswith("litellm."):
        return Decision("other", word, "gen_ai.operation.name of a gateway's own work")
    prefixed = _PREFIXED.match(word)
    if prefixed:
        role, name = OPERATIONS[prefixed.group(1)]
        return Decision(role, name, "gen_ai.operation.name")
    if "memory" in word:
        return Decision("other", word, "gen_ai.operation.name")
    if "guardrail" in word:
        return Decision("guardrail", word, "gen_ai.operation.name")
    if word.startswith(("embedding", "embed_")):
        return Decision(EMBEDDING, "embeddings", "gen_ai.operation.name")
    return None


def _by_ai_operation(operation: str) -> tuple[str, str] | None:
    """Role of a legacy AI SDK operation: only the inner ``do*`` spans are calls."""
    if operation.endswith(("doGenerate", "doStream")):
        return GENERATION, "chat"
    if operation.endswith("doEmbed"):
        return EMBEDDING, "embeddings"
    if operation.endswith("doRerank"):
        return "rerank", "rerank"
    if operation == "ai.toolCall":
        return "tool", "execute_tool"
    return ("agent", "invoke_agent") if operation.startswith("ai.") else None


def _by_vendor(row: list[Any]) -> Decision | None:
    for name, slot in _VENDOR_SLOTS:
        value = row[slot]
        if value is None:
            continue
        found = _by_ai_operation(value) if name == "ai_operation" else VENDOR_TYPES[name].get(value)
        if found:
            operation = row[_OPERATION]
            told = by_operation(operation) if operation else None
            # Within a call role the operation name is more precise (text_completion, generate_content).
            return Decision(found[0], told.operation if told and told.role == found[0] else found[1], name)
    if row[_SPRING] is not None and (row[_OPERATION] or "framework").lower() == "framework":
        return Decision("other", "framework", "spring_kind")
    value = row[_SPAN_TYPE]
    if value is not None and value.lower() in VENDOR_TYPES["span_type"]:
        return Decision(*VENDOR_TYPES["span_type"][value.lower()], "span_type")
    return None


def decide(row: list[Any], name: str, scope: str, dialect: str, typed: bool) -> Decision:
    """The role of a span.

    ``row`` holds what its attributes say, ``typed`` is True when a vendor's own type attribute is among them.
    """
    if name in NEVER_CALLS:
        return Decision("other", None, "a copy of a call's raw request")
    operation = row[_OPERATION]
    if typed:
        found = _by_vendor(row)
        if found:
            if found.role == GENERATION and name.endswith("_prepare_chat_with_tools") and _no_usage(row):
                return Decision("other", None, "LlamaIndex prepares a call here")
            return found
    if operation:
        found = by_operation(operation)
        if found:
            if found.role == GENERATION and scope in STREAM_OPENERS and _opens_stream(row):
                return Decision("other", None, "Logfire opens a stream here; its log is the call")
            return found
    request_type = row[_REQUEST_TYPE]
    if request_type:
        listed = REQUEST_TYPES.get(request_type.lower())
        if listed:
            return Decision(*listed, "llm.request.type")
    return _by_shape(row, name, scope, dialect)


def _opens_stream(row: list[Any]) -> bool:
    """True for a span that succeeded and has none of what an answer holds."""
    return row[_LOGFIRE] == "span" and row[_STATUS] != _STATUS_ERROR and row[_RESPONSE_ID] is None and _no_usage(row)


def _no_usage(row: list[Any]) -> bool:
    return not row[_INPUT] and not row[_OUTPUT] and not row[_TOTAL]


def _by_shape(row: list[Any], name: str, scope: str, dialect: str) -> Decision:
    if dialect == "openlit" and row[_REQUEST_MODEL] is None:
        # A failed call of some of its instrumentations has no attribute at all, only the name "chat MODEL".
        word, _, model = name.partition(" ")
        told = _BY_OPERATION.get(word)
        if model and told is not None and told.role in (GENERATION, EMBEDDING):
            return told._replace(rule=NAMED)
    known = KNOWN_NAMES.get(name)
    if known and (known[0] == dialect or (known[0] != "langdb" and (row[_REQUEST_MODEL] or not _no_usage(row)))):
        return Decision(known[1], known[2], f"span name of {known[0]}")
    if scope.startswith("vllm") or dialect == "vllm":
        return Decision(GENERATION, "chat", "vLLM request span")
    if (
        row[_LOGFIRE] == "log"
        and row[_LOGGED] is not None
        and (row[_RESPONSE_MODEL] or row[_RESPONSE_ID] or not _no_usage(row))
    ):
        return Decision(GENERATION, "chat", "Logfire log of a finished stream")
    if row[_GUARDRAIL]:
        return Decision("guardrail", "guardrail", "a guardrail attribute")
    if not row[_REQUEST_MODEL] and not row[_RESPONSE_MODEL]:
        if row[_TOOL]:
            return Decision("tool", "execute_tool", "a tool attribute and no model")
        if row[_AGENT] or row[_AGENT_ID]:
            return Decision("agent", None, "an agent attribute and no model")
        return _OTHER
    if row[_TOOL] and not row[_REQUEST_MODEL]:
        return Decision("tool", "execute_tool", "a tool attribute and no requested model")
    if row[_KIND] in (_KIND_SERVER, _KIND_CONSUMER) and not scope.startswith(GATEWAY_SCOPES):
        return _OTHER
    if not _no_usage(row) or row[_PROVIDER]:
        return Decision(GENERATION, "chat", "a model with usage or provider")
    return _OTHER
