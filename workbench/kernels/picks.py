"""Picks: which row of a window a call means, as a location; -1 where there is none."""

from __future__ import annotations

from workbench.kernels.frames import advance
from workbench.kernels.layout import (
    A_COLUMN,
    A_COMPARES,
    A_COMPARES_AT,
    A_N,
    A_OP,
    A_SECOND,
    A_SECOND_LANE,
    A_WINDOW,
    ANY_VALUE,
    ARG_MIN,
    C_KIND,
    C_VALIDITY,
    C_VALUES,
    FIRST,
    NTH,
    NTH_NEWEST,
    R_REQUEST,
    S_CHECKED,
    S_CONTEXT,
    S_INCLUDED,
    S_POSITIONS,
    S_WINDOWS,
    X_ROW,
)
from workbench.kernels.memory import jit, load, not_null, store
from workbench.kernels.rows import column_at, matches, newer_row, order_of_values, piece_at

SHIFT = 40
ROW_MASK = (1 << 40) - 1


@jit
def _is_null(column: int, row: int) -> bool:
    return not not_null(load(column, C_VALUES), load(column, C_KIND), load(column, C_VALIDITY), row)


@jit
def request_piece(pieces: int, count: int, columns: int) -> int:
    """The number of the request piece, -1 when there is none."""
    for p in range(count):
        if load(piece_at(pieces, p, columns), R_REQUEST) != 0:
            return p
    return -1


@jit
def _next(program: int, call: int, piece: int, p: int, count: int, scratch: int, begin: int, end: int) -> int:
    """The first row of [begin, end) that satisfies the compares, else end."""
    compares, first = load(call, A_COMPARES), load(call, A_COMPARES_AT)
    row = begin
    while row < end and not matches(program, piece, p, count, scratch, compares, first, row):
        row += 1
    return row


@jit
def _newest(program: int, call: int, pieces: int, count: int, columns: int, scratch: int, skip: int) -> int:
    """The newest matching stored row of the window, beyond ``skip`` of them."""
    bounds, positions = load(scratch, S_WINDOWS), load(scratch, S_POSITIONS)
    at = bounds + 16 * count * load(call, A_WINDOW)
    for p in range(count):
        store(positions, 2 * p, load(at, 2 * p))
    if load(call, A_COMPARES) == 0 and skip > 0:
        if advance(pieces, count, columns, scratch, positions, at + 8, skip) < skip:
            return -1
        skip = 0
    while True:
        best = -1
        for p in range(count):
            piece = piece_at(pieces, p, columns)
            end = load(at, 2 * p + 1)
            row = _next(program, call, piece, p, count, scratch, load(positions, 2 * p), end)
            store(positions, 2 * p, row)
            if row < end and (
                best < 0 or newer_row(piece, row, piece_at(pieces, best, columns), load(positions, 2 * best))
            ):
                best = p
        if best < 0:
            return -1
        row = load(positions, 2 * best)
        if skip == 0:
            return (best << SHIFT) | row
        skip -= 1
        store(positions, 2 * best, row + 1)


@jit
def _oldest(program: int, call: int, pieces: int, count: int, columns: int, scratch: int, valid: bool) -> int:
    """The oldest matching stored row of the window, whose value is not NULL where ``valid``."""
    at = load(scratch, S_WINDOWS) + 16 * count * load(call, A_WINDOW)
    compares, first = load(call, A_COMPARES), load(call, A_COMPARES_AT)
    found = -1
    for p in range(count):
        piece = piece_at(pieces, p, columns)
        column = column_at(piece, max(load(call, A_COLUMN), 0))
        begin, row = load(at, 2 * p), load(at, 2 * p + 1) - 1
        while row >= begin and (
            (valid and _is_null(column, row))
            or not matches(program, piece, p, count, scratch, compares, first, row)
        ):
            row -= 1
        if row >= begin and (
            found < 0 or newer_row(piece_at(pieces, found >> SHIFT, columns), found & ROW_MASK, piece, row)
        ):
            found = (p << SHIFT) | row
    return found


