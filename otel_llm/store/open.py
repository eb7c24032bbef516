"""From a database URL to an opened engine: the one place that knows which engines there are."""

from collections.abc import Callable
from importlib.util import find_spec
from typing import NamedTuple

import sqlalchemy as sa

from otel_llm.config import Settings
from otel_llm.database_url import safe_url
from otel_llm.errors import ConfigError
from otel_llm.store.engines.base import Engine


def _duckdb(url: sa.URL, settings: Settings) -> Engine:
    from otel_llm.store.engines.duckdb import DuckDBEngine

    path = url.database or ""
    return DuckDBEngine(
        "" if path == ":memory:" else path, threads=settings.duckdb_threads, memory_limit=settings.duckdb_memory_limit
    )


def _postgresql(url: sa.URL, settings: Settings) -> Engine:
    from otel_llm.store.engines.postgresql import PostgreSQLEngine

    return PostgreSQLEngine(url, query_timeout_s=settings.query_timeout_s)


def _clickhouse(url: sa.URL, settings: Settings) -> Engine:
    from otel_llm.store.engines.clickhouse import ClickHouseEngine

    return ClickHouseEngine(url, settings)


class _Known(NamedTuple):
    make: Callable[[sa.URL, Settings], Engine]
    driver: str
    """Module that speaks to the database."""
    extra: str
    """Extra of this package that installs it."""


_ENGINES: dict[str, _Known] = {
    "duckdb": _Known(_duckdb, "duckdb", ""),
    "postgresql": _Known(_postgresql, "psycopg", "postgres"),
    "postgres": _Known(_postgresql, "psycopg", "postgres"),
    "clickhousedb": _Known(_clickhouse, "clickhouse_connect", "clickhouse"),
    "clickhouse": _Known(_clickhouse, "clickhouse_connect", "clickhouse"),
}
_HINT = "Use duckdb:///FILE (embedded), postgresql+psycopg://USER@HOST/DATABASE or clickhousedb://USER@HOST/DATABASE."


def open_engine(database_url: str, settings: Settings | None = None) -> Engine:
    """The opened, migrated engine of a URL. Raises ConfigError for a URL nobody serves, StoreError when opening fails."""
    try:
        url = sa.make_url(database_url)
    except (sa.exc.ArgumentError, ValueError) as error:
        raise ConfigError(f"database URL {safe_url(database_url)!r} is not a URL. {_HINT}") from error
    known = _ENGINES.get(url.get_backend_name())
    if known is None:
        raise ConfigError(f"no engine for {url.get_backend_name()}:// URLs. {_HINT}")
    if find_spec(known.driver) is None:
        raise ConfigError(
            f"{url.get_backend_name()}:// URLs need the package {known.driver.replace('_', '-')}: "
            f"pip install 'otel-llm[{known.extra}]' (in a clone: pip install -e '.[{known.extra}]')"
        )
    engine = known.make(url, settings or Settings())
    engine.open()
    return engine
