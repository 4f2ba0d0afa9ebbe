"""Windows that slide: the state of a window from that of its key's anchor before, in a batch.

Anchors of one key come oldest first, so that both ends of a window move to newer rows. A window is kept as two parts
that meet at a pivot: rows that came since are added to one state, and of the older rows there are states of those from
the pivot on, one every few rows, so that leaving ones are left out by reading an earlier state. When the pivot has left
the window, all rows are older ones of a new pivot. Every row is added about twice, however long windows are.
"""

from __future__ import annotations

from workbench.kernels.folds import clear, copy, merge, scan
from workbench.kernels.layout import (
    B_COUNT,
    B_PIECES,
    B_PROGRAM,
    B_RANGES,
    FLAGS_SHIFT,
    N_COUNT,
    N_FLAGS,
    NODE_WORDS,
    P_COLUMNS,
    P_STATES,
    R_REQUEST,
    S_RANGES,
    S_SLIDER_TABLE,
    S_SLIDERS,
)
from workbench.kernels.memory import buffer, jit, load, logical_shift, release, store
from workbench.kernels.rows import piece_at

#: Where the window of the anchor before begins and ends (-1: there is none), the pivot, the states of the older rows
#: (two words of a buffer), the state of the newer ones.
L_BEGIN, L_END, L_PIVOT, L_OLDER, L_NEWER = 0, 1, 2, 4, 6
SLIDER_WORDS = 18
#: Rows of one more state of the older rows.
STEP = 16
#: Windows of fewer rows are cheaper to read anew, and so are all where a key has more rows than that for each anchor.
SLIDES_FROM, ROWS_AN_ANCHOR = 128, 64


@jit
def slide(slider: int, state: int, column: int, lane: int, begin: int, end: int, needs: int) -> bool:
    """Set the state of the rows [begin, end); return False where they do not follow those of the anchor before."""
    older = load(slider, L_END)
    if older >= 0 and (begin > load(slider, L_BEGIN) or end > older):
        return False
    newer = slider + L_NEWER * 8
    if older < 0 or end <= load(slider, L_PIVOT):
        _pivot(slider, newer, column, lane, begin, end, needs)
    elif begin < load(slider, L_BEGIN):
        scan(newer, column, lane, begin, load(slider, L_BEGIN), needs)
    store(slider, L_BEGIN, begin)
    store(slider, L_END, end)
    copy(state, newer)
    steps = (end - load(slider, L_PIVOT)) // STEP
    if steps > 0:
        node = load(slider, L_OLDER) + (steps - 1) * NODE_WORDS * 8
        merge(state, node, lane, logical_shift(load(node, N_COUNT), FLAGS_SHIFT), needs)
    scan(state, column, lane, load(slider, L_PIVOT) + steps * STEP, end, needs)
    return True


@jit
def _pivot(slider: int, newer: int, column: int, lane: int, begin: int, end: int, needs: int) -> int:
    """Make all rows of the window older ones."""
    node = buffer(slider + L_OLDER * 8, ((end - begin) // STEP + 1) * NODE_WORDS)
    clear(newer, lane)
    for row in range(begin, end - STEP + 1, STEP):
        scan(newer, column, lane, row, row + STEP, needs)
        for i in range(1, NODE_WORDS):
            store(node, i, load(newer, i))
        store(node, N_COUNT, load(newer, N_COUNT) | (load(newer, N_FLAGS) << FLAGS_SHIFT))
        node += NODE_WORDS * 8
    clear(newer, lane)
    store(slider, L_PIVOT, begin)
    return 0


# -- the sliders of a batch


@jit
def open_sliders(block: int, scratch: int) -> int:
    """Make a slider for every state of the program; none slides yet."""
    states = load(load(block, B_PROGRAM), P_STATES)
    table = buffer(scratch + S_SLIDER_TABLE * 8, states * SLIDER_WORDS)
    for i in range(states * SLIDER_WORDS):
        store(table, i, 0)
    store(scratch, S_SLIDERS, 0)
    return 0


@jit
def close_sliders(block: int, scratch: int) -> int:
    """Give back what they hold."""
    table = load(scratch, S_SLIDER_TABLE)
    for i in range(load(load(block, B_PROGRAM), P_STATES)):
        release(table + (i * SLIDER_WORDS + L_OLDER) * 8)
    store(scratch, S_SLIDERS, 0)
    return release(scratch + S_SLIDER_TABLE * 8)


@jit
def begin_key(block: int, scratch: int, anchor: int, last: int) -> int:
    """Let windows slide if the key of an anchor, the first of its key, has anchors enough."""
    store(scratch, S_SLIDERS, 0)
    piece = _only_piece(block)
    if piece < 0:
        return 0
    ranges = load(scratch, S_RANGES)
    rows = load(ranges, 2 * piece + 1) - load(ranges, 2 * piece)
    if rows < 2 * SLIDES_FROM or not _many(load(block, B_RANGES) + 16 * piece, anchor, last, rows):
        return 0
    table = load(scratch, S_SLIDER_TABLE)
    for i in range(load(load(block, B_PROGRAM), P_STATES)):
        store(table + i * SLIDER_WORDS * 8, L_END, -1)
    store(scratch, S_SLIDERS, table)
    return 0


@jit
def _only_piece(block: int) -> int:
    """The number of the one piece of stored rows, -1 where there are several or none."""
    pieces, columns = load(block, B_PIECES), load(load(block, B_PROGRAM), P_COLUMNS)
    found = -1
    for p in range(load(block, B_COUNT)):
        if load(piece_at(pieces, p, columns), R_REQUEST) == 0:
            if found >= 0:
                return -1
            found = p
    return found


@jit
def _many(arrays: int, anchor: int, last: int, rows: int) -> bool:
    """Whether at least every so many rows of a key have an anchor, from that one on."""
    wanted = min(rows // ROWS_AN_ANCHOR + 1, last - anchor + 1)
    begins, ends = load(arrays, 0), load(arrays, 1)
    if begins == 0 or ends == 0:
        return last - anchor >= wanted
    for i in range(anchor, anchor + wanted):
        if i >= last or load(begins, i) != load(begins, anchor) or load(ends, i) != load(ends, anchor):
            return False
    return True
