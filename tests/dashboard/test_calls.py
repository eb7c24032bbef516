"""The list of calls: order, pages, filters, and the way to the trace."""

import time

from tests.dashboard.browser import Browser
from tests.dashboard.conftest import DashboardServer
from tests.dashboard.story import story
from tests.dashboard.test_pages import asked

ROWS = "#calls tbody tr"


def test_errors_come_first_when_asked_for(page: Browser) -> None:
    page.open("/ui/calls?range=30d")
    assert "ok" in page.texts(f"{ROWS} td:nth-child(9)")[:20]
    page.choose("#sort", "errors")
    assert page.path.endswith("sort=errors")
    assert all("Error" in text for text in page.texts(f"{ROWS} td:nth-child(9)"))


def test_more_calls_are_added_below(page: Browser, told: DashboardServer) -> None:
    page.open("/ui/calls?range=30d&sort=slowest")
    assert len(page.all(ROWS)) == 50
    page.click("#older")
    page.click("#older")
    found = page.run("return [...document.querySelectorAll('#calls tbody tr')].map((row) => row.dataset.id)")
    answer = asked(told, "/calls/search?sort=slowest&limit=150&from=2020-01-01")
    assert found == [call["span_id"] for call in answer["calls"]]


def test_cells_filter_and_rows_lead_to_the_trace(page: Browser) -> None:
    page.open("/ui/calls?range=30d")
    model = page.text(f"{ROWS}:first-child td:nth-child(2)")
    page.click(f"{ROWS}:first-child td:nth-child(2) button")
    assert set(page.texts(f"{ROWS} td:nth-child(2)")) == {model}
    span = page.one(f"{ROWS}:first-child").get_attribute("data-id") or ""
    page.one(f"{ROWS}:first-child td:nth-child(5)").click()
    page.until(lambda: page.path.startswith("/ui/traces/"), "the trace")
    page.settled()
    assert page.one('[role="row"][aria-selected="true"]').get_attribute("data-span") == span


def test_times_are_local_with_utc_on_hover(page: Browser, told: DashboardServer) -> None:
    page.open("/ui/calls?range=30d")
    stamp = page.one(f"{ROWS}:first-child time")
    sent = asked(told, "/calls/search?limit=1")["calls"][0]["start"]
    title = stamp.get_attribute("title") or ""
    assert title == sent[:19].replace("T", " ") + " UTC"
    assert stamp.text.endswith(f"{(int(sent[11:13]) + 1) % 24:02d}{sent[13:19]}")  # Berlin in winter


def test_new_calls_are_announced_and_not_pushed_in(page: Browser, told: DashboardServer) -> None:
    page.open("/ui/calls?range=1h")
    before = page.run("return [...document.querySelectorAll('#calls tbody tr')].map((row) => row.dataset.id)")
    now = time.time_ns()
    rows = [row for row in story(now, days=1, traces_a_day=900, seed=now) if now - row["start_ns"] < 3_000 * 10**9]
    told.store(rows)
    if not before:  # an empty list may fill by itself
        page.until(lambda: page.all(ROWS), "the first calls")
        return
    button = page.one("#newer")
    assert page.run("return [...document.querySelectorAll('#calls tbody tr')].map((row) => row.dataset.id)") == before
    button.click()
    page.until(lambda: len(page.all(ROWS)) > len(before) or len(page.all(ROWS)) == 50, "the new calls")
    page.settled()


def test_nothing_that_matches_says_what_to_do(page: Browser) -> None:
    page.open("/ui/calls?range=30d&user=nobody")
    assert "No calls match these filters" in page.text("#banner")
    page.click("#banner button")
    assert page.path == "/ui/calls?range=30d"
    assert len(page.all(ROWS)) == 50
