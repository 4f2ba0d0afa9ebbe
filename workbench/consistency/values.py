"""When two feature values are equal."""

from __future__ import annotations

import math
from datetime import timedelta
from struct import pack
from typing import Any

import pyarrow as pa

from workbench.storage.session import connect

#: Floats of two engines may differ in their last bits; beyond this they differ.
RELATIVE = 1e-9


def equal(left: Any, right: Any, duckdb_type: str, exact: bool = False) -> bool:
    """Return whether two values of one type are equal (NaN = NaN); floats within 1e-9 relative, or ``exact``.

    >>> equal(0.1 + 0.2, 0.3, "DOUBLE"), equal(1, 2, "BIGINT"), equal(None, None, "DOUBLE")
    (True, False, True)
    >>> equal(0.1 + 0.2, 0.3, "DOUBLE", exact=True)
    False
    """
    left, right = _plain(left), _plain(right)
    if left is None or right is None:
        return left is right
    if isinstance(left, float) and isinstance(right, float):
        return pack("d", left) == pack("d", right) if exact and left == left else _close(left, right)
    if isinstance(left, list | tuple) and isinstance(right, list | tuple):
        pairs = zip(left, right, strict=False)
        return len(left) == len(right) and all(equal(a, b, "", exact) for a, b in pairs)
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(equal(left[key], right[key], "", exact) for key in left)
    if duckdb_type.startswith("MAP"):
        return equal(_pairs(left), _pairs(right), "", exact)
    return bool(left == right)


def python_rows(table: pa.Table) -> list[dict[str, Any]]:
    """Return the rows of a table; dates and times that Python's cannot hold are the texts that requests answer.

    >>> python_rows(pa.table({"d": pa.array([3_000_000], pa.date32())}))
    [{'d': '10183-09-21'}]
    """
    columns = [_values(column) for column in table.columns]
    return [dict(zip(table.column_names, row, strict=True)) for row in zip(*columns, strict=True)]


def _values(column: pa.ChunkedArray) -> list[Any]:
    try:
        return list(column.to_pylist())
    except (OverflowError, ValueError):
        with connect(threads=1) as connection:
            connection.register("given", pa.table({"value": column}))
            return [value for (value,) in connection.execute("SELECT value FROM given").fetchall()]


def _plain(value: Any) -> Any:
    """An interval as Arrow gives it as the duration that DuckDB makes of it (a month is 30 days)."""
    if isinstance(value, pa.MonthDayNano):
        return timedelta(days=30 * value.months + value.days, microseconds=value.nanoseconds // 1000)
    return value


def _close(left: float, right: float) -> bool:
    if math.isnan(left) or math.isnan(right):
        return math.isnan(left) and math.isnan(right)
    return left == right or math.isclose(left, right, rel_tol=RELATIVE, abs_tol=1e-12)


def _pairs(value: Any) -> Any:
    """A map as Arrow gives it (pairs) or as DuckDB gives it (a dict)."""
    return dict(value) if isinstance(value, list) else value
