"""Aggregates of all values of a window at once: extremes of strings, bits, quantiles; words and hashes of values."""

from __future__ import annotations

from workbench.kernels.folds import clear, fold
from workbench.kernels.layout import (
    A_COLUMN,
    A_COMPARES,
    A_COMPARES_AT,
    A_LANE,
    A_OP,
    A_WINDOW,
    BIT_AND,
    BIT_OR,
    C_KIND,
    C_ORDERED,
    C_VALIDITY,
    C_VALUES,
    MIN,
    N_MAX,
    N_MIN,
    NEED_EXTREMES,
    R_ROWS,
    S_CHECKED,
    S_STATE,
    S_WINDOWS,
)
from workbench.kernels.memory import (
    bits_of,
    buffer,
    float_of,
    jit,
    load,
    load_float,
    load_int,
    load_u8,
    logical_shift,
    not_null,
    store,
)
from workbench.kernels.picks import ROW_MASK, SHIFT, request_row
from workbench.kernels.rows import column_at, matches, order_of_codes, piece_at


@jit
def rows_of(scratch: int, call: int, count: int, step: int, own: int) -> tuple[int, int, int]:
    """The piece and rows of one step through a window: its pieces, then the request row."""
    if step < count:
        at = load(scratch, S_WINDOWS) + 16 * (count * load(call, A_WINDOW) + step)
        return step, load(at, 0), load(at, 1)
    if own < 0:
        return 0, 0, 0
    return own >> SHIFT, own & ROW_MASK, (own & ROW_MASK) + 1


@jit
def column_word(column: int, lane: int, row: int) -> int:
    """A value as a word that is equal for equal values and sorts as they do; codes as they are."""
    values, kind = load(column, C_VALUES), load(column, C_KIND)
    if lane != 2:
        return load_int(values, kind, row)
    x = load_float(values, kind, row) + 0.0
    if x != x:
        return 0x7FF8000000000000
    bits = bits_of(x)
    return bits if bits >= 0 else bits ^ 0x7FFFFFFFFFFFFFFF


@jit
def word_float(word: int) -> float:
    """The float of a word."""
    return float_of(word if word >= 0 else word ^ 0x7FFFFFFFFFFFFFFF)


@jit
def has_value(column: int, row: int) -> bool:
    return not_null(load(column, C_VALUES), load(column, C_KIND), load(column, C_VALIDITY), row)


@jit
def extreme_string(program: int, call: int, pieces: int, count: int, columns: int, scratch: int) -> int:
    """The location of the smallest or greatest dictionary entry, -1 when there is none."""
    compares, first = load(call, A_COMPARES), load(call, A_COMPARES_AT)
    smallest = load(call, A_OP) == MIN
    own = request_row(program, call, pieces, count, columns, scratch)
    best, best_column, best_piece = -1, 0, 0
    for step in range(count + 1):
        p, begin, end = rows_of(scratch, call, count, step, own)
        if begin >= end:
            continue
        piece = piece_at(pieces, p, columns)
        column = column_at(piece, load(call, A_COLUMN))
        plain = compares == 0 and load(load(scratch, S_CHECKED), p) == 0
        if plain and load(column, C_ORDERED) != 0:
            state = load(scratch, S_STATE)
            clear(state, 3)
            fold(state, column, 3, load(piece, R_ROWS), begin, end, NEED_EXTREMES)
            if load(state, 0) == 0:
                continue
            code = load(state, N_MIN if smallest else N_MAX)
            order = -1
            if best >= 0:
                order = order_of_codes(column, code, best_column, best)
            if best < 0 or (order < 0 if smallest else order > 0):
                best, best_column, best_piece = code, column, p
            continue
        for row in range(begin, end):
            if has_value(column, row) and matches(program, piece, p, count, scratch, compares, first, row):
                code = load_int(load(column, C_VALUES), load(column, C_KIND), row)
                order = 0
                if best >= 0:
                    order = order_of_codes(column, code, best_column, best)
                if best < 0 or (order < 0 if smallest else order > 0):
                    best, best_column, best_piece = code, column, p
    return -1 if best < 0 else (best_piece << SHIFT) | best


