"""Why a feature has its value: the rows behind it and their neighbours."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import workbench
from workbench.errors import NotFound, RowError

START = datetime(2024, 1, 1)
SQL = """
SELECT id,
       sum(x) FILTER (WHERE x > 2) OVER near AS near,
       count(*) OVER older AS older,
       e.v AS newest,
       count(*) OVER near / 2 + count(*) OVER older AS both
FROM tx
LAST JOIN ev AS e ON e.k = tx.k AND e.c = 'a'
WINDOW near AS (PARTITION BY k ORDER BY ts ROWS_RANGE BETWEEN 8h PRECEDING AND CURRENT ROW),
       older AS (FROM ev PARTITION BY k ORDER BY ts ROWS_RANGE BETWEEN 1d PRECEDING AND 2h PRECEDING MAXSIZE 2)
"""


@pytest.fixture(scope="module")
def view(tmp_path_factory: pytest.TempPathFactory) -> Any:
    project = workbench.open(Path(tmp_path_factory.mktemp("why")))
    hours = enumerate([0, 1, 1, 1, 2, 2, 3, 9, 9, 10, 30])
    project.create_table(
        "tx",
        [{"id": i, "k": i % 2, "ts": START + timedelta(hours=h), "x": float(i)} for i, h in hours],
        time="ts",
    )
    events = enumerate([0, 0, 1, 1, 2, 3, 3, 5])
    project.create_table(
        "ev",
        [{"k": i % 2, "ts": START + timedelta(hours=h), "v": 100.0 + i, "c": "ab"[i % 2]} for i, h in events],
        time="ts",
    )
    return project.define("v", SQL)


def rows(table: Any, *names: str) -> list[tuple[Any, ...]]:
    return [tuple(row[name] for name in names) for row in table.to_pylist()]


def test_rows_of_a_window_stand_with_age_position_and_reason(view: Any) -> None:
    found = view.why({"id": 1, "k": 0, "ts": START + timedelta(hours=10), "x": 5.0}, "near")
    assert found.value == 5.0 + 8.0 + 6.0 + 4.0
    (part,) = found.evidence
    assert rows(part.rows, "position", "age", "x", "outside") == [
        (0, "0s", 5.0, None),
        (1, "1h", 8.0, None),
        (2, "7h", 6.0, None),
        (3, "8h", 4.0, None),
        (4, "9h", 2.0, "older than the frame"),
        (5, "10h", 0.0, "older than the frame"),
    ]
    assert sum(x for (x,) in rows(part.counted, "x")) == found.value


def test_rows_that_a_filter_or_the_frames_end_leaves_out_are_named(view: Any) -> None:
    (part,) = view.why(3, "near").evidence
    assert ("left out by FILTER",) in rows(part.rows, "outside")
    (part,) = view.why(7, "older").evidence
    assert rows(part.rows, "age", "outside")[:3] == [
        ("0s", "newer than the frame"),
        ("1h", "newer than the frame"),
        ("2h", None),
    ]


def test_a_last_join_shows_its_row_and_the_older_ones(view: Any) -> None:
    found = view.why(9, "newest")
    (part,) = found.evidence
    assert found.value == 106.0
    assert rows(part.rows, "v", "outside")[:2] == [(106.0, None), (104.0, "an older row")]


def test_an_expression_shows_the_rows_of_each_of_its_parts(view: Any) -> None:
    found = view.why(7, "both")
    assert len(found.evidence) == 2
    counted = {part.what.split(" by ")[0]: part.counted.num_rows for part in found.evidence}
    assert found.value == counted["count(*) over tx"] / 2 + counted["count(*) over ev"]
    assert "over tx by k" in repr(found)
    assert "<table" in found._repr_html_()


def test_values_are_those_of_the_check(view: Any) -> None:
    offline = view.offline().to_pyarrow().to_pylist()
    for seq, expected in enumerate(offline, start=1):
        for feature in ("near", "older", "newest", "both"):
            assert view.why(seq, feature).value == expected[feature]


def test_an_unknown_feature_or_row_is_said(view: Any) -> None:
    with pytest.raises(NotFound, match="no feature 'neer'; did you mean 'near'"):
        view.why(1, "neer")
    with pytest.raises(RowError, match="no such row"):
        view.why(999, "near")
    with pytest.raises(RowError, match="a dict of its columns, or the arrival number"):
        view.why("3", "near")
    with pytest.raises(RowError, match="the row has no column 'ts', which the view uses"):
        view.why({"id": 1, "k": 0, "x": 5.0}, "near")
