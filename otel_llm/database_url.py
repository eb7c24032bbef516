"""Reading a database URL without a driver: its parts that may be shown, and the file of an embedded store."""

import re
from pathlib import Path
from urllib.parse import unquote

_PASSWORD = re.compile(r"(?<=://)([^/@:]*):.*@")
_BARE_PASSWORD = re.compile(r"^([^/@:]*):.*@")
_SECRET_PARAMETER = re.compile(r"(?i)([?&][^=&]*(?:password|secret|token|key)[^=&]*=)[^&#]*")


def safe_url(url: str) -> str:
    """The URL with every password replaced by ``***``: the only form that is logged or shown."""
    password = _PASSWORD if "://" in url else _BARE_PASSWORD  # a URL whose scheme was forgotten is shown in errors
    return _SECRET_PARAMETER.sub(r"\1***", password.sub(r"\1:***@", url))


def in_memory(url: str) -> bool:
    """True for a DuckDB store that is gone when its process ends."""
    return url.partition("://")[0].partition("+")[0] == "duckdb" and duckdb_file(url) is None


def duckdb_file(url: str) -> Path | None:
    """The file of a DuckDB URL; None for a store in memory and for other databases."""
    scheme, separator, path = url.partition(":///")
    if not separator or scheme.partition("+")[0] != "duckdb":
        return None
    path = unquote(path.partition("?")[0])
    return None if not path or path == ":memory:" else Path(path)
