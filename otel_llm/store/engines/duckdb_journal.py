"""A journal in front of DuckDB: a small commit costs a write and an fsync, not an insert into every column of a table.

DuckDB inserts 4,096 spans at 8 us each and 8 spans at 1,200: planning and a write of its own for each of 80 columns. So a
commit of few spans is appended to a file, ``<database>.journal``, and kept in memory; it is *pending*. Many of them are
*settled* together: inserted into DuckDB in one transaction, which also stores the sequence number of the last entry in
``otel_llm_journal``. From then on the file is overwritten from its start.

What is found when the process ends in between (:meth:`Journal.load`):

- an entry counts when its checksum is right, it is of this store, and its number is higher than those before it. A torn
  entry was never acknowledged;
- numbers up to the one in the database were settled, also when the file was not overwritten since. They are never used twice.

The file has its full size from the start, because a write within a file needs less of the file system than one that makes it
longer. It is there while the store is open and a small commit has come; a store that was closed is one file.

Pending entries are guarded by the turn of the engine's writer; other threads may only look whether there are any.
"""

import logging
import os
import secrets
import shutil
import struct
import sys
import zlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, BinaryIO, NamedTuple
from weakref import WeakValueDictionary

import duckdb
import msgspec

from otel_llm.errors import StoreBusy, StoreMismatch, StoreUnavailable
from otel_llm.spans import FIELDS, FieldType, Rejection, SpanBatch
from otel_llm.store.engines.base import Change, JournalStatistics

log = logging.getLogger(__name__)

SMALL_COMMIT_SPANS = 128
"""Most spans of a commit that is journalled. Larger ones go into DuckDB at once."""
CAPACITY_BYTES = 8 << 20
"""Size of the file: some 4,000 spans of 18 attributes."""
MOST_PENDING_SPANS = 4_096
"""Spans after which pending commits are settled: enough for an insert to cost as little as it can, and few enough to be
settled within 0.1 s when somebody asks."""

_MAGIC = b"\x93olj"
_HEADER = struct.Struct("<4sII16sQ")
"""Magic, checksum of all that follows it, length of the payload, store, sequence number."""
_CHECKED_FROM = 8

_Int = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
_PYTHON: dict[FieldType, Any] = {"text": str, "json": str, "int": _Int, "float": float, "bool": bool, "bytes": bytes}


def _column(type_: FieldType, required: bool) -> Any:
    values: Any = list.__class_getitem__(_PYTHON[type_] if required else _PYTHON[type_] | None)
    return values if required else values | msgspec.UnsetType


_Columns: Any = msgspec.defstruct(
    "_Columns",
    [(field.name, _column(field.type, field.required), *(() if field.required else (msgspec.UNSET,))) for field in FIELDS],
    kw_only=True,
    forbid_unknown_fields=True,
)
"""The filled columns of a batch, of exactly the types that the table takes: whatever is journalled can be inserted later."""


class _Payload(msgspec.Struct, array_like=True):
    """What an entry holds."""

    size: int
    spans: _Columns | None
    rejections: Sequence[tuple[str, _Int, str, str, str, str, str]]


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(_Payload)


class Pending(NamedTuple):
    """A commit that is durable and not in DuckDB yet."""

    sequence: int
    insert: SpanBatch
    rejections: list[Rejection]


class Draft(NamedTuple):
    """A change on its way into the journal: its bytes, and what will be inserted later."""

    payload: bytes
    insert: SpanBatch
    rejections: list[Rejection]


@dataclass(slots=True)
class _Found:
    """What a file holds."""

    pending: list[Pending]
    foreign: bool = False
    """It is of another store, or continues one that was further than the database is."""
    missing: int = 0
    """Entries before its last one that are damaged."""


