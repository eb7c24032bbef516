"""One table: whose path it is, and how that product says that something went wrong."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from otel_llm.errors import PermissionDenied, RetryableError, StoreError, Unauthenticated
from query_api.answers import answer

log = logging.getLogger("query_api")


class ApiError(Exception):
    """A request that is not served. ``message`` None takes the product's own words for the status.

    ``title`` is LangDB's short ``error`` text, ``issues`` Langfuse's list of what is wrong with which parameter.
    """

    def __init__(
        self,
        status: int,
        message: str | None = None,
        *,
        title: str | None = None,
        issues: list[dict[str, Any]] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message or str(status))
        self.status = status
        self.message = message
        self.title = title
        self.issues = issues
        self.headers = dict(headers or {})


TEXTS: dict[int, str] = {
    400: "Bad request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not found",
    405: "Method not allowed",
    413: "Request body too large",
    500: "Internal server error",
    503: "Service unavailable",
}
"""Words for a status where a product has none of its own."""


@dataclass(frozen=True)
class Product:
    """An API whose errors have a shape of their own. The first product with a matching prefix owns a path."""

    name: str
    prefixes: tuple[str, ...]
    body: Callable[[int, str, ApiError], dict[str, Any]]
    texts: Mapping[int, str] = field(default_factory=dict)
    challenge: str = "Bearer"

    def owns(self, path: str) -> bool:
        """True for a path at or below one of the prefixes."""
        return any(path == prefix or path.startswith(prefix + "/") for prefix in self.prefixes)

    def response(self, refusal: ApiError) -> Response:
        """The refusal in this product's shape."""
        status = refusal.status
        text = refusal.message or self.texts.get(status) or TEXTS.get(status, "Error")
        response = answer(self.body(status, text, refusal), status)
        response.headers.update(refusal.headers)
        if status == 401:
            response.headers["WWW-Authenticate"] = f'{self.challenge} realm="otel-llm"'
        return response


_LANGFUSE_ERROR_NAMES = {
    404: "LangfuseNotFoundError",
    405: "MethodNotAllowedError",
    500: "Internal Server Error",
    503: "Request timed out",
}


def _langfuse(status: int, text: str, refusal: ApiError) -> dict[str, Any]:
    if refusal.issues is not None:
        return {"message": text, "error": refusal.issues}
    name = _LANGFUSE_ERROR_NAMES.get(status)
    return {"message": text, "error": name} if name else {"message": text}


def _langdb(status: int, text: str, refusal: ApiError) -> dict[str, Any]:
    return {"error": refusal.title or TEXTS.get(status, "Error"), "message": text}


def _flashback(status: int, text: str, refusal: ApiError) -> dict[str, Any]:
    return {"success": False, "message": text}


def _agentlens(status: int, text: str, refusal: ApiError) -> dict[str, Any]:
    hint = {"hint": "Send an API key: Authorization: Bearer <secret key>"} if status == 401 else {}
    return {"error": text, **hint, "status": status}


PRODUCTS: tuple[Product, ...] = (
    Product(
        "langfuse",
        ("/api/public",),
        _langfuse,
        {
            400: "Invalid request data",
            401: "Invalid credentials. Confirm that you've configured the correct host.",
            403: "Access denied - insufficient permissions for this endpoint",
            500: "Internal Server Error",
            503: "The request timed out. Ask for a shorter time range or for fewer traces.",
        },
        challenge="Basic",
    ),
    Product(
        "agentlens",
        ("/api",),
        _agentlens,
        {401: "Authentication required", 403: "Insufficient permissions"},
    ),
    Product("flashback", ("/aistats",), _flashback, {404: "Unknown path"}),
    Product("langdb", ("/usage", "/analytics", "/threads"), _langdb),
    Product(
        "otlp",
        ("/v1/traces", "/v1/logs", "/v1/metrics"),
        _agentlens,
        {404: "OTLP is received on ports of its own: 4318 for HTTP, 4317 for gRPC unless set otherwise"},
    ),
)
HOUSE = Product("otel-llm", ("",), _agentlens)
"""Everything that is no product's: health, the API's description, and unknown paths."""


def product_of(path: str) -> Product:
    """Whose path it is."""
    return next((product for product in PRODUCTS if product.owns(path)), HOUSE)


def _as_api_error(error: Exception) -> ApiError:
    if isinstance(error, ApiError):
        return error
    if isinstance(error, Unauthenticated):
        return ApiError(401, str(error))
    if isinstance(error, PermissionDenied):
        return ApiError(403)
    if isinstance(error, RetryableError):
        return ApiError(503, str(error), headers={"Retry-After": str(max(1, round(error.retry_after)))})
    if isinstance(error, MethodNotAllowed):
        allowed = ", ".join(sorted(set(error.valid_methods or ())))
        return ApiError(405, headers={"Allow": allowed})
    if isinstance(error, HTTPException) and error.code is not None and 400 <= error.code < 500:
        return ApiError(error.code if error.code in TEXTS else 400)
    if isinstance(error, StoreError):  # the store is closing down
        return ApiError(503, headers={"Retry-After": "5"})
    log.exception("query failed: %s %s", request.method, request.path, exc_info=error)
    return ApiError(500)


def handle_errors(app: Flask) -> None:
    """Every error leaves the application in its product's shape, never as a traceback."""

    def respond(error: Exception) -> Response:
        return product_of(request.path).response(_as_api_error(error))

    app.register_error_handler(Exception, respond)
