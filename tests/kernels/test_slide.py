"""Windows that slide along the anchors of a key have the values, to the bit, of windows that are read anew."""

from __future__ import annotations

import numpy as np
import pytest

from workbench.kernels.batch import evaluate
from workbench.kernels.program import Anchors, Call, Column, Piece, Program, Windowed
from workbench.kernels.trees import build_tree

ROWS = (12_000, 900, 300, 5)
OPS = ("sum", "avg", "min", "max", "count", "stddev_samp")
PROGRAM = Program(
    "fi",
    (
        Windowed("range", 90_000),
        Windowed("range", 700, 20),
        Windowed("rows", 5_000, 1),
        Windowed("range", None),
    ),
    tuple(Call(op, window, column) for window in range(4) for column in range(2) for op in OPS),
    history=True,
)


def piece_and_anchors(seed: int, tree: bool) -> tuple[Piece, dict[str, np.ndarray]]:
    """Rows of some keys, newest first, and their rows as anchors, oldest first."""
    random = np.random.default_rng(seed)
    order = np.concatenate([np.sort(random.integers(0, 200_000, n))[::-1] for n in ROWS])
    seq = np.concatenate([np.arange(n)[::-1] for n in ROWS])
    floats = random.normal(size=len(order)) * 10.0 ** random.integers(-3, 9, len(order))
    ints = random.integers(-(2**40), 2**40, len(order))
    valid = np.packbits(random.random(len(order)) < 0.9, bitorder="little")
    columns = [Column("f", floats, valid), Column("i", ints, valid)]
    if tree:
        columns = [
            Column(c.lane, c.values, c.validity, tree=build_tree(c.values, c.validity)) for c in columns
        ]
    ends = np.cumsum(ROWS)
    key = np.repeat(np.arange(len(ROWS)), ROWS)
    places = np.lexsort((seq, order, key))
    anchors = {"row": places, "order": order[places], "seq": seq[places]}
    anchors |= {"begin": (ends - ROWS)[key[places]], "end": ends[key[places]]}
    return Piece(order, seq, tuple(columns)), anchors


def values(piece: Piece, anchors: dict[str, np.ndarray], places: np.ndarray, threads: int) -> tuple:
    """Bits and validity of all calls for some of the anchors."""
    asked = {name: np.ascontiguousarray(array[places]) for name, array in anchors.items()}
    random = np.random.default_rng(7)
    own = random.normal(size=len(piece.ord))[asked["row"]]
    request = Piece(asked["order"], asked["seq"], (Column("f", own), Column("i", asked["seq"])), request=True)
    result = evaluate(
        PROGRAM,
        [piece, request],
        Anchors(
            asked["order"],
            [asked["begin"], None],
            [asked["end"], None],
            upto_ord=[asked["order"]],
            upto_seq=[asked["seq"]],
        ),
        threads,
    )
    assert not result.status.any()
    return result.values, result.valid


@pytest.mark.usefixtures("kernels")
@pytest.mark.parametrize("tree", [False, True])
def test_values_do_not_depend_on_who_asked_before(tree: bool) -> None:
    piece, anchors = piece_and_anchors(20, tree)
    count = len(piece.ord)
    slid, valid = values(piece, anchors, np.arange(count), 2)
    # Anchors in no order: nothing slides.
    some = np.random.default_rng(3).permutation(count)[:200]
    anew, anew_valid = values(piece, anchors, some, 1)
    assert np.array_equal(slid[:, some], anew)
    assert np.array_equal(valid[:, some], anew_valid)
    # Some of the anchors, in order.
    often = np.sort(np.random.default_rng(4).permutation(count)[: count // 3])
    part, part_valid = values(piece, anchors, often, 1)
    assert np.array_equal(slid[:, often], part)
    assert np.array_equal(valid[:, often], part_valid)