class Journal:
    """The journal of one store. Without a path (a store in memory) it is the same, less the file."""

    def __init__(self, path: str, small_spans: int = SMALL_COMMIT_SPANS) -> None:
        """``small_spans`` is the size up to which a commit is journalled; 0 is none."""
        self.pending: list[Pending] = []
        self.statistics = JournalStatistics()
        self._small_spans = small_spans
        self._path = Path(f"{path}.journal") if path else None
        self._file: BinaryIO | None = None
        self._usable = True
        self._loaded = False
        self._store = bytes(16)
        self._sequence = 0
        self._position = 0
        self._failed = False

    @property
    def size_bytes(self) -> int:
        """Bytes of the file."""
        return self._path.stat().st_size if self._path is not None and self._path.exists() else 0

    @property
    def failed(self) -> bool:
        """An entry could not be written, or not for certain. It was refused, so its number must be settled before anything
        else is committed: whoever sends it again may be stored another way, and it must not be found here then."""
        return self._failed

    # -- opening and closing
    def load(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Finds out what is pending in a database that was just opened, for the first time or anew after it was invalidated.

        Raises StoreBusy when this process has opened the database before (DuckDB shares it within a process, but a journal has
        one writer), StoreMismatch for a journal of another version, duckdb.Error or OSError.
        """
        if self._path is not None and _OPEN.setdefault(os.path.realpath(self._path), self) is not self:
            raise StoreBusy(f"{self._path.with_suffix('')} is open in this process already")
        self._store, settled = _settled_of(connection)
        self._usable = True
        if self._loaded:  # what is pending is known, but the last settlement may have come through all the same
            self._hold([entry for entry in self.pending if entry.sequence > settled])
            self._sequence = max(self._sequence, settled)
            if not self.pending:
                self._position = 0
            return
        self._sequence, self._position, self._failed = settled, 0, False
        self._hold(self._left_behind(settled))
        if self.pending:
            self._sequence = self.pending[-1].sequence
            log.info("found %d commits in the journal that were not in the database yet", len(self.pending))
        self._loaded = True

    def _left_behind(self, settled: int) -> list[Pending]:
        """What the file holds that the database does not; it is put aside when it is not as it should be."""
        if self._path is None or not self._path.exists():
            return []
        try:
            found = _read(self._path.read_bytes(), self._store, settled)
        except msgspec.MsgspecError as error:
            raise StoreMismatch(
                f"{self._path} was written by another version of otel-llm: open the store with that version once, and close it"
            ) from error
        if found.foreign or found.missing:
            kept = self._path.with_name(f"{self._path.name}.{secrets.token_hex(4)}")
            if found.foreign:
                os.replace(self._path, kept)
                log.warning("the journal beside the database is not its own (or of a later copy of it), it is kept as %s", kept)
            else:
                shutil.copyfile(self._path, kept)
                log.error(
                    "%d entries of the journal are damaged: what they held is lost. The file is kept as %s", found.missing, kept
                )
        return found.pending

    def close(self) -> None:
        """Lets the file go; removes it when nothing in it is pending. One that was not loaded is left alone: it may be that of
        another process."""
        if self._file is not None:
            self._file.close()
            self._file = None
        if self._path is not None:
            if self._loaded and not self.pending and not self._failed:
                self._path.unlink(missing_ok=True)
            if _OPEN.get(os.path.realpath(self._path)) is self:
                del _OPEN[os.path.realpath(self._path)]
        self._loaded = False
        self._hold([])

    def _hold(self, pending: list[Pending]) -> None:
        self.pending = pending
        self.statistics.pending_commits = len(pending)
        self.statistics.pending_spans = sum(entry.insert.size for entry in pending)

    # -- writing
    def draft(self, change: Change) -> Draft | None:
        """The entry of a change; None for one that has to go into DuckDB at once: a large one, one that replaces rows or must
        know what is stored, one that DuckDB will refuse."""
        if (
            change.insert.size > self._small_spans
            or not self._small_spans
            or change.replace.size
            or change.findings
            or change.metric_points
        ):
            return None
        columns = change.insert.filled_columns()
        rejections = list(change.rejections)
        try:
            spans = msgspec.convert(columns, _Columns) if columns else None
            payload = _encoder.encode(_Payload(change.insert.size, spans, rejections))
        except (msgspec.ValidationError, UnicodeError, OverflowError):
            return None
        if _HEADER.size + len(payload) > CAPACITY_BYTES or not self._ready():
            return None
        return Draft(payload, SpanBatch.of_columns(columns, change.insert.size), rejections)

    def has_room(self, draft: Draft) -> bool:
        """False when what is pending must be settled first."""
        return (
            self.statistics.pending_spans + draft.insert.size <= MOST_PENDING_SPANS
            and self._position + _HEADER.size + len(draft.payload) <= CAPACITY_BYTES
        )

    def append(self, draft: Draft) -> None:
        """Makes an entry durable and pending. Raises StoreUnavailable when it is not."""
        sequence = self._sequence + 1
        rest = _HEADER.pack(_MAGIC, 0, len(draft.payload), self._store, sequence)[_CHECKED_FROM:] + draft.payload
        entry = _MAGIC + zlib.crc32(rest).to_bytes(4, "little") + rest
        self._sequence = sequence
        if self._file is not None:
            try:
                self._file.seek(self._position)
                if self._file.write(entry) != len(entry):
                    raise OSError("the journal was not written in full")
                _sync(self._file.fileno())
            except BaseException as error:
                self._failed = True
                if isinstance(error, OSError):
                    raise StoreUnavailable(f"the journal cannot be written: {error}") from error
                raise
        self._position += len(entry)
        self.pending.append(Pending(sequence, draft.insert, draft.rejections))
        self.statistics.appends += 1
        self.statistics.pending_commits += 1
        self.statistics.pending_spans += draft.insert.size

    def mark(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Stores, in the transaction that inserts what is pending, that it was."""
        connection.execute("UPDATE otel_llm_journal SET settled = $1", [self._sequence])

    def settled(self) -> None:
        """That transaction was committed: the file is free. One that could not be written is made anew with the next entry."""
        self.statistics.settlements += bool(self.pending)
        bad, self._file = (self._file, None) if self._failed else (None, self._file)
        self._position, self._failed = 0, False
        self._hold([])
        if bad is not None:
            with suppress(OSError):
                bad.close()

    def _ready(self) -> bool:
        """True when there is a file to write to. Where none can be made, commits do without."""
        if self._path is None or self._file is not None:
            return True
        if not self._usable or self.pending:
            return False
        try:
            self._file = _made(self._path)
        except OSError as error:
            self._usable = False
            log.warning("there is no journal, small commits go into the database one by one: %s", error)
            with suppress(OSError):
                self._path.unlink(missing_ok=True)
            return False
        return True


_OPEN: "WeakValueDictionary[str, Journal]" = WeakValueDictionary()
"""Journals of this process by path."""


def _settled_of(connection: duckdb.DuckDBPyConnection) -> tuple[bytes, int]:
    """Identity of the store and number of the last entry that is in it; both are made for a store that has none yet."""
    connection.execute("CREATE TABLE IF NOT EXISTS otel_llm_journal (store BLOB NOT NULL, settled BIGINT NOT NULL)")
    row = connection.execute("SELECT store, settled FROM otel_llm_journal").fetchone()
    if row is None:
        row = secrets.token_bytes(16), 0
        connection.execute("INSERT INTO otel_llm_journal VALUES ($1, $2)", list(row))
    return bytes(row[0]), int(row[1])


def _made(path: Path) -> BinaryIO:
    """An empty journal in its full size, on disk. Raises OSError."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0), 0o600)
    file: BinaryIO = os.fdopen(descriptor, "r+b", buffering=0)
    try:
        left = CAPACITY_BYTES
        while left:
            left -= file.write(bytes(left))
        os.fsync(descriptor)
        if os.name == "posix":
            folder = os.open(path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
    except BaseException:
        file.close()
        raise
    return file


def _sync(descriptor: int) -> None:
    """Brings what was written within a file to the disk."""
    if sys.platform == "darwin":
        import fcntl

        fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)  # fsync stops at the disk's own memory there
    elif hasattr(os, "fdatasync"):
        os.fdatasync(descriptor)
    else:
        os.fsync(descriptor)


def _read(data: bytes, store: bytes, settled: int) -> _Found:
    """What a journal holds beyond the entry that was settled last."""
    found = _Found([])
    last = settled
    for place, owner, sequence, payload in _entries(data):
        if owner != store or (place == 0 and sequence > settled + 1):
            return _Found([], foreign=True)
        if sequence <= last:  # settled, or left over from before the file was last overwritten
            continue
        found.missing += sequence - last - 1
        last = sequence
        entry = _decoder.decode(payload)
        columns = msgspec.structs.asdict(entry.spans) if entry.spans else {}
        columns = {name: column for name, column in columns.items() if column is not msgspec.UNSET}
        found.pending.append(
            Pending(sequence, SpanBatch.of_columns(columns, entry.size), [Rejection._make(each) for each in entry.rejections])
        )
    return found


def _entries(data: bytes) -> Iterator[tuple[int, bytes, int, memoryview]]:
    """Place, store, sequence number and payload of every entry whose checksum is right."""
    view = memoryview(data)
    place = 0
    while 0 <= place <= len(data) - _HEADER.size:
        magic, checksum, length, store, sequence = _HEADER.unpack_from(data, place)
        end = place + _HEADER.size + length
        if magic == _MAGIC and end <= len(data) and zlib.crc32(view[place + _CHECKED_FROM : end]) == checksum:
            yield place, store, sequence, view[place + _HEADER.size : end]
            place = end
        else:
            place = data.find(_MAGIC, place + 1)
