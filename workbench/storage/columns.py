"""Column files: the values of one column in the order of a segment, as kernels and Arrow readers want them.

Kinds of files and their sections:

* ``int``, ``float``: ``values`` in the narrowest width that holds them, ``valid`` (Arrow's bitmap) when some are NULL;
* ``text``: ``values`` are codes of a dictionary that is sorted by bytes: ``offsets`` and ``data``; ``valid`` as above;
* ``arrow``: every other type, ``data`` is an Arrow IPC file.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from workbench.storage.arrays import bool_values, null_mask, raw_values
from workbench.storage.layout import FileWriter, MappedFile
from workbench.storage.model import ColumnFile
from workbench.values.lanes import lane_of
from workbench.values.types import arrow_type

NOT_FINITE = 1
CHUNK_ROWS = 1 << 20
ARROW_ROWS = 1 << 16

KINDS = {"i": "int", "f": "float", "s": "text", "o": "arrow"}
_WIDTHS = tuple(np.dtype(f"<i{size}") for size in (1, 2, 4, 8))

Array = npt.NDArray[Any]


@dataclass
class Values:
    """A column in memory, in any order of rows.

    Parameters
    ----------
    values
        Numbers, or codes of ``words``.
    nulls
        Which are NULL, None when none is. What lies under them is 0.
    words
        The dictionary of a text column, sorted by bytes, as a large_string array.
    """

    values: Array
    nulls: npt.NDArray[np.bool_] | None = None
    words: pa.Array | None = None


def collect(arrays: Iterable[pa.Array], kind: str, rows: int) -> Values:
    """Return a column that is given piece by piece; not for types of lane ``o``."""
    if lane_of(kind) == "s":
        return _collect_text(arrays, rows)
    values: Array | None = None
    nulls: npt.NDArray[np.bool_] | None = None
    begin = 0
    for array in arrays:
        found = lane_values(array, kind)
        if values is None:
            values = np.empty(rows, found.dtype)
        end = begin + len(found)
        values[begin:end] = found
        missing = null_mask(array)
        if missing is not None:
            if nulls is None:
                nulls = np.zeros(rows, dtype=bool)
            nulls[begin:end] = missing
            values[begin:end][missing] = 0
        begin = end
    return Values(np.zeros(0, np.int8) if values is None else values, nulls)


def lane_values(array: pa.Array, kind: str) -> Array:
    """Return the numbers of an array of a type of lane ``i`` or ``f``, whatever lies under its NULLs."""
    if kind == "BOOLEAN":
        return bool_values(array).view(np.int8)
    if pa.types.is_decimal(array.type):
        return raw_values(array, np.dtype([("low", "<i8"), ("high", "<i8")]))["low"]
    return raw_values(array, _numpy_type(array.type))


def _numpy_type(kind: pa.DataType) -> npt.DTypeLike:
    if pa.types.is_floating(kind):
        return f"<f{kind.bit_width // 8}"
    letter = "u" if pa.types.is_unsigned_integer(kind) else "i"
    return f"<{letter}{kind.bit_width // 8}"


def _collect_text(arrays: Iterable[pa.Array], rows: int) -> Values:
    encoded = [
        array if pa.types.is_dictionary(array.type) else pc.dictionary_encode(array) for array in arrays
    ]
    if not encoded:
        return Values(np.zeros(0, np.int8), None, pa.nulls(0, pa.large_string()))
    unified = pa.chunked_array(encoded).unify_dictionaries()
    words = unified.chunk(0).dictionary.cast(pa.large_string())
    order = raw_values(pc.sort_indices(words), np.uint64)
    rank = np.empty(len(words) + 1, np.int32)
    rank[order] = np.arange(len(words), dtype=np.int32)
    codes = np.empty(rows, width_of(0, max(0, len(words) - 1)))
    nulls: npt.NDArray[np.bool_] | None = None
    begin = 0
    for chunk in unified.chunks:
        end = begin + len(chunk)
        missing = null_mask(chunk.indices)
        indices = raw_values(chunk.indices, _numpy_type(chunk.indices.type))
        if missing is not None:
            if nulls is None:
                nulls = np.zeros(rows, dtype=bool)
            nulls[begin:end] = missing
            indices = np.where(missing, 0, indices)
        codes[begin:end] = rank[indices]
        if missing is not None:
            codes[begin:end][missing] = 0
        begin = end
    return Values(codes, nulls, words.take(_indices(order)))


def _indices(order: Array) -> pa.Array:
    return pa.Array.from_buffers(pa.uint64(), len(order), [None, pa.py_buffer(np.ascontiguousarray(order))])


def width_of(low: int, high: int) -> np.dtype[Any]:
    """Return the narrowest integer type that holds all of a range."""
    for width in _WIDTHS[:-1]:
        info = np.iinfo(width)
        if info.min <= low and high <= info.max:
            return width
    return _WIDTHS[-1]


def write_values(
    path: Path, column: Values, order: Array | None, *, least: int = 1, base: int = 0
) -> FileWriter:
    """Write a column file; the caller asks the writer for its description.

    Parameters
    ----------
    order
        Which row of ``column`` comes where; None: as they are.
    least
        How many bytes a whole number has at least.
    base
        What readers add to every value.
    """
    rows = len(column.values) if order is None else len(order)
    values = column.values
    kind = "text" if column.words is not None else "float" if values.dtype.kind == "f" else "int"
    dtype: np.dtype[Any] = values.dtype
    if kind == "int" and len(values):
        dtype = width_of(int(values.min()), int(values.max()))
        dtype = dtype if dtype.itemsize >= least else np.dtype(f"<i{least}")
    with FileWriter(path, kind, rows) as writer:
        writer.base = base
        if kind == "float" and not np.isfinite(values).all():
            writer.flags |= NOT_FINITE
        writer.begin("values", dtype)
        for begin in range(0, rows, CHUNK_ROWS):
            end = min(rows, begin + CHUNK_ROWS)
            writer.append(values[begin:end] if order is None else values[order[begin:end]])
        if column.nulls is not None and column.nulls.any():
            nulls = column.nulls if order is None else column.nulls[order]
            writer.section("valid", np.packbits(~nulls, bitorder="little"))
        if column.words is not None:
            _write_words(writer, column.words)
    return writer


def _write_words(writer: FileWriter, words: pa.Array) -> None:
    _, offsets, data = words.buffers()
    bounds = (
        np.zeros(1, np.int64)
        if offsets is None
        else np.frombuffer(offsets, "<i8", words.offset + len(words) + 1)
    )[words.offset :]
    writer.section("offsets", bounds - bounds[0])
    content = np.zeros(0, np.uint8) if data is None else np.frombuffer(data, np.uint8)
    writer.section("data", content[int(bounds[0]) : int(bounds[-1])])


class ArrowWriter:
    """Writes a column file of kind ``arrow``, chunk by chunk."""

    def __init__(self, path: Path, kind: pa.DataType, rows: int) -> None:
        self._type = kind
        self.file = FileWriter(path, "arrow", rows)

    def __enter__(self) -> ArrowWriter:
        self.file.__enter__()
        self.file.begin("data", np.uint8)
        self._sink = pa.PythonFile(_Sink(self.file), mode="w")
        self._writer = pa.ipc.new_file(self._sink, pa.schema([("v", self._type)]))
        return self

    def write(self, array: pa.Array) -> None:
        """Add rows."""
        batch = pa.RecordBatch.from_arrays([array], names=["v"])
        for begin in range(0, batch.num_rows, ARROW_ROWS):
            self._writer.write_batch(batch.slice(begin, ARROW_ROWS))

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        self._writer.close()
        self.file.__exit__(kind, error, trace)


class _Sink:
    """A file object that adds to the open section."""

    closed = False

    def __init__(self, writer: FileWriter) -> None:
        self._writer = writer

    def write(self, content: bytes) -> int:
        self._writer.append(np.frombuffer(content, np.uint8))
        return len(content)

    def flush(self) -> None:
        pass

    def close(self) -> None:
        pass


class MappedColumn:
    """A memory-mapped column file.

    Parameters
    ----------
    path, file
        See :class:`MappedFile`, which tells what is raised.
    kind
        The DuckDB type of the values.

    Attributes
    ----------
    lane
        ``i``, ``f``, ``s`` or ``o``.
    values
        Numbers or codes, one a row; None of lane ``o``.
    valid
        Arrow's validity bitmap, None when no value is NULL.
    offsets, data
        The dictionary of lane ``s``.
    finite
        Whether no float is NaN or infinite.
    """

    def __init__(self, path: Path, file: ColumnFile, kind: str) -> None:
        self.file = MappedFile(path, file)
        self.kind = kind
        self.type = arrow_type(kind)
        self.base: int = self.file.base
        self.finite = not self.file.flags & NOT_FINITE
        sections = self.file.sections
        self.lane = next(lane for lane, name in KINDS.items() if name == self.file.kind)
        self.values: Array | None = None if self.lane == "o" else self.file.array("values")
        self.valid: npt.NDArray[np.uint8] | None = self.file.array("valid") if "valid" in sections else None
        self.offsets = self.file.array("offsets") if self.lane == "s" else None
        self.data = self.file.array("data") if self.lane == "s" else None
        self._words: pa.Array | None = None
        self._chunks: list[pa.Array] = []
        self._starts = [0]
        if self.lane in ("s", "o"):
            self.file.verify_now()
        if self.lane == "o":
            self._open_arrow()

    def _open_arrow(self) -> None:
        reader = pa.ipc.open_file(pa.BufferReader(pa.py_buffer(self.file.array("data"))))
        for number in range(reader.num_record_batches):
            chunk = reader.get_batch(number).column(0)
            self._chunks.append(chunk)
            self._starts.append(self._starts[-1] + len(chunk))

    def slice(self, begin: int, end: int) -> pa.Array:
        """Return the rows [begin, end) as an Arrow array of the column's type."""
        if self.values is None:
            return self._arrow_slice(begin, end)
        if self.lane == "s":
            return self._text(begin, end)
        return lane_array(self.values, self.valid, begin, end, self.kind)

    def _text(self, begin: int, end: int) -> pa.Array:
        assert self.values is not None
        codes = lane_array(self.values, self.valid, begin, end, "INTEGER")
        return self._dictionary().take(codes).cast(self.type)

    def _dictionary(self) -> pa.Array:
        if self._words is None:
            assert self.offsets is not None
            assert self.data is not None
            buffers = [None, pa.py_buffer(self.offsets), pa.py_buffer(self.data)]
            self._words = pa.Array.from_buffers(pa.large_string(), len(self.offsets) - 1, buffers)
        return self._words

    def _arrow_slice(self, begin: int, end: int) -> pa.Array:
        starts = self._starts
        first = max(0, min(bisect_right(starts, begin), len(self._chunks)) - 1)
        if not self._chunks:
            return pa.nulls(0, self.type)
        if end <= starts[first + 1]:
            return self._chunks[first].slice(begin - starts[first], end - begin)
        last = bisect_left(starts, end) - 1
        pieces = [
            self._chunks[n].slice(max(0, begin - starts[n]), end - max(begin, starts[n]))
            for n in range(first, last + 1)
        ]
        return pa.concat_arrays(pieces)

    def value(self, row: int) -> Any:
        """Return the value of one row as Python has it, None for NULL."""
        if self.lane == "s" and self.values is not None:
            if self.valid is not None and not self.valid[row >> 3] >> (row & 7) & 1:
                return None
            assert self.offsets is not None
            assert self.data is not None
            code = int(self.values[row])
            return self.data[self.offsets[code] : self.offsets[code + 1]].tobytes().decode()
        return self.slice(row, row + 1)[0].as_py()


def lane_array(
    values: Array, valid: npt.NDArray[np.uint8] | None, begin: int, end: int, kind: str
) -> pa.Array:
    """Return the rows [begin, end) of lanes ``i`` or ``f`` as an Arrow array of a type; a copy where widths differ."""
    # The bitmap is cut at whole bytes, and so are the values before it.
    skipped = begin & 7 if valid is not None else 0
    found = values[begin - skipped : end]
    bitmap = None if valid is None else pa.py_buffer(valid[begin >> 3 : (end + 7) >> 3])
    wanted = arrow_type(kind)
    content: Array
    if kind == "BOOLEAN":
        content = np.packbits(found.view(np.bool_), bitorder="little")
    elif pa.types.is_decimal(wanted):
        words = np.empty((len(found), 2), "<i8")
        words[:, 0] = found
        words[:, 1] = words[:, 0] >> 63
        content = words
    else:
        content = np.ascontiguousarray(found, dtype=_numpy_type(wanted))
    return pa.Array.from_buffers(wanted, end - begin, [bitmap, pa.py_buffer(content)], offset=skipped)
