"""Distinct counts: by links to newer rows of the same value, by a small table beside them, or by hashing all."""

from __future__ import annotations

from workbench.kernels.layout import (
    A_COLUMN,
    A_COMPARES,
    A_COMPARES_AT,
    A_LANE,
    A_NUMBER,
    BLOCK_BITS,
    C_COUNTS,
    C_DATA,
    C_KIND,
    C_NEWER,
    C_OFFSETS,
    C_OLDER,
    C_ORDERED,
    C_SIZE,
    CACHE_WORDS,
    I8,
    I16,
    S_AGAIN,
    S_CACHE,
    S_CHECKED,
    S_RANGES,
)
from workbench.kernels.memory import (
    buffer,
    jit,
    load,
    load_i32,
    store,
)
from workbench.kernels.picks import request_row
from workbench.kernels.rows import column_at, matches, order_of_codes, piece_at
from workbench.kernels.values import column_word, has_value, hash_bytes, mixed, rows_of

#: So many rows beside the main piece are looked for one by one; so many at once.
_FEW, _SOME = 2, 1000


@jit
def distinct(program: int, call: int, pieces: int, count: int, columns: int, scratch: int) -> int:
    """How many different values the window has."""
    own = request_row(program, call, pieces, count, columns, scratch)
    rows, most, main = 0, 0, -1
    for step in range(count + 1):
        p, begin, end = rows_of(scratch, call, count, step, own)
        rows += end - begin
        if end - begin > most and step < count:
            most, main = end - begin, p
    if main < 0:
        return _distinct_hashed(program, call, pieces, count, columns, scratch, own, rows)
    column = column_at(piece_at(pieces, main, columns), load(call, A_COLUMN))
    plain = load(call, A_COMPARES) == 0 and load(load(scratch, S_CHECKED), main) == 0
    if plain and load(column, C_NEWER) != 0 and rows - most <= _FEW:
        return _distinct_linked(program, call, pieces, count, columns, scratch, own, main)
    ordered = load(call, A_LANE) != 3 or load(column, C_ORDERED) != 0
    if plain and load(column, C_NEWER) != 0 and ordered and rows - most <= min(_SOME, most):
        return _distinct_marked(program, call, pieces, count, columns, scratch, own, main, rows - most)
    return _distinct_hashed(program, call, pieces, count, columns, scratch, own, rows)


@jit
def _first_occurrences(column: int, begin: int, end: int) -> int:
    """How many rows have no newer row of the same key and value."""
    newer, counts = load(column, C_NEWER), load(column, C_COUNTS)
    low, high = begin >> BLOCK_BITS, end >> BLOCK_BITS
    found = load_i32(counts, high) - load_i32(counts, low)
    for row in range(low << BLOCK_BITS, begin):
        found -= load_i32(newer, row) == 0
    for row in range(high << BLOCK_BITS, end):
        found += load_i32(newer, row) == 0
    return found


@jit
def _linked_count(call: int, column: int, main: int, scratch: int, begin: int, end: int) -> int:
    """The distinct values of rows [begin, end): a value counts at its newest occurrence."""
    cache = load(scratch, S_CACHE) + load(call, A_NUMBER) * CACHE_WORDS * 8
    key_begin = load(load(scratch, S_RANGES), 2 * main)
    kept = load(scratch, S_AGAIN) != 0 and load(column, C_OLDER) != 0 and load(cache, 0) == main + 1
    if begin == key_begin and end - begin > 64:
        found = _first_occurrences(column, begin, end)
    elif kept and 2 * (abs(load(cache, 1) - begin) + abs(load(cache, 2) - end)) < end - begin:
        found = _slide(column, load(cache, 1), load(cache, 2), load(cache, 3), begin, end)
    else:
        found = _newest_occurrences(column, begin, begin, end)
    store(cache, 0, main + 1)
    store(cache, 1, begin)
    store(cache, 2, end)
    store(cache, 3, found)
    return found


@jit
def _newest_occurrences(column: int, window: int, begin: int, end: int) -> int:
    """How many rows of [begin, end) have no newer one of the same value at or behind row ``window``."""
    newer = load(column, C_NEWER)
    found = 0
    for row in range(begin, end):
        distance = load_i32(newer, row)
        found += distance == 0 or (distance > 0 and row - distance < window)
    return found


