"""The compiled driver: one generated function a view, kernels over the files of the indexes and the rows of the log."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa

from workbench.kernels import layout as at
from workbench.kernels.binding import Scratch, bind_pieces, compile_program
from workbench.kernels.machine import machine
from workbench.kernels.program import INT_MAX, LOCATION_SHIFT, Column, Piece
from workbench.online.compiled.arena import Arena
from workbench.online.compiled.lanes import to_lane
from workbench.online.compiled.prepare import Prepared, Reading
from workbench.plan.kernel_form import KernelPart
from workbench.storage import Storage
from workbench.storage.source import Source
from workbench.storage.tail import State

_ROW = (1 << LOCATION_SHIFT) - 1


class CompiledDriver:
    """Answers anchor rows one at a time; not thread-safe.

    Where kernels or scalars do not give a row's answer (an overflow, a value that is not finite, an error), calling
    raises, and the reference driver answers that row.

    Parameters
    ----------
    storage
        The project's storage; its indexes for the plan must exist with all their columns.
    prepared
        The plan, prepared.

    Raises
    ------
    KernelsUnavailable
        When this process has no compiled kernels.
    StorageError
        When an index lacks a column.
    """

    def __init__(self, storage: Storage, prepared: Prepared) -> None:
        self.prepared = prepared
        self.state: Callable[[], State] = storage.state
        self.known: State | None = None
        self.last_seq = 0
        self.floors: Mapping[str, int] = {}
        self._call = prepared.written.call
        tables = {table.name: table.id for table in storage.tables()}
        self._tables = [[tables[reader.source.table] for reader in part.readers] for part in prepared.parts]
        self._sources = [
            [storage.reader(one.spec).source(one.columns, one.derivation) for one in readings]
            for readings in prepared.readings
        ]
        self._bound: list[_Bound | None] = [None] * len(prepared.parts)
        #: Whether the log has rows of a part's tables.
        self.tails = [False] * len(prepared.parts)
        self._waves = [
            _Wave(self, wave, layout)
            for wave, layout in zip(prepared.written.waves, prepared.written.layouts, strict=True)
        ]
        plan = prepared.plan
        self._lanes = [(name, to_lane(kind)) for name, kind in plan.request_columns.items()]
        self._below = None if prepared.below is None else CompiledDriver(storage, prepared.below)
        if plan.rows is not None:
            places = {name: place for place, name in enumerate(plan.rows.features, start=1)}
            self._from_below = [(places[name], to_lane(kind)) for name, kind in plan.anchor_columns]
        for number, wave in enumerate(self._waves):
            setattr(self, f"arena{number}", wave.arena.buffer)
            setattr(self, f"base{number}", wave.arena.address)
            setattr(self, f"run{number}", wave.run)
            for what, place in wave.arena.layout.texts.items():
                setattr(self, f"text{number}_{'_'.join(map(str, what))}", wave.arena.address + place)
        self.follow(storage.state())

    def one(self, anchor: Sequence[Any], seq: int | None = None, cut: int = INT_MAX) -> tuple[Any, ...]:
        """Return ``(kept, *features)`` of one anchor row; ``(None,)`` where a plan below leaves it out.

        Parameters
        ----------
        anchor
            Its columns as lanes, in the order of the plan's request columns.
        seq
            Its arrival number where it is a stored row.
        cut
            Rows of a greater seq are not known.
        """
        below = self._below
        if below is None:
            return self._call(self, anchor, seq, cut)
        while True:
            found = below.one(anchor, seq, cut)
            if not found[0]:
                self.last_seq, self.floors = below.last_seq, below.floors
                return (None,)
            values = [
                value if convert is None or value is None else convert(value)
                for value, convert in ((found[place], convert) for place, convert in self._from_below)
            ]
            answer = self._call(self, values, seq, cut)
            if below.known is self.known:
                return answer
            # Something was committed between the two: both must know the same.

    def lanes(self, rows: pa.Table | Sequence[dict[str, Any]]) -> list[tuple[Any, ...]]:
        """Return anchor rows with the plan's request columns as lanes."""
        if not isinstance(rows, pa.Table):
            return [
                tuple(
                    [
                        value if convert is None or value is None else convert(value)
                        for name, convert in self._lanes
                        for value in (row[name],)
                    ]
                )
                for row in rows
            ]
        columns = []
        for name, convert in self._lanes:
            values = rows.column(name).to_pylist()
            if convert is not None:
                values = [None if value is None else convert(value) for value in values]
            columns.append(values)
        return list(zip(*columns, strict=True)) if columns else [()] * rows.num_rows

    # -- what the generated function calls

    def follow(self, state: State) -> None:
        """Take over a committed state: the files of the indexes, and whether the log has rows.

        A source whose files are gone meanwhile shows a newer state than it was asked for; all of them show one.
        """
        while True:
            self._follow(state)
            newest = self.state()
            if newest.manifest is state.manifest:
                break
            state = newest
        self.known = state
        self.last_seq, self.floors = state.last_seq, state.manifest.floors

    def _follow(self, state: State) -> None:
        for number, sources in enumerate(self._sources):
            self.tails[number] = any(state.delta(table).rows for table in self._tables[number])
            bound = self._bound[number]
            found = [source.now(state) for source in sources]
            if bound is None or bound.generations != [pieces.generation for pieces in found]:
                self._bind(number)
            for member in range(len(sources)):
                self._bound_of(number).resize(member, 0)

    def find(self, number: int, key: tuple[Any, ...] | None) -> None:
        """Have the kernels of a part see the rows of a key that are in the log."""
        sources, bound = self._sources[number], self._bound_of(number)
        counts = [0 if key is None else source.find(key) for source in sources]
        if [source.pieces.generation for source in sources] != bound.generations:
            bound = self._bind(number)
        for member, count in enumerate(counts):
            bound.resize(member, count)

    def pick(self, number: int, column: int, location: int | None, request: Sequence[Any]) -> Any:
        """Return the value of a part's column at a location, as a lane."""
        if location is None:
            return None
        piece, row = location >> LOCATION_SHIFT, location & _ROW
        member, place = self._bound_of(number).pieces[piece]
        if member < 0:
            return request[column]
        stored = self.prepared.readings[number][member].places[column]
        return None if stored is None else self._sources[number][member].value(place, row, stored)

    def word(self, number: int, column: int, location: int | None) -> str | None:
        """Return the text of a part's column at a location of its dictionary."""
        if location is None:
            return None
        found = self._bound_of(number).found[location >> LOCATION_SHIFT].columns[column]
        code = location & _ROW
        assert found.offsets is not None
        assert found.data is not None
        return found.data[found.offsets[code] : found.offsets[code + 1]].tobytes().decode()

    # -- binding

    def _bound_of(self, number: int) -> _Bound:
        bound = self._bound[number]
        assert bound is not None
        return bound

    def _bind(self, number: int) -> _Bound:
        wave = next(wave for wave in self._waves if number in wave.numbers)
        request = wave.requests[wave.numbers.index(number)]
        sources, readings = self._sources[number], self.prepared.readings[number]
        bound = _Bound(self.prepared.parts[number], sources, readings, request)
        self._bound[number] = bound
        wave.use(number, bound)
        return bound


