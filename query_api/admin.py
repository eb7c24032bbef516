"""``/api/v1/admin``: keys, projects, repricing and the audit log of the caller's own project.

An admin key manages its own project and no other; all projects are managed by whoever holds the database: the operator,
who asks without a key over the socket beside a DuckDB file (:mod:`otel_llm.serving.operator`). While a loopback server has no
key at all, everybody on the machine is that operator: this is how the first key is made on a running server.

Errors are ``{"error": sentence, "status": code}``.
"""

import time
from collections.abc import Callable
from dataclasses import replace
from functools import wraps
from typing import Any

from flask import Blueprint, Response, request
from werkzeug.exceptions import HTTPException

from otel_llm.access import Caller, Door, RegisterError, UnknownNameError, documents
from otel_llm.access.audit import OPERATOR, AuditEntry
from otel_llm.access.keys import DEFAULT_SCOPES, Key
from otel_llm.collector import Collector
from otel_llm.errors import PermissionDenied
from otel_llm.pricing.repricing import Run
from otel_llm.store import retention
from query_api import repricing
from query_api.access import authenticated
from query_api.answers import answer
from query_api.errors import ApiError

MAX_AUDIT_ENTRIES = 10_000
MAX_GRACE_S = 30 * 86_400.0
OPERATORS_ONLY = ("addresses", "to")
"""Parts of an audit entry of the whole server that only the operator is told."""

Document = dict[str, Any]


def blueprint(collector: Collector) -> Blueprint:
    """The admin endpoints over a collector's door."""
    routes = Blueprint("admin", __name__, url_prefix="/api/v1/admin")
    door = collector.door

    def admin(view: Callable[..., tuple[Document, int]]) -> Callable[..., Response]:
        """Lets only admins in, and says what the register refuses."""

        @wraps(view)
        def guarded(**values: str) -> Response:
            try:
                caller = authenticated(door)
                door.authorize(caller, "admin", request.remote_addr or "")
                return answer(*view(caller, **values))
            except PermissionDenied as error:
                raise ApiError(403, str(error)) from None
            except UnknownNameError as error:
                raise ApiError(404, str(error)) from None
            except RegisterError as error:
                raise ApiError(400, str(error)) from None

        return guarded

    @routes.get("/keys")
    @admin
    def list_keys(caller: Caller) -> tuple[Document, int]:
        door.refresh()
        now = time.time_ns()
        keys = [key for key in door.contents.keys.values() if _manages(caller, key.project)]
        keys.sort(key=lambda key: key.created_ns)
        return {"keys": [documents.key_document(key, now) for key in keys]}, 200

    @routes.post("/keys")
    @admin
    def create_key(caller: Caller) -> tuple[Document, int]:
        body = _body({"project": str, "scopes": list, "expires": str})
        project = body.get("project", caller.project)
        _require(caller, project)
        expires = body.get("expires")
        new = door.register.create_key(
            project,
            body.get("scopes", DEFAULT_SCOPES),
            expires_ns=documents.parse_expiry(expires, time.time_ns()) if expires else None,
            actor=_actor(caller),
        )
        door.refresh()
        return documents.new_key_document(new), 201

    @routes.delete("/keys/<public_key>")
    @admin
    def revoke_key(caller: Caller, public_key: str) -> tuple[Document, int]:
        _own_key(door, caller, public_key)
        key = door.register.revoke_key(public_key, actor=_actor(caller))
        door.refresh()
        return documents.key_document(key, time.time_ns()), 200

    @routes.post("/keys/<public_key>/rotate")
    @admin
    def rotate_key(caller: Caller, public_key: str) -> tuple[Document, int]:
        body = _body({"grace_s": (int, float)})
        grace_s = body.get("grace_s", 0)
        if not 0 <= grace_s <= MAX_GRACE_S:
            raise ApiError(400, f"grace_s is a number of seconds from 0 to {MAX_GRACE_S:.0f}")
        _own_key(door, caller, public_key)
        new = door.register.rotate_key(public_key, grace_s=grace_s, actor=_actor(caller))
        door.refresh()
        return documents.new_key_document(new), 201

    @routes.get("/projects")
    @admin
    def list_projects(caller: Caller) -> tuple[Document, int]:
        door.refresh()
        known = sorted(door.contents.projects.items())
        return {"projects": [documents.project_document(project) for name, project in known if _manages(caller, name)]}, 200

    @routes.post("/projects")
    @admin
    def create_project(caller: Caller) -> tuple[Document, int]:
        if not _operator(caller):
            raise ApiError(403, "New projects are made with the database in hand: otel-llm projects create NAME.")
        name = _body({"name": str}).get("name", "")
        project = door.register.create_project(name, actor=_actor(caller))
        door.refresh()
        return documents.project_document(project), 201

    @routes.delete("/projects/<name>")
    @admin
    def delete_project(caller: Caller, name: str) -> tuple[Document, int]:
        _require(caller, name)
        document = documents.project_document(door.register.delete_project(name, actor=_actor(caller)))
        door.refresh()
        if request.args.get("purge") == "true":
            deleted = retention.purge(collector.engine, name).spans
            document["spans_deleted"] = deleted
            door.register.note("project.purge", actor=_actor(caller), project=name, detail={"spans_deleted": deleted})
        return document, 200

    @routes.post("/reprice")
    @admin
    def start_repricing(caller: Caller) -> tuple[Document, int]:
        body = _body({"project": str, "from": str, "to": str})
        project = body.get("project", None if _operator(caller) else caller.project)
        if project is not None:
            _require(caller, project)
        return repricing.start(collector, caller, body, project), 202

    @routes.get("/reprice")
    @admin
    def show_repricing(caller: Caller) -> tuple[Document, int]:
        return last_run(caller).document(), 200

    @routes.delete("/reprice")
    @admin
    def stop_repricing(caller: Caller) -> tuple[Document, int]:
        run = last_run(caller)
        collector.repricing.stop()
        return run.document(), 200

    def last_run(caller: Caller) -> Run:
        return repricing.last(collector, lambda project: _manages(caller, project), operator=_operator(caller))

    @routes.get("/audit")
    @admin
    def audit(caller: Caller) -> tuple[Document, int]:
        limit = request.args.get("limit", "100")
        if not (limit.isascii() and limit.isdigit() and 1 <= int(limit[:9]) <= MAX_AUDIT_ENTRIES):
            raise ApiError(400, f"limit is a whole number from 1 to {MAX_AUDIT_ENTRIES}")
        if _operator(caller):
            entries = door.register.audit_entries(request.args.get("project") or None, int(limit))
        else:
            entries = [_for_one_project(entry) for entry in door.register.audit_entries(caller.project, int(limit))]
        return {"entries": [documents.audit_document(entry) for entry in entries]}, 200

    return routes


