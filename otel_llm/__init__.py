"""OpenTelemetry GenAI telemetry: the library that the receiver, the query API and an instrumented app import.

What an app uses is here: :func:`configure`, :func:`shutdown`, :class:`context`, :class:`llm_call`. The names are loaded on
first use, so that importing the package costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from otel_llm.sdk.context import context as context
    from otel_llm.sdk.llm_call import llm_call as llm_call
    from otel_llm.sdk.set_up import configure as configure
    from otel_llm.sdk.set_up import shutdown as shutdown

__version__ = "0.1.0"
__all__ = ["__version__", "configure", "context", "llm_call", "shutdown"]

_HOME = {
    "configure": "otel_llm.sdk.set_up",
    "context": "otel_llm.sdk.context",
    "llm_call": "otel_llm.sdk.llm_call",
    "shutdown": "otel_llm.sdk.set_up",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_HOME[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})
