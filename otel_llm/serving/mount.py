"""Several ASGI apps on one port, by path prefix."""

from collections.abc import Mapping

from otel_llm.serving.asgi import App, Receive, Scope, Send


class Mount:
    """Sends a request to the app whose prefix its path starts with, else to the default. Paths are passed on unchanged."""

    def __init__(self, default: App, prefixes: Mapping[str, App]) -> None:
        self._default = default
        self._prefixes = tuple(prefixes.items())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        for prefix, app in self._prefixes:
            if scope["path"].startswith(prefix):
                await app(scope, receive, send)
                return
        await self._default(scope, receive, send)
