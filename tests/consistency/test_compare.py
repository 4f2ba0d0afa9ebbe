"""Foreign values beside ours: what is counted, how far they are apart, and the rows behind the worst."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

import workbench
from workbench.errors import NotFound, WorkbenchError

START = datetime(2024, 1, 1)
COLUMNS = {"ts": "TIMESTAMP", "id": "BIGINT", "k": "VARCHAR", "x": "BIGINT", "f": "DOUBLE"}
ROWS: list[dict[str, Any]] = [
    {"ts": START + timedelta(hours=n), "id": n, "k": "ab"[n % 2], "x": None if n == 7 else n, "f": n / 3}
    for n in range(10)
]
QUERY = (
    "SELECT id, count(*) OVER w AS cnt, sum(x) OVER w AS total, avg(f) OVER w AS mean, x AS same, k AS word "
    "FROM tx WINDOW w AS (PARTITION BY k ORDER BY ts ROWS BETWEEN 2 PRECEDING AND CURRENT ROW)"
)


@pytest.fixture(scope="module")
def view(tmp_path_factory: pytest.TempPathFactory) -> Any:
    project = workbench.open(tmp_path_factory.mktemp("compare") / "p")
    project.create_table("tx", COLUMNS, time="ts").append(ROWS)
    return project.define("v", QUERY)


@pytest.fixture
def frame(view: Any) -> pd.DataFrame:
    """Our own values under the keys."""
    made = view.offline().to_pandas()
    made.insert(0, "ts", [row["ts"] for row in ROWS])
    return made


def test_equal_values(view: Any, frame: pd.DataFrame) -> None:
    found = view.compare(frame, on=["id", "ts"])
    assert found.ok and (found.rows, found.compared, found.different) == (10, 50, 0)
    assert found.summary() == "v: 50 values of 10 rows compared, all equal"
    assert [feature.feature for feature in found.features] == ["cnt", "total", "mean", "same", "word"]
    assert view.compare(frame, on="ID").ok and view.compare(frame.assign(seq=range(1, 11)), on="seq").ok


def test_what_differs_is_measured_and_explained(view: Any, frame: pd.DataFrame) -> None:
    frame = frame.astype({"total": "float64"})
    frame.loc[2, "total"] += 1
    frame.loc[5, "total"] += 5
    frame.loc[8, "total"] -= 2
    frame.loc[3, "mean"] = math.nan
    frame.loc[7, "same"] = 7
    frame.loc[4, "word"] = "z"
    found = view.compare(frame, on=["id"], examples=2)
    assert not found.ok and found.different == 6
    total = found["total"]
    assert (total.compared, total.equal, total.different) == (10, 7, 3)
    assert (total.max_abs, total.median_abs) == (5.0, 2.0)
    assert total.rate == pytest.approx(0.3) and total.note == "BIGINT here, DOUBLE there"
    ours = view.offline().to_pandas()["total"].tolist()
    assert total.max_rel == pytest.approx(max(1 / (ours[2] + 1), 5 / (ours[5] + 5), 2 / ours[8]))
    assert [(example.keys, example.seq) for example in total.examples] == [({"id": 5}, 6), ({"id": 8}, 9)]
    assert (total.examples[0].ours, total.examples[0].theirs) == (ours[5], ours[5] + 5)
    why = total.examples[0].why
    assert why is not None and why.value == ours[5] and why.evidence[0].counted.num_rows == 3
    assert total.examples[1].why is None
    assert (found["mean"].missing_theirs, found["mean"].different) == (1, 0)
    assert (found["same"].missing_ours, found["same"].equal) == (1, 9)
    assert (found["word"].different, found["word"].max_abs) == (1, None)
    assert found["word"].examples[0].theirs == "z"
    text, page = repr(found), found._repr_html_()
    assert "v: 50 values of 10 rows compared, 6 different" in text
    assert "id=5 (seq 6): ours 9, theirs 14.0" in text and "total = 9" in text
    assert "<td>total</td>" in page and "30.000%" in page
    assert found.to_dict()["features"][1]["examples"][0]["theirs"] == 14.0


def test_tolerance(view: Any, frame: pd.DataFrame) -> None:
    frame["mean"] *= 1 + 1e-7
    assert view.compare(frame, on=["id"])["mean"].equal == 1  # zero stays zero
    assert view.compare(frame, on=["id"], tolerance=1e-6).ok
    frame["mean"] /= 1 + 1e-7
    exact = view.compare(frame, on=["id"], tolerance=0)
    assert exact["mean"].max_abs is None or exact["mean"].max_abs < 1e-12
    with pytest.raises(WorkbenchError, match="relative difference from 0 to 1"):
        view.compare(frame, on=["id"], tolerance=-1)


def test_rows_that_cannot_be_compared_are_counted(view: Any, frame: pd.DataFrame) -> None:
    doubled = pd.concat([frame.iloc[:6], frame.iloc[:2], frame.iloc[:1].assign(id=99)])
    found = view.compare(doubled, on=["id"])
    assert (found.rows, found.unmatched, found.ambiguous) == (4, 1, 4)
    assert "1 without a stored row of the same id, 4 with id of several rows" in found.summary()
    by_key = view.compare(frame.assign(k=frame["word"]), on=["k"])
    assert (by_key.rows, by_key.ambiguous, by_key.ok) == (0, 10, False)
    assert "no row could be compared" in by_key.summary()


def test_rows_that_where_leaves_out_are_counted(view: Any, frame: pd.DataFrame) -> None:
    large = view.project.define("large", "SELECT id, x + 1 AS same FROM tx WHERE x >= 5")
    found = large.compare(frame.assign(same=frame["same"] + 1), on=["id"])
    assert (found.rows, found.left_out, found.different) == (4, 6, 0)


def test_without_keys_the_rows_themselves_are_answered(view: Any) -> None:
    rows = [{"ts": START + timedelta(hours=20), "id": 50, "k": "a", "x": 4, "f": 0.0, "total": 18, "cnt": 4}]
    found = view.compare(rows)
    assert (found["total"].ok, found["cnt"].ok) == (True, False)
    assert found["cnt"].examples[0].ours == 3 and found["cnt"].examples[0].why is not None


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_files(view: Any, frame: pd.DataFrame, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"theirs.{suffix}"
    renamed = frame.rename(columns={"cnt": "v__cnt", "total": "their_total"})
    renamed.to_csv(path, index=False) if suffix == "csv" else renamed.to_parquet(path, index=False)
    found = view.compare(path, on=["id", "ts"], columns={"total": "their_total"})
    assert found.ok and found["cnt"].column == "v__cnt" and found["total"].column == "their_total"
    assert view.compare(str(path), on=["id"]).ignored == ("ts", "their_total")


def test_types_that_differ_are_compared_as_ours(view: Any, frame: pd.DataFrame) -> None:
    texts = pa.table(
        {"id": frame["id"], "cnt": [str(value) for value in frame["cnt"]], "word": ["a", "b"] * 5}
    )
    found = view.compare(texts, on=["id"])
    assert found.ok and found["cnt"].note == "BIGINT here, VARCHAR there"
    bad = view.compare(pa.table({"id": [0], "cnt": ["many"]}), on=["id"])
    assert (bad["cnt"].different, bad["cnt"].max_abs) == (1, None)


def test_great_integers_are_compared_exactly(tmp_path: Path) -> None:
    project = workbench.open(tmp_path / "p")
    project.create_table("tx", COLUMNS, time="ts").append([{**ROWS[0], "x": 2**53 + 1}])
    view = project.define("v", "SELECT x AS y FROM tx")
    assert not view.compare([{"id": 0, "y": 2**53}], on=["id"], tolerance=0).ok
    assert view.compare([{"id": 0, "y": 2**53}], on=["id"]).ok


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"on": ["idd"]}, NotFound, "table tx has no column 'idd' to compare on; did you mean 'id'"),
        ({"on": ["f"]}, NotFound, "the frame has no column 'f' to compare on"),
        ({"on": []}, WorkbenchError, "on= names no column"),
        ({"on": ["id"], "columns": {"tota": "x"}}, NotFound, "no feature 'tota'; did you mean 'total'"),
        ({"on": ["id"], "columns": {"total": "totl"}}, NotFound, "no column 'totl'; did you mean 'total'"),
        ({"frame": [{"id": 1, "other": 2}], "on": ["id"]}, WorkbenchError, "has no feature of view"),
        ({"frame": "nowhere.csv", "on": ["id"]}, WorkbenchError, "nowhere.csv"),
        ({"frame": [{"id": 1, "total": 2}]}, WorkbenchError, "has no column"),
    ],
)
def test_what_cannot_be_compared(
    view: Any, frame: pd.DataFrame, arguments: dict[str, Any], error: type[WorkbenchError], message: str
) -> None:
    given = {"frame": frame, **arguments}
    with pytest.raises(error, match=message):
        view.compare(**given)
