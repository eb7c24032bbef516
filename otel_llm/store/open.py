"""From a database URL to an opened engine: the one place that knows which engines there are."""

from collections.abc import Callable

import sqlalchemy as sa

from otel_llm.config import Settings
from otel_llm.errors import ConfigError
from otel_llm.store.engines.base import Engine


def _duckdb(url: sa.URL, settings: Settings) -> Engine:
    from otel_llm.store.engines.duckdb import DuckDBEngine

    path = url.database or ""
    return DuckDBEngine(
        "" if path == ":memory:" else path, threads=settings.duckdb_threads, memory_limit=settings.duckdb_memory_limit
    )


_ENGINES: dict[str, Callable[[sa.URL, Settings], Engine]] = {"duckdb": _duckdb}
_HINT = "Use duckdb:///FILE (embedded), postgresql+psycopg://USER@HOST/DATABASE or clickhousedb://USER@HOST/DATABASE."


def open_engine(database_url: str, settings: Settings | None = None) -> Engine:
    """The opened, migrated engine of a URL. Raises ConfigError for a URL nobody serves, StoreError when opening fails."""
    try:
        url = sa.make_url(database_url)
    except sa.exc.ArgumentError as error:
        # the text may hold a password, and without a scheme nobody can say where
        raise ConfigError(f"the database URL is not a URL. {_HINT}") from error
    make = _ENGINES.get(url.get_backend_name())
    if make is None:
        raise ConfigError(f"no engine for {url.get_backend_name()}:// URLs. {_HINT}")
    engine = make(url, settings or Settings())
    engine.open()
    return engine
