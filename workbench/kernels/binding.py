"""Programs and pieces as words: what compiled code reads, with the arrays that the addresses in it belong to."""

from __future__ import annotations

import struct
import weakref
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from workbench.kernels import layout as at
from workbench.kernels.machine import loaded, machine
from workbench.kernels.object_file import RELEASE
from workbench.kernels.program import INT_MAX, Column, KeyLevel, KeyTable, Piece, Program, Windowed

Words = npt.NDArray[np.int64]

_KINDS = {
    np.dtype(np.int8): at.I8,
    np.dtype(np.bool_): at.I8,
    np.dtype(np.int16): at.I16,
    np.dtype(np.int32): at.I32,
    np.dtype(np.int64): at.I64,
    np.dtype(np.float32): at.F32,
    np.dtype(np.float64): at.F64,
}
_NEEDS = {
    "count": 0,
    "count_star": 0,
    "sum": at.NEED_SUM,
    "avg": at.NEED_SUM,
    "min": at.NEED_EXTREMES,
    "max": at.NEED_EXTREMES,
    "bool_and": at.NEED_EXTREMES,
    "bool_or": at.NEED_EXTREMES,
    "var_pop": at.NEED_SQUARES,
    "var_samp": at.NEED_SQUARES,
    "stddev_pop": at.NEED_SQUARES,
    "stddev_samp": at.NEED_SQUARES,
}


def address(array: npt.NDArray[Any] | None) -> int:
    """Return where an array's data is; 0 for None.

    Raises
    ------
    ValueError
        When the array is not contiguous.
    """
    if array is None:
        return 0
    if not array.flags.c_contiguous:
        raise ValueError("kernels read contiguous arrays only")
    return array.__array_interface__["data"][0]


class Held:
    """Words whose addresses stay valid as long as this lives."""

    def __init__(self, words: Words, *held: Any) -> None:
        self.words = words
        self.address = address(words)
        self._held = held


# -- programs


def compile_program(program: Program) -> Held:
    """Return a program as words: the head, then its windows, compares, calls, folds and lists of numbers."""
    tables: list[int] = []

    def place(values: Sequence[int]) -> int:
        tables.extend(values)
        return at.PROGRAM_WORDS + len(tables) - len(values)

    windows_at = place([word for window in program.windows for word in _window(program, window)])
    compares_at = place(
        [
            word
            for c in program.compares
            for word in (c.column, at.COMPARE_CODES[c.op], c.constant, at.LANE_CODES[program.lane(c.column)])
        ]
    )
    lists = {call.compares: place(call.compares) for call in program.calls}
    folds, states = _folds(program)
    entries = []
    state_of: dict[tuple[int, int], int] = {}
    for number, (column, compares, windows, needs) in enumerate(folds):
        first = len(state_of)
        for window, calls in windows.items():
            for call in calls:
                state_of[(number, window)] = first + list(windows).index(window)
                states[call] = (number, window)
        lane = at.LANE_CODES[program.lane(column)]
        windows_list = place(list(windows))
        entries += [column, needs, lane, len(compares), lists[compares], len(windows), windows_list, first]
    folds_at = place(entries)
    calls_at = place(
        [
            word
            for number, call in enumerate(program.calls)
            for word in _call(program, number, lists, states.get(number), state_of)
        ]
    )
    head = [0] * at.PROGRAM_WORDS
    head[at.P_WORDS] = at.PROGRAM_WORDS + len(tables)
    head[at.P_COLUMNS] = len(program.lanes)
    head[at.P_MEMBERS] = program.members
    head[at.P_CONSTANTS] = len(program.constants)
    head[at.P_WINDOWS], head[at.P_WINDOWS_AT] = len(program.windows), windows_at
    head[at.P_COMPARES], head[at.P_COMPARES_AT] = len(program.compares), compares_at
    head[at.P_FOLDS], head[at.P_FOLDS_AT] = len(folds), folds_at
    head[at.P_CALLS], head[at.P_CALLS_AT] = len(program.calls), calls_at
    head[at.P_STATES] = len(state_of)
    return Held(np.array(head + tables, dtype=np.int64))


def _window(program: Program, window: Windowed) -> list[int]:
    request = program.history and not window.exclude_current_row and window.end == 0
    start = INT_MAX if window.start is None else window.start
    maxsize = -1 if window.maxsize is None else window.maxsize
    words = [int(window.unit == "rows"), start, window.end, maxsize, int(request)]
    return words + [0] * (at.WINDOW_WORDS - len(words))


