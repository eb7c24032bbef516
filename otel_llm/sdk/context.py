"""Who and what a block of the app works for: user, session, tags, trace name, metadata on every span inside it.

    with otel_llm.context(user="u-17", session="chat-4", tags=["beta"]):
        answer(question)

The values travel in the OpenTelemetry context, so they reach every span that starts inside the block: in the same thread,
in asyncio tasks it starts, in jobs it submits to a thread pool, and, while the block lasts, in threads it starts.
"""

import functools
import inspect
from collections.abc import Callable, Iterable, Mapping
from contextvars import Token
from types import TracebackType
from typing import Any, Self, TypeVar, cast

from opentelemetry import context as otel_context
from opentelemetry.context import Context
from opentelemetry.util.types import AttributeValue

from otel_llm.sdk.block import BLOCK_KEY, Block, current_block
from otel_llm.sdk.threads import carry_into_threads

TAGS = "tag.tags"
_METADATA = "metadata."
_PLAIN = (str, bool, int, float)
_Function = TypeVar("_Function", bound=Callable[..., Any])


class context:  # noqa: N801 reads like a keyword of the language, as contextlib's own do
    """A block (``with``, ``async with``, or a decorator) whose spans carry the given values.

    ``user`` and ``session`` are ids; ``tags`` are trace tags, ``metadata`` values are kept as text, number or truth value;
    ``user_name``, ``user_tags`` and ``request_tags`` are what LangDB calls so. Blocks nest: the inner value wins, tags and
    metadata add up. A value that a span sets itself stays.
    """

    def __init__(
        self,
        *,
        user: str | None = None,
        session: str | None = None,
        tags: Iterable[str] = (),
        trace_name: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        user_name: str | None = None,
        user_tags: Iterable[str] = (),
        request_tags: Mapping[str, str] | None = None,
        environment: str | None = None,
    ) -> None:
        texts = {
            "user.id": user,
            "user.name": user_name,
            "session.id": session,
            "langfuse.trace.name": trace_name,
            "langfuse.environment": environment,
        }
        self._attributes: dict[str, AttributeValue] = {key: str(value) for key, value in texts.items() if value is not None}
        self._tags = _texts(tags)
        if named := _texts(user_tags):
            self._attributes["user.tags"] = named
        for key, value in (metadata or {}).items():
            if value is not None:
                self._attributes[_METADATA + str(key)] = value if isinstance(value, _PLAIN) else str(value)
        for key, value in (request_tags or {}).items():
            self._attributes[f"langdb.tag.{key}"] = str(value)
        self._entered: list[tuple[Token[Context], Block]] = []

    def __call__(self, function: _Function) -> _Function:
        """As a decorator of a plain or an async function: every call of it is a block of its own."""
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise TypeError("otel_llm.context decorates functions, not generators: open the block inside the generator")
        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def call_async(*args: Any, **kwargs: Any) -> Any:
                with self._again():
                    return await function(*args, **kwargs)

            return cast(_Function, call_async)

        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            with self._again():
                return function(*args, **kwargs)

        return cast(_Function, call)

    def _again(self) -> Self:
        again = object.__new__(type(self))
        again._attributes, again._tags, again._entered = self._attributes, self._tags, []
        return again

    def __enter__(self) -> Self:
        outer = current_block()
        attributes = {**(outer.attributes if outer else {}), **self._attributes}
        if self._tags:
            before = attributes.get(TAGS, ())
            attributes[TAGS] = tuple(dict.fromkeys((*cast(tuple[str, ...], before), *self._tags)))
        block = Block(attributes)
        carry_into_threads()
        self._entered.append((otel_context.attach(otel_context.set_value(BLOCK_KEY, block)), block))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        token, block = self._entered.pop()
        block.ended = True
        otel_context.detach(token)

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, trace)


def _texts(values: Iterable[str]) -> tuple[str, ...]:
    return (values,) if isinstance(values, str) else tuple(map(str, values))