@jit
def _slide(column: int, begin: int, end: int, found: int, new_begin: int, new_end: int) -> int:
    """The distinct values of rows [new_begin, new_end), given those of an overlapping range."""
    if new_end > end:
        found += _newest_occurrences(column, begin, end, new_end)
    else:
        found -= _newest_occurrences(column, begin, new_end, end)
    # Now for rows [begin, new_end). A row at the newer end hides the next older one of its value, or else adds a value.
    newer, older = load(column, C_NEWER), load(column, C_OLDER)
    low, high, sign = min(begin, new_begin), max(begin, new_begin), 1 if new_begin < begin else -1
    for row in range(low, high):
        distance = load_i32(older, row)
        if load_i32(newer, row) >= 0 and (distance == 0 or row + distance >= new_end):
            found += sign
    return found


@jit
def _distinct_linked(
    program: int, call: int, pieces: int, count: int, columns: int, scratch: int, own: int, main: int
) -> int:
    """One piece by its links to newer rows; the few rows of others one by one."""
    lane, which = load(call, A_LANE), load(call, A_COLUMN)
    column = column_at(piece_at(pieces, main, columns), which)
    _, begin, end = rows_of(scratch, call, count, main, own)
    found = _linked_count(call, column, main, scratch, begin, end)
    compares, first = load(call, A_COMPARES), load(call, A_COMPARES_AT)
    for step in range(count + 1):
        p, low, high = rows_of(scratch, call, count, step, own)
        if p == main and step < count:
            continue
        piece = piece_at(pieces, p, columns)
        other = column_at(piece, which)
        for row in range(low, high):
            if not has_value(other, row) or not matches(
                program, piece, p, count, scratch, compares, first, row
            ):
                continue
            if _occurs(column, begin, end, other, lane, row):
                continue
            if not _occurs_later(program, call, pieces, count, columns, scratch, own, main, step, row):
                found += 1
    return found


@jit
def _occurs_later(
    program: int,
    call: int,
    pieces: int,
    count: int,
    columns: int,
    scratch: int,
    own: int,
    main: int,
    step: int,
    row: int,
) -> bool:
    """Whether the value of a row stands again behind it, in its piece or a later one, the main piece aside."""
    lane, which = load(call, A_LANE), load(call, A_COLUMN)
    compares, first = load(call, A_COMPARES), load(call, A_COMPARES_AT)
    number, _, _ = rows_of(scratch, call, count, step, own)
    column = column_at(piece_at(pieces, number, columns), which)
    for later in range(step, count + 1):
        p, begin, end = rows_of(scratch, call, count, later, own)
        if p == main and later < count:
            continue
        piece = piece_at(pieces, p, columns)
        other = column_at(piece, which)
        for r in range(row + 1 if later == step else begin, end):
            if (
                has_value(other, r)
                and _same(column, row, other, r, lane)
                and matches(program, piece, p, count, scratch, compares, first, r)
            ):
                return True
    return False


@jit
def _distinct_marked(
    program: int,
    call: int,
    pieces: int,
    count: int,
    columns: int,
    scratch: int,
    own: int,
    main: int,
    others: int,
) -> int:
    """One piece by its links; the values of the others' rows in a small table, through which the piece runs once."""
    lane, which = load(call, A_LANE), load(call, A_COLUMN)
    column = column_at(piece_at(pieces, main, columns), which)
    _, begin, end = rows_of(scratch, call, count, main, own)
    found = _linked_count(call, column, main, scratch, begin, end)
    slots = 16
    while slots < 4 * others:
        slots *= 2
    table = buffer(scratch, 2 * slots)
    for i in range(slots):
        store(table, 2 * i, 0)
    compares, first = load(call, A_COMPARES), load(call, A_COMPARES_AT)
    wanted = 0
    for step in range(count + 1):
        p, low, high = rows_of(scratch, call, count, step, own)
        if p == main and step < count:
            continue
        piece = piece_at(pieces, p, columns)
        other = column_at(piece, which)
        for row in range(low, high):
            if not has_value(other, row) or not matches(
                program, piece, p, count, scratch, compares, first, row
            ):
                continue
            word = column_word(other, lane, row)
            if lane == 3:
                word = _code_in(column, other, word)
                if word < 0:
                    if not _occurs_later(
                        program, call, pieces, count, columns, scratch, own, main, step, row
                    ):
                        found += 1
                    continue
            place = _slot(table, slots, word)
            if load(table, 2 * place) == 0:
                store(table, 2 * place, 1)
                store(table, 2 * place + 1, word)
                wanted += 1
    newer = load(column, C_NEWER)
    row = begin
    while row < end and wanted > 0:
        distance = load_i32(newer, row)
        if distance == 0 or (distance > 0 and row - distance < begin):
            wanted -= load(table, 2 * _slot(table, slots, column_word(column, lane, row)))
        row += 1
    return found + wanted


