"""A journal in front of DuckDB: a commit costs a write and an fsync, not an insert into every column of a table.

DuckDB inserts 8,192 spans at 12 us each, 4,096 at 30 and 8 at 1,200: planning and a write of its own for each of 80 columns,
and a write-ahead log for whatever is less than a row group. So a commit is appended to a file, ``<database>.journal``, and
kept in memory; it is *pending*. What is pending is *settled* together: inserted into DuckDB in one transaction, which also
stores in ``otel_llm_journal`` how far it came: the number of the last entry that is wholly in the database, and how many rows
of the next one are. In the background whole row groups are settled while commits go on; somebody who looks settles the rest.

The file is a ring: entries follow each other until its end and go on at its start, where what was there is settled. It has a
size from the start, because a write within a file needs less of the file system than one that makes it longer, and grows when
what is pending needs more. It is there while the store is open and a commit has come; a store that was closed is one file.

What is found when the process ends in between (:meth:`Journal.load`):

- an entry counts when its checksum is right, it is of this store, and its number is higher than the last one settled. A torn
  entry was never acknowledged;
- numbers up to the one in the database were settled, also when the file was not overwritten since. They are never used twice.

An entry is a header and a payload in MessagePack. Of each column that holds one value throughout it has that value. Of the
others it has the lists of a small commit, and of a larger one, which becomes Arrow arrays before it is written, the buffers of
these: they are inserted as they are, and copied into the entry without a look at each value.

Entries are appended by whoever has the turn of the engine's writer, and settled by whoever may change the database; those may
be two threads.
"""

import logging
import os
import secrets
import shutil
import struct
import sys
import threading
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Annotated, Any, BinaryIO, NamedTuple
from weakref import WeakValueDictionary

import duckdb
import msgspec

from otel_llm.errors import StoreBusy, StoreMismatch, StoreUnavailable
from otel_llm.spans import FIELD_NAMES, FIELDS, FieldType, Rejection, SpanBatch, is_constant
from otel_llm.store.engines.base import Change, JournalStatistics
from otel_llm.store.engines.duckdb_arrow import Arrays, column_of, lend

log = logging.getLogger(__name__)

JOURNALLED_SPANS = 16_384
"""Most spans of a commit that is journalled. Larger ones go into DuckDB at once."""
ARROW_SPANS = 512
"""Fewest spans of a commit that becomes Arrow arrays at once; smaller ones stay lists, and are joined when they are settled."""
FIRST_BYTES = 8 << 20
"""Size of a new file: some 8,000 spans of 18 attributes."""
MOST_BYTES = 64 << 20
"""Size that it grows to."""
MOST_PENDING_SPANS = 32_768
"""Spans that may be pending: more wait until some are settled."""

_MAGIC = b"\x93olj"
_HEADER = struct.Struct("<4sII16sQ")
"""Magic, checksum of all that follows it, length of the payload, store, sequence number."""
_CHECKED_FROM = 8

_Int = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
_PYTHON: dict[FieldType, Any] = {"text": str, "json": str, "int": _Int, "float": float, "bool": bool, "bytes": bytes}


def _struct(name: str, kind: Callable[[Any, bool], Any]) -> Any:
    """Something of a kind for each field, or nothing; ``kind`` is told the type of a value, and whether there must be one."""
    fields = [(field.name, kind(_PYTHON[field.type], field.required) | msgspec.UnsetType, msgspec.UNSET) for field in FIELDS]
    return msgspec.defstruct(name, fields, kw_only=True, forbid_unknown_fields=True)


_Columns: Any = _struct("_Columns", lambda type_, required: list.__class_getitem__(type_ if required else type_ | None))
"""The filled columns of a batch, of exactly the types that the table takes: whatever is journalled can be inserted later."""
_Same: Any = _struct("_Same", lambda type_, _: type_)
"""The same of columns that hold one value in every row."""
_REQUIRED = frozenset(field.name for field in FIELDS if field.required)


class _Payload(msgspec.Struct, array_like=True):
    """What an entry holds."""

    size: int
    spans: _Columns | None
    rejections: Sequence[tuple[str, _Int, str, str, str, str, str]]
    settled: int = 0
    """Number of the last entry that was known to be settled when this one was written."""
    same: _Same | None = None
    """Columns that hold one value in every row."""
    arrays: Sequence[str] = ()
    """Other columns, where ``spans`` is None."""
    buffers: Sequence[memoryview | None] = ()
    """The Arrow buffers of these, three of each: validity, offsets, values."""


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(_Payload)
_SIZED = struct.Struct(">BI")
_ARRAY_32, _BIN_32, _NIL = 0xDD, 0xC6, b"\xc0"
"""First bytes of MessagePack."""


