"""A protected server: a key opens the dashboard of its project, a cookie keeps it open, logout closes it."""

import http.client
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlencode

import pytest

from query_api import sessions
from query_api.app import create_app
from query_api.dashboard.login import safe_target
from tests.dashboard.browser import Browser
from tests.dashboard.conftest import DashboardServer
from tests.dashboard.story import SECOND, story
from tests.query_api.conftest import QueryServer

Headers = dict[str, str]


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DashboardServer]:
    """A server whose project ``red`` has calls. Each test has a key of its own."""
    server = DashboardServer(tmp_path_factory.mktemp("guarded"))
    now = time.time_ns()
    server.store([row | {"project": "red"} for row in story(now, days=1, traces_a_day=30)])
    yield server
    server.close()


@pytest.fixture
def flask_server() -> Any:
    """A server asked in process."""
    server = QueryServer()
    yield server
    server.close()


def log_in(server: QueryServer, credential: str, **headers: str) -> Any:
    return server.client.post("/ui/login", data={"key": credential, "next": "/ui/calls"}, headers=headers)


def test_login_look_around_and_logout_in_a_browser(window: Browser, guarded: DashboardServer) -> None:
    key = guarded.key("red")
    window.base = guarded.url
    window.driver.get(guarded.url + "/ui/calls?range=24h&sort=slowest")
    assert window.path == "/ui/login?next=/ui/calls%3Frange%3D24h%26sort%3Dslowest"
    assert window.axe() == []
    window.picture("login")
    window.one("#key").send_keys("sk-wrong")
    window.one("form button.primary").click()
    assert "No such key" in window.text('[role="alert"]')
    window.one("#key").send_keys(key.secret_key)
    window.one("form button.primary").click()
    window.until(lambda: window.path == "/ui/calls?range=24h&sort=slowest", "the page asked for")
    window.settled()
    assert window.all("#calls tbody tr")
    assert window.text(".project") == "red"
    cookie = window.driver.get_cookie(sessions.COOKIE)
    assert cookie is not None
    assert (cookie["httpOnly"], cookie["sameSite"], cookie["path"]) == (True, "Strict", "/")
    assert window.run("return document.cookie") == ""
    assert key.secret_key not in cookie["value"]
    window.driver.find_element("css selector", 'form[action="/ui/logout"] button').click()
    window.until(lambda: window.path == "/ui/login", "the login")
    assert window.driver.get_cookie(sessions.COOKIE) is None
    window.driver.get(guarded.url + "/")
    assert window.path == "/ui/login"
    assert [one for one in window.complaints() if "401" not in one] == []


def test_a_revoked_key_ends_its_sessions_at_once(window: Browser, guarded: DashboardServer) -> None:
    key = guarded.key("red")
    window.base = guarded.url
    window.driver.get(guarded.url + "/ui/login")
    window.one("#key").send_keys(f"{key.key.public_key}:{key.secret_key}")
    window.one("form button.primary").click()
    window.until(lambda: window.path == "/", "the overview")
    window.settled()
    guarded.collector.door.register.revoke_key(key.key.public_key, actor="test")
    guarded.collector.door.refresh()
    window.one('[data-range="7d"]').click()
    window.until(lambda: window.path.startswith("/ui/login"), "the login")
    assert [one for one in window.complaints() if "401" not in one] == []


def test_a_page_of_another_site_can_neither_log_in_nor_out(window: Browser, guarded: DashboardServer) -> None:
    """The attack in a browser: a form of a foreign origin posts here, with whatever cookies the browser sends along."""
    key = guarded.key("red")
    window.base = guarded.url
    window.driver.get(guarded.url + "/ui/login")
    window.one("#key").send_keys(key.secret_key)
    window.one("form button.primary").click()
    window.until(lambda: window.path == "/", "the overview")
    foreign = guarded.url.replace("127.0.0.1", "localhost")
    window.driver.get(foreign + "/ui/login")
    form = f"<form id=attack method=post action='{guarded.url}/ui/logout'></form>"
    window.run(
        "document.body.innerHTML = arguments[0]; HTMLFormElement.prototype.submit.call(document.getElementById('attack'))", form
    )
    window.until(lambda: "attack" not in window.driver.page_source or window.complaints(), "the refusal")
    window.driver.get(guarded.url + "/")
    window.settled()
    assert window.text(".project") == "red"
    window.complaints()  # the policy of the foreign page refused the form, too


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost:1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
    ids=str,
)
def test_a_post_from_elsewhere_is_refused(flask_server: QueryServer, headers: Headers) -> None:
    key = flask_server.key("red")
    assert log_in(flask_server, key.secret_key, **headers).status_code == 403
    assert log_in(flask_server, key.secret_key, Origin="http://localhost").status_code == 303
    assert flask_server.client.post("/ui/logout", headers=headers).status_code == 403
    assert flask_server.client.get("/api/v1/info").status_code == 200


def test_the_cookie_is_out_of_reach_and_names_no_key(flask_server: QueryServer) -> None:
    key = flask_server.key("red")
    answer = log_in(flask_server, key.secret_key)
    cookie = answer.headers["Set-Cookie"]
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= {part.strip() for part in cookie.split(";")}
    assert key.secret_key not in cookie
    assert answer.headers["Location"] == "/ui/calls"
    secure = flask_server.client.post("/ui/login", data={"key": key.secret_key}, base_url="https://localhost")
    assert "Secure" in secure.headers["Set-Cookie"]


