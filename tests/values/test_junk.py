"""Whatever is thrown at the gate, it answers with a sentence: never with another exception, never with a crash."""

from __future__ import annotations

import contextlib
import enum
import fractions
import random
import uuid
from collections.abc import Callable
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from tests.values.samples import STORED_TYPES, seed
from workbench.errors import WorkbenchError
from workbench.values.coerce import to_table
from workbench.values.infer import infer
from workbench.values.types import stored
from workbench.values.wire import decode


class Colour(enum.IntEnum):
    RED = 1


ATOMS: list[Any] = [
    None, True, 0, 1, -1, 2**31, 2**63, 2**64, 10**40, 10**400, 1.5, 1e17, 1e308, float("nan"), float("inf"), "", "a",
    "1", "1.5", "NaN", "2026-01-02", "2026-01-02T03:04:05Z", "24:00", "P1D", "\ud800", "é" * 70, b"", b"a",
    bytearray(b"x"), memoryview(b"x"), Decimal("1.5"), Decimal("NaN"), Decimal("Infinity"), Decimal("1e999"),
    Decimal("1e-999"), date(2026, 1, 2), datetime(2026, 1, 2), datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=1))),
    time(1), timedelta(1), uuid.UUID(int=1), Colour.RED, object(), object, np.int64(1), np.float32(1.5),
    np.datetime64("NaT"), np.datetime64("2026-01-02"), np.datetime64(1, "ns"), np.datetime64(2**60, "us"),
    np.datetime64(2**62, "s"), np.timedelta64(1, "s"), np.array([1, 2]), np.array(5), np.array([[1]]), np.void(b"x"),
    np.str_("x"), np.bytes_(b"x"), np.complex64(1), pd.NA, pd.NaT, pd.Timestamp("2026-01-02", tz="UTC"),
    pd.Timestamp(1), pd.Timedelta(1), pd.Series([1, 2]), pl.Series([1, 2]), pa.scalar(1), pa.array([1, 2]),
    fractions.Fraction(1, 2), 1j,
    set(), range(2), len,
]  # fmt: skip
TOKENS = [*"()[],\"'", "int", "struct", "a", '"b"', "map", "enum", "'x'", "3", "decimal", "18", "array", "timestamp",
          "with", "time", "zone", "varchar", "union", "double", "precision"]  # fmt: skip


def junk(rng: random.Random, depth: int = 0) -> Any:
    dice = rng.random() if depth < 3 else 1.0
    if dice < 0.15:
        return [junk(rng, depth + 1) for _ in range(rng.randrange(3))]
    if dice < 0.25:
        return {
            rng.choice(["a", "b", "x", 1, None, (1,)]): junk(rng, depth + 1) for _ in range(rng.randrange(3))
        }
    if dice < 0.3:
        return [[junk(rng, depth + 1), junk(rng, depth + 1)]]
    return rng.choice(ATOMS)


GATES: dict[str, Callable[[str, Any, Any], Any]] = {
    "dict": lambda kind, one, _: to_table({"x": kind}, {"x": one}).validate(full=True),
    "pandas": lambda kind, one, two: to_table(
        {"x": kind}, pd.DataFrame({"x": pd.Series([one, two], dtype=object)})
    ),
    "rows": lambda kind, one, _: to_table({"x": kind}, one),
    "infer rows": lambda _, one, two: infer([{"x": one}, {"x": two}])[1].read_all(),
    "infer": lambda _, one, __: infer(one)[1].read_all(),
    "decode": lambda kind, one, _: decode(one, kind),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("gate", GATES)
def test_junk_is_accepted_or_refused_in_words(gate: str) -> None:
    rng = random.Random(seed())
    for _ in range(2000):
        kind, one, two = rng.choice(STORED_TYPES), junk(rng), junk(rng)
        try:
            GATES[gate](kind, one, two)
        except WorkbenchError:
            continue
        except Exception as error:
            raise AssertionError(f"{kind} {one!r} {two!r}: {error!r}") from error


def test_junk_types_are_read_or_refused_in_words() -> None:
    rng = random.Random(seed())
    for _ in range(5000):
        with contextlib.suppress(WorkbenchError):
            stored(" ".join(rng.choice(TOKENS) for _ in range(rng.randrange(8))))
