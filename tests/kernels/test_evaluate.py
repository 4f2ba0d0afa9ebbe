"""Kernels against plain Python: every aggregate, window and compare, however the rows are split into pieces."""

from __future__ import annotations

import math
import random
import struct
from typing import Any

import pytest

from tests.kernels import brute, drawn
from workbench.kernels.batch import evaluate
from workbench.kernels.layout import NOT_FINITE, OUT_OF_RANGE, OVERFLOW
from workbench.kernels.program import Piece, Program, Result, location

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
