import http.client
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests
from flask import Flask, Response, request

from otel_llm.errors import ConfigError
from otel_llm.serving import HttpServer, Mount, OperatorServer
from otel_llm.serving import guard as guard_module
from otel_llm.serving.asgi import respond
from otel_llm.serving.body import Pace
from tests.serving.small_server import LIMIT, SmallServer, until_closed


def an_app() -> Flask:
    app = Flask(__name__)

    @app.route("/echo/<path:rest>", methods=["GET", "POST", "PUT"])
    def echo(rest: str) -> dict[str, Any]:
        return {
            "path": request.path,
            "rest": rest,
            "query": request.args.to_dict(flat=False),
            "body": request.get_data(as_text=True),
            "method": request.method,
            "peer": request.remote_addr,
            "scheme": request.scheme,
            "headers": dict(request.headers),
        }

    @app.get("/cookies")
    def cookies() -> Response:
        answer = Response("ü".encode(), status=201, mimetype="text/plain")
        answer.headers.add("set-cookie", "a=1")
        answer.headers.add("set-cookie", "b=2")
        return answer

    @app.get("/stream")
    def stream() -> Response:
        return Response(str(number) for number in range(5))

    @app.get("/fail")
    def fail() -> str:
        raise RuntimeError("secret detail")

    @app.get("/empty")
    def empty() -> tuple[str, int]:
        return "", 204

    @app.get("/slow")
    def slow() -> str:
        time.sleep(0.5)
        return "done"

    return app


@pytest.fixture(scope="module")
def server() -> Any:
    with SmallServer(an_app()) as server:
        yield server


def test_a_request_reaches_the_app_whole(server):
    answer = requests.post(
        server.url + "/echo/a%20b/%C3%BC?x=1&x=%C3%A4", data=b"body", headers={"X-Team": "a"}, timeout=5
    ).json()
    assert (answer["method"], answer["path"], answer["rest"]) == ("POST", "/echo/a b/ü", "a b/ü")
    assert (answer["query"], answer["body"]) == ({"x": ["1", "ä"]}, "body")
    assert (answer["peer"], answer["scheme"], answer["headers"]["X-Team"]) == ("127.0.0.1", "http", "a")


def test_an_answer_comes_back_whole(server):
    answer = requests.get(server.url + "/cookies", timeout=5)
    assert (answer.status_code, answer.text, answer.headers["content-type"]) == (201, "ü", "text/plain; charset=utf-8")
    assert answer.raw.headers.getlist("set-cookie") == ["a=1", "b=2"]
    assert requests.get(server.url + "/stream", timeout=5).text == "01234"
    assert requests.get(server.url + "/empty", timeout=5).status_code == 204
    assert requests.head(server.url + "/cookies", timeout=5).content == b""


def test_the_server_does_not_tell_what_it_is(server):
    assert "server" not in requests.get(server.url + "/cookies", timeout=5).headers


def test_an_unforeseen_error_is_a_neutral_500(server, caplog):
    answer = requests.get(server.url + "/fail", timeout=5)
    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert "Traceback" not in answer.text


def test_forwarding_headers_do_not_change_the_peer(server):
    headers = {"x-forwarded-for": "10.0.0.9", "x-forwarded-proto": "https"}
    answer = requests.get(server.url + "/echo/x", headers=headers, timeout=5).json()
    assert (answer["peer"], answer["scheme"]) == ("127.0.0.1", "http")


def test_a_header_with_an_underscore_cannot_pass_for_another(server):
    answer = requests.get(server.url + "/echo/x", headers={"x_api_key": "stolen"}, timeout=5).json()
    assert "X-Api-Key" not in answer["headers"]


