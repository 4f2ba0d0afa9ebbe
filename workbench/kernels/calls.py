"""Calls: from the folds, picks and gathered values of a window to results, each a word and whether it is valid."""

from __future__ import annotations

import math

from workbench.kernels.distinct import distinct
from workbench.kernels.exact import MASK32, rounded3, super_deviations, super_parts, super_round
from workbench.kernels.layout import (
    A_COLUMN,
    A_FOLD,
    A_LANE,
    A_N,
    A_OP,
    A_Q,
    A_STATE,
    A_WINDOW,
    ARG_MAX,
    ARG_MIN,
    AVG,
    BIT_AND,
    BIT_OR,
    BIT_XOR,
    BOOL_AND,
    C_KIND,
    C_VALIDITY,
    C_VALUES,
    CALL_WORDS,
    COUNT,
    COUNT_STAR,
    DISTINCT,
    EXTREME,
    FOLD_WORDS,
    HAS_INFINITY,
    HAS_NAN,
    HAS_NUMBER,
    LOST_SQUARES,
    LOST_SUM,
    MAX,
    MEDIAN,
    MIN,
    N_COUNT,
    N_FLAGS,
    N_MAX,
    N_MIN,
    N_SQUARES,
    N_SUM,
    NOT_FINITE,
    OUT_OF_RANGE,
    OVERFLOW,
    P_CALLS,
    P_CALLS_AT,
    P_FOLDS_AT,
    QUANTILE_CONT,
    QUANTILE_DISC,
    ROW,
    S_STATES,
    S_SUPER,
    STATE_WORDS,
    STDDEV_POP,
    STDDEV_SAMP,
    SUM,
    SUPER_WORDS,
    VAR_POP,
    VAR_SAMP,
)
from workbench.kernels.memory import (
    bits_of,
    float_of,
    jit,
    load,
    load_f64,
    load_float,
    load_int,
    not_null,
    store,
    store_f64,
    store_u8,
)
from workbench.kernels.passes import fold_exactly
from workbench.kernels.picks import ROW_MASK, SHIFT, pick, pick_extreme
from workbench.kernels.rows import column_at, piece_at
from workbench.kernels.values import bits, extreme_string, gather, select, smallest, word_float

#: How many floats of an exact sum are squared.
PARTS = 8


@jit
def finish(
    program: int,
    pieces: int,
    count: int,
    columns: int,
    scratch: int,
    values: int,
    values_stride: int,
    valid: int,
    valid_stride: int,
) -> int:
    """Write the results of all calls; return the status."""
    status = 0
    for number in range(load(program, P_CALLS)):
        call = program + (load(program, P_CALLS_AT) + number * CALL_WORDS) * 8
        op = load(call, A_OP)
        found, word = False, 0
        if load(call, A_STATE) >= 0:
            found, word, problem = _folded(program, call, op, pieces, count, columns, scratch)
            status |= problem
        elif op == DISTINCT:
            found, word = True, distinct(program, call, pieces, count, columns, scratch)
        elif op == MEDIAN or op == QUANTILE_CONT or op == QUANTILE_DISC:
            found, word = _quantile(program, call, op, pieces, count, columns, scratch)
        elif op == BIT_AND or op == BIT_OR or op == BIT_XOR:
            found, word = bits(program, call, pieces, count, columns, scratch)
        elif op == MIN or op == MAX:
            word = extreme_string(program, call, pieces, count, columns, scratch)
            found = word >= 0
        else:
            found, word = _picked(program, call, op, pieces, count, columns, scratch)
        store(values, number * values_stride, word)
        store_u8(valid, number * valid_stride, 1 if found else 0)
    return status


@jit
def _picked(
    program: int, call: int, op: int, pieces: int, count: int, columns: int, scratch: int
) -> tuple[bool, int]:
    if op == ARG_MIN or op == ARG_MAX:
        at = pick_extreme(program, call, pieces, count, columns, scratch)
    else:
        at = pick(program, call, pieces, count, columns, scratch)
    if at < 0 or op == ROW:
        return at >= 0, at
    column = column_at(piece_at(pieces, at >> SHIFT, columns), load(call, A_COLUMN))
    row = at & ROW_MASK
    values, kind, lane = load(column, C_VALUES), load(column, C_KIND), load(call, A_LANE)
    if not not_null(values, kind, load(column, C_VALIDITY), row):
        return False, at
    if lane == 2:
        return True, bits_of(load_float(values, kind, row))
    if lane == 4:
        return True, at
    value = load_int(values, kind, row)
    return True, value if lane == 1 else (at - row) | value


@jit
def _quantile(
    program: int, call: int, op: int, pieces: int, count: int, columns: int, scratch: int
) -> tuple[bool, int]:
    """As DuckDB: continuous ones are between two values, discrete ones the value at ceil(n * q) - 1."""
    n = gather(program, call, pieces, count, columns, scratch)
    if n == 0:
        return False, 0
    words, lane = load(scratch, 0), load(call, A_LANE)
    q = float_of(load(call, A_Q))
    if op == QUANTILE_DISC:
        word = select(words, n, max(1, n - math.floor(n - n * q)) - 1)
        return True, word if lane == 1 else bits_of(word_float(word))
    position = (n - 1) * q
    low = math.floor(position)
    between = position - low
    word = select(words, n, low)
    x = float(word) if lane == 1 else word_float(word)
    if between != 0.0:
        word = smallest(words, low + 1, n)
        y = float(word) if lane == 1 else word_float(word)
        x = x * (1.0 - between) + y * between
    return True, bits_of(x)