_REFUSED = (msgspec.ValidationError, OverflowError, TypeError, UnicodeError)
"""What a value that is not of its field's type gives rise to."""


def _typed(values: dict[str, Any], struct: Any) -> Any:
    """Values as a struct of exactly the field's types; None for no values."""
    return msgspec.convert(values, struct, builtin_types=(bytes,)) if values else None


def _listed(buffers: Sequence[memoryview | None]) -> Iterator[bytes | memoryview]:
    """A list of buffers in MessagePack."""
    yield _SIZED.pack(_ARRAY_32, len(buffers))
    for buffer in buffers:
        if buffer is None:
            yield _NIL
        else:
            yield _SIZED.pack(_BIN_32, len(buffer))
            yield buffer


class Pending(NamedTuple):
    """A commit that is durable and not in DuckDB yet."""

    sequence: int
    insert: SpanBatch
    rejections: list[Rejection]
    start: int = 0
    """Where its entry begins in the file."""
    settled_rows: int = 0
    """Rows before those of ``insert`` that are in DuckDB; the rejections are as well then."""

    def after(self, rows: int) -> "Pending":
        """What is left when so many of all its rows are in DuckDB."""
        if rows <= self.settled_rows:
            return self
        rest = self.insert.part(rows - self.settled_rows, self.insert.size)
        return self._replace(insert=rest, rejections=[], settled_rows=rows)


class Due(NamedTuple):
    """What is settled together, and how far the journal is settled then."""

    change: Change
    sequence: int
    """Number of the last entry that is wholly in DuckDB then."""
    rows: int
    """Rows of the one after it that are."""


class Draft(NamedTuple):
    """A change on its way into the journal: its entry, with room for the header in front, and what will be inserted later."""

    entry: memoryview
    change: Change


@dataclass(slots=True)
class _Found:
    """What a file holds."""

    pending: list[Pending]
    foreign: bool = False
    """It is of another store, or continues one that was further than the database is."""
    missing: int = 0
    """Entries that should be there and are damaged."""


