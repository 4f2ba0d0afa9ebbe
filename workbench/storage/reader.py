"""Reading by key: the rows of one key, newest first, from segments and delta together."""

from __future__ import annotations

import logging
import os
import time
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from workbench.errors import NotFound, StorageError, Unavailable, did_you_mean
from workbench.storage.delta import Delta, DeltaIndex
from workbench.storage.delta_lanes import Derivation
from workbench.storage.files import Files
from workbench.storage.keys import MISSING, KeyCodec, Physical
from workbench.storage.manifest import TableEntry
from workbench.storage.model import ORD, SEQ, IndexSpec, Needs, Segment, StoredIndex, StoredTable
from workbench.storage.pieces import (
    Bound,
    DeltaPiece,
    LostSegment,
    Piece,
    SegmentPiece,
    SegmentReader,
    Stored,
    assemble,
)
from workbench.storage.segments import column_files, file_of
from workbench.storage.source import Source
from workbench.storage.tail import State, Tail
from workbench.storage.upkeep import Upkeep
from workbench.values.types import arrow_type

AGAIN = "it is being built again from the rows; try again in a few seconds"

logger = logging.getLogger(__name__)
#: So many of a key's rows in the log make a reader ask for a flush.
CROWDED_ROWS = 4096
#: How often a reader asks for the same at most.
ASK_SECONDS = 5.0


