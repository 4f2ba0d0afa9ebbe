"""The tail of a table's log as numbers: growing arrays in which a key's rows are found and put in order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from workbench.storage.arrays import Integers, null_mask, raw_int64, raw_values
from workbench.storage.columns import lane_values
from workbench.storage.delta import Delta, DeltaIndex
from workbench.storage.keys import KeyCodec, Physical
from workbench.storage.ordering import NULL_ORD
from workbench.values.lanes import lane_of

#: Rows of one key for which there is room without new arrays.
ROOM = 4096
#: From so many texts on Arrow finds the different ones faster than a dict does.
MANY = 64
_ORD, _SEQ, _FIXED = 0, 1, 2

Lane = int | float | str | None


@dataclass(frozen=True)
class Derivation:
    """How derived columns of a row are computed one by one.

    Parameters
    ----------
    inputs
        Columns of the table.
    outputs
        Derived columns.
    call
        Takes the inputs of a row as Python lanes (whole numbers, floats, text, None; what Arrow gives for other types)
        and returns those of the outputs.
    """

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    call: Callable[[Sequence[Any]], Sequence[Any]]


class Words:
    """A dictionary of texts that grows; codes are in the order of arrival."""

    def __init__(self) -> None:
        self.codes: dict[str, int] = {}
        self.offsets = np.zeros(1024, np.int64)
        self.data = np.zeros(16_384, np.uint8)

    def code(self, word: str) -> int:
        """Return the code of a text, a new one when it was not seen."""
        found = self.codes.get(word)
        if found is None:
            content = word.encode()
            found = len(self.codes)
            begin = int(self.offsets[found])
            end = begin + len(content)
            if found + 2 > len(self.offsets):
                self.offsets = _grown(self.offsets, found + 2)
            if end > len(self.data):
                self.data = _grown(self.data, end)
            self.data[begin:end] = np.frombuffer(content, np.uint8)
            self.offsets[found + 1] = end
            self.codes[word] = found
        return found

    def text(self, code: int) -> str:
        """Return the text of a code."""
        return self.data[self.offsets[code] : self.offsets[code + 1]].tobytes().decode()


def _grown(array: npt.NDArray[Any], least: int) -> npt.NDArray[Any]:
    larger = np.zeros((*array.shape[:-1], max(least, 2 * array.shape[-1])), array.dtype)
    larger[..., : array.shape[-1]] = array
    return larger


class DeltaLanes:
    """The rows of a delta as lanes of some columns, found by key; follows the delta. Not thread-safe.

    Parameters
    ----------
    codecs
        The key columns.
    order
        The order column.
    columns
        Name and type of each column.
    derivation
        How those among them are computed that the table does not have.

    Attributes
    ----------
    lanes
        int64 (2 + columns, room): the found rows' order values, seqs, and columns (floats as their bits).
    valid
        uint8 (columns, room / 8): their validity bitmaps.
    words
        The dictionary of each text column.
    version
        Changes when one of these arrays is another one.
    """

    def __init__(
        self,
        codecs: Sequence[KeyCodec],
        order: str | None,
        columns: Sequence[tuple[str, str]],
        derivation: Derivation | None = None,
    ) -> None:
        self._index = DeltaIndex()
        self._index.use(codecs)
        self._order = order
        self._columns = list(columns)
        self._kinds = [lane_of(kind) for _, kind in columns]
        self._derivation = derivation
        outputs = derivation.outputs if derivation is not None else ()
        self._derived = [(n, outputs.index(name)) for n, (name, _) in enumerate(columns) if name in outputs]
        self._direct = [n for n, (name, _) in enumerate(columns) if name not in outputs]
        self._delta = Delta(-1)
        self.version = 0
        self.lanes, self.valid = self._room(ROOM)
        self._start()

    def _room(self, rows: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint8]]:
        count = len(self._columns)
        return np.zeros((_FIXED + count, rows), np.int64), np.full((count, rows // 8), 255, np.uint8)

    def _start(self) -> None:
        count = len(self._columns)
        self._all = np.zeros((_FIXED + count, 1024), np.int64)
        self._known = np.zeros((count, 1024), bool)
        self._done = np.zeros(1024, bool)
        self._rows = 0
        self._unordered = False
        self._nulls = False
        self.valid.fill(255)
        self.words = {n: Words() for n, lane in enumerate(self._kinds) if lane == "s"}
        self._found: Integers = np.empty(0, np.int64)
        self.version += 1

    def follow(self, delta: Delta) -> None:
        """Take in what was added to the delta; start anew when rows left it."""
        if delta is self._delta:
            return
        if delta.generation != self._delta.generation:
            self._start()
        self._delta = delta
        self._index.follow(delta)
        for run, start in zip(delta.runs, delta.starts, strict=False):
            if start + len(run.seqs) > self._rows:
                self._take_in(run.batch, run.order(self._order), run.seqs, self._rows - start)

    def _take_in(self, batch: pa.RecordBatch, order: pa.Array, seqs: Integers, skipped: int) -> None:
        begin, end = self._rows, self._rows + len(seqs) - skipped
        if end > self._all.shape[1]:
            self._all = _grown(self._all, end)
            self._known = _grown(self._known, end)
            self._done = _grown(self._done, end)
        here = slice(begin, end)
        self._all[_ORD, here] = raw_int64(order)[skipped:]
        self._all[_SEQ, here] = seqs[skipped:]
        if order.null_count:
            self._unordered = True
        for n in self._direct:
            name, kind = self._columns[n]
            column = batch.column(name).slice(skipped)
            nulls = null_mask(column)
            self._known[n, here] = True if nulls is None else ~nulls
            self._nulls = self._nulls or nulls is not None
            if self._kinds[n] == "s":
                self._all[_FIXED + n, here] = self._text_codes(n, column)
            elif self._kinds[n] != "o":
                values = lane_values(column, kind)
                if self._kinds[n] == "f":
                    values = values.astype(np.float64).view(np.int64)
                self._all[_FIXED + n, here] = values
        self._done[here] = not self._derived
        self._nulls = self._nulls or bool(self._derived)
        self._rows = end

    def _text_codes(self, column: int, array: pa.Array) -> Any:
        if len(array) < MANY:
            return self._codes(column, array.to_pylist())
        encoded = pc.dictionary_encode(array)
        codes = np.array([*self._codes(column, encoded.dictionary.to_pylist()), 0], np.int64)
        nulls = null_mask(encoded.indices)
        indices = raw_values(encoded.indices, np.int32)
        return codes[indices if nulls is None else np.where(nulls, -1, indices)]

    def _codes(self, column: int, values: Iterable[str | None]) -> list[int]:
        words = self.words[column]
        offsets, data = words.offsets, words.data
        codes = [0 if value is None else words.code(value) for value in values]
        if words.offsets is not offsets or words.data is not data:
            self.version += 1
        return codes

    def find(self, key: tuple[Physical, ...]) -> int:
        """Put the rows of a key, newest first, into :attr:`lanes` and :attr:`valid`; return how many there are.

        Rows without an order value are left out. What the derivation raises is passed on.
        """
        positions = self._index.find(key)
        if positions is None:
            return 0
        self._found = positions = self._ordered(positions[::-1])
        count = len(positions)
        if self._derived and not self._done[positions].all():
            self._derive(positions)
        if count > self.lanes.shape[1]:
            self.lanes, self.valid = self._room(-(-2 * count // 8) * 8)
            self.version += 1
        self.lanes[:, :count] = self._all[:, positions]
        if self._nulls:
            packed = np.packbits(self._known[:, positions], axis=1, bitorder="little")
            self.valid[:, : packed.shape[1]] = packed
        return count

    def _ordered(self, positions: Integers) -> Integers:
        ords = self._all[_ORD, positions]
        if self._unordered:
            kept = ords != NULL_ORD
            if not kept.all():
                positions = self._valid_of(positions)
                ords = self._all[_ORD, positions]
        if len(positions) > 1 and (ords[1:] > ords[:-1]).any():
            # Positions are the newest first, so a stable sort keeps the greater seq first among equals.
            positions = positions[np.argsort(~ords, kind="stable")]
        return positions

    def _valid_of(self, positions: Integers) -> Integers:
        """Those rows that have an order value."""
        kept = []
        for position in positions.tolist():
            number = self._run(position)
            run, start = self._delta.runs[number], self._delta.starts[number]
            if run.order(self._order)[position - start].is_valid:
                kept.append(position)
        return np.array(kept, np.int64)

    def _run(self, position: int) -> int:
        return int(np.searchsorted(self._delta.starts, position, side="right")) - 1

    def _derive(self, positions: Integers) -> None:
        assert self._derivation is not None
        for position in positions[~self._done[positions]].tolist():
            row = [self._input(position, name) for name in self._derivation.inputs]
            values = self._derivation.call(row)
            for n, output in self._derived:
                value = values[output]
                self._known[n, position] = value is not None
                if value is None:
                    continue
                lane = self._kinds[n]
                if lane == "s":
                    value = self._codes(n, [value])[0]
                if lane == "f":
                    self._all[_FIXED + n].view(np.float64)[position] = value
                elif lane != "o":
                    self._all[_FIXED + n, position] = value
            self._done[position] = True

    def _input(self, position: int, name: str) -> Any:
        number = self._run(position)
        run, start = self._delta.runs[number], self._delta.starts[number]
        return lane_scalar(run.batch.column(name), position - start)

    def value(self, row: int, column: int) -> Any:
        """Return a column of a found row as a Python lane."""
        position = int(self._found[row])
        name, _ = self._columns[column]
        if any(column == n for n, _ in self._derived):
            if not self._known[column, position]:
                return None
            lane = self._kinds[column]
            if lane == "f":
                return float(self._all[_FIXED + column].view(np.float64)[position])
            number = int(self._all[_FIXED + column, position])
            return self.words[column].text(number) if lane == "s" else number
        return self._input(position, name)


def lane_scalar(array: pa.Array, row: int) -> Any:
    """Return one value of an Arrow array as a Python lane: a whole number, float or text, None for NULL.

    Values of lane ``o`` are what Arrow gives.
    """
    found = array[row]
    if not found.is_valid:
        return None
    kind = array.type
    if pa.types.is_timestamp(kind) or pa.types.is_time64(kind) or pa.types.is_date32(kind):
        return found.value
    if pa.types.is_decimal(kind) and kind.precision <= 18:
        return int(found.as_py().scaleb(kind.scale))
    if pa.types.is_boolean(kind):
        return int(found.as_py())
    return found.as_py()
