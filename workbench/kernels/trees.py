"""What stands beside the columns of a piece and makes windows cheap: trees of partials, links, hash indexes of keys."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from workbench.kernels import layout as at
from workbench.kernels.binding import Held, address, bind_keys, column_words
from workbench.kernels.machine import machine
from workbench.kernels.object_file import FILL_NEWER, FILL_SLOTS, FILL_TREE
from workbench.kernels.program import Column, KeyLevel, KeyTable

Bits = npt.NDArray[np.uint8]


def tree_nodes(rows: int) -> int:
    """Return how many nodes a tree over that many rows has: one a full block of 64, 4,096 and 262,144 rows.

    >>> tree_nodes(5000)
    79
    """
    return sum(rows >> (at.BLOCK_BITS * level) for level in (1, 2, 3))


def build_tree(values: npt.NDArray[Any], validity: Bits | None = None) -> npt.NDArray[np.int64]:
    """Return the tree of a column: int64 of shape (nodes, 10).

    Parameters
    ----------
    values
        Integers (or codes) or floats, in the order of a piece.
    validity
        Arrow's bitmap of them.

    Returns
    -------
    The nodes of the blocks of 64 rows, then those of 4,096, then those of 262,144. A node is: how many values are not
    NULL (flags from bit 48 on), three words of the sum, the smallest, the greatest, four words of the sum of squares;
    floats stand there as their bits.

    Raises
    ------
    KernelsUnavailable
        When this process has no compiled code.
    """
    column = _column(values, validity)
    tree = np.zeros((tree_nodes(len(values)), at.NODE_WORDS), dtype=np.int64)
    state = np.zeros(at.STATE_WORDS, dtype=np.int64)
    machine().run(FILL_TREE, column.address, len(values), address(tree), address(state))
    return tree


def build_newer(
    values: npt.NDArray[Any], starts: npt.NDArray[np.int64], validity: Bits | None = None
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """Return the links of a column that make distinct counts cheap.

    Parameters
    ----------
    values
        Integers, floats or codes, in the order of a piece.
    starts
        int64, keys + 1: the rows of key k are ``[starts[k], starts[k + 1])``.
    validity
        Arrow's bitmap of the values.

    Returns
    -------
    int32 a row: the distance to the next newer row of the same key and value, 0 when there is none, -1 where the value
    is NULL; int32 of rows // 64 + 1: how many rows before each block of 64 have no newer one.

    Raises
    ------
    KernelsUnavailable
        When this process has no compiled code.
    """
    column = _column(values, validity)
    rows = len(values)
    newer = np.full(rows, -1, dtype=np.int32)
    counts = np.zeros((rows >> at.BLOCK_BITS) + 1, dtype=np.int32)
    longest = int(np.diff(starts).max()) if len(starts) > 1 else 0
    slots = 64
    while slots < 2 * longest:
        slots *= 2
    table = np.zeros(2 * slots, dtype=np.int64)
    machine().run(
        FILL_NEWER,
        column.address,
        rows,
        address(starts),
        len(starts) - 1,
        address(newer),
        address(counts),
        address(table),
        slots,
    )
    return newer, counts


def older_links(newer: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    """Return the links the other way round: the distance to the next older row of the same value, 0 for none.

    >>> older_links(np.array([0, 0, 2, -1, 1], dtype=np.int32)).tolist()
    [2, 0, 0, 1, 0]
    """
    older = np.zeros(len(newer), dtype=np.int32)
    rows = np.flatnonzero(newer > 0)
    older[rows - newer[rows]] = newer[rows]
    return older


def build_slots(levels: tuple[KeyLevel, ...], keys: int) -> npt.NDArray[np.int32]:
    """Return the hash index of a table's ``keys`` distinct keys, int32 of a power of two.

    Raises
    ------
    KernelsUnavailable
        When this process has no compiled code.
    """
    size = 8
    while size < 2 * keys:
        size *= 2
    slots = np.zeros(size, dtype=np.int32)
    table = bind_keys(KeyTable(levels, np.zeros(keys + 1, dtype=np.int64)))
    machine().run(FILL_SLOTS, table.address, address(slots), size - 1)
    return slots


def _column(values: npt.NDArray[Any], validity: Bits | None) -> Held:
    lane = "f" if values.dtype.kind == "f" else "i"
    column = Column(lane, values, validity)
    return Held(np.array(column_words(column, lane), dtype=np.int64), column)
