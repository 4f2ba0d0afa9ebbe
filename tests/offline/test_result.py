"""A Result opens into the library of the user's choice, with the same values in each."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

WIDE = """SELECT id, amount, n, mcc, day, ts, price, place, tags, count(*) OVER w AS cnt
FROM tx WINDOW w AS (PARTITION BY card ORDER BY ts)"""


@pytest.fixture(scope="module")
def result(project: Any) -> Any:
    return project.define("wide", WIDE).offline()


def test_columns_and_types_are_those_of_the_view(project: Any, result: Any) -> None:
    assert result.columns == project.view("wide").schema
    assert result.to_pyarrow().schema.names == list(result.columns)
    assert result.to_pyarrow().schema.field("price").type == pa.decimal128(10, 2)
    assert result.to_pyarrow().schema.field("ts").type == pa.timestamp("us")


def test_every_library_sees_the_same_rows(result: Any) -> None:
    table = result.to_pyarrow()
    frame = result.to_pandas()
    assert frame["id"].tolist() == table.column("id").to_pylist() == list(range(60))
    assert list(frame.columns) == table.column_names
    assert isinstance(result.to_polars(), pl.DataFrame)
    assert result.to_polars().to_dicts() == table.to_pylist()
    assert len(result) == 60


def test_short_names(result: Any) -> None:
    assert result.df().equals(result.to_pandas())
    assert result.pl().equals(result.to_polars())
    assert result.arrow() is result.to_pyarrow()


def test_other_libraries_take_it_as_an_arrow_stream(result: Any) -> None:
    assert pl.DataFrame(result).height == 60
    assert pa.table(result).num_rows == 60
    stream = pa.RecordBatchReader.from_stream(result)
    duck = duckdb.connect()
    duck.register("features", stream)
    assert duck.execute("SELECT count(*), max(cnt) FROM features").fetchone() == (
        60,
        max(result.to_pyarrow().column("cnt").to_pylist()),
    )


def test_parquet_says_where_the_rows_come_from(project: Any, tmp_path: Path) -> None:
    view = project.view("wide").save()
    path = view.offline().to_parquet(tmp_path / "train.parquet")
    assert path == tmp_path / "train.parquet"
    metadata = pq.read_schema(path).metadata
    assert metadata[b"workbench.plan_hash"].decode() == view.plan.hash
    assert metadata[b"workbench.cut"].decode() == str(project.storage.last_seq())
    assert metadata[b"workbench.table"] == b"tx"
    assert pq.read_table(path).to_pylist() == view.offline().to_pyarrow().to_pylist()


def test_parquet_of_rows_that_are_already_there(result: Any, tmp_path: Path) -> None:
    result.to_pyarrow()
    assert pq.read_table(result.to_parquet(str(tmp_path / "again.parquet"))).num_rows == 60


def test_a_result_is_computed_when_it_is_asked_for_and_once(project: Any) -> None:
    result = project.define("lazy", "SELECT id FROM tx").offline()
    assert "not computed yet" in repr(result)
    assert result.to_pyarrow() is result.to_pyarrow()
    assert "60 rows" in repr(result) and ".to_pandas()" in repr(result)


def test_rows_of_the_cut_that_the_result_was_made_at(project: Any) -> None:
    project.create_table("late", {"ts": "TIMESTAMP", "n": "BIGINT"}, time="ts")
    project.table("late").append([{"ts": "2024-01-01", "n": 1}])
    result = project.define("late_view", "SELECT n FROM late").offline()
    project.table("late").append([{"ts": "2024-01-02", "n": 2}])
    assert len(result) == 1
    assert len(project.view("late_view").offline()) == 2


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("to_panda", "did you mean 'to_pandas'?"),
        ("to_parket", "did you mean 'to_parquet'?"),
        ("head", "call .to_pandas(), .to_polars() or .to_pyarrow() first"),
        ("shape", "call .to_pandas()"),
    ],
)
def test_an_attribute_that_is_not_there_says_what_to_call(result: Any, name: str, hint: str) -> None:
    with pytest.raises(AttributeError) as caught:
        getattr(result, name)
    assert hint in str(caught.value)
    assert not hasattr(result, "_repr_png_")


def test_the_notebook_shows_fifty_rows_escaped(project: Any) -> None:
    shown = project.define("shown", "SELECT '<b>' || id AS x, amount FROM tx").offline()._repr_html_()
    assert shown.count("<tr") == 51 and "&lt;b&gt;0" in shown and "<b>0" not in shown
    assert "NULL" in shown


def test_intervals_are_durations_where_a_library_knows_no_months(project: Any, tmp_path: Path) -> None:
    view = project.define(
        "spans", "SELECT INTERVAL 1 MONTH AS m, ts - TIMESTAMP '2024-01-01' AS d FROM tx WHERE id < 5"
    )
    frame = view.offline().to_polars()
    assert frame["m"].to_list() == [timedelta(days=30)] * 5
    assert frame["d"].to_list()[4] == timedelta(hours=1)
    assert (
        pq.read_table(view.offline().to_parquet(tmp_path / "x.parquet")).schema.types
        == [pa.duration("us")] * 2
    )
    assert view.check().ok
