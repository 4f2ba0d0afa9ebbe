"""Random programs, rows and pieces for the tests of kernels."""

from __future__ import annotations

import random
from collections import defaultdict
from typing import Any

import numpy as np

from tests.kernels.brute import Asker, Row
from workbench.kernels import trees
from workbench.kernels.program import (
    INT_MAX,
    INT_MIN,
    OPS,
    Anchors,
    Call,
    Column,
    Compare,
    Constant,
    Piece,
    Program,
    Windowed,
    refusal,
)

LANES = "iffsoii"
_INTEGERS = ((8, np.int8), (16, np.int16), (32, np.int32), (64, np.int64))
WORDS = [b"", b"a", b"ab", b"b", b"grocery", b"grocery store", b"\xff", b"zz"]


def program(rng: random.Random, members: int) -> Program:
    """Windows of all kinds and calls of all aggregates."""
    constants = "ifs"
    columns = {"i": 0, "f": 1, "s": 3}
    ops = ("eq", "ne", "lt", "le", "gt", "ge")
    compares = tuple(Compare(columns[lane], rng.choice(ops), "ifs".index(lane)) for lane in "iffss")
    windows = tuple(window(rng) for _ in range(rng.randint(1, 6)))
    calls = []
    for op in OPS:
        for column in range(-1, len(LANES)) if rng.random() < 0.8 else ():
            second = rng.choice((0, 1, 3)) if op.startswith("arg_") else -1
            lane = LANES[column] if column >= 0 else ""
            if op.startswith("b") and column not in (5, -1):
                continue
            if refusal(op, lane, LANES[second] if second >= 0 else "") is None:
                chosen = tuple(rng.sample(range(5), rng.choice((0, 0, 0, 1, 2))))
                n = rng.randint(0, 5) if op != "avg" else rng.choice((0, 2))
                calls.append(Call(op, rng.randrange(len(windows)), column, second, n, rng.random(), chosen))
    return Program(LANES, windows, tuple(calls), compares, constants, rng.random() < 0.5, members)


def window(rng: random.Random) -> Windowed:
    unit = rng.choice(("rows", "range"))
    start = rng.choice((None, 0, 1, 3, 10, 50, 200))
    end = rng.choice((0, 0, 1, 2, 7))
    if start is not None:
        start = max(start, end)
    maxsize = rng.choice((None, None, None, 1, 2, 10, 0))
    return Windowed(unit, start, end, maxsize, rng.random() < 0.3)


def values(rng: random.Random, style: str) -> tuple[Any, ...]:
    """One row; ``style`` says what floats look like."""

    def perhaps(value: Any) -> Any:
        return None if rng.random() < 0.15 else value

    floats = {
        "plain": lambda: round(rng.lognormvariate(3, 1), 2),
        "close": lambda: 1e9 + rng.random(),
        "wide": lambda: rng.uniform(-1, 1) * 2.0 ** rng.randint(-280, 280),
        "few": lambda: rng.choice((0.0, -0.0, 1.0, 0.1, -0.1, 1e16, -1e16)),
        "odd": lambda: rng.choice((0.0, 1.5, float("nan"), float("inf"), -float("inf"))),
    }[style]
    return (
        perhaps(rng.randint(-5, 5)),
        perhaps(floats()),
        perhaps(float(rng.randint(-4, 4))),
        perhaps(rng.choice(WORDS)),
        perhaps(b"opaque"),
        perhaps(rng.choice((0, 1))),
        perhaps(
            rng.choice((2**62, -(2**62), 2**40 + 1, -3)) if style == "odd" else rng.randint(-(2**40), 2**40)
        ),
    )


