"""Every page, with data: complete, small, silent, steady, and open to everybody."""

import time
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit
from urllib.request import urlopen

import msgspec
import pytest

from tests.dashboard.browser import Browser
from tests.dashboard.conftest import DashboardServer

PAGES = {
    "overview": "/?range=30d",
    "overview_split": "/?range=30d&split=model",
    "usage": "/ui/usage?range=30d",
    "calls": "/ui/calls?range=30d&sort=errors",
    "health": "/ui/health?range=30d",
    "trace": "/ui/traces/{trace}",
}
_LOADED = "performance.getEntriesByType('resource').concat(performance.getEntriesByType('navigation'))"
_SHIFT = """
const done = arguments[0];
let sum = 0;
new PerformanceObserver((list) => {
  for (const one of list.getEntries()) if (!one.hadRecentInput) sum += one.value;
}).observe({type: "layout-shift", buffered: true});
setTimeout(() => done(sum), 100);
"""
_LINKS = """
return [...document.querySelectorAll('.table td a[href^="/ui/calls"]')].map((one) => [one.innerText, one.getAttribute("href")]);
"""


def asked(server: DashboardServer, path: str) -> Any:
    """The answer of an endpoint."""
    with urlopen(server.url + "/api/v1" + path) as answer:
        return msgspec.json.decode(answer.read())


@pytest.fixture
def a_trace(told: DashboardServer) -> str:
    """A trace with a call that failed."""
    trace_id: str = asked(told, "/calls/search?sort=errors&limit=1&provider=anthropic")["calls"][0]["trace_id"]
    return trace_id


@pytest.mark.parametrize("name", PAGES)
def test_a_page_shows_its_data_small_steady_and_from_here_alone(
    page: Browser, told: DashboardServer, a_trace: str, name: str
) -> None:
    page.uncached()
    page.open(PAGES[name].format(trace=a_trace))
    assert page.all("table.data, [role=treegrid]")
    assert not page.run("return document.getElementById('banner').checkVisibility()")
    page.picture(name)
    loaded = page.run(f"return {_LOADED}.map((one) => [one.name, one.transferSize])")
    assert len(loaded) > 8
    assert sum(size for _, size in loaded) < 200_000
    assert all(address.startswith(told.url) for address, _ in loaded)
    assert page.driver.execute_async_script(_SHIFT) < 0.1  # "good" in the words of the Web Vitals


@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_nothing_serious_in_light_and_dark(page: Browser, a_trace: str, name: str) -> None:
    page.open(PAGES[name].format(trace=a_trace))
    light = page.run("return getComputedStyle(document.body).backgroundColor")
    assert page.axe() == []
    page.dark()
    assert page.run("return getComputedStyle(document.body).backgroundColor") != light
    assert page.axe("color-contrast", "link-in-text-block") == []  # the rules about colours: nothing else is different
    page.picture(f"{name}_dark")


@pytest.mark.parametrize("name", PAGES)
def test_a_page_fits_every_screen(page: Browser, a_trace: str, name: str) -> None:
    page.size(360, 800)
    page.open(PAGES[name].format(trace=a_trace))
    for width, height in ((360, 800), (768, 1024), (1100, 800), (2560, 1440)):
        page.size(width, height)
        page.settled()
        assert page.run("return document.documentElement.scrollWidth") <= width
        page.picture(f"{name}_{width}")


def test_on_a_phone_tables_are_cards_that_need_no_sideways_scrolling(page: Browser) -> None:
    page.size(360, 800)
    for path, selector in (
        ("/ui/calls?range=30d&sort=errors", "#calls"),
        ("/ui/usage?range=30d", "#usage"),
        ("/ui/health?range=30d", ".cards"),
    ):
        page.open(path)
        sizes = page.run(
            f"return [...document.querySelectorAll('{selector}')].map((one) => [one.scrollWidth, one.clientWidth])"
        )
        assert sizes
        assert all(inner <= outer for inner, outer in sizes), (path, sizes)
        assert page.axe() == []
    assert "switch on first-token timing" in page.text("#instrumentations .table")


def test_the_theme_button_wins_over_the_system_and_is_remembered(page: Browser) -> None:
    background = "return getComputedStyle(document.body).backgroundColor"
    page.open("/ui/health")
    light = page.run(background)
    page.click("#theme")
    dark = page.run(background)
    page.open("/ui/calls")
    assert page.run(background) == dark != light
    page.click("#theme")
    page.dark()
    assert page.run(background) == light


def test_the_tiles_show_the_numbers_of_the_api(page: Browser, told: DashboardServer) -> None:
    page.open("/?from=2020-01-01T00:00:00Z&to=2029-01-01T00:00:00Z")
    figures = {row["measure"]: row["value"] for row in asked(told, "/overview?from=2020-01-01&to=2029-01-01")["figures"]}
    assert page.text('[data-tile="cost"] .value') == f"${figures['cost']:.2f}"
    assert page.one('[data-tile="calls"]').get_attribute("title") == f"{figures['calls']:,} calls"
    assert page.text('[data-tile="error_rate"] .second') == f"{figures['errors']:,} calls"


def test_the_usage_table_adds_up(page: Browser, told: DashboardServer) -> None:
    page.open("/ui/usage?range=30d")
    rows = page.texts("#usage tbody tr td:nth-child(4)")
    numbers = [int(text.replace(",", "")) for text in rows]
    assert sum(numbers[:-1]) == numbers[-1] > 0
    assert "no price" in page.text("#usage")


def test_every_number_on_the_health_page_leads_to_the_calls_behind_it(page: Browser, told: DashboardServer) -> None:
    page.open("/ui/health?range=30d")
    links = page.run(_LINKS)
    assert len(links) > 5
    begin = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 30 * 86_400))
    kinds: dict[frozenset[str], tuple[str, str]] = {}
    for text, target in links:
        (window, *filters) = parse_qsl(urlsplit(target).query)
        assert window == ("range", "30d")
        found = asked(told, "/calls/search?" + urlencode([("from", begin), ("limit", "1"), *filters]))
        assert f"{found['total']:,}" == text, target
        kinds[frozenset(name for name, _ in filters)] = text, target
    for text, target in kinds.values():  # the list shows what the API finds, whatever the filters
        page.open(target)
        assert page.text("#total").split()[0] == text, target


def test_an_unknown_page_says_so(page: Browser) -> None:
    page.driver.get(page.base + "/ui/nowhere")
    assert "no such page" in page.text("main")
    assert [one for one in page.complaints() if "404" not in one] == []
