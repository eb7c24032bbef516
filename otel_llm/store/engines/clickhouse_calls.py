"""Calls to ClickHouse that are repeated until the server answers.

Every insert of this store may be sent twice: rows carry versions, and rejections a token. So a call whose answer got lost is
simply made again.
"""

import logging
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

from clickhouse_connect.driver import Client
from clickhouse_connect.driver.exceptions import ClickHouseError, DatabaseError, DataError, ProgrammingError

from otel_llm.errors import StoreUnavailable

log = logging.getLogger(__name__)

Result = TypeVar("Result")

_PAUSE_S = 0.3
_PASSING = frozenset(
    {
        "ALL_CONNECTION_TRIES_FAILED",
        "KEEPER_EXCEPTION",
        "MEMORY_LIMIT_EXCEEDED",
        "NETWORK_ERROR",
        "NO_ACTIVE_REPLICAS",
        "SOCKET_TIMEOUT",
        "TABLE_IS_READ_ONLY",
        "TIMEOUT_EXCEEDED",
        "TOO_FEW_LIVE_REPLICAS",
        "TOO_MANY_PARTS",
        "TOO_MANY_SIMULTANEOUS_QUERIES",
        "UNKNOWN_STATUS_OF_INSERT",
        "UNSATISFIED_QUORUM_FOR_PREVIOUS_WRITE",
    }
)
"""Errors of a server that is busy, starting or cut off: the same call may succeed later."""


class Connections:
    """The writer's connection, made when needed."""

    def __init__(self, connect: Callable[[], Any]) -> None:
        self._connect = connect
        self._connection: Any = None

    def client(self) -> Client:
        """The client of a live connection."""
        if self._connection is None:
            self._connection = self._connect()
        client: Client = self._connection.client
        return client

    def drop(self) -> None:
        """Closes the connection; the next call makes a new one."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(Exception):  # it may be broken already
                connection.close()


class Caller:
    """Repeats calls until a deadline (``time.monotonic``)."""

    def __init__(self, connections: Connections, deadline: float) -> None:
        self._connections = connections
        self._deadline = deadline

    def __call__(self, call: Callable[[Client], Result]) -> Result:
        """The result of the call. Raises StoreUnavailable when the server does not answer, other errors as they are."""
        while True:
            try:
                return call(self._connections.client())
            except ClickHouseError as error:
                if not _passing(error):
                    raise
                self._connections.drop()
                if time.monotonic() + _PAUSE_S >= self._deadline:
                    raise StoreUnavailable(f"ClickHouse does not take the commit: {error}") from error
                log.info("a call to ClickHouse is repeated: %s", error)
                time.sleep(_PAUSE_S)


def _passing(error: ClickHouseError) -> bool:
    if isinstance(error, (DataError, ProgrammingError)):
        return False
    name, code = getattr(error, "name", None), getattr(error, "code", None)
    if code is None and name is None:
        return isinstance(error, DatabaseError)  # no answer of the server at all
    return name in _PASSING
