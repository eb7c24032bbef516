"""A real Chromium, driven by Selenium, and what tests do with it."""

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement

ARTIFACTS = Path(__file__).parents[2] / "artifacts" / "dashboard"
AXE = next((Path(__file__).parent / "vendor").glob("axe-core-*.min.js"))
WAIT_S = 20.0
FLAGS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage"),
    *("--disable-site-isolation-trials", "--process-per-site"),  # one process draws all pages, and stays when another is opened
)


def lacking(reason: str) -> None:
    """Skips with a reason; fails where a browser must be there (``OTEL_LLM_REQUIRE_BROWSER=1``, as in CI)."""
    if os.environ.get("OTEL_LLM_REQUIRE_BROWSER"):
        pytest.fail(reason)
    pytest.skip(reason)


_BOX = "const box = document.querySelector(arguments[0]).getBoundingClientRect(); return [box.x, box.y, box.width, box.height]"
_RUN_AXE = """
const done = arguments[arguments.length - 1];
const grave = (finding) => ["serious", "critical"].includes(finding.impact);
const told = (node) => node.target.join(" ") + " " + (node.any[0]?.message ?? node.all[0]?.message ?? "");
axe.run({resultTypes: ["violations"], preload: false, ...arguments[0]}).then((result) => done(
  result.violations.filter(grave).map((one) => one.id + ": " + one.nodes.slice(0, 4).map(told).join(" | "))));
"""


