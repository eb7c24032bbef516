"""The door: who comes in, with what, and how soon changes are felt."""

import logging
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otel_llm.access import OPEN_CALLER, Caller, Door, Register
from otel_llm.config import Settings
from otel_llm.errors import PermissionDenied, Unauthenticated
from otel_llm.store.engines.base import Engine
from tests.access.conftest import Clock, basic, bearer

PEER = "ipv4:10.0.0.7:40000"


def wait_until(condition: object, timeout: float = 5.0) -> None:
    deadline = time.monotonic() + timeout
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline, "not within the time allowed"
        time.sleep(0.01)


def refused(door: Door, headers: dict[str, str]) -> bool:
    try:
        door.authenticate(headers, PEER)
    except Unauthenticated:
        return True
    return False


def test_a_loopback_server_is_open_while_no_key_exists_whatever_is_sent(door: Door) -> None:
    for headers in ({}, bearer("anything"), {"x-api-key": "x", "x-project-id": "other"}, {"host": "localhost:8000"}):
        assert door.authenticate(headers, PEER) == OPEN_CALLER
    assert door.open


def test_the_first_key_closes_the_door_and_revoking_it_does_not_open_it_again(door: Door) -> None:
    new = door.register.create_key("shop", actor="operator")
    door.refresh()
    assert not door.open
    assert refused(door, {})
    door.register.revoke_key(new.key.public_key, actor="operator")
    door.refresh()
    assert not door.open
    assert refused(door, {})
    assert refused(door, bearer(new.secret_key))


def test_an_address_that_others_reach_is_never_open(access_engine: Engine) -> None:
    door = Door(access_engine, Settings(host="0.0.0.0"))
    assert not door.open
    assert refused(door, {})


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8000", "127.0.0.1.evil.example", "10.0.0.1:8000"])
def test_an_open_server_refuses_pages_that_reach_it_under_a_foreign_name(door: Door, host: str) -> None:
    with pytest.raises(Unauthenticated, match="localhost"):
        door.authenticate({"host": host}, PEER)
    with pytest.raises(Unauthenticated, match="localhost"):
        door.authenticate({"host": "127.0.0.1:8000", "origin": f"http://{host}"}, PEER)


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8000", "127.0.0.1:8000", "[::1]:8000", "app.localhost:8000"])
def test_an_open_server_answers_under_every_loopback_name(door: Door, host: str) -> None:
    assert door.authenticate({"host": host, "origin": f"http://{host}"}, PEER) == OPEN_CALLER


def test_every_style_opens_with_the_same_key(door: Door) -> None:
    new = door.register.create_key("shop", actor="operator")
    door.refresh()
    expected = Caller("shop", new.key.public_key, frozenset({"ingest", "read"}))
    for headers in (basic(new.key.public_key, new.secret_key), bearer(new.secret_key), {"x-api-key": new.secret_key}):
        assert door.authenticate(headers, PEER) == expected


def test_halves_and_mixed_pairs_open_nothing_and_are_all_told_the_same(door: Door) -> None:
    one = door.register.create_key("shop", actor="operator")
    two = door.register.create_key("other", actor="operator")
    door.refresh()
    told = set()
    for headers in (
        basic(one.key.public_key, two.secret_key),
        basic(two.key.public_key, one.secret_key),
        basic(one.secret_key, one.key.public_key),
        basic("", one.secret_key),
        basic(one.key.public_key, one.key.public_key),
        basic("pk-otel-unknown", one.secret_key),
        bearer(one.key.public_key),
        bearer(one.secret_key[:-1]),
        bearer(one.secret_key + "x"),
        bearer(one.secret_key.swapcase()),
        bearer(one.key.secret_sha256.hex()),
        {"x-api-key": one.key.public_key},
        {"x-project-id": "shop"},
        {},
    ):
        with pytest.raises(Unauthenticated) as refusal:
            door.authenticate(headers, PEER)
        told.add(str(refusal.value))
    assert len(told) == 1


@settings(max_examples=50, deadline=None)
@given(st.binary(min_size=1, max_size=60))
def test_no_random_credential_opens_a_closed_door(closed_door: Door, junk: bytes) -> None:
    text = junk.decode("latin-1")
    assert refused(closed_door, bearer(text))
    assert refused(closed_door, {"x-api-key": text})
    assert refused(closed_door, basic(text, text))


@pytest.fixture(scope="module")
def closed_door() -> Door:
    from otel_llm.store.open import open_engine

    door = Door(open_engine("duckdb:///:memory:", Settings()), Settings())
    door.register.create_key("shop", actor="operator")
    door.refresh()
    return door


def test_an_expired_key_is_refused_from_its_expiry_on(door: Door, clock: Clock) -> None:
    new = door.register.create_key("shop", expires_ns=clock.now + 10 * 10**9, actor="operator")
    door.refresh()
    clock.advance(9.99)
    assert not refused(door, bearer(new.secret_key))
    clock.advance(0.01)
    assert refused(door, bearer(new.secret_key))


