"""Segments: the rows of one part in the order of one index, one memory-mapped Arrow file per column.

Rows are sorted by key and, within a key, newest first by (``__ord``, ``__seq``), so that a read is a slice. The file
``__keys`` holds the distinct keys in physical form and the position where the rows of each begin.
"""

from __future__ import annotations

import zlib
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from workbench.errors import StorageError
from workbench.storage.arrays import bool_values, contiguous, int64_array, null_mask, raw_int64
from workbench.storage.files import Files, disk_error
from workbench.storage.keys import KeyCodec, Physical, ord_values
from workbench.storage.model import ORD, SEQ, ColumnFile, IndexSpec, StoredTable
from workbench.storage.session import connect, quoted, text
from workbench.values.types import arrow_type

KEYS = "__keys"
NULL_ORD = -(2**63)
CHUNK_ROWS = 1 << 20
CHUNK_BYTES = 256 << 20
BATCH_ROWS = 1 << 16
SORT_MEMORY = "1GB"


class CorruptFile(StorageError):
    """A column file whose content is not what its commit recorded."""


# --- Writing ---


def build_segment(
    files: Files, table: StoredTable, spec: IndexSpec, part_path: str, columns: Sequence[str], *, whole: bool
) -> list[ColumnFile]:
    """Sort one part for one index and write a file per column; return the published files.

    Parameters
    ----------
    whole
        Also write the keys, ``__ord`` and ``__seq``; False adds columns to a segment that has these.

    Raises
    ------
    StorageError
        When the disk refuses; no file is left then.
    """
    codecs = [KeyCodec(key, table.columns[key]) for key in spec.keys]
    paths = {
        name: files.new_path("segments", ".arrow")
        for name in [*columns, *((ORD, SEQ, KEYS) if whole else ())]
    }
    try:
        with ExitStack() as stack:
            writers = {
                name: stack.enter_context(_ColumnWriter(files.temporary(path)))
                for name, path in paths.items()
                if name != KEYS
            }
            grouper = _Grouper(codecs) if whole else None
            for chunk in _sorted_chunks(files, table, spec, codecs, part_path, columns):
                _write_chunk(chunk, table, spec, columns, writers, grouper)
        if grouper is not None:
            grouper.write(files.temporary(paths[KEYS]))
        published = [_describe(name, path, files.temporary(path)) for name, path in paths.items()]
        files.publish(*paths.values())
    except OSError as error:
        files.discard(*paths.values())
        raise disk_error(error) from error
    except BaseException:
        files.discard(*paths.values())
        raise
    return published


def _sorted_chunks(
    files: Files,
    table: StoredTable,
    spec: IndexSpec,
    codecs: Sequence[KeyCodec],
    part_path: str,
    columns: Sequence[str],
) -> Iterator[pa.Table]:
    order = quoted(spec.order) if spec.order else "0::BIGINT"
    selected = [
        *(f"{codec.sql()} AS __k{number}" for number, codec in enumerate(codecs)),
        f"{order} AS {ORD}",
        SEQ,
        *(f"CAST({quoted(name)} AS {table.columns[name]}) AS {quoted(name)}" for name in columns),
    ]
    sort = [
        *(f"__k{number} NULLS LAST" for number in range(len(codecs))),
        f"{ORD} DESC NULLS LAST",
        f"{SEQ} DESC",
    ]
    query = (
        f"SELECT {', '.join(selected)} FROM read_parquet({text(str(files.root / part_path))})"
        f" ORDER BY {', '.join(sort)}"
    )
    with (
        files.spill_directory() as spill,
        connect(readable=[files.root / "lake"], memory_limit=SORT_MEMORY, temp_directory=spill) as connection,
    ):
        pending: list[pa.RecordBatch] = []
        rows = size = 0
        for batch in connection.execute(query).to_arrow_reader(BATCH_ROWS):
            pending.append(batch)
            rows += batch.num_rows
            size += batch.nbytes
            if rows >= CHUNK_ROWS or size >= CHUNK_BYTES:
                yield pa.Table.from_batches(pending)
                pending, rows, size = [], 0, 0
        if pending:
            yield pa.Table.from_batches(pending)


def _write_chunk(
    chunk: pa.Table,
    table: StoredTable,
    spec: IndexSpec,
    columns: Sequence[str],
    writers: dict[str, _ColumnWriter],
    grouper: _Grouper | None,
) -> None:
    for name in columns:
        writers[name].write(contiguous(chunk.column(name), arrow_type(table.columns[name])))
    if grouper is None:
        return
    order = ord_values(contiguous(chunk.column(ORD)))
    writers[ORD].write(with_null_ord(order))
    writers[SEQ].write(contiguous(chunk.column(SEQ)))
    grouper.add(
        [contiguous(chunk.column(f"__k{number}")) for number in range(len(spec.keys))], chunk.num_rows
    )