@jit
def bits(program: int, call: int, pieces: int, count: int, columns: int, scratch: int) -> tuple[bool, int]:
    """bit_and, bit_or or bit_xor: whether there is a value, and it."""
    compares, first = load(call, A_COMPARES), load(call, A_COMPARES_AT)
    op = load(call, A_OP)
    own = request_row(program, call, pieces, count, columns, scratch)
    found, value = False, -1 if op == BIT_AND else 0
    for step in range(count + 1):
        p, begin, end = rows_of(scratch, call, count, step, own)
        piece = piece_at(pieces, p, columns)
        column = column_at(piece, load(call, A_COLUMN))
        for row in range(begin, end):
            if has_value(column, row) and matches(program, piece, p, count, scratch, compares, first, row):
                x = load_int(load(column, C_VALUES), load(column, C_KIND), row)
                value = value & x if op == BIT_AND else (value | x if op == BIT_OR else value ^ x)
                found = True
    return found, value


@jit
def mixed(x: int) -> int:
    x = (x ^ logical_shift(x, 30)) * -0x40A7B892E31B1A47
    x = (x ^ logical_shift(x, 27)) * -0x6B2FB644ECCEEE15
    return x ^ logical_shift(x, 31)


@jit
def hash_bytes(data: int, size: int) -> int:
    """A hash of a byte string."""
    found = size
    at = 0
    while at + 8 <= size:
        found = mixed(found ^ load(data + at, 0))
        at += 8
    rest = 0
    while at < size:
        rest = (rest << 8) | load_u8(data, at)
        at += 1
    return mixed(found ^ rest)


@jit
def hash_word(word: int, before: int) -> int:
    """A hash of an integer, chained to one before."""
    return mixed(before ^ word)


# -- quantiles


@jit
def gather(program: int, call: int, pieces: int, count: int, columns: int, scratch: int) -> int:
    """Put the words of a window's values into the buffer; return how many."""
    lane, which = load(call, A_LANE), load(call, A_COLUMN)
    compares, first = load(call, A_COMPARES), load(call, A_COMPARES_AT)
    own = request_row(program, call, pieces, count, columns, scratch)
    rows = 1
    for step in range(count):
        _, begin, end = rows_of(scratch, call, count, step, own)
        rows += end - begin
    words = buffer(scratch, rows)
    n = 0
    for step in range(count + 1):
        p, begin, end = rows_of(scratch, call, count, step, own)
        piece = piece_at(pieces, p, columns)
        column = column_at(piece, which)
        for row in range(begin, end):
            if has_value(column, row) and matches(program, piece, p, count, scratch, compares, first, row):
                store(words, n, column_word(column, lane, row))
                n += 1
    return n


@jit
def select(words: int, n: int, k: int) -> int:
    """The k-th smallest of n words (from 0); all before it are then not greater, all behind it not smaller."""
    low, high = 0, n - 1
    while low < high:
        # The median of three as pivot, then Hoare's partition.
        a, b, c = load(words, low), load(words, (low + high) >> 1), load(words, high)
        pivot = max(min(a, b), min(max(a, b), c))
        i, j = low, high
        while i <= j:
            while load(words, i) < pivot:
                i += 1
            while load(words, j) > pivot:
                j -= 1
            if i <= j:
                x = load(words, i)
                store(words, i, load(words, j))
                store(words, j, x)
                i += 1
                j -= 1
        if k <= j:
            high = j
        elif k >= i:
            low = i
        else:
            break
    return load(words, k)


@jit
def smallest(words: int, begin: int, end: int) -> int:
    found = load(words, begin)
    for i in range(begin + 1, end):
        found = min(found, load(words, i))
    return found
