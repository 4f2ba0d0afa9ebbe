"""Folds: count, sum, extremes and squares of a column over ranges of rows, by scan and by tree.

A state is STATE_WORDS words, the first NODE_WORDS of which are a node of a tree; merging is exact, so states of blocks,
pieces and rows merge in any order. Nested windows share one pass: the state is kept where each of them ends.
"""

from __future__ import annotations

from workbench.kernels.exact import MASK32, two_product, two_sum
from workbench.kernels.layout import (
    BLOCK_BITS,
    C_KIND,
    C_TREE,
    C_VALIDITY,
    C_VALUES,
    EXTREME,
    FLAGS_SHIFT,
    HAS_INFINITY,
    HAS_NAN,
    HAS_NUMBER,
    LOST_SQUARES,
    LOST_SUM,
    MISSING,
    N_COUNT,
    N_FLAGS,
    N_MAX,
    N_MIN,
    N_SQUARES,
    N_SUM,
    NEED_SQUARES,
    NEED_SUM,
    NODE_WORDS,
    STATE_WORDS,
)
from workbench.kernels.memory import (
    is_valid,
    jit,
    load,
    load_f64,
    load_float,
    load_int,
    logical_shift,
    store,
    store_f64,
)

BLOCK = 1 << BLOCK_BITS
_HIGHEST = 0x7FFFFFFFFFFFFFFF
_LOWEST = -0x8000000000000000
_INFINITY = float("inf")
#: Floats whose squares, and the squares' errors, floats hold.
_TINY, _HUGE = 2.0**-300, 2.0**300


@jit
def clear(state: int, lane: int) -> int:
    for i in range(STATE_WORDS):
        store(state, i, 0)
    if lane == 2:
        store_f64(state, N_MIN, _INFINITY)
        store_f64(state, N_MAX, -_INFINITY)
    else:
        store(state, N_MIN, _HIGHEST)
        store(state, N_MAX, _LOWEST)
    return 0


@jit
def copy(state: int, source: int) -> int:
    for i in range(STATE_WORDS):
        store(state, i, load(source, i))
    return 0


@jit
def _cascade(state: int, at: int, parts: int, x: float) -> bool:
    """Add a float to a cascade; return whether something fell off its end."""
    for i in range(at, at + parts):
        if x == 0.0:
            return False
        s, x = two_sum(load_f64(state, i), x)
        store_f64(state, i, s)
    return x != 0.0


@jit
def merge(state: int, node: int, lane: int, flags: int, needs: int) -> int:
    """Add a node, or a state, whose flags are given: what is needed of it."""
    store(state, N_COUNT, load(state, N_COUNT) + (load(node, N_COUNT) & ((1 << FLAGS_SHIFT) - 1)))
    if lane == 2:
        return _merge_floats(state, node, flags | load(state, N_FLAGS), needs)
    for i in range(N_SUM, N_SUM + 2):
        store(state, i, load(state, i) + load(node, i))
    store(state, N_MIN, min(load(state, N_MIN), load(node, N_MIN)))
    store(state, N_MAX, max(load(state, N_MAX), load(node, N_MAX)))
    if needs & NEED_SQUARES != 0:
        for i in range(N_SQUARES, N_SQUARES + 4):
            store(state, i, load(state, i) + load(node, i))
    return 0


@jit
def _merge_floats(state: int, node: int, flags: int, needs: int) -> int:
    if needs & (NEED_SUM | NEED_SQUARES) != 0:
        for i in range(N_SUM, N_SUM + 3):
            part = load_f64(node, i)
            if part != 0.0 and _cascade(state, N_SUM, 3, part):
                flags |= LOST_SUM
    if needs & NEED_SQUARES != 0:
        for i in range(N_SQUARES, N_SQUARES + 4):
            part = load_f64(node, i)
            if part != 0.0 and _cascade(state, N_SQUARES, 4, part):
                flags |= LOST_SQUARES
    store(state, N_FLAGS, flags)
    store_f64(state, N_MIN, min(load_f64(state, N_MIN), load_f64(node, N_MIN)))
    store_f64(state, N_MAX, max(load_f64(state, N_MAX), load_f64(node, N_MAX)))
    return 0


# -- scans


