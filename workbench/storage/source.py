"""Sources: what kernels read of an index, segments and delta, at one committed state."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.errors import StorageError
from workbench.kernels.program import Column, Piece
from workbench.storage.columns import MappedColumn
from workbench.storage.delta_lanes import DeltaLanes, Derivation, lane_scalar
from workbench.storage.model import NEWER, TREE, StoredTable
from workbench.storage.pieces import LostSegment, SegmentReader
from workbench.storage.segments import file_of
from workbench.values.lanes import lane_of

if TYPE_CHECKING:
    from workbench.storage.reader import Found, IndexReader
    from workbench.storage.tail import State


@dataclass(frozen=True)
class Pieces:
    """What kernels read, in the order of columns that the source was made with.

    Parameters
    ----------
    generation
        Differs whenever one of the arrays is another one.
    segments
        One piece a segment; each has its key table.
    delta
        The rows of the key that :meth:`Source.find` was called with last, in its first rows: arrays with room for
        more, which stay the same until the generation changes.
    last_seq
        The seq of the newest committed row.
    """

    generation: int
    segments: tuple[Piece, ...]
    delta: Piece
    last_seq: int


class Source:
    """Reads some columns of an index for kernels. Not thread-safe: each thread needs its own.

    Made by :meth:`IndexReader.source`.

    Examples
    --------
    >>> source = storage.reader(spec).source(["amount", "x_53ab…"], derivation)    # doctest: +SKIP
    >>> pieces = source.now()                                                      # doctest: +SKIP
    >>> rows = source.find(source.key((7,)))                                       # doctest: +SKIP
    """

    def __init__(
        self, reader: IndexReader, columns: Sequence[str], derivation: Derivation | None = None
    ) -> None:
        self._reader = reader
        self._columns = tuple(columns)
        self._derivation = derivation
        self._state: State | None = None
        self._index_id = 0
        self._kinds: list[str] = []
        self._mapped: list[list[MappedColumn]] = []
        self._delta: DeltaLanes | None = None
        self._version = -1
        self._generation = 0
        self._pieces: Pieces | None = None

    def now(self, state: State | None = None) -> Pieces:
        """Return what is committed; about a microsecond when nothing has changed.

        Parameters
        ----------
        state
            A state of :meth:`Storage.state`, so that several sources show the same; the newest when left out.

        Raises
        ------
        NotFound
            When the index was dropped.
        StorageError
            When the index lacks a column.
        Unavailable
            When one of its files is damaged: it is built again.
        """
        if state is None:
            state = self._reader.state()
        if state is self._state and self._pieces is not None:
            return self._pieces
        while True:
            try:
                return self._refresh(state)
            except LostSegment as lost:
                self._reader.lose(lost)
                state = self._reader.state()

    @property
    def pieces(self) -> Pieces:
        """What :meth:`now` returned last, or its successor after :meth:`find`."""
        assert self._pieces is not None
        return self._pieces

    def _note_delta(self) -> None:
        """The arrays of the delta are others."""
        assert self._delta is not None
        self._version = self._delta.version
        self._generation += 1
        delta = self._delta_piece(self._delta.lanes, self._delta.valid)
        self._pieces = replace(self.pieces, generation=self._generation, delta=delta)

    def key(self, values: Sequence[Any]) -> tuple[Any, ...] | None:
        """Return a key in physical form, None when no row can have it; raises as :meth:`IndexReader.read`."""
        return self._reader.physical(values)

    def find(self, key: tuple[Any, ...]) -> int:
        """Put the rows of a key that are in the log into the delta's arrays; return how many there are.

        Call :meth:`now` before. :attr:`pieces` may be others afterwards, when more rows were found than there was room
        for: compare their generation. What the derivation raises is passed on.
        """
        delta = self._delta
        assert delta is not None
        found = delta.find(key)
        if delta.version != self._version:
            self._note_delta()
        self._reader.note_found(found)
        return found

    def value(self, piece: int, row: int, column: int) -> Any:
        """Return a value as a Python lane, or what Arrow gives for a type of lane ``o``.

        Parameters
        ----------
        piece
            The number of a segment, or how many there are for the delta.
        row
            Its row.
        column
            The number of the column.
        """
        if piece == len(self._mapped):
            assert self._delta is not None
            return self._delta.value(row, column)
        mapped = self._mapped[piece][column]
        if mapped.lane == "s":
            return mapped.value(row)
        if mapped.lane == "o" or mapped.values is None:
            return lane_scalar(mapped.slice(row, row + 1), 0)
        if mapped.valid is not None and not mapped.valid[row >> 3] >> (row & 7) & 1:
            return None
        return mapped.values[row].item()

    def _refresh(self, state: State) -> Pieces:
        found = self._reader.at(state)
        delta = self._follow(found, state)
        known = self._pieces
        if known is None or self._state is None or state.manifest is not self._state.manifest:
            self._mapped = []
            pieces = tuple(self._piece(segment, found.table) for segment in found.segments)
            self._generation += 1
            rows = self._delta_piece(delta.lanes, delta.valid)
            self._pieces = Pieces(self._generation, pieces, rows, state.last_seq)
            self._version = delta.version
        else:
            self._pieces = replace(known, last_seq=state.last_seq)
            if delta.version != self._version:
                self._note_delta()
        self._state = state
        return self._pieces

    def _follow(self, found: Found, state: State) -> DeltaLanes:
        if self._delta is None or found.index.id != self._index_id:
            for name in self._columns:
                if name not in found.table.columns and name not in found.index.needs.derived:
                    raise self._missing(name)
            self._kinds = [found.index.needs.type_of(name, found.table) for name in self._columns]
            columns = list(zip(self._columns, self._kinds, strict=True))
            self._delta = DeltaLanes(found.codecs, found.index.spec.order, columns, self._derivation)
            self._index_id = found.index.id
            self._pieces = None
        self._delta.follow(state.delta(found.table.id))
        return self._delta

    def _missing(self, name: str) -> StorageError:
        return StorageError(
            f"the index {self._reader.spec} does not have the column {name!r}",
            hint="add it with ensure_index",
        )

    def _piece(self, segment: SegmentReader, table: StoredTable) -> Piece:
        keys, order, seqs = segment.opened()
        columns, mapped = [], []
        for name, kind in zip(self._columns, self._kinds, strict=True):
            file = file_of(self._reader.spec, table, name) if name in table.columns else name
            if file not in segment.segment.files:
                raise self._missing(name)
            column = segment.column(file, kind)
            mapped.append(column)
            tree, newer = segment.arrays(TREE + name), segment.arrays(NEWER + name)
            columns.append(
                Column(
                    column.lane,
                    column.values,
                    column.valid,
                    column.offsets,
                    column.data,
                    tree=tree["nodes"].reshape(-1, 10) if tree else None,
                    newer=newer["newer"] if newer else None,
                    newer_counts=newer["counts"] if newer else None,
                )
            )
        self._mapped.append(mapped)
        return Piece(
            order,
            seqs,
            tuple(columns),
            base=segment.base_seq,
            max_seq=segment.segment.part.max_seq,
            keys=keys.table(),
            valid_ends=keys.valid_ends,
        )

    def _delta_piece(self, lanes: Any, valid: Any) -> Piece:
        assert self._delta is not None
        columns = []
        for number, kind in enumerate(self._kinds):
            lane = lane_of(kind)
            values = lanes[2 + number]
            words = self._delta.words.get(number)
            columns.append(
                Column(
                    lane,
                    None if lane == "o" else values.view(np.float64) if lane == "f" else values,
                    valid[number],
                    None if words is None else words.offsets,
                    None if words is None else words.data,
                    ordered=False,
                )
            )
        return Piece(lanes[0], lanes[1], tuple(columns))
