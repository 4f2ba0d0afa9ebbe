"""Segments: the rows of one part in the order of one index, one file per column.

Rows are sorted by key and, within a key, newest first by (``__ord``, ``__seq``), so that a read is a slice. What a
segment lacks can be added without sorting again: its ``__seq`` tells where each row stands in the part's file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from workbench.kernels.program import KeyLevel
from workbench.kernels.trees import build_newer, build_slots, build_tree
from workbench.storage import artifacts
from workbench.storage.arrays import contiguous, int64_array, raw_int64
from workbench.storage.columns import ArrowWriter, MappedColumn, Values, collect, write_values
from workbench.storage.files import Files, disk_error
from workbench.storage.keys import KeyCodec
from workbench.storage.keytable import MappedKeys, write_keys
from workbench.storage.layout import FileWriter
from workbench.storage.model import (
    KEYS,
    NEWER,
    ORD,
    SEQ,
    SUFFIX,
    TREE,
    ColumnFile,
    IndexSpec,
    Needs,
    Part,
    StoredTable,
)
from workbench.storage.ordering import Positions, find_order, positions_of, sorted_batches
from workbench.storage.scan import PartScan
from workbench.storage.session import quoted
from workbench.values.lanes import lane_of
from workbench.values.types import arrow_type

#: So many values of columns are in memory at once while a segment is built.
MEMORY_VALUES = 8 << 20
#: A column that cannot be an array of numbers is put in order in memory up to this size, and sorted by DuckDB beyond.
MEMORY_BYTES = 256 << 20
THREADS = 2
_ALIASES = ("TIMESTAMP", "BIGINT", "INTEGER", "SMALLINT", "TINYINT", "UINTEGER", "USMALLINT", "UTINYINT")


def file_of(spec: IndexSpec, table: StoredTable, column: str) -> str:
    """Return in which file a column is: the order column is ``__ord`` where that holds the same numbers."""
    return ORD if column == spec.order and table.columns[column] in _ALIASES else column


def column_files(spec: IndexSpec, table: StoredTable, needs: Needs) -> list[str]:
    """Return the files without which a segment is not complete: its order and its columns."""
    columns = [file_of(spec, table, name) if name in table.columns else name for name in needs.all_columns]
    return list(dict.fromkeys([KEYS, ORD, SEQ, *columns]))


class SegmentBuilder:
    """Builds the files that the segment of one part lacks.

    Parameters
    ----------
    files, table, spec, part, needs
        What is built of what.
    present
        The files that are there and intact.

    Examples
    --------
    >>> published = SegmentBuilder(files, table, spec, part, needs, {}).build()    # doctest: +SKIP
    """

    def __init__(
        self,
        files: Files,
        table: StoredTable,
        spec: IndexSpec,
        part: Part,
        needs: Needs,
        present: Mapping[str, ColumnFile],
    ) -> None:
        self._files = files
        self._table = table
        self._spec = spec
        self.part = part
        self._needs = needs
        self._codecs = [KeyCodec(key, table.columns[key]) for key in spec.keys]
        self.whole = not {KEYS, ORD, SEQ} <= present.keys()
        self._present = {} if self.whole else dict(present)
        wanted = column_files(spec, table, needs) + artifacts.wanted(files.root, table, needs)
        self.missing = [name for name in wanted if name not in self._present]
        self._paths: dict[str, str] = {}
        self._built: dict[str, ColumnFile] = {}

    def build(self) -> list[ColumnFile]:
        """Write what is missing, force it to disk and return it; no file is left when that fails.

        Raises
        ------
        StorageError
            When the disk refuses.
        """
        self._paths = {name: self._files.new_path("segments", SUFFIX) for name in self.missing}
        try:
            with PartScan(self._files, self._table, self.part) as scan:
                positions = self._sort(scan) if self.whole else None
                columns = [name for name in self.missing if not name.startswith("__")]
                if columns:
                    if positions is None:
                        positions = self._positions(scan)
                    self._write_columns(scan, columns, positions)
            self._write_artifacts()
            self._files.publish(*self._paths.values())
        except OSError as error:
            self._files.discard(*self._paths.values())
            raise disk_error(error) from error
        except BaseException:
            self._files.discard(*self._paths.values())
            raise
        return list(self._built.values())

    # --- Order ---

    def _sort(self, scan: PartScan) -> Positions:
        order = find_order(scan, self._codecs, self._spec.order)
        self._note(KEYS, write_keys(self._temporary(KEYS), order.keys, self._slots))
        self._note(ORD, write_values(self._temporary(ORD), order.ords, order.positions, least=8))
        base = int(order.seqs.min())
        seqs = Values(order.seqs - base if base else order.seqs)
        self._note(SEQ, write_values(self._temporary(SEQ), seqs, order.positions, base=base, least=4))
        return order.positions

    def _slots(self, levels: tuple[KeyLevel, ...], keys: int) -> npt.NDArray[np.int32] | None:
        return build_slots(levels, keys) if artifacts.available(self._files.root) else None

    def _positions(self, scan: PartScan) -> Positions:
        file_seqs = np.empty(scan.rows, np.int64)
        begin = 0
        for batch in scan.batches([], seq=True):
            file_seqs[begin : begin + batch.num_rows] = raw_int64(batch.column(0))
            begin += batch.num_rows
        stored = self._mapped(SEQ, "BIGINT")
        assert stored.values is not None
        return positions_of(stored.values, file_seqs, stored.base)

    # --- Columns ---

    def _write_columns(self, scan: PartScan, columns: list[str], positions: Positions) -> None:
        lanes = [name for name in columns if lane_of(self._type(name)) != "o"]
        size = max(1, MEMORY_VALUES // max(1, scan.rows) // THREADS)
        groups = [lanes[begin : begin + size] for begin in range(0, len(lanes), size)]
        if len(groups) == 1:
            self._write_lanes(scan, groups[0], positions)
        else:
            with ThreadPoolExecutor(THREADS) as pool:
                for task in [pool.submit(self._write_lanes, scan, group, positions) for group in groups]:
                    task.result()
        for name in columns:
            if name not in lanes:
                self._write_opaque(scan, name, positions)

    def _write_lanes(self, scan: PartScan, names: list[str], positions: Positions) -> None:
        for name, values in zip(names, self._read(scan, names), strict=True):
            self._note(name, write_values(self._temporary(name), values, positions))

    def _read(self, scan: PartScan, names: list[str]) -> Iterator[Values]:
        if len(names) == 1:
            arrays = (batch.column(0) for batch in scan.batches([self._sql(names[0])]))
            yield collect(arrays, self._type(names[0]), scan.rows)
            return
        batches = list(scan.batches([f"{self._sql(name)} AS c{n}" for n, name in enumerate(names)]))
        for number, name in enumerate(names):
            yield collect((batch.column(number) for batch in batches), self._type(name), scan.rows)

    def _write_opaque(self, scan: PartScan, name: str, positions: Positions) -> None:
        kind = arrow_type(self._type(name))
        with ArrowWriter(self._temporary(name), kind, scan.rows) as writer:
            for array in self._opaque(scan, name, kind, positions):
                writer.write(array)
        self._note(name, writer.file)

    def _opaque(
        self, scan: PartScan, name: str, kind: pa.DataType, positions: Positions
    ) -> Iterator[pa.Array]:
        read: list[pa.Array] = []
        size = 0
        for batch in scan.batches([self._sql(name)]):
            size += batch.nbytes
            if size > MEMORY_BYTES:
                break
            read.append(batch.column(0))
        else:
            column = contiguous(pa.chunked_array(read), kind)
            for begin in range(0, len(positions), 1 << 16):
                yield column.take(int64_array(positions[begin : begin + (1 << 16)]))
            return
        read = []
        for batch in sorted_batches(scan, self._codecs, self._spec.order, [f"{self._sql(name)} AS v"]):
            yield contiguous(pa.chunked_array([batch.column("v")]), kind)

    # --- Trees and the like ---

    def _write_artifacts(self) -> None:
        with ThreadPoolExecutor(THREADS) as pool:
            for task in [pool.submit(self._write_artifact, name) for name in self.missing if ":" in name]:
                task.result()

    def _write_artifact(self, name: str) -> None:
        if name.startswith(TREE):
            column = self._mapped_column(name.removeprefix(TREE))
            assert column.values is not None
            self._write_arrays(name, "tree", {"nodes": build_tree(column.values, column.valid)})
        elif name.startswith(NEWER):
            column = self._mapped_column(name.removeprefix(NEWER))
            keys = MappedKeys(self._path(KEYS), self._file(KEYS), len(self._codecs))
            assert column.values is not None
            newer, counts = build_newer(column.values, keys.starts, column.valid)
            self._write_arrays(name, "newer", {"newer": newer, "counts": counts})

    def _write_arrays(self, name: str, kind: str, arrays: dict[str, npt.NDArray[Any]]) -> None:
        with FileWriter(self._temporary(name), kind, self.part.rows) as writer:
            for section, values in arrays.items():
                writer.section(section, values.reshape(-1))
        self._note(name, writer)

    def _mapped_column(self, column: str) -> MappedColumn:
        name = file_of(self._spec, self._table, column) if column in self._table.columns else column
        return self._mapped(name, self._type(column))

    def _mapped(self, name: str, kind: str) -> MappedColumn:
        return MappedColumn(self._path(name), self._file(name), kind)

    # --- Names ---

    def _sql(self, name: str) -> str:
        if name in self._needs.derived:
            sql, kind = self._needs.derived[name]
            return f"CAST(({sql}) AS {kind})"
        return quoted(name)

    def _type(self, name: str) -> str:
        return self._needs.type_of(name, self._table)

    def _file(self, name: str) -> ColumnFile:
        return self._built.get(name) or self._present[name]

    def _path(self, name: str) -> Path:
        if name in self._built:
            return self._temporary(name)
        return self._files.root / self._present[name].path

    def _temporary(self, name: str) -> Path:
        return self._files.temporary(self._paths[name])

    def _note(self, name: str, writer: FileWriter) -> None:
        self._built[name] = writer.described(name, self._paths[name])
