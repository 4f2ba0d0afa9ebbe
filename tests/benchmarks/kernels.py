"""Kernels alone, without storage and plans: by window length, in batches, and what builds trees."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tests.benchmarks.runner import Contender, Measurement, rate, side_by_side
from tests.kernels.request import Request
from workbench.kernels import trees, warm
from workbench.kernels.batch import evaluate
from workbench.kernels.program import Anchors, Call, Column, KeyLevel, KeyTable, Piece, Program, Windowed

LENGTHS = (10, 100, 1_000, 10_000, 100_000, 1_000_000)
CALLS = 1_000
OPS = ("sum", "avg", "min", "max", "stddev_pop")


def run(folder: Path, scale: float) -> list[Measurement]:
    """Measure single requests side by side, then a batch and the builders."""
    warm.warm(folder / "kernels")
    if not warm.load(folder / "kernels"):
        raise SystemExit(f"no compiled kernels: {warm.reason()}")
    rows = int(LENGTHS[-1] * scale)
    rng = np.random.default_rng(1)
    amounts, shops = np.round(rng.lognormal(3, 1.2, rows), 2), rng.integers(0, 500, rows).astype(np.int32)
    return [*_lengths(amounts, shops), *_batch(amounts, shops), *_builders(amounts, shops)]


def _piece(amounts: Any, shops: Any, keys: int) -> Piece:
    rows = len(amounts)
    starts = np.linspace(0, rows, keys + 1).astype(np.int64)
    order = np.arange(rows)[::-1].copy()
    newer, counts = trees.build_newer(shops, starts)
    columns = (
        Column("f", amounts, tree=trees.build_tree(amounts)),
        Column("i", shops, newer=newer, newer_counts=counts, older=trees.older_links(newer)),
    )
    levels = (KeyLevel(np.arange(keys)),)
    table = KeyTable(levels, starts, trees.build_slots(levels, keys))
    return Piece(order, order.astype(np.int32), columns, keys=table)


def _lengths(amounts: Any, shops: Any) -> list[Measurement]:
    piece = _piece(amounts, shops, 1)
    contenders = []
    for length in (length for length in LENGTHS if length <= len(amounts)):
        window = (Windowed("range", length, 1),)
        calls = (*(Call(op, 0, 0) for op in OPS), Call("count_star", 0), Call("distinct", 0, 1))
        program = Program("fi", window, calls)
        request = Request([(program, [piece])], [1])
        arguments, part = request.arguments(), request.parts[0]
        arguments[part.keys[0] + 1] = 0
        arguments[part.order] = arguments[part.members[0]] = len(amounts)

        def many(request: Request = request, arguments: list[int | float] = arguments) -> None:
            for _ in range(CALLS):
                request.run(arguments)

        contenders.append(Contender(f"{length:,} rows", many))
    return side_by_side(f"kernels, {CALLS:,} requests by window", contenders, 15)


def _batch(amounts: Any, shops: Any) -> list[Measurement]:
    lines = []
    rows = len(amounts)
    windows = tuple(Windowed("range", length, 1) for length in (10, 100, 1_000, 100_000))
    sums = [call for w in range(4) for call in (Call("count_star", w), Call("sum", w, 0))]
    program = Program("fi", windows, (*sums, Call("distinct", 3, 1)))
    for keys in (max(rows // 50, 1), 1):
        piece = _piece(amounts, shops, keys)
        assert piece.keys is not None
        order, starts = piece.ord + 1, piece.keys.starts
        key = np.searchsorted(starts, np.arange(rows), side="right") - 1
        anchors = Anchors(order, [starts[key]], [starts[key + 1]])
        name = f"{keys:,} keys, 9 aggregates"
        lines.append(
            rate(
                "kernels, anchors of a batch",
                name,
                rows,
                lambda p=piece, a=anchors: evaluate(program, [p], a),
            )
        )
    return lines


def _builders(amounts: Any, shops: Any) -> list[Measurement]:
    starts = np.arange(0, len(shops) + 1, max(len(shops) // 20_000, 1), dtype=np.int64)
    levels = (KeyLevel(np.arange(len(shops))),)
    return [
        rate("kernels, builders", "tree", len(amounts), lambda: trees.build_tree(amounts), runs=5),
        rate("kernels, builders", "links", len(shops), lambda: trees.build_newer(shops, starts), runs=5),
        rate("kernels, builders", "hash", len(shops), lambda: trees.build_slots(levels, len(shops)), runs=5),
    ]
