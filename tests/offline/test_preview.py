"""A preview is a spread sample with the newest row, and each of its rows is exactly the bulk one."""

from __future__ import annotations

from typing import Any

import pytest

from tests import shop
from tests.plan.conftest import NAMES, SNAPSHOTS
from workbench.consistency.values import equal
from workbench.errors import WorkbenchError


@pytest.mark.parametrize("rows", [1, 2, 10, 59, 60, 1000])
def test_as_many_rows_as_asked_with_the_newest(project: Any, view: Any, rows: int) -> None:
    shown = view.preview(rows).to_pandas()["id"].tolist()
    newest = max(shop.TX_ROWS, key=lambda row: (row["ts"], row["id"]))["id"]
    assert len(shown) == min(rows, 60) and newest in shown
    assert shown == sorted(shown), "in the order of arrival"


def test_a_preview_is_spread_and_the_same_each_time(view: Any) -> None:
    shown = view.preview(12).to_pandas()["id"].tolist()
    assert shown == view.preview(12).to_pandas()["id"].tolist()
    assert min(shown) < 20 < 40 < max(shown)


@pytest.mark.parametrize("name", NAMES)
def test_previewed_rows_are_the_bulk_rows(project: Any, name: str) -> None:
    view = project.define(f"preview_{name}", (SNAPSHOTS / f"{name}.sql").read_text())
    bulk = view.offline().to_pyarrow().to_pylist()
    shown = view.preview(8).to_pyarrow().to_pylist()
    # Two forms may add up floats in another order.
    assert shown and all(any(alike(view.schema, row, other) for other in bulk) for row in shown)


def alike(schema: dict[str, str], row: dict[str, Any], other: dict[str, Any]) -> bool:
    return all(equal(row[name], other[name], kind) for name, kind in schema.items())


def test_a_preview_of_a_filtered_view_shows_rows_that_it_answers(project: Any) -> None:
    view = project.define("few", "SELECT id FROM tx WHERE id % 20 = 3")
    assert view.preview(5).to_pandas()["id"].tolist() == [3, 23, 43]


def test_appended_rows_are_shown_at_once(project: Any) -> None:
    project.create_table("fresh", {"ts": "TIMESTAMP", "k": "BIGINT"}, time="ts")
    view = project.define(
        "fresh_view", "SELECT k, count(*) OVER (PARTITION BY k ORDER BY ts) AS c FROM fresh"
    )
    assert len(view.preview(5)) == 0
    project.table("fresh").append([{"ts": "2024-01-01", "k": 1}, {"ts": "2024-01-01", "k": 1}])
    assert view.preview(5).to_pyarrow().to_pylist() == [{"k": 1, "c": 1}, {"k": 1, "c": 2}]


@pytest.mark.parametrize("rows", [0, -1, 2.5, "many", None, True])
def test_how_many_is_a_number(view: Any, rows: Any) -> None:
    with pytest.raises(WorkbenchError, match="rows is a whole number, at least 1"):
        view.preview(rows)
