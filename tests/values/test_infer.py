"""What a table can be made from, and what is said where it cannot."""

from __future__ import annotations

import uuid
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import duckdb
import ibis
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from workbench.errors import NotFound, RowError, WorkbenchError
from workbench.values.infer import infer
from workbench.values.types import arrow_schema


def read(obj: Any, time: str | None = None) -> tuple[dict[str, str], list[dict[str, Any]]]:
    columns, reader = infer(obj, time)
    assert reader.schema == arrow_schema(columns)
    return columns, reader.read_all().to_pylist()


def test_dicts_with_holes() -> None:
    columns, rows = read([{"a": 1, "b": None}, {"b": "x", "c": Decimal("1.5")}])
    assert columns == {"a": "BIGINT", "b": "VARCHAR", "c": "DECIMAL(18,1)"}
    assert rows == [{"a": 1, "b": None, "c": None}, {"a": None, "b": "x", "c": Decimal("1.5")}]


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([True, None], "BOOLEAN"),
        ([1, 2**62], "BIGINT"),
        ([1, 2**64 - 1], "UBIGINT"),
        ([-1, 2**64], "HUGEINT"),
        ([1, 2.5], "DOUBLE"),
        ([1, float("nan")], "DOUBLE"),
        ([np.int8(1), pd.NA], "BIGINT"),
        ([1, Decimal("0.5")], "DECIMAL(18,1)"),
        ([np.array([1.5])], "DOUBLE[]"),
        ([pd.Timestamp("2026-01-02"), pd.NaT], "TIMESTAMP"),
        ([Decimal("1E+20")], "DECIMAL(38,0)"),
        ([b"a"], "BLOB"),
        ([uuid.UUID(int=1)], "UUID"),
        ([date(2026, 1, 2)], "DATE"),
        ([datetime(2026, 1, 2)], "TIMESTAMP"),
        ([[1], None], "BIGINT[]"),
        ([{"x": 1}, {"y": "a"}], "STRUCT(x BIGINT, y VARCHAR)"),
    ],
)
def test_types_of_python_values(values: list[Any], kind: str) -> None:
    assert infer([{"v": value} for value in values])[0] == {"v": kind}


def test_pandas_polars_and_arrow_keep_their_types() -> None:
    frame = pd.DataFrame(
        {
            "i": pd.array([1], "Int32"),
            "s": ["a"],
            "c": pd.Categorical(["x"]),
            "t": pd.to_datetime(["2026-01-02"]).tz_localize("UTC"),
            "o": pd.Series([Decimal("1.5")], dtype=object),
        }
    )
    assert read(frame, time="t")[0] == {
        "i": "INTEGER",
        "s": "VARCHAR",
        "c": "VARCHAR",
        "t": "TIMESTAMP",
        "o": "DECIMAL(18,1)",
    }
    polars = pl.DataFrame({"i": pl.Series([1], dtype=pl.UInt8), "l": [["a"]]})
    expected = ({"i": "UTINYINT", "l": "VARCHAR[]"}, [{"i": 1, "l": ["a"]}])
    assert read(polars) == expected
    assert read(polars.lazy()) == expected
    assert read(polars.to_arrow()) == expected
    assert read(polars.to_arrow().to_reader()) == expected


def test_ibis_tables_stream() -> None:
    assert read(ibis.memtable({"a": [1, 2]}).filter(ibis._.a > 1)) == ({"a": "BIGINT"}, [{"a": 2}])


def test_schemas_make_tables_without_rows() -> None:
    expected = {"id": "BIGINT", "at": "TIMESTAMP", "price": "DECIMAL(9,2)"}
    for schema in (
        {"id": "int8", "at": "timestamptz", "price": "numeric(9, 2)"},
        {"id": int, "at": datetime, "price": pa.decimal128(9, 2)},
        pa.schema([("id", pa.int64()), ("at", pa.timestamp("ns", "UTC")), ("price", pa.decimal128(9, 2))]),
        ibis.schema({"id": "int64", "at": "timestamp('UTC')", "price": "decimal(9, 2)"}),
        {"id": ibis.dtype("int64"), "at": ibis.dtype("timestamp"), "price": ibis.dtype("decimal(9, 2)")},
    ):
        assert read(schema, time="at") == (expected, [])


def test_pandera_schemas_are_known_by_their_shape() -> None:
    types = {
        "a": "int64",
        "b": "datetime64[ns, UTC]",
        "c": "string[python]",
        "d": "Float64",
        "e": "bool",
        "f": "Datetime(time_unit='us')",
    }
    schema = SimpleNamespace(columns={name: SimpleNamespace(dtype=kind) for name, kind in types.items()})
    model = SimpleNamespace(to_schema=lambda: schema)
    for given in (schema, model):
        assert list(read(given)[0].values()) == [
            "BIGINT",
            "TIMESTAMP",
            "VARCHAR",
            "DOUBLE",
            "BOOLEAN",
            "TIMESTAMP",
        ]
    with pytest.raises(WorkbenchError, match="the schema's type 'complex128' has no counterpart"):
        infer(SimpleNamespace(columns={"a": SimpleNamespace(dtype="complex128")}))


@pytest.fixture
def files(tmp_path: Path) -> Path:
    query = "SELECT i AS id, TIMESTAMP '2026-01-02' + INTERVAL (i) SECOND AS ts, 'é' || i AS name FROM range(5) t(i)"
    for name in ("a.parquet", "b.csv", "c.csv.gz", "d.json", "e.ndjson.gz"):
        duckdb.execute(f"COPY ({query}) TO '{tmp_path / name}'")
    return tmp_path


