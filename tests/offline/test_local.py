"""Queries are tried on DataFrames, beside the project's tables."""

from __future__ import annotations

from typing import Any

import ibis
import pandas as pd
import pytest
from ibis import _

import workbench as wb
from tests import shop
from workbench.errors import DefinitionError

FRAME = pd.DataFrame(
    {
        "card": ["a", "a", "b", "a"],
        "at": pd.to_datetime(["2024-01-01", "2024-01-02", "2024-01-02", "2024-01-02"]),
        "x": [1, 2, 3, 4],
    }
)
SUMS = "SELECT card, sum(x) OVER w AS s FROM df WINDOW w AS (PARTITION BY card ORDER BY at)"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return shop.open_shop(tmp_path_factory.mktemp("local") / "shop")


def rows(result: Any) -> list[tuple[Any, ...]]:
    return [tuple(row.values()) for row in result.to_pyarrow().to_pylist()]


def test_a_frame_stands_in_from(project: Any) -> None:
    assert rows(project.preview(SUMS, {"df": FRAME})) == [("a", 1), ("a", 3), ("b", 3), ("a", 7)]
    assert "df" not in project.list_tables() and not project.list_views()


def test_a_frame_stands_beside_tables(project: Any) -> None:
    query = "SELECT df.card, count(*) OVER w AS n, c.limit_ FROM df LAST JOIN cards AS c ON df.card = c.card "
    query += "WINDOW w AS (FROM tx PARTITION BY card ORDER BY ts)"
    stored = [row for row in shop.TX_ROWS if row["card"] == "a" and str(row["ts"]) <= "2024-01-01 00:00:00"]
    assert rows(project.preview(query, {"df": FRAME}))[0] == ("a", len(stored), 150.0)


def test_a_name_of_a_table_means_the_frame(project: Any) -> None:
    shown = project.preview("SELECT card, x FROM tx WHERE x > :least", {"tx": FRAME}, params={"least": 3})
    assert rows(shown) == [("a", 4)]


def test_memtables_of_ibis(project: Any) -> None:
    frame = ibis.memtable(FRAME)
    window = wb.window(partition_by="card", order_by="at", rows=1)
    shown = project.preview(frame.select("card", s=_.x.sum().over(window)))
    assert rows(shown) == [("a", 1), ("a", 3), ("b", 3), ("a", 6)]
    with pytest.raises(DefinitionError, match="cannot be a table of a view"):
        project.define("v", frame.select("card"))


def test_rows_are_a_sample_with_the_newest(project: Any) -> None:
    many = pd.DataFrame({"at": pd.date_range("2024-01-01", periods=100, freq="h"), "x": range(100)})
    shown = [x for (x,) in rows(project.preview("SELECT x FROM df", {"df": many}, rows=5))]
    assert shown == [19, 39, 59, 79, 99]


def test_the_time_must_be_clear(project: Any) -> None:
    frame = FRAME.assign(seen=FRAME["at"])
    with pytest.raises(DefinitionError, match="several times: at, seen") as caught:
        project.preview(SUMS, {"df": frame})
    assert caught.value.hint == "times={'df': 'at'}"
    assert len(project.preview(SUMS, {"df": frame}, times={"df": "at"})) == 4


def test_errors_are_those_of_a_definition(project: Any) -> None:
    with pytest.raises(DefinitionError, match="no column 'y'"):
        project.preview("SELECT y FROM df", {"df": FRAME})