class Browser:
    """One window. Elements are named by CSS selectors."""

    def __init__(self) -> None:
        binary = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
        driver = shutil.which("chromedriver")
        if binary is None or driver is None:
            lacking(
                "no browser: chromium and chromedriver are not installed (Debian: apt-get install chromium chromium-driver)"
            )
        self._profile = tempfile.mkdtemp(prefix="otel-llm-browser-")
        options = webdriver.ChromeOptions()
        options.binary_location = binary or ""
        for flag in (*FLAGS, f"--user-data-dir={self._profile}"):
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.driver = webdriver.Chrome(options=options, service=Service(driver))
        self.base = ""

    def close(self) -> None:
        """Ends the browser."""
        self.driver.quit()
        shutil.rmtree(self._profile, ignore_errors=True)

    def reset(self) -> None:
        """A clean window of a desktop in Berlin. The cache stays: style sheets and scripts of a server never change."""
        self.driver.get("about:blank")
        self.command("Network.enable")
        self.command("Network.clearBrowserCookies")
        self.command("Emulation.setTimezoneOverride", timezoneId="Europe/Berlin")
        self.command("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "light"}])
        self.offline(False)
        self.size(1440, 900)
        self.driver.get_log("browser")

    def command(self, name: str, **parameters: Any) -> Any:
        """A command of the DevTools protocol."""
        return self.driver.execute_cdp_cmd(name, parameters)

    def size(self, width: int, height: int) -> None:
        """Sets the size of the page."""
        self.command("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def forget(self, origin: str) -> None:
        """Forgets what pages of an origin keep in the browser."""
        self.command("Storage.clearDataForOrigin", origin=origin, storageTypes="local_storage")

    def uncached(self) -> None:
        """Loads everything anew, as at a first visit."""
        self.command("Network.clearBrowserCache")

    def dark(self) -> None:
        """The system asks for dark."""
        self.command("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark"}])

    def offline(self, is_off: bool) -> None:
        """Cuts the network, or joins it again."""
        self.command("Network.emulateNetworkConditions", offline=is_off, latency=0, downloadThroughput=-1, uploadThroughput=-1)

    # looking

    def open(self, path: str) -> None:
        """Goes to a page and waits until it is complete."""
        self.driver.get(self.base + path)
        self.settled()

    @property
    def path(self) -> str:
        """Path and query of the page."""
        return self.driver.current_url.removeprefix(self.base)

    def run(self, script: str, *arguments: Any) -> Any:
        """The value of a script's return statement."""
        return self.driver.execute_script(script, *arguments)

    def all(self, selector: str) -> list[WebElement]:
        """Every element."""
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def one(self, selector: str) -> WebElement:
        """The first visible element; waits for it."""
        return self.until(lambda: next((found for found in self.all(selector) if found.is_displayed()), None), selector)

    def text(self, selector: str) -> str:
        """Text of the first visible element."""
        return self.one(selector).text

    def texts(self, selector: str) -> list[str]:
        """Text of every element."""
        found: list[str] = self.run(
            "return [...document.querySelectorAll(arguments[0])].map((one) => one.innerText.trim())", selector
        )
        return found

    def until(self, condition: Callable[[], Any], what: str = "") -> Any:
        """The first true value of the condition. Fails after a while."""
        end = time.monotonic() + WAIT_S
        while True:
            try:
                found = condition()
            except Exception as error:  # an element may be replaced while it is looked at
                found, trouble = None, error
            else:
                trouble = None
            if found:
                return found
            if time.monotonic() > end:
                pytest.fail(f"waited in vain for {what or condition} at {self.driver.current_url} {trouble or ''}")
            time.sleep(0.05)

    def settled(self) -> None:
        """Waits until nothing loads any more, for three looks in a row."""
        quiet = 0

        def idle() -> bool:
            nonlocal quiet
            busy = self.run(
                "return document.readyState !== 'complete' || document.documentElement.classList.contains('busy')"
                " || !!document.querySelector('[aria-busy]') || (document.getElementById('banner')?.hidden"
                " && document.getElementById('view')?.hidden)"
            )
            quiet = 0 if busy else quiet + 1
            return quiet >= 3

        self.until(idle, "the page to settle")

    # acting

    def into_sight(self, selector: str) -> None:
        """Scrolls to an element, which may load what it shows only then."""
        self.run("document.querySelector(arguments[0]).scrollIntoView({block: 'center'})", selector)
        time.sleep(0.1)  # the observer of what is in sight is told with the next frame
        self.settled()

    def click(self, selector: str) -> None:
        """Clicks the first visible element and waits."""
        self.one(selector).click()
        self.settled()

    def choose(self, selector: str, value: str) -> None:
        """Chooses an option."""
        self.one(selector)
        self.run(
            "const [s, v] = arguments; const e = document.querySelector(s); e.value = v;"
            " e.dispatchEvent(new Event('change', {bubbles: true}))",
            selector,
            value,
        )
        self.settled()

    def drag(self, selector: str, start: float, end: float) -> None:
        """Drags across an element, from one fraction of its width to another."""
        self.into_sight(selector)
        box = self.run(
            "const b = document.querySelector(arguments[0]).getBoundingClientRect(); return [b.x, b.y, b.width, b.height]",
            selector,
        )
        y = box[1] + box[3] / 2
        self._mouse("mouseMoved", box[0] + box[2] * start, y)
        self._mouse("mousePressed", box[0] + box[2] * start, y, button="left", clickCount=1)
        for step in range(1, 6):
            self._mouse("mouseMoved", box[0] + box[2] * (start + (end - start) * step / 5), y, button="left", buttons=1)
        self._mouse("mouseReleased", box[0] + box[2] * end, y, button="left", clickCount=1)
        self.settled()

    def hover(self, selector: str, at: float, *, click: bool = False) -> None:
        """Moves to a fraction of the width of an element, and clicks there."""
        self.into_sight(selector)
        box = self.run(
            "const b = document.querySelector(arguments[0]).getBoundingClientRect(); return [b.x, b.y, b.width, b.height]",
            selector,
        )
        x, y = box[0] + box[2] * at, box[1] + box[3] / 2
        self._mouse("mouseMoved", x - 3, y)
        self._mouse("mouseMoved", x, y)
        if click:
            self._mouse("mousePressed", x, y, button="left", clickCount=1)
            self._mouse("mouseReleased", x, y, button="left", clickCount=1)

    def _mouse(self, kind: str, x: float, y: float, **more: Any) -> None:
        self.command("Input.dispatchMouseEvent", type=kind, x=x, y=y, **more)

    # judging

    def complaints(self) -> list[str]:
        """What the console holds of errors since the last look: exceptions, failed loads, broken policies."""
        return [entry["message"] for entry in self.driver.get_log("browser") if entry["level"] == "SEVERE"]

    def picture(self, name: str) -> None:
        """Keeps a picture of the window where pictures are asked for (``OTEL_LLM_PICTURES=1``)."""
        if os.environ.get("OTEL_LLM_PICTURES"):
            ARTIFACTS.mkdir(parents=True, exist_ok=True)
            self.driver.save_screenshot(str(ARTIFACTS / f"{name}.png"))

    def axe(self, *rules: str) -> list[str]:
        """Serious and critical findings of axe-core about the page, by the rules named or by all that are on."""
        if not self.run("return !!window.axe"):
            self.run(AXE.read_text())
        found = self.driver.execute_async_script(_RUN_AXE, {"runOnly": list(rules)} if rules else {})
        return list(found)


@contextmanager
def browser() -> Iterator[Browser]:
    """A browser, closed at the end."""
    opened = Browser()
    try:
        yield opened
    finally:
        opened.close()