@pytest.mark.parametrize("name", ["a.parquet", "b.csv", "c.csv.gz", "d.json", "e.ndjson.gz", "[a].parq*"])
def test_files_of_every_format(files: Path, name: str) -> None:
    columns, rows = read(files / name, time="ts")
    assert columns == {"id": "BIGINT", "ts": "TIMESTAMP", "name": "VARCHAR"}
    assert len(rows) == 5 and rows[3] == {"id": 3, "ts": datetime(2026, 1, 2, 0, 0, 3), "name": "é3"}
    assert read(str(files / name))[0] == columns


def test_a_glob_reads_all_its_files(files: Path) -> None:
    assert len(read(files / "*.csv*")[1]) == 10


def test_zoned_times_in_parquet_become_utc(tmp_path: Path) -> None:
    path = tmp_path / "z.parquet"
    duckdb.execute(f"COPY (SELECT TIMESTAMPTZ '2026-01-02 00:00:00+01' AS t) TO '{path}'")
    assert read(path) == ({"t": "TIMESTAMP"}, [{"t": datetime(2026, 1, 1, 23)}])


@pytest.mark.parametrize("path", ["nothing.csv", "nothing*.parquet", "https://example.com/x.parquet"])
def test_missing_files(path: str) -> None:
    with pytest.raises(NotFound, match="there is no file"):
        infer(path)


def test_what_is_no_path() -> None:
    with pytest.raises(WorkbenchError, match="'SELECT 1' is not a path of Parquet, CSV or JSON files"):
        infer("SELECT 1")


def test_broken_files_say_where(tmp_path: Path) -> None:
    (tmp_path / "bad.csv").write_text("a,b\n" + "1,2\n" * 50_000 + "x,3\n")
    with pytest.raises(WorkbenchError, match=r"bad.csv cannot be read: .* Line: 50002"):
        infer(tmp_path / "bad.csv")[1].read_all()
    (tmp_path / "bad.parquet").write_text("not parquet")
    with pytest.raises(WorkbenchError, match=r"bad.parquet cannot be read"):
        infer(tmp_path / "bad.parquet")


@pytest.mark.parametrize(
    ("obj", "said"),
    [
        (5, "a table cannot be made from int"),
        ([], "there are no rows to tell the columns from"),
        ([{"a": 1}, 3], "row 1: a row is an object"),
        ([{"a": 1, "A": 2}], "columns 'a' and 'A' differ only in case"),
        ([{"__a": 1}], "names starting with __ are reserved"),
        ([{"": 1}], "a column cannot be named ''"),
        ({}, "a table needs at least one column"),
        ({"a": "bigit"}, "column 'a': unknown column type 'bigit'"),
        ({"a": [1]}, "column 'a': [1] is not a column type"),
        ({"a": "INTERVAL"}, "column 'a': a table column cannot be an INTERVAL"),
        ([{"a": None}], "column 'a': all values are NULL, so there is no type"),
        ([{"a": []}], "column 'a': all values are NULL, so there is no type"),
        ([{"a": {"x": 1, "X": 2}}], "column 'a': the keys of its objects cannot be field names"),
        ([{"a": object()}], "column 'a': its values have no common type (object)"),
        ([{"a": 1j}], "column 'a': its values have no common type (complex)"),
        ([{"a": True}, {"a": 1}], "column 'a': its values have no common type (bool, int)"),
        ([{"a": 1}, {"a": "x"}], "column 'a': its values have no common type (int, str)"),
        ([{"a": "x"}, {"a": b"y"}], "column 'a': its values have no common type (bytes, str)"),
        ([{"a": timedelta(1)}], "column 'a': a table column cannot be an INTERVAL"),
        (pd.DataFrame({1: [1]}), "a column of the DataFrame is named 1, which is not text"),
        (pd.DataFrame({"a": [1j]}), "column 'a': pandas columns of type complex128 are not supported"),
        (
            pl.DataFrame({"a": pl.Series([object()], dtype=pl.Object)}),
            "column 'a': Polars columns of type Object",
        ),
        (pl.DataFrame({"a": pl.Series([2**100], dtype=pl.Int128)}), "this DataFrame cannot be read as Arrow"),
        (pa.table([[1], [2]], names=["a", "a"]), "column 'a' is there twice"),
    ],
)
def test_what_no_table_can_be_made_from(obj: Any, said: str) -> None:
    with pytest.raises(WorkbenchError) as caught:
        infer(obj)
    assert said in caught.value.message
    assert caught.value.hint or said.startswith("a table needs")


@pytest.mark.parametrize(
    ("time", "said", "hint"),
    [
        ("when", "there is no time column 'when'", "the columns are day, text, number"),
        ("day", "the time column 'day' is DATE, not TIMESTAMP", "which moment of the day"),
        ("TEXT", "the time column 'text' is VARCHAR, not TIMESTAMP", "to_datetime"),
        ("number", "the time column 'number' is BIGINT, not TIMESTAMP", "unit='s'"),
    ],
)
def test_the_time_column_is_a_timestamp(time: str, said: str, hint: str) -> None:
    with pytest.raises(WorkbenchError, match=said) as caught:
        infer({"day": "DATE", "text": "VARCHAR", "number": "BIGINT"}, time)
    assert hint in str(caught.value.hint)


def test_finer_times_are_refused_with_their_rows() -> None:
    with pytest.raises(RowError, match=r"row 1, column 't': .* is finer than microseconds"):
        infer(pa.table({"t": pa.array([0, 1], pa.timestamp("ns"))}))[1].read_all()
