"""The trace page: waterfall, keyboard, and everything about one span."""

import time
from typing import Any

import pytest
from selenium.webdriver.common.keys import Keys

from otel_llm.spans import Rejection
from tests.dashboard.browser import Browser
from tests.dashboard.conftest import DashboardServer
from tests.dashboard.story import MS, SECOND
from tests.query_api.call_rows import call, span_id, step, trace

TRACE = trace(77).hex()
_BARS = """
return [...document.querySelectorAll("[data-span]")].map((row) => {
  const [bar, lane, wait] = [".wf-bar", ".wf-lane", ".waiting"].map((name) => row.querySelector(name)?.getBoundingClientRect());
  return [(bar.x - lane.x) / lane.width, bar.width / lane.width, wait ? wait.width / bar.width : null];
});
"""


@pytest.fixture(scope="module")
def nested(told: DashboardServer) -> str:
    """A trace: agent, a call recorded twice, a tool, a failed call, an orphan; and where it is shown."""
    start = time.time_ns() - 3_600 * SECOND
    usage = {"input_tokens": 1_000, "output_tokens": 200, "cost_reported": 0.25, "cost_reported_source": "gen_ai.usage.cost"}

    def member(number: int, parent: int | None, at_ms: int, ms: int, **values: Any) -> dict[str, Any]:
        make = step if values.get("role") in ("agent", "tool") else call
        ids = {"trace_id": trace(77), "span_id": span_id(number), "parent_span_id": span_id(parent) if parent else None}
        return make(**ids, start_ns=start + at_ms * MS, ms=ms, **values)

    attributes = '{"gen_ai.operation.name":"chat","gen_ai.request.model":"gpt-4o","gen_ai.usage.input_tokens":1000}'
    told.store(
        [
            member(1, None, 0, 4_000, role="agent", name="plan the trip", user_id="ann"),
            member(2, 1, 100, 2_000, name="outer", counted=False, suppressed_by=span_id(3), reason="outer_of_counted_call"),
            member(
                3, 2, 200, 1_600, name="inner", ttft_ns=400 * MS, reason="innermost_with_usage", attributes=attributes, **usage
            ),
            member(4, 1, 2_200, 300, role="tool", name="look up"),
            member(5, 1, 2_600, 900, name="failing", error=True, error_type="RateLimitError", error_message="slow down"),
            member(6, 99, 3_600, 100, name="stray", **usage),
        ]
    )
    return f"/ui/traces/{TRACE}"


def names(page: Browser) -> list[str]:
    return page.texts("[data-span] .wf-name .text")


def test_the_waterfall_is_a_tree_with_sums(page: Browser, nested: str) -> None:
    page.open(nested)
    assert names(page) == ["plan the trip", "outer", "inner", "look up", "failing", "stray"]
    levels = page.run("return [...document.querySelectorAll('[data-span]')].map((row) => +row.getAttribute('aria-level'))")
    assert levels == [1, 2, 3, 2, 2, 1]
    assert page.texts("[data-span] .wf-num:nth-child(3)")[:3] == ["1,200", "1,200", "1,200"]
    assert page.texts("[data-span] .wf-num:last-child")[:3] == ["$0.25", "$0.25", "$0.25"]
    assert page.texts("[data-span] .badge") == ["not counted", "RateLimitError", "no parent"]


def test_the_first_token_is_marked_inside_the_bar_of_its_call(page: Browser, nested: str) -> None:
    page.open(nested)
    bars = page.run(_BARS)
    inner = bars[2]
    assert inner[0] == pytest.approx(200 / 4_000, abs=0.01)
    assert inner[1] == pytest.approx(1_600 / 4_000, abs=0.01)
    assert inner[2] == pytest.approx(400 / 1_600, abs=0.02)
    assert [bar[2] for bar in bars if bar is not inner] == [None] * 5


def test_a_chosen_span_tells_why_it_counts_and_where_its_values_come_from(page: Browser, nested: str) -> None:
    page.open(nested + "?span=" + span_id(2).hex())
    detail = page.text("#detail")
    assert "Not counted." in detail
    assert "An inner span records the same call" in detail
    page.click("#detail .why button")
    assert page.path.endswith(span_id(3).hex())
    detail = page.text("#detail")
    assert "Counted." in detail
    assert "$0.25 reported (gen_ai.usage.cost)" in detail
    page.one("#detail details summary").click()
    assert "gen_ai.usage.input_tokens" in page.text("#detail details")


def test_values_of_a_trace_lead_to_the_calls_that_share_them(page: Browser, nested: str) -> None:
    page.open(nested + "?span=" + span_id(3).hex())
    links = page.run(
        "return [...document.querySelectorAll('#facts a, #detail dd a')].map((a) => [a.innerText, a.getAttribute('href')])"
    )
    assert {"ann", "openai"} <= {text for text, _ in links}
    for text, target in links:
        page.open(target)
        assert text in page.text(".chip")
        assert page.all("#calls tbody tr"), text


def test_the_failed_call_is_chosen_first(page: Browser, nested: str) -> None:
    page.open(nested)
    assert "RateLimitError: slow down" in page.text("#detail")
    assert page.path.endswith(span_id(5).hex())


def test_arrow_keys_walk_and_fold(page: Browser, nested: str) -> None:
    page.open(nested + "?span=" + span_id(1).hex())
    page.one('[data-span][tabindex="0"]').send_keys(Keys.ARROW_DOWN)
    focused = "return document.activeElement.dataset.span"
    assert page.run(focused) == span_id(2).hex()
    page.driver.switch_to.active_element.send_keys(Keys.ENTER)
    page.settled()
    assert page.path.endswith(span_id(2).hex())
    page.driver.switch_to.active_element.send_keys(Keys.ARROW_LEFT)
    assert names(page) == ["plan the trip", "outer", "look up", "failing", "stray"]
    assert page.run(focused) == span_id(2).hex()
    page.driver.switch_to.active_element.send_keys(Keys.ARROW_RIGHT)
    assert "inner" in names(page)
    page.driver.switch_to.active_element.send_keys(Keys.END)
    assert page.run(focused) == span_id(6).hex()


def test_going_back_chooses_the_span_before(page: Browser, nested: str) -> None:
    page.open(nested + "?span=" + span_id(3).hex())
    page.click(f'[data-span="{span_id(4).hex()}"]')
    page.driver.back()
    page.settled()
    assert "inner" in page.text("#detail h2")


def test_an_unknown_trace_tells_of_its_refusals(page: Browser, told: DashboardServer) -> None:
    lost = "ab" * 16
    told.store([], [Rejection("default", time.time_ns(), "spans", lost, "00", "invalid_span_id", "span_id has 1 bytes, not 8")])
    page.open(f"/ui/traces/{lost}")
    assert "no trace with this id" in page.text("#banner")
    assert "span_id has 1 bytes" in page.text("#banner")
    assert [one for one in page.complaints() if "404" not in one] == []
