"""The door: turns the headers of a request into a :class:`~otel_llm.access.caller.Caller`, on every protocol.

Keys are checked against a snapshot in memory: no request asks the database. The snapshot is renewed at once by changes
made through this door and every ``keys_refresh_s`` for changes made elsewhere.
"""

import hmac
import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from otel_llm.access import audit
from otel_llm.access.caller import OPEN_CALLER, Caller, Scope
from otel_llm.access.credentials import Credential, read_credential
from otel_llm.access.keys import Key, digest
from otel_llm.access.local import addressed_locally, is_loopback
from otel_llm.access.refusals import Refusals
from otel_llm.access.register import Contents, Register
from otel_llm.config import Settings
from otel_llm.errors import PermissionDenied, Unauthenticated
from otel_llm.store.engines.base import Engine

log = logging.getLogger("otel_llm.access")

NEUTRAL = "No valid credentials. Send an API key as Basic public:secret, Bearer secret or x-api-key secret."
"""The same for an unknown, revoked, expired or half-right key: a stranger learns nothing from it."""
NOT_LOCAL = (
    "This server has no key yet and answers only requests that are addressed to localhost. "
    "Create a key first: otel-llm keys create --project NAME"
)
WRITE_BACK_S = 30.0
"""How often last uses and counts of refusals are written, in bulk."""
_NOBODY = digest("")


@dataclass(frozen=True)
class _Snapshot:
    """What the door knows, replaced as a whole."""

    contents: Contents
    by_digest: dict[bytes, Key] = field(default_factory=dict)
    callers: dict[str, Caller] = field(default_factory=dict)
    deleted: frozenset[str] = frozenset()

    @classmethod
    def of(cls, contents: Contents) -> "_Snapshot":
        keys = contents.keys.values()
        return cls(
            contents,
            {key.secret_sha256: key for key in keys},
            {key.public_key: key.caller() for key in keys},
            frozenset(name for name, project in contents.projects.items() if project.deleted_ns is not None),
        )


