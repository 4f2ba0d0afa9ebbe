"""When two values are equal: exactly, but floats within 1e-9 relative."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from workbench.consistency.values import equal

NAN = float("nan")


@pytest.mark.parametrize(
    ("left", "right", "kind"),
    [
        (None, None, "BIGINT"),
        (1, 1, "BIGINT"),
        (0.1 + 0.2, 0.3, "DOUBLE"),
        (1e300, 1e300 * (1 + 1e-12), "DOUBLE"),
        (NAN, NAN, "DOUBLE"),
        (float("inf"), float("inf"), "DOUBLE"),
        (0.0, -0.0, "DOUBLE"),
        (0.0, 1e-14, "DOUBLE"),
        ([1.0, None, NAN], (1.0 + 1e-13, None, NAN), "DOUBLE[]"),
        ({"a": NAN, "b": [1]}, {"a": NAN, "b": [1]}, "STRUCT(a DOUBLE, b INTEGER[])"),
        ([("k", 0.3)], {"k": 0.1 + 0.2}, "MAP(VARCHAR, DOUBLE)"),
        (pa.MonthDayNano([0, 1, 1_000_000]), timedelta(days=1, milliseconds=1), "INTERVAL"),
        (pa.MonthDayNano([1, 0, 0]), timedelta(days=30), "INTERVAL"),
        ([pa.MonthDayNano([0, 0, 0])], [timedelta(0)], "INTERVAL[]"),
        (Decimal("1.50"), Decimal("1.5"), "DECIMAL(4,2)"),
    ],
)
def test_equal(left: Any, right: Any, kind: str) -> None:
    assert equal(left, right, kind) and equal(right, left, kind)


@pytest.mark.parametrize(
    ("left", "right", "kind"),
    [
        (None, 0, "BIGINT"),
        (None, NAN, "DOUBLE"),
        (1, 2, "BIGINT"),
        (2**53, 2**53 + 1, "BIGINT"),
        (1.0, 1.0 + 1e-8, "DOUBLE"),
        (NAN, 1.0, "DOUBLE"),
        (float("inf"), float("-inf"), "DOUBLE"),
        (float("inf"), 1e308, "DOUBLE"),
        ("a", "A", "VARCHAR"),
        ([1.0], [1.0, None], "DOUBLE[]"),
        ([None], [], "DOUBLE[]"),
        (None, [], "DOUBLE[]"),
        ({"a": 1}, {"b": 1}, "STRUCT(a INTEGER)"),
        ([("k", 1)], {"k": 2}, "MAP(VARCHAR, INTEGER)"),
        (pa.MonthDayNano([0, 1, 0]), timedelta(days=1, microseconds=1), "INTERVAL"),
        (Decimal("1.50"), Decimal("1.51"), "DECIMAL(4,2)"),
        (datetime(2024, 1, 1), datetime(2024, 1, 1, microsecond=1), "TIMESTAMP"),
    ],
)
def test_different(left: Any, right: Any, kind: str) -> None:
    assert not equal(left, right, kind) and not equal(right, left, kind)