@jit
def scan_floats(state: int, values: int, kind: int, validity: int, begin: int, end: int, needs: int) -> int:
    """Add the rows [begin, end) of lane f."""
    n, flags = load(state, N_COUNT), load(state, N_FLAGS)
    s1, s2, s3 = load_f64(state, N_SUM), load_f64(state, N_SUM + 1), load_f64(state, N_SUM + 2)
    q1, q2 = load_f64(state, N_SQUARES), load_f64(state, N_SQUARES + 1)
    q3, q4 = load_f64(state, N_SQUARES + 2), load_f64(state, N_SQUARES + 3)
    low, high = load_f64(state, N_MIN), load_f64(state, N_MAX)
    squares = needs & NEED_SQUARES != 0
    lost_sum, lost_squares = 0.0, 0.0
    for row in range(begin, end):
        if validity != 0 and not is_valid(validity, row):
            continue
        n += 1
        x = load_float(values, kind, row)
        if x - x != 0.0:
            flags |= HAS_NAN if x != x else HAS_INFINITY | HAS_NUMBER
            if x == x:
                low, high = min(low, x), max(high, x)
            continue
        low = x if x < low else low
        high = x if x > high else high
        s1, e = two_sum(s1, x)
        s2, e = two_sum(s2, e)
        s3, e = two_sum(s3, e)
        lost_sum += abs(e)
        if squares:
            size = abs(x)
            if size > _HUGE or (size < _TINY and x != 0.0):
                flags |= EXTREME
                continue
            p, r = two_product(x, x)
            q1, p = two_sum(q1, p)
            q2, p = two_sum(q2, p)
            q3, p = two_sum(q3, p)
            q4, p = two_sum(q4, p)
            q2, r = two_sum(q2, r)
            q3, r = two_sum(q3, r)
            q4, r = two_sum(q4, r)
            lost_squares += abs(p) + abs(r)
    if low <= high:
        flags |= HAS_NUMBER
    if lost_sum != 0.0:
        flags |= LOST_SUM
    if lost_squares != 0.0:
        flags |= LOST_SQUARES
    store(state, N_COUNT, n)
    store(state, N_FLAGS, flags)
    store_f64(state, N_SUM, s1)
    store_f64(state, N_SUM + 1, s2)
    store_f64(state, N_SUM + 2, s3)
    store_f64(state, N_SQUARES, q1)
    store_f64(state, N_SQUARES + 1, q2)
    store_f64(state, N_SQUARES + 2, q3)
    store_f64(state, N_SQUARES + 3, q4)
    store_f64(state, N_MIN, low)
    store_f64(state, N_MAX, high)
    return 0


@jit
def scan_ints(state: int, values: int, kind: int, validity: int, begin: int, end: int, needs: int) -> int:
    """Add the rows [begin, end) of lane i, or the codes of lane s."""
    n, s0, s1 = load(state, N_COUNT), load(state, N_SUM), load(state, N_SUM + 1)
    low, high = load(state, N_MIN), load(state, N_MAX)
    q0, q1 = load(state, N_SQUARES), load(state, N_SQUARES + 1)
    q2, q3 = load(state, N_SQUARES + 2), load(state, N_SQUARES + 3)
    squares = needs & NEED_SQUARES != 0
    for row in range(begin, end):
        if validity != 0 and not is_valid(validity, row):
            continue
        n += 1
        x = load_int(values, kind, row)
        low = min(low, x)
        high = max(high, x)
        s0 += x & MASK32
        s1 += x >> 32
        if squares:
            a, b = x & MASK32, x >> 32
            aa, ab, bb = a * a, a * b, b * b
            q0 += aa & MASK32
            q1 += logical_shift(aa, 32) + 2 * (ab & MASK32)
            q2 += 2 * (ab >> 32) + (bb & MASK32)
            q3 += bb >> 32
    store(state, N_COUNT, n)
    store(state, N_SUM, s0)
    store(state, N_SUM + 1, s1)
    store(state, N_MIN, low)
    store(state, N_MAX, high)
    store(state, N_SQUARES, q0)
    store(state, N_SQUARES + 1, q1)
    store(state, N_SQUARES + 2, q2)
    store(state, N_SQUARES + 3, q3)
    return 0


@jit
def scan(state: int, column: int, lane: int, begin: int, end: int, needs: int) -> int:
    """Add the rows [begin, end) of a column."""
    values, kind, validity = load(column, C_VALUES), load(column, C_KIND), load(column, C_VALIDITY)
    if kind == MISSING:
        return 0
    if needs == 0:
        n = 0
        for row in range(begin, end):
            n += is_valid(validity, row)
        store(state, N_COUNT, load(state, N_COUNT) + n)
    elif lane == 2:
        scan_floats(state, values, kind, validity, begin, end, needs)
    else:
        scan_ints(state, values, kind, validity, begin, end, needs)
    return 0


@jit
def fold(state: int, column: int, lane: int, rows: int, begin: int, end: int, needs: int) -> int:
    """Add the rows [begin, end) of a column, by its tree where it has one."""
    tree = load(column, C_TREE)
    if tree == 0 or end - begin < 2 * BLOCK:
        return scan(state, column, lane, begin, end, needs)
    lost = LOST_SUM | (LOST_SQUARES if needs & NEED_SQUARES != 0 else 0)
    if needs & (NEED_SUM | NEED_SQUARES) == 0:
        lost = 0
    at = begin
    while at < end:
        level = -1
        while level < 2:
            size = 1 << (BLOCK_BITS * (level + 2))
            if at & (size - 1) != 0 or at + size > end:
                break
            level += 1
        # A node that lost bits is taken apart.
        node, flags = 0, 0
        while level >= 0:
            node = tree + NODE_WORDS * 8 * node_of(rows, level, at)
            flags = logical_shift(load(node, N_COUNT), FLAGS_SHIFT)
            if flags & lost == 0:
                break
            level -= 1
        if level >= 0:
            merge(state, node, lane, flags, needs)
            at += 1 << (BLOCK_BITS * (level + 1))
        else:
            stop = min((at | (BLOCK - 1)) + 1, end)
            scan(state, column, lane, at, stop, needs)
            at = stop
    return 0


@jit
def node_of(rows: int, level: int, row: int) -> int:
    """The number of the node of a level that begins at a row."""
    number = row >> (BLOCK_BITS * (level + 1))
    for below in range(level):
        number += rows >> (BLOCK_BITS * (below + 1))
    return number
