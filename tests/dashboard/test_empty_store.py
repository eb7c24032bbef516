"""An empty store shows how to send the first span, and fills by itself when it comes."""

import re
import subprocess
from collections.abc import Callable

from tests.dashboard.browser import Browser
from tests.dashboard.conftest import DashboardServer


def test_the_first_span_can_be_sent_by_what_the_page_says(window: Browser, new_server: Callable[[], DashboardServer]) -> None:
    server = new_server()
    window.base = server.url
    window.command("Browser.grantPermissions", permissions=["clipboardReadWrite", "clipboardSanitizedWrite"], origin=server.url)
    window.open("/")
    told = window.text("#banner")
    ports = server.collector.ports
    assert f"OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:{ports['otlp_http']}" in told
    assert f"OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:{ports['grpc']}" in told
    assert window.axe() == []
    window.picture("empty")
    window.one(".snippet:last-of-type button, li:last-child .snippet button")
    window.run("document.querySelector('li:last-child .snippet button').click()")
    window.until(lambda: window.text("#says") == "Copied", "the copy")
    command = window.driver.execute_async_script("navigator.clipboard.readText().then(arguments[0])")
    assert command.startswith("curl ")
    sent = subprocess.run(["bash", "-c", command + " -sS --fail"], capture_output=True, text=True, check=False, timeout=30)
    assert sent.returncode == 0, sent.stderr
    window.until(lambda: window.texts('[data-tile="calls"] .value') == ["1"], "the page to fill")
    window.settled()
    assert re.match(r"168", window.text('[data-tile="tokens"] .value'))


def test_every_page_of_an_empty_store_says_how_to_begin(window: Browser, new_server: Callable[[], DashboardServer]) -> None:
    window.base = new_server().url
    for path in ("/", "/ui/usage", "/ui/calls", "/ui/health"):
        for width in (1440, 360):
            window.size(width, 800)
            window.open(path)
            assert "No spans yet" in window.text("#banner")
            assert window.run("return document.documentElement.scrollWidth") <= width
    window.picture("empty_360")


def test_a_server_that_goes_away_is_told_and_comes_back(window: Browser, told: DashboardServer) -> None:
    window.base = told.url
    window.open("/?range=30d")
    window.offline(True)
    window.run("document.querySelector('[data-range=\"7d\"]').click()")
    window.until(lambda: "cannot be reached" in window.text("#banner.error"), "the message")
    window.settled()
    assert window.all(".tile .value")[0].text  # what was there stays to be read
    window.offline(False)
    window.click("#banner button")
    window.until(lambda: not window.one("body").find_elements("css selector", "#banner.error"), "the message to go")
    assert [one for one in window.complaints() if "ERR_INTERNET_DISCONNECTED" not in one] == []
