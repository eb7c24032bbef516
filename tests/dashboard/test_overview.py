"""The overview: zoom, split, filter, share, live."""

import time
from urllib.parse import parse_qs, urlsplit

from selenium.webdriver.common.keys import Keys

from tests.dashboard.browser import Browser
from tests.dashboard.conftest import DashboardServer
from tests.dashboard.story import story
from tests.dashboard.test_pages import asked

_FOCUSED = "const at = document.activeElement; return at.id || at.dataset.range || at.dataset.tile || at.innerText"
PLOT = '[data-plot="cost"] .u-over'


def parameters(page: Browser) -> dict[str, list[str]]:
    return parse_qs(urlsplit(page.path).query)


def test_dragging_across_a_plot_zooms_and_back_returns(page: Browser) -> None:
    page.open("/?range=30d")
    calls = page.text('[data-tile="calls"] .value')
    page.drag(PLOT, 0.3, 0.6)
    zoomed = parameters(page)
    first, last = (time.mktime(time.strptime(zoomed[name][0][:19], "%Y-%m-%dT%H:%M:%S")) for name in ("from", "to"))
    assert 8 * 86_400 < last - first < 11 * 86_400
    assert page.text('[data-tile="calls"] .value') != calls
    page.driver.back()
    page.settled()
    assert page.path == "/?range=30d"
    assert page.text('[data-tile="calls"] .value') == calls


def test_a_link_shows_another_person_the_same(page: Browser) -> None:
    page.open("/?range=30d")
    page.choose("#split", "model")
    page.choose("#stat", "p95")
    page.into_sight('[data-top="user"]')
    page.click('[data-top="user"] tbody tr:nth-child(2) .named button')
    page.drag(PLOT, 0.2, 0.8)
    shared, look = page.path, (page.texts(".tile .value"), page.texts(".legend button"), page.texts(".chip"))
    page.open("/ui/health")
    page.open(shared)
    assert (page.texts(".tile .value"), page.texts(".legend button"), page.texts(".chip")) == look
    assert page.one("#stat").get_attribute("value") == "p95"


def test_clicking_names_filters_and_a_chip_takes_the_filter_away(page: Browser) -> None:
    page.open("/?range=30d")
    whole = page.text('[data-tile="calls"] .value')
    page.into_sight('[data-top="provider"]')
    page.click('[data-top="provider"] tbody tr:nth-child(1) .named button')
    assert len(parameters(page)["provider"]) == 1
    assert page.text(".chip").startswith("Provider")
    assert page.text('[data-tile="calls"] .value') != whole
    page.click(".chip button")
    assert "provider" not in parameters(page)
    assert page.text('[data-tile="calls"] .value') == whole


def test_a_legend_entry_filters_too(page: Browser) -> None:
    page.open("/?range=30d&split=provider")
    name = page.text(".legend button .name")
    page.run("document.querySelector('.legend button').focus()")  # it lights up, and nothing breaks
    page.click(".legend button")
    assert parameters(page)["provider"] == [name]


def test_filters_can_be_typed(page: Browser) -> None:
    page.open("/?range=30d")
    page.one("#add-filter summary").click()
    page.choose('#add-filter select[name="name"]', "agent")
    options = page.run("return [...document.querySelectorAll('#values option')].map((one) => one.value)")
    assert "triage" in options
    page.one('#add-filter input[name="value"]').send_keys("triage" + Keys.ENTER)
    page.settled()
    assert parameters(page)["agent"] == ["triage"]
    page.one("#add-filter summary").click()
    page.choose('#add-filter select[name="name"]', "user")
    page.one('#add-filter input[name="without"]').click()
    page.one("#add-filter form button").click()
    page.settled()
    assert parameters(page)["without"] == ["user"]


def test_every_split_draws_its_groups(page: Browser, told: DashboardServer) -> None:
    for name in ("provider", "model", "user", "tag", "agent", "service", "environment"):
        page.open(f"/?range=30d&split={name}")
        shown = page.texts(".legend button .name")
        answer = asked(told, f"/top?from=2020-01-01&to=2029-01-01&by={name}&sort=cost&limit=8")
        assert shown[0] == answer["rows"][0][name]
        assert len(shown) == min(answer["groups"], 8) + (answer["groups"] > 8)
        assert page.run("return document.querySelectorAll('.u-over').length") == 9


