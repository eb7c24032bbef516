"""Who may ask, and how each product says no."""

import base64
from collections.abc import Callable
from typing import Any

import pytest

from query_api.errors import PRODUCTS, product_of

from .conftest import QueryServer

ROUTES: dict[str, tuple[str, str]] = {
    "langfuse": ("GET", "/api/public/metrics/daily"),
    "langdb": ("POST", "/usage/total"),
    "flashback": ("GET", "/aistats/daily"),
    "agentlens": ("GET", "/api/analytics/llm"),
}
EVERY_ROUTE = [
    ("GET", "/api/public/metrics/daily"),
    ("POST", "/usage/total"),
    ("POST", "/usage/models"),
    ("POST", "/analytics"),
    ("POST", "/analytics/summary"),
    ("GET", "/threads/t/cost"),
    ("GET", "/aistats/daily"),
    ("GET", "/aistats/minute"),
    ("GET", "/api/analytics/llm"),
    ("GET", "/api/events"),
]


def basic(public: str, secret: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{public}:{secret}".encode()).decode()}


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


@pytest.mark.parametrize(("method", "path"), EVERY_ROUTE)
def test_any_credential_style_opens_any_route_and_nothing_else_does(query_server: QueryServer, method: str, path: str) -> None:
    new = query_server.key()
    public, secret = new.key.public_key, new.secret_key

    def status(headers: dict[str, str]) -> int:
        return query_server.client.open(path, method=method, headers=headers).status_code

    for good in (basic(public, secret), bearer(secret), {"X-Api-Key": secret}):
        assert status(good) == 200
    for bad in (
        {},
        bearer(public),
        {"X-Api-Key": public},
        basic(public, public),
        basic("pk-other", secret),
        bearer(secret + "x"),
        {"Authorization": secret},
        {"Authorization": "Basic %%%"},
    ):
        assert status(bad) == 401


@pytest.mark.parametrize(("method", "path"), EVERY_ROUTE)
def test_a_key_that_may_only_send_may_not_ask(query_server: QueryServer, method: str, path: str) -> None:
    sender = query_server.key(scopes=("ingest",))
    assert query_server.client.open(path, method=method, headers=bearer(sender.secret_key)).status_code == 403
    admin = query_server.key(scopes=("admin",))
    assert query_server.client.open(path, method=method, headers=bearer(admin.secret_key)).status_code == 200


HOST_HINT = "Confirm that you've configured the correct host."
LANGFUSE_401 = [
    ({}, "No authorization header"),
    ({"Authorization": "Token abc"}, "Invalid authorization header"),
    ({"Authorization": "Basic abc"}, f"Invalid authorization header. {HOST_HINT}"),
    ({"Authorization": "Basic " + base64.b64encode(b"nocolon").decode()}, f"Invalid authorization header. {HOST_HINT}"),
    (basic("pk", "sk"), f"Invalid credentials. {HOST_HINT}"),
    (bearer("pk"), f"Invalid credentials. {HOST_HINT}"),
    ({"X-Api-Key": "pk"}, f"Invalid credentials. {HOST_HINT}"),
]


@pytest.mark.parametrize(("headers", "message"), LANGFUSE_401)
def test_langfuse_says_what_is_wrong_with_a_credential(
    query_server: QueryServer, headers: dict[str, str], message: str
) -> None:
    query_server.key()
    response = query_server.client.get("/api/public/metrics/daily", headers=headers)
    assert (response.status_code, response.get_json()) == (401, {"message": message})


def test_unauthenticated_in_each_products_shape(query_server: QueryServer) -> None:
    query_server.key()

    def body(product: str, headers: dict[str, str] | None = None) -> Any:
        method, path = ROUTES[product]
        response = query_server.client.open(path, method=method, headers=headers)
        assert response.headers["WWW-Authenticate"]
        return response.get_json()

    assert body("flashback").keys() == {"success", "message"}
    assert body("flashback")["success"] is False
    assert body("langdb").keys() == {"error", "message"}
    nobody, wrong = body("agentlens"), body("agentlens", bearer("als_x"))
    assert nobody.keys() == wrong.keys() == {"error", "hint", "status"}
    assert (nobody["error"], nobody["status"]) == ("Authentication required", 401)
    assert wrong["error"] == "Invalid or revoked API key"


def test_wrong_methods_are_405_in_the_products_shape(query_server: QueryServer) -> None:
    for method, path in EVERY_ROUTE:
        for wrong in {"GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"} - {method}:
            response = query_server.client.open(path, method=wrong)
            assert response.status_code == 405, (wrong, path)
            assert method in response.headers["Allow"]
            body = response.get_json()
            if path.startswith("/api/public"):
                assert body == {"message": "Method not allowed", "error": "MethodNotAllowedError"}
            elif path.startswith("/api/"):
                assert body == {"error": "Method not allowed", "status": 405}
            elif path.startswith("/aistats"):
                assert body == {"success": False, "message": "Method not allowed"}
            else:
                assert body == {"error": "Method not allowed", "message": "Method not allowed"}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/public/metrics/weekly", {"message": "Not found", "error": "LangfuseNotFoundError"}),
        ("/api/public/metrics/daily/", {"message": "Not found", "error": "LangfuseNotFoundError"}),
        ("/api/analytics/costs", {"error": "Not found", "status": 404}),
        ("/api/analytics/llm/", {"error": "Not found", "status": 404}),
        ("/api", {"error": "Not found", "status": 404}),
        (
            "/v1/traces",
            {
                "error": "OTLP is received on ports of its own: 4318 for HTTP, 4317 for gRPC unless set otherwise",
                "status": 404,
            },
        ),
        ("/aistats", {"success": False, "message": "Unknown path"}),
        ("/aistats/daily/", {"success": False, "message": "Unknown path"}),
        ("/usage/none", {"error": "Not found", "message": "Not found"}),
        ("/threads", {"error": "Not found", "message": "Not found"}),
        ("/threads//cost", {"error": "Not found", "message": "Not found"}),
        ("/nowhere", {"error": "Not found", "status": 404}),
        ("//aistats/daily", {"error": "Not found", "status": 404}),
    ],
)
def test_unknown_paths_are_404_in_the_products_shape(query_server: QueryServer, path: str, body: dict[str, Any]) -> None:
    response = query_server.client.get(path)
    assert (response.status_code, response.get_json()) == (404, body)