def _nest(program: Program, window: int) -> tuple[object, ...]:
    """Windows of the same nest begin at the same row; MAXSIZE is on its own."""
    found = program.windows[window]
    if found.maxsize is not None:
        return (window,)
    return (found.unit, found.end)


Fold = tuple[int, tuple[int, ...], dict[int, list[int]], int]


def _folds(program: Program) -> tuple[list[Fold], dict[int, tuple[int, int]]]:
    """Group calls into folds: (column, compares, {window: calls}, needs), the windows of each from inner to outer."""
    groups: dict[tuple[object, ...], list[int]] = {}
    for number, call in enumerate(program.calls):
        strings = call.op in ("min", "max") and program.lane(call.column) == "s"
        if call.op in _NEEDS and not strings:
            key = (call.column, call.compares, _nest(program, call.window))
            groups.setdefault(key, []).append(number)
    folds: list[Fold] = []
    for numbers in groups.values():
        first = program.calls[numbers[0]]
        needs = 0
        windows: dict[int, list[int]] = {}
        for number in sorted(numbers, key=lambda n: _reach(program.windows[program.calls[n].window])):
            windows.setdefault(program.calls[number].window, []).append(number)
            needs |= _NEEDS[program.calls[number].op]
        folds.append((first.column, first.compares, windows, needs))
    return folds, {}


def _reach(window: Windowed) -> int:
    return INT_MAX if window.start is None else window.start


def _call(
    program: Program,
    place: int,
    lists: dict[tuple[int, ...], int],
    state: tuple[int, int] | None,
    state_of: dict[tuple[int, int], int],
) -> list[int]:
    call = program.calls[place]
    (fraction,) = struct.unpack("<q", struct.pack("<d", call.q if call.op != "median" else 0.5))
    lanes = [at.LANE_CODES[program.lane(column)] for column in (call.column, call.second)]
    number, fold = (-1, 0) if state is None else (state_of[state], state[0])
    words = [at.OP_CODES[call.op], call.window, call.column, call.second, call.n, fraction]
    return [*words, len(call.compares), lists[call.compares], number, *lanes, fold, place, 0]


# -- pieces


def bind_pieces(program: Program, pieces: Sequence[Piece]) -> Held:
    """Return pieces as words, one after the other."""
    words: list[int] = []
    held: list[Any] = list(pieces)
    for piece in pieces:
        checked(program, piece)
        keys = 0
        if piece.keys is not None:
            table = bind_keys(piece.keys)
            held.append(table)
            keys = table.address
        words += piece_words(piece, keys)
        for lane, column in zip(program.lanes, piece.columns, strict=True):
            words += column_words(column, lane)
    return Held(np.array(words, dtype=np.int64), held)


def checked(program: Program, piece: Piece) -> None:
    """Compiled code reads where it is told to: see that every array is as long as it is read.

    Raises
    ------
    ValueError
        When one is not.
    """
    rows = piece.rows
    if len(piece.columns) != len(program.lanes):
        raise ValueError(f"the program has {len(program.lanes)} columns, the piece {len(piece.columns)}")
    if piece.ord.dtype != np.int64 or len(piece.seq) < rows or piece.seq.dtype not in (np.int32, np.int64):
        raise ValueError("ord is int64, seq int32 or int64 of as many rows")
    if not 0 <= piece.member < program.members:
        raise ValueError(f"the program has {program.members} members, the piece is of number {piece.member}")
    for column in piece.columns:
        _check_column(column, rows)
    keys = piece.keys
    if keys is not None and (
        keys.starts.dtype != np.int64 or len(keys.starts) == 0 or keys.starts[-1] > rows
    ):
        raise ValueError("the rows of keys are int64 and end with the rows of the piece")