def test_tables_sort_on_their_headings(page: Browser) -> None:
    page.open("/?range=30d")
    page.into_sight('[data-top="model"]')
    page.click('[data-top="model"] th:nth-child(3) button')
    calls = [float(text.replace("K", "e3").replace(",", "")) for text in page.texts('[data-top="model"] tbody td:nth-child(3)')]
    assert calls == sorted(calls, reverse=True)
    page.click('[data-top="model"] th:nth-child(3) button')
    calls = [float(text.replace("K", "e3").replace(",", "")) for text in page.texts('[data-top="model"] tbody td:nth-child(3)')]
    assert calls == sorted(calls)
    assert page.one('[data-top="model"] th:nth-child(3)').get_attribute("aria-sort") == "ascending"
    page.open(page.path)  # as somebody would to whom the address was sent
    page.into_sight('[data-top="model"]')
    assert page.one('[data-top="model"] th:nth-child(3)').get_attribute("aria-sort") == "ascending"


def test_a_table_grows_and_shrinks_and_the_address_knows(page: Browser) -> None:
    page.open("/?range=30d")
    page.into_sight('[data-top="session"]')
    assert len(page.all('[data-top="session"] tbody tr')) == 8
    page.click('[data-top="session"] .more')
    page.open(page.path)
    page.into_sight('[data-top="session"] .more')
    assert len(page.all('[data-top="session"] tbody tr')) == 50
    page.click('[data-top="session"] .more')
    assert len(page.all('[data-top="session"] tbody tr')) == 8
    assert page.path == "/?range=30d"


def test_every_headline_tells_its_change(page: Browser, told: DashboardServer) -> None:
    now = time.time_ns() // 10**9
    window = "&".join(
        f"{name}={time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime(now - back))}"
        for name, back in (("from", 5 * 86_400), ("to", 0))
    )
    page.open(f"/?{window}")
    figures = {row["measure"]: row for row in asked(told, f"/overview?{window}")["figures"]}
    shown = {
        "cost": ".first",
        "calls": ".first",
        "tokens": ".first",
        "error_rate": ".first",
        "errors": '[data-tile="error_rate"] .then',
        "latency_p50": '[data-tile="latency"] .first',
        "latency_p95": '[data-tile="latency"] .then',
        "ttft_p50": '[data-tile="ttft"] .first',
        "ttft_p95": '[data-tile="ttft"] .then',
        "tps": ".first",
        "tpot": ".first",
    }
    for name, place in shown.items():
        selector = place if place.startswith("[") else f'[data-tile="{name}"] {place}'
        change = figures[name]["change"]
        text = page.texts(f"{selector} .delta")[0]
        assert text[0] == ("n" if abs(change) < 0.0005 else "▲" if change > 0 else "▼"), name
        assert text.startswith("n") or abs(float(text[1:].strip(" %")) / 100 - abs(change)) < 0.006, (name, text)


def test_what_a_view_does_not_use_is_not_offered(page: Browser) -> None:
    page.open("/?range=30d")
    assert not page.run("return document.getElementById('stat').checkVisibility()")
    page.choose("#split", "tag")
    assert page.run("return document.getElementById('stat').checkVisibility()")
    assert page.run("return document.getElementById('look').disabled")


def test_the_keyboard_walks_through_a_plot_and_opens_the_calls_of_a_bucket(page: Browser, told: DashboardServer) -> None:
    page.open("/?range=30d&split=provider")
    plot = page.one('[data-plot="calls"] .canvas')
    plot.send_keys(Keys.END)
    last = page.text('[data-plot="calls"] .tip .when')
    plot.send_keys(Keys.ARROW_LEFT, Keys.ARROW_LEFT, Keys.ARROW_LEFT)
    assert page.text('[data-plot="calls"] .tip .when') != last
    total = page.texts('[data-plot="calls"] .tip tr.sum td')[1]
    plot.send_keys(Keys.ENTER)
    assert page.run("return document.activeElement.innerText") == "Show the calls"
    page.driver.switch_to.active_element.send_keys(Keys.ESCAPE)
    assert not page.run("return document.querySelector('[data-plot=\"calls\"] .tip').checkVisibility()")
    plot.send_keys(Keys.END, Keys.ARROW_LEFT, Keys.ARROW_LEFT, Keys.ARROW_LEFT, Keys.ENTER)
    page.driver.switch_to.active_element.send_keys(Keys.ENTER)
    page.until(lambda: page.path.startswith("/ui/calls"), "the calls")
    page.settled()
    assert page.text("#total").split()[0] == total


