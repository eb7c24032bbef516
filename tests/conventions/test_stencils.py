"""A span that is filled in from a stencil, or matched by a pattern, is, field by field, the span that is read on its own."""

import random
import sys
import threading
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import ScopeSpans, Span

from otel_llm.conventions import extract as extraction_module
from otel_llm.conventions import stencil, wire
from otel_llm.conventions.content import ContentPolicy
from otel_llm.conventions.extract import extract_spans
from otel_llm.conventions.extraction import Extraction
from otel_llm.conventions.routes import plans_of
from otel_llm.conventions.slots import SLOT
from tests.conventions.corpus import SCENARIOS, Scenario
from tests.conventions.otlp import NOW_NS, request, span
from tests.conventions.test_properties import KEYS, SCOPES
from tests.effort import examples

POLICIES = [ContentPolicy(), ContentPolicy(redact=True, redact_keys=("app.*",)), ContentPolicy(redact=True, user_secret=b"s")]
ODD_TEXTS = [
    "",
    "none",
    '"quoted"',
    "nul\x00",
    "é",
    "a@example.com",
    "x" * 300,
    "chat",
    "error",
    "true",
    "7",
    "-1",
    "1e999",
    "[1]",
]
DROPPED = [0, 1, 127, 128, 2**32 - 1]
ODD_NUMBERS = [0, 1, 127, 128, 16_383, 16_384, -1, 2**62, 2**63 - 1]

pytestmark = pytest.mark.usefixtures("early_patterns")


def both(message: Any, policy: ContentPolicy) -> tuple[Extraction, Extraction]:
    """A request read with stencils and patterns, learned from the same request, and without."""
    given: dict[str, Any] = {"project": "p", "key_id": "k", "now_ns": NOW_NS, "content": policy}
    read = extract_spans(message, **given, stencils=False)
    assert_equal(extract_spans(message, **given), read)
    extract_spans(message, **given)
    return extract_spans(message, **given), read


def assert_equal(one: Extraction, other: Extraction) -> None:
    for left, right in zip(one.batch.rows(), other.batch.rows(), strict=True):
        differing = {name: (left[name], right[name]) for name in left if left[name] != right[name]}
        assert not differing
    assert one.values == other.values
    assert one.ignored == other.ignored
    assert one.rejections == other.rejections
    assert one.findings == other.findings


def changed(value: Any, chance: random.Random) -> Any:
    """Another value of the same kind, at times an odd one or one of another kind."""
    draw = chance.random()
    if draw < 0.03:
        return chance.choice([*ODD_TEXTS, *ODD_NUMBERS, True, 0.0, float("nan"), 1e300, ["a"], {"a": 1}])
    if isinstance(value, bool):
        return chance.random() < 0.5
    if isinstance(value, int):
        return chance.choice(ODD_NUMBERS) if draw < 0.08 else chance.randrange(1, 20_000)
    if isinstance(value, float):
        return chance.choice([0.0, -1.0, 1e9]) if draw < 0.06 else chance.random()
    if isinstance(value, str):
        return chance.choice(ODD_TEXTS) if draw < 0.06 else f"{value[:20]}{chance.randrange(40)}"
    return value


def varied(made: Span, chance: random.Random, fixed: set[str]) -> Span:
    """A span like another, with ids, times and some attributes of its own."""
    from otel_llm.conventions.anyvalue import key_values, plain_attributes

    copy = Span()
    copy.CopyFrom(made)
    copy.trace_id, copy.span_id = chance.randbytes(16), chance.randbytes(8 if chance.random() > 0.01 else 7)
    copy.start_time_unix_nano += chance.randrange(10**9)
    copy.end_time_unix_nano = copy.start_time_unix_nano + chance.randrange(-5, 10**10)
    plain = plain_attributes(made.attributes)
    if len(plain) == len(made.attributes):
        del copy.attributes[:]
        for key, value in plain.items():
            new = value if key in fixed else changed(value, chance)
            try:
                copy.attributes.extend(key_values({key: new}))
            except (TypeError, ValueError):
                copy.attributes.extend(key_values({key: value}))
    if chance.random() < 0.02:
        copy.status.code, copy.status.message = 2, "broken"
    if chance.random() < 0.1:
        copy.trace_state = "ot=rv:" + "0" * chance.choice([0, 1, 58, 59, 300])
    if chance.random() < 0.1:
        copy.dropped_attributes_count, copy.dropped_events_count = chance.choice(DROPPED), chance.choice(DROPPED)
        copy.dropped_links_count, copy.flags = chance.choice(DROPPED), chance.choice([0, 257, 769, 2**32 - 1])
    return copy