def test_head_is_get_without_a_body(query_server: QueryServer) -> None:
    for method, path in [*EVERY_ROUTE, ("GET", "/healthz"), ("GET", "/openapi.json")]:
        if method == "GET":
            response = query_server.client.head(path)
            assert (response.status_code, response.data) == (200, b""), path


def test_every_answer_carries_the_security_headers(query_server: QueryServer) -> None:
    paths = [path for method, path in EVERY_ROUTE] + ["/healthz", "/openapi.json", "/nowhere", "/aistats/daily?startDate=x"]
    for path in paths:
        headers = query_server.client.get(path).headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["X-Frame-Options"] == "DENY"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["Content-Security-Policy"].startswith("default-src 'none'")
        assert headers["Content-Type"] == "application/json"


# projects


def test_the_project_header_of_langdb(query_server: QueryServer) -> None:
    mine, other = query_server.key("mine"), query_server.key("other")

    def ask(project: str | None, path: str = "/usage/total", method: str = "POST") -> tuple[int, Any]:
        headers = bearer(mine.secret_key) | ({} if project is None else {"X-Project-Id": project})
        response = query_server.client.open(path, method=method, headers=headers)
        return response.status_code, response.get_json()

    assert ask("mine")[0] == ask(None)[0] == ask("")[0] == 200
    foreign, unknown = ask(other.key.project), ask("nowhere")
    assert foreign == unknown
    assert foreign == (
        400,
        {
            "error": "Project not found",
            "message": "The specified project ID does not exist or you don't have access to it",
        },
    )
    assert ask("other", "/threads/t/cost", "GET")[0] == 400
    for path in ("/api/public/metrics/daily", "/aistats/daily", "/api/analytics/llm"):
        assert ask("other", path, "GET")[0] == 200


def test_the_project_header_means_nothing_while_no_key_exists(query_server: QueryServer) -> None:
    assert query_server.client.post("/usage/total", headers={"X-Project-Id": "anything"}).status_code == 200


def test_keys_of_a_deleted_project(query_server: QueryServer) -> None:
    gone = query_server.key("gone")
    query_server.door.register.delete_project("gone", actor="test")
    query_server.door.refresh()

    def ask(product: str) -> tuple[int, Any]:
        method, path = ROUTES[product]
        response = query_server.client.open(path, method=method, headers=bearer(gone.secret_key))
        return response.status_code, response.get_json()

    assert ask("flashback") == (404, {"success": False, "message": "User not found"})
    assert ask("langdb")[0] == 400
    assert ask("langdb")[1]["error"] == "Project not found"
    assert ask("langfuse")[0] == ask("agentlens")[0] == 401


def test_a_foreign_page_cannot_use_an_open_server(query_server: QueryServer) -> None:
    for method, path in EVERY_ROUTE:
        response = query_server.client.open(path, method=method, headers={"Host": "evil.example"})
        assert response.status_code == 401
        assert "keys create" in response.text


# failures


TOO_LONG = "the query took too long; ask for less at once"


def test_a_query_that_cannot_finish_is_503_with_retry_after(new_query_server: Callable[..., QueryServer]) -> None:
    hurried = new_query_server(query_timeout_s=1e-9)
    for method, path in EVERY_ROUTE:
        response = hurried.client.open(path, method=method)
        assert (response.status_code, response.headers["Retry-After"]) == (503, "5"), path
        assert (
            response.get_json()
            == {
                "langfuse": {"message": TOO_LONG, "error": "Request timed out"},
                "agentlens": {"error": TOO_LONG, "status": 503},
                "flashback": {"success": False, "message": TOO_LONG},
                "langdb": {"error": "Service unavailable", "message": TOO_LONG},
            }[product_of(path).name]
        )


def test_a_failure_of_the_store_is_500_without_a_traceback(query_server: QueryServer, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> Any:
        raise RuntimeError("a secret detail")

    monkeypatch.setattr("otel_llm.store.queries.reading.Reader.rows", broken)
    expected = {
        "langfuse": {"message": "Internal Server Error", "error": "Internal Server Error"},
        "langdb": {"error": "Internal server error", "message": "Internal server error"},
        "flashback": {"success": False, "message": "Internal server error"},
        "agentlens": {"error": "Internal server error", "status": 500},
    }
    for product, (method, path) in ROUTES.items():
        response = query_server.client.open(path, method=method)
        assert (response.status_code, response.get_json()) == (500, expected[product])


def test_oversized_bodies_are_413(query_server: QueryServer) -> None:
    response = query_server.client.post("/analytics", data=b'{"x": "' + b"y" * 2_000_000 + b'"}')
    assert (response.status_code, response.get_json()["error"]) == (413, "Request body too large")


def test_long_query_strings_are_served(query_server: QueryServer) -> None:
    query_server.get("/aistats/daily", repoId=",".join(f"repo-{number}" for number in range(900)))


def test_every_prefix_belongs_to_one_product() -> None:
    names = [product.name for product in PRODUCTS]
    assert len(names) == len(set(names)) == len({*ROUTES, "otlp"})
    for name, (_, path) in ROUTES.items():
        assert next(product for product in PRODUCTS if product.owns(path)).name == name