class Journal:
    """The journal of one store. Without a path (a store in memory) it is the same, less the file."""

    def __init__(self, path: str, arrays: Arrays, most_spans: int = JOURNALLED_SPANS) -> None:
        """``most_spans`` is the size up to which a commit is journalled; 0 is none."""
        self._arrays = arrays
        self.pending: list[Pending] = []
        self.statistics = JournalStatistics()
        self._most_spans = most_spans
        self._path = Path(f"{path}.journal") if path else None
        self._file: BinaryIO | None = None
        self._size = 0
        self._buffer = bytearray()
        """Of the entry at hand: as large as a commit's, it would be paged in anew for each."""
        self._usable = True
        self._loaded = False
        self._store = bytes(16)
        self._sequence = 0
        self._settled = 0
        self._position = 0
        self._failed = False
        self._guard = threading.Lock()
        """Of what is pending, and of how far it is settled."""

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
    def claim(self) -> None:
        """Says that this is the one journal of its store in this process. Raises StoreBusy when there is another: DuckDB shares
        a database within a process, but a journal has one writer."""
        if self._path is not None and _OPEN.setdefault(os.path.realpath(self._path), self) is not self:
            raise StoreBusy(f"{self._path.with_suffix('')} is open in this process already")

    def load(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Finds out what is pending in a database that was just opened, for the first time or anew after it was invalidated.

        Raises StoreMismatch for a journal of another version, duckdb.Error or OSError.
        """
        self._store, settled, rows = _settled_of(connection)
        self._usable = True
        if self._loaded:  # what is pending is known, but the last settlement may have come through all the same
            pending = [entry for entry in self.pending if entry.sequence > settled]
        else:
            self._sequence, self._position, self._failed = settled, 0, False
            # Of an entry that is partly in the database there must be the rest.
            pending = self._left_behind(settled, settled + bool(rows))
            if pending:
                log.info("found %d commits in the journal that were not in the database yet", len(pending))
            if rows and (not pending or pending[0].sequence > settled + 1):  # it is lost: its number must not be another's
                settled, rows = settled + 1, 0
                connection.begin()
                self.mark(connection, Due(Change(), settled, rows))
                connection.commit()
        self._hold([entry.after(rows) if entry.sequence == settled + 1 else entry for entry in pending])
        self._settled = settled
        self._sequence = max(self._sequence, settled, *(entry.sequence for entry in pending))
        self._loaded = True

    def _left_behind(self, settled: int, last: int) -> list[Pending]:
        """What the file holds that the database does not, ``last`` at least; it is put aside when it is not as it should be."""
        if self._path is None or not self._path.exists():
            if last > settled:
                log.error("the journal %s is gone, and with it some spans of the last commits", self._path)
            return []
        try:
            found = _read(self._path.read_bytes(), self._store, settled, last)
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
                with kept.open("rb+") as copy:
                    os.fsync(copy.fileno())  # the original is about to be written over
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
        """The entry of a change, good until the next one is made; None for one that has to go into DuckDB at once: a very large
        one, one that replaces rows or must know what is stored, one that DuckDB will refuse."""
        insert = change.insert
        if insert.size > self._most_spans or not self._most_spans or change.replace.size:
            return None
        if change.findings or change.metric_points:
            return None
        if insert.size < ARROW_SPANS:
            return self._draft_of_lists(insert, list(change.rejections))
        return self._draft_of_arrays(insert, list(change.rejections))

    def _draft_of_lists(self, insert: SpanBatch, rejections: list[Rejection]) -> Draft | None:
        same, several = _told_apart(insert)
        if insert.size and not same.keys() | several.keys() >= _REQUIRED:
            return None
        entry = bytearray(_HEADER.size)
        try:
            payload = _Payload(insert.size, _typed(several, _Columns), rejections, self._settled, _typed(same, _Same))
            _encoder.encode_into(payload, entry, _HEADER.size)
        except _REFUSED:
            return None
        if len(entry) > MOST_BYTES or not self._ready():
            return None
        # What is inserted is what the entry holds, as it would be after a crash.
        columns = _values_of(payload.spans) | {name: [value] * insert.size for name, value in _values_of(payload.same).items()}
        return Draft(memoryview(entry), Change(insert=SpanBatch.of_columns(columns, insert.size), rejections=rejections))

    def _draft_of_arrays(self, insert: SpanBatch, rejections: list[Rejection]) -> Draft | None:
        try:
            batch = self._arrays.batch(insert)
            same = _typed(batch.same, _Same)
            several = [name for name in batch.columns if name not in batch.same]
            buffers: Any = msgspec.Raw()  # of no length: they are written behind it
            head = _encoder.encode(_Payload(insert.size, None, rejections, self._settled, same, several, buffers))
        except _REFUSED:
            return None
        if not all(batch.is_full(name) for name in _REQUIRED):
            return None
        lent = [lend(name, batch.columns[name][0]) for name in several]
        entry = self._entry([head, *_listed([buffer for each in lent for buffer in each.buffers])])
        if entry is None or not self._ready():
            return None
        return Draft(entry, Change(insert=batch, rejections=rejections))

    def _entry(self, parts: Sequence[bytes | memoryview]) -> memoryview | None:
        """An entry with this payload, in the buffer; None for one that is too long."""
        ends = list(accumulate(map(len, parts), initial=_HEADER.size))
        if ends[-1] > MOST_BYTES:
            return None
        if ends[-1] > len(self._buffer):
            self._buffer = bytearray(ends[-1] + ends[-1] // 8)
        entry = memoryview(self._buffer)[: ends[-1]]
        for part, (start, end) in zip(parts, pairwise(ends), strict=True):
            entry[start:end] = part
        if len(self._buffer) > FIRST_BYTES:
            self._buffer = bytearray()  # a large one is not held for ever
        return entry

    def reserve(self, draft: Draft) -> int | None:
        """The place of an entry in the file, which grows when it must; None when something that is pending has to be settled
        first."""
        length = len(draft.entry)
        with self._guard:
            if self.pending and self.statistics.pending_spans + draft.change.insert.size > MOST_PENDING_SPANS:
                return None
            place = self._place(length)
        return place if place is not None and self._holds(place + length) else None

    def append(self, draft: Draft, place: int) -> None:
        """Makes an entry durable, at the place reserved for it, and pending. Raises StoreUnavailable when it is not."""
        entry = draft.entry
        sequence = self._sequence = self._sequence + 1
        _HEADER.pack_into(entry, 0, _MAGIC, 0, len(entry) - _HEADER.size, self._store, sequence)
        entry[4:_CHECKED_FROM] = zlib.crc32(entry[_CHECKED_FROM:]).to_bytes(4, "little")
        if self._file is not None:
            try:
                self._file.seek(place)
                if self._file.write(entry) != len(entry):
                    raise OSError("the journal was not written in full")
                _sync(self._file.fileno())
            except BaseException as error:
                self._failed = True
                if isinstance(error, OSError):
                    raise StoreUnavailable(f"the journal cannot be written: {error}") from error
                raise
        with self._guard:
            self._position = place + len(entry)
            self.pending.append(Pending(sequence, draft.change.insert, list(draft.change.rejections), place))
            self.statistics.appends += 1
            self.statistics.pending_commits += 1
            self.statistics.pending_spans += draft.change.insert.size

    def _place(self, length: int) -> int | None:
        """Where an entry fits: at the start of the file, or behind the last one, were the file longer. None where what is
        pending is in the way."""
        if self._path is None or not self.pending:
            return 0
        first = self.pending[0].start
        if self._position <= first:  # the last one is before the first
            return self._position if self._position + length <= first else None
        return 0 if self._position + length > self._size and length <= first else self._position

    def _holds(self, size: int) -> bool:
        """True when the file is as large as that; makes it so, without the guard: it may take long."""
        if self._path is None:
            return True
        if size > MOST_BYTES:
            return False
        if self._file is not None and size > self._size:
            size = min(-(-size // FIRST_BYTES) * FIRST_BYTES, MOST_BYTES)
            try:
                _extend(self._file, self._size, size)
            except OSError as error:
                log.warning("the journal cannot grow to %d bytes: %s", size, error)
                return False
            self._size = size
        return True

    # -- settling
    def pending_now(self) -> list[Pending]:
        """What is pending, as a list that stays as it is."""
        with self._guard:
            return self.pending[:]

    def due(self, spans: int | None = None) -> Due:
        """The first so many spans that are pending, or everything."""
        with self._guard:
            batches: list[SpanBatch] = []
            rejections: list[Rejection] = []
            sequence, rows = self._settled, 0
            left = self.statistics.pending_spans if spans is None else spans
            for entry in self.pending:
                if entry.insert.size > left:
                    rows = entry.settled_rows + left
                    if left:
                        batches.append(entry.insert.part(0, left))
                        rejections += entry.rejections
                    break
                batches.append(entry.insert)
                rejections += entry.rejections
                sequence = entry.sequence
                left -= entry.insert.size
            else:
                sequence = max(sequence, self._sequence if self._failed else 0)
        return Due(Change(insert=self._arrays.join(batches), rejections=rejections), sequence, rows)

    def mark(self, connection: duckdb.DuckDBPyConnection, due: Due) -> None:
        """Stores, in the transaction that inserts what is due, that it was."""
        # Not an UPDATE: until the last reader from before it has gone, DuckDB makes no checkpoint.
        connection.execute("DELETE FROM otel_llm_journal")
        connection.execute(
            "INSERT INTO otel_llm_journal (store, settled, settled_rows) VALUES ($1, $2, $3)",
            [self._store, due.sequence, due.rows],
        )

    def settled(self, due: Due) -> None:
        """That transaction was committed: the room in the file is free. A file that could not be written is made anew with the
        next entry."""
        bad: BinaryIO | None = None
        with self._guard:
            self.statistics.settlements += bool(self.pending)
            self._settled = due.sequence
            pending = [entry for entry in self.pending if entry.sequence > due.sequence]
            if due.rows:
                pending[0] = pending[0].after(due.rows)
            self._hold(pending)
            if self._failed and due.sequence == self._sequence:
                bad, self._file, self._failed = self._file, None, False
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
            self._file, self._size = _made(self._path), FIRST_BYTES
        except OSError as error:
            self._usable = False
            log.warning("there is no journal, commits go into the database one by one: %s", error)
            with suppress(OSError):
                self._path.unlink(missing_ok=True)
            return False
        return True


_OPEN: "WeakValueDictionary[str, Journal]" = WeakValueDictionary()
"""Journals of this process by path."""


def _settled_of(connection: duckdb.DuckDBPyConnection) -> tuple[bytes, int, int]:
    """Identity of the store, number of the last entry that is wholly in it, and rows of the next one that are; the first two
    are made for a store that has none yet."""
    connection.execute("CREATE TABLE IF NOT EXISTS otel_llm_journal (store BLOB NOT NULL, settled BIGINT NOT NULL)")
    connection.execute("ALTER TABLE otel_llm_journal ADD COLUMN IF NOT EXISTS settled_rows BIGINT DEFAULT 0")
    row = connection.execute("SELECT store, settled, settled_rows FROM otel_llm_journal").fetchone()
    if row is None:
        row = secrets.token_bytes(16), 0, 0
        connection.execute("INSERT INTO otel_llm_journal VALUES ($1, $2, $3)", list(row))
    return bytes(row[0]), int(row[1]), int(row[2] or 0)


def _made(path: Path) -> BinaryIO:
    """An empty journal in its first size, on disk. Raises OSError."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0), 0o600)
    file: BinaryIO = os.fdopen(descriptor, "r+b", buffering=0)
    try:
        _extend(file, 0, FIRST_BYTES)
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


def _extend(file: BinaryIO, size: int, to: int) -> None:
    """Makes a file longer, on disk. Raises OSError."""
    file.seek(size)
    left = to - size
    while left:
        left -= file.write(bytes(left))
    os.fsync(file.fileno())


def _sync(descriptor: int) -> None:
    """Brings what was written within a file to the disk."""
    if sys.platform == "darwin":
        import fcntl

        fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)  # fsync stops at the disk's own memory there
    elif hasattr(os, "fdatasync"):
        os.fdatasync(descriptor)
    else:
        os.fsync(descriptor)


