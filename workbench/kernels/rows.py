"""Rows of pieces: their order, which of them an anchor sees, which satisfy compares."""

from __future__ import annotations

from workbench.kernels.layout import (
    C_DATA,
    C_KIND,
    C_OFFSETS,
    C_ORDERED,
    C_SIZE,
    C_VALIDITY,
    C_VALUES,
    COLUMN_WORDS,
    COMPARE_WORDS,
    I32,
    M_SINCE,
    M_UPTO_ORD,
    M_UPTO_SEQ,
    MEMBER_WORDS,
    P_COMPARES,
    P_COMPARES_AT,
    P_MEMBERS,
    PIECE_WORDS,
    Q_COLUMN,
    Q_CONSTANT,
    Q_LANE,
    Q_OP,
    R_BASE,
    R_MAX_SEQ,
    R_MEMBER,
    R_ORD,
    R_RANK,
    R_REQUEST,
    R_SEQ,
    R_SEQ_KIND,
    S_CHECKED,
    S_CONSTANTS,
    S_CONTEXT,
    S_RANGES,
    S_VISIBLE,
    X_CUT,
    X_MEMBERS,
)
from workbench.kernels.memory import (
    compare_bytes,
    float_of,
    jit,
    load,
    load_float,
    load_i32,
    load_int,
    not_null,
    store,
)


@jit
def piece_at(pieces: int, number: int, columns: int) -> int:
    return pieces + number * (PIECE_WORDS + columns * COLUMN_WORDS) * 8


@jit
def column_at(piece: int, column: int) -> int:
    return piece + (PIECE_WORDS + column * COLUMN_WORDS) * 8


@jit
def seq_of(piece: int, row: int) -> int:
    """The arrival number of a row."""
    if load(piece, R_SEQ_KIND) == I32:
        return load(piece, R_BASE) + load_i32(load(piece, R_SEQ), row)
    return load(piece, R_BASE) + load(load(piece, R_SEQ), row)


@jit
def newer_row(piece: int, row: int, other: int, other_row: int) -> bool:
    """Whether a row is nearer to the anchor than a row of another piece."""
    left, right = load(load(piece, R_ORD), row), load(load(other, R_ORD), other_row)
    if left != right:
        return left > right
    left, right = load(piece, R_RANK), load(other, R_RANK)
    if left != right:
        return left < right
    left, right = seq_of(piece, row), seq_of(other, other_row)
    if left != right:
        return left > right
    return load(piece, R_MEMBER) < load(other, R_MEMBER)


@jit
def _before(piece: int, order: int, row: int, upto_ord: int, upto_seq: int) -> bool:
    found = load(order, row)
    return found < upto_ord or (found == upto_ord and seq_of(piece, row) < upto_seq)


@jit
def first_before(piece: int, low: int, high: int, hint: int, upto_ord: int, upto_seq: int) -> int:
    """The first row of [low, high) with (ord, seq) < (upto_ord, upto_seq), else high; looked for around ``hint``."""
    order = load(piece, R_ORD)
    hint = max(low, min(hint, high))
    step = 1
    if hint < high and not _before(piece, order, hint, upto_ord, upto_seq):
        low = hint + 1
        while low + step <= high and not _before(piece, order, low + step - 1, upto_ord, upto_seq):
            low += step
            step *= 2
        high = min(high, low + step - 1)
    else:
        high = hint
        while high - step >= low and _before(piece, order, high - step, upto_ord, upto_seq):
            high -= step
            step *= 2
        low = max(low, high - step + 1)
    while low < high:
        middle = (low + high) >> 1
        if _before(piece, order, middle, upto_ord, upto_seq):
            high = middle
        else:
            low = middle + 1
    return low


@jit
def see(program: int, pieces: int, count: int, columns: int, scratch: int, again: bool) -> int:
    """Find the rows of every piece that the anchor sees; return how many pieces must be looked through for the cut.

    ``again``: what is found of the anchor before, of the same key, is near.
    """
    context, ranges = load(scratch, S_CONTEXT), load(scratch, S_RANGES)
    visible, checked = load(scratch, S_VISIBLE), load(scratch, S_CHECKED)
    cut = load(context, X_CUT)
    found = 0
    for number in range(count):
        piece = piece_at(pieces, number, columns)
        begin, end = load(ranges, 2 * number), load(ranges, 2 * number + 1)
        store(checked, number, 0)
        if load(piece, R_REQUEST) != 0:
            begin = end = 0
        elif begin < end:
            member = context + (X_MEMBERS + MEMBER_WORDS * load(piece, R_MEMBER)) * 8
            upto_ord, upto_seq = load(member, M_UPTO_ORD), load(member, M_UPTO_SEQ)
            hint = load(visible, 2 * number) if again else begin
            first = first_before(piece, begin, end, hint, upto_ord, upto_seq)
            since = load(member, M_SINCE)
            if since != -0x8000000000000000:
                hint = load(visible, 2 * number + 1) if again else end
                end = first_before(piece, first, end, hint, since, -0x8000000000000000)
            begin = first
            if load(piece, R_MAX_SEQ) > cut and begin < end:
                store(checked, number, 1)
                found += 1
        store(visible, 2 * number, begin)
        store(visible, 2 * number + 1, end)
    return found


# -- compares


