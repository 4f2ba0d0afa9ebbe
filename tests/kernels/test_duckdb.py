"""What kernels compute is what DuckDB computes: exactly, but for the last digits of float sums."""

from __future__ import annotations

import math
import random
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from tests.kernels.drawn import bitmap
from workbench.kernels.batch import evaluate
from workbench.kernels.program import Anchors, Call, Column, Piece, Program, Windowed

pytestmark = pytest.mark.usefixtures("kernels")

#: Calls on columns x (lane f), i (lane i), s (lane s), y (lane f) and their SQL; rows are fed oldest first.
CALLS = {
    "count(*)": Call("count_star", 0),
    "count(x)": Call("count", 0, 0),
    "sum(x)": Call("sum", 0, 0),
    "avg(x)": Call("avg", 0, 0),
    "min(x)": Call("min", 0, 0),
    "max(x)": Call("max", 0, 0),
    "var_pop(x)": Call("var_pop", 0, 0),
    "var_samp(x)": Call("var_samp", 0, 0),
    "stddev_pop(x)": Call("stddev_pop", 0, 0),
    "stddev_samp(x)": Call("stddev_samp", 0, 0),
    "median(x)": Call("median", 0, 0),
    "quantile_cont(x, 0.3)": Call("quantile_cont", 0, 0, q=0.3),
    "quantile_disc(x, 0.3)": Call("quantile_disc", 0, 0, q=0.3),
    "count(DISTINCT x)": Call("distinct", 0, 0),
    "sum(i)::BIGINT": Call("sum", 0, 1),
    "avg(i)": Call("avg", 0, 1),
    "min(i)": Call("min", 0, 1),
    "max(i)": Call("max", 0, 1),
    "var_samp(i)": Call("var_samp", 0, 1),
    "median(i)": Call("median", 0, 1),
    "quantile_cont(i, 0.75)": Call("quantile_cont", 0, 1, q=0.75),
    "quantile_disc(i, 0.75)": Call("quantile_disc", 0, 1, q=0.75),
    "count(DISTINCT i)": Call("distinct", 0, 1),
    "bit_and(i)": Call("bit_and", 0, 1),
    "bit_or(i)": Call("bit_or", 0, 1),
    "bit_xor(i)": Call("bit_xor", 0, 1),
    "min(s)": Call("min", 0, 2),
    "max(s)": Call("max", 0, 2),
    "count(DISTINCT s)": Call("distinct", 0, 2),
    "first(x ORDER BY seq)": Call("first", 0, 0),
    "last(x ORDER BY seq)": Call("last", 0, 0),
    "any_value(s ORDER BY seq)": Call("any_value", 0, 2),
    "arg_min(i, y ORDER BY seq)": Call("arg_min", 0, 1, 3),
    "arg_max(i, y ORDER BY seq)": Call("arg_max", 0, 1, 3),
    "arg_max(s, s ORDER BY seq)": Call("arg_max", 0, 2, 2),
}


@pytest.mark.parametrize("seed", range(12))
def test_equals_duckdb(seed: int) -> None:
    rng = random.Random(seed)
    rows = rng.choice((1, 2, 7, 300))

    def perhaps(value: Any) -> Any:
        return None if rng.random() < 0.2 else value

    odd = seed % 3 == 0
    x = [
        perhaps(rng.choice((math.nan, 1.5, -2.0)) if odd else round(rng.gauss(10, 5), 3)) for _ in range(rows)
    ]
    i = [perhaps(rng.randint(-9, 9)) for _ in range(rows)]
    s = [perhaps(rng.choice(("", "a", "ä", "b", "Z"))) for _ in range(rows)]
    y = [perhaps(float(rng.randint(0, 3))) for _ in range(rows)]
    table = pa.table(
        {
            "x": pa.array(x, pa.float64(), from_pandas=False),
            "i": pa.array(i, pa.int64()),
            "s": pa.array(s, pa.string()),
            "y": pa.array(y, pa.float64(), from_pandas=False),
            "seq": np.arange(rows),
        }
    )
    # What DuckDB refuses (the variance of NaN) kernels refuse as a whole.
    calls = {sql: c for sql, c in CALLS.items() if not (odd and ("var" in sql or "std" in sql))}
    with duckdb.connect() as connection:
        connection.register("t", table)
        wanted = connection.execute(f"SELECT {', '.join(calls)} FROM t").fetchone()
    assert wanted is not None
    columns = (numbers("f", x), numbers("i", i), strings(s), numbers("f", y))
    piece = Piece(np.zeros(rows, np.int64), np.arange(rows)[::-1].copy(), columns)
    program = Program("fisf", (Windowed("range", None),), tuple(calls.values()))
    result = evaluate(program, [piece], Anchors(np.zeros(1, np.int64), [None], [None]))
    refused = int(result.status[0]) != 0
    assert refused == (odd and any(v is not None and math.isnan(v) for v in x))
    for c, (sql, want) in enumerate(zip(calls, wanted, strict=True)):
        if refused and sql in ("sum(x)", "avg(x)"):
            continue
        got = result.lane(c)[0].item() if result.valid[c, 0] else None
        if got is not None and program.results[c] == "s":
            got = sorted({v for v in s if v is not None}, key=str.encode)[got & 255]
        assert alike(got, want), (seed, sql, got, want)


def alike(got: Any, want: Any) -> bool:
    if isinstance(got, float) and isinstance(want, float):
        return got == want or (math.isnan(got) and math.isnan(want)) or math.isclose(got, want, rel_tol=1e-12)
    return type(got) is type(want) and got == want


def numbers(lane: str, values: list[Any]) -> Column:
    """The column, newest first."""
    array = np.array([0 if v is None else v for v in values[::-1]], dtype="f8" if lane == "f" else "i8")
    return Column(lane, array, bitmap([v is not None for v in values[::-1]]))


def strings(values: list[Any]) -> Column:
    words = sorted({v.encode() for v in values if v is not None}) or [b""]
    codes = [0 if v is None else words.index(v.encode()) for v in values[::-1]]
    offsets = np.cumsum([0, *map(len, words)]).astype(np.int64)
    data = np.frombuffer(b"".join(words) + b"\0", dtype=np.uint8)
    return Column("s", np.array(codes, np.int8), bitmap([v is not None for v in values[::-1]]), offsets, data)


def test_integer_means_are_duckdbs() -> None:
    values = [9007199254740993, 2**63 - 1, 2**63 - 1, -5]
    column = Column("i", np.array(values))
    piece = Piece(np.zeros(4, np.int64), np.arange(4)[::-1].copy(), (column,))
    program = Program("i", (Windowed("range", None),), (Call("avg", 0, 0), Call("avg", 0, 0, n=2)))
    result = evaluate(program, [piece], Anchors(np.zeros(1, np.int64), [None], [None]))
    with duckdb.connect() as connection:
        wanted = connection.execute("SELECT avg(v) FROM (SELECT unnest(?::BIGINT[]) v)", [values]).fetchone()
        decimals = connection.execute(
            "SELECT avg(v) FROM (SELECT unnest([1.25, 2.5, 7.11]::DECIMAL(18, 2)[]) v)"
        ).fetchone()
    assert (result.lane(0)[0],) == wanted
    scaled = Column("i", np.array([711, 250, 125]))
    piece = Piece(np.zeros(3, np.int64), np.arange(3)[::-1].copy(), (scaled,))
    result = evaluate(program, [piece], Anchors(np.zeros(1, np.int64), [None], [None]))
    assert (result.lane(1)[0],) == decimals
