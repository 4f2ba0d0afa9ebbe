"""Where compiled code is entered: a batch of anchors, a single request, and what is built beside columns."""

from __future__ import annotations

from workbench.kernels.builders import fill_newer, fill_tree
from workbench.kernels.calls import finish
from workbench.kernels.frames import frame
from workbench.kernels.keytable import fill_slots, find_key
from workbench.kernels.layout import (
    B_ANCHORS,
    B_CONSTANTS,
    B_COUNT,
    B_CUT,
    B_MEMBERS,
    B_ORDER,
    B_PIECES,
    B_PROGRAM,
    B_RANGES,
    B_STATUS,
    B_VALID,
    B_VALUES,
    K_STARTS,
    M_SINCE,
    M_UPTO_ORD,
    M_UPTO_SEQ,
    MEMBER_WORDS,
    P_COLUMNS,
    P_COMPARES,
    P_CONSTANTS,
    P_MEMBERS,
    R_BEGIN,
    R_END,
    R_KEYS,
    R_REQUEST,
    R_VALID_ENDS,
    S_AGAIN,
    S_CONTEXT,
    S_RANGES,
    STAGE_WORDS,
    T_CONTEXT,
    T_COUNT,
    T_KEY,
    T_PIECES,
    T_PROGRAM,
    T_SCRATCH,
    T_STATUS,
    T_VALID,
    T_VALUES,
    X_CUT,
    X_MEMBERS,
    X_ORDER,
    X_ROW,
)
from workbench.kernels.memory import jit, load, load_u8, release, store, store_u8
from workbench.kernels.passes import run_folds
from workbench.kernels.rows import bind_constants, piece_at, see
from workbench.kernels.slide import begin_key, close_sliders, open_sliders

INT_MIN = -0x8000000000000000
INT_MAX = 0x7FFFFFFFFFFFFFFF


@jit
def evaluate(
    program: int,
    pieces: int,
    count: int,
    scratch: int,
    again: bool,
    values: int,
    values_stride: int,
    valid: int,
    valid_stride: int,
) -> int:
    """Compute all calls for the anchor in S_CONTEXT with the key ranges in S_RANGES; return the status."""
    columns = load(program, P_COLUMNS)
    store(scratch, S_AGAIN, 1 if again else 0)
    see(program, pieces, count, columns, scratch, again)
    frame(program, pieces, count, columns, scratch, again)
    if load(program, P_COMPARES) > 0:
        bind_constants(program, pieces, count, columns, scratch)
    run_folds(program, pieces, count, columns, scratch)
    return finish(program, pieces, count, columns, scratch, values, values_stride, valid, valid_stride)


@jit
def batch(block: int, first: int, last: int, scratch: int) -> int:
    """Evaluate the anchors [first, last) of a batch."""
    program, pieces, count = load(block, B_PROGRAM), load(block, B_PIECES), load(block, B_COUNT)
    anchors = load(block, B_ANCHORS)
    open_sliders(block, scratch)
    context, ranges = load(scratch, S_CONTEXT), load(scratch, S_RANGES)
    values, valid, status = load(block, B_VALUES), load(block, B_VALID), load(block, B_STATUS)
    for anchor in range(first, last):
        again = _read_anchor(block, program, anchor, context)
        again = (
            _read_ranges(block, pieces, count, load(program, P_COLUMNS), anchor, ranges) and anchor > first
        )
        if not again:
            begin_key(block, scratch, anchor, last)
        at, valid_at = values + anchor * 8, valid + anchor
        found = evaluate(program, pieces, count, scratch, again, at, anchors, valid_at, anchors)
        store_u8(status, anchor, found)
    close_sliders(block, scratch)
    release(scratch)
    return 0


@jit
def _optional(address: int, index: int, default: int) -> int:
    return default if address == 0 else load(address, index)