class IndexReader:
    """Reads one index; thread-safe, and follows the commits of all processes by itself.

    >>> reader = storage.reader(IndexSpec("transactions", ("card_id",), "ts"))     # doctest: +SKIP
    >>> reader.read((7,), ["amount"], limit=10)                                    # doctest: +SKIP
    """

    def __init__(
        self,
        tail: Tail,
        files: Files,
        spec: IndexSpec,
        upkeep: Callable[[], Upkeep],
        flush_soon: Callable[[str], None] | None = None,
    ) -> None:
        self.spec = spec
        self._flush_soon = flush_soon
        self._asked = self._asked_to_rebuild = float("-inf")
        self._tail = tail
        self._files = files
        self._upkeep = upkeep
        self._known_id = 0
        self._index: StoredIndex
        self._table: StoredTable
        self._state: State | None = None
        self._segments: list[SegmentReader] = []
        self._codecs: list[KeyCodec] = []
        self._schemas: dict[tuple[str, ...], tuple[pa.Schema, list[Stored]]] = {}
        self._delta_index = DeltaIndex()
        self._find(tail.state())
        _instances.add(self)

    def read(
        self,
        key: tuple[Any, ...],
        columns: Sequence[str],
        *,
        upto: Bound | None = None,
        since: int | None = None,
        limit: int | None = None,
        cut: int | None = None,
    ) -> pa.Table:
        """Return the rows of one key, newest first by (``__ord``, ``__seq``).

        Parameters
        ----------
        key
            Python values in the order of the index's key columns; None matches NULL.
        columns
            Which columns to return, besides ``__ord`` and ``__seq`` (int64), which come last.
        upto
            ``(ord, seq)``: only rows before that position. ``(ord, None)``: only rows with ``__ord <= ord``.
        since
            Only rows with ``__ord >= since``. Rows whose order value is NULL are outside of any upto or since.
        limit
            Only the newest so many of these.
        cut
            Only rows with ``seq <= cut``; None means everything committed when the call starts.

        Raises
        ------
        RowError
            When a key value cannot be of its column's type.
        NotFound
            When the index was dropped.
        StorageError
            When the index lacks a column.
        Unavailable
            When one of its files is damaged: it is built again.
        """
        while True:
            try:
                return self._read(key, columns, upto, since, limit, cut)
            except LostSegment as lost:
                self.lose(lost)

    def seqs(self, values: Sequence[Any]) -> list[int | None]:
        """Return the seq of a row for each value of the index's only key column, None where no row has it.

        Raises as :meth:`read`.
        """
        while True:
            try:
                return self._seqs(values)
            except LostSegment as lost:
                self.lose(lost)

    def source(self, columns: Sequence[str], derivation: Derivation | None = None) -> Source:
        """Return what kernels read of some columns, for one thread.

        Parameters
        ----------
        columns
            Columns of the table and derived ones that the index has, in the order of the kernels' program.
        derivation
            How the derived ones are computed for rows that are in no segment yet.
        """
        return Source(self, columns, derivation)

    def at(self, state: State) -> Found:
        """Return the index's segments at a committed state; NotFound or StorageError as :meth:`read`."""
        with self._delta_index.lock:
            if state is not self._state:
                self._find(state)
            return Found(self._index, self._table, self._segments, self._codecs)

    def state(self) -> State:
        """Return the newest committed state."""
        return self._tail.state()

    def physical(self, key: Sequence[Any]) -> tuple[Physical, ...] | None:
        """Return a key in physical form, None when no row can have it; RowError for one of another kind."""
        return self._encode(tuple(key))

    def _seqs(self, values: Sequence[Any]) -> list[int | None]:
        with self._delta_index.lock:
            segments, delta = self._follow()
            keys = [self._encode((value,)) for value in values]
            self._delta_index.follow(delta)
            positions = [None if key is None else self._delta_index.first(key) for key in keys]
        found = [None if position is None else delta.seq(position) for position in positions]
        for segment in segments:
            names, _, seqs = segment.opened()
            for number, key in enumerate(keys):
                if found[number] is None and key is not None and (rows := names.find(key)) is not None:
                    found[number] = segment.base_seq + int(seqs[rows[0]])
        return found

    def _follow(self) -> tuple[list[SegmentReader], Delta]:
        """The segments and the tail now; taken under the lock, so that the delta index is never shown an older tail."""
        state = self._tail.state()
        if state is not self._state:
            self._find(state)
        return self._segments, state.delta(self._table.id)

    def _read(
        self,
        key: tuple[Any, ...],
        columns: Sequence[str],
        upto: Bound | None,
        since: int | None,
        limit: int | None,
        cut: int | None,
    ) -> pa.Table:
        with self._delta_index.lock:
            segments, delta = self._follow()
            schema, stored = self._schema(columns)
            physical = self._encode(key)
            if physical is None:
                return schema.empty_table()
            self._delta_index.follow(delta)
            positions = self._delta_index.find(physical)
        if positions is not None:
            self.note_found(len(positions))
        pieces: list[Piece] = []
        for segment in segments:
            rows = segment.opened()[0].find(physical)
            if rows is not None:
                piece = SegmentPiece(segment, *rows)
                inside = cut is None or segment.segment.part.max_seq <= cut
                if piece.narrow(upto, since, limit, None if inside else cut):
                    pieces.append(piece)
        if positions is not None:
            tail = DeltaPiece(delta, positions, self.spec.order)
            if tail.narrow(upto, since, limit, cut):
                pieces.append(tail)
        return assemble(pieces, stored, schema, limit)

    def note_found(self, rows: int) -> None:
        """Ask for a flush when so many rows of one key are in the log that reading them costs more than a segment."""
        if rows <= CROWDED_ROWS:
            return
        now = time.monotonic()
        if self._flush_soon is not None and now - self._asked > ASK_SECONDS:
            self._asked = now
            self._flush_soon(self.spec.table)

    def _encode(self, key: tuple[Any, ...]) -> tuple[Physical, ...] | None:
        if len(key) != len(self._codecs):
            raise StorageError(
                f"the index {self.spec} has {len(self._codecs)} key columns, the key has {len(key)}"
            )
        physical = tuple([codec.encode(value) for codec, value in zip(self._codecs, key, strict=True)])
        return None if MISSING in physical else physical

    def _schema(self, columns: Sequence[str]) -> tuple[pa.Schema, list[Stored]]:
        wanted = tuple(columns)
        found = self._schemas.get(wanted)
        if found is None:
            for name in wanted:
                if name not in self._index.columns:
                    raise StorageError(
                        f"the index {self.spec} does not have the column {name!r}",
                        hint=did_you_mean(name, self._index.columns) or "add it with ensure_index",
                    )
            fields = [(name, arrow_type(self._table.columns[name])) for name in wanted]
            schema = pa.schema([*fields, (ORD, pa.int64()), (SEQ, pa.int64())])
            types = self._table.columns
            stored = [Stored(name, file_of(self.spec, self._table, name), types[name]) for name in wanted]
            found = self._schemas[wanted] = schema, stored
        return found

    def _find(self, state: State) -> None:
        """Take over what a new state says about the index."""
        if self._state is not None and state.manifest is self._state.manifest:
            self._state = state
            return
        index = state.manifest.indexes.get(self.spec)
        if index is None:
            raise NotFound(f"there is no index {self.spec}", hint="make it with ensure_index")
        entry = state.manifest.tables[index.table_id]
        if not is_complete(index, entry):
            self._rebuild()
            raise Unavailable(f"the index {self.spec} is damaged or unfinished", hint=AGAIN)
        if self._known_id != index.id:
            self._segments = []
            self._codecs = [KeyCodec(name, entry.table.columns[name]) for name in self.spec.keys]
            self._delta_index.use(self._codecs)
        known = {reader.segment.id: reader for reader in self._segments}
        self._segments = [self._current(known.get(segment.id), segment) for segment in index.segments]
        self._upkeep().verify_soon()
        self._known_id, self._index, self._table, self._state = index.id, index, entry.table, state
        self._schemas = {}

    def _rebuild(self) -> None:
        """Whoever dropped a segment builds it again, but may have failed or ended: ask, at most every few seconds."""
        now = time.monotonic()
        if now - self._asked_to_rebuild > ASK_SECONDS:
            self._asked_to_rebuild = now
            self._upkeep().rebuild_soon(self.spec)

    def _current(self, reader: SegmentReader | None, segment: Segment) -> SegmentReader:
        if reader is None:
            return SegmentReader(self._files, segment, len(self.spec.keys))
        reader.segment = segment
        return reader

    def lose(self, lost: LostSegment) -> None:
        """A file cannot be read: try the newest manifest if there is one, else report the segment and give up."""
        known = self._state
        if isinstance(lost.__cause__, FileNotFoundError) and known is not None:
            newest = self._tail.state()
            index = newest.manifest.indexes.get(self.spec)
            if index is None or lost.segment.id not in [segment.id for segment in index.segments]:
                return
        logger.error("the index %s is built again: %s", self.spec, lost)
        self._upkeep().lost(self.spec, lost.segment)
        raise Unavailable(f"the index {self.spec} cannot be read: {lost}", hint=AGAIN) from lost

    def _after_fork(self) -> None:
        # Another thread of the parent may have been inside a read; segments are immutable, the rest starts anew.
        self._delta_index = DeltaIndex()
        self._delta_index.use(self._codecs)
        self._state = None


@dataclass(frozen=True)
class Found:
    """An index at one committed state."""

    index: StoredIndex
    table: StoredTable
    segments: list[SegmentReader]
    codecs: list[KeyCodec]


def is_complete(index: StoredIndex, entry: TableEntry) -> bool:
    """Whether every part has a segment with all columns that the index has of the table."""
    wanted = {*column_files(index.spec, entry.table, Needs(index.columns))}
    covered = [segment.part.id for segment in index.segments if wanted <= segment.files.keys()]
    return sorted(covered) == sorted(part.id for part in entry.parts)


_instances: weakref.WeakSet[IndexReader] = weakref.WeakSet()


def _after_fork_in_child() -> None:
    for reader in list(_instances):
        reader._after_fork()


os.register_at_fork(after_in_child=_after_fork_in_child)
