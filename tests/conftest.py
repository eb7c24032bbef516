"""Fixtures for every folder of tests."""

from hypothesis import settings

from tests.engines import clickhouse_folder, clickhouse_http, new_clickhouse, new_postgresql, postgresql_server

__all__ = ["clickhouse_folder", "clickhouse_http", "new_clickhouse", "new_postgresql", "postgresql_server"]

# Machines are shared: a time limit for one example says more about the neighbours than about the code.
settings.register_profile("shared", deadline=None)
settings.load_profile("shared")