def multiplied(message: ExportTraceServiceRequest, chance: random.Random, copies: int) -> ExportTraceServiceRequest:
    """A request with many variations of each of its spans, in any order."""
    result = ExportTraceServiceRequest()
    result.CopyFrom(message)
    for resource_spans in result.resource_spans:
        for scope_spans in resource_spans.scope_spans:
            keys = sorted({item.key for made in scope_spans.spans for item in made.attributes})
            spans = []
            for made in scope_spans.spans:
                fixed = {key for key in keys if chance.random() < 0.6}
                spans += [varied(made, chance, fixed) for _ in range(copies)]
            chance.shuffle(spans)
            del scope_spans.spans[:]
            scope_spans.spans.extend(spans)
    return result


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_variations_of_captured_spans(scenario: Scenario) -> None:
    chance = random.Random(scenario.name)
    for message in scenario.requests("traces")[:3]:
        assert_equal(*both(multiplied(message, chance, examples(60, 30)), chance.choice(POLICIES)))


values = st.sampled_from(ODD_TEXTS) | st.text(max_size=8) | st.integers(0, 5000) | st.floats(0, 10) | st.booleans()


@settings(max_examples=examples(150, 40), deadline=None)
@given(
    st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=12), values, min_size=1, max_size=14),
    st.dictionaries(st.sampled_from(KEYS), values, max_size=4),
    st.sampled_from(SCOPES),
    st.sampled_from(POLICIES),
    st.integers(),
)
def test_variations_of_any_span(
    sent: dict[str, Any], resource: dict[str, Any], scope: str, policy: ContentPolicy, seed: int
) -> None:
    message = request(span(sent), scope=scope, resource=resource)
    assert_equal(*both(multiplied(message, random.Random(seed), 80), policy))


def _requests(spans: int, **attributes: Any) -> ExportTraceServiceRequest:
    chance = random.Random(spans)
    made = span({"gen_ai.operation.name": "chat", "gen_ai.request.model": "m", **attributes})
    fixed = {"gen_ai.operation.name", "gen_ai.request.model"}
    return request(*(varied(made, chance, fixed) for _ in range(spans)), resource={"service.name": f"stencils of {spans}"})


def test_most_spans_of_a_busy_instrumentation_are_filled_in(monkeypatch: pytest.MonkeyPatch) -> None:
    message = _requests(400, **{"gen_ai.response.id": "r", "gen_ai.usage.input_tokens": 5, "user.id": "u"})
    monkeypatch.setattr(stencil, "PATTERN_AFTER", 10**9)
    both(message, ContentPolicy())
    read = []
    whole = extraction_module.Walk._span
    monkeypatch.setattr(extraction_module.Walk, "_span", lambda *given: read.append(1) or whole(*given))
    extract_spans(message, project="p", key_id=None, now_ns=NOW_NS, content=ContentPolicy())
    assert len(read) < 120


