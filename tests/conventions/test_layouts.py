"""A span that is taken apart by a layout is, field by field, the span that is read on its own, whatever its bytes are."""

import random
import struct
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope
from opentelemetry.proto.trace.v1.trace_pb2 import ScopeSpans, Span

from otel_llm.conventions import extract as extraction_module
from otel_llm.conventions import layout, stencil
from otel_llm.conventions.content import ContentPolicy
from otel_llm.conventions.extract import extract_spans
from otel_llm.conventions.extraction import Extraction
from otel_llm.conventions.frames import frames_of, scope_of
from otel_llm.conventions.layout import Layout, Layouts, Part
from otel_llm.conventions.wire import TraceRequest, read_pair, value_at
from otel_llm.errors import InvalidPayload
from otel_llm.otlp import varint
from otel_llm.otlp.decode import decode_reporting
from tests.conventions.otlp import NOW_NS, span
from tests.conventions.test_stencils import assert_equal
from tests.effort import examples

SPANS = 48
GIVEN: dict[str, Any] = {"project": "p", "key_id": None, "now_ns": NOW_NS, "content": ContentPolicy()}

pytestmark = pytest.mark.usefixtures("early_patterns")


def calls(seed: int, spans: int = SPANS, **more: Any) -> list[Span]:
    """Calls of one instrumentation: of few layouts, with two models and a user of either length."""
    chance = random.Random(seed)
    return [
        span(
            {
                "gen_ai.operation.name": "chat",
                "gen_ai.request.model": chance.choice(["gpt-4o", "gpt-4o-mini"]),
                "gen_ai.response.id": f"r-{chance.randrange(10**8):08}",
                "gen_ai.usage.input_tokens": chance.randrange(200, 16_000),
                "gen_ai.usage.output_tokens": chance.randrange(1, 500),
                "gen_ai.response.time_to_first_chunk": chance.random() / 10 + 0.001,
                "user.id": chance.choice(["user-1", "user-20", f"u{chance.randrange(10)}"]),
                "app.note": f"n{chance.randrange(10**5):05}",
                **more,
            },
            trace_id=chance.randbytes(16),
            span_id=chance.randbytes(8),
            parent_span_id=chance.randbytes(8) if chance.random() < 0.5 else b"",
        )
        for _ in range(spans)
    ]


def encoded(spans: list[Span]) -> bytes:
    """An encoded ScopeSpans."""
    return ScopeSpans(scope=InstrumentationScope(name="layouts"), spans=spans).SerializeToString()


def message_of(scope_spans: bytes, *others: bytes) -> Any:
    """A request of one resource and scope, as it is decoded."""
    content = b"".join(b"\x12" + varint.length(len(each)) + each for each in (scope_spans, *others))
    body = b"\x0a" + varint.length(len(content)) + content
    return decode_reporting("traces", body, "protobuf", TraceRequest).message


def laid_out() -> int:
    """How many spans were taken apart by layouts."""
    return sum(shape.pattern._layouts.matched for shape in shapes() if shape.pattern is not None)


def shapes() -> list[stencil.Shape]:
    """All that is remembered."""
    return [
        shape
        for base in extraction_module._bases.values()
        for family in base._families.values()
        for shape in family._by_keys.values()
    ]


def learned() -> None:
    """Reads spans until the layouts of most are known."""
    for seed in range(60):
        before = laid_out()
        extract_spans(message_of(encoded(calls(seed))), **GIVEN)
        if laid_out() - before > SPANS * 7 // 8:
            return
    raise AssertionError("layouts are not learned")


def outcome(read: Callable[[], Extraction]) -> Extraction | str:
    try:
        return read()
    except InvalidPayload as error:
        return str(error)


def assert_same(scope_spans: bytes, *others: bytes) -> Extraction | str:
    """Reads a scope by layouts and span by span; returns the outcome, which is the same."""
    message = message_of(scope_spans, *others)
    one = outcome(lambda: extract_spans(message, **GIVEN))
    other = outcome(lambda: extract_spans(message, **GIVEN, stencils=False))
    if isinstance(one, str) or isinstance(other, str):
        assert one == other
        return one
    assert_equal(one, other)
    assert one.received == other.received
    assert one.damage == other.damage
    return one


def test_most_spans_like_those_before_are_laid_out_alike() -> None:
    learned()
    before = laid_out()
    extract_spans(message_of(encoded(calls(77))), **GIVEN)
    assert laid_out() - before > SPANS * 3 // 4


