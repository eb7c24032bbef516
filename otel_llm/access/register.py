"""The register of keys and projects: the rows of the small tables, and every change to them with its audit entry.

Rows are only appended, so that one implementation serves every engine; :func:`compact` clears what later rows repeat.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

import sqlalchemy as sa

from otel_llm.access import audit, keys, projects
from otel_llm.access.caller import DEFAULT_PROJECT, SCOPES, Scope
from otel_llm.access.keys import Key, NewKey
from otel_llm.access.projects import Project
from otel_llm.errors import OtelLLMError
from otel_llm.store import schema

NS = 1_000_000_000
COMPACT_ABOVE_ROWS = 2_000
"""Rows beyond two per key before repeated ones are cleared: reading them all then still takes only milliseconds."""

SETTLED_AFTER_NS = 600 * NS
"""No process adds rows with a time this far back: clocks of servers that share a store differ by less."""

Clock = Callable[[], int]


class RegisterError(OtelLLMError):
    """A change that cannot be made; the text says why."""


class UnknownNameError(RegisterError):
    """No such key or project."""


@dataclass(frozen=True, slots=True)
class Contents:
    """Everything the register holds at one moment."""

    keys: Mapping[str, Key]
    projects: Mapping[str, Project]
    mark: tuple[int, ...]
    """Changes whenever a row is added or cleared; cheap to ask for."""


class Register:
    """Keys and projects of one store. Every method is one short transaction."""

    def __init__(self, sql: sa.Engine, clock: Clock = time.time_ns) -> None:
        self._sql = sql
        self._clock = clock

    # reading

    def mark(self) -> tuple[int, ...]:
        """What :attr:`Contents.mark` would be now."""
        with self._sql.connect() as connection:
            return _mark(connection)

    def read(self) -> Contents:
        """The state of all keys and projects."""
        with self._sql.connect() as connection:
            mark = _mark(connection)  # before the rows: a row that slips in between is seen again, never missed
            key_rows = connection.execute(sa.select(schema.keys)).mappings().all()
            project_rows = connection.execute(sa.select(schema.projects)).mappings().all()
        found = keys.merge(dict(row) for row in key_rows)
        named = projects.newest(dict(row) for row in project_rows)
        return Contents(found, {DEFAULT_PROJECT: Project(DEFAULT_PROJECT, 0), **named}, mark)

    def audit_entries(self, project: str | None, limit: int = 100) -> list[audit.AuditEntry]:
        """Newest audit entries, of one project or of all."""
        with self._sql.connect() as connection:
            return audit.entries(connection, project=project, limit=limit)

    # keys

    def create_key(
        self, project: str, scopes: Iterable[Scope] = keys.DEFAULT_SCOPES, *, expires_ns: int | None = None, actor: str
    ) -> NewKey:
        """A new key; its project is created when it is new. Raises RegisterError."""
        chosen = list(scopes)
        unknown = sorted(set(chosen) - set(SCOPES))
        if unknown or not chosen:
            raise RegisterError(
                f"a key's scopes are some of {', '.join(SCOPES)}" + (f", not {unknown[0]!r}" if unknown else "")
            )
        now = self._clock()
        if expires_ns is not None and expires_ns <= now:
            raise RegisterError("the expiry of a new key must lie in the future")
        known = self._project(project)
        new = keys.generate(project, chosen, now_ns=now, expires_ns=expires_ns)
        with self._sql.begin() as connection:
            if known is None:
                self._append_project(connection, Project(project, now), now, "project.create", actor)
            detail = {"public_key": new.key.public_key, "scopes": list(new.key.scopes), "expires_ns": expires_ns}
            self._append_key(connection, new.key, now, "key.create", actor=actor, detail=detail)
        return new

    def revoke_key(self, public_key: str, *, actor: str) -> Key:
        """Ends a key for good. Raises UnknownNameError."""
        key = self._key(public_key)
        if key.revoked_ns is None:
            now = self._clock()
            key = replace(key, revoked_ns=now)
            with self._sql.begin() as connection:
                self._append_key(connection, key, now, "key.revoke", actor=actor, detail={"public_key": public_key})
        return key

    def rotate_key(self, public_key: str, *, grace_s: float = 0.0, actor: str) -> NewKey:
        """A new key with the same project, scopes and expiry. The old one ends now, or after the grace time."""
        old = self._key(public_key)
        now = self._clock()
        if not old.valid(now):
            raise RegisterError(f"the key {public_key} is {old.status(now)}; only an active key can be rotated")
        self._project(old.project)
        new = keys.generate(old.project, old.scopes, now_ns=now, expires_ns=old.expires_ns)
        if grace_s > 0:
            end = now + int(grace_s * NS)
            ended = replace(old, expires_ns=end if old.expires_ns is None else min(end, old.expires_ns))
        else:
            ended = replace(old, revoked_ns=now)
        detail = {"public_key": public_key, "replaced_by": new.key.public_key, "grace_s": grace_s}
        with self._sql.begin() as connection:
            self._append_key(connection, new.key, now, "key.rotate", actor=actor, detail=detail)
            connection.execute(sa.insert(schema.keys), [keys.to_row(ended, now)])
        return new

    def note_use(self, used: Mapping[str, int]) -> None:
        """Writes back when keys were last used (public key → ns), in one go."""
        known = self.read().keys
        now = self._clock()
        rows = [keys.to_row(replace(known[name], last_used_ns=at), now) for name, at in used.items() if name in known]
        if rows:
            with self._sql.begin() as connection:
                connection.execute(sa.insert(schema.keys), rows)

    # projects

    def create_project(self, name: str, *, actor: str) -> Project:
        """A new project. A deleted one of that name comes back without its old keys. Raises RegisterError."""
        if not projects.valid_name(name):
            raise RegisterError(f"a project's name has {projects.NAME_FORM}")
        contents = self.read()
        existing = contents.projects.get(name)
        if existing is not None and existing.deleted_ns is None:
            raise RegisterError(f"the project {name} exists already")
        now = self._clock()
        project = Project(name, now)
        with self._sql.begin() as connection:
            for key in contents.keys.values():
                if key.project == name and key.revoked_ns is None:  # old holders must not see the new project's data
                    connection.execute(sa.insert(schema.keys), [keys.to_row(replace(key, revoked_ns=now), now)])
            self._append_project(connection, project, now, "project.create", actor)
        return project

    def delete_project(self, name: str, *, actor: str) -> Project:
        """Closes a project: its keys are told so and open nothing any more. Raises RegisterError."""
        project = self.read().projects.get(name)
        if project is None or project.deleted_ns is not None:
            raise UnknownNameError(f"there is no project {name}")
        now = self._clock()
        project = replace(project, deleted_ns=now)
        with self._sql.begin() as connection:
            self._append_project(connection, project, now, "project.delete", actor)
        return project

    # audit and care

    def note(self, action: str, *, actor: str, project: str | None = None, detail: Mapping[str, object] | None = None) -> None:
        """Appends an audit entry for something that is no key or project change (refusals, retention, exports)."""
        with self._sql.begin() as connection:
            audit.record(connection, action, actor=actor, project=project, detail=detail, time_ns=self._clock())

    def compact(self) -> int:
        """Clears rows that the state of their key repeats, when there are many; returns how many were found."""
        with self._sql.connect() as connection:
            rows = [dict(row) for row in connection.execute(sa.select(schema.keys)).mappings()]
        merged = keys.merge(rows)
        surplus = len(rows) - 2 * len(merged)
        if surplus <= COMPACT_ABOVE_ROWS:
            return 0
        now = self._clock()
        table = schema.keys.c
        # the joined state first, then away with what it was joined from; a crash in between only leaves repeats.
        # Young rows stay: another process may be adding one right now, by a clock that is a little behind.
        with self._sql.begin() as connection:
            connection.execute(sa.insert(schema.keys), [keys.to_row(key, now) for key in merged.values()])
        with self._sql.begin() as connection:
            old = sa.and_(table.updated_ns < now - SETTLED_AFTER_NS, table.public_key.in_(sorted(merged)))
            connection.execute(sa.delete(schema.keys).where(old))
        return surplus

    def _key(self, public_key: str) -> Key:
        key = self.read().keys.get(public_key)
        if key is None:
            raise UnknownNameError(f"there is no key {public_key}")
        return key

    def _project(self, name: str) -> Project | None:
        """The project, None when it is new. Raises RegisterError when it cannot have keys."""
        if not projects.valid_name(name):
            raise RegisterError(f"a project's name has {projects.NAME_FORM}")
        project = self.read().projects.get(name)
        if project is not None and project.deleted_ns is not None:
            raise RegisterError(f"the project {name} was deleted; create it again first (otel-llm projects create {name})")
        return project

    @staticmethod
    def _append_key(
        connection: sa.Connection, key: Key, now: int, action: str, *, actor: str, detail: Mapping[str, object]
    ) -> None:
        connection.execute(sa.insert(schema.keys), [keys.to_row(key, now)])
        audit.record(connection, action, actor=actor, project=key.project, detail=detail, time_ns=now)

    @staticmethod
    def _append_project(connection: sa.Connection, project: Project, now: int, action: str, actor: str) -> None:
        connection.execute(sa.insert(schema.projects), [projects.to_row(project, now)])
        audit.record(connection, action, actor=actor, project=project.name, time_ns=now)


def _mark(connection: sa.Connection) -> tuple[int, ...]:
    query = sa.select(
        *(
            sa.select(expression).select_from(table).scalar_subquery()
            for table in (schema.keys, schema.projects)
            for expression in (sa.func.count(), sa.func.coalesce(sa.func.max(table.c.updated_ns), 0))
        )
    )
    return tuple(int(value) for value in connection.execute(query).one())
