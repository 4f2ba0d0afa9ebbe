"""Lake files: the rows of a table as Parquet, written out of core, with their arrival number beside."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from workbench.storage.arrays import contiguous, int64_array, raw_int64
from workbench.storage.files import Files, disk_error
from workbench.storage.model import SEQ, Part, StoredTable
from workbench.storage.scan import MEMORY, part_relation
from workbench.storage.session import connect
from workbench.storage.tables import microseconds
from workbench.values.types import arrow_schema, arrow_type

ROW_GROUP_ROWS = 122_880
ROW_GROUP_BYTES = 128 << 20


class PartWriter:
    """Writes one lake file; use it as a context manager, then :meth:`part`.

    An exception inside the block removes the file. seq values may be relative: ``base_seq`` of the part is added to
    them by whoever reads.

    Raises
    ------
    StorageError
        When the disk refuses.
    """

    def __init__(self, files: Files, table: StoredTable) -> None:
        self._files = files
        self._table = table
        self._schema = arrow_schema(table.columns).append(pa.field(SEQ, pa.int64(), nullable=False))
        self._path = files.new_path("lake", ".parquet")
        self._pending: list[pa.Table] = []
        self._pending_rows = self._pending_bytes = 0
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="workbench-lake")
        self._writing: Future[None] | None = None
        self._part = Part(0, table.id, self._path, 0, 0, 0, 0, -1, None, None, len(table.columns))

    def __enter__(self) -> PartWriter:
        try:
            self._writer: Any = pq.ParquetWriter(
                str(self._files.temporary(self._path)),
                self._schema,
                compression="zstd",
                compression_level=1,
                write_page_checksum=True,
                **_encodings(self._schema),
            )
        except OSError as error:
            raise disk_error(error) from error
        return self

    def write(self, rows: pa.Table, seqs: npt.NDArray[np.int64]) -> None:
        """Add rows, in any order, with their seq."""
        if rows.num_rows == 0:
            return
        self._note(rows, seqs)
        self._pending.append(rows.append_column(self._schema.field(SEQ), int64_array(seqs)))
        self._pending_rows += rows.num_rows
        self._pending_bytes += rows.nbytes
        if self._pending_rows >= ROW_GROUP_ROWS or self._pending_bytes >= ROW_GROUP_BYTES:
            self._write_pending()

    def _note(self, rows: pa.Table, seqs: npt.NDArray[np.int64]) -> None:
        part = self._part
        low, high = int(seqs.min()), int(seqs.max())
        if part.rows:
            low, high = min(low, part.min_seq), max(high, part.max_seq)
        part = replace(part, rows=part.rows + rows.num_rows, min_seq=low, max_seq=high)
        if self._table.time is not None:
            for chunk in rows.column(self._table.time).chunks:
                times = microseconds(chunk)
                if len(times):
                    first, last = int(times.min()), int(times.max())
                    part = replace(
                        part,
                        first_time=first if part.first_time is None else min(first, part.first_time),
                        last_time=last if part.last_time is None else max(last, part.last_time),
                    )
        self._part = part

    def _write_pending(self) -> None:
        """Have the pending rows written while the caller makes the next ones; at most one such lot waits."""
        self._finish_writing()
        if self._pending:
            rows = pa.concat_tables(self._pending)
            self._writing = self._pool.submit(self._writer.write_table, rows, row_group_size=ROW_GROUP_ROWS)
        self._pending, self._pending_rows, self._pending_bytes = [], 0, 0

    def _finish_writing(self) -> None:
        writing, self._writing = self._writing, None
        if writing is not None:
            try:
                writing.result()
            except OSError as error:
                raise disk_error(error) from error

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            try:
                if kind is None:
                    self._write_pending()
                    self._finish_writing()
            finally:
                self._pool.shutdown()
                self._writer.close()
            if kind is None:
                size = self._files.temporary(self._path).stat().st_size
                self._part = replace(self._part, bytes=size)
                self._files.publish(self._path)
        except OSError as error:
            self._files.discard(self._path)
            raise disk_error(error) from error
        except BaseException:
            self._files.discard(self._path)
            raise
        if kind is not None:
            self._files.discard(self._path)

    def part(self) -> Part:
        """Return what was written, with seq as given and ``base_seq`` 0."""
        return self._part


def _encodings(schema: pa.Schema) -> dict[str, Any]:
    """Return how columns are encoded: what repeats by dictionary, wide integers and times by differences.

    Dictionaries of the others would be given up after the first values, at two thirds of the time of writing.
    """
    dictionary, differences = [], {}
    for field in schema:
        kind = field.type
        if kind == pa.int64() or pa.types.is_timestamp(kind):
            differences[field.name] = "DELTA_BINARY_PACKED"
        elif not pa.types.is_floating(kind) and not pa.types.is_nested(kind):
            dictionary.append(field.name)
    return {"use_dictionary": dictionary or False, "column_encoding": differences or None}


def merge_parts(
    files: Files,
    table: StoredTable,
    parts: Iterable[Part],
    *,
    where: str | None = None,
    progress: Callable[[int], None] | None = None,
) -> Part:
    """Write the rows of several parts into one new file in the order of their seq, out of core.

    ``where`` is SQL over the table's columns of which rows stay; ``progress`` is told how many rows are written.
    """
    names = list(table.columns)
    selects = [
        f"SELECT * REPLACE ({SEQ} + {part.base_seq} AS {SEQ}) FROM {part_relation(files, table, part)}"
        for part in parts
    ]
    kept = f" WHERE {where}" if where is not None else ""
    query = f"SELECT * FROM ({' UNION ALL '.join(selects)}){kept} ORDER BY {SEQ}"
    written = 0
    with (
        PartWriter(files, table) as writer,
        files.spill_directory() as spill,
        connect(readable=[files.root / "lake"], memory_limit=MEMORY, temp_directory=spill) as connection,
    ):
        for batch in connection.execute(query).to_arrow_reader(ROW_GROUP_ROWS):
            chunk = pa.Table.from_batches([batch])
            arrays = [contiguous(chunk.column(name), arrow_type(table.columns[name])) for name in names]
            rows = pa.Table.from_arrays(arrays, schema=arrow_schema(table.columns))
            writer.write(rows, raw_int64(contiguous(chunk.column(SEQ))))
            written += rows.num_rows
            if progress is not None:
                progress(written)
    return writer.part()


def count_until(files: Files, part: Part, cut: int) -> int:
    """Return how many rows of a part have ``seq <= cut``."""
    column = pq.read_table(str(files.root / part.path), columns=[SEQ], use_threads=False).column(SEQ)
    return int(np.count_nonzero(raw_int64(contiguous(column)) <= cut - part.base_seq))