def test_urls_of_8_kb_are_served(server):
    answer = requests.get(server.url + "/echo/x?q=" + "v" * 8192, timeout=5)
    assert answer.json()["query"]["q"] == ["v" * 8192]


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_beyond_the_limit_is_413_and_the_answer_arrives(server, chunked):
    body = bytes(3 * LIMIT)
    data = iter([body[:LIMIT], body[LIMIT:]]) if chunked else body
    answer = requests.post(server.url + "/echo/x", data=data, timeout=10)
    assert answer.status_code == 413
    assert answer.json()["error"] == "Content Too Large"
    assert server.budget.used == 0


def test_headers_beyond_the_limit_are_431(server):
    for head in (b"x: " + b"a" * 100_000 + b"\r\n\r\n", b"x: " + b"a" * 100_000, b"x: y\r\n" * 20_000 + b"\r\n"):
        with server.connect() as connection:
            connection.sendall(b"GET /cookies HTTP/1.1\r\nhost: x\r\n" + head)
            assert until_closed(connection)[0].startswith(b"HTTP/1.1 431 ")


def test_what_is_not_http_is_400(server):
    with server.connect() as connection:
        connection.sendall(b"\x16\x03\x01 no http\r\n\r\n")
        assert until_closed(connection)[0].startswith(b"HTTP/1.1 400 ")