def unmatched(message: Any, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Reads a request; how many spans of each look for patterns are left to be read one by one."""
    found = []
    alike = extraction_module.Walk.alike
    monkeypatch.setattr(extraction_module.Walk, "alike", lambda *given: found.append(alike(*given)) or found[-1])
    extract_spans(message, project="p", key_id=None, now_ns=NOW_NS, content=ContentPolicy())
    return [len(others.places) for others in found]


@pytest.mark.parametrize("role", ["chat", "embeddings", "execute_tool"])
def test_most_spans_of_a_busy_instrumentation_are_matched(role: str, monkeypatch: pytest.MonkeyPatch) -> None:
    sent = {"gen_ai.operation.name": role, "gen_ai.response.id": "r", "gen_ai.usage.input_tokens": 5, "user.id": "u"}
    message = request(
        *(varied(span(sent), random.Random(number), {"gen_ai.operation.name"}) for number in range(400)),
        resource={"service.name": f"patterns of {role}"},
    )
    read, whole = both(message, ContentPolicy())
    assert_equal(read, whole)
    assert [left < 120 for left in unmatched(message, monkeypatch)] == [True]


@pytest.mark.parametrize("place", [0, 7, 31])
@pytest.mark.parametrize("oddity", ["longer", "state", "status", "other", "inside"])
def test_a_span_that_no_pattern_matches_ends_where_its_length_says(place: int, oddity: str) -> None:
    message = _requests(32, **{"app.note": "n"})
    for _ in range(8):
        both(message, POLICIES[0])
    odd = message.resource_spans[0].scope_spans[0].spans[place]
    if oddity == "longer":  # behind the last field that a pattern knows
        odd.MergeFromString(b"\xa0\x06\x07")
    elif oddity == "state":
        odd.trace_state = "a=" + "b" * 80
    elif oddity == "status":
        odd.status.code = 2
    elif oddity == "other":
        odd.attributes.add(key="app.other").value.string_value = "x"
    else:  # the span before lies within a value of this one
        spans = message.resource_spans[0].scope_spans[0].spans
        odd.attributes[-1].value.bytes_value = ScopeSpans(spans=[spans[place - 1]]).SerializeToString()
    assert_equal(*both(message, POLICIES[0]))


@pytest.mark.parametrize("size", [0, 100, 127, 16_000, 17_000, 40_000])
def test_spans_of_any_length_are_read_as_on_their_own(size: int) -> None:
    message = _requests(32, **{"app.note": "n" * size})
    assert_equal(*both(message, POLICIES[0]))
    assert_equal(*both(message, POLICIES[0]))


def test_a_repeated_attribute_is_read_as_ever() -> None:
    made = span({"gen_ai.operation.name": "chat", "gen_ai.usage.input_tokens": 5})
    again = KeyValue(key="gen_ai.usage.input_tokens")
    again.value.int_value = 7
    made.attributes.append(again)
    chance = random.Random(1)
    assert_equal(*both(multiplied(request(made), chance, 60), ContentPolicy()))
    assert both(request(made), ContentPolicy())[0].batch["input_tokens"] == [7]


def test_what_is_remembered_is_bounded() -> None:
    chance = random.Random(3)
    for number in range(stencil.MAX_SHAPES + 20):
        made = span({"gen_ai.operation.name": "chat", f"key.{number}": 1, "gen_ai.response.id": "r"})
        both(multiplied(request(made, resource={"service.name": "bounded"}), chance, 40), ContentPolicy())
    memory = extraction_module._bases.memory
    held = sum(len(cells) for cells in memory.columns)
    assert held <= stencil.MAX_CELLS
    assert len(extraction_module._bases) <= extraction_module.MAX_RESOURCES


def test_long_values_are_not_remembered(anew: None, monkeypatch: pytest.MonkeyPatch) -> None:
    limit = 1 << 20
    monkeypatch.setattr(stencil, "MAX_BYTES", limit)
    chance = random.Random(4)
    for operation in ("chat", "text_completion"):
        sent = {"gen_ai.operation.name": operation, "gen_ai.usage.input_tokens": 5, "app.note": "", "gen_ai.prompt": ""}
        made = []
        for number in range(120):
            long = {"app.note": f"{number}" * 20_000, "gen_ai.prompt": f"{number}" * 20_000}
            made.append(varied(span(sent | long), chance, set(sent)))
        assert_equal(*both(request(*made, resource={"service.name": "long"}), ContentPolicy()))
        memory = extraction_module._bases.memory
        assert sum(len(encoded) for cells in memory.columns for encoded in cells) < limit
        assert memory.bytes < 2 * limit


def _spans(each: list[dict[str, Any]]) -> list[Span]:
    chance = random.Random(2)
    return [varied(span(sent), chance, set(sent)) for sent in each]


@pytest.mark.parametrize("odd", [0, ""])
def test_a_span_without_usage_is_no_pattern_for_those_with_some(odd: Any) -> None:
    used = range(1, 61)
    sent = [{"gen_ai.request.model": "m", "gen_ai.usage.input_tokens": value} for value in (*used, odd, odd, *used)]
    stencilled, read = both(request(*_spans(sent), scope="x", resource={"service.name": repr(odd)}), ContentPolicy())
    assert_equal(stencilled, read)
    assert set(read.batch["role"]) == {"generation", "other"}


def test_a_span_without_a_response_id_is_no_pattern_for_those_with_one() -> None:
    fixed = {"logfire.span_type": "log", "duration": 1.5}
    sent = [fixed | {"gen_ai.response.id": name} for name in (*(f"r{n}" for n in range(60)), "", *(f"s{n}" for n in range(9)))]
    stencilled, read = both(request(*_spans(sent), scope="logfire.openai"), ContentPolicy())
    assert_equal(stencilled, read)
    assert set(read.batch["role"]) == {"generation", "other"}


def test_an_attribute_that_names_its_key_twice_is_that_of_the_last_name() -> None:
    made = _spans([{"gen_ai.operation.name": "chat", "user.id": f"u{number}"} for number in range(60)])
    message = wire.trace_request(request(*made, resource={"service.name": "two keys"}))
    scopes = message.resource_spans[0].scope_spans
    scope_spans = wire.ScopeSpans.FromString(scopes[0])
    other = KeyValue(key="app.other")
    other.value.string_value = "x"
    scope_spans.spans[-1].attributes[1] = KeyValue(key="user.id").SerializeToString() + other.SerializeToString()
    scopes[0] = scope_spans.SerializeToString()
    stencilled, read = both(message, ContentPolicy())
    assert_equal(stencilled, read)
    assert read.batch["user_id"][-2:] == ["u58", None]


@pytest.mark.parametrize(
    "zero",
    [
        "anthropic.usage.cache_creation.ephemeral_1h_input_tokens",
        "anthropic.usage.cache_creation.ephemeral_5m_input_tokens",
        "gen_ai.server.time_to_first_token",
        "gen_ai.usage.cache_creation.input_tokens",
        "gen_ai.usage.reasoning.output_tokens",
        "gen_ai.usage.total_tokens",
    ],
)
@pytest.mark.parametrize("cached", [None, 0, 2])
@pytest.mark.parametrize("operation", ["chat", "execute_tool"])
def test_a_count_of_zero_on_every_span_is_what_it_is_on_one(operation: str, cached: int | None, zero: str) -> None:
    sent = [
        {"gen_ai.operation.name": operation, "gen_ai.response.id": f"r{number}", "gen_ai.usage.input_tokens": 9 + number}
        | {"gen_ai.usage.output_tokens": 5, zero: 0}
        | ({} if cached is None else {"gen_ai.usage.cache_read.input_tokens": cached})
        for number in range(90)
    ]
    name = f"zero {operation} {cached} {zero}"
    assert_equal(*both(request(*_spans(sent), scope="anthropic", resource={"service.name": name}), ContentPolicy()))


def _vercel(number: int) -> dict[str, Any]:
    """A call as the Vercel AI SDK writes it: nearly all of it twice."""
    tokens = 200 + number
    return {
        "ai.operationId": "ai.generateText.doGenerate",
        "ai.model.id": "gpt-4o-mini",
        "gen_ai.system": "openai.chat",
        "gen_ai.request.model": "gpt-4o-mini",
        "ai.response.id": f"r-{number}",
        "ai.usage.inputTokens": tokens,
        "ai.usage.inputTokenDetails.noCacheTokens": tokens - number % 40,
        "ai.usage.inputTokenDetails.cacheReadTokens": number % 40,
        "ai.usage.outputTokens": 20 + number,
        "ai.usage.totalTokens": tokens + 20 + number,
        "gen_ai.response.id": f"r-{number}",
        "gen_ai.usage.input_tokens": tokens,
        "gen_ai.usage.output_tokens": 20 + number,
    }


def test_spans_that_say_all_twice_are_matched(anew: None, monkeypatch: pytest.MonkeyPatch) -> None:
    message = request(*_spans([_vercel(number) for number in range(200)]), scope="ai")
    for _ in range(6):
        both(message, ContentPolicy())
    read, whole = both(message, ContentPolicy())
    assert_equal(read, whole)
    assert [left < 20 for left in unmatched(message, monkeypatch)] == [True]


@pytest.mark.parametrize("key", ["gen_ai.response.id", "gen_ai.usage.input_tokens", "ai.response.id", "ai.usage.inputTokens"])
@pytest.mark.parametrize("odd", ["", 0, "many", -1, True, ["a"]])
def test_of_two_attributes_the_second_counts_where_the_first_says_nothing(anew: None, key: str, odd: Any) -> None:
    known = request(*_spans([_vercel(number) for number in range(200)]), scope="ai")
    for _ in range(6):
        both(known, ContentPolicy())
    sent = [_vercel(number) | ({key: odd} if number % 7 == 0 else {}) for number in range(70)]
    assert_equal(*both(request(*_spans(sent), scope="ai"), ContentPolicy()))


def test_a_stencil_of_before_an_attribute_varied_is_in_no_pattern(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = ("gen_ai.operation.name", "user.id", "gen_ai.request.model")
    monkeypatch.setattr(stencil, "PATTERN_AFTER", 1)
    shape = stencil.Shape(keys, plans_of(None).make(keys), {}, stencil.Memory())
    row: list[Any] = [None] * len(SLOT)
    late = [pair(keys[0], "chat"), pair(keys[1], "u0"), pair(keys[2], "m")]
    picked = (b"n", 3, b"", shape.pick(late))
    for number in range(stencil.VARYING_AFTER + 1):
        shape.learn([pair(keys[0], "chat"), pair(keys[1], f"u{number}"), pair(keys[2], "m")], None)
    row[SLOT["user_id"]] = "u0"
    shape.keep((b"n", 3, b"", shape.pick(late)), row, dict.fromkeys(keys, "x"), "other")
    shape.keep(picked, row, dict.fromkeys(keys, "x"), "other")  # by a thread that was overtaken
    shape.varying[0][3].read(late[1])
    assert shape.filled()
    assert shape.pattern is not None
    assert len(shape.pattern._rows) == 1


def test_only_the_pattern_that_matches_too_little_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stencil, "PATTERN_AFTER", 1)
    keys = ("gen_ai.operation.name",)
    shape = stencil.Shape(keys, plans_of(None).make(keys), {}, stencil.Memory())
    attributes = [pair(keys[0], "chat")]
    shape.keep((b"n", 3, b"", shape.pick(attributes)), [None] * len(SLOT), {keys[0]: "chat"}, "other")
    without = shape._memory.bytes
    made = []
    while len(made) < 2:
        if shape.filled():
            made.append(shape.pattern)
    old, new = made
    assert old is not None
    assert new is not None
    shape.give_up(old)
    assert shape.pattern is new, "another thread has replaced it"
    shape.give_up(new)
    shape.give_up(new)
    assert shape.pattern is None
    assert shape._memory.bytes == without


def test_the_texts_of_a_pattern_are_part_of_its_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stencil, "PATTERN_AFTER", 1)
    keys = ("app.note", "app.place")
    shape = stencil.Shape(keys, plans_of(None).make(keys), {}, stencil.Memory())
    for place in "abcd":
        picked = shape.pick([pair(keys[0], "x" * 2000), pair(keys[1], place)])
        shape.keep((b"n", 3, b"", picked), [None] * len(SLOT), {keys[0]: "x" * 2000, keys[1]: place}, "other")
    before = shape._memory.bytes
    assert shape.filled()
    assert shape._memory.bytes - before > 10 * 2000 + 4 * 2000


def test_what_a_column_looked_like_may_be_noted_while_it_is_read() -> None:
    shape = stencil.Shape(("user.id",), plans_of(None).make(("user.id",)), {}, stencil.Memory())
    for number in range(stencil.VARYING_AFTER + 1):
        shape.learn([pair("user.id", f"u{number:03}")], None)
    column = shape.varying[0][3]
    encoded = [pair("user.id", f"v{number:03}") for number in range(stencil.MANY)]
    column.read_all(encoded, None)
    ended = threading.Event()
    errors: list[Exception] = []

    def note() -> None:
        while not ended.is_set():
            column.forms.clear()
            for length in range(40):
                column.read(pair("user.id", "x" * length))

    def look() -> None:
        try:
            for _ in range(4000):
                column.read_all(encoded, None)
        except Exception as error:
            errors.append(error)
        finally:
            ended.set()

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=note), threading.Thread(target=look)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert not errors


def test_threads_that_learn_together_agree_on_what_varies() -> None:
    keys = ["user.id", "session.id", "gen_ai.response.id", "gen_ai.prompt.version"]

    def learn(shape: stencil.Shape, spans: list[list[bytes]], start: threading.Barrier) -> None:
        start.wait()
        for attributes in spans:
            shape.learn(attributes, None)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for _ in range(20):
            shape = stencil.Shape(tuple(keys), plans_of(None).make(tuple(keys)), {}, stencil.Memory())
            start = threading.Barrier(4)
            threads = []
            for thread in range(4):
                made = [[pair(key, f"{thread}.{number}") for key in keys] for number in range(30)]
                threads.append(threading.Thread(target=learn, args=(shape, made, start)))
            for each in threads:
                each.start()
            for each in threads:
                each.join()
            places = [place for place, *_ in shape.varying]
            assert sorted(places) == [0, 1, 2, 3]
            assert shape.pick([b"a", b"b", b"c", b"d"]) == ()
    finally:
        sys.setswitchinterval(interval)


def pair(key: str, value: str) -> bytes:
    """An encoded attribute."""
    made = KeyValue(key=key)
    made.value.string_value = value
    return made.SerializeToString()