def test_a_new_layout_among_known_ones_keeps_the_order() -> None:
    learned()
    spans = calls(1)
    for place, user in ((0, "a longer user"), (9, "x" * 60), (SPANS - 1, "y" * 61)):
        spans[place].attributes[6].value.string_value = user
    spans[20].name = "of no stencil"
    assert_same(encoded(spans))
    assert_same(encoded(spans))


@settings(max_examples=examples(2000, 60), deadline=None)
@given(st.integers(0, 99), st.lists(st.tuples(st.integers(0, 10**6), st.integers(1, 255)), min_size=1, max_size=4))
def test_flipped_bits(seed: int, flips: list[tuple[int, int]]) -> None:
    learned()
    body = bytearray(encoded(calls(seed)))
    for at, flip in flips:
        body[at % len(body)] ^= flip
    assert_same(bytes(body))


@pytest.mark.parametrize("place", [0, 17, SPANS - 1])
@pytest.mark.parametrize("order", ["plain", "zeros", "state"])
def test_every_byte_of_a_span_may_be_any_other(order: str, place: int) -> None:
    learned()
    for _ in range(3):
        assert_same(written(order, calls(5)))
    body = written(order, calls(5))
    frames = frames_of(body, scope_of(body)[1])
    assert frames is not None
    chance = random.Random(place)
    for at in range(frames.starts[place], frames.end_of(place)):
        byte = chance.choice([0, body[at] ^ 0x80, body[at] ^ 1, chance.randrange(256)])
        assert_same(body[:at] + bytes((byte,)) + body[at + 1 :])


@pytest.mark.parametrize(
    "odd",
    [
        b'a"bcdefghi',
        b"a\\bcdefghi",
        b"a\x00bcdefghi",
        b"a\nbcdefghi",
        b"a\x7fbcdefghi",
        b"a\xffbcdefghi",
        b"\xed\xa0\x80bcdefgh"[:10],
        b'"quoted-"x',
        b"          ",
        "éèabcdef".encode()[:10],
        "\u2028abcdefg".encode(),
        "\x85\xa0abcdef".encode(),
    ],
)
@pytest.mark.parametrize("place", [0, 30])
def test_texts_of_a_known_length(odd: bytes, place: int) -> None:
    learned()
    body = encoded(calls(3))
    ids = [at for at in range(len(body)) if body.startswith(b"\x0a\x0ar-", at)]
    at = ids[place] + 2
    assert_same(body[:at] + odd + body[at + len(odd) :])


@pytest.mark.parametrize("value", [0.0, -1.0, float("nan"), float("inf"), 1e300, -0.0, 5e-324, 59.0])
def test_numbers_that_are_no_duration(value: float) -> None:
    learned()
    spans = calls(4)
    spans[11].attributes[5].value.double_value = value
    assert_same(encoded(spans))


