"""Login sessions live in the store: they outlive a restart and hold, and end, on every server of it."""

import pytest
import sqlalchemy as sa

from otel_llm.access import Door
from otel_llm.access import login_sessions as ls
from otel_llm.access.login_sessions import LoginSessions
from otel_llm.config import Settings
from otel_llm.errors import Unauthenticated
from otel_llm.store import schema
from otel_llm.store.engines.base import Engine
from otel_llm.store.open import open_engine


class Clock:
    """A time that tests set."""

    def __init__(self) -> None:
        self.now = 1_700_000_000 * ls.NS

    def __call__(self) -> int:
        return self.now


def server(engine: Engine, clock: Clock, remember_s: float = 0.0) -> LoginSessions:
    """The sessions of one more server of a store."""
    door = Door(engine, Settings(), clock)
    return LoginSessions(engine.sql, door, remember_s, clock)


def rows(engine: Engine) -> int:
    with engine.sql.connect() as connection:
        return int(connection.execute(sa.select(sa.func.count()).select_from(schema.login_sessions)).scalar_one())


def test_a_session_outlives_a_restart_and_ends_everywhere_at_logout(engine_url: str) -> None:
    engine, clock = open_engine(engine_url, Settings()), Clock()
    key = Door(engine, Settings(), clock).register.create_key("red", actor="test").key.public_key
    token = server(engine, clock).begin(key)
    engine.close()
    engine = open_engine(engine_url, Settings())
    here, there = server(engine, clock), server(engine, clock)
    assert here.caller(token).project == there.caller(token).project == "red"
    here.end(token)
    for one in (here, there, server(engine, clock)):
        with pytest.raises(Unauthenticated):
            one.caller(token)
    here.end(token)  # twice does no harm
    with engine.sql.connect() as connection:
        stored = connection.execute(sa.select(schema.login_sessions.c.token_sha256)).scalars().all()
    assert token.encode() not in [bytes(digest) for digest in stored]
    engine.close()


def test_a_session_ends_with_its_time_and_with_its_key(engine: Engine) -> None:
    clock = Clock()
    door = Door(engine, Settings(), clock)
    sessions = LoginSessions(engine.sql, door, 0.0, clock)
    key = door.register.create_key("red", actor="test").key.public_key
    other = door.register.create_key("red", actor="test").key.public_key
    door.refresh()
    token, later = sessions.begin(key), sessions.begin(other)
    door.register.revoke_key(key, actor="test")
    door.refresh()
    with pytest.raises(Unauthenticated):
        sessions.caller(token)
    assert sessions.caller(later).key_id == other
    clock.now += ls.LIFETIME_S * ls.NS
    with pytest.raises(Unauthenticated):
        sessions.caller(later)
    with pytest.raises(Unauthenticated):
        sessions.caller("never given out")


def test_a_remembered_session_ends_at_once_where_it_is_ended(engine: Engine) -> None:
    clock = Clock()
    here, there = server(engine, clock, remember_s=3_600), server(engine, clock, remember_s=3_600)
    token = here.begin(Door(engine, Settings(), clock).register.create_key("red", actor="test").key.public_key)
    assert here.caller(token).project == there.caller(token).project
    here.end(token)
    with pytest.raises(Unauthenticated):
        here.caller(token)
    assert there.caller(token).project == "red", "known elsewhere for the time it is remembered"


def test_the_number_of_sessions_is_bounded_and_old_ones_are_cleared(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ls, "MAX_PER_KEY", 3)
    clock = Clock()
    sessions = server(engine, clock)
    key = Door(engine, Settings(), clock).register.create_key("red", actor="test").key.public_key
    tokens = []
    for _ in range(6):
        clock.now += ls.NS
        tokens.append(sessions.begin(key))
    assert rows(engine) == 3
    with pytest.raises(Unauthenticated):
        sessions.caller(tokens[2])
    assert sessions.caller(tokens[3]).project == "red"
    sessions.end(tokens[3])
    clock.now += (ls.LIFETIME_S + 1) * ls.NS
    restarted = server(engine, clock)
    restarted.begin(key)
    assert rows(engine) == 1