def test_a_session_opens_what_a_browser_shows_and_nothing_else(flask_server: QueryServer) -> None:
    key = flask_server.key("red", scopes=("read", "admin"))
    log_in(flask_server, key.secret_key)
    client = flask_server.client
    for path in ("/", "/ui/calls", "/api/v1/info", "/metrics"):
        assert client.get(path).status_code == 200, path
    for path in ("/api/v1/admin/keys", "/api/public/metrics/daily", "/api/analytics/llm", "/aistats/daily"):
        assert client.get(path).status_code == 401, path
    assert client.post("/usage/total").status_code == 401
    assert client.post("/api/v1/admin/keys", json={}).status_code == 401
    # a key that is sent speaks for itself, session or not
    assert client.get("/api/v1/info", headers={"X-Api-Key": "sk-wrong"}).status_code == 401


def test_a_session_ends_with_logout_and_with_time(flask_server: QueryServer, monkeypatch: pytest.MonkeyPatch) -> None:
    key = flask_server.key("red")
    log_in(flask_server, key.secret_key)
    held = flask_server.client.get_cookie(sessions.COOKIE)
    assert held is not None
    thief = flask_server.app.test_client(use_cookies=False)
    assert thief.get("/api/v1/info", headers={"Cookie": f"{sessions.COOKIE}={held.value}"}).status_code == 200
    assert flask_server.client.post("/ui/logout").status_code == 303
    assert thief.get("/api/v1/info", headers={"Cookie": f"{sessions.COOKIE}={held.value}"}).status_code == 401
    log_in(flask_server, key.secret_key)
    assert flask_server.client.get("/api/v1/info").status_code == 200
    known = flask_server.app.extensions[sessions.EXTENSION]
    begun = time.time_ns()
    monkeypatch.setattr(known, "_clock", lambda: begun + (sessions.LIFETIME_S + 1) * SECOND)
    assert flask_server.client.get("/api/v1/info").status_code == 401


def test_a_session_holds_and_ends_on_every_server_of_the_store(flask_server: QueryServer) -> None:
    key = flask_server.key("red")
    log_in(flask_server, key.secret_key)
    held = flask_server.client.get_cookie(sessions.COOKIE)
    assert held is not None
    cookie = {"Cookie": f"{sessions.COOKIE}={held.value}"}

    def asked_at_another_server() -> Any:
        app = create_app(SimpleNamespace(**vars(flask_server)))  # type: ignore[arg-type]  # all that the app reads
        return app.test_client(use_cookies=False).get("/api/v1/info", headers=cookie)

    assert asked_at_another_server().get_json()["project"] == "red"
    assert flask_server.client.post("/ui/logout").status_code == 303
    assert asked_at_another_server().status_code == 401


def test_a_key_that_may_only_send_does_not_open_the_dashboard(flask_server: QueryServer) -> None:
    sender = flask_server.key("red", scopes=("ingest",))
    refused = log_in(flask_server, sender.secret_key)
    assert refused.status_code == 403
    assert "lacks the scope read" in refused.text
    assert "Set-Cookie" not in refused.headers


@pytest.mark.parametrize(
    ("asked", "given"),
    [
        ("/ui/calls?user=a%26b", "/ui/calls?user=a%26b"),
        ("/", "/"),
        ("https://evil.example/", "/"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("/ui/..//evil.example", "/ui/..//evil.example"),
        ("javascript:alert(1)", "/"),
        ("/ui/calls\r\nX: y", "/"),
        ("/usage/total", "/"),
        ("", "/"),
        (None, "/"),
    ],
)
def test_a_login_leads_to_pages_of_this_dashboard_only(asked: str | None, given: str) -> None:
    assert safe_target(asked) == given


def test_pages_carry_a_strict_policy_and_no_inline_script(flask_server: QueryServer) -> None:
    for path in ("/", "/ui/usage", "/ui/calls", "/ui/health", "/ui/traces/" + "0" * 32, "/ui/nowhere"):
        page = flask_server.client.get(path)
        policy = page.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert page.text.count("<script") == page.text.count("<script src=") + page.text.count('<script type="module" src=') + (
            page.text.count("<script defer src=")
        )
        assert not [mark for mark in (" style=", " onclick=", "javascript:", "http://", "https://") if mark in page.text]


def test_assets_are_kept_for_ever_and_bound_to_their_digest(flask_server: QueryServer) -> None:
    page = flask_server.client.get("/").text
    address = page.split('rel="stylesheet" href="')[1].split('"')[0]
    found = flask_server.client.get(address, headers={"Accept-Encoding": "gzip"})
    assert found.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert found.headers["Content-Encoding"] == "gzip"
    assert flask_server.client.get(address.replace("assets/", "assets/0")).status_code == 404
    assert flask_server.client.get(address.rsplit("/", 1)[0] + "/../app.py").status_code == 404
    assert flask_server.client.get(address.rsplit("/", 1)[0] + "/vendor/uplot.LICENSE.txt").status_code == 200


def test_raw_sockets_cannot_smuggle_a_session(guarded: DashboardServer) -> None:
    guarded.key("red")
    connection = http.client.HTTPConnection("127.0.0.1", guarded.collector.ports["api"])
    for value in ("", "x" * 5_000, "a; b", "é"):
        connection.request("GET", "/api/v1/info", headers={"Cookie": f"{sessions.COOKIE}={value}".encode("latin-1")})
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 401
    body = urlencode({"key": "\0" * 100})
    connection.request("POST", "/ui/login", body, {"Content-Type": "application/x-www-form-urlencoded"})
    assert connection.getresponse().status == 401
    connection.close()
