"""Pieces of an answer: the rows of one key from one segment or from the delta, narrowed and put together."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from workbench.storage.arrays import Integers, int64_array, null_mask, raw_int64
from workbench.storage.columns import MappedColumn
from workbench.storage.delta import Delta, Run
from workbench.storage.files import Files
from workbench.storage.keytable import MappedKeys
from workbench.storage.layout import CorruptFile, MappedFile
from workbench.storage.model import KEYS, ORD, SEQ, Segment

Bound = tuple[int, int | None]


class Stored(NamedTuple):
    """A column of an index: its name, its file in every segment, and its DuckDB type."""

    name: str
    file: str
    type: str


class LostSegment(Exception):
    """A segment that cannot be read, with the reason."""

    def __init__(self, segment: Segment, reason: Exception) -> None:
        super().__init__(str(reason))
        self.segment = segment


class SegmentReader:
    """One segment, its files mapped when first needed."""

    def __init__(self, files: Files, segment: Segment, levels: int) -> None:
        self._files = files
        self.segment = segment
        self._levels = levels
        self.base_seq = segment.part.base_seq
        self._columns: dict[tuple[str, str], MappedColumn] = {}
        self._arrays: dict[str, dict[str, npt.NDArray[Any]]] = {}
        self._opened: tuple[MappedKeys, Integers, npt.NDArray[Any]] | None = None

    def opened(self) -> tuple[MappedKeys, Integers, npt.NDArray[Any]]:
        """Return keys, ``__ord`` and ``__seq`` relative to ``base_seq``."""
        if self._opened is None:
            keys = self.map(KEYS, MappedKeys, self._levels)
            order = self.column(ORD, "BIGINT")
            seq = self.column(SEQ, "BIGINT")
            self.base_seq = self.segment.part.base_seq + seq.base
            assert order.values is not None
            assert seq.values is not None
            self._opened = keys, order.values, seq.values
        return self._opened

    def column(self, file: str, kind: str) -> MappedColumn:
        """Return the column in a file as values of a DuckDB type."""
        found = self._columns.get((file, kind))
        if found is None:
            found = self._columns[file, kind] = self.map(file, MappedColumn, kind)
        return found

    def arrays(self, file: str) -> dict[str, npt.NDArray[Any]] | None:
        """Return the sections of a file by name, None when the segment does not have it."""
        if file not in self.segment.files:
            return None
        found = self._arrays.get(file)
        if found is None:
            mapped = self.map(file, MappedFile)
            found = self._arrays[file] = {name: mapped.array(name) for name in mapped.sections}
        return found

    def map(self, name: str, reader: Callable[..., Any], *details: Any) -> Any:
        """Return a file as ``reader`` opens it; LostSegment when that cannot be."""
        file = self.segment.files[name]
        try:
            return reader(self._files.root / file.path, file, *details)
        except (CorruptFile, FileNotFoundError) as error:
            raise LostSegment(self.segment, error) from error


class Piece:
    """Some rows of a key, newest first, from one segment or from the delta."""

    def __init__(self, ords: Integers, seqs: Integers, valid: int, base_seq: int = 0) -> None:
        self.ords = ords
        self.seqs = seqs
        """Relative to ``base_seq`` until :meth:`narrow`, then as they are."""
        self._base_seq = base_seq
        self.valid = valid
        """How many rows have an order value; the NULLs come after them."""

    def narrow(self, upto: Bound | None, since: int | None, limit: int | None, cut: int | None) -> bool:
        """Keep the rows within the bounds; return whether any are left."""
        begin, end = self._bounded(upto, since)
        kept = None if cut is None else np.flatnonzero(self.seqs[begin:end] <= cut - self._base_seq)
        if kept is not None and len(kept) != end - begin:
            self._choose(kept[:limit] + begin)
        else:
            if limit is not None:
                end = min(end, begin + limit)
            if begin or end != len(self.seqs):
                self._slice(begin, end)
        self.seqs = self.seqs.astype(np.int64, copy=False)
        if self._base_seq:
            self.seqs = self.seqs + self._base_seq
        return len(self.seqs) > 0

    def _bounded(self, upto: Bound | None, since: int | None) -> tuple[int, int]:
        """Return which rows lie within the bounds."""
        ords = self.ords
        if upto is None and since is None:
            return 0, len(ords)
        begin, end = 0, self.valid
        if upto is not None:
            order, seq = upto
            begin = bisect_left(ords, -order, 0, end, key=_negated)
            if seq is not None:
                same = bisect_right(ords, -order, begin, end, key=_negated)
                begin = bisect_right(self.seqs, self._base_seq - seq, begin, same, key=_negated)
        if since is not None:
            end = bisect_right(ords, -since, begin, end, key=_negated)
        return begin, end

    def head(self, rows: int) -> None:
        """Keep the newest rows."""
        if rows < len(self.seqs):
            self._slice(0, rows)

    def _slice(self, begin: int, end: int) -> None:
        self.ords, self.seqs = self.ords[begin:end], self.seqs[begin:end]
        self.valid = max(0, min(self.valid, end) - begin)

    def _choose(self, chosen: npt.NDArray[np.intp]) -> None:
        self.ords, self.seqs = self.ords[chosen], self.seqs[chosen]
        self.valid = int(np.count_nonzero(chosen < self.valid))

    def arrays(self, columns: Sequence[Stored]) -> list[pa.Array]:
        """Return the columns and ``__ord``."""
        raise NotImplementedError


class SegmentPiece(Piece):
    def __init__(self, reader: SegmentReader, begin: int, end: int) -> None:
        keys, order, seq = reader.opened()
        valid = keys.valid_end(begin, end) - begin
        super().__init__(order[begin:end], seq[begin:end], valid, reader.base_seq)
        self._reader = reader
        self._begin, self._end = begin, end
        self._chosen: npt.NDArray[np.intp] | None = None

    def _slice(self, begin: int, end: int) -> None:
        super()._slice(begin, end)
        if self._chosen is not None:
            self._chosen = self._chosen[begin:end]
        else:
            self._begin, self._end = self._begin + begin, self._begin + end

    def _choose(self, chosen: npt.NDArray[np.intp]) -> None:
        super()._choose(chosen)
        self._chosen = chosen

    def arrays(self, columns: Sequence[Stored]) -> list[pa.Array]:
        mapped = [self._reader.column(column.file, column.type) for column in columns]
        mapped.append(self._reader.column(ORD, "BIGINT"))
        found = [column.slice(self._begin, self._end) for column in mapped]
        if self._chosen is None:
            return found
        indices = int64_array(self._chosen)
        return [array.take(indices) for array in found]


class DeltaPiece(Piece):
    def __init__(self, delta: Delta, positions: Integers, order: str | None) -> None:
        self._parts: list[tuple[Run, Integers]] = []
        ords, valid = [], []
        bounds = positions.searchsorted(delta.starts)
        for number, run in enumerate(delta.runs):
            if bounds[number] < bounds[number + 1]:
                inside = positions[bounds[number] : bounds[number + 1]] - delta.starts[number]
                self._parts.append((run, inside))
                column = run.order(order)
                ords.append(raw_int64(column)[inside])
                nulls = null_mask(column)
                valid.append(np.ones(len(inside), dtype=bool) if nulls is None else ~nulls[inside])
        all_ords, all_valid = np.concatenate(ords), np.concatenate(valid)
        seqs = np.concatenate([run.seqs[inside] for run, inside in self._parts])
        self._order = order
        self._chosen = np.lexsort((seqs, all_ords, all_valid))[::-1]
        super().__init__(all_ords[self._chosen], seqs[self._chosen], int(np.count_nonzero(all_valid)))

    def _slice(self, begin: int, end: int) -> None:
        super()._slice(begin, end)
        self._chosen = self._chosen[begin:end]

    def _choose(self, chosen: npt.NDArray[np.intp]) -> None:
        super()._choose(chosen)
        self._chosen = self._chosen[chosen]

    def arrays(self, columns: Sequence[Stored]) -> list[pa.Array]:
        if len(self._parts) == 1:
            run, inside = self._parts[0]
            indices = int64_array(inside[self._chosen])
            return [array.take(indices) for array in self._columns_of(run, columns)]
        takes = [(self._columns_of(run, columns), int64_array(inside)) for run, inside in self._parts]
        indices = int64_array(self._chosen)
        return [
            pa.concat_arrays([arrays[number].take(inside) for arrays, inside in takes]).take(indices)
            for number in range(len(columns) + 1)
        ]

    def _columns_of(self, run: Run, columns: Sequence[Stored]) -> list[pa.Array]:
        return [*(run.batch.column(column.name) for column in columns), run.order(self._order)]


def _negated(value: np.int64) -> int:
    return -int(value)


def assemble(
    pieces: list[Piece], columns: Sequence[Stored], schema: pa.Schema, limit: int | None
) -> pa.Table:
    """Return the rows of all pieces, newest first, as a table."""
    if not pieces:
        return schema.empty_table()
    if len(pieces) == 1:
        piece = pieces[0]
        return pa.Table.from_arrays([*piece.arrays(columns), int64_array(piece.seqs)], schema=schema)
    pieces.sort(key=_newest, reverse=True)
    apart = all(_oldest(newer) > _newest(older) for newer, older in pairwise(pieces))
    if apart and limit is not None:
        pieces = _newest_pieces(pieces, limit)
    found = [piece.arrays(columns) for piece in pieces]
    seqs = np.concatenate([piece.seqs for piece in pieces])
    arrays = [pa.concat_arrays(same) for same in zip(*found, strict=True)]
    if not apart:
        order = _merged(pieces, seqs)[:limit]
        indices = int64_array(order)
        arrays = [array.take(indices) for array in arrays]
        seqs = seqs[order]
    return pa.Table.from_arrays([*arrays, int64_array(seqs)], schema=schema)


def _merged(pieces: list[Piece], seqs: Integers) -> npt.NDArray[np.intp]:
    ords = np.concatenate([piece.ords for piece in pieces])
    valid = np.concatenate([np.arange(len(piece.seqs)) < piece.valid for piece in pieces])
    return np.lexsort((seqs, ords, valid))[::-1]


def _newest_pieces(pieces: list[Piece], limit: int) -> list[Piece]:
    kept = []
    for piece in pieces:
        if limit <= 0:
            break
        piece.head(limit)
        kept.append(piece)
        limit -= len(piece.seqs)
    return kept


def _newest(piece: Piece) -> tuple[bool, int, int]:
    return piece.valid > 0, int(piece.ords[0]), int(piece.seqs[0])


def _oldest(piece: Piece) -> tuple[bool, int, int]:
    return piece.valid == len(piece.seqs), int(piece.ords[-1]), int(piece.seqs[-1])
