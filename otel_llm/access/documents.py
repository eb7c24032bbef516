"""Keys, projects and audit entries as JSON documents: one shape for the admin endpoints and the command line."""

from datetime import UTC, datetime
from typing import Any

from otel_llm.access.audit import AuditEntry
from otel_llm.access.keys import Key, NewKey
from otel_llm.access.projects import Project
from otel_llm.access.register import RegisterError
from otel_llm.quantities import DURATION_FORM, seconds

Document = dict[str, Any]
NS = 1_000_000_000
LAST_NS = 2**63 - 1
"""The end of what 64 bits of nanoseconds can say, in 2262."""
TIME_FORM = "a time such as 2027-01-31 or 2027-01-31T12:00:00Z"


def iso(time_ns: int | None) -> str | None:
    """ISO 8601 in UTC, whole seconds; None stays None."""
    if time_ns is None:
        return None
    return datetime.fromtimestamp(time_ns // NS, UTC).isoformat().replace("+00:00", "Z")


def parse_expiry(text: str, now_ns: int) -> int:
    """ns since 1970 of an expiry: a duration from now (``90d``) or an ISO 8601 time. Raises RegisterError."""
    try:
        expires_ns = _from_now(text, now_ns) if text[:1].isdigit() and text[-1:].isalpha() and text[-1] != "Z" else _time(text)
    except OverflowError:
        expires_ns = LAST_NS + 1
    except ValueError:
        raise RegisterError(f"{text!r} is neither {TIME_FORM} nor {DURATION_FORM}") from None
    if expires_ns > LAST_NS:
        raise RegisterError("an expiry lies before the year 2262; a key without one does not expire")
    return expires_ns


def _from_now(text: str, now_ns: int) -> int:
    return now_ns + int(seconds(text) * NS)


def _time(text: str) -> int:
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        time = time.replace(tzinfo=UTC)
    return int(time.timestamp()) * NS


def key_document(key: Key, now_ns: int) -> Document:
    """A key without anything secret."""
    return {
        "public_key": key.public_key,
        "project": key.project,
        "scopes": list(key.scopes),
        "status": key.status(now_ns),
        "created": iso(key.created_ns),
        "expires": iso(key.expires_ns),
        "revoked": iso(key.revoked_ns),
        "last_used": iso(key.last_used_ns),
    }


def new_key_document(new: NewKey) -> Document:
    """A new key with its secret: the one answer that holds it."""
    return {
        "public_key": new.key.public_key,
        "secret_key": new.secret_key,
        "project": new.key.project,
        "scopes": list(new.key.scopes),
    } | ({"expires": iso(new.key.expires_ns)} if new.key.expires_ns is not None else {})


def project_document(project: Project) -> Document:
    """A project; ``created`` is null for the default project, which was always there."""
    return {
        "name": project.name,
        "created": iso(project.created_ns) if project.created_ns else None,
        "deleted": iso(project.deleted_ns),
    }


def audit_document(entry: AuditEntry) -> Document:
    """An audit entry."""
    return {
        "time": iso(entry.time_ns),
        "project": entry.project,
        "actor": entry.actor,
        "action": entry.action,
        "detail": entry.detail,
    }
