"""JSON answers: integers of any size without a fraction, decimals as exact numbers, and the headers of every response."""

from typing import Any

import msgspec
from flask import Flask, Response

_ENCODER = msgspec.json.Encoder(decimal_format="number")

SECURITY_HEADERS: dict[str, str] = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
}
"""Set on every response that does not set them itself."""


def answer(body: Any, status: int = 200) -> Response:
    """A JSON response."""
    return Response(_ENCODER.encode(body), status, mimetype="application/json")


def add_security_headers(app: Flask) -> None:
    """Adds :data:`SECURITY_HEADERS` to every response of the application."""

    @app.after_request
    def add(response: Response) -> Response:
        for name, value in SECURITY_HEADERS.items():
            response.headers.setdefault(name, value)
        return response
