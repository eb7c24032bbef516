"""Where the command line manages keys and projects: at the store itself, or at the server that owns it.

Both desks give the documents of :mod:`otel_llm.access.documents`, so that a command prints the same either way.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol
from urllib.parse import quote

from otel_llm.access import Register, documents
from otel_llm.access.audit import OPERATOR
from otel_llm.cli.server_client import ServerClient, ServerError
from otel_llm.cli.store_options import StoreOptions, reach
from otel_llm.store import retention
from otel_llm.store.engines.base import Engine

Document = dict[str, Any]


class KeyDesk(Protocol):
    """Everything that can be done with keys and projects."""

    def create_key(self, project: str, scopes: Sequence[str], expires: str | None) -> Document:
        """A new key with its secret."""

    def list_keys(self) -> list[Document]:
        """Keys, oldest first."""

    def revoke_key(self, public_key: str) -> Document:
        """The key, revoked."""

    def rotate_key(self, public_key: str, grace_s: float) -> Document:
        """The key that takes its place, with its secret."""

    def list_projects(self) -> list[Document]:
        """Projects by name."""

    def create_project(self, name: str) -> Document:
        """A new project."""

    def delete_project(self, name: str, *, purge: bool) -> Document:
        """The deleted project; ``spans_deleted`` says how many spans went with it."""

    def audit(self, project: str | None, limit: int) -> list[Document]:
        """Audit entries, newest first."""


@contextmanager
def key_desk(store: StoreOptions, *, create: bool = False) -> Iterator[KeyDesk]:
    """The desk to go to. Raises OtelLLMError."""
    with reach(store, create=create) as found:
        yield ServerDesk(found) if isinstance(found, ServerClient) else StoreDesk(found)


class StoreDesk:
    """The store is open in this process: whoever holds the database manages every project."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._register = Register(engine.sql)

    def create_key(self, project: str, scopes: Sequence[str], expires: str | None) -> Document:
        expires_ns = documents.parse_expiry(expires, time.time_ns()) if expires else None
        return documents.new_key_document(
            self._register.create_key(project, scopes, expires_ns=expires_ns, actor=OPERATOR)  # type: ignore[arg-type] # checked there
        )

    def list_keys(self) -> list[Document]:
        found = sorted(self._register.read().keys.values(), key=lambda key: key.created_ns)
        return [documents.key_document(key, time.time_ns()) for key in found]

    def revoke_key(self, public_key: str) -> Document:
        return documents.key_document(self._register.revoke_key(public_key, actor=OPERATOR), time.time_ns())

    def rotate_key(self, public_key: str, grace_s: float) -> Document:
        return documents.new_key_document(self._register.rotate_key(public_key, grace_s=grace_s, actor=OPERATOR))

    def list_projects(self) -> list[Document]:
        return [documents.project_document(project) for _, project in sorted(self._register.read().projects.items())]

    def create_project(self, name: str) -> Document:
        return documents.project_document(self._register.create_project(name, actor=OPERATOR))

    def delete_project(self, name: str, *, purge: bool) -> Document:
        document = documents.project_document(self._register.delete_project(name, actor=OPERATOR))
        if purge:
            document["spans_deleted"] = retention.purge(self._engine, name).spans
            self._register.note(
                "project.purge", actor=OPERATOR, project=name, detail={"spans_deleted": document["spans_deleted"]}
            )
        return document

    def audit(self, project: str | None, limit: int) -> list[Document]:
        return [documents.audit_document(entry) for entry in self._register.audit_entries(project, limit)]


class ServerDesk:
    """A running server owns the store: its admin endpoints do the work, with the rights of the key it is shown."""

    def __init__(self, client: ServerClient) -> None:
        self._client = client

    def create_key(self, project: str, scopes: Sequence[str], expires: str | None) -> Document:
        body: Document = {"project": project, "scopes": list(scopes)}
        if expires:
            body["expires"] = expires
        return self._ask("POST", "/keys", body)

    def list_keys(self) -> list[Document]:
        return list(self._ask("GET", "/keys")["keys"])

    def revoke_key(self, public_key: str) -> Document:
        return self._ask("DELETE", f"/keys/{quote(public_key, safe='')}")

    def rotate_key(self, public_key: str, grace_s: float) -> Document:
        return self._ask("POST", f"/keys/{quote(public_key, safe='')}/rotate", {"grace_s": grace_s})

    def list_projects(self) -> list[Document]:
        return list(self._ask("GET", "/projects")["projects"])

    def create_project(self, name: str) -> Document:
        return self._ask("POST", "/projects", {"name": name})

    def delete_project(self, name: str, *, purge: bool) -> Document:
        return self._ask("DELETE", f"/projects/{quote(name, safe='')}" + ("?purge=true" if purge else ""))

    def audit(self, project: str | None, limit: int) -> list[Document]:
        wanted = f"&project={quote(project, safe='')}" if project else ""
        entries = self._ask("GET", f"/audit?limit={limit}{wanted}")["entries"]
        return [entry for entry in entries if project is None or entry["project"] in (None, project)]

    def _ask(self, method: str, path: str, body: Document | None = None) -> Document:
        try:
            answer = self._client.ask(method, "/api/v1/admin" + path, body)
        except ServerError as error:
            if error.status in (401, 403):
                way_out = "Who holds the database file needs no key: run this as the user of the server, without --api-key."
                raise ServerError(f"{error}. {way_out}".replace("..", "."), error.status) from None
            raise
        assert isinstance(answer, dict)  # noqa: S101 every admin endpoint answers an object
        return answer