@jit
def _folded(
    program: int, call: int, op: int, pieces: int, count: int, columns: int, scratch: int
) -> tuple[bool, int, int]:
    state = load(scratch, S_STATES) + load(call, A_STATE) * STATE_WORDS * 8
    n = load(state, N_COUNT)
    if op == COUNT or op == COUNT_STAR:
        return True, n, 0
    if n == 0:
        return False, 0, 0
    floats = load(call, A_LANE) == 2
    if op == MIN or op == MAX or op >= BOOL_AND:
        # bool_and is the smallest of 0 and 1, bool_or the greatest.
        if floats:
            return True, bits_of(_extreme(state, op == MIN)), 0
        return True, load(state, N_MIN if op == MIN or op == BOOL_AND else N_MAX), 0
    if floats and load(state, N_FLAGS) & (HAS_NAN | HAS_INFINITY) != 0:
        return False, 0, NOT_FINITE
    if op == SUM or op == AVG:
        if not floats:
            return _integer_sum(call, op, state, n)
        total = _float_sum(program, call, state, pieces, count, columns, scratch)
        if total - total != 0.0:
            return False, 0, NOT_FINITE
        return True, bits_of(total if op == SUM else total / n), 0
    if n == 1 and (op == VAR_SAMP or op == STDDEV_SAMP):
        return False, 0, 0
    if floats and load(state, N_FLAGS) & EXTREME != 0:
        return False, 0, OUT_OF_RANGE
    deviations = _deviations(program, call, floats, state, pieces, count, columns, scratch)
    variance = deviations / (float(n) * float(n if op == VAR_POP or op == STDDEV_POP else n - 1))
    if op == STDDEV_POP or op == STDDEV_SAMP:
        variance = math.sqrt(variance)
    return True, bits_of(variance), 0


@jit
def _extreme(state: int, smallest_wanted: bool) -> float:
    """The smallest or greatest float: NaN is greater than all others; 0.0 and -0.0 are 0.0."""
    flags = load(state, N_FLAGS)
    if (flags & HAS_NUMBER == 0) if smallest_wanted else (flags & HAS_NAN != 0):
        return math.nan
    return load_f64(state, N_MIN if smallest_wanted else N_MAX) + 0.0


@jit
def _integer_sum(call: int, op: int, state: int, n: int) -> tuple[bool, int, int]:
    low, high = load(state, N_SUM), load(state, N_SUM + 1)
    high += low >> 32
    low &= MASK32
    fits = -0x80000000 <= high < 0x80000000
    if op == SUM:
        return fits, (high << 32) | low, 0 if fits else OVERFLOW
    total = float((high << 32) | low) if fits else float(high) * 4294967296.0 + float(low)
    scale = 1.0
    for _ in range(load(call, A_N)):
        scale *= 10.0
    return True, bits_of(total / (n * scale)), 0


@jit
def _fold_of(program: int, call: int) -> int:
    return program + (load(program, P_FOLDS_AT) + load(call, A_FOLD) * FOLD_WORDS) * 8


@jit
def _float_sum(
    program: int, call: int, state: int, pieces: int, count: int, columns: int, scratch: int
) -> float:
    if load(state, N_FLAGS) & LOST_SUM == 0:
        return rounded3(load_f64(state, N_SUM), load_f64(state, N_SUM + 1), load_f64(state, N_SUM + 2))
    sums = load(scratch, S_SUPER)
    window = load(call, A_WINDOW)
    fold_exactly(program, _fold_of(program, call), window, pieces, count, columns, scratch, sums, 0)
    return super_round(sums)


@jit
def _deviations(
    program: int, call: int, floats: bool, state: int, pieces: int, count: int, columns: int, scratch: int
) -> float:
    """n * sum of squares - square of the sum, exact before it is rounded."""
    work = load(scratch, S_SUPER)
    sums, squares = work + 2 * SUPER_WORDS * 8, work + 3 * SUPER_WORDS * 8
    n = load(state, N_COUNT)
    if not floats:
        low, high = load(state, N_SUM), load(state, N_SUM + 1)
        high += low >> 32
        store_f64(sums, 0, float(low & MASK32))
        _two_digits(sums, 1, high, 4294967296.0)
        weight = 1.0
        for i in range(4):
            _two_digits(squares, 2 * i, load(state, N_SQUARES + i), weight)
            weight *= 4294967296.0
        return super_deviations(work, n, sums, 3, squares, 8)
    if load(state, N_FLAGS) & (LOST_SUM | LOST_SQUARES) == 0:
        return super_deviations(work, n, state + N_SUM * 8, 3, state + N_SQUARES * 8, 4)
    exact_squares = work + SUPER_WORDS * 8
    window = load(call, A_WINDOW)
    fold_exactly(
        program, _fold_of(program, call), window, pieces, count, columns, scratch, work, exact_squares
    )
    sum_parts = super_parts(work, sums, PARTS)
    square_parts = super_parts(exact_squares, squares, 2 * PARTS)
    return super_deviations(work, n, sums, sum_parts, squares, square_parts)


@jit
def _two_digits(out: int, at: int, word: int, weight: float) -> int:
    store_f64(out, at, float(word & MASK32) * weight)
    store_f64(out, at + 1, float(word >> 32) * (weight * 4294967296.0))
    return 0
