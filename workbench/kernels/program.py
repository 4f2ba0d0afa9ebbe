"""What kernels are asked and what they read: programs, pieces of sorted rows, anchors, results.

Plain dataclasses of numbers and numpy arrays, importable without numba. Nothing here knows tables, SQL or Arrow.

**Lanes.** A value is 64 bits wide and has a validity bit. ``i``: int64 (integers, booleans, days, microseconds,
unscaled decimals); ``f``: float64; ``s``: a code of a dictionary of byte strings; ``o``: opaque, of which a kernel only
knows whether it is NULL and where it stands. Arrays may be narrower (int8/16/32, float32, codes of int8/16/32).

**Order.** The rows of a piece are sorted by (key, ord descending, seq descending): the rows of a key are one range,
newest first. Over several pieces rows are numbered newest first by (ord descending, rank, seq descending, member).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

INT_MAX = 2**63 - 1
INT_MIN = -(2**63)

#: Bits of a location below which the row stands; the number of the piece is above them.
LOCATION_SHIFT = 40

COMPARES = ("eq", "ne", "lt", "le", "gt", "ge")

#: Aggregates by the lane of their result: ``i``, ``f``, ``p`` (the location of a row), or ``=``: as the column.
OPS = {
    "count_star": "i",
    "count": "i",
    "distinct": "i",
    "sum": "=",
    "avg": "f",
    "min": "=",
    "max": "=",
    "var_pop": "f",
    "var_samp": "f",
    "stddev_pop": "f",
    "stddev_samp": "f",
    "bool_and": "i",
    "bool_or": "i",
    "bit_and": "i",
    "bit_or": "i",
    "bit_xor": "i",
    "first": "=",
    "last": "=",
    "any_value": "=",
    "nth": "=",
    "nth_newest": "=",
    "row": "p",
    "arg_min": "=",
    "arg_max": "=",
    "median": "f",
    "quantile_cont": "f",
    "quantile_disc": "=",
}


@dataclass(frozen=True)
class Windowed:
    """A window: which of the visible rows are in it.

    Parameters
    ----------
    unit
        ``rows``: ``start`` and ``end`` are positions, where the request row is 0 and stored rows count from 1, newest
        first; ``range``: they are ages, ``order - ord``.
    start
        The oldest position or age that is in it, None for all.
    end
        The newest, 0 or more; both ends are closed.
    maxsize
        Keep that many of the newest rows of the frame, the request row among them; None keeps all.
    exclude_current_row
        Leave the request row out (before MAXSIZE counts).
    """

    unit: str
    start: int | None
    end: int = 0
    maxsize: int | None = None
    exclude_current_row: bool = False


@dataclass(frozen=True)
class Compare:
    """``column op constant``: true of rows whose value is not NULL and compares so; a NULL constant matches nothing.

    ``constant`` is the number of a constant that every anchor brings, of the same lane as the column (see
    :attr:`Program.constants`). Floats compare as in DuckDB: NaN equals NaN and is greater than all else.
    """

    column: int
    op: str
    constant: int


@dataclass(frozen=True)
class Call:
    """One aggregate over one window.

    Parameters
    ----------
    op
        A name of :data:`OPS`. ``row``: the location of the newest row that satisfies the compares (a LAST JOIN).
        ``first`` and ``last``: the value, NULL or not, of the oldest and newest row. ``any_value``: the oldest that is
        not NULL. ``nth``: the value of row ``n`` counted from 1 at the oldest; ``nth_newest``: from 0 at the newest.
        ``arg_min`` and ``arg_max``: ``column`` at the extreme of ``second``, the oldest of equals; rows where either is
        NULL do not count. ``distinct``: how many different values that are not NULL. LAG n is ``first`` over a window
        of the positions n..n.
    window
        The number of its window.
    column
        The number of its column; -1 for ``count_star`` and ``row``.
    second
        The second column of ``arg_min`` and ``arg_max``, lane ``i``, ``f`` or ``s``.
    n
        The argument of ``nth``; for ``avg``, by how many decimal digits the integers are scaled (0 for integers).
    q
        The fraction of ``quantile_cont`` and ``quantile_disc``, 0 to 1.
    compares
        Numbers of compares that a row must satisfy.
    """

    op: str
    window: int
    column: int = -1
    second: int = -1
    n: int = 0
    q: float = 0.0
    compares: tuple[int, ...] = ()


@dataclass(frozen=True)
class Program:
    """What is computed of one stage or lookup.

    Parameters
    ----------
    lanes
        One letter of ``ifso`` a column; every piece brings that many columns, in that order.
    windows, calls, compares
        See there.
    constants
        The lanes of the anchors' constants, letters of ``ifs``.
    history
        The anchor row is position 0 and age 0 of its windows; the request piece holds it.
    members
        How many tables the pieces belong to; each has its own bounds of what an anchor sees.

    Raises
    ------
    ValueError
        When a number does not fit or an aggregate cannot take its column.

    Examples
    --------
    >>> program = Program("f", (Windowed("range", 3600_000_000, 1),), (Call("sum", 0, 0), Call("count_star", 0)))
    >>> program.results
    'fi'
    """

    lanes: str
    windows: tuple[Windowed, ...]
    calls: tuple[Call, ...]
    compares: tuple[Compare, ...] = ()
    constants: str = ""
    history: bool = False
    members: int = 1

    def __post_init__(self) -> None:
        for compare in self.compares:
            if compare.op not in COMPARES or self.lanes[compare.column] != self.constants[compare.constant]:
                raise ValueError(f"{compare} does not fit the lanes {self.lanes!r} and {self.constants!r}")
        for window in self.windows:
            if window.unit not in ("rows", "range") or window.end < 0:
                raise ValueError(f"not a window: {window}")
        for call in self.calls:
            reason = refusal(call.op, self.lane(call.column), self.lane(call.second))
            if reason is not None:
                raise ValueError(reason)

    def lane(self, column: int) -> str:
        """Return the lane of a column, empty for -1."""
        return self.lanes[column] if column >= 0 else ""

    @property
    def results(self) -> str:
        """One letter a call: ``i``, ``f``, ``s`` (the location of a dictionary entry), ``p`` (of a row)."""
        return "".join(result_lane(call.op, self.lane(call.column)) for call in self.calls)


_NUMERIC = frozenset({"sum", "avg", "var_pop", "var_samp", "stddev_pop", "stddev_samp", "median"}) | {
    "quantile_cont",
    "quantile_disc",
}
_INTEGER = frozenset({"bool_and", "bool_or", "bit_and", "bit_or", "bit_xor"})
_ROWS = frozenset({"count_star", "row"})
_ORDERED = frozenset({"min", "max", "distinct"})


def refusal(op: str, lane: str, second: str = "") -> str | None:
    """Return why there is no kernel for an aggregate of a column of that lane, None when there is one.

    >>> refusal("sum", "s")
    "sum has no kernel for lane 's'"
    """
    if op not in OPS:
        return f"{op} has no kernel"
    fits = {"": op in _ROWS, "i": op not in _ROWS, "f": op not in _ROWS | _INTEGER}
    fits["s"] = op not in _ROWS | _NUMERIC | _INTEGER
    fits["o"] = op not in _ROWS | _NUMERIC | _INTEGER | _ORDERED
    if not fits.get(lane, False):
        return f"{op} has no kernel for lane {lane!r}"
    if op.startswith("arg_") and second not in ("i", "f", "s"):
        return f"{op} has no kernel for the order of lane {second!r}"
    return None


def result_lane(op: str, lane: str) -> str:
    """Return the lane of an aggregate's result: ``i``, ``f``, ``s`` (a dictionary entry) or ``p`` (a row)."""
    found = lane if OPS[op] == "=" else OPS[op]
    return "p" if found == "o" else found