@jit
def _slot(table: int, slots: int, word: int) -> int:
    """Where a word stands in a table, or would."""
    place = mixed(word) & (slots - 1)
    while load(table, 2 * place) != 0 and load(table, 2 * place + 1) != word:
        place = (place + 1) & (slots - 1)
    return place


@jit
def _same(left: int, row: int, right: int, other: int, lane: int) -> bool:
    a, b = column_word(left, lane, row), column_word(right, lane, other)
    if lane == 3 and not (left == right and load(left, C_ORDERED) != 0):
        return order_of_codes(left, a, right, b) == 0
    return a == b


@jit
def _occurs(column: int, begin: int, end: int, other: int, lane: int, row: int) -> bool:
    """Whether rows [begin, end) of a column have the value that another column has at a row."""
    wanted = column_word(other, lane, row)
    if lane == 3:
        if load(column, C_ORDERED) == 0:
            for r in range(begin, end):
                if has_value(column, r) and _same(column, r, other, row, lane):
                    return True
            return False
        wanted = _code_in(column, other, wanted)
        if wanted < 0:
            return False
    for r in range(begin, end):
        if column_word(column, lane, r) == wanted and has_value(column, r):
            return True
    return False


@jit
def _code_in(column: int, other: int, code: int) -> int:
    """The code in an ordered dictionary of another dictionary's entry, -1 when it is not there."""
    low, high = 0, load(column, C_SIZE)
    while low < high:
        middle = (low + high) >> 1
        order = order_of_codes(column, middle, other, code)
        if order == 0:
            return middle
        if order < 0:
            low = middle + 1
        else:
            high = middle
    return -1


@jit
def _distinct_hashed(
    program: int, call: int, pieces: int, count: int, columns: int, scratch: int, own: int, rows: int
) -> int:
    lane, which = load(call, A_LANE), load(call, A_COLUMN)
    compares, first = load(call, A_COMPARES), load(call, A_COMPARES_AT)
    limit, parts = 0, 0
    for step in range(count + 1):
        p, begin, end = rows_of(scratch, call, count, step, own)
        if begin < end:
            column = column_at(piece_at(pieces, p, columns), which)
            kind = load(column, C_KIND)
            possible = 256 if kind == I8 else (65536 if kind == I16 else end - begin)
            limit += min(end - begin, possible)
            parts += 1 if load(column, C_ORDERED) != 0 else 2
    slots = 16
    while slots < 2 * limit:
        slots *= 2
    table = buffer(scratch, 2 * slots)
    for i in range(2 * slots):
        store(table, i, -1)
    by_bytes = lane == 3 and parts > 1
    found = 0
    for step in range(count + 1):
        p, begin, end = rows_of(scratch, call, count, step, own)
        piece = piece_at(pieces, p, columns)
        column = column_at(piece, which)
        for row in range(begin, end):
            if not has_value(column, row) or not matches(
                program, piece, p, count, scratch, compares, first, row
            ):
                continue
            word = column_word(column, lane, row)
            if by_bytes:
                start = load(load(column, C_OFFSETS), word)
                place = hash_bytes(
                    load(column, C_DATA) + start, load(load(column, C_OFFSETS), word + 1) - start
                )
            else:
                place = mixed(word)
            place &= slots - 1
            while load(table, 2 * place) >= 0:
                other = load(table, 2 * place + 1)
                if by_bytes:
                    holder = column_at(piece_at(pieces, load(table, 2 * place), columns), which)
                    if order_of_codes(column, word, holder, other) == 0:
                        break
                elif other == word:
                    break
                place = (place + 1) & (slots - 1)
            if load(table, 2 * place) < 0:
                store(table, 2 * place, p)
                store(table, 2 * place + 1, word)
                found += 1
    return found