class _Bound:
    """The pieces of one part as kernels read them, and what each of them is."""

    def __init__(
        self, part: KernelPart, sources: Sequence[Source], readings: Sequence[Reading], request: Piece | None
    ) -> None:
        self.generations = [source.pieces.generation for source in sources]
        #: The member and the number in its source of each piece; -1 is the request row.
        self.pieces: list[tuple[int, int]] = []
        self._deltas: list[int] = []
        columns = len(part.program.lanes)
        found: list[Piece] = []
        for member, (source, reading) in enumerate(zip(sources, readings, strict=True)):
            pieces = source.pieces
            for place, piece in enumerate((*pieces.segments, pieces.delta)):
                self.pieces.append((member, place))
                found.append(_piece(piece, part, reading, member))
            self._deltas.append((len(found) - 1) * (at.PIECE_WORDS + columns * at.COLUMN_WORDS))
        if request is not None:
            self.pieces.append((-1, 0))
            found.append(request)
        self.found = found
        self.compiled = compile_program(part.program)
        self.words = bind_pieces(part.program, found)
        self.scratch = Scratch(self.compiled, len(found))
        self._kept = [source.pieces for source in sources]
        for member in range(len(sources)):
            self.resize(member, 0)

    def resize(self, member: int, rows: int) -> None:
        """Say how many rows of the log there are."""
        head = self._deltas[member]
        self.words.words[head + at.R_ROWS] = self.words.words[head + at.R_END] = rows


def _piece(piece: Piece, part: KernelPart, reading: Reading, member: int) -> Piece:
    columns = tuple(
        Column(lane, None) if place is None else piece.columns[place]
        for lane, place in zip(part.program.lanes, reading.places, strict=True)
    )
    return replace(piece, columns=columns, member=member, rank=part.ranks[member])


class _Wave:
    """Parts that are computed by one call of compiled code."""

    def __init__(self, driver: CompiledDriver, numbers: tuple[int, ...], layout: Any) -> None:
        self.numbers = numbers
        self.arena = Arena(layout)
        parts = [driver.prepared.parts[number] for number in numbers]
        self.requests = [
            self.arena.request_piece(place) if part.program.history else None
            for place, part in enumerate(parts)
        ]
        self._block = np.zeros((len(numbers), at.STAGE_WORDS), np.int64)
        for place in range(len(numbers)):
            for word, address in self.arena.stage(place).items():
                self._block[place, word] = address
        self._words = np.array([self._block.ctypes.data, 0, len(numbers), 0], np.int64)
        self._kept: dict[int, _Bound] = {}
        self.run = machine().single(self._words)

    def use(self, number: int, bound: _Bound) -> None:
        """Read these pieces from now on."""
        row = self._block[self.numbers.index(number)]
        row[at.T_PROGRAM], row[at.T_PIECES] = bound.compiled.address, bound.words.address
        row[at.T_COUNT], row[at.T_SCRATCH] = len(bound.pieces), bound.scratch.address
        self._kept[number] = bound
