"""Time to first token of streamed calls, where the instrumentation forgets it.

The streams of the ``openai`` and ``anthropic`` clients are watched at their source, below every instrumentation, so the
order in which things are instrumented does not matter. When a stream is made, the live LLM-call spans around it are
claimed; when its first chunk arrives, those that lack it get the conventions' own attribute: seconds from the span's start
to the first chunk of any kind (https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-spans/).

The app sees the very same chunks, exceptions and stream objects; a chunk after the first costs one Python call more.
"""

import functools
import importlib.util
import logging
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Iterator
from types import ModuleType
from typing import Any

from opentelemetry.trace import Span

from otel_llm.sdk import live_calls

logger = logging.getLogger("otel_llm")

FIRST_CHUNK = "gen_ai.response.time_to_first_chunk"
CLIENTS = ("openai", "anthropic")
"""Clients whose ``Stream`` and ``AsyncStream`` are watched."""
_WATCH = "_otel_llm_watch"
_originals: dict[tuple[type, str], Any] = {}
_NS = 1_000_000_000


def mark_first_chunk(spans: list[Span]) -> None:
    """Sets the time since its start on every span that still records and has no such time yet. Never raises."""
    now = time.time_ns()
    for span in spans:
        try:
            if not span.is_recording() or FIRST_CHUNK in live_calls.attributes_of(span):
                continue
            start: int | None = getattr(span, "start_time", None)
            if start is not None and now > start:
                span.set_attribute(FIRST_CHUNK, (now - start) / _NS)
        except Exception:  # telemetry never breaks the app
            logger.debug("a first chunk was not marked", exc_info=True)


class _Watch:
    """What a stream needs to know for its first chunk: the spans it belongs to, and when it was made."""

    __slots__ = ("made", "spans")

    def __init__(self) -> None:
        self.spans = live_calls.claim()
        self.made = time.time_ns()

    def first_chunk(self) -> None:
        """Marks the spans; those too that were opened after the stream was made, with an earlier start."""
        try:
            spans = self.spans or live_calls.claim(started_before=self.made)
            mark_first_chunk(spans)
        except Exception:  # telemetry never breaks the app
            logger.debug("a first chunk was not marked", exc_info=True)


class _Watched:
    """An iterator that marks its first item; everything else is the inner iterator's own."""

    __slots__ = ("_inner", "_next", "_watch")

    def __init__(self, inner: Iterator[Any], watch: _Watch) -> None:
        self._inner = inner
        self._next = inner.__next__
        self._watch: _Watch | None = watch

    def __iter__(self) -> "_Watched":
        return self

    def __next__(self) -> Any:
        if self._watch is None:
            return self._next()
        item = self._next()
        self._watch.first_chunk()
        self._watch = None
        return item

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


class _WatchedAsync:
    """The same for an asynchronous iterator."""

    __slots__ = ("_inner", "_next", "_watch")

    def __init__(self, inner: AsyncIterator[Any], watch: _Watch) -> None:
        self._inner = inner
        self._next = inner.__anext__
        self._watch: _Watch | None = watch

    def __aiter__(self) -> "_WatchedAsync":
        return self

    def __anext__(self) -> Awaitable[Any]:
        return self._next() if self._watch is None else self._first()

    async def _first(self) -> Any:
        item = await self._next()
        watch, self._watch = self._watch, None
        if watch is not None:
            watch.first_chunk()
        return item

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


_STREAMS: dict[str, type[_Watched] | type[_WatchedAsync]] = {"Stream": _Watched, "AsyncStream": _WatchedAsync}


def install() -> None:
    """Watches the clients that are installed; those not imported yet when they are. Doing it again changes nothing."""
    for client in CLIENTS:
        if client in sys.modules:
            _watch(sys.modules[client])
        elif importlib.util.find_spec(client) is not None:
            try:
                from wrapt import register_post_import_hook
            except ImportError:  # no instrumentation is installed either: every one of them brings it
                return
            register_post_import_hook(_watch, client)


def uninstall() -> None:
    """Puts the clients back as they were; streams that are being read stay watched."""
    for (stream, method), original in _originals.items():
        setattr(stream, method, original)
    _originals.clear()


def _watch(client: ModuleType) -> None:
    try:
        for name, watched in _STREAMS.items():
            stream = getattr(client, name)
            if (stream, "__init__") in _originals:
                continue
            make, init = stream.__stream__, stream.__init__
            _originals[stream, "__stream__"], _originals[stream, "__init__"] = make, init
            stream.__init__ = _claiming(init)
            stream.__stream__ = _watching(make, watched)
    except Exception:  # a client made differently is left alone
        logger.debug("streams of %s are not watched", client.__name__, exc_info=True)


def _claiming(init: Any) -> Any:
    """A stream is made in the context of its request: this is where its spans can be found."""

    @functools.wraps(init)
    def claim_spans(self: Any, *args: Any, **kwargs: Any) -> None:
        try:
            setattr(self, _WATCH, _Watch())
        except Exception:  # telemetry never breaks the app
            logger.debug("the spans of a stream were not found", exc_info=True)
        init(self, *args, **kwargs)

    return claim_spans


def _watching(make: Any, watched: type[_Watched] | type[_WatchedAsync]) -> Any:
    @functools.wraps(make)
    def watch_stream(self: Any) -> Any:
        watch = getattr(self, _WATCH, None)
        return make(self) if watch is None else watched(make(self), watch)

    return watch_stream
