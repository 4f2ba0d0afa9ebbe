"""Request rows as lanes: what is plain is as the ordinary coercer has it, everything else is left to that."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import pytest

from workbench.errors import RowError
from workbench.online.scalars.requests import compile_request
from workbench.values.coerce import row_coercer

from .oracle import lane

COLUMNS = {
    "id": "BIGINT",
    "n": "SMALLINT",
    "ts": "TIMESTAMP",
    "x": "DOUBLE",
    "f": "FLOAT",
    "t": "VARCHAR",
    "b": "BOOLEAN",
    "d": "DATE",
    "price": "DECIMAL(9,2)",
    "at": "TIME",
    "u": "UUID",
}
PLAIN: dict[str, Any] = {
    "id": 7,
    "n": -3,
    "ts": "2026-01-02T03:04:05.678901Z",
    "x": 2.5,
    "f": 0.1,
    "t": "Zürich",
    "b": True,
    "d": "2026-01-02",
    "price": "1.50",
    "at": "03:04:05.000006",
    "u": "123e4567-e89b-12d3-a456-426614174000",
}
VALUES: dict[str, list[Any]] = {
    "id": [0, 2**63 - 1, 2**63, -(2**63), 1.0, 1.5, "1", True, None],
    "n": [2**15, -(2**15), None, 3.0, "3"],
    "ts": [
        "2026-01-02T03:04:05Z",
        "2026-01-02T03:04:05.678Z",
        "2026-01-02T03:04:05+01:00",
        "2026-01-02 03:04:05",
        "1969-12-31T23:59:59.999999Z",
        "0001-01-01T00:00:00Z",
        "9999-12-31T23:59:59Z",
        "2026-13-02T03:04:05Z",
        "2026-01-02T03:04:05.6789012Z",
        "20260102T030405Z",
        "",
        "x" * 20,
        datetime(2026, 1, 2, 3, 4, 5, 6),
        datetime(2026, 1, 2, tzinfo=UTC),
        date(2026, 1, 2),
        5,
    ],
    "x": [
        0.0,
        -0.0,
        5,
        2**53,
        2**53 + 1,
        float("nan"),
        float("inf"),
        "NaN",
        "1.5",
        True,
        None,
        Decimal("1.5"),
    ],
    "f": [1.5, 1e300, 3, None, "Infinity", 1e-50],
    "t": ["", "a", "🙂", "\ud800", 5, None],
    "b": [False, None, 1, "true"],
    "d": ["2026-02-30", "20260102", date(1969, 1, 1), datetime(2026, 1, 2), None, "2026-01-02T00:00:00Z"],
    "price": ["1.505", 3, Decimal("2.50"), 1.25, None, "x", 10**9],
    "at": [time(1, 2), "25:00:00", None],
    "u": [None, "x"],
}


def _both(row: Any, wanted: list[str]) -> None:
    """What comes out is what the ordinary coercer says, or nothing."""
    got = compile_request(COLUMNS, wanted, "ts")(row)
    if got is None:
        return
    full = row_coercer(COLUMNS, required=[name for name in wanted if name != "ts"])(row)
    expected = tuple(_lane(full[name]) for name in wanted)
    assert repr(got) == repr(expected)


def _lane(value: Any) -> Any:
    if isinstance(value, time):
        return ((value.hour * 60 + value.minute) * 60 + value.second) * 1_000_000 + value.microsecond
    return value if isinstance(value, bool) else lane(value)


def test_plain_rows_become_lanes() -> None:
    lanes = compile_request(COLUMNS, list(COLUMNS), "ts")
    assert lanes(PLAIN) is not None
    _both(PLAIN, list(COLUMNS))
    _both(PLAIN, ["ts", "t"])


@pytest.mark.parametrize("column", VALUES)
def test_every_value_is_taken_as_by_the_coercer_or_left_to_it(column: str) -> None:
    for value in VALUES[column]:
        _both({**PLAIN, column: value}, list(COLUMNS))
        _both({**PLAIN, column: value}, ["id"])


def test_what_the_coercer_refuses_is_never_taken() -> None:
    for column, values in VALUES.items():
        for value in values:
            row = {**PLAIN, column: value}
            try:
                row_coercer(COLUMNS)(row)
            except RowError:
                assert compile_request(COLUMNS, ["id"], "ts")(row) is None, (column, value)


@pytest.mark.parametrize(
    "row",
    [
        {"ts": PLAIN["ts"]},
        {"id": 7, "unknown": 1},
        {"ID": 7},
        {"id": 7, "ts": None},
        [("id", 7)],
        None,
    ],
)
def test_rows_out_of_the_ordinary_are_left_to_the_coercer(row: Any) -> None:
    assert compile_request(COLUMNS, ["id", "ts"], "ts")(row) is None


def test_a_time_may_be_missing_and_others_not() -> None:
    lanes = compile_request(COLUMNS, ["id", "ts"], "ts")
    assert lanes({"id": 7}) == (7, None)
    assert lanes({"id": None, "t": "a"}) == (None, None)
    assert lanes({"ts": PLAIN["ts"]}) is None