@jit
def code_of(column: int, data: int, size: int) -> int:
    """Where a byte string is in an ordered dictionary: twice its code, or an odd number between two codes."""
    low, high = 0, load(column, C_SIZE)
    offsets, values = load(column, C_OFFSETS), load(column, C_DATA)
    while low < high:
        middle = (low + high) >> 1
        begin = load(offsets, middle)
        found = compare_bytes(values + begin, load(offsets, middle + 1) - begin, data, size)
        if found == 0:
            return 2 * middle
        if found < 0:
            low = middle + 1
        else:
            high = middle
    return 2 * low - 1


@jit
def bind_constants(program: int, pieces: int, count: int, columns: int, scratch: int) -> int:
    """Find the codes of the compared byte strings in every piece."""
    context, bound = load(scratch, S_CONTEXT), load(scratch, S_CONSTANTS)
    constants = context + (X_MEMBERS + MEMBER_WORDS * load(program, P_MEMBERS)) * 8
    visible = load(scratch, S_VISIBLE)
    for number in range(load(program, P_COMPARES)):
        compare = program + (load(program, P_COMPARES_AT) + number * COMPARE_WORDS) * 8
        constant = constants + 16 * load(compare, Q_CONSTANT)
        for p in range(count):
            at = 2 * (number * count + p)
            store(bound, at, load(constant, 0))
            store(bound, at + 1, load(constant, 1))
            if load(compare, Q_LANE) == 3 and load(constant, 1) >= 0:
                piece = piece_at(pieces, p, columns)
                column = column_at(piece, load(compare, Q_COLUMN))
                used = load(visible, 2 * p) < load(visible, 2 * p + 1) or load(piece, R_REQUEST) != 0
                if used and load(column, C_ORDERED) != 0 and load(column, C_SIZE) > 0:
                    store(bound, at, code_of(column, load(constant, 0), load(constant, 1)))
    return 0


@jit
def _order_of_floats(x: float, y: float) -> int:
    if x < y:
        return -1
    if x > y:
        return 1
    if x == y:
        return 0
    # NaN equals NaN and is greater than anything else.
    left, right = x != x, y != y
    if left and right:
        return 0
    return 1 if left else -1


@jit
def order_of_values(lane: int, left: int, left_row: int, right: int, right_row: int) -> int:
    """-1, 0, 1: the order of two values that are not NULL, given as columns and rows."""
    if lane == 2:
        x = load_float(load(left, C_VALUES), load(left, C_KIND), left_row)
        y = load_float(load(right, C_VALUES), load(right, C_KIND), right_row)
        return _order_of_floats(x, y)
    a = load_int(load(left, C_VALUES), load(left, C_KIND), left_row)
    b = load_int(load(right, C_VALUES), load(right, C_KIND), right_row)
    if lane == 3 and not (left == right and load(left, C_ORDERED) != 0):
        return order_of_codes(left, a, right, b)
    if a == b:
        return 0
    return -1 if a < b else 1


@jit
def order_of_codes(left: int, a: int, right: int, b: int) -> int:
    """-1, 0, 1: the order of two entries of dictionaries."""
    begin, other = load(load(left, C_OFFSETS), a), load(load(right, C_OFFSETS), b)
    return compare_bytes(
        load(left, C_DATA) + begin,
        load(load(left, C_OFFSETS), a + 1) - begin,
        load(right, C_DATA) + other,
        load(load(right, C_OFFSETS), b + 1) - other,
    )


@jit
def _satisfies(column: int, lane: int, op: int, word: int, size: int, row: int) -> bool:
    """Whether the value of a row compares so with a bound constant that is not NULL."""
    values, kind = load(column, C_VALUES), load(column, C_KIND)
    if not not_null(values, kind, load(column, C_VALIDITY), row):
        return False
    if lane == 2:
        order = _order_of_floats(load_float(values, kind, row), float_of(word))
    else:
        value = load_int(values, kind, row)
        if lane == 3:
            if load(column, C_ORDERED) != 0:
                value *= 2
            else:
                begin = load(load(column, C_OFFSETS), value)
                end = load(load(column, C_OFFSETS), value + 1)
                value = compare_bytes(load(column, C_DATA) + begin, end - begin, word, size)
                word = 0
        order = 0 if value == word else (-1 if value < word else 1)
    if op == 0:
        return order == 0
    if op == 1:
        return order != 0
    if op == 2:
        return order < 0
    if op == 3:
        return order <= 0
    if op == 4:
        return order > 0
    return order >= 0


@jit
def matches(
    program: int, piece: int, number: int, count: int, scratch: int, compares: int, first: int, row: int
) -> bool:
    """Whether a row is known at the cut and satisfies compares: ``compares`` numbers from word ``first`` on."""
    if load(load(scratch, S_CHECKED), number) != 0 and seq_of(piece, row) > load(
        load(scratch, S_CONTEXT), X_CUT
    ):
        return False
    bound = load(scratch, S_CONSTANTS)
    for i in range(compares):
        which = load(program, first + i)
        compare = program + (load(program, P_COMPARES_AT) + which * COMPARE_WORDS) * 8
        at = 2 * (which * count + number)
        if load(bound, at + 1) < 0:
            return False
        column = column_at(piece, load(compare, Q_COLUMN))
        op, lane = load(compare, Q_OP), load(compare, Q_LANE)
        if not _satisfies(column, lane, op, load(bound, at), load(bound, at + 1), row):
            return False
    return True
