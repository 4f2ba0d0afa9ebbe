"""Compiled builders of what stands beside a column: its tree of partials, its links to newer rows of the same value."""

from __future__ import annotations

from workbench.kernels.folds import clear, merge, node_of, scan
from workbench.kernels.layout import (
    BLOCK_BITS,
    C_KIND,
    C_LANE,
    C_VALIDITY,
    C_VALUES,
    FLAGS_SHIFT,
    N_COUNT,
    N_FLAGS,
    NEED_EXTREMES,
    NEED_SQUARES,
    NEED_SUM,
    NODE_WORDS,
)
from workbench.kernels.memory import jit, load, load_i32, not_null, store, store_i32
from workbench.kernels.values import column_word, mixed


@jit
def fill_tree(column: int, rows: int, tree: int, state: int) -> int:
    """Fill the nodes of a column's tree: full blocks of 64, 4,096 and 262,144 rows."""
    lane = load(column, C_LANE)
    needs = NEED_SUM | NEED_EXTREMES | NEED_SQUARES
    for level in range(3):
        for number in range(rows >> (BLOCK_BITS * (level + 1))):
            first = number << (BLOCK_BITS * (level + 1))
            clear(state, lane)
            if level == 0:
                scan(state, column, lane, first, first + (1 << BLOCK_BITS), needs)
            else:
                below = tree + NODE_WORDS * 8 * node_of(rows, level - 1, first)
                for i in range(1 << BLOCK_BITS):
                    node = below + NODE_WORDS * 8 * i
                    merge(state, node, lane, load(node, N_COUNT) >> FLAGS_SHIFT, needs)
            node = tree + NODE_WORDS * 8 * node_of(rows, level, first)
            for i in range(1, NODE_WORDS):
                store(node, i, load(state, i))
            store(node, N_COUNT, load(state, N_COUNT) | (load(state, N_FLAGS) << FLAGS_SHIFT))
    return 0


@jit
def fill_newer(
    column: int, rows: int, starts: int, keys: int, newer: int, counts: int, table: int, slots: int
) -> int:
    """Fill the distances to the next newer row of the same key and value, and how many have none before each block.

    ``table``: 2 * slots words of zeros, where slots is a power of two, twice the rows of the longest key or more. Rows
    outside of all keys have no distance.
    """
    lane = load(column, C_LANE)
    values, kind, validity = load(column, C_VALUES), load(column, C_KIND), load(column, C_VALIDITY)
    for key in range(keys):
        begin, end = load(starts, key), load(starts, key + 1)
        if end - begin <= 16:
            for row in range(begin, end):
                distance = -1
                if not_null(values, kind, validity, row):
                    distance = 0
                    word = column_word(column, lane, row)
                    other = row - 1
                    while other >= begin:
                        if load_i32(newer, other) >= 0 and column_word(column, lane, other) == word:
                            distance = row - other
                            break
                        other -= 1
                store_i32(newer, row, distance)
            continue
        size = 64
        while size < 2 * (end - begin) and size < slots:
            size *= 2
        for row in range(begin, end):
            distance = -1
            if not_null(values, kind, validity, row):
                word = column_word(column, lane, row)
                place = mixed(word) & (size - 1)
                # A slot is the last row of a value, + 1, and the value; rows of keys before are as good as empty.
                while load(table, 2 * place) > begin and load(table, 2 * place + 1) != word:
                    place = (place + 1) & (size - 1)
                distance = row + 1 - load(table, 2 * place) if load(table, 2 * place) > begin else 0
                store(table, 2 * place, row + 1)
                store(table, 2 * place + 1, word)
            store_i32(newer, row, distance)
    found = 0
    for row in range(rows):
        if row & ((1 << BLOCK_BITS) - 1) == 0:
            store_i32(counts, row >> BLOCK_BITS, found)
        found += load_i32(newer, row) == 0
    if rows & ((1 << BLOCK_BITS) - 1) == 0:
        store_i32(counts, rows >> BLOCK_BITS, found)
    return 0