@dataclass(frozen=True)
class Column:
    """One column of a piece, aligned to its rows.

    Parameters
    ----------
    lane
        ``i``, ``f``, ``s`` or ``o``.
    values
        int8/16/32/64, float32/64, or the codes; None for ``o``, and for a column that is NULL in all rows.
    validity
        Arrow's bitmap (uint8, lowest bit first, 1 = not NULL), None when no value is NULL. A missing column has
        ``values`` None and lane ``i``, ``f`` or ``s``.
    offsets, data
        Of lane ``s``: code c is ``data[offsets[c]:offsets[c + 1]]`` (int64, uint8). The dictionary is sorted by bytes
        and has no value twice, unless ``ordered`` is False.
    ordered
        Whether code order is value order and every value has one code.
    tree
        What :func:`workbench.kernels.trees.build_tree` made of this column, float64/int64 of shape (nodes, 10) or None.
    newer, newer_counts
        What :func:`workbench.kernels.trees.build_newer` made of this column, or None.
    older
        What :func:`workbench.kernels.trees.older_links` made of ``newer``, or None: distinct counts of neighbouring
        anchors of a batch then cost what changes between them.
    """

    lane: str
    values: npt.NDArray[Any] | None
    validity: npt.NDArray[np.uint8] | None = None
    offsets: npt.NDArray[np.int64] | None = None
    data: npt.NDArray[np.uint8] | None = None
    ordered: bool = True
    tree: npt.NDArray[np.int64] | None = None
    newer: npt.NDArray[np.int32] | None = None
    newer_counts: npt.NDArray[np.int32] | None = None
    older: npt.NDArray[np.int32] | None = None


@dataclass(frozen=True)
class KeyLevel:
    """One column of the distinct keys of a piece, in physical form.

    ``values`` int64, or ``offsets`` (int64, keys + 1) and ``data`` (uint8) of byte strings; ``validity`` is Arrow's
    bitmap, None when no key is NULL there.
    """

    values: npt.NDArray[np.int64] | None = None
    offsets: npt.NDArray[np.int64] | None = None
    data: npt.NDArray[np.uint8] | None = None
    validity: npt.NDArray[np.uint8] | None = None


