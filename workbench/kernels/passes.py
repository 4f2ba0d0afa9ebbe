"""Passes: the folds of a program over the windows of one anchor, and again exactly where bits were lost."""

from __future__ import annotations

from workbench.kernels.exact import super_add, super_add_product, super_clear
from workbench.kernels.folds import clear, copy, fold, merge, scan
from workbench.kernels.layout import (
    C_KIND,
    C_VALIDITY,
    C_VALUES,
    F_COLUMN,
    F_COMPARES,
    F_COMPARES_AT,
    F_LANE,
    F_NEEDS,
    F_STATE,
    F_WINDOWS,
    F_WINDOWS_AT,
    FOLD_WORDS,
    MISSING,
    N_COUNT,
    N_FLAGS,
    P_FOLDS,
    P_FOLDS_AT,
    R_REQUEST,
    R_ROWS,
    S_CHECKED,
    S_CONTEXT,
    S_INCLUDED,
    S_SLIDERS,
    S_STATE,
    S_STATES,
    S_WINDOWS,
    STATE_WORDS,
    X_ROW,
)
from workbench.kernels.memory import is_valid, jit, load, load_float, store
from workbench.kernels.rows import column_at, matches, piece_at
from workbench.kernels.slide import SLIDER_WORDS, SLIDES_FROM, slide


@jit
def run_folds(program: int, pieces: int, count: int, columns: int, scratch: int) -> int:
    for number in range(load(program, P_FOLDS)):
        _run(
            program,
            program + (load(program, P_FOLDS_AT) + number * FOLD_WORDS) * 8,
            pieces,
            count,
            columns,
            scratch,
        )
    return 0


@jit
def _run(program: int, entry: int, pieces: int, count: int, columns: int, scratch: int) -> int:
    lane, windows = load(entry, F_LANE), load(entry, F_WINDOWS)
    states = load(scratch, S_STATES) + load(entry, F_STATE) * STATE_WORDS * 8
    running = load(scratch, S_STATE)
    bounds, included = load(scratch, S_WINDOWS), load(scratch, S_INCLUDED)
    sliders, which = load(scratch, S_SLIDERS), load(entry, F_COLUMN)
    slides = sliders != 0 and which >= 0 and load(entry, F_COMPARES) == 0
    first = True
    for p in range(count):
        piece = piece_at(pieces, p, columns)
        if load(piece, R_REQUEST) != 0:
            continue
        slides = slides and load(load(scratch, S_CHECKED), p) == 0
        begin = at = load(bounds, 2 * (load(program, load(entry, F_WINDOWS_AT)) * count + p))
        clear(running, lane)
        for i in range(windows):
            window = load(program, load(entry, F_WINDOWS_AT) + i)
            end = load(bounds, 2 * (window * count + p) + 1)
            state = states + i * STATE_WORDS * 8
            if slides and end - begin >= SLIDES_FROM:
                # Only one piece of stored rows is there, so that this is the whole state.
                slider = sliders + (load(entry, F_STATE) + i) * SLIDER_WORDS * 8
                if slide(slider, state, column_at(piece, which), lane, begin, end, load(entry, F_NEEDS)):
                    continue
            if end > at:
                _add(program, entry, piece, p, count, scratch, running, at, end)
                at = end
            if first:
                copy(state, running)
            elif at > begin:
                merge(state, running, lane, load(running, N_FLAGS), load(entry, F_NEEDS))
        first = False
    if first:
        for i in range(windows):
            clear(states + i * STATE_WORDS * 8, lane)
    for p in range(count):
        piece = piece_at(pieces, p, columns)
        if load(piece, R_REQUEST) != 0:
            row = load(load(scratch, S_CONTEXT), X_ROW)
            for i in range(windows):
                if load(included, load(program, load(entry, F_WINDOWS_AT) + i)) != 0:
                    state = states + i * STATE_WORDS * 8
                    _add(program, entry, piece, p, count, scratch, state, row, row + 1)
    return 0


@jit
def _add(
    program: int,
    entry: int,
    piece: int,
    number: int,
    count: int,
    scratch: int,
    state: int,
    begin: int,
    end: int,
) -> int:
    """Add the rows [begin, end) of a piece that satisfy the fold's compares."""
    compares, needs, lane = load(entry, F_COMPARES), load(entry, F_NEEDS), load(entry, F_LANE)
    which = load(entry, F_COLUMN)
    if compares == 0 and load(load(scratch, S_CHECKED), number) == 0:
        if which < 0:
            store(state, N_COUNT, load(state, N_COUNT) + end - begin)
            return 0
        column = column_at(piece, which)
        return fold(state, column, lane, load(piece, R_ROWS), begin, end, needs)
    first = load(entry, F_COMPARES_AT)
    for row in range(begin, end):
        if matches(program, piece, number, count, scratch, compares, first, row):
            if which < 0:
                store(state, N_COUNT, load(state, N_COUNT) + 1)
            else:
                scan(state, column_at(piece, which), lane, row, row + 1, needs)
    return 0


# -- what lost bits, again


@jit
def fold_exactly(
    program: int,
    entry: int,
    window: int,
    pieces: int,
    count: int,
    columns: int,
    scratch: int,
    sums: int,
    squares: int,
) -> int:
    """Add a window's rows of lane f to a superaccumulator of their sum and, unless it is 0, one of their squares."""
    super_clear(sums)
    if squares != 0:
        super_clear(squares)
    bounds, included = load(scratch, S_WINDOWS), load(scratch, S_INCLUDED)
    compares, first = load(entry, F_COMPARES), load(entry, F_COMPARES_AT)
    for p in range(count):
        piece = piece_at(pieces, p, columns)
        column = column_at(piece, load(entry, F_COLUMN))
        values, kind, validity = load(column, C_VALUES), load(column, C_KIND), load(column, C_VALIDITY)
        at = 2 * (window * count + p)
        begin, end = load(bounds, at), load(bounds, at + 1)
        if load(piece, R_REQUEST) != 0:
            begin = load(load(scratch, S_CONTEXT), X_ROW)
            end = begin + load(included, window)
        if kind == MISSING:
            continue
        for row in range(begin, end):
            if is_valid(validity, row) and matches(program, piece, p, count, scratch, compares, first, row):
                x = load_float(values, kind, row)
                super_add(sums, x)
                if squares != 0:
                    super_add_product(squares, x, x)
    return 0
