"""Whatever stands in names and attributes stays text: no script runs, no markup is made, no layout breaks."""

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.dashboard.browser import Browser
from tests.dashboard.conftest import DashboardServer
from tests.dashboard.story import SECOND
from tests.query_api.call_rows import call, span_id, trace

TEXTS = (
    "<script>window.broken=1</script>",
    "<img src=x onerror=window.broken=1>",
    '"><svg onload=window.broken=1>',
    "javascript:window.broken=1",
    "{{7*7}}${7*7}",
    "'; DROP TABLE spans; --",
    "\u202eright to left\u202c",
    "Z̸̡̢̛̗̘̙̜̝̞̟̠̀́̂̃̄̅̆̇̈̉" * 5,
    "W" * 256,
    "😀 ünïcödé 漢字\n\ttab",
)
PAGES = ("/?range=24h&split={dimension}", "/ui/usage", "/ui/calls", "/ui/health", "/ui/traces/{trace}")
TRACE = trace(88)
_PICK_MODEL = """
const models = [...document.querySelectorAll("#calls td:nth-child(2) button")];
models.find((one) => one.innerText.trim() === arguments[0]).click();
"""


def spoiled(number: int, text: str) -> dict[str, Any]:
    """A call every text of which is hostile."""
    names = ("name", "provider", "request_model", "user_id", "session_id", "agent_name", "service_name", "environment")
    more = ("scope_name", "scope_version", "error_type", "error_message", "trace_name", "response_id", "dialect", "reason")
    return call(
        **dict.fromkeys((*names, *more), text),
        trace_id=TRACE,
        span_id=span_id(880 + number),
        parent_span_id=span_id(880) if number else None,
        start_ns=time.time_ns() - 600 * SECOND + number * SECOND,
        error=True,
        counted=number % 3 != 2,
        suppressed_by=span_id(880) if number % 3 == 2 else None,
        input_tokens=5,
        tags=json.dumps([text]),
        attributes=json.dumps({text: text, "gen_ai.request.model": text, "nested": {"a": [text]}}),
        resource_attributes=json.dumps({text: text}),
        events=json.dumps([{"name": text, "time_ns": 5, "attributes": {text: text}}]),
        finish_reasons=json.dumps([text]),
    )


@pytest.fixture(scope="module")
def spoiled_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DashboardServer]:
    """A server that was sent nothing else."""
    server = DashboardServer(tmp_path_factory.mktemp("spoiled"))
    server.store([spoiled(number, text) for number, text in enumerate(TEXTS)])
    yield server
    server.close()


@pytest.fixture
def spoiled_page(window: Browser, spoiled_server: DashboardServer) -> Browser:
    """A window on that server."""
    window.base = spoiled_server.url
    window.forget(spoiled_server.url)
    return window


def test_no_script_runs_and_no_markup_is_made(spoiled_page: Browser) -> None:
    page = spoiled_page
    for path in PAGES:
        for width in (1440, 360):
            page.size(width, 900)
            page.open(path.format(dimension="model", trace=TRACE.hex()))
            assert page.run("return [window.broken ?? null, document.querySelectorAll('main script, main img').length]") == [
                None,
                0,
            ]
            assert page.run("return document.documentElement.scrollWidth") <= width, path
    page.picture("hostile_trace_360")
    assert "<script>window.broken=1</script>" in page.run("return document.body.innerText")


def test_every_hostile_span_is_shown_as_it_is_and_can_be_filtered(spoiled_page: Browser) -> None:
    page = spoiled_page
    page.open("/ui/traces/" + TRACE.hex())
    for number in range(len(TEXTS)):
        page.run("document.querySelector(`[data-span='${arguments[0]}']`).click()", span_id(880 + number).hex())
        page.settled()
        page.run("for (const one of document.querySelectorAll('#detail details')) one.open = true")
        shown = page.run("return document.querySelector('#detail h2').textContent")
        assert shown == TEXTS[number]
    page.open("/ui/calls")
    for text in page.texts("#calls tbody tr td:nth-child(2)")[:3]:
        page.open("/ui/calls")
        page.run(_PICK_MODEL, text)
        page.settled()
        assert len(page.all("#calls tbody tr")) == 1
    for dimension in ("user", "tag", "agent"):
        page.open(f"/?range=24h&split={dimension}")
        assert page.run("return window.broken ?? null") is None


def test_a_hostile_address_changes_nothing(spoiled_page: Browser) -> None:
    page = spoiled_page
    page.open("/?user=%3Cscript%3Ewindow.broken%3D1%3C/script%3E&split=%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E")
    assert page.run("return window.broken ?? null") is None
    assert "split is one of" in page.text("#banner")
    assert [one for one in page.complaints() if "400" not in one] == []
