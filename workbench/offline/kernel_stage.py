"""A stage on kernels for many anchors: sorted columns in, feature columns out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from workbench.kernels.batch import evaluate
from workbench.kernels.program import INT_MAX, LOCATION_SHIFT, Anchors, Column, Constant, Piece, Result
from workbench.kernels.trees import build_newer, build_tree, older_links
from workbench.offline.lanes import constant, dictionary_of, lane_column, result_array
from workbench.offline.sorted_rows import Rows, SortedRows
from workbench.plan.kernel_form import KernelPart
from workbench.plan.stages import Stage
from workbench.values.types import arrow_type

#: Anchors of one call of the kernels: a multiple of 8, so that bitmaps can be cut there.
BATCH = 1 << 18
THREADS = 2
#: A tree is built where the anchors' keys have more rows than this, times all rows that it is built of, in all: about
#: what it costs over a look at each row.
TREE_PAYS = 64
_LOWEST = -(2**63)


class NotOnKernels(Exception):
    """Some value must come from DuckDB: an overflow, a float that is not finite."""


@dataclass(frozen=True)
class _Picked:
    """Values that a call found by their location: in the order of the anchors of one batch."""

    place: npt.NDArray[np.int64]
    values: pa.Array


def stage_columns(
    rows: SortedRows, part: KernelPart, anchors: int, progress: Callable[[float], None]
) -> dict[str, pa.ChunkedArray | pa.Array]:
    """Return the values of a part's calls by name, one for each anchor, in the order of their table.

    Parameters
    ----------
    rows
        The part's rows and anchors.
    part
        What is computed.
    anchors
        How many anchors there are.
    progress
        Called with the share of the anchors that is done.

    Raises
    ------
    NotOnKernels
        Kernels do not give DuckDB's value for some anchor.
    """
    program = part.program
    numeric = [number for number, lane in enumerate(program.results) if lane in "if"]
    values = {number: np.zeros(anchors, dtype=np.int64) for number in numeric}
    valid = {number: np.zeros(anchors, dtype=np.uint8) for number in numeric}
    picked: dict[int, list[_Picked]] = {n: [] for n in range(len(program.calls)) if n not in values}
    done = 0
    for low, high in rows.partitions():
        stage = _Partition(part, rows, low, high)
        for begin in range(0, len(stage.asking), BATCH):
            place, result = stage.evaluate(begin)
            for number in numeric:
                values[number][place] = result.values[number]
                valid[number][place] = result.valid[number]
            for number, found in picked.items():
                found.append(_Picked(place, stage.picked(result, number, begin)))
            done += len(place)
            progress(done / max(anchors, 1))
        del stage
        pa.default_memory_pool().release_unused()
    columns: dict[str, pa.ChunkedArray | pa.Array] = {}
    for number, (name, kind) in enumerate(zip(part.names, part.types, strict=True)):
        if number in values:
            columns[name] = result_array(values.pop(number), valid.pop(number), program.results[number], kind)
        else:
            columns[name] = _in_order(picked.pop(number), kind, anchors)
    return columns


def _in_order(found: list[_Picked], kind: str, anchors: int) -> pa.ChunkedArray | pa.Array:
    if not found:
        return pa.nulls(anchors, arrow_type(kind))
    places = np.concatenate([part.place for part in found])
    back = np.empty(anchors, dtype=np.int64)
    back[places] = np.arange(anchors)
    return pa.chunked_array([part.values for part in found]).take(pa.array(back))


class _Partition:
    """The rows and anchors of some keys, as kernels read them."""

    def __init__(self, part: KernelPart, rows: SortedRows, low: int, high: int) -> None:
        assert isinstance(part.part, Stage)
        self.part = part
        self.stage = part.part
        self.readers = rows.readers
        self.asking = rows.asking(low, high)
        first = max(low, 0)
        self.fetched = [rows.rows(number, low, high) for number in range(len(self.readers))]
        self.ranges = [self._ranges(fetched, first) for fetched in self.fetched]
        self.pieces = [self._piece(number, fetched) for number, fetched in enumerate(self.fetched)]
        self.request = tuple(
            lane_column(array, column.lane)
            for array, column in zip(self.asking.request, part.columns, strict=False)
        )
        lanes = part.program.constants
        self.constants = [constant(a, lane) for a, lane in zip(self.asking.constants, lanes, strict=True)]
        self.upto = [self._upto(reader) for reader in self.readers]

    # -- what the kernels read

    def _piece(self, member: int, rows: Rows) -> Piece:
        _, trees, newer = self.part.needs(member)
        begin, end = self.ranges[member]
        if int((end - begin).sum()) < TREE_PAYS * len(rows.ord):
            trees = set()
        columns = []
        for column, array in zip(self.part.columns, rows.columns, strict=True):
            if array is None:
                columns.append(Column(column.lane, None))
                continue
            made = lane_column(array, column.lane)
            name = column.name(member)
            if name in trees and made.values is not None:
                made = replace(made, tree=build_tree(made.values, made.validity))
            if name in newer and made.values is not None:
                links, counts = build_newer(made.values, rows.starts, made.validity)
                made = replace(made, newer=links, newer_counts=counts, older=older_links(links))
            columns.append(made)
        return Piece(rows.ord, rows.seq, tuple(columns), member=member, rank=self.part.ranks[member])

    def _ranges(self, rows: Rows, first: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Where the rows of each anchor's key begin and end; nowhere without a key or an order."""
        key = np.maximum(self.asking.key - first, 0)
        sees = self.asking.placed & (self.asking.key >= 0)
        begin = np.where(sees, rows.starts[key], 0)
        return begin, np.where(sees, rows.starts[key + 1], 0)

    def _upto(
        self, reader: Stage
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """What of a reader each anchor sees: before which order and seq, since which order."""
        order = self.asking.order
        source, last = reader.source, np.full(len(order), INT_MAX, dtype=np.int64)
        upto, seq = order, last
        if reader.order is None:
            seq = self.asking.seq if source.own else last
        elif source.delay:
            upto = order - source.delay
        elif reader.before_time:
            seq = np.full(len(order), _LOWEST, dtype=np.int64)
        elif source.own:
            seq = self.asking.seq
        lived = order - (source.ttl - 1) if source.ttl is not None and reader.order is not None else None
        return upto, seq, np.full(len(order), _LOWEST, dtype=np.int64) if lived is None else lived

    # -- what they give

    def evaluate(self, begin: int) -> tuple[npt.NDArray[np.int64], Result]:
        """Compute a batch; returns the numbers of its anchors and their values."""
        end = min(begin + BATCH, len(self.asking))
        part = slice(begin, end)
        pieces, ranges = list(self.pieces), [(low[part], high[part]) for low, high in self.ranges]
        upto = [tuple(array[part] for array in arrays) for arrays in self.upto]
        if not upto:  # a history without its stored rows
            none = np.zeros(end - begin, dtype=np.int64)
            upto = [(none, none, none)]
        begins: list[npt.NDArray[np.int64] | None] = [low for low, _ in ranges]
        ends: list[npt.NDArray[np.int64] | None] = [high for _, high in ranges]
        if self.part.program.history:
            columns = tuple(_cut(column, begin, end) for column in self.request)
            order = self.asking.order[part]
            pieces.append(Piece(order, self.asking.seq[part], columns, request=True))
            begins.append(None)
            ends.append(None)
        anchors = Anchors(
            self.asking.order[part],
            begins,
            ends,
            [arrays[0] for arrays in upto],
            [arrays[1] for arrays in upto],
            [arrays[2] for arrays in upto],
            constants=[_cut_constant(value, begin, end) for value in self.constants],
        )
        result = evaluate(self.part.program, pieces, anchors, THREADS if end - begin > 1024 else 1)
        if result.status.any():
            raise NotOnKernels
        return self.asking.place[part], result

    def picked(self, result: Result, call: int, begin: int) -> pa.Array:
        """The values that a call found by their location."""
        column = self.part.program.calls[call].column
        found, valid = result.values[call], result.valid[call].astype(bool)
        piece, row = found >> LOCATION_SHIFT, found & ((1 << LOCATION_SHIFT) - 1)
        words = self.part.program.results[call] == "s"
        parts: list[pa.Array] = []
        sizes: list[int] = []
        of_request = (self.request[column],) if self.part.program.history else ()
        columns = [*(made.columns[column] for made in self.pieces), *of_request]
        arrays = [*(fetched.columns[column] for fetched in self.fetched), *self._request_array(column)]
        kind = arrow_type(self.part.columns[column].type)
        for lanes, array in zip(columns, arrays, strict=True):
            if array is None:
                sizes.append(0)
                continue
            parts.append((dictionary_of(lanes) if words else array).cast(kind))
            sizes.append(len(parts[-1]))
        if not words and self.part.program.history:
            row = np.where(piece == len(self.pieces), row + begin, row)
        starts = np.concatenate([[0], np.cumsum(sizes)])
        taken = pa.array(starts[piece] + row, pa.int64(), mask=~valid)
        return pa.concat_arrays(parts).take(taken) if parts else pa.nulls(len(found), kind)

    def _request_array(self, column: int) -> tuple[pa.Array, ...]:
        return (self.asking.request[column],) if self.part.program.history else ()


def _cut(column: Column, begin: int, end: int) -> Column:
    validity = column.validity[begin // 8 :] if column.validity is not None else None
    values = column.values[begin:end] if column.values is not None else None
    return replace(column, values=values, validity=validity)


def _cut_constant(value: Constant, begin: int, end: int) -> Constant:
    valid = value.valid[begin:end] if value.valid is not None else None
    if value.offsets is not None:
        return replace(value, offsets=value.offsets[begin : end + 1], valid=valid)
    assert value.values is not None
    return replace(value, values=value.values[begin:end], valid=valid)
