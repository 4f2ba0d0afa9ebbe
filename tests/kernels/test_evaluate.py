"""Kernels against plain Python: every aggregate, window and compare, however the rows are split into pieces."""

from __future__ import annotations

import math
import random
import struct
from typing import Any

import numpy as np
import pytest

from tests.kernels import brute, drawn
from workbench.kernels import trees
from workbench.kernels.batch import evaluate
from workbench.kernels.layout import NOT_FINITE, OUT_OF_RANGE, OVERFLOW
from workbench.kernels.program import Anchors, Call, Column, Piece, Program, Result, Windowed, location

pytestmark = pytest.mark.usefixtures("kernels")


def value(
    program: Program, pieces: list[Piece], parts: list[list[brute.Row]], result: Result, c: int, a: int
) -> Any:
    if not result.valid[c, a]:
        return None
    word = result.lane(c)[a].item()
    lane = program.results[c]
    if lane == "f" or lane == "i":
        return word
    number, place = location(word)
    if lane == "s":
        column = pieces[number].columns[program.calls[c].column]
        assert column.offsets is not None and column.data is not None
        return column.data[column.offsets[place] : column.offsets[place + 1]].tobytes()
    if program.calls[c].op == "row":
        return parts[number][place] if number < len(parts) else "request"
    return b"opaque"


def same(left: Any, right: Any) -> bool:
    if isinstance(left, float) and isinstance(right, float):
        if math.isnan(left) or math.isnan(right):
            return math.isnan(left) and math.isnan(right)
        return struct.pack("<d", left) == struct.pack("<d", right)
    return type(left) is type(right) and left == right


@pytest.mark.parametrize("style", ["plain", "close", "wide", "few", "odd"])
@pytest.mark.parametrize("seed", range(8))
def test_equals_plain_python(style: str, seed: int) -> None:
    rng = random.Random(f"{style} {seed}")
    members = rng.choice((1, 1, 3))
    program = drawn.program(rng, members)
    stored = drawn.rows(rng, rng.choice((0, 5, 60, 400)), members, style)
    parts = drawn.split(rng, stored, rng.choice((1, 2, 4)))
    asking = drawn.askers(rng, stored, 25, members, style)
    pieces = [drawn.piece(rng, part) for part in parts]
    if program.history:
        pieces.append(drawn.request_piece(rng, asking))
    result = evaluate(
        program, pieces, drawn.anchors(asking, parts, program.history, members, program.constants)
    )
    check(program, pieces, parts, stored, asking, result, f"{style} {seed}")


def check(
    program: Program,
    pieces: list[Piece],
    parts: list[list[brute.Row]],
    stored: list[brute.Row],
    asking: list[brute.Asker],
    result: Result,
    seed: str,
) -> None:
    for a, asker in enumerate(asking):
        wanted = brute.expected(program, stored, asker)
        status = 0
        for c, want in enumerate(wanted):
            if want == brute.OVERFLOW or want == brute.NOT_FINITE:
                status |= OVERFLOW if want == brute.OVERFLOW else NOT_FINITE
                continue
            if isinstance(want, brute.Row) and want.seq is None:
                want = "request"
            got = value(program, pieces, parts, result, c, a)
            if program.calls[c].op == "row" or not isinstance(got, brute.Row):
                assert same(got, want), (seed, a, asker, program.calls[c], program.windows, got, want)
        assert int(result.status[a]) & ~OUT_OF_RANGE == status, (seed, a, asker)


def test_halves_are_computed_by_two_threads() -> None:
    rng = random.Random(5)
    program = drawn.program(rng, 1)
    stored = drawn.rows(rng, 100, 1, "plain")
    parts = drawn.split(rng, stored, 2)
    asking = drawn.askers(rng, stored, 40, 1, "plain")
    pieces = [drawn.piece(rng, part) for part in parts]
    if program.history:
        pieces.append(drawn.request_piece(rng, asking))
    anchors = drawn.anchors(asking, parts, program.history, 1, program.constants)
    one, two = evaluate(program, pieces, anchors), evaluate(program, pieces, anchors, threads=2)
    assert (one.values == two.values).all()
    assert (one.valid == two.valid).all()
    assert (one.status == two.status).all()


