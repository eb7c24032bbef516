"""The register: keys, projects, audit, on the append-only tables."""

import pytest
import sqlalchemy as sa

from otel_llm.access import Register, RegisterError, UnknownNameError
from otel_llm.access import register as register_module
from otel_llm.store import schema
from otel_llm.store.engines.base import Engine
from tests.access.conftest import SECOND, Clock


def actions(register: Register, project: str | None = None) -> list[str]:
    return [entry.action for entry in register.audit_entries(project)][::-1]


def test_a_new_key_makes_its_project_and_both_are_audited(register: Register) -> None:
    new = register.create_key("shop", actor="operator")
    contents = register.read()
    assert contents.keys == {new.key.public_key: new.key}
    assert set(contents.projects) == {"default", "shop"}
    assert sorted(actions(register)) == ["key.create", "project.create"]


@pytest.mark.parametrize("name", ["", "a b", "../x", "x" * 65, "-x", "a/b", "é", "a\n", "'; drop table keys; --"])
def test_names_that_are_unsafe_in_a_header_or_a_path_are_refused(register: Register, name: str) -> None:
    with pytest.raises(RegisterError, match="letters, digits"):
        register.create_key(name, actor="operator")
    with pytest.raises(RegisterError, match="letters, digits"):
        register.create_project(name, actor="operator")
    assert not register.read().keys


@pytest.mark.parametrize("scopes", [[], ["write"], ["ingest", "root"]])
def test_unknown_scopes_are_refused(register: Register, scopes: list[str]) -> None:
    with pytest.raises(RegisterError, match="scopes"):
        register.create_key("shop", scopes, actor="operator")  # type: ignore[arg-type]


def test_an_expiry_in_the_past_is_refused(register: Register, clock: Clock) -> None:
    with pytest.raises(RegisterError, match="future"):
        register.create_key("shop", expires_ns=clock.now, actor="operator")


def test_rotation_keeps_project_scopes_and_expiry_and_ends_the_old_key(register: Register, clock: Clock) -> None:
    old = register.create_key("shop", ["ingest"], expires_ns=clock.now + 100 * SECOND, actor="operator").key
    new = register.rotate_key(old.public_key, actor="operator").key
    assert (new.project, new.scopes, new.expires_ns) == (old.project, old.scopes, old.expires_ns)
    assert new.public_key != old.public_key
    assert register.read().keys[old.public_key].status(clock.now) == "revoked"
    with pytest.raises(RegisterError, match="revoked"):
        register.rotate_key(old.public_key, actor="operator")


def test_rotation_with_grace_lets_the_old_key_live_until_then_but_no_longer_than_it_would_have(
    register: Register, clock: Clock
) -> None:
    unlimited = register.create_key("shop", actor="operator").key
    limited = register.create_key("shop", expires_ns=clock.now + 5 * SECOND, actor="operator").key
    for key in (unlimited, limited):
        register.rotate_key(key.public_key, grace_s=60, actor="operator")
    keys = register.read().keys
    assert keys[unlimited.public_key].expires_ns == clock.now + 60 * SECOND
    assert keys[limited.public_key].expires_ns == clock.now + 5 * SECOND
    assert keys[unlimited.public_key].valid(clock.now)


def test_revoking_twice_keeps_the_first_time(register: Register, clock: Clock) -> None:
    key = register.create_key("shop", actor="operator").key
    first = register.revoke_key(key.public_key, actor="operator").revoked_ns
    clock.advance(5)
    assert register.revoke_key(key.public_key, actor="operator").revoked_ns == first
    assert actions(register).count("key.revoke") == 1


def test_what_is_not_there_is_said_by_name(register: Register) -> None:
    for change in (
        lambda: register.revoke_key("pk-otel-none", actor="operator"),
        lambda: register.rotate_key("pk-otel-none", actor="operator"),
        lambda: register.delete_project("none", actor="operator"),
    ):
        with pytest.raises(UnknownNameError, match="none"):
            change()


def test_a_deleted_project_takes_no_new_keys_and_comes_back_without_its_old_ones(register: Register, clock: Clock) -> None:
    old = register.create_key("shop", actor="operator").key
    clock.advance(1)
    register.delete_project("shop", actor="operator")
    assert register.read().projects["shop"].deleted_ns == clock.now
    for refused in (
        lambda: register.create_key("shop", actor="operator"),
        lambda: register.rotate_key(old.public_key, actor="operator"),
    ):
        with pytest.raises(RegisterError, match="deleted"):
            refused()
    clock.advance(1)
    register.create_project("shop", actor="operator")
    contents = register.read()
    assert contents.projects["shop"].deleted_ns is None
    assert not contents.keys[old.public_key].valid(clock.now)


def test_a_project_that_exists_is_not_made_twice(register: Register) -> None:
    for name in ("default", "shop"):
        if name == "shop":
            register.create_project(name, actor="operator")
        with pytest.raises(RegisterError, match="exists"):
            register.create_project(name, actor="operator")


def test_audit_entries_are_newest_first_and_those_of_another_project_stay_out(register: Register, clock: Clock) -> None:
    register.create_key("shop", actor="operator")
    clock.advance(1)
    register.create_key("other", actor="operator")
    clock.advance(1)
    register.note("request.refuse", actor="server", detail={"count": 3})
    assert sorted(actions(register, "shop")) == ["key.create", "project.create", "request.refuse"]
    assert {entry.project for entry in register.audit_entries("shop")} == {"shop", None}
    assert register.audit_entries(None)[0].action == "request.refuse"
    assert len(register.audit_entries(None, limit=2)) == 2


def test_the_mark_changes_with_every_change(register: Register, clock: Clock) -> None:
    marks = [register.mark()]
    key = register.create_key("shop", actor="operator").key
    marks.append(register.mark())
    register.note_use({key.public_key: clock.now})
    marks.append(register.mark())
    register.delete_project("shop", actor="operator")
    marks.append(register.mark())
    assert len(set(marks)) == 4


def test_repeated_rows_are_cleared_without_changing_any_state(
    register: Register, access_engine: Engine, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(register_module, "COMPACT_ABOVE_ROWS", 10)
    used = register.create_key("shop", actor="operator").key
    gone = register.create_key("shop", actor="operator").key
    register.revoke_key(gone.public_key, actor="operator")
    for _ in range(30):
        clock.advance(60)
        register.note_use({used.public_key: clock.now})
    before = register.read().keys
    clock.advance(3600)
    assert register.compact() > 10
    assert register.read().keys == before
    with access_engine.sql.connect() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(schema.keys)) == 2
    assert register.compact() == 0


def test_clearing_leaves_young_rows_of_other_processes_alone(
    register: Register, access_engine: Engine, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(register_module, "COMPACT_ABOVE_ROWS", 0)
    key = register.create_key("shop", actor="operator").key
    for _ in range(5):
        register.note_use({key.public_key: clock.now})
    register.compact()
    with access_engine.sql.connect() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(schema.keys)) == 7