@pytest.mark.parametrize(
    "value", [b"\x05\x18\x07", b"\x80\x80\x00", b"\x80\x00", b"\x05\x05", b"\xff\xff\x7f", b"\x05\x18\x80", b"\x0a\x00"]
)
def test_integers_are_what_their_bytes_say(value: bytes) -> None:
    """Whatever bytes an integer's place holds, all as long as those of a layout."""
    for seed in range(20):
        extract_spans(message_of(encoded(calls(seed, **{"gen_ai.usage.output_tokens": 100_000}))), **GIVEN)
    body = encoded(calls(9, **{"gen_ai.usage.output_tokens": 100_000}))
    long = varint.varint(100_000)
    before = laid_out()
    for each in (value, value[:2]):
        at = body.index(b"\x18" + long, len(body) // 2) + 1
        assert_same(body[:at] + each + body[at + len(each) :])
    assert laid_out() - before > SPANS


@settings(max_examples=examples(20_000, 1_000), deadline=None)
@given(
    st.integers(0, 2**64 - 1).map(lambda number: b"\x18" + varint.varint(number))
    | st.integers(0, 2**22).map(lambda number: b"\x18" + varint.varint(number))
    | st.floats().map(lambda number: b"\x21" + struct.pack("<d", number))
    | st.binary(max_size=9).map(lambda text: b"\x0a" + varint.length(len(text)) + text)
    | st.binary(max_size=6).map(lambda rest: b"\x18" + rest)
    | st.binary(max_size=12)
)
def test_a_value_that_is_read_in_place_is_that_of_the_runtime(value: bytes) -> None:
    key = b"\x0a\x01k"
    encoded_pair = key + b"\x12" + varint.length(len(value)) + value
    found = value_at(encoded_pair, len(key))
    if found is not None:
        pair = read_pair(encoded_pair)
        assert pair is not None
        assert (pair[0], repr(pair[1])) == ("k", repr(found))


def field(tag: int, content: bytes) -> bytes:
    return bytes((tag,)) + varint.length(len(content)) + content


def fields_of(made: Span) -> list[bytes]:
    """The fields of an encoded span."""
    body = made.SerializeToString()
    found, at = [], 0
    while at < len(body):
        start = at
        tag, at = varint.read(body, at)
        if tag & 7 == 2:
            size, at = varint.read(body, at)
            at += size
        elif tag & 7 == 0:
            at = varint.read(body, at)[1]
        else:
            at += 8 if tag & 7 == 1 else 4
        found.append(body[start:at])
    return found


ZEROS = [b"\x50\x00", b"\x60\x00", b"\x70\x00", b"\x7a\x02\x18\x00", b"\x85\x01\x01\x01\x00\x00"]
"""What JavaScript's exporter writes behind the attributes of nearly every span."""


def scope_field() -> bytes:
    return field(0x0A, InstrumentationScope(name="layouts").SerializeToString())


def written(order: str, spans: list[Span]) -> bytes:
    """An encoded ScopeSpans, written in some way."""
    chance = random.Random(order)
    each = [fields_of(made) for made in spans]
    if order == "span fields backwards":
        each = [
            [part for part in fields[::-1] if part[0] != 0x4A] + [part for part in fields if part[0] == 0x4A] for fields in each
        ]
    elif order == "span fields in any order":
        for fields in each:
            chance.shuffle(fields)
    elif order == "empty parent and status":
        each = [[*fields[:2], *([] if fields[2][0] == 0x22 else [b"\x22\x00"]), *fields[2:], b"\x7a\x00"] for fields in each]
    elif order in ("zeros", "zeros backwards"):
        each = [[*fields, *ZEROS] for fields in each]
        if order == "zeros backwards":
            each = [fields[::-1][: len(ZEROS)] + fields[: -len(ZEROS)] for fields in each]
    elif order == "counts":
        counts = [b"\x50" + varint.varint(number) for number in (1, 127, 128, 2**32 - 1, 2**64 - 1)]
        each = [[*fields, chance.choice(counts), b"\x60\x80\x00", b"\x70\x02"] for fields in each]
    elif order == "no name and kind":
        each = [[part for part in fields if part[0] not in (0x2A, 0x30)] for fields in each]
    elif order == "empty name and kind":
        each = [[{0x2A: b"\x2a\x00", 0x30: b"\x30\x00"}.get(part[0], part) for part in fields] for fields in each]
    elif order == "status twice":
        each = [[*fields, b"\x7a\x02\x18\x02", b"\x7a\x00"] for fields in each]
    elif order == "flags":
        each = [[*fields, b"\x85\x01\x01" + chance.choice([b"\x01\x00\x00", b"\x03\x00\x00"])] for fields in each]
    elif order == "unknown field":
        each = [[*fields, b"\xa0\x06\x07"] for fields in each]
    elif order == "state":
        each = [[*fields[:2], field(0x1A, b"ot=rv:%x" % chance.randrange(2**32)), *fields[2:]] for fields in each]
    elif order == "any state":
        each = [[*fields[:2], field(0x1A, chance.randbytes(chance.randrange(90))), *fields[2:]] for fields in each]
    parts = [field(0x12, b"".join(fields)) for fields in each]
    if order == "scope last":
        return b"".join([*parts, scope_field()])
    if order == "scope twice":
        return b"".join([scope_field(), *parts, field(0x0A, InstrumentationScope(name="other").SerializeToString())])
    if order == "schema":
        return b"".join([scope_field(), *parts, field(0x1A, b"https://example.com/schema")])
    if order == "schema before":
        return b"".join([field(0x1A, b"https://example.com/schema"), scope_field(), *parts])
    if order == "schema between":
        return b"".join([scope_field(), *parts[:9], field(0x1A, b"https://example.com/schema"), *parts[9:]])
    if order == "long lengths":
        longer = [b"\x12" + bytes((len(part) - 3 & 0x7F | 0x80, len(part) - 3 >> 7 | 0x80, 0)) + part[3:] for part in parts]
        return b"".join([scope_field(), *longer])
    return b"".join([scope_field(), *parts])


ORDERS = [
    "plain",
    "span fields backwards",
    "span fields in any order",
    "empty parent and status",
    "status twice",
    "zeros",
    "zeros backwards",
    "counts",
    "no name and kind",
    "empty name and kind",
    "flags",
    "unknown field",
    "state",
    "any state",
    "scope last",
    "scope twice",
    "schema",
    "schema before",
    "schema between",
    "long lengths",
]


@pytest.mark.parametrize("order", ORDERS)
def test_scopes_of_other_writers(order: str) -> None:
    learned()
    for seed in range(4):
        found = assert_same(written(order, calls(seed)))
        assert isinstance(found, Extraction)
        assert found.batch.size == SPANS
        assert not found.damage


@pytest.mark.parametrize(
    "order",
    [
        *("plain", "empty parent and status", "flags", "schema", "span fields backwards", "scope last", "state", "counts"),
        *("zeros", "zeros backwards", "no name and kind", "empty name and kind"),
    ],
)
def test_most_spans_of_other_writers_match(anew: None, order: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for seed in range(6, 18):
        assert_same(written(order, calls(seed)))
    single = []
    read = extraction_module.Walk._read
    monkeypatch.setattr(extraction_module.Walk, "_read", lambda *given: single.append(len(given[1].spans)) or read(*given))
    extract_spans(message_of(written(order, calls(5))), **GIVEN)
    assert sum(single) < SPANS / 4


BROKEN = [
    b"\x0a\x7fx",  # an id that announces more than there is
    b"\x2e",  # wire type 6
    b"\x39\x00",  # a time of one byte
    b"\x80",  # a tag that does not end
]


@pytest.mark.parametrize("broken", BROKEN)
@pytest.mark.parametrize("place", [0, 20, SPANS])
@pytest.mark.parametrize("known", [False, True])
def test_a_broken_span_does_not_cost_its_neighbours(anew: None, broken: bytes, place: int, *, known: bool) -> None:
    if known:
        learned()
    parts = [field(0x12, made.SerializeToString()) for made in calls(6)]
    parts.insert(place, field(0x12, broken))
    found = assert_same(b"".join([scope_field(), *parts]), encoded(calls(7)))
    assert isinstance(found, Extraction)
    assert found.batch.size == found.received == 2 * SPANS
    assert found.damage.rejected == {"undecodable": 1}
    assert "Span" in found.damage.message("span")


@pytest.mark.parametrize("end", [b"\x12\x7f", b"\x12\xff", b"\x0b", b"\x12" + b"\xff" * 10 + b"\x01"])
@pytest.mark.parametrize("known", [False, True])
def test_a_scope_that_is_broken_outside_of_its_spans_is_an_invalid_payload(anew: None, end: bytes, *, known: bool) -> None:
    if known:
        learned()
    refused = assert_same(encoded(calls(8)) + end)
    assert isinstance(refused, str)
    assert refused.startswith("not an ExportTraceServiceRequest in protobuf: ")


def test_many_different_lengths_are_bounded_and_counted(anew: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layout, "MAX_LAYOUTS", 6)
    monkeypatch.setattr(layout, "MAX_MISSED", 200)
    chance = random.Random(1)
    counted = []
    for seed in range(30):
        spans = calls(seed)
        for made in spans:
            made.attributes[6].value.string_value = "x" * chance.randrange(1, 40)
        assert_same(encoded(spans))
        [pattern] = [shape.pattern for shape in shapes()] or [None]
        if pattern is not None:
            assert sum(map(len, pattern._layouts._by_rank)) <= 6
            counted.append(pattern._layouts.size)
    assert max(counted) > 0
    [shape] = shapes()
    assert shape.pattern is not None
    kept = sum(stencil._BYTES_OF_STENCIL + sum(map(len, each.pieces)) for each in shape.stencils.values())
    keys = sum(sum(map(len, key[-1])) for key in shape.stencils)
    assert shape._bytes == kept + keys + shape.pattern.size


def made_layout(text: bytes) -> Layout:
    return Layout.of(text, [Part(4, 2, "2s")], 0)


def test_layouts_that_hardly_ever_fit_are_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layout, "MIN_TRIED", 20)
    layouts = Layouts()
    head = b"\x12\x08\x0a"
    layouts.learn(head, made_layout(head + b"xyy tail"[:7]))
    body = head + b"zyy tail"[:7]
    for _ in range(3):
        taken = layouts.take(body * 10, range(0, 100, 10), [head] * 10, range(10))
        assert taken.left == list(range(10))
    assert layouts.missed([head]) == []
    assert layouts.size == 0
    assert not layouts._by_rank


def test_layouts_that_differ_only_in_where_they_are_cut_are_two() -> None:
    layouts = Layouts()
    head = b"\x12\x0e\x0a"
    spans = [head + b"abc|mid|vwxyz!!", head + b"abcde|mid|xyz!!"]
    for span_bytes, first, second in ((spans[0], 3, 5), (spans[1], 5, 3)):
        parts = [Part(3, first, f"{first}s"), Part(8 + first, second, f"{second}s")]
        for _ in range(2):
            layouts.learn(head, Layout.of(span_bytes, parts, 0))
    assert sum(map(len, layouts._by_rank)) == 2
    taken = layouts.take(b"".join(spans), [0, len(spans[0])], [head] * 2, range(2))
    assert taken.rows == [(b"abc", b"vwxyz"), (b"abcde", b"xyz")]


def test_two_models_that_change_places_are_laid_out(anew: None) -> None:
    chance = random.Random(3)
    for seed in range(30):
        before = laid_out()
        spans = calls(seed)
        for made in spans:
            models = [chance.choice(["aa", "bb"]), chance.choice(["cccc", "dddd"])]
            chance.shuffle(models)
            made.attributes[1].value.string_value, made.attributes[6].value.string_value = models
            made.attributes[3].value.int_value, made.attributes[4].value.int_value = 5000, 300
            made.parent_span_id = b"\x01" * 8
        assert_same(encoded(spans))
    assert laid_out() - before == SPANS


def test_only_what_can_be_learned_is_chosen() -> None:
    layouts = Layouts()
    full, unknown, free = b"\x12\x08\x0a", b"\x12\x80\x80", b"\x12\x09\x0a"
    for letter in b"abcdefgh":
        layouts.learn(full, made_layout(full + bytes((letter,)) + b"yy tail"[:6]))
    assert layouts.missed([full, full, unknown, unknown, free, full, free]) == [4]


def test_spans_that_begin_alike_have_a_bounded_number_of_layouts() -> None:
    layouts = Layouts()
    head = b"\x12\x08\x0a"
    for letter in b"abcabcdefgh":
        layouts.learn(head, made_layout(head + bytes((letter,)) + b"yy tail"[:6]))
    assert sum(map(len, layouts._by_rank)) == layout.MAX_ALIKE
    spans = [head + bytes((letter,)) + b"12 tail"[:6] for letter in b"dabzc"]
    taken = layouts.take(b"".join(spans), range(0, 50, 10), [head] * 5, range(5))
    assert sorted(taken.places) == [0, 1, 2, 4]
    assert taken.left == [3]
    assert taken.rows == [(b"12",)] * 4


def test_layouts_are_learned_while_they_are_used(anew: None) -> None:
    bodies = [message_of(encoded(calls(seed, **{"app.place": f"p{seed % 3}" * (seed % 5 + 1)}))) for seed in range(12)]
    expected = [list(extract_spans(body, **GIVEN, stencils=False).batch.rows()) for body in bodies]
    errors: list[Exception] = []

    def read(seed: int) -> None:
        chance = random.Random(seed)
        try:
            for _ in range(40):
                number = chance.randrange(len(bodies))
                assert list(extract_spans(bodies[number], **GIVEN).batch.rows()) == expected[number]
        except Exception as error:
            errors.append(error)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        threads = [threading.Thread(target=read, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert not errors


@pytest.mark.parametrize("highest", [100, 16_000, 2_000_000, 2**40])
def test_counts_that_never_come_again(anew: None, highest: int) -> None:
    chance = random.Random(highest)
    for seed in range(20):
        spans = calls(seed)
        for made in spans:
            made.attributes[3].value.int_value = chance.randrange(highest // 100, highest)
            made.attributes[4].value.int_value = chance.randrange(highest)
        assert_same(encoded(spans))