def _operator(caller: Caller) -> bool:
    """True for whoever holds the database, and for everybody on the machine while no key exists: both need no key."""
    return caller.key_id is None


def _actor(caller: Caller) -> str:
    return caller.key_id or OPERATOR


def _manages(caller: Caller, project: str) -> bool:
    return _operator(caller) or project == caller.project


def _require(caller: Caller, project: str) -> None:
    if not _manages(caller, project):
        raise ApiError(403, f"An admin key manages its own project only, which is {caller.project}.")


def _for_one_project(entry: AuditEntry) -> AuditEntry:
    """Entries of the whole server tell an admin of one project counts, not who else calls or where copies are."""
    if entry.project is not None:
        return entry
    return replace(entry, detail={name: value for name, value in entry.detail.items() if name not in OPERATORS_ONLY})


def _own_key(door: Door, caller: Caller, public_key: str) -> Key:
    """The key, if the caller may know of it; a foreign key is as unknown as one that never was."""
    door.refresh()
    key = door.contents.keys.get(public_key)
    if key is None or not _manages(caller, key.project):
        raise UnknownNameError(f"there is no key {public_key}")
    return key


def _body(types: dict[str, Any]) -> Document:
    """The JSON object of the request; unknown members are ignored. Refuses wrong types."""
    if not request.get_data(cache=True):
        return {}
    try:
        body = request.get_json(force=True)
    except (HTTPException, RecursionError):
        raise ApiError(400, "the body is not valid JSON") from None
    if not isinstance(body, dict):
        raise ApiError(400, "the body is a JSON object")
    for name, expected in types.items():
        if name in body and (not isinstance(body[name], expected) or isinstance(body[name], bool)):
            raise ApiError(400, f"{name} has the wrong type")
    if "scopes" in types and not all(isinstance(scope, str) for scope in body.get("scopes", [])):
        raise ApiError(400, "scopes is a list of texts")
    return body