@jit
def count_rows(program: int, call: int, pieces: int, count: int, columns: int, scratch: int) -> int:
    """How many stored rows of the window satisfy the compares."""
    at = load(scratch, S_WINDOWS) + 16 * count * load(call, A_WINDOW)
    compares, first = load(call, A_COMPARES), load(call, A_COMPARES_AT)
    found = 0
    for p in range(count):
        begin, end = load(at, 2 * p), load(at, 2 * p + 1)
        if compares == 0 and load(load(scratch, S_CHECKED), p) == 0:
            found += end - begin
            continue
        piece = piece_at(pieces, p, columns)
        for row in range(begin, end):
            found += matches(program, piece, p, count, scratch, compares, first, row)
    return found


@jit
def request_row(program: int, call: int, pieces: int, count: int, columns: int, scratch: int) -> int:
    """The location of the request row where it is in the window and satisfies the compares."""
    if load(load(scratch, S_INCLUDED), load(call, A_WINDOW)) == 0:
        return -1
    p = request_piece(pieces, count, columns)
    if p < 0:
        return -1
    row = load(load(scratch, S_CONTEXT), X_ROW)
    compares, first = load(call, A_COMPARES), load(call, A_COMPARES_AT)
    if not matches(program, piece_at(pieces, p, columns), p, count, scratch, compares, first, row):
        return -1
    return (p << SHIFT) | row


@jit
def pick(program: int, call: int, pieces: int, count: int, columns: int, scratch: int) -> int:
    """The row that a call means."""
    op = load(call, A_OP)
    own = request_row(program, call, pieces, count, columns, scratch)
    if op == FIRST or op == ANY_VALUE:
        found = _oldest(program, call, pieces, count, columns, scratch, op == ANY_VALUE)
        if found >= 0 or own < 0:
            return found
        if op == ANY_VALUE:
            piece = piece_at(pieces, own >> SHIFT, columns)
            if _is_null(column_at(piece, load(call, A_COLUMN)), own & ROW_MASK):
                return -1
        return own
    skip = 0
    if op == NTH_NEWEST:
        skip = load(call, A_N)
    elif op == NTH:
        skip = count_rows(program, call, pieces, count, columns, scratch) - load(call, A_N)
        if own >= 0:
            skip += 1
    if skip < 0:
        return -1
    if own >= 0:
        if skip == 0:
            return own
        skip -= 1
    return _newest(program, call, pieces, count, columns, scratch, skip)


@jit
def pick_extreme(program: int, call: int, pieces: int, count: int, columns: int, scratch: int) -> int:
    """The row of arg_min or arg_max: the oldest of equals, both values not NULL."""
    at = load(scratch, S_WINDOWS) + 16 * count * load(call, A_WINDOW)
    compares, first = load(call, A_COMPARES), load(call, A_COMPARES_AT)
    lane = load(call, A_SECOND_LANE)
    sign = 1 if load(call, A_OP) == ARG_MIN else -1
    best, best_row = -1, 0
    best_piece, best_column = 0, 0
    own = request_row(program, call, pieces, count, columns, scratch)
    for step in range(count + 1):
        p = step
        begin, end = 0, 0
        if step < count:
            begin, end = load(at, 2 * p), load(at, 2 * p + 1)
        elif own >= 0:
            p = own >> SHIFT
            begin = own & ROW_MASK
            end = begin + 1
        if begin >= end:
            continue
        piece = piece_at(pieces, p, columns)
        column, second = column_at(piece, load(call, A_COLUMN)), column_at(piece, load(call, A_SECOND))
        for row in range(begin, end):
            if _is_null(column, row) or _is_null(second, row):
                continue
            if best >= 0:
                order = sign * order_of_values(lane, second, row, best_column, best_row)
                if order > 0:
                    continue
                if order == 0 and (step == count or newer_row(piece, row, best_piece, best_row)):
                    continue
            if matches(program, piece, p, count, scratch, compares, first, row):
                best, best_row, best_piece, best_column = p, row, piece, second
    return -1 if best < 0 else (best << SHIFT) | best_row
