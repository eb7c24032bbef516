"""A real store in memory, a door on it, and a clock that tests move."""

import base64
from collections.abc import Iterator

import pytest

from otel_llm.access import Door, Register
from otel_llm.config import Settings
from otel_llm.store.engines.base import Engine
from otel_llm.store.open import open_engine

SECOND = 1_000_000_000


class Clock:
    """A clock in ns that only moves when told."""

    def __init__(self) -> None:
        self.now = 1_790_000_000 * SECOND

    def __call__(self) -> int:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += int(seconds * SECOND)


@pytest.fixture
def access_engine() -> Iterator[Engine]:
    engine = open_engine("duckdb:///:memory:", Settings())
    yield engine
    engine.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def register(access_engine: Engine, clock: Clock) -> Register:
    return Register(access_engine.sql, clock)


@pytest.fixture
def door(access_engine: Engine, clock: Clock) -> Iterator[Door]:
    door = Door(access_engine, Settings(keys_refresh_s=0.05), clock)
    yield door
    door.stop()


def basic(public_key: str, secret: str) -> dict[str, str]:
    return {"authorization": "Basic " + base64.b64encode(f"{public_key}:{secret}".encode()).decode()}


def bearer(secret: str) -> dict[str, str]:
    return {"authorization": f"Bearer {secret}"}
