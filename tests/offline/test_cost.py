"""How many rows requests read: measured on the stored rows, the same as counting them."""

from __future__ import annotations

import statistics
from datetime import timedelta
from typing import Any

import pytest

from tests import shop
from workbench.offline.cost import rows_touched

HOURS = timedelta(hours=3)


def numbers(view: Any) -> dict[str, tuple[int, int, int]]:
    touched = rows_touched(view.project.storage, view.plan)
    return {one.what: (one.median, one.p99, one.most) for one in touched}


def counted(counts: list[int]) -> tuple[int, int, int]:
    """Median (the higher of two), 99th percentile and maximum of what some 60 rows read."""
    return (statistics.median_high(counts), max(counts), max(counts))


def test_a_history_reads_the_rows_of_its_key_and_time(project: Any) -> None:
    view = project.define("own", "SELECT count(*) OVER (PARTITION BY card ORDER BY ts ROWS_RANGE BETWEEN 3h "
                          "PRECEDING AND CURRENT ROW) AS n FROM tx")  # fmt: skip
    seen = [
        sum(
            x["card"] == r["card"] and r["ts"] - HOURS <= x["ts"] and x["ts"] <= r["ts"] for x in shop.TX_ROWS
        )
        for r in shop.TX_ROWS
    ]
    assert numbers(view) == {"tx for w0": counted(seen)}


@pytest.mark.parametrize("rows", [1, 3])
def test_a_number_of_rows_is_the_most(project: Any, rows: int) -> None:
    view = project.define("few", f"SELECT count(*) OVER w AS n FROM tx WINDOW w AS (FROM logins PARTITION BY card "
                          f"ORDER BY at ROWS BETWEEN {rows} PRECEDING AND CURRENT ROW)")  # fmt: skip
    seen = [
        min(
            rows,
            sum(x["card"] == r["card"] is not None and x["at"] <= r["ts"] for x in shop.LOGIN_ROWS),
        )
        for r in shop.TX_ROWS
        if r["card"] is not None
    ]
    assert numbers(view) == {"logins for w0": counted(seen)}


def test_only_joins_that_search_are_measured(project: Any) -> None:
    view = project.define("joined", "SELECT l.score, m.score AS other FROM tx LAST JOIN logins AS l ON "
                          "l.card = tx.card LAST JOIN logins AS m ON m.card = tx.card AND m.score > tx.n")  # fmt: skip
    seen = [
        sum(x["card"] == r["card"] and x["at"] <= r["ts"] for x in shop.LOGIN_ROWS)
        for r in shop.TX_ROWS
        if r["card"] is not None
    ]
    assert numbers(view) == {"logins for last row j1": counted(seen)}


def test_explain_says_what_is_flat_and_what_was_measured(view: Any) -> None:
    text = view.explain()
    assert "window w0: flat" in text
    assert "window w1: flat" in text
    assert "last row j0: flat" in text
    assert "rows touched per request, measured on 60 stored rows:\n    tx for w0: median " in text


def test_an_empty_table_has_nothing_to_measure(project: Any) -> None:
    project.create_table("empty", {"ts": "TIMESTAMP", "k": "BIGINT"}, time="ts", if_exists="skip")
    view = project.define("none", "SELECT count(*) OVER (PARTITION BY k ORDER BY ts) AS n FROM empty")
    assert numbers(view) == {}
    assert "rows touched" not in view.explain()