def test_changes_made_by_another_process_are_felt_without_a_restart(door: Door, register: Register) -> None:
    door.start()
    new = register.create_key("shop", actor="operator")
    wait_until(lambda: not door.open)
    assert not refused(door, bearer(new.secret_key))
    rotated = register.rotate_key(new.key.public_key, actor="operator")
    wait_until(lambda: refused(door, bearer(new.secret_key)))
    assert not refused(door, bearer(rotated.secret_key))
    register.delete_project("shop", actor="operator")
    wait_until(lambda: door.project_deleted("shop"))
    assert not refused(door, bearer(rotated.secret_key)), "the key of a deleted project still says who it is"


def test_keys_stay_in_force_while_the_store_cannot_be_read(door: Door, access_engine: Engine) -> None:
    new = door.register.create_key("shop", actor="operator")
    door.start()
    access_engine.close()
    time.sleep(0.2)
    assert not refused(door, bearer(new.secret_key))


def test_last_use_is_written_back_at_the_end(door: Door, register: Register, clock: Clock) -> None:
    new = door.register.create_key("shop", actor="operator")
    door.start()
    assert register.read().keys[new.key.public_key].last_used_ns is None
    clock.advance(5)
    door.authenticate(bearer(new.secret_key), PEER)
    door.stop()
    assert register.read().keys[new.key.public_key].last_used_ns == clock.now


def test_a_check_does_not_ask_the_database(door: Door, access_engine: Engine) -> None:
    new = door.register.create_key("shop", actor="operator")
    door.refresh()
    access_engine.close()
    for _ in range(100):
        assert door.authenticate(bearer(new.secret_key), PEER).project == "shop"
        assert refused(door, bearer("wrong"))


def test_scopes_are_kept_apart_and_admin_holds_all(door: Door) -> None:
    may = {
        scope: {
            wanted
            for wanted in ("ingest", "read", "admin")
            if _authorized(door, Caller("shop", "pk", frozenset({scope})), wanted)  # type: ignore[arg-type]
        }
        for scope in ("ingest", "read", "admin")
    }
    assert may == {"ingest": {"ingest"}, "read": {"read"}, "admin": {"ingest", "read", "admin"}}


def _authorized(door: Door, caller: Caller, scope: str) -> bool:
    try:
        door.authorize(caller, scope, PEER)  # type: ignore[arg-type]
    except PermissionDenied:
        return False
    return True


def test_refusals_are_logged_without_the_secret_and_counted_in_the_audit_log(
    door: Door, register: Register, caplog: pytest.LogCaptureFixture
) -> None:
    new = door.register.create_key("shop", actor="operator")
    door.start()
    canary = "canary-secret-that-must-not-be-logged"
    with caplog.at_level(logging.DEBUG):
        for _ in range(500):
            assert refused(door, bearer(canary))
            assert refused(door, basic(canary, canary))
            assert refused(door, basic(new.key.public_key, canary))
        assert not refused(door, bearer(new.secret_key))
        door.stop()
    assert canary not in caplog.text
    assert new.secret_key not in caplog.text
    assert sum("refused a request from 10.0.0.7" in line for line in caplog.messages) == 1
    [entry] = [entry for entry in register.audit_entries(None) if entry.action == "request.refuse"]
    assert entry.detail["count"] == 1500
    assert entry.detail["addresses"] == {"10.0.0.7": 1500}
    assert canary not in str(register.audit_entries(None))


def test_what_a_known_key_was_refused_and_what_it_took_out_is_in_the_audit_log(door: Door, register: Register) -> None:
    new = door.register.create_key("shop", ["ingest"], actor="operator")
    door.start()
    caller = door.authenticate(bearer(new.secret_key), PEER)
    for _ in range(3):
        with pytest.raises(PermissionDenied):
            door.authorize(caller, "read", PEER)
    door.count_refusal("foreign project named", caller, PEER)
    door.count_export(caller, "calls.csv")
    door.count_export(caller, "calls.csv")
    door.stop()
    entries = {entry.action: entry for entry in register.audit_entries(None)}
    assert entries["request.refuse"].detail["reasons"] == {"scope read missing": 3, "foreign project named": 1}
    export = entries["data.export"]
    assert (export.project, export.actor) == ("shop", new.key.public_key)
    assert export.detail == {"what": "calls.csv", "times": 2}


def test_a_hundred_thousand_bad_keys_do_not_slow_a_good_one(door: Door) -> None:
    """A ratio within one run: the good key's checks among a flood take no longer than a few times those in silence."""
    new = door.register.create_key("shop", actor="operator")
    door.refresh()
    good = bearer(new.secret_key)

    def best_of(rounds: int, *, flood: int) -> float:
        best = float("inf")
        for number in range(rounds):
            for index in range(flood):
                refused(door, bearer(f"bad-{number}-{index}"))
            start = time.perf_counter()
            for _ in range(200):
                door.authenticate(good, PEER)
            best = min(best, (time.perf_counter() - start) / 200)
        return best

    quiet = best_of(20, flood=0)
    flooded = best_of(20, flood=5_000)
    print(f"good key: {quiet * 1e6:.1f} us in silence, {flooded * 1e6:.1f} us after 100,000 bad ones")
    assert flooded < 5 * quiet + 5e-6
    assert flooded < 50e-6
