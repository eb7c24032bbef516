"""Batches of spans as Arrow arrays (``arro3-core``): what DuckDB scans, and what the journal writes.

The journal gets the buffers of arrays themselves, in the Arrow columnar format and the byte order of the machine. They are lent
by the Arrow C data interface, a stable ABI, because ``arro3-core`` shows those of few types. Reading them back goes without
addresses: what comes from a file is checked, and becomes lists.
"""

import ctypes
import struct
from collections.abc import Collection, Mapping, Sequence
from itertools import chain, groupby, pairwise
from typing import Any, Literal, NamedTuple

from arro3.core import Array, ChunkedArray, DataType, Table

from otel_llm.spans import FIELD_BY_NAME, FIELD_NAMES, FIELDS, FieldType, SpanBatch, is_constant

ARROW: dict[FieldType, DataType] = {
    "text": DataType.string(),
    "json": DataType.string(),
    "int": DataType.int64(),
    "float": DataType.float64(),
    "bool": DataType.bool(),
    "bytes": DataType.binary(),
}
FIELD_ARROW = {field.name: ARROW[field.type] for field in FIELDS}

_MAX_CONSTANTS, _MOST_REPEATED_BYTES = 128, 32
"""Arrays of one value that are kept: 35 MB at most, with commits of a row group; a few MB in practice."""


class ArrowBatch(SpanBatch):
    """A batch on its way into the database: each column is a list of Arrow arrays. Whoever inserts it needs the interpreter for
    next to nothing, so that a query that waits for it does not wait for those that are extracting."""

    __slots__ = ("same",)

    def __init__(self, size: int = 0) -> None:
        super().__init__(size)
        self.same: dict[str, Any] = {}
        """Values of columns that hold one in every row, as far as it is known."""

    def part(self, first: int, last: int) -> "ArrowBatch":
        """The rows from one to before another of a batch that was not joined."""
        made = ArrowBatch(last - first)
        made.columns.update((name, [chunk.slice(first, last - first)]) for name, (chunk,) in self.columns.items())
        return made

    def filled_columns(self) -> dict[str, list[Any]]:
        """All columns."""
        return self.columns

    def is_full(self, name: str) -> bool:
        """True when every row of a column holds a value."""
        return name in self.columns and not any(chunk.null_count for chunk in self.columns[name])


class Arrays:
    """Makes Arrow arrays of batches, for several threads. A column that holds a single value throughout, as most do, or none is
    a part of one that was made before."""

    def __init__(self, rows: int) -> None:
        """``rows`` is the length that such an array is made in, unless more are needed at once."""
        self._rows = rows
        self._constants: dict[tuple[str, Any], Array] = {}
        self._nulls: dict[str, Array] = {}

    def batch(self, batch: SpanBatch) -> ArrowBatch:
        """The filled columns of a batch. Raises OverflowError, TypeError or UnicodeError for a value that is not of its field's
        type."""
        if isinstance(batch, ArrowBatch):
            return batch
        made = ArrowBatch(batch.size)
        for name, column in batch.filled_columns().items():
            if is_constant(column):
                made.same[name] = column[0]
                made.columns[name] = [self._repeated(name, column[0], column)]
            else:
                made.columns[name] = [Array(column, FIELD_ARROW[name])]
        return made

    def join(self, batches: Sequence[SpanBatch], names: Collection[str] = FIELD_NAMES) -> ArrowBatch:
        """One batch with the rows of all, in order, and of the named columns those that some row may hold. Neighbours that are
        lists become one array: one of a few rows costs 8 us to make and as much to insert as one of thousands."""
        parts = self._parts(batches, names)
        held = set(names).intersection(chain.from_iterable(part.columns for part in parts))
        made = ArrowBatch(sum(part.size for part in parts))
        made.columns.update((name, self._chunks(name, parts)) for name in FIELD_NAMES if name in held)
        return made

    def whole(self, batches: Sequence[SpanBatch], names: Collection[str]) -> dict[str, list[Array]]:
        """Of the named columns those that some row may hold, each in one array: each piece of several would cost 0.1 ms when it
        is scanned."""
        columns = self.join(batches, names).columns
        return {name: [ChunkedArray(chunks).combine_chunks()] for name, chunks in columns.items()}

    def absent(self, name: str, rows: int) -> Array:
        """The column of a field that no row has."""
        known = self._nulls.get(name)
        if known is None or len(known) < rows:
            known = self._nulls[name] = Array([None] * max(rows, self._rows), FIELD_ARROW[name])
        return known.slice(0, rows)

    def _parts(self, batches: Sequence[SpanBatch], names: Collection[str]) -> list[SpanBatch]:
        parts: list[SpanBatch] = []
        for kind, neighbours in groupby((batch for batch in batches if batch.size), type):
            if kind is ArrowBatch:
                parts += neighbours
            else:
                parts.append(self.batch(SpanBatch.concat([batch.only(names) for batch in neighbours])))
        return parts

    def _chunks(self, name: str, parts: Sequence[SpanBatch]) -> list[Array]:
        return [chunk for part in parts for chunk in part.columns.get(name) or [self.absent(name, part.size)]]

    def _repeated(self, name: str, value: Any, column: list[Any]) -> Array:
        """The array of a column that holds one value."""
        if isinstance(value, bytearray) or (isinstance(value, (str, bytes)) and len(value) > _MOST_REPEATED_BYTES):
            return Array(column, FIELD_ARROW[name])
        known = self._constants.get((name, value))
        if known is None or len(known) < len(column):
            if len(self._constants) >= _MAX_CONSTANTS:
                self._constants.clear()
            known = self._constants[name, value] = Array([value] * max(len(column), self._rows), FIELD_ARROW[name])
        return known.slice(0, len(column))


