"""Batches: many anchors at once, as offline work and arrays of requests have them."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from workbench.kernels import layout as at
from workbench.kernels.binding import Held, Scratch, address, bind_pieces, compile_program
from workbench.kernels.machine import machine
from workbench.kernels.object_file import BATCH
from workbench.kernels.program import Anchors, Piece, Program, Result


def evaluate(program: Program, pieces: Sequence[Piece], anchors: Anchors, threads: int = 1) -> Result:
    """Compute a program for many anchors.

    Parameters
    ----------
    program
        What is computed.
    pieces
        The rows; of a history program one of them may be the request piece, with one row an anchor.
    anchors
        Who asks. Neighbours of the same key and of near order are cheapest.
    threads
        Into how many halves the anchors are split; the interpreter is free meanwhile.

    Raises
    ------
    KernelsUnavailable
        When this process has no compiled code.
    ValueError
        When the arrays do not fit the program.
    """
    compiled, bound = compile_program(program), bind_pieces(program, pieces)
    count = len(anchors)
    result = Result(
        np.zeros((len(program.calls), count), dtype=np.int64),
        np.zeros((len(program.calls), count), dtype=np.uint8),
        np.zeros(count, dtype=np.uint8),
        program,
    )
    block = _block(program, compiled, bound, pieces, anchors, result)
    run = machine().run
    steps = np.linspace(0, count, threads + 1).astype(int).tolist()
    parts = [(a, b, Scratch(compiled, len(pieces))) for a, b in pairwise(steps)]
    if threads == 1:
        run(BATCH, block.address, 0, count, parts[0][2].address)
        return result
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(lambda part: run(BATCH, block.address, part[0], part[1], part[2].address), parts))
    return result


def _block(
    program: Program, compiled: Held, bound: Held, pieces: Sequence[Piece], anchors: Anchors, result: Result
) -> Held:
    count = len(anchors)

    def checked(array: npt.NDArray[Any] | None) -> int:
        if array is not None and (len(array) != count or array.dtype != np.int64):
            raise ValueError("an array of the anchors is not int64 of one value an anchor")
        return address(array)

    ranges = [checked(a) for pair in zip(anchors.begin, anchors.end, strict=True) for a in pair]
    if len(ranges) != 2 * len(pieces) or len(anchors.constants) != len(program.constants):
        raise ValueError("the anchors' ranges or constants are not as many as the pieces or constants")
    for piece, begin, end in zip(pieces, anchors.begin, anchors.end, strict=True):
        if piece.request and piece.rows != count:
            raise ValueError("a request piece has one row an anchor")
        for rows in (begin, end):
            if rows is not None and count and not 0 <= rows.min() <= rows.max() <= piece.rows:
                raise ValueError("the rows of an anchor's key are not rows of the piece")
    members = []
    for m in range(program.members):
        for arrays in (anchors.upto_ord, anchors.upto_seq, anchors.since):
            members.append(0 if arrays is None else checked(arrays[m]))
    constants = []
    for c in anchors.constants:
        constants += [address(c.values), address(c.offsets), address(c.data), address(c.valid)]
    tables = [np.array(table, dtype=np.int64) for table in (constants, ranges, members)]
    words = np.zeros(at.BATCH_WORDS, dtype=np.int64)
    words[at.B_PROGRAM], words[at.B_PIECES], words[at.B_COUNT] = compiled.address, bound.address, len(pieces)
    words[at.B_ANCHORS], words[at.B_ORDER], words[at.B_CUT] = (
        count,
        checked(anchors.order),
        checked(anchors.cut),
    )
    words[at.B_CONSTANTS], words[at.B_RANGES], words[at.B_MEMBERS] = (address(table) for table in tables)
    words[at.B_VALUES], words[at.B_VALID] = address(result.values), address(result.valid)
    words[at.B_STATUS] = address(result.status)
    return Held(words, compiled, bound, anchors, tables)