def rows(rng: random.Random, count: int, members: int, style: str) -> list[Row]:
    spread = rng.choice((3, 30, 300, 3000))
    keys = rng.choice((1, 3))
    made = []
    for seq in range(count):
        member = rng.randrange(members)
        made.append(
            Row(rng.randrange(keys), rng.randrange(spread), seq, values(rng, style), member, member // 2)
        )
    return made


def askers(rng: random.Random, stored: list[Row], count: int, members: int, style: str) -> list[Asker]:
    made = []
    highest = max((row.ord for row in stored), default=0)
    for _ in range(count):
        order = rng.randint(0, highest + 3)
        upto = tuple(order - rng.choice((0, 0, 0, 5)) for _ in range(members))
        seqs = tuple(
            rng.choice((INT_MAX, INT_MAX, INT_MIN, rng.randint(0, len(stored)))) for _ in range(members)
        )
        since = tuple(rng.choice((INT_MIN, INT_MIN, order - 40)) for _ in range(members))
        drawn = values(rng, style)
        cut = rng.choice((INT_MAX, INT_MAX, rng.randint(0, len(stored) + 1)))
        made.append(
            Asker(
                rng.randrange(4),
                order,
                upto,
                seqs,
                since,
                (drawn[0], drawn[1], drawn[3]),
                values(rng, style),
                cut,
            )
        )
    return sorted(made, key=lambda asker: (asker.key, -asker.order))


# -- pieces


def bitmap(valid: list[bool]) -> np.ndarray | None:
    if all(valid):
        return None
    return np.packbits(np.array(valid, dtype=bool), bitorder="little")


def column(rng: random.Random, lane: str, found: list[Any], starts: np.ndarray) -> Column:
    """A column in some physical form, with or without what makes it cheap."""
    validity = bitmap([value is not None for value in found])
    if lane == "o":
        return Column("o", None, validity)
    if all(value is None for value in found) and rng.random() < 0.5:
        return Column(lane, None)
    if lane == "s":
        return _strings(rng, found, validity, starts)
    filled = [0 if value is None else value for value in found]
    if lane == "f":
        array = np.array(filled, dtype=np.float64)
        if rng.random() < 0.2 and _single(array):
            array = array.astype(np.float32)
    else:
        widest = max((abs(value) for value in filled), default=0)
        kinds = [kind for bits, kind in _INTEGERS if widest < 2 ** (bits - 1)]
        array = np.array(filled, dtype=rng.choice(kinds))
    return Column(lane, array, validity, **_beside(rng, array, validity, starts))


def _single(array: np.ndarray) -> bool:
    with np.errstate(over="ignore"):
        return bool((array.astype(np.float32) == array).all())


def _beside(rng: random.Random, array: np.ndarray, validity: Any, starts: np.ndarray) -> dict[str, Any]:
    made: dict[str, Any] = {}
    if rng.random() < 0.7:
        made["tree"] = trees.build_tree(array, validity)
    if rng.random() < 0.7:
        made["newer"], made["newer_counts"] = trees.build_newer(array, starts, validity)
        made["older"] = trees.older_links(made["newer"]) if rng.random() < 0.7 else None
    return made


def _strings(rng: random.Random, found: list[Any], validity: Any, starts: np.ndarray) -> Column:
    ordered = rng.random() < 0.7
    words = sorted({value for value in found if value is not None} | {b"extra"})
    if not ordered:
        words = words * 2
        rng.shuffle(words)
    codes = [
        rng.choice([c for c, w in enumerate(words) if w == (value if value is not None else words[0])])
        for value in found
    ]
    array = np.array(codes, dtype=rng.choice((np.int8, np.int16, np.int32)))
    offsets = np.cumsum([0, *map(len, words)]).astype(np.int64)
    data = np.frombuffer(b"".join(words) + b"\0", dtype=np.uint8)
    beside = _beside(rng, array, validity, starts) if ordered else {}
    return Column("s", array, validity, offsets, data, ordered, **beside)


def split(rng: random.Random, stored: list[Row], most: int) -> list[list[Row]]:
    """The rows of each piece, each of one member, sorted as pieces are."""
    pieces: dict[tuple[int, int], list[Row]] = defaultdict(list)
    for row in stored:
        pieces[(row.member, rng.randrange(most))].append(row)
    return [sorted(part, key=lambda r: (r.key, -r.ord, -(r.seq or 0))) for part in pieces.values()]


def piece(rng: random.Random, part: list[Row]) -> Piece:
    starts = np.array(
        [i for i in range(len(part)) if i == 0 or part[i].key != part[i - 1].key] + [len(part)],
        dtype=np.int64,
    )
    base = rng.choice((0, -7, 1000))
    seqs = [(row.seq or 0) - base for row in part]
    return Piece(
        np.array([row.ord for row in part], dtype=np.int64),
        np.array(seqs, dtype=rng.choice((np.int32, np.int64))),
        tuple(column(rng, lane, [row.values[c] for row in part], starts) for c, lane in enumerate(LANES)),
        base,
        max(row.seq or 0 for row in part),
        part[0].member,
        part[0].rank,
    )


def request_piece(rng: random.Random, asking: list[Asker]) -> Piece:
    owns = [asker.own for asker in asking]
    starts = np.arange(len(owns) + 1)
    columns = tuple(
        column(rng, lane, [own[c] for own in owns if own], starts) for c, lane in enumerate(LANES)
    )
    zeros = np.zeros(len(owns), dtype=np.int64)
    return Piece(zeros, zeros, columns, request=True)


def anchors(asking: list[Asker], parts: list[list[Row]], history: bool, members: int, lanes: str) -> Anchors:
    begin: list[Any] = []
    end: list[Any] = []
    for part in parts:
        keys = [row.key for row in part]
        begin.append(np.array([np.searchsorted(keys, asker.key, "left") for asker in asking], dtype=np.int64))
        end.append(np.array([np.searchsorted(keys, asker.key, "right") for asker in asking], dtype=np.int64))
    if history:
        begin.append(None)
        end.append(None)

    def each(name: str) -> list[np.ndarray]:
        return [
            np.array([getattr(asker, name)[m] for asker in asking], dtype=np.int64) for m in range(members)
        ]

    constants = [constant(lane, [asker.constants[c] for asker in asking]) for c, lane in enumerate(lanes)]
    order = np.array([asker.order for asker in asking], dtype=np.int64)
    cut = np.array([asker.cut for asker in asking], dtype=np.int64)
    return Anchors(order, begin, end, each("upto_ord"), each("upto_seq"), each("since"), cut, constants)


def constant(lane: str, found: list[Any]) -> Constant:
    valid = np.array([value is not None for value in found], dtype=np.uint8)
    if lane == "s":
        words = [value or b"" for value in found]
        offsets = np.cumsum([0, *map(len, words)]).astype(np.int64)
        return Constant(None, offsets, np.frombuffer(b"".join(words) + b"\0", dtype=np.uint8), valid)
    kind = np.float64 if lane == "f" else np.int64
    return Constant(np.array([0 if value is None else value for value in found], dtype=kind), valid=valid)
