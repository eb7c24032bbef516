"""The audit log: who changed keys and projects, what was refused, which retention runs and exports there were."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from otel_llm.store import schema

OPERATOR = "operator"
"""Actor of changes made with the database itself in hand, or on a server that is still open."""
SERVER = "server"
"""Actor of what the server does by itself."""


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One line of the log. ``project`` None concerns the whole server; ``actor`` is a public key id, operator or server."""

    time_ns: int
    project: str | None
    actor: str
    action: str
    detail: dict[str, Any]


def record(
    connection: sa.Connection,
    action: str,
    *,
    actor: str,
    project: str | None = None,
    detail: Mapping[str, Any] | None = None,
    time_ns: int | None = None,
) -> None:
    """Appends an entry in the caller's transaction. ``action`` is ``thing.verb``, as in ``key.create``."""
    row = {
        "time_ns": time.time_ns() if time_ns is None else time_ns,
        "project": project,
        "actor": actor,
        "action": action,
        "detail": json.dumps(dict(detail or {}), sort_keys=True),
    }
    connection.execute(sa.insert(schema.audit), [row])


def entries(connection: sa.Connection, *, project: str | None, limit: int) -> list[AuditEntry]:
    """The newest entries first. With a project that project's and those of the whole server; None is everything."""
    of_project = schema.audit.c.project
    query = sa.select(schema.audit).order_by(schema.audit.c.time_ns.desc()).limit(limit)
    if project is not None:
        query = query.where(sa.or_(of_project == project, of_project.is_(None)))
    return [
        AuditEntry(int(row.time_ns), row.project, row.actor, row.action, json.loads(row.detail))
        for row in connection.execute(query)
    ]
