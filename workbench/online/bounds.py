"""Which rows of a key request rows see: between two positions in the index's order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

#: Numbers of rows in a table.
Places = npt.NDArray[np.int64]

_LATEST = 2**63


class Bounds(NamedTuple):
    """Before which position rows are seen, and from which order value on."""

    upto: tuple[int, int | None] | None
    since: int | None


def overlapping(asked: list[tuple[int, Bounds]]) -> Iterator[list[tuple[int, Bounds]]]:
    """Groups of request rows whose bounds overlap: reading each group at once reads no row that nobody sees."""
    together: list[tuple[int, Bounds]] = []
    last: int | None = None
    for number, bounds in sorted(asked, key=lambda one: _end(one[1])):
        if together and bounds.since is not None and last is not None and bounds.since > last:
            yield together
            together = []
        together.append((number, bounds))
        last = bounds.upto[0] if bounds.upto is not None else None
    yield together


def _end(bounds: Bounds) -> int:
    return _LATEST if bounds.upto is None else bounds.upto[0]


def around(bounds: Sequence[Bounds]) -> Bounds:
    """The bounds that hold everything that is inside any of these."""
    uptos = [bound.upto for bound in bounds if bound.upto is not None]
    sinces = [bound.since for bound in bounds if bound.since is not None]
    upto = None
    if len(uptos) == len(bounds):
        upto = max(uptos, key=lambda upto: (upto[0], _LATEST if upto[1] is None else upto[1]))
    return Bounds(upto, min(sinces) if len(sinces) == len(bounds) else None)


def within(rows: pa.Table, bounds: Bounds) -> Places:
    """Which of the rows are inside the bounds."""
    if bounds.upto is None:
        return np.arange(rows.num_rows)
    order, seq = bounds.upto
    orders = rows.column("__ord").to_numpy()
    inside = orders <= order
    if seq is not None:
        inside &= (orders < order) | (rows.column("__seq").to_numpy() < seq)
    if bounds.since is not None:
        inside &= orders >= bounds.since
    return np.flatnonzero(inside)
