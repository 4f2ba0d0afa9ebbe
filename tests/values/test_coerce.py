"""Rows become the table's columns exactly, or the error names field, row and remedy."""

from __future__ import annotations

import decimal
import math
import random
import uuid
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from tests.values.samples import STORED_TYPES, same, seed, values
from workbench.errors import RowError, WorkbenchError
from workbench.values.coerce import coerced_reader, row_coercer, to_table
from workbench.values.types import arrow_schema, arrow_type

NAN = float("nan")
BERLIN = timezone(timedelta(hours=1))


def stored(kind: str, value: Any) -> Any:
    """Return what a column of that type holds after the value was given in a dict."""
    return to_table({"x": kind}, {"x": value})["x"][0].as_py()


ACCEPTED: list[tuple[str, Any, Any]] = [
    ("BIGINT", 7, 7),
    ("BIGINT", 7.0, 7),
    ("BIGINT", np.int32(7), 7),
    ("BIGINT", Decimal("7.00"), 7),
    ("BIGINT", pd.NA, None),
    ("UBIGINT", 2**64 - 1, 2**64 - 1),
    ("HUGEINT", "-123456789012345678901234567890", Decimal("-123456789012345678901234567890")),
    ("DOUBLE", 3, 3.0),
    ("DOUBLE", 2**60, float(2**60)),
    ("DOUBLE", "-Infinity", -math.inf),
    ("DOUBLE", Decimal("0.1"), 0.1),
    ("DOUBLE", np.float32(0.5), 0.5),
    ("FLOAT", 0.1, float(np.float32(0.1))),
    ("DECIMAL(18,3)", "1.5", Decimal("1.500")),
    ("DECIMAL(18,3)", "1.5000", Decimal("1.500")),
    ("DECIMAL(18,3)", 12, Decimal("12.000")),
    ("DECIMAL(18,3)", 12.34, Decimal("12.340")),
    ("DECIMAL(38,10)", "9" * 28 + "." + "9" * 10, Decimal("9" * 28 + "." + "9" * 10)),
    ("DECIMAL(18,3)", "1e2", Decimal("100.000")),
    ("VARCHAR", np.str_("a"), "a"),
    ("BOOLEAN", np.bool_(True), True),
    ("BLOB", "AAEC", b"\x00\x01\x02"),
    ("BLOB", bytearray(b"a"), b"a"),
    ("UUID", "123E4567E89B12D3A456426614174000", "123e4567-e89b-12d3-a456-426614174000"),
    ("UUID", uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
    ("DATE", "2026-01-02", date(2026, 1, 2)),
    ("DATE", datetime(2026, 1, 2), date(2026, 1, 2)),
    ("DATE", pd.Timestamp("2026-01-02"), date(2026, 1, 2)),
    ("TIME", "03:04:05Z", time(3, 4, 5)),
    ("TIMESTAMP", "2026-01-02T03:04:05.678901Z", datetime(2026, 1, 2, 3, 4, 5, 678901)),
    ("TIMESTAMP", "2026-01-02 03:04:05", datetime(2026, 1, 2, 3, 4, 5)),
    ("TIMESTAMP", "2026-01-02T03:04:05.6789010000+01:00", datetime(2026, 1, 2, 2, 4, 5, 678901)),
    ("TIMESTAMP", datetime(2026, 1, 2, tzinfo=BERLIN), datetime(2026, 1, 1, 23)),
    ("TIMESTAMP", date(2026, 1, 2), datetime(2026, 1, 2)),
    ("TIMESTAMP", pd.Timestamp("2026-01-02", tz="Europe/Berlin"), datetime(2026, 1, 1, 23)),
    ("TIMESTAMP", pd.NaT, None),
    ("TIMESTAMP", np.datetime64("2026-01-02T03:04:05.000001"), datetime(2026, 1, 2, 3, 4, 5, 1)),
    ("BIGINT[]", np.array([1, 2]), [1, 2]),
    ("BIGINT[]", (1, None), [1, None]),
    ("STRUCT(a INTEGER, b DATE)", {"b": "2026-01-02"}, {"a": None, "b": date(2026, 1, 2)}),
    ("MAP(VARCHAR, DOUBLE)", {"k": 1}, [("k", 1.0)]),
    ("MAP(INTEGER, DOUBLE)", [[1, None]], [(1, None)]),
]


@pytest.mark.parametrize(("kind", "given", "kept"), ACCEPTED)
def test_values_that_lose_nothing_are_accepted(kind: str, given: Any, kept: Any) -> None:
    assert same(stored(kind, given), kept)


REFUSED: list[tuple[str, Any, str]] = [
    ("BIGINT", 1.5, "1.5 is not an integer (BIGINT)"),
    ("BIGINT", "1", "'1' (str) is not a BIGINT"),
    ("BIGINT", True, "True (bool) is not a BIGINT"),
    ("BIGINT", NAN, "NaN is not an integer"),
    ("BIGINT", 1e17, "too large to be an exact integer"),
    ("BIGINT", 2**63, "9223372036854775808 is out of range for BIGINT"),
    ("TINYINT", 300, "300 is out of range for TINYINT (-128 to 127)"),
    ("UINTEGER", -1, "-1 is out of range for UINTEGER"),
    ("HUGEINT", 10**38, "out of range for HUGEINT"),
    ("HUGEINT", "12a", "'12a' (str) is not a HUGEINT"),
    ("HUGEINT", "٣", "is not a HUGEINT"),
    ("DOUBLE", "abc", "'abc' (str) is not a DOUBLE"),
    ("DOUBLE", False, "False (bool) is not a DOUBLE"),
    ("DOUBLE", 2**53 + 1, "cannot be held exactly by DOUBLE"),
    ("DOUBLE", 10**400, "cannot be held exactly by DOUBLE"),
    ("FLOAT", 2**24 + 1, "cannot be held exactly by FLOAT"),
    ("FLOAT", 10**400, "cannot be held exactly by FLOAT"),
    ("DOUBLE", Decimal("sNaN"), "is not a DOUBLE"),
    ("FLOAT", 1e300, "1e+300 is out of range for FLOAT"),
    ("DECIMAL(18,3)", "1.2345", "'1.2345' has more than 3 decimal places"),
    ("DECIMAL(38,10)", "1" + "0" * 28, "is out of range for DECIMAL(38,10)"),
    ("DECIMAL(4,1)", 1000, "1000 is out of range for DECIMAL(4,1)"),
    ("DECIMAL(18,3)", "1e999", "'1e999' is out of range"),
    ("DECIMAL(18,3)", "NaN", "'NaN' (str) is not a DECIMAL(18,3)"),
    ("DECIMAL(38,20)", 0.1 + 0.2, "is a float, not an exact DECIMAL(38,20)"),
    ("VARCHAR", 1, "1 (int) is not a VARCHAR"),
    ("VARCHAR", "\ud800", "not valid Unicode"),
    ("BOOLEAN", 1, "1 (int) is not a BOOLEAN"),
    ("BLOB", "a", "'a' is not base64"),
    ("UUID", "1234", "'1234' (str) is not a UUID"),
    ("DATE", "2026-02-30", "'2026-02-30' is not a DATE"),
    ("DATE", datetime(2026, 1, 2, 3), "2026-01-02 03:00:00 is not a DATE: it has a time of day"),
    ("TIME", time(3, tzinfo=BERLIN), "TIME is in UTC"),
    ("TIMESTAMP", "yesterday", "'yesterday' is not a TIMESTAMP"),
    ("TIMESTAMP", 1_700_000_000, "1700000000 (int) is not a TIMESTAMP"),
    ("TIMESTAMP", "2026-01-02T03:04:05.1234567Z", "is finer than microseconds"),
    ("TIMESTAMP", pd.Timestamp(1), "is finer than microseconds"),
    ("TIMESTAMP", np.datetime64(1, "ns"), "is finer than microseconds"),
    ("TIMESTAMP", "0001-01-01T00:00:00+01:00", "outside the years 1 to 9999"),
    ("BIGINT[]", [1, 1.5], "[1]: 1.5 is not an integer"),
    ("BIGINT[]", "1", "'1' (str) is not a BIGINT[]"),
    ("STRUCT(abc INTEGER)", {"abd": 1}, "unknown field 'abd'"),
    ("STRUCT(a STRUCT(b DATE))", {"a": {"b": 1}}, ".a: .b: 1 (int) is not a DATE"),
    ("MAP(VARCHAR, INTEGER)", [["a", 1], ["a", 2]], "a key is there twice"),
    ("MAP(VARCHAR, INTEGER)", {None: 1}, "is null"),
    ("MAP(VARCHAR, INTEGER)", [[np.datetime64("NaT"), 1]], "is null"),
    ("MAP(VARCHAR, INTEGER)", [1], "is not a MAP(VARCHAR, INTEGER)"),
]


@pytest.mark.parametrize(("kind", "given", "said"), REFUSED)
def test_values_that_would_change_are_refused(kind: str, given: Any, said: str) -> None:
    with pytest.raises(RowError) as caught:
        to_table({"id": "BIGINT", "x": kind}, [{"id": 1, "x": None}, {"id": 2, "x": given}])
    assert said in caught.value.message
    assert caught.value.message.startswith("row 1, column 'x': ")
    assert (caught.value.field, caught.value.row) == ("x", 1)


def test_a_single_row_is_named_without_a_number() -> None:
    with pytest.raises(RowError, match=r"^column 'x': 1.5 is not an integer") as caught:
        to_table({"x": "BIGINT"}, {"x": 1.5})
    assert caught.value.row is None


# --- names ---

COLUMNS = {"card_id": "BIGINT", "amount": "DOUBLE"}


def test_names_match_without_regard_to_case_and_missing_ones_are_null() -> None:
    assert to_table(COLUMNS, {"AMOUNT": 1.5}).to_pylist() == [{"card_id": None, "amount": 1.5}]
    assert to_table(COLUMNS, pa.table({"Card_ID": [1]})).to_pylist() == [{"card_id": 1, "amount": None}]
    assert to_table(COLUMNS, pd.DataFrame({"Card_ID": [1]})).to_pylist() == [{"card_id": 1, "amount": None}]


@pytest.mark.parametrize(
    "rows", [[{"card_id": 1, "amont": 2}], pa.table({"amont": [2]}), pd.DataFrame({"amont": [2]})]
)
def test_unknown_columns_come_with_a_guess(rows: Any) -> None:
    with pytest.raises(RowError, match="unknown column 'amont'") as caught:
        to_table(COLUMNS, rows)
    assert caught.value.hint == "did you mean 'amount'?"
    assert caught.value.field == "amont"


@pytest.mark.parametrize(
    "rows", [{"card_id": 1, "CARD_ID": 2}, pa.table([[1], [2]], names=["card_id", "card_id"])]
)
def test_a_column_given_twice_is_refused(rows: Any) -> None:
    with pytest.raises(RowError, match="column 'card_id' is there twice"):
        to_table(COLUMNS, rows)


@pytest.mark.parametrize(
    "rows", [[{"card_id": 1}], pa.table({"card_id": [1]}), pd.DataFrame({"card_id": [1]})]
)
def test_required_columns_must_be_there(rows: Any) -> None:
    with pytest.raises(RowError, match=r"column 'amount' \(DOUBLE\) is missing") as caught:
        to_table(COLUMNS, rows, required=["amount"])
    assert caught.value.field == "amount"
    assert to_table(COLUMNS, {"amount": None}, required=["amount"]).num_rows == 1


@pytest.mark.parametrize("rows", [5, "text", b"bytes", [1], [[1, 2]], None, np.array(5), pd.NA])
def test_what_is_no_row_is_refused(rows: Any) -> None:
    with pytest.raises(RowError) as caught:
        to_table(COLUMNS, rows)
    assert "give a dict, a list of dicts" in str(caught.value.hint)


def test_no_rows_are_fine() -> None:
    for empty in (
        [],
        pd.DataFrame({"card_id": []}),
        pl.DataFrame({"card_id": []}),
        pa.table({"card_id": []}),
    ):
        table = to_table(COLUMNS, empty)
        assert table.num_rows == 0 and table.schema == arrow_schema(COLUMNS)


def test_one_row_as_plain_python_values() -> None:
    coerce = row_coercer({"id": "BIGINT", "h": "HUGEINT", "ts": "TIMESTAMP"}, required=["id"])
    assert coerce({"id": 1, "h": "5", "ts": "2026-01-02T00:00:00Z"}) == {
        "id": 1,
        "h": 5,
        "ts": datetime(2026, 1, 2),
    }
    with pytest.raises(RowError, match="row 3: column 'id'"):
        coerce({"h": None}, 3)


# --- the dict path and the Arrow path are the same gate ---


@pytest.mark.parametrize("kind", STORED_TYPES)
def test_dicts_and_arrow_store_the_same(kind: str) -> None:
    rng = random.Random(seed())
    sample = values(kind, rng, 200)
    by_dict = to_table({"x": kind}, [{"x": value} for value in sample])
    by_arrow = to_table({"x": kind}, by_dict)
    listed = to_table({"x": kind}, pa.table({"x": by_dict["x"]}).to_reader(max_chunksize=7))
    assert by_dict.schema == by_arrow.schema == listed.schema == arrow_schema({"x": kind})
    for other in (by_arrow, listed):
        assert same(other["x"].to_pylist(), by_dict["x"].to_pylist())
    again = to_table({"x": kind}, by_dict.to_pylist())
    assert same(again["x"].to_pylist(), by_dict["x"].to_pylist())


ARROW_SOURCES: dict[str, Callable[[random.Random], pa.Array]] = {
    "int8": lambda rng: pa.array([rng.randint(-128, 127) for _ in range(50)], pa.int8()),
    "int64": lambda rng: pa.array([rng.choice([0, 5, 300, 2**31, 2**53 + 1, -(2**63)]) for _ in range(3)]),
    "uint64": lambda rng: pa.array([rng.choice([0, 5, 2**63, 2**64 - 1]) for _ in range(3)], pa.uint64()),
    "float32": lambda rng: pa.array([rng.choice([0.5, 1.0, NAN, math.inf, 1e30]) for _ in range(3)], pa.float32()),
    "float64": lambda rng: pa.array([rng.choice([0.5, 1.0, -0.0, NAN, math.inf, 1e300, 1e17, 0.1]) for _ in range(2)]),
    "decimal": lambda rng: pa.array([rng.choice([Decimal("1.50"), Decimal("2"), None])], pa.decimal128(9, 2)),
    "text": lambda rng: pa.array([rng.choice(["a", "1", "AAEC", "2026-01-02", "03:04:05", "NaN", None])], pa.string()),
    "bytes": lambda rng: pa.array([rng.choice([b"a", b"", None]) for _ in range(3)]),
    "bool": lambda rng: pa.array([rng.choice([True, False, None]) for _ in range(3)]),
    "date": lambda rng: pa.array([date(2026, 1, rng.randint(1, 9)), None]),
    "time": lambda rng: pa.array([rng.choice([1, 86_399]), None], pa.time32("s")),
    "day": lambda rng: pa.array([datetime(2026, 1, rng.randint(1, 9)), None], pa.timestamp("s")),
    "moment": lambda rng: pa.array([datetime(2026, 1, 2, 3, tzinfo=UTC), None], pa.timestamp("us", "Europe/Berlin")),
    "lists": lambda rng: pa.array([[1, None], [], None], pa.large_list(pa.int8())),
    "structs": lambda rng: pa.array([{"a": 1, "b": ["x"]}, None]),
    "dictionary": lambda rng: pa.array(["a", "b", None, "a"]).dictionary_encode(),
    "null": lambda rng: pa.nulls(3),
}  # fmt: skip


def outcome(kind: str, rows: Any) -> Any:
    """Return the stored values, or the words of the refusal."""
    try:
        return to_table({"x": kind}, rows)["x"].to_pylist()
    except RowError as error:
        return (error.message, error.hint, error.field, error.row)


@pytest.mark.parametrize("source", ARROW_SOURCES)
@pytest.mark.parametrize("kind", STORED_TYPES)
def test_every_arrow_source_meets_the_same_gate_as_dicts(kind: str, source: str) -> None:
    rng = random.Random(seed())
    for _ in range(5):
        array = ARROW_SOURCES[source](rng)
        by_arrow = outcome(kind, pa.table({"x": array}))
        by_dict = outcome(kind, [{"x": value} for value in array.to_pylist()])
        assert same(by_arrow, by_dict), f"{array}: {by_arrow} != {by_dict}"


# --- frames ---


def test_pandas_columns() -> None:
    columns = {
        "i": "BIGINT", "f": "DOUBLE", "n": "INTEGER", "s": "VARCHAR", "c": "VARCHAR", "t": "TIMESTAMP",
        "z": "TIMESTAMP", "d": "DECIMAL(9,2)", "b": "BOOLEAN", "o": "VARCHAR", "l": "DOUBLE[]", "day": "DATE",
    }  # fmt: skip
    frame = pd.DataFrame(
        {
            "i": [1.0, NAN],  # integers with a hole are floats in pandas
            "f": [1.5, NAN],
            "n": pd.array([1, None], "Int64"),
            "s": ["a", None],
            "c": pd.Categorical(["x", None]),
            "t": pd.to_datetime(["2026-01-02 03:04:05.000001", None]).astype("datetime64[ns]"),
            "z": pd.to_datetime(["2026-01-02", None]).tz_localize("Europe/Berlin"),
            "d": [Decimal("1.5"), None],
            "b": pd.array([True, None], "boolean"),
            "o": pd.Series(["a", NAN], dtype=object),
            "l": [np.array([1.0, NAN]), None],
            "day": pd.to_datetime(["2026-01-02", None]),
        }
    )
    first, second = to_table(columns, frame).to_pylist()
    assert first.pop("l")[0] == 1.0
    assert first == {
        "i": 1, "f": 1.5, "n": 1, "s": "a", "c": "x", "t": datetime(2026, 1, 2, 3, 4, 5, 1),
        "z": datetime(2026, 1, 1, 23), "d": Decimal("1.50"), "b": True, "o": "a", "day": date(2026, 1, 2),
    }  # fmt: skip
    assert set(second.values()) == {None}


def test_a_named_index_is_a_column_and_a_nameless_one_is_not() -> None:
    columns = {"key": "VARCHAR", "x": "BIGINT"}
    assert to_table(columns, pd.DataFrame({"x": [1]}, index=pd.Index(["a"], name="key"))).to_pylist() == [
        {"key": "a", "x": 1}
    ]
    assert to_table(columns, pd.DataFrame({"x": [1]}, index=["a"])).to_pylist() == [{"key": None, "x": 1}]


def test_a_series_is_one_row() -> None:
    assert to_table(COLUMNS, pd.DataFrame({"card_id": [1], "amount": [2.5]}).iloc[0]).to_pylist() == [
        {"card_id": 1, "amount": 2.5}
    ]


@pytest.mark.parametrize(
    ("series", "kind", "said"),
    [
        (pd.Series([1.0, 1.5]), "BIGINT", "row 1, column 'x': 1.5 is not an integer"),
        (pd.Series([1, 300]), "TINYINT", "row 1, column 'x': 300 is out of range for TINYINT"),
        (pd.Series([1, "a"]), "BIGINT", "row 1, column 'x': 'a' (str) is not a BIGINT"),
        (pd.Series(pd.to_datetime([0, 1, 5, 2000], unit="ns")), "TIMESTAMP",
         "row 1, column 'x': 1970-01-01 00:00:00.000000001 is finer than microseconds; so have row 2"),
        (pd.Series([1j]), "DOUBLE", "row 0, column 'x': pandas columns of type complex128 are not supported"),
    ],
)  # fmt: skip
def test_pandas_refusals_name_the_row(series: Any, kind: str, said: str) -> None:
    with pytest.raises(RowError) as caught:
        to_table({"x": kind}, pd.DataFrame({"x": series}))
    assert caught.value.message.startswith(said)


@pytest.mark.parametrize("names", [[1], [("a", "b")]])
def test_pandas_names_must_be_text(names: list[Any]) -> None:
    with pytest.raises(WorkbenchError, match="which is not text"):
        to_table(COLUMNS, pd.DataFrame([[1]], columns=names))


def test_polars_columns() -> None:
    frame = pl.DataFrame(
        {
            "x": [1.5, NAN],
            "c": pl.Series(["a", None], dtype=pl.Categorical),
            "t": pl.Series([datetime(2026, 1, 2, tzinfo=UTC), None]).dt.convert_time_zone("Asia/Tokyo"),
            "d": [Decimal("1.5"), None],
            "l": [[1], None],
        }
    )
    columns = {"x": "DOUBLE", "c": "VARCHAR", "t": "TIMESTAMP", "d": "DECIMAL(9,2)", "l": "BIGINT[]"}
    for rows in (frame, frame.lazy()):
        first, second = to_table(columns, rows).to_pylist()
        assert first == {"x": 1.5, "c": "a", "t": datetime(2026, 1, 2), "d": Decimal("1.50"), "l": [1]}
        assert math.isnan(second["x"]), "Polars tells NaN from NULL, and so do we"
        assert second["c"] is None


def test_times_of_every_unit_and_zone_become_utc_microseconds() -> None:
    moment = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    for unit in ("s", "ms", "us", "ns"):
        for zone in (None, "UTC", "Europe/Berlin"):
            given = pa.table(
                {
                    "t": pa.array([moment.replace(tzinfo=None)], pa.timestamp(unit)).cast(
                        pa.timestamp(unit, zone)
                    )
                }
            )
            assert to_table({"t": "TIMESTAMP"}, given)["t"].to_pylist() == [moment.replace(tzinfo=None)]


@pytest.mark.parametrize("micros", [-(2**63) + 1, 2**62])
def test_times_outside_pythons_years_are_refused(micros: int) -> None:
    with pytest.raises(RowError, match="row 1, column 't': it is outside the years 1 to 9999"):
        to_table({"t": "TIMESTAMP"}, pa.table({"t": pa.array([0, micros], pa.timestamp("us"))}))


def test_a_stream_is_coerced_batch_by_batch_and_counts_rows_through() -> None:
    given = pa.table({"x": [1.0] * 10 + [1.5]}).to_reader(max_chunksize=4)
    reader = coerced_reader({"x": "BIGINT"}, given)
    assert reader.schema == pa.schema([("x", arrow_type("BIGINT"))])
    assert reader.read_next_batch().num_rows == 4
    with pytest.raises(RowError, match="row 10, column 'x'"):
        reader.read_all()


def test_the_decimal_context_of_the_caller_does_not_matter() -> None:
    with decimal.localcontext(prec=3):
        assert stored("DECIMAL(38,10)", "1234567890.0123456789") == Decimal("1234567890.0123456789")
