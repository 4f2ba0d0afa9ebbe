"""The delta: the tail of a table's log in memory, as few contiguous runs, and where each key's rows are in it."""

from __future__ import annotations

import threading
from array import array
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from workbench.storage.added import completed
from workbench.storage.arrays import int64_array, raw_int64
from workbench.storage.keys import KeyCodec, Physical, ord_values
from workbench.storage.log import Record
from workbench.storage.model import StoredTable
from workbench.storage.ordering import with_null_ord

#: From so many rows on a batch is sorted by key before it is taken in.
MANY = 256


class Run:
    """Consecutive rows of the tail in one contiguous batch, in the order of seq."""

    def __init__(self, batch: pa.RecordBatch, seqs: npt.NDArray[np.int64]) -> None:
        self.batch = batch
        self.seqs = seqs
        self._orders: dict[str | None, pa.Array] = {}

    def order(self, column: str | None) -> pa.Array:
        """Return ``__ord`` of an index ordered by that column."""
        found = self._orders.get(column)
        if found is None:
            if column is None:
                found = int64_array(np.zeros(len(self.seqs), dtype=np.int64))
            else:
                found = with_null_ord(ord_values(self.batch.column(column)))
            self._orders[column] = found
        return found


@dataclass(frozen=True)
class Delta:
    """The tail of one table at one moment. ``generation`` changes when rows left it, so that positions moved."""

    generation: int
    runs: tuple[Run, ...] = ()
    starts: tuple[int, ...] = field(default=(0,))

    @property
    def rows(self) -> int:
        """How many rows the tail has."""
        return self.starts[-1]

    def seq(self, position: int) -> int:
        """Return the seq of the row at a position."""
        number = bisect_right(self.starts, position) - 1
        return int(self.runs[number].seqs[position - self.starts[number]])

    def extended(self, records: Sequence[Record]) -> Delta:
        """Return the delta with later records added; runs stay few because neighbours of like size are merged."""
        runs = [*self.runs, _run(records)]
        while len(runs) > 1 and len(runs[-2].seqs) <= 2 * len(runs[-1].seqs):
            last = runs.pop()
            before = runs.pop()
            runs.append(
                Run(pa.concat_batches([before.batch, last.batch]), np.concatenate([before.seqs, last.seqs]))
            )
        return _delta(self.generation, runs)

    def after(self, seq: int) -> Delta:
        """Return the delta without the rows up to ``seq``, which are in the lake now."""
        kept = []
        for run in self.runs:
            gone = int(run.seqs.searchsorted(seq, side="right"))
            if gone < len(run.seqs):
                kept.append(Run(run.batch.slice(gone), run.seqs[gone:]) if gone else run)
        return _delta(self.generation + 1, kept)

    def completed(self, table: StoredTable) -> Delta:
        """Return the delta with the columns that the table got since, at the same positions."""
        runs = [Run(completed(table, run.batch), run.seqs) for run in self.runs]
        return _delta(self.generation, runs)

    def emptied(self) -> Delta:
        """Return a delta without rows whose positions are none of this one's."""
        return _delta(self.generation + 1, [])

    def until(self, cut: int, schema: pa.Schema) -> tuple[pa.Table, npt.NDArray[np.int64]]:
        """Return the rows with ``seq <= cut`` and their seq."""
        batches, seqs = [], [np.empty(0, dtype=np.int64)]
        for run in self.runs:
            count = int(run.seqs.searchsorted(cut, side="right"))
            batches.append(run.batch.slice(0, count))
            seqs.append(run.seqs[:count])
        return pa.Table.from_batches(batches, schema), np.concatenate(seqs)


def _delta(generation: int, runs: list[Run]) -> Delta:
    return Delta(generation, tuple(runs), (0, *accumulate(len(run.seqs) for run in runs)))


def _run(records: Sequence[Record]) -> Run:
    if len(records) == 1:
        return Run(records[0].batch, records[0].seqs())
    batch = pa.concat_batches([record.batch for record in records])
    return Run(batch, np.concatenate([record.seqs() for record in records]))


def physical_list(array: pa.Array) -> list[Physical]:
    """Return keys in physical form as Python values."""
    if not _is_plain(array):
        listed: list[Physical] = array.to_pylist()
        return listed
    return list(raw_int64(array).tolist())


def _is_plain(array: pa.Array) -> bool:
    return pa.types.is_int64(array.type) and not array.null_count


class DeltaIndex:
    """Where the rows of each key are in a delta; follows the delta as it grows. Not thread-safe: hold ``lock``."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.use([])

    def use(self, codecs: Sequence[KeyCodec]) -> None:
        """Start anew with these key columns."""
        self._codecs = codecs
        self._generation = -1
        self._rows = 0
        self._positions: dict[tuple[Physical, ...], int | array[int]] = {}

    def follow(self, delta: Delta) -> None:
        """Take in the rows that were added since the last call."""
        if delta.generation != self._generation:
            self._generation, self._rows, self._positions = delta.generation, 0, {}
        if delta.rows == self._rows:
            return
        number = bisect_right(delta.starts, self._rows) - 1
        for run, start in zip(delta.runs[number:], delta.starts[number:], strict=False):
            begin = max(0, self._rows - start)
            self._take_in(run.batch.slice(begin), first=start + begin)
        self._rows = delta.rows

    def _take_in(self, batch: pa.RecordBatch, *, first: int) -> None:
        columns = [codec.physical(batch.column(codec.column)) for codec in self._codecs]
        if len(columns) == 1 and len(batch) >= MANY and _is_plain(columns[0]):
            self._take_in_sorted(raw_int64(columns[0]), first)
            return
        keys = zip(*map(physical_list, columns), strict=True) if columns else [()] * batch.num_rows
        known = self._positions
        for position, key in enumerate(keys, first):
            found = known.get(key)
            if found is None:
                known[key] = position
            elif isinstance(found, int):
                known[key] = array("q", (found, position))
            else:
                found.append(position)

    def _take_in_sorted(self, keys: npt.NDArray[np.int64], first: int) -> None:
        """Take in many rows, a key at a time."""
        order = np.argsort(keys, kind="stable")
        ascending = keys[order]
        starts = np.flatnonzero(np.concatenate(([True], ascending[1:] != ascending[:-1])))
        ends = [*starts[1:].tolist(), len(keys)]
        positions = order + first
        content = positions.data.cast("B")
        newest = positions[starts].tolist()
        known = self._positions
        for key, position, begin, end in zip(
            ascending[starts].tolist(), newest, starts.tolist(), ends, strict=True
        ):
            found = known.get((key,))
            if found is None and end - begin == 1:
                known[(key,)] = position
                continue
            if found is None:
                found = known[(key,)] = array("q")
            elif isinstance(found, int):
                found = known[(key,)] = array("q", (found,))
            found.frombytes(content[8 * begin : 8 * end])

    def find(self, key: tuple[Physical, ...]) -> npt.NDArray[np.int64] | None:
        """Return the positions of a key's rows, ascending; None when there are none."""
        found = self._positions.get(key)
        if found is None:
            return None
        # A copy, because the array cannot grow while numpy looks into it.
        return np.array((found,) if isinstance(found, int) else found, dtype=np.int64)

    def first(self, key: tuple[Physical, ...]) -> int | None:
        """Return the position of a key's first row; None when there is none."""
        found = self._positions.get(key)
        return found if found is None or isinstance(found, int) else found[0]