@dataclass(frozen=True)
class KeyTable:
    """The distinct keys of a piece, sorted by level (NULLs last), and the rows of each.

    ``starts``: int64, keys + 1: the rows of key k are ``[starts[k], starts[k + 1])``. ``slots``: the hash index that
    :func:`workbench.kernels.keytable.build_slots` made (int32), or None: then keys are found by bisection.
    """

    levels: tuple[KeyLevel, ...]
    starts: npt.NDArray[np.int64]
    slots: npt.NDArray[np.int32] | None = None


@dataclass(frozen=True)
class Piece:
    """Rows of one table in the order of one index, all of them with an order value.

    Parameters
    ----------
    ord
        int64: the order values. Rows without one do not belong to the ranges that are given for a key.
    seq
        int32 or int64: arrival numbers relative to ``base``.
    columns
        One for every lane of the program.
    base
        What is added to ``seq``.
    max_seq
        The greatest arrival number of the piece; a cut below it makes every row be looked at.
    member, rank
        The table that the rows are of, and how near they are among rows of equal order (smaller is nearer).
    keys
        Finds the rows of a key; None when the caller gives ranges, or when all rows are of the one key that is asked.
    request
        The rows are the anchors themselves: row a is position 0 of anchor a and of nobody else. ``ord`` and ``seq``
        are not read.
    valid_ends
        int64, one per key of ``keys``: where the rows with an order value end; None when all rows have one.
    """

    ord: npt.NDArray[np.int64]
    seq: npt.NDArray[Any]
    columns: tuple[Column, ...]
    base: int = 0
    max_seq: int = INT_MAX
    member: int = 0
    rank: int = 0
    keys: KeyTable | None = None
    request: bool = False
    valid_ends: npt.NDArray[np.int64] | None = None

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return len(self.ord)


@dataclass(frozen=True)
class Constant:
    """The values of one constant, one an anchor: int64 or float64, or byte strings; ``valid`` uint8, None = no NULL."""

    values: npt.NDArray[Any] | None = None
    offsets: npt.NDArray[np.int64] | None = None
    data: npt.NDArray[np.uint8] | None = None
    valid: npt.NDArray[np.uint8] | None = None


@dataclass(frozen=True)
class Anchors:
    """Who asks, in a batch. Arrays are int64 of one value an anchor unless said otherwise.

    A row of member m is visible when ``(ord, seq) < (upto_ord[m], upto_seq[m])``, ``ord >= since[m]`` and
    ``seq <= cut``. Anchors of the same key next to each other, oldest first, are cheapest.

    Parameters
    ----------
    order
        The order value, from which ages are counted.
    begin, end
        For every piece the range of rows of the anchor's key, two arrays or None: all rows of the piece (of a request
        piece: its row).
    upto_ord
        One array a member; None: ``order``.
    upto_seq
        One array a member; None: after all rows of that order (INT_MAX).
    since
        One array a member; None: no bound.
    cut
        None: every row is known.
    constants
        One for every constant of the program.
    """

    order: npt.NDArray[np.int64]
    begin: Sequence[npt.NDArray[np.int64] | None]
    end: Sequence[npt.NDArray[np.int64] | None]
    upto_ord: Sequence[npt.NDArray[np.int64]] | None = None
    upto_seq: Sequence[npt.NDArray[np.int64]] | None = None
    since: Sequence[npt.NDArray[np.int64]] | None = None
    cut: npt.NDArray[np.int64] | None = None
    constants: Sequence[Constant] = field(default_factory=tuple)

    def __len__(self) -> int:
        return len(self.order)


@dataclass(frozen=True)
class Result:
    """What a batch computed.

    Parameters
    ----------
    values
        int64 (calls, anchors). Calls of result lane ``f`` are float64 bits: :meth:`lane`. Of lane ``s`` they are
        locations ``piece << LOCATION_SHIFT | code`` in the dictionary of the column in that piece, of lane ``p``
        ``piece << LOCATION_SHIFT | row``.
    valid
        uint8 (calls, anchors): 0 where the result is NULL (a location: where there is no row, or its value is NULL).
    status
        uint8 (anchors): 0, or why nothing of this anchor counts: bits OVERFLOW (an integer sum beyond 64 bits),
        NOT_FINITE (NaN, infinity or a sum beyond floats), OUT_OF_RANGE (squares below or above what floats hold).
    """

    values: npt.NDArray[np.int64]
    valid: npt.NDArray[np.uint8]
    status: npt.NDArray[np.uint8]
    program: Program

    def lane(self, call: int) -> npt.NDArray[Any]:
        """Return the values of a call as int64 or float64."""
        values = self.values[call]
        return values.view(np.float64) if self.program.results[call] == "f" else values


def location(value: int) -> tuple[int, int]:
    """Return the piece and the row or code of a location.

    >>> location(3 << LOCATION_SHIFT | 17)
    (3, 17)
    """
    return value >> LOCATION_SHIFT, value & ((1 << LOCATION_SHIFT) - 1)