@jit
def _read_anchor(block: int, program: int, anchor: int, context: int) -> bool:
    order = load(load(block, B_ORDER), anchor)
    store(context, X_ORDER, order)
    store(context, X_CUT, _optional(load(block, B_CUT), anchor, INT_MAX))
    store(context, X_ROW, anchor)
    members = load(program, P_MEMBERS)
    for m in range(members):
        arrays = load(block, B_MEMBERS) + m * MEMBER_WORDS * 8
        at = context + (X_MEMBERS + m * MEMBER_WORDS) * 8
        store(at, M_UPTO_ORD, _optional(load(arrays, M_UPTO_ORD), anchor, order))
        store(at, M_UPTO_SEQ, _optional(load(arrays, M_UPTO_SEQ), anchor, INT_MAX))
        store(at, M_SINCE, _optional(load(arrays, M_SINCE), anchor, INT_MIN))
    for c in range(load(program, P_CONSTANTS)):
        arrays = load(block, B_CONSTANTS) + 32 * c
        at = context + (X_MEMBERS + members * MEMBER_WORDS + 2 * c) * 8
        if load(arrays, 0) != 0:
            store(at, 0, load(load(arrays, 0), anchor))
            store(at, 1, 0)
        else:
            begin = load(load(arrays, 1), anchor)
            store(at, 0, load(arrays, 2) + begin)
            store(at, 1, load(load(arrays, 1), anchor + 1) - begin)
        if load(arrays, 3) != 0 and load_u8(load(arrays, 3), anchor) == 0:
            store(at, 1, -1)
    return True


@jit
def _read_ranges(block: int, pieces: int, count: int, columns: int, anchor: int, ranges: int) -> bool:
    """Fill the ranges of the anchor's key; return whether they are those that were there."""
    same = True
    for p in range(count):
        arrays = load(block, B_RANGES) + 16 * p
        piece = piece_at(pieces, p, columns)
        begin = _optional(load(arrays, 0), anchor, load(piece, R_BEGIN))
        end = _optional(load(arrays, 1), anchor, load(piece, R_END))
        if load(ranges, 2 * p) != begin or load(ranges, 2 * p + 1) != end:
            same = False
        store(ranges, 2 * p, begin)
        store(ranges, 2 * p + 1, end)
    return same


@jit
def single(block: int, first: int, last: int) -> int:
    """Evaluate the stages [first, last) of one request."""
    for number in range(first, last):
        stage = block + number * STAGE_WORDS * 8
        program, pieces, count = load(stage, T_PROGRAM), load(stage, T_PIECES), load(stage, T_COUNT)
        scratch = load(stage, T_SCRATCH)
        store(scratch, S_CONTEXT, load(stage, T_CONTEXT))
        ranges = load(scratch, S_RANGES)
        columns = load(program, P_COLUMNS)
        for p in range(count):
            piece = piece_at(pieces, p, columns)
            begin, end = load(piece, R_BEGIN), load(piece, R_END)
            keys = load(piece, R_KEYS)
            if keys != 0 and load(piece, R_REQUEST) == 0:
                key = find_key(keys, load(stage, T_KEY))
                begin, end = 0, 0
                if key >= 0:
                    begin, end = load(load(keys, K_STARTS), key), load(load(keys, K_STARTS), key + 1)
                    if load(piece, R_VALID_ENDS) != 0:
                        end = load(load(piece, R_VALID_ENDS), key)
            store(ranges, 2 * p, begin)
            store(ranges, 2 * p + 1, end)
        values, valid = load(stage, T_VALUES), load(stage, T_VALID)
        found = evaluate(program, pieces, count, scratch, False, values, 1, valid, 1)
        store(load(stage, T_STATUS), 0, found)
    return 0


@jit
def entry(task: int, words: int) -> int:
    """The one entry of the compiled code: a task (a number of ``object_file``) and the address of its arguments."""
    a, b, c, d = load(words, 0), load(words, 1), load(words, 2), load(words, 3)
    if task == 0:
        return single(a, b, c)
    if task == 1:
        return batch(a, b, c, d)
    if task == 2:
        return fill_tree(a, b, c, d)
    if task == 3:
        return fill_newer(a, b, c, d, load(words, 4), load(words, 5), load(words, 6), load(words, 7))
    if task == 4:
        return fill_slots(a, b, c)
    return release(a)