def table_of(columns: Mapping[str, list[Array]]) -> Table:
    """Columns of arrays, as DuckDB scans them."""
    return Table.from_pydict({name: ChunkedArray(chunks) for name, chunks in columns.items()})


# -- buffers


class Lent(NamedTuple):
    """Buffers of an array."""

    buffers: tuple[memoryview | None, memoryview | None, memoryview]
    """Bitmap of the rows that hold a value, None when all do; offsets of texts and bytes, None for other types; values."""
    owner: object
    """To be held while they are used."""


_VARIABLE = ("text", "json", "bytes")


class _ArrowArray(ctypes.Structure):
    """The first members of ``struct ArrowArray``."""

    _fields_ = (
        ("length", ctypes.c_int64),
        ("null_count", ctypes.c_int64),
        ("offset", ctypes.c_int64),
        ("n_buffers", ctypes.c_int64),
        ("n_children", ctypes.c_int64),
        ("buffers", ctypes.POINTER(ctypes.c_void_p)),
    )


_pointer = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p)(("PyCapsule_GetPointer", ctypes.pythonapi))
_memory = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.c_void_p, ctypes.c_ssize_t, ctypes.c_int)(
    ("PyMemoryView_FromMemory", ctypes.pythonapi)
)
_PYBUF_READ = 0x100


def _view(address: int | None, size: int) -> memoryview:
    """Memory that another owns."""
    view: memoryview = _memory(address, size, _PYBUF_READ) if size else memoryview(b"")
    return view


def lend(name: str, array: Array) -> Lent:
    """The buffers of a field's array. Raises ValueError for one that does not begin at the start of its buffers."""
    _, owner = array.__arrow_c_array__()
    lent = _ArrowArray.from_address(_pointer(owner, b"arrow_array"))
    if lent.offset:
        raise ValueError("a slice of an array")
    rows, buffers = lent.length, lent.buffers
    bitmap = (rows + 7) // 8
    validity = _view(buffers[0], bitmap) if lent.null_count else None
    kind = FIELD_BY_NAME[name].type
    if kind in _VARIABLE:
        offsets = _view(buffers[1], 4 * (rows + 1))
        ends = offsets.cast("i")
        if ends[0]:
            raise ValueError("a slice of an array")
        return Lent((validity, offsets, _view(buffers[2], ends[rows])), owner)
    return Lent((validity, None, _view(buffers[1], bitmap if kind == "bool" else 8 * rows)), owner)


def column_of(
    name: str, validity: memoryview | None, offsets: memoryview | None, values: memoryview | None, rows: int
) -> list[Any]:
    """The column that buffers hold. Raises KeyError or ValueError when they are not those of so many rows of a field."""
    kind = FIELD_BY_NAME[name].type
    column: list[Any]
    if values is None or (offsets is not None) != (kind in _VARIABLE):
        raise ValueError("a column of another type")
    if offsets is not None:
        at = _numbers(offsets, "i", rows + 1)
        if at[0] or at[-1] != len(values) or any(first > last for first, last in pairwise(at)):
            raise ValueError("offsets that do not fit the values")
        data = bytes(values)
        column = [data[first:last] for first, last in pairwise(at)]
        if kind != "bytes":
            column = [value.decode() if value else "" for value in column]
    elif kind == "bool":
        column = _bits(values, rows)
    else:
        column = _numbers(values, "q" if kind == "int" else "d", rows)
    if validity is not None:
        column = [value if valid else None for value, valid in zip(column, _bits(validity, rows), strict=True)]
    return column


def _numbers(buffer: memoryview, format: Literal["i", "q", "d"], count: int) -> list[Any]:
    if len(buffer) != count * struct.calcsize(format):
        raise ValueError("a buffer of another length")
    return buffer.cast(format).tolist()


def _bits(buffer: memoryview, count: int) -> list[bool]:
    if len(buffer) != (count + 7) // 8:
        raise ValueError("a buffer of another length")
    return [bool(byte >> bit & 1) for byte in buffer for bit in range(8)][:count]