def _check_column(column: Column, rows: int) -> None:
    blocks = rows >> at.BLOCK_BITS
    nodes = blocks + (rows >> 2 * at.BLOCK_BITS) + (rows >> 3 * at.BLOCK_BITS)
    lengths = (
        (column.values, rows, None),
        (column.validity, (rows + 7) // 8, np.uint8),
        (column.tree, nodes, np.int64),
        (column.newer, rows, np.int32),
        (column.newer_counts, blocks + 1, np.int32),
        (column.older, rows, np.int32),
        (column.offsets, 1, np.int64),
        (column.data, 0, np.uint8),
    )
    for array, length, kind in lengths:
        if array is not None and (len(array) < length or (kind is not None and array.dtype != kind)):
            raise ValueError(f"an array of a column is shorter than {length} or not {kind}")
    if column.tree is not None and column.tree.shape[1:] != (at.NODE_WORDS,):
        raise ValueError(f"a tree has {at.NODE_WORDS} words a node")
    if column.values is not None and column.values.dtype not in _KINDS:
        raise ValueError(f"kernels do not read {column.values.dtype}")
    if column.lane == "s" and column.values is not None and (column.offsets is None or column.data is None):
        raise ValueError("a column of codes has a dictionary")
    if (column.newer is None) != (column.newer_counts is None):
        raise ValueError("links come with their counts")


def piece_words(piece: Piece, keys: int) -> list[int]:
    """Return the head of a piece as words."""
    head = [0] * at.PIECE_WORDS
    head[at.R_ROWS] = head[at.R_END] = piece.rows
    head[at.R_ORD], head[at.R_SEQ] = address(piece.ord), address(piece.seq)
    head[at.R_SEQ_KIND] = _KINDS[piece.seq.dtype]
    head[at.R_BASE], head[at.R_MAX_SEQ] = piece.base, piece.max_seq
    head[at.R_MEMBER], head[at.R_RANK] = piece.member, piece.rank
    head[at.R_REQUEST], head[at.R_KEYS] = int(piece.request), keys
    head[at.R_VALID_ENDS] = address(piece.valid_ends)
    return head


def column_words(column: Column, lane: str) -> list[int]:
    """Return a column as words."""
    if column.lane != lane:
        raise ValueError(f"the program's column is of lane {lane!r}, the piece's of {column.lane!r}")
    words = [0] * at.COLUMN_WORDS
    words[at.C_KIND] = at.OPAQUE if lane == "o" else at.MISSING
    if column.values is not None:
        words[at.C_VALUES], words[at.C_KIND] = address(column.values), _KINDS[column.values.dtype]
    words[at.C_VALIDITY] = address(column.validity)
    if column.offsets is not None:
        words[at.C_OFFSETS], words[at.C_DATA] = address(column.offsets), address(column.data)
        words[at.C_SIZE] = len(column.offsets) - 1
    words[at.C_ORDERED], words[at.C_LANE] = int(column.ordered), at.LANE_CODES[lane]
    words[at.C_TREE] = address(column.tree)
    words[at.C_NEWER], words[at.C_COUNTS] = address(column.newer), address(column.newer_counts)
    words[at.C_OLDER] = address(column.older)
    return words


def bind_keys(keys: KeyTable) -> Held:
    """Return a table of keys as words."""
    words = [0] * at.KEYS_WORDS
    words[at.K_KEYS], words[at.K_LEVELS] = len(keys.starts) - 1, len(keys.levels)
    words[at.K_STARTS], words[at.K_SLOTS] = address(keys.starts), address(keys.slots)
    words[at.K_MASK] = 0 if keys.slots is None else len(keys.slots) - 1
    for level in keys.levels:
        words += level_words(level)
    return Held(np.array(words, dtype=np.int64), keys)


def level_words(level: KeyLevel) -> list[int]:
    """Return one level of keys as words."""
    return [address(level.values), address(level.offsets), address(level.data), address(level.validity)]


# -- where an evaluation works


class Scratch(Held):
    """The areas of one evaluation at a time; what compiled code allocated for it is given back with it."""

    def __init__(self, program: Held, pieces: int) -> None:
        head = program.words
        windows, compares, states = (int(head[i]) for i in (at.P_WINDOWS, at.P_COMPARES, at.P_STATES))
        context = at.X_MEMBERS + at.MEMBER_WORDS * int(head[at.P_MEMBERS]) + 2 * int(head[at.P_CONSTANTS])
        sizes = {
            at.S_VISIBLE: 2 * pieces,
            at.S_CHECKED: pieces,
            at.S_WINDOWS: 2 * windows * pieces,
            at.S_INCLUDED: windows,
            at.S_CONSTANTS: 2 * compares * pieces,
            at.S_POSITIONS: 2 * pieces,
            at.S_STATE: at.STATE_WORDS,
            at.S_STATES: at.STATE_WORDS * states,
            at.S_SUPER: 5 * at.SUPER_WORDS,
            at.S_CONTEXT: context,
            at.S_RANGES: 2 * pieces,
            at.S_CACHE: at.CACHE_WORDS * int(head[at.P_CALLS]),
        }
        words = np.zeros(at.SCRATCH_WORDS + sum(sizes.values()), dtype=np.int64)
        super().__init__(words)
        place = at.SCRATCH_WORDS
        for area, size in sizes.items():
            words[area] = self.address + 8 * place
            place += size
        weakref.finalize(self, _release, words)


def _release(scratch: Words) -> None:
    if loaded():
        machine().run(RELEASE, address(scratch))
