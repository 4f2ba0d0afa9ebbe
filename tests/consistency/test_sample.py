"""The sample always holds the hard rows, however rare they are among easy ones."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import workbench
from workbench.consistency.sample import sample

START = datetime(2024, 1, 1)
ROWS = 4000
#: The only rows of their kind, by position in the table.
TIED = (1500, 1501)
NULL_KEY = 2500
FIRST = 3500
EDGE = 3000


def rows() -> list[dict[str, Any]]:
    made: list[dict[str, Any]] = [
        {"ts": START + timedelta(minutes=i), "k": i % 7, "v": i} for i in range(ROWS)
    ]
    made[TIED[1]] = {**made[TIED[0]], "v": -1}
    made[NULL_KEY]["k"] = None
    made[FIRST]["k"] = 99
    # Exactly a day after a row of its own key: 1440 minutes are no multiple of seven, so no other pair is.
    made[EDGE]["ts"] = made[EDGE - 1440 - 2]["ts"] + timedelta(days=1)
    made[EDGE]["k"] = made[EDGE - 1440 - 2]["k"]
    return made


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Any:
    opened = workbench.open(tmp_path_factory.mktemp("sample") / "project")
    opened.create_table("t", {"ts": "TIMESTAMP", "k": "BIGINT", "v": "BIGINT"}, time="ts").append(rows())
    return opened


def sampled(project: Any, query: str, count: int) -> list[int]:
    """Positions in the table of the sampled rows."""
    plan = project.define("view", query).plan
    cut = project.storage.last_seq()
    first = cut - ROWS + 1
    return [seq - first for seq in sample(project.storage, plan, count, cut)]


WINDOW = "SELECT sum(v) OVER (PARTITION BY k ORDER BY ts ROWS_RANGE BETWEEN 1d PRECEDING AND CURRENT ROW) AS s FROM t"


@pytest.mark.parametrize("count", [100, 400, 1000])
def test_ties_null_keys_and_first_rows_are_in_the_sample(project: Any, count: int) -> None:
    found = sampled(project, WINDOW, count)
    assert len(found) == count and found == sorted(set(found))
    assert {*TIED, NULL_KEY, FIRST} <= set(found)
    assert set(range(7)) & set(found), "first rows of the common keys"


def test_rows_on_the_edge_of_a_window_are_in_the_sample(project: Any) -> None:
    assert EDGE in sampled(project, WINDOW, 100)


def test_the_rest_is_spread_over_the_table(project: Any) -> None:
    found = sampled(project, WINDOW, 400)
    quarters = [sum(ROWS * q // 4 <= place < ROWS * (q + 1) // 4 for place in found) for q in range(4)]
    assert min(quarters) > 50


def test_the_sample_is_the_same_each_time(project: Any) -> None:
    assert sampled(project, WINDOW, 100) == sampled(project, WINDOW, 100)


def test_all_rows_when_as_many_are_asked_for(project: Any) -> None:
    assert sampled(project, WINDOW, ROWS) == sampled(project, WINDOW, 10 * ROWS) == list(range(ROWS))


def test_a_view_without_windows_is_sampled_too(project: Any) -> None:
    assert len(sampled(project, "SELECT v FROM t", 50)) == 50


def test_rows_that_are_not_known_at_the_cut_are_not_sampled(tmp_path: Path) -> None:
    opened = workbench.open(tmp_path / "project")
    table = opened.create_table("t", {"ts": "TIMESTAMP", "k": "BIGINT", "v": "BIGINT"}, time="ts")
    table.append(rows()[:10])
    cut = opened.storage.last_seq()
    table.append(rows()[10:20])
    assert max(sample(opened.storage, opened.define("view", WINDOW).plan, 100, cut)) == cut


DERIVED = """SELECT sum(v) OVER (PARTITION BY key ORDER BY at ROWS_RANGE BETWEEN 1d PRECEDING AND CURRENT ROW) AS s
FROM (SELECT k AS key, ts AS at, v + count(*) OVER (PARTITION BY k ORDER BY ts ROWS 3 PRECEDING) AS v FROM t) AS d"""


def test_hard_rows_of_a_view_of_computed_rows_are_in_the_sample(project: Any) -> None:
    assert {*TIED, NULL_KEY, FIRST, EDGE} <= set(sampled(project, DERIVED, 200))
    assert project.view("view").check(200).different == 0
