"""Fixtures for every folder of tests."""

from tests.engines import new_clickhouse, new_postgresql, postgresql_server

__all__ = ["new_clickhouse", "new_postgresql", "postgresql_server"]
