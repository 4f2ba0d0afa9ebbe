"""Single requests of kernels alone, without tables or plans: what tests and benchmarks ask."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from workbench.kernels import layout as at
from workbench.kernels.binding import (
    Held,
    Scratch,
    address,
    bind_keys,
    bind_pieces,
    checked,
    column_words,
    compile_program,
    piece_words,
)
from workbench.kernels.machine import machine
from workbench.kernels.program import INT_MAX, INT_MIN, Piece, Program

NULL_KEY, NO_KEY = -1, -2


class Part(NamedTuple):
    """Where a part's arguments stand among the arguments of a request.

    ``order``, ``cut``: one place each. ``members``: of each member the first of three places: upto_ord, upto_seq,
    since. ``constants``: of each constant the first of two: the value and 0; of byte strings their address and size; a
    second word of -1 is NULL. ``keys``: of each level of the key the first of two, in the same form; NULL_KEY is the
    group of NULLs, NO_KEY matches nothing. ``results``: the place of the first result of its calls.
    """

    order: int
    cut: int
    members: tuple[int, ...]
    constants: tuple[int, ...]
    keys: tuple[int, ...]
    results: int


class Answer(NamedTuple):
    """The results of all parts: ``values`` (ints and floats as of :attr:`Program.results`), ``valid`` (a byte each, 0
    where it is NULL), ``status`` (0, or why the answer must come from elsewhere)."""

    values: tuple[Any, ...]
    valid: bytes
    status: int


class Request:
    """Computes programs for one anchor at a time. Not for two threads at once.

    Parameters
    ----------
    parts
        Programs, each with its pieces. Keys are found in the pieces' tables of keys; pieces without one have rows of
        the asked key only. Arrays may be written between calls: that is how the request row and rows that are not in
        a segment get in (:meth:`resize` says how many there are).
    levels
        How many columns the key of each part has.

    Raises
    ------
    KernelsUnavailable
        When this process has no compiled code.
    ValueError
        When the arrays of a piece do not fit its program.

    Examples
    --------
    >>> request = Request([(program, pieces)], [1])                         # doctest: +SKIP
    >>> arguments, part = request.arguments(), request.parts[0]             # doctest: +SKIP
    >>> arguments[part.keys[0]] = 4711                                      # doctest: +SKIP
    >>> arguments[part.order] = arguments[part.members[0]] = now            # doctest: +SKIP
    >>> answer = request.run(arguments)                                     # doctest: +SKIP
    """

    def __init__(self, parts: Sequence[tuple[Program, Sequence[Piece]]], levels: Sequence[int]) -> None:
        self.parts, self._format, size = _places(parts, levels)
        self._words = np.zeros(size, dtype=np.int64)
        results = [lane for program, _ in parts for lane in program.results]
        self._values = np.zeros(len(results) + 1, dtype=np.int64)
        self._valid = np.zeros(len(results) + 1, dtype=np.uint8)
        self._status = np.zeros(len(parts), dtype=np.int64)
        kinds = "".join("d" if lane == "f" else "q" for lane in results)
        self._unpack = struct.Struct("<" + kinds).unpack_from
        self._count = len(results)
        self._pack = struct.Struct(self._format).pack_into
        self._bound: list[Held] = []
        self._replaced: dict[tuple[int, int], Any] = {}
        self._columns = [len(program.lanes) for program, _ in parts]
        self._words_view = self._words.data
        self._block, self._call = self._bind(parts)
        self._run = machine().single(self._call)
        self._values_view, self._valid_view = self._values.data, self._valid[: self._count].data
        self._blob = bytearray(1 << 16)
        self._blob_address = np.frombuffer(self._blob, dtype=np.uint8).__array_interface__["data"][0]
        self._blob_used = 0

    def _bind(self, parts: Sequence[tuple[Program, Sequence[Piece]]]) -> tuple[Any, Any]:
        block = np.zeros((len(parts), at.STAGE_WORDS), dtype=np.int64)
        words, values, valid = address(self._words), address(self._values), address(self._valid)
        self._kept: list[Any] = []
        for number, ((program, pieces), part) in enumerate(zip(parts, self.parts, strict=True)):
            compiled, bound = compile_program(program), bind_pieces(program, pieces)
            scratch = Scratch(compiled, len(pieces))
            self._bound.append(bound)
            self._kept += [compiled, scratch]
            row = block[number]
            row[at.T_PROGRAM], row[at.T_PIECES], row[at.T_COUNT] = (
                compiled.address,
                bound.address,
                len(pieces),
            )
            row[at.T_CONTEXT] = words + 8 * part.order
            row[at.T_KEY] = words + 8 * (part.keys[0] if part.keys else 0)
            row[at.T_VALUES], row[at.T_VALID] = values + 8 * part.results, valid + part.results
            row[at.T_STATUS] = address(self._status) + 8 * number
            row[at.T_SCRATCH] = scratch.address
        return block, np.array([address(block), 0, len(parts), 0], dtype=np.int64)

    def arguments(self) -> list[int | float]:
        """Return arguments of the neutral kind: nothing is bounded, no key matches anything."""
        made: list[int | float] = [0] * len(self._words)
        for part in self.parts:
            made[part.cut] = INT_MAX
            for place in part.members:
                made[place], made[place + 1], made[place + 2] = INT_MAX, INT_MAX, INT_MIN
            for place in part.constants:
                made[place + 1] = -1
            for place in part.keys:
                made[place + 1] = NO_KEY
        return made

    def place(self, data: bytes) -> int:
        """Return the address of a copy of some bytes, as keys and constants need it, until the next :meth:`run`.

        Raises
        ------
        ValueError
            When the bytes of one request are more than 64 KB.
        """
        begin = self._blob_used
        end = begin + len(data)
        if end > len(self._blob):
            raise ValueError("more than 64 KB of keys and constants")
        self._blob[begin:end] = data
        self._blob_used = end
        return self._blob_address + begin

    def run(self, arguments: Sequence[int | float], first: int = 0, last: int | None = None) -> Answer:
        """Compute the parts from ``first`` to before ``last`` (all) and return the results of all parts.

        Raises
        ------
        struct.error
            When an argument is not an integer of 64 bits, or a float where its constant is one.
        """
        self._pack(self._words_view, 0, *arguments)
        self._blob_used = 0
        if last is not None or first != 0:
            self._call[1], self._call[2] = first, len(self.parts) if last is None else last
            self._run()
            self._call[1], self._call[2] = 0, len(self.parts)
        else:
            self._run()
        status = 0
        for found in self._status.tolist():
            status |= found
        return Answer(self._unpack(self._values_view), self._valid_view.tobytes(), status)

    def resize(self, part: int, piece: int, rows: int) -> None:
        """Say how many rows of a piece there are now, not more than its arrays have."""
        head = piece * (at.PIECE_WORDS + self._columns[part] * at.COLUMN_WORDS)
        words = self._bound[part].words
        words[head + at.R_ROWS] = words[head + at.R_END] = rows

    def rebind(self, part: int, number: int, piece: Piece, program: Program) -> None:
        """Put another piece in the place of one.

        Raises
        ------
        ValueError
            When its arrays do not fit the program.
        """
        keys = None if piece.keys is None else bind_keys(piece.keys)
        checked(program, piece)
        words = piece_words(piece, 0 if keys is None else keys.address)
        for lane, column in zip(program.lanes, piece.columns, strict=True):
            words += column_words(column, lane)
        head = number * len(words)
        self._bound[part].words[head : head + len(words)] = words
        self._replaced[(part, number)] = piece, keys


def _places(
    parts: Sequence[tuple[Program, Sequence[Piece]]], levels: Sequence[int]
) -> tuple[list[Part], str, int]:
    """Where the arguments of each part stand, in the order that compiled code reads them."""
    made, kinds = [], "<"
    size = results = 0
    for (program, _), count in zip(parts, levels, strict=True):
        first = size + at.X_MEMBERS
        members = tuple(first + at.MEMBER_WORDS * m for m in range(program.members))
        first += at.MEMBER_WORDS * program.members
        constants = tuple(first + 2 * c for c in range(len(program.constants)))
        first += 2 * len(constants)
        keys = tuple(first + 2 * level for level in range(count))
        made.append(Part(size + at.X_ORDER, size + at.X_CUT, members, constants, keys, results))
        kinds += "q" * (at.X_MEMBERS + at.MEMBER_WORDS * program.members)
        kinds += "".join("dq" if lane == "f" else "qq" for lane in program.constants) + "qq" * count
        size = first + 2 * count
        results += len(program.calls)
    return made, kinds, size
