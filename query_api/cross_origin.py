"""Web pages of the origins in ``cors_origins`` may ask from a browser (CORS); no others, and never with cookies."""

from collections.abc import Collection

from flask import Flask, Response, request

ALLOWED_HEADERS = "Authorization, Content-Type, X-Api-Key, X-Project-Id"
ALLOWED_METHODS = "GET, HEAD, POST"
MAX_AGE_S = "600"
"""How long a browser may remember the permission."""


def allow_origins(app: Flask, origins: Collection[str]) -> None:
    """Answers preflight requests of these origins and marks every answer to them as readable."""
    if not origins:
        return

    def is_allowed() -> bool:
        origin = request.headers.get("Origin")
        return bool(origin) and (origin in origins or "*" in origins)

    @app.before_request
    def preflight() -> Response | None:
        if request.method != "OPTIONS" or not is_allowed():
            return None
        permission = {
            "Access-Control-Allow-Methods": ALLOWED_METHODS,
            "Access-Control-Allow-Headers": ALLOWED_HEADERS,
            "Access-Control-Max-Age": MAX_AGE_S,
        }
        return Response(status=204, headers=permission)

    @app.after_request
    def mark(response: Response) -> Response:
        response.vary.add("Origin")
        if is_allowed():
            response.headers["Access-Control-Allow-Origin"] = request.headers["Origin"]
            response.headers["Access-Control-Expose-Headers"] = "Retry-After"
        return response
