"""Where the server is that owns a DuckDB file: a small note beside the file, and the operator's socket.

A DuckDB file has one owner, so a command that finds it taken has to ask that owner, at whatever port it listens; through the
socket, if it may use that, as whoever holds the file.
"""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from ipaddress import ip_address
from pathlib import Path

from otel_llm.database_url import duckdb_file


def note_path(database_url: str) -> Path | None:
    """``otel-llm.duckdb`` → ``otel-llm.duckdb.server``; None for databases that several processes may open."""
    file = duckdb_file(database_url)
    return None if file is None else file.with_name(file.name + ".server")


@contextmanager
def private_files() -> Iterator[None]:
    """Files made meanwhile are for this user alone: a store holds who asked what, whatever the umask of the shell."""
    before = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(before)


def socket_path(database_url: str) -> Path | None:
    """``otel-llm.duckdb`` → ``otel-llm.duckdb.sock``; None as for :func:`note_path`."""
    file = duckdb_file(database_url)
    return None if file is None else file.with_name(file.name + ".sock")


def reachable(host: str) -> str:
    """A host as it stands in a URL of this machine: every address becomes loopback, IPv6 gets its brackets."""
    with suppress(ValueError):
        if ip_address(host).is_unspecified:
            host = "::1" if ":" in host else "127.0.0.1"
    return f"[{host}]" if ":" in host else host


def leave_note(database_url: str, api_url: str) -> None:
    """Writes the note of this process. A folder that cannot be written costs only the convenience."""
    path = note_path(database_url)
    if path is not None:
        with suppress(OSError):
            path.write_text(json.dumps({"api": api_url, "pid": os.getpid()}), encoding="utf-8")


def remove_note(database_url: str) -> None:
    """Removes the note if it is of this process."""
    path = note_path(database_url)
    if path is not None:
        with suppress(OSError, ValueError, KeyError):
            if json.loads(path.read_text(encoding="utf-8"))["pid"] == os.getpid():
                path.unlink()


def read_note(database_url: str) -> str | None:
    """The API address in the note; None when there is none that can be read. It may be stale."""
    path = note_path(database_url)
    if path is None:
        return None
    with suppress(OSError, ValueError, KeyError, TypeError):
        return str(json.loads(path.read_text(encoding="utf-8"))["api"])
    return None