def _read(data: bytes, store: bytes, settled: int, last: int) -> _Found:
    """What a journal holds beyond the entry that was settled last; it should hold those up to ``last`` at least."""
    found = _Found([])
    ours = False
    for sequence, payload in _entries(data, store):
        ours = True
        if sequence <= settled:  # left over from before the file was last overwritten
            continue
        entry = _decoder.decode(payload)
        if entry.settled > settled:
            return _Found([], foreign=True)
        found.pending.append(Pending(sequence, _insert_of(entry), [Rejection._make(each) for each in entry.rejections]))
    found.foreign = not ours and data.startswith(_MAGIC) and _HEADER.unpack_from(data)[3] != store
    found.pending.sort(key=lambda entry: entry.sequence)
    if found.pending:
        last = max(last, found.pending[-1].sequence)
    found.missing = last - settled - len(found.pending)
    return found


def _insert_of(entry: _Payload) -> SpanBatch:
    columns = _values_of(entry.spans) | {name: [value] * entry.size for name, value in _values_of(entry.same).items()}
    try:
        buffers = iter(entry.buffers)
        for name, validity, offsets, values in zip(entry.arrays, buffers, buffers, buffers, strict=True):
            columns[name] = column_of(name, validity, offsets, values, entry.size)
    except (KeyError, ValueError) as error:
        raise msgspec.ValidationError(f"a column cannot be read: {error}") from error
    if entry.size and not columns.keys() >= _REQUIRED:
        raise msgspec.ValidationError("a column is missing")
    if any(len(column) != entry.size for column in columns.values()):
        raise msgspec.ValidationError("columns differ in length")
    return SpanBatch.of_columns(columns, entry.size)


