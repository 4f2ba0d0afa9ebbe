"""Frames: which range of every piece a window is, given what an anchor sees."""

from __future__ import annotations

from workbench.kernels.layout import (
    P_WINDOWS,
    P_WINDOWS_AT,
    S_CHECKED,
    S_CONTEXT,
    S_INCLUDED,
    S_POSITIONS,
    S_VISIBLE,
    S_WINDOWS,
    W_END,
    W_MAXSIZE,
    W_REQUEST,
    W_ROWS,
    W_START,
    WINDOW_WORDS,
    X_CUT,
    X_ORDER,
)
from workbench.kernels.memory import jit, load, store
from workbench.kernels.rows import first_before, newer_row, piece_at, seq_of

INT_MIN = -0x8000000000000000
INT_MAX = 0x7FFFFFFFFFFFFFFF


@jit
def _minus(order: int, age: int) -> int:
    """order - age, for an age that is not negative, as low as integers go."""
    return INT_MIN if order < INT_MIN + age else order - age


@jit
def advance(pieces: int, count: int, columns: int, scratch: int, at: int, ends: int, rows: int) -> int:
    """Move positions, one a piece, beyond the newest ``rows`` rows before the ends; return how many were there.

    ``at``: addresses of the positions, ``ends``: of the ends, both with stride 2.
    """
    checked = load(scratch, S_CHECKED)
    open_pieces, last, looked = 0, 0, 0
    for number in range(count):
        if load(at, 2 * number) < load(ends, 2 * number):
            open_pieces += 1
            last = number
            looked += load(checked, number)
    if open_pieces == 0:
        return 0
    if open_pieces == 1 and looked == 0:
        taken = min(rows, load(ends, 2 * last) - load(at, 2 * last))
        store(at, 2 * last, load(at, 2 * last) + taken)
        return taken
    taken = 0
    while taken < rows:
        # The newest of the rows that are ``step`` ahead: all until it are among the next step * pieces.
        step = 1 if looked != 0 else max((rows - taken) // open_pieces, 1)
        best = _nearest(pieces, count, columns, at, ends, step)
        if best < 0 and step > 1:
            longest = 0
            for number in range(count):
                longest = max(longest, load(ends, 2 * number) - load(at, 2 * number))
            if longest == 0:
                break
            step = longest
            best = _nearest(pieces, count, columns, at, ends, step)
        if best < 0:
            break
        row = load(at, 2 * best)
        store(at, 2 * best, row + step)
        known = True
        if load(checked, best) != 0:
            known = seq_of(piece_at(pieces, best, columns), row) <= load(load(scratch, S_CONTEXT), X_CUT)
        if known:
            taken += step
    return taken


@jit
def _nearest(pieces: int, count: int, columns: int, at: int, ends: int, step: int) -> int:
    """The piece whose row ``step`` ahead is the newest, -1 when none has that many."""
    best = -1
    for number in range(count):
        row = load(at, 2 * number) + step - 1
        if row < load(ends, 2 * number) and (
            best < 0
            or newer_row(
                piece_at(pieces, number, columns),
                row,
                piece_at(pieces, best, columns),
                load(at, 2 * best) + step - 1,
            )
        ):
            best = number
    return best


@jit
def frame(program: int, pieces: int, count: int, columns: int, scratch: int, again: bool) -> int:
    """Fill S_WINDOWS (two words a window and piece: begin, end) and S_INCLUDED (whether the request row is in it)."""
    visible, windows = load(scratch, S_VISIBLE), load(scratch, S_WINDOWS)
    included = load(scratch, S_INCLUDED)
    order = load(load(scratch, S_CONTEXT), X_ORDER)
    for w in range(load(program, P_WINDOWS)):
        window = program + (load(program, P_WINDOWS_AT) + w * WINDOW_WORDS) * 8
        at = windows + 16 * w * count
        request = load(window, W_REQUEST)
        start, end = load(window, W_START), load(window, W_END)
        if load(window, W_ROWS) != 0:
            _rows(pieces, count, columns, scratch, at, visible, start, end)
        else:
            for number in range(count):
                _ages(pieces, number, columns, at, visible, order, start, end, again)
        maxsize = load(window, W_MAXSIZE)
        if maxsize >= 0:
            if maxsize == 0:
                request = 0
            _keep(pieces, count, columns, scratch, at, maxsize - request)
        store(included, w, request)
    return 0


@jit
def _rows(
    pieces: int, count: int, columns: int, scratch: int, at: int, visible: int, start: int, end: int
) -> int:
    for number in range(count):
        store(at, 2 * number, load(visible, 2 * number))
        store(at, 2 * number + 1, load(visible, 2 * number + 1))
    skipped = max(end, 1) - 1
    if skipped > 0 and advance(pieces, count, columns, scratch, at, visible + 8, skipped) < skipped:
        start = 0
    if start != INT_MAX:
        _keep(pieces, count, columns, scratch, at, start - skipped)
    return 0


@jit
def _keep(pieces: int, count: int, columns: int, scratch: int, at: int, rows: int) -> int:
    """Keep the newest ``rows`` rows of a window's ranges."""
    positions = load(scratch, S_POSITIONS)
    for number in range(count):
        store(positions, 2 * number, load(at, 2 * number))
    if rows > 0:
        advance(pieces, count, columns, scratch, positions, at + 8, rows)
    for number in range(count):
        store(at, 2 * number + 1, load(positions, 2 * number))
    return 0


@jit
def _ages(
    pieces: int,
    number: int,
    columns: int,
    at: int,
    visible: int,
    order: int,
    start: int,
    end: int,
    again: bool,
) -> int:
    low, high = load(visible, 2 * number), load(visible, 2 * number + 1)
    begin_hint, end_hint = load(at, 2 * number), load(at, 2 * number + 1)
    if low < high:
        piece = piece_at(pieces, number, columns)
        if end > 0:
            # Ages of at least ``end``: orders of at most ``order - end``.
            low = first_before(piece, low, high, begin_hint if again else low, _minus(order, end), INT_MAX)
        if start != INT_MAX:
            high = first_before(piece, low, high, end_hint if again else low, _minus(order, start), INT_MIN)
    store(at, 2 * number, low)
    store(at, 2 * number + 1, high)
    return 0