def test_pointing_at_a_plot_shows_values_local_time_and_utc(page: Browser) -> None:
    page.open("/?range=30d")
    page.hover(PLOT, 0.5)
    tip = page.text('[data-plot="cost"] .tip')
    assert "UTC" in tip
    assert "$" in tip
    local, utc = tip.splitlines()[:2]
    assert local.split()[2] != utc.split()[1][:5]  # Berlin is not UTC


def test_clicking_a_plot_leads_to_the_calls_of_that_time(page: Browser) -> None:
    page.open("/?range=30d")
    page.hover('[data-plot="errors"] .u-over', 0.55, click=True)
    target = page.one('[data-plot="errors"] .tip a').get_attribute("href") or ""
    assert "status=error" in target
    page.click('[data-plot="errors"] .tip a')
    assert page.path.startswith("/ui/calls?")
    assert "from" in parameters(page)


def test_ranges_follow_buttons_and_arrows(page: Browser) -> None:
    page.open("/")
    assert page.one('[data-range="24h"]').get_attribute("aria-pressed") == "true"
    page.click('[data-range="7d"]')
    assert parameters(page) == {"range": ["7d"]}
    page.click('[data-shift="-1"]')
    moved = parameters(page)
    assert set(moved) == {"from", "to"}
    assert page.one("#live").get_attribute("aria-pressed") == "false"
    page.click('[data-range="24h"]')
    assert page.one("#live").get_attribute("aria-pressed") == "true"


def test_a_range_can_be_typed_in_local_time(page: Browser) -> None:
    page.open("/")
    page.one("#free summary").click()
    for name, typed in (("from", "2026-01-01T12:00:00"), ("to", "2026-01-02T12:00:00")):
        page.run("document.querySelector('#free form').elements[arguments[0]].value = arguments[1]", name, typed)
    page.click("#free form button")
    assert parameters(page) == {"from": ["2026-01-01T11:00:00Z"], "to": ["2026-01-02T11:00:00Z"]}
    page.one("#banner button").click()
    page.settled()
    assert page.text('[data-tile="calls"] .value') != "0"


def test_live_refresh_brings_new_calls_without_a_jump(page: Browser, told: DashboardServer) -> None:
    page.open("/?range=1h")
    page.into_sight('[data-top="model"]')
    page.run("document.querySelector('[data-top=\"model\"] .csv').focus({preventScroll: true})")
    where = (
        "const link = document.activeElement; return [link.href.split('?')[0], Math.round(link.getBoundingClientRect().top)]"
    )
    place = page.run(where)
    calls = page.texts('[data-tile="calls"] .value')
    now = time.time_ns()
    told.store([row for row in story(now, days=1, traces_a_day=900, seed=now) if now - row["start_ns"] < 3_000 * 10**9])
    page.until(lambda: page.texts('[data-tile="calls"] .value') != calls, "the new calls")
    page.settled()
    assert page.run(where) == place, "what is looked at stays where it is, whatever grows above it"


def test_keyboard_reaches_everything_in_order(page: Browser) -> None:
    page.open("/?range=30d&split=model")
    seen = []
    for _ in range(26):
        page.driver.switch_to.active_element.send_keys(Keys.TAB)
        seen.append(page.run(_FOCUSED))
    for name in (
        "Skip to content",
        "Overview",
        "Data health",
        "theme",
        "24h",
        "split",
        "stat",
        "+ Filter",
        "live",
        "cost",
        "calls",
    ):
        assert name in seen, seen
    assert page.run("const s = getComputedStyle(document.activeElement); return s.outlineStyle") != "none"