@pytest.mark.parametrize("seed", range(4))
def test_neighbouring_anchors_share_distinct_counts(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows = 3000
    x = rng.integers(0, rng.integers(2, 600), rows).astype(np.int16)
    validity = np.packbits(rng.random(rows) < 0.9, bitorder="little")
    starts = np.array([0, 1200, rows])
    newer, counts = trees.build_newer(x, starts, validity)
    column = Column("i", x, validity, newer=newer, newer_counts=counts, older=trees.older_links(newer))
    order = np.concatenate([np.sort(rng.integers(0, 5000, n))[::-1] for n in (1200, 1800)])
    piece = Piece(order, np.arange(rows)[::-1].copy(), (column,))
    program = Program("i", (Windowed("range", 1500),), (Call("distinct", 0, 0),))
    asked = np.sort(rng.integers(0, 6000, 300))[:: 1 if seed % 2 else -1].copy()
    begin, end = np.repeat([0, 1200], 300), np.repeat([1200, rows], 300)
    result = evaluate(program, [piece], Anchors(np.tile(asked, 2), [begin], [end]))
    known = np.unpackbits(validity, count=rows, bitorder="little").astype(bool)
    for a, now in enumerate(np.tile(asked, 2)):
        inside = (order <= now) & (order >= now - 1500) & known
        inside[: begin[a]] = inside[end[a] :] = False
        assert result.values[0, a] == len(np.unique(x[inside]))


def test_trees_of_all_levels() -> None:
    rng = np.random.default_rng(1)
    rows = 600_000
    x = rng.integers(-1000, 1000, rows).astype(np.float64) / 8
    order = np.arange(rows)[::-1].copy()
    windows = tuple(Windowed("range", start, 1) for start in (100, 5000, 100_000, 550_000))
    calls = tuple(Call(op, w, 0) for w in range(4) for op in ("sum", "min", "max", "var_pop", "count"))
    column = Column("f", x, tree=trees.build_tree(x))
    piece = Piece(order, order.astype(np.int32), (column,))
    result = evaluate(
        Program("f", windows, calls), [piece], Anchors(np.array([rows, rows - 700, 9]), [None], [None])
    )
    for a, now in enumerate([rows, rows - 700, 9]):
        for w, window in enumerate(windows):
            assert window.start is not None
            seen = x[rows - now : max(rows - now + window.start, 0)]
            got = [result.lane(5 * w + c)[a].item() for c in range(5)]
            assert got[:3] + got[4:] == [seen.sum(), seen.min(), seen.max(), len(seen)]
            assert got[3] == pytest.approx(seen.var(), rel=1e-12)


ZEROS = np.zeros(3, np.int64)
SUM = Program("f", (Windowed("range", None),), (Call("sum", 0, 0),))
FLOATS = Column("f", np.ones(3))


@pytest.mark.parametrize(
    ("piece", "bound"),
    [
        (Piece(ZEROS, ZEROS, ()), 3),
        (Piece(ZEROS, ZEROS[:2], (FLOATS,)), 3),
        (Piece(ZEROS.astype(np.int32), ZEROS, (FLOATS,)), 3),
        (Piece(ZEROS, ZEROS, (FLOATS,), member=1), 3),
        (Piece(ZEROS, ZEROS, (Column("f", np.ones(2)),)), 3),
        (Piece(ZEROS, ZEROS, (Column("f", np.ones(6)[::2]),)), 3),
        (Piece(ZEROS, ZEROS, (Column("f", np.ones(3, np.complex128)),)), 3),
        (Piece(ZEROS, ZEROS, (Column("i", ZEROS),)), 3),
        (Piece(ZEROS, ZEROS, (Column("f", np.ones(3), newer=np.zeros(3, np.int32)),)), 3),
        (Piece(ZEROS, ZEROS, (FLOATS,)), 4),
        (Piece(ZEROS, ZEROS, (FLOATS,), request=True), 3),
    ],
)
def test_arrays_that_do_not_fit_are_refused(piece: Piece, bound: int) -> None:
    with pytest.raises(ValueError):
        evaluate(SUM, [piece], Anchors(ZEROS[:1], [None], [np.array([bound])]))


@pytest.mark.parametrize("rows", [0, 1])
def test_there_may_be_nothing(rows: int) -> None:
    nothing = np.zeros(rows, np.int64)
    piece = Piece(nothing, nothing, (Column("f", np.ones(rows)),))
    result = evaluate(SUM, [piece], Anchors(ZEROS, [None], [None]))
    assert result.valid.tolist() == [[rows] * 3]
    assert evaluate(SUM, [], Anchors(ZEROS, [], [])).valid.tolist() == [[0] * 3]
    assert evaluate(SUM, [piece], Anchors(ZEROS[:0], [None], [None]), threads=2).values.shape == (1, 0)