def test_pipelined_requests_are_answered_in_order(server):
    with server.connect() as connection:
        connection.sendall(b"GET /slow HTTP/1.1\r\nhost: x\r\n\r\nGET /stream HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        received = until_closed(connection)[0]
    assert received.index(b"done") < received.index(b"01234")


@pytest.mark.parametrize("sent", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nhost: x\r\n", b"\r\n\r\n"])
def test_a_request_head_that_does_not_end_is_cut_off(server, monkeypatch, sent):
    monkeypatch.setattr(guard_module, "HEAD_TIMEOUT_S", 0.3)
    with server.connect() as connection:
        connection.sendall(sent)
        assert until_closed(connection)[1] < 2


def test_empty_lines_after_a_request_do_not_keep_a_connection(server, monkeypatch):
    monkeypatch.setattr(guard_module, "HEAD_TIMEOUT_S", 0.3)
    with server.connect() as connection:
        connection.sendall(b"GET /stream HTTP/1.1\r\nhost: x\r\n\r\n")
        assert b"01234" in connection.recv(65536)
        connection.sendall(b"\r\n")
        assert until_closed(connection)[1] < 2


def test_a_body_that_stops_arriving_is_408():
    with SmallServer(an_app(), pace=Pace(grace_s=0.3, rate=1000)) as server, server.connect() as connection:
        connection.sendall(b"POST /echo/x HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\nabc")
        received, seconds = until_closed(connection)
        assert received.startswith(b"HTTP/1.1 408 ")
        assert seconds < 2
        assert server.budget.used == 0


def test_a_body_that_keeps_arriving_is_waited_for():
    with SmallServer(an_app(), pace=Pace(grace_s=0.4, rate=10)) as server, server.connect() as connection:
        connection.sendall(b"POST /echo/x HTTP/1.1\r\nhost: x\r\ncontent-length: 20\r\nconnection: close\r\n\r\n")
        for _ in range(4):
            time.sleep(0.2)
            connection.sendall(b"abcde")
        assert b'"body":"' + b"abcde" * 4 in until_closed(connection)[0]


def test_a_client_that_goes_away_gives_its_bytes_back(server):
    with server.connect() as connection:
        connection.sendall(b"POST /echo/x HTTP/1.1\r\nhost: x\r\ncontent-length: 900000\r\n\r\n" + bytes(100_000))
        wait_for(lambda: server.budget.used >= 60_000)
    wait_for(lambda: server.budget.used == 0)


def wait_for(condition: Any) -> None:
    deadline = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_full_budget_is_503_with_a_hint(server):
    hold = server.budget.hold()
    hold.grow(server.budget.limit)
    try:
        answer = requests.post(server.url + "/echo/x", data=b"abc", timeout=5)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        assert requests.get(server.url + "/stream", timeout=5).status_code == 200
    finally:
        hold.release()


def test_a_full_line_before_the_threads_is_503():
    with SmallServer(an_app(), threads=1) as server:
        server.bridge._free = 1
        with ThreadPoolExecutor(2) as clients:
            slow = clients.submit(requests.get, server.url + "/slow", timeout=5)
            time.sleep(0.2)
            assert requests.get(server.url + "/slow", timeout=5).status_code == 503
            assert slow.result().text == "done"


def test_requests_wait_for_threads_and_not_for_each_others_bodies():
    with SmallServer(an_app(), threads=2) as server:
        stuck = [server.connect() for _ in range(20)]
        for connection in stuck:
            connection.sendall(b"POST /echo/x HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n")
        assert requests.get(server.url + "/stream", timeout=2).text == "01234"
        for connection in stuck:
            connection.close()


def test_stop_finishes_what_was_taken_and_refuses_what_comes_then():
    with SmallServer(an_app()) as server, ThreadPoolExecutor(1) as clients:
        slow = clients.submit(requests.get, server.url + "/slow", timeout=5)
        time.sleep(0.2)
        stopping = threading.Thread(target=server.server.stop)
        stopping.start()
        assert slow.result().text == "done"
        stopping.join(5)
        assert not stopping.is_alive()
        with pytest.raises(requests.ConnectionError):
            requests.get(server.url + "/stream", timeout=5)


def test_stop_does_not_wait_for_idle_connections():
    with SmallServer(an_app()) as server:
        idle = http.client.HTTPConnection("127.0.0.1", server.server.port)
        idle.request("GET", "/stream")
        idle.getresponse().read()
        start = time.monotonic()
        server.server.stop()
        assert time.monotonic() - start < 2
        idle.close()


def test_a_taken_port_is_a_sentence(server):
    with pytest.raises(ConfigError, match=f"cannot listen on 127.0.0.1 port {server.server.port}: Address already in use"):
        HttpServer(server.bridge, host="127.0.0.1", port=server.server.port).start()


def test_a_host_that_is_not_ours_is_a_sentence(server):
    with pytest.raises(ConfigError, match=r"cannot listen on 192\.0\.2\.1"):
        HttpServer(server.bridge, host="192.0.2.1", port=0).start()


def test_ipv6_loopback_is_served(server):
    v6 = HttpServer(server.bridge, host="::1", port=0)
    try:
        v6.start()
    except ConfigError as error:
        pytest.skip(f"no IPv6 here: {error}")
    assert v6.url.startswith("http://[::1]:")
    assert requests.get(v6.url + "/stream", timeout=5).text == "01234"
    v6.stop()


def test_a_mounted_app_serves_its_prefix_only():
    async def other(scope: Any, receive: Any, send: Any) -> None:
        await respond(send, 200, [], b"other " + scope["path"].encode())

    with SmallServer(an_app()) as inner:
        server = HttpServer(Mount(inner.bridge, {"/api/public/otel": other}), host="127.0.0.1", port=0)
        server.start()
        assert requests.get(server.url + "/api/public/otel/v1/traces", timeout=5).text == "other /api/public/otel/v1/traces"
        assert requests.get(server.url + "/stream", timeout=5).text == "01234"
        server.stop()


def test_what_lies_where_the_operators_socket_belongs_is_left_alone(server: SmallServer, tmp_path: Path) -> None:
    other_file, target, link = tmp_path / "file.sock", tmp_path / "target.sock", tmp_path / "link.sock"
    other_file.write_text("somebody's")
    target.write_text("somebody's")
    link.symlink_to(target)
    for path in (other_file, link):
        operator = OperatorServer(server.bridge, path)
        with pytest.raises(ConfigError, match="cannot listen"):
            operator.start()
        operator.stop()
    OperatorServer(server.bridge, other_file).stop()  # another port was taken: it never started
    assert [path.read_text() for path in (other_file, target, link)] == ["somebody's"] * 3