class _ColumnWriter:
    """One Arrow IPC file with one column, a record batch per chunk."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._writer: Any = None

    def __enter__(self) -> _ColumnWriter:
        self._sink = pa.OSFile(str(self._path), "wb")
        return self

    def write(self, array: pa.Array) -> None:
        if self._writer is None:
            self._writer = pa.ipc.new_file(self._sink, pa.schema([("v", array.type)]))
        self._writer.write_batch(pa.RecordBatch.from_arrays([array], names=["v"]))

    def __exit__(self, *_: object) -> None:
        if self._writer is not None:
            self._writer.close()
        self._sink.close()


class _Grouper:
    """Finds where the rows of each distinct key begin in the sorted stream."""

    def __init__(self, codecs: Sequence[KeyCodec]) -> None:
        self._codecs = codecs
        self._last: list[pa.Array] | None = None
        self._keys: list[list[pa.Array]] = [[] for _ in codecs]
        self._starts: list[npt.NDArray[np.int64]] = []
        self._rows = 0

    def add(self, columns: Sequence[pa.Array], rows: int) -> None:
        physical = [codec.physical(column) for codec, column in zip(self._codecs, columns, strict=True)]
        changed = np.zeros(rows, dtype=bool)
        changed[0] = self._last is None or any(
            a[0] != b[0] if a[0].is_valid and b[0].is_valid else a[0].is_valid != b[0].is_valid
            for a, b in zip(self._last, physical, strict=True)
        )
        for column in physical:
            changed[1:] |= _differs(column)
        starts = np.flatnonzero(changed)
        for kept, column in zip(self._keys, physical, strict=True):
            kept.append(column.take(int64_array(starts)))
        self._starts.append(starts + self._rows)
        self._rows += rows
        self._last = [column.slice(rows - 1) for column in physical]

    def write(self, path: Path) -> None:
        columns = {f"k{number}": pa.concat_arrays(kept) for number, kept in enumerate(self._keys)}
        columns["start"] = int64_array(np.concatenate(self._starts))
        batch = pa.RecordBatch.from_arrays(list(columns.values()), names=list(columns))
        with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, batch.schema) as writer:
            writer.write_batch(batch)


def _differs(column: pa.Array) -> npt.NDArray[np.bool_]:
    """Return for every row but the first whether it differs from the one before; NULL equals NULL."""
    later, earlier = column.slice(1), column.slice(0, len(column) - 1)
    unequal = bool_values(pc.not_equal(later, earlier))
    nulls = null_mask(column)
    if nulls is None:
        return unequal
    both = ~nulls[1:] & ~nulls[:-1]
    return (unequal & both) | (nulls[1:] != nulls[:-1])


def with_null_ord(order: pa.Array) -> pa.Array:
    """Return an ``__ord`` array whose NULLs have NULL_ORD beneath, so that its buffer alone sorts."""
    nulls = null_mask(order)
    return order if nulls is None else int64_array(np.where(nulls, NULL_ORD, raw_int64(order)), nulls)


def _describe(column: str, path: str, written: Path) -> ColumnFile:
    with pa.memory_map(str(written)) as source:
        return ColumnFile(column, path, source.size(), zlib.crc32(source.read_buffer()))


# --- Reading ---


class MappedColumn:
    """A memory-mapped column file: contiguous chunks and the position at which each starts.

    Raises
    ------
    CorruptFile
        When size or checksum are not those of the commit.
    FileNotFoundError
        When the file was removed since the manifest was read.
    """

    def __init__(self, path: Path, file: ColumnFile) -> None:
        batches = _read_checked(path, file)
        self.chunks = [batch.column(0) for batch in batches]
        self.starts = [0]
        for chunk in self.chunks:
            self.starts.append(self.starts[-1] + len(chunk))

    def slice(self, begin: int, end: int) -> pa.Array:
        """Return the rows [begin, end), without a copy unless they cross chunks."""
        if end <= self.starts[1]:
            return self.chunks[0].slice(begin, end - begin)
        first = bisect_right(self.starts, begin) - 1
        if end <= self.starts[first + 1]:
            return self.chunks[first].slice(begin - self.starts[first], end - begin)
        last = bisect_left(self.starts, end) - 1
        pieces = [
            self.chunks[number].slice(
                max(0, begin - self.starts[number]), end - max(begin, self.starts[number])
            )
            for number in range(first, last + 1)
        ]
        return pa.concat_arrays(pieces)


class MappedIntegers(MappedColumn):
    """``__ord`` or ``__seq``: also as numpy values, NULLs as NULL_ORD."""

    def __init__(self, path: Path, file: ColumnFile) -> None:
        super().__init__(path, file)
        self.has_nulls = any(chunk.null_count for chunk in self.chunks)
        self._values = [raw_int64(chunk) for chunk in self.chunks]

    def values(self, begin: int, end: int) -> npt.NDArray[np.int64]:
        """Return the rows [begin, end) as numpy."""
        if end <= self.starts[1]:
            return self._values[0][begin:end]
        first = bisect_right(self.starts, begin) - 1
        if end <= self.starts[first + 1]:
            return self._values[first][begin - self.starts[first] : end - self.starts[first]]
        return raw_int64(self.slice(begin, end))

    def first_null(self, begin: int, end: int) -> int:
        """Return where the NULLs, which lie last, begin in the rows [begin, end) of one key."""
        return end - self.slice(begin, end).null_count if self.has_nulls else end


class MappedKeys:
    """The distinct keys of a segment and the rows of each."""

    def __init__(self, path: Path, file: ColumnFile, rows: int) -> None:
        (batch,) = _read_checked(path, file)
        self._starts = raw_int64(batch.column(batch.num_columns - 1))
        self._rows = rows
        self._levels = [_level(batch.column(number)) for number in range(batch.num_columns - 1)]

    def find(self, key: Sequence[Physical]) -> tuple[int, int] | None:
        """Return the rows [begin, end) of a key in physical form, None when there are none."""
        low, high = 0, len(self._starts)
        for level, value in zip(self._levels, key, strict=True):
            low, high = level.narrow(value, low, high)
            if low == high:
                return None
        end = self._rows if low + 1 == len(self._starts) else int(self._starts[low + 1])
        return int(self._starts[low]), end


class _Level:
    """One column of the distinct keys: narrows a range of keys to those with a value."""

    def __init__(self, column: pa.Array) -> None:
        self._null = null_mask(column)

    def narrow(self, value: Physical, low: int, high: int) -> tuple[int, int]:
        values_end = high
        if self._null is not None:
            values_end = low + int(self._null[low:high].searchsorted(True))
        if value is None:
            return values_end, high
        return self.search(value, low, values_end)

    def search(self, value: Any, low: int, high: int) -> tuple[int, int]:
        raise NotImplementedError


class _IntegerLevel(_Level):
    def __init__(self, column: pa.Array) -> None:
        super().__init__(column)
        self._values = raw_int64(column)

    def search(self, value: Any, low: int, high: int) -> tuple[int, int]:
        values = self._values[low:high]
        begin = low + int(values.searchsorted(value))
        if begin == high or self._values[begin] != value:
            return low, low
        if begin + 1 == high or self._values[begin + 1] != value:
            return begin, begin + 1
        return begin, low + int(values.searchsorted(value, side="right"))


class _BytesLevel(_Level):
    def __init__(self, column: pa.Array) -> None:
        super().__init__(column)
        _, offsets, data = column.buffers()
        self._offsets = np.frombuffer(offsets, dtype="<i8", count=len(column) + 1 + column.offset)[
            column.offset :
        ]
        self._data = memoryview(data if data is not None else b"")

    def __getitem__(self, position: int) -> bytes:
        return bytes(self._data[self._offsets[position] : self._offsets[position + 1]])

    def __len__(self) -> int:
        return len(self._offsets) - 1

    def search(self, value: Any, low: int, high: int) -> tuple[int, int]:
        begin = bisect_left(self, value, low, high)
        if begin == high or self[begin] != value:
            return low, low
        if begin + 1 == high or self[begin + 1] != value:
            return begin, begin + 1
        return begin, bisect_right(self, value, begin, high)


def _level(column: pa.Array) -> _Level:
    return _IntegerLevel(column) if pa.types.is_int64(column.type) else _BytesLevel(column)


def _read_checked(path: Path, file: ColumnFile) -> list[pa.RecordBatch]:
    # The size comes first: touching mapped pages beyond the end of a truncated file would kill the process.
    if path.stat().st_size != file.bytes:
        raise CorruptFile(f"the index file {file.path} does not have the size it was written with")
    content = pa.memory_map(str(path)).read_buffer()
    if zlib.crc32(content) != file.crc32:
        raise CorruptFile(f"the index file {file.path} does not have the checksum it was written with")
    reader = pa.ipc.open_file(pa.BufferReader(content))
    return [reader.get_batch(number) for number in range(reader.num_record_batches)]