def _told_apart(batch: SpanBatch) -> tuple[dict[str, Any], dict[str, list[Any]]]:
    """The filled columns of a batch: the value of each that holds one throughout, and the others."""
    size, columns = batch.size, batch.columns
    same: dict[str, Any] = {}
    several: dict[str, list[Any]] = {}
    for name in FIELD_NAMES if size else ():
        column = columns.get(name)
        if column is None:
            continue
        if is_constant(column):
            same[name] = column[0]
        elif column[0] is not None or column.count(None) < size:
            several[name] = column
    return same, several


def _values_of(struct: Any) -> dict[str, Any]:
    """The fields of a struct that are set."""
    return msgspec.to_builtins(struct, builtin_types=(bytes,)) if struct is not None else {}


def _entries(data: bytes, store: bytes) -> Iterator[tuple[int, memoryview]]:
    """Sequence number and payload of every entry of a store whose checksum is right. What attributes hold is no entry, however
    much it looks like one: nobody who sends spans knows the store's identity."""
    view = memoryview(data)
    place = 0
    while 0 <= place <= len(data) - _HEADER.size:
        magic, checksum, length, owner, sequence = _HEADER.unpack_from(data, place)
        end = place + _HEADER.size + length
        if (
            magic == _MAGIC
            and owner == store
            and end <= len(data)
            and zlib.crc32(view[place + _CHECKED_FROM : end]) == checksum
        ):
            yield sequence, view[place + _HEADER.size : end]
            place = end
        else:
            place = data.find(_MAGIC, place + 1)
