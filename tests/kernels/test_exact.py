"""Sums and variances are exact before they are rounded: against fractions, in any order, split anyhow."""

from __future__ import annotations

import math
import random
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.kernels.batch import evaluate
from workbench.kernels.layout import NOT_FINITE, OUT_OF_RANGE
from workbench.kernels.program import Anchors, Call, Column, Piece, Program, Windowed
from workbench.kernels.trees import build_tree

pytestmark = pytest.mark.usefixtures("kernels")

OPS = ("sum", "avg", "var_pop", "var_samp", "stddev_pop", "stddev_samp", "min", "max", "count")


def compute(pieces: list[Any], tree: bool = True) -> tuple[list[Any], int]:
    """The aggregates of all values of some pieces, and the status."""
    lane = "f" if pieces[0].dtype.kind == "f" else "i"
    program = Program(lane, (Windowed("range", None),), tuple(Call(op, 0, 0) for op in OPS))
    made = []
    for values in pieces:
        zeros = np.zeros(len(values), dtype=np.int64)
        made.append(Piece(zeros, zeros, (Column(lane, values, tree=build_tree(values) if tree else None),)))
    none = [None] * len(made)
    result = evaluate(program, made, Anchors(np.zeros(1, dtype=np.int64), none, none))
    values = [result.lane(c)[0].item() if result.valid[c, 0] else None for c in range(len(OPS))]
    return values, int(result.status[0])


def wanted(values: list[float]) -> list[Any]:
    n, total = len(values), sum(map(Fraction, values), Fraction(0))
    deviations = float(n * sum((Fraction(v) ** 2 for v in values), Fraction(0)) - total**2)
    pop, samp = deviations / (float(n) * n), deviations / (float(n) * (n - 1)) if n > 1 else None
    spread = [math.sqrt(pop), None if samp is None else math.sqrt(samp)]
    return [float(total), float(total) / n, pop, samp, *spread, min(values) + 0.0, max(values) + 0.0, n]


def split(rng: random.Random, values: list[float]) -> list[Any]:
    mixed = rng.sample(values, len(values))
    cuts = sorted(rng.choices(range(len(mixed) + 1), k=rng.randint(0, 3)))
    return [np.array(mixed[a:b]) for a, b in zip([0, *cuts], [*cuts, len(mixed)], strict=True)]


def agree(values: list[float], seed: int) -> None:
    rng = random.Random(seed)
    want = wanted(values)
    for _ in range(3):
        got, status = compute(split(rng, values), tree=rng.random() < 0.7)
        assert status == 0
        assert got == want, (seed, values)


parts = st.floats(-1.0, 1.0, allow_subnormal=False)
floats = st.one_of(
    st.builds(lambda x, e: x * 2.0**e, parts.filter(lambda x: abs(x) > 1e-3), st.integers(-280, 280)),
    st.sampled_from([0.0, -0.0, 1.0, -1.0, 2.0**53, 2.0**-53, 2.0**-54, 2.0**-106, 1e16, -1e16, 0.1]),
    parts.map(lambda x: 1e9 + x),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(floats, min_size=1, max_size=12), st.integers(0, 2**32))
def test_any_floats(values: list[float], seed: int) -> None:
    tiny = [v for v in values if 0 < abs(v) < 2.0**-299]
    if not tiny:
        agree(values, seed)


@settings(max_examples=40, deadline=None)
@given(st.lists(floats, min_size=1, max_size=6), st.integers(0, 2**32))
def test_what_cancels(values: list[float], seed: int) -> None:
    if not [v for v in values if 0 < abs(v) < 2.0**-299]:
        agree([*values, *(-v for v in values), 2.0**-60], seed)


STYLES = {
    "close": lambda rng: 1e9 + rng.random(),
    "amounts": lambda rng: round(rng.lognormvariate(3, 1.2), 2),
    "normal": lambda rng: rng.gauss(0, 1),
    "wide": lambda rng: rng.uniform(-1, 1) * 2.0 ** rng.randint(-100, 100),
    "equal": lambda rng: 0.1,
}


@pytest.mark.parametrize("style", STYLES)
def test_many_floats(style: str) -> None:
    rng = random.Random(style)
    agree([STYLES[style](rng) for _ in range(9000)], 3)


def test_equal_values_do_not_vary() -> None:
    assert compute([np.full(1000, 0.1)])[0][2:6] == [0.0] * 4
    assert compute([np.full(1000, 1e9 / 3)])[0][2:6] == [0.0] * 4


@pytest.mark.parametrize("kind", [np.int8, np.int32, np.int64])
def test_integers(kind: type) -> None:
    rng = random.Random(str(kind))
    highest = int(np.iinfo(kind).max)
    values = [rng.randint(-highest - 1, highest) for _ in range(9000)]
    want = wanted(values)  # type: ignore[arg-type]
    for _ in range(3):
        pieces = [piece.astype(kind) for piece in split(rng, values) if len(piece)]  # type: ignore[arg-type]
        got, status = compute(pieces)
        total = sum(values)
        if -(2**63) <= total < 2**63:
            assert (got[0], status) == (total, 0)
        else:
            assert status == 1
        assert got[2:] == [*want[2:6], min(values), max(values), len(values)]
        assert got[1] == pytest.approx(total / len(values), rel=1e-15)


@pytest.mark.parametrize("odd", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("rows", [3, 1000])
def test_sums_of_what_is_not_finite_are_refused(odd: float, rows: int) -> None:
    values = np.ones(rows)
    values[rows // 2] = odd
    found, status = compute([values])
    assert status == NOT_FINITE
    ordered = sorted(values.tolist(), key=lambda v: (math.isnan(v), 0 if math.isnan(v) else v))
    assert repr(found[6:]) == repr([ordered[0], ordered[-1], rows])


def test_sums_beyond_floats_are_refused() -> None:
    assert compute([np.array([1.7e308, 1.7e308])])[1] == NOT_FINITE | OUT_OF_RANGE
    assert compute([np.array([1.7e308, 1.7e308, -1.7e308])])[0][0] == 1.7e308


def test_squares_beyond_floats_are_refused() -> None:
    assert compute([np.array([1e-100, 1.0])])[1] == OUT_OF_RANGE
    assert compute([np.array([1e100, 1.0])])[1] == OUT_OF_RANGE
