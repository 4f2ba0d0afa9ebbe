"""Profiles of columns of every kind, of empty columns and of values that have no place on a scale."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pyarrow as pa
import pytest

from workbench.notebook.profile import BARS, TopValue, profile


def test_numbers_have_quantiles_of_their_own_type_and_a_histogram() -> None:
    [column] = profile(pa.table({"n": pa.array([*range(101), None], pa.int64())}), {"n": "BIGINT"})
    assert (column.name, column.type) == ("n", "BIGINT")
    assert (column.rows, column.nulls, column.distinct) == (102, 1, 101)
    assert column.quantiles == (0, 25, 50, 75, 100)
    assert len(column.bars) == BARS and sum(column.bars) == 101
    assert column.null_share == pytest.approx(1 / 102)


def test_nan_and_infinity_are_counted_and_left_out() -> None:
    values = [1.0, float("nan"), float("inf"), float("-inf"), 3.0, None]
    [column] = profile(pa.table({"x": values}))
    assert column.not_finite == 3
    assert column.quantiles == (1.0, 1.0, 1.0, 1.0, 3.0)
    assert sum(column.bars) == 2


@pytest.mark.parametrize(
    "values",
    [
        [float("nan")] * 3,
        [1.7e308, -1.7e308, 0.0],
        [5e-324, 0.0],
        [2.0**53, 2.0**53 + 2],
    ],
    ids=["only nan", "the whole range", "denormal", "neighbours"],
)
def test_extreme_floats_have_a_profile(values: list[float]) -> None:
    [column] = profile(pa.table({"x": values}))
    assert sum(column.bars) == column.rows - column.nulls - column.not_finite


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (pa.timestamp("us"), [dt.datetime(2026, 1, 1), dt.datetime(2026, 1, 2), dt.datetime(1900, 1, 1)]),
        (pa.date32(), [dt.date(2026, 1, 1), dt.date(2026, 1, 2), dt.date(1, 1, 1)]),
        (pa.time64("us"), [dt.time(1), dt.time(2), dt.time(0)]),
        (pa.time32("s"), [dt.time(1), dt.time(2), dt.time(0)]),
        (pa.duration("us"), [dt.timedelta(1), dt.timedelta(2), dt.timedelta(-1)]),
        (pa.decimal128(38, 3), [Decimal("1.5"), Decimal("9" * 30), Decimal("-1")]),
        (pa.uint64(), [2**64 - 1, 2, 0]),
    ],
    ids=str,
)
def test_every_ordered_type_keeps_its_own_values(kind: pa.DataType, values: list[object]) -> None:
    [column] = profile(pa.table({"x": pa.array(values, kind)}))
    assert column.quantiles[0] == min(values)  # type: ignore[type-var]
    assert column.quantiles[-1] == max(values)  # type: ignore[type-var]
    assert sum(column.bars) == 3


@pytest.mark.parametrize(
    "values",
    [["b", "a", "b", None], pa.array(["b", "a", "b", None]).dictionary_encode(), [True, False, True, None]],
    ids=["text", "dictionary", "boolean"],
)
def test_values_without_a_scale_are_ranked(values: object) -> None:
    [column] = profile(pa.table({"x": values}))
    assert [top.count for top in column.top] == [2, 1]
    assert (column.nulls, column.distinct, column.quantiles, column.bars) == (1, 2, (), ())


def test_equally_frequent_values_come_in_a_stable_order() -> None:
    [column] = profile(pa.table({"x": ["c", "a", "b"]}))
    assert column.top == (TopValue("a", 1), TopValue("b", 1), TopValue("c", 1))


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (pa.list_(pa.int64()), [1]),
        (pa.struct([("a", pa.int64())]), {"a": 1}),
        (pa.map_(pa.string(), pa.int8()), [("k", 1)]),
    ],
    ids=["list", "struct", "map"],
)
def test_nested_values_are_shown_as_text(kind: pa.DataType, value: object) -> None:
    [column] = profile(pa.table({"x": pa.array([value, value, None], kind)}))
    assert column.top[0].count == 2
    assert column.distinct is None


def test_empty_and_all_null_columns() -> None:
    columns = profile(pa.table({"a": pa.array([], pa.int64()), "b": pa.array([], pa.string())})) + profile(
        pa.table({"c": pa.array([None, None], pa.float64()), "d": pa.nulls(2)})
    )
    for column in columns:
        assert (column.quantiles, column.bars, column.top) == ((), (), ())
        assert column.distinct == 0
    assert columns[0].null_share == 0.0