class Door:
    """Authentication and authorisation of one server, and the way to its keys, projects and audit log."""

    def __init__(self, engine: Engine, settings: Settings, clock: Callable[[], int] = time.time_ns) -> None:
        self.register = Register(engine.small_tables, clock)
        self._clock = clock
        self._loopback = is_loopback(settings.host)
        self._origins = frozenset(settings.cors_origins)
        self._refresh_s = settings.keys_refresh_s
        self._refusals = Refusals()
        self._used: dict[str, int] = {}
        self._exports: Counter[tuple[str, str, str]] = Counter()
        self._exports_lock = threading.Lock()
        self._snapshot: _Snapshot | None = None
        self._refresh_lock = threading.Lock()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    # life

    def start(self) -> None:
        """Loads the keys and starts to follow changes made elsewhere."""
        self.refresh()
        self._thread = threading.Thread(target=self._follow, name="otel-llm-door", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stops following and writes back what is still in memory; safe to call twice."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
            self._write_back()

    def _follow(self) -> None:
        failing = False
        next_write = time.monotonic() + WRITE_BACK_S
        while not self._stopping.wait(self._refresh_s):
            try:
                if self._snapshot is None or self.register.mark() != self._snapshot.contents.mark:
                    self.refresh()
                failing = False
            except Exception as error:  # the store may be away for a while; the keys known so far stay good
                if not failing:
                    log.warning("keys cannot be read, the ones known stay in force: %s", _first_line(error))
                failing = True
            if time.monotonic() >= next_write:
                self._write_back()
                next_write = time.monotonic() + WRITE_BACK_S

    def refresh(self) -> None:
        """Reads keys and projects again, now. Call it after a change made through :attr:`register`."""
        with self._refresh_lock:
            before, self._snapshot = self._snapshot, _Snapshot.of(self.register.read())
        if before is not None and not before.contents.keys and self.has_keys:
            log.warning("the first key was made: from now on everybody needs one; what came before is in the project default")

    def _write_back(self) -> None:
        used, self._used = self._used, {}
        try:
            if used:
                self.register.note_use(dict(used))  # a request may still be adding to the old dict
                self.register.compact()
                self.refresh()
            refused = self._refusals.drain()
            if refused is not None:
                self.register.note("request.refuse", actor=audit.SERVER, detail=refused)
            with self._exports_lock:
                exports, self._exports = self._exports, Counter()
            for (project, actor, what), times in exports.items():
                self.register.note("data.export", actor=actor, project=project, detail={"what": what, "times": times})
        except Exception as error:  # bookkeeping must not end the thread that keeps keys fresh
            log.warning("last uses and refusals could not be written: %s", _first_line(error))

    # questions

    def _known(self) -> _Snapshot:
        snapshot = self._snapshot
        if snapshot is None:
            self.refresh()
            snapshot = self._snapshot
            assert snapshot is not None  # noqa: S101 set by refresh
        return snapshot

    @property
    def contents(self) -> Contents:
        """Keys and projects as the door knows them."""
        return self._known().contents

    @property
    def has_keys(self) -> bool:
        """True once a key was ever made. Revoking the last one does not open the door again."""
        return bool(self._known().contents.keys)

    @property
    def open(self) -> bool:
        """True while anybody on this machine may do everything: a loopback address and no key."""
        return self._loopback and not self.has_keys

    def project_deleted(self, project: str) -> bool:
        """True when the project of a caller does not exist any more; its keys still authenticate."""
        return project in self._known().deleted

    def authenticate(self, headers: Mapping[str, str], peer: str) -> Caller:
        """Who sends this request. ``headers`` (or gRPC metadata) have lower-case names; ``peer`` is its address.

        Takes a few microseconds and never asks the database. Raises Unauthenticated.
        """
        snapshot = self._known()
        if not snapshot.contents.keys and self._loopback:
            if addressed_locally(headers, self._origins):
                return OPEN_CALLER
            self._refusals.count("not addressed to localhost", peer)
            raise Unauthenticated(NOT_LOCAL)
        credential = read_credential(headers)
        key = None if credential is None else self._find(snapshot, credential)
        now = self._clock()
        if key is None or not key.valid(now):
            reason = "no credential" if credential is None else "unknown key" if key is None else f"{key.status(now)} key"
            self._refusals.count(reason, peer, key.public_key if key else "")
            raise Unauthenticated(NEUTRAL)
        self._used[key.public_key] = now
        return snapshot.callers[key.public_key]

    def caller_of(self, public_key: str) -> Caller:
        """The caller a key makes, for a session that began with its secret. Raises Unauthenticated when the key is gone."""
        snapshot = self._known()
        key = snapshot.contents.keys.get(public_key)
        now = self._clock()
        if key is None or not key.valid(now):
            raise Unauthenticated(NEUTRAL)
        self._used[public_key] = now
        return snapshot.callers[public_key]

    @staticmethod
    def _find(snapshot: _Snapshot, credential: Credential) -> Key | None:
        """The key whose secret this is. Digests are compared in constant time; finding one by the digest of a random
        256-bit secret tells a stranger nothing about any other secret."""
        sent = digest(credential.secret)
        if credential.public_key is None:
            key = snapshot.by_digest.get(sent)
        else:
            key = snapshot.contents.keys.get(credential.public_key)
        return key if hmac.compare_digest(sent, key.secret_sha256 if key else _NOBODY) and key else None

    def authorize(self, caller: Caller, scope: Scope, peer: str = "") -> None:
        """Raises PermissionDenied (and counts it) when the caller lacks a scope."""
        if not caller.may(scope):
            self.count_refusal(f"scope {scope} missing", caller, peer)
            raise PermissionDenied(f"This key lacks the scope {scope}.")

    def count_refusal(self, reason: str, caller: Caller, peer: str) -> None:
        """Notes that a caller, who is known, asked for what is not its own."""
        self._refusals.count(reason, peer, caller.key_id or "")

    def count_export(self, caller: Caller, what: str) -> None:
        """Notes that a caller took data out as a file; written to the audit log in bulk."""
        with self._exports_lock:
            self._exports[caller.project, caller.key_id or audit.OPERATOR, what] += 1


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
