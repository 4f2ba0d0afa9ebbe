"""Values survive the way through JSON bit by bit."""

from __future__ import annotations

import json
import math
import random
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any

import orjson
import pyarrow as pa
import pytest

from tests.values.samples import WIRE_TYPES, same, seed, values
from workbench.errors import RowError
from workbench.values.wire import decode, encode, encoder

NAN = float("nan")


@pytest.mark.parametrize("kind", WIRE_TYPES)
def test_decode_is_the_inverse_of_encode(kind: str) -> None:
    rng = random.Random(seed())
    for value in values(kind, rng, 300):
        text = json.dumps(encode(value, kind), allow_nan=False)
        back = decode(json.loads(text), kind)
        assert same(back, value), f"{value!r} -> {text} -> {back!r}"
        assert json.loads(orjson.dumps(encode(value, kind))) == json.loads(text)


@pytest.mark.parametrize(
    ("value", "kind", "coded"),
    [
        (7, "BIGINT", 7),
        (2**63 - 1, "BIGINT", 2**63 - 1),
        (10**30, "HUGEINT", "1000000000000000000000000000000"),
        (Decimal(5), "HUGEINT", "5"),
        (Decimal("1.5"), "DECIMAL(18,3)", "1.500"),
        (Decimal("1E+2"), "DECIMAL(9,0)", "100"),
        (NAN, "DOUBLE", "NaN"),
        (math.inf, "DOUBLE", "Infinity"),
        (-math.inf, "FLOAT", "-Infinity"),
        (datetime(2026, 1, 2, 3, 4, 5), "TIMESTAMP", "2026-01-02T03:04:05Z"),
        (datetime(2026, 1, 2, 3, 4, 5, 678901), "TIMESTAMP", "2026-01-02T03:04:05.678901Z"),
        (
            datetime(2026, 1, 2, 3, tzinfo=timezone(timedelta(hours=2))),
            "TIMESTAMP WITH TIME ZONE",
            "2026-01-02T01:00:00Z",
        ),
        (date(2026, 1, 2), "DATE", "2026-01-02"),
        ("11024-01-01 00:30:00", "TIMESTAMP", "11024-01-01 00:30:00"),
        ("0715-02-03 (BC)", "DATE", "0715-02-03 (BC)"),
        (time(3, 4, 5, 6), "TIME", "03:04:05.000006"),
        (b"\x00\x01\x02", "BLOB", "AAEC"),
        (timedelta(days=1, hours=2, seconds=3.5), "INTERVAL", "P1DT2H3.5S"),
        (timedelta(0), "INTERVAL", "PT0S"),
        (timedelta(microseconds=-1), "INTERVAL", "PT-0.000001S"),
        (pa.MonthDayNano([14, -2, 60_000_000_000]), "INTERVAL", "P14M-2DT1M"),
        ([1.5, None, NAN], "DOUBLE[]", [1.5, None, "NaN"]),
        ({"a": Decimal("1"), "b": None}, "STRUCT(a DECIMAL(4,1), b DATE)", {"a": "1.0", "b": None}),
        ([("k", date(2026, 1, 2))], "MAP(VARCHAR, DATE)", {"k": "2026-01-02"}),
        ({1: "x"}, "MAP(INTEGER, VARCHAR)", [[1, "x"]]),
        (None, "BLOB", None),
    ],
)
def test_the_form_of_each_type(value: Any, kind: str, coded: Any) -> None:
    assert encode(value, kind) == coded


def test_months_come_back_as_arrows_interval() -> None:
    assert decode("P1Y2M-2DT1M", "INTERVAL") == pa.MonthDayNano([14, -2, 60_000_000_000])


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (1.0, "BIGINT"),
        ("1", "INTEGER"),
        ("P", "INTERVAL"),
        ("P1DT", "INTERVAL"),
        ([1], "MAP(VARCHAR, DATE)"),
        (["ab"], "MAP(VARCHAR, DATE)"),
        (1, "BIGINT[]"),
    ],
)
def test_what_encode_never_gives_is_refused(value: Any, kind: str) -> None:
    with pytest.raises(RowError):
        decode(value, kind)


def test_rows_are_encoded_column_by_column() -> None:
    row = {"id": 1, "price": Decimal("2.5"), "at": datetime(2026, 1, 2, tzinfo=UTC), "note": None, "r": NAN}
    code = encoder(
        {"id": "BIGINT", "price": "DECIMAL(9,2)", "at": "TIMESTAMP", "note": "BLOB", "r": "DOUBLE"}
    )
    assert code(row) == {"id": 1, "price": "2.50", "at": "2026-01-02T00:00:00Z", "note": None, "r": "NaN"}
    assert row["price"] == Decimal("2.5"), "the row itself is left alone"
