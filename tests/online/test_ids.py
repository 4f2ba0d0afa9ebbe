"""A request or spine row whose row is stored already is answered at the stored row's place: it does not see itself."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import workbench
from workbench.errors import Conflict, WorkbenchError

HOUR = timedelta(hours=1)
START = datetime(2024, 1, 1)
COLUMNS = {"id": "VARCHAR", "k": "BIGINT", "ts": "TIMESTAMP", "x": "DOUBLE"}
SQL = """SELECT count(*) OVER w AS n, sum(x) OVER w AS s FROM tx
WINDOW w AS (PARTITION BY k ORDER BY ts ROWS_RANGE BETWEEN 1d PRECEDING AND CURRENT ROW)"""
#: Three rows of one time, then one an hour later.
ROWS = [{"id": f"r{i}", "k": 1, "ts": START + (i // 3) * HOUR, "x": float(i)} for i in range(4)]


@pytest.fixture
def project(tmp_path: Path) -> Any:
    opened = workbench.open(tmp_path / "project")
    opened.create_table("tx", COLUMNS, time="ts", id="id")
    opened.table("tx").append(ROWS[:2])
    opened.storage.flush()
    opened.table("tx").append(ROWS[2:])
    return opened


@pytest.fixture
def view(project: Any) -> Any:
    return project.define("v", SQL)


def test_a_stored_row_asked_again_is_answered_as_it_was(view: Any) -> None:
    offline = view.offline().to_pyarrow().to_pylist()
    assert [row["n"] for row in offline] == [1, 2, 3, 4]
    assert [view.request(row) for row in ROWS] == offline
    assert [a.features for a in view._engine().request(ROWS)] == offline
    assert view.offline(spine=ROWS).to_pyarrow().to_pylist() == offline
    assert view.check("all").ok
    (tied,) = view.offline(spine=[ROWS[0] | {"id": "new"}]).to_pyarrow().to_pylist()
    assert tied["n"] == 4 == view.request(ROWS[0] | {"id": "new"})["n"], (
        "a new row of that time comes after them"
    )


def test_without_a_time_it_is_answered_at_the_stored_rows(view: Any) -> None:
    row = {name: value for name, value in ROWS[1].items() if name != "ts"}
    (answer,) = view._engine().request([row])
    assert (answer.as_of, answer.features) == (START, {"n": 2, "s": 1.0})


def test_the_values_are_those_that_are_sent(view: Any) -> None:
    assert view.request(ROWS[1] | {"x": 100.0}) == {"n": 2, "s": 100.0}


def test_at_another_time_it_is_a_new_row(view: Any) -> None:
    later = ROWS[1] | {"ts": START + 2 * HOUR}
    assert view.request(later)["n"] == 5 == view.request(ROWS[1], as_of=START + 2 * HOUR)["n"]
    assert view.request(ROWS[1], as_of=START)["n"] == 2
    (spine,) = view.offline(spine=[later]).to_pyarrow().to_pylist()
    assert spine["n"] == 5


def test_unknown_and_missing_ids_are_new_rows(view: Any) -> None:
    for row in (
        ROWS[1] | {"id": "x"},
        ROWS[1] | {"id": None},
        {k: v for k, v in ROWS[1].items() if k != "id"},
    ):
        assert view.request(row)["n"] == 4


def test_findings_of_a_spine(view: Any) -> None:
    assert [f.code for f in view.lint(spine=ROWS) if f.code.startswith("spine")] == []
    moved = [ROWS[1] | {"ts": START + 2 * HOUR}, ROWS[2]]
    (finding,) = (f for f in view.lint(spine=moved) if f.code.startswith("spine"))
    assert finding.code == "spine-row-moved" and "1 spine rows have the id of a row of tx" in finding.message
    unnamed = [{k: v for k, v in row.items() if k != "id"} for row in ROWS]
    assert [f.code for f in view.lint(spine=unnamed) if f.code.startswith("spine")] == ["spine-row-stored"]


def test_why_of_a_stored_row_does_not_count_it_twice(view: Any) -> None:
    assert view.why(ROWS[1], "n").value == 2


def test_tables_without_time(tmp_path: Path) -> None:
    project = workbench.open(tmp_path / "static")
    cards = project.create_table("cards", [{"id": 1, "k": 1}, {"id": 2, "k": 1}], id="id")
    assert cards.append([{"id": 2, "k": 1}, {"id": 3, "k": 2}]).known == 1
    view = project.define(
        "v", "SELECT cards.id, b.id AS last FROM cards LAST JOIN cards AS b ON b.k = cards.k"
    )
    assert [view.request({"id": i, "k": 1})["last"] for i in (1, 2, 9)] == [None, 1, 2]
    spine = view.offline(spine=[{"id": i, "k": 1} for i in (1, 2, 9)]).to_pyarrow()
    assert spine.column("last").to_pylist() == [None, 1, 2]


def test_the_definition_knows_the_id(project: Any) -> None:
    table = project.table("tx")
    assert table.id == "id" and "id id" in repr(table)
    with pytest.raises(Conflict, match="its id is id, not None"):
        project.create_table("tx", COLUMNS, time="ts")
    project.create_table("tx", COLUMNS, time="ts", id="id", if_exists="skip")
    with pytest.raises(WorkbenchError, match="the column id='x' is DOUBLE"):
        project.create_table("other", COLUMNS, time="ts", id="x")
    assert "other" not in project.list_tables()


def test_replacing_keeps_ids_apart(project: Any) -> None:
    project.create_table("tx", [*ROWS, ROWS[0]], time="ts", id="id", if_exists="replace")
    assert project.table("tx").count() == 4
    assert project.table("tx").append(ROWS).known == 4


def test_the_receipt_counts(project: Any) -> None:
    receipt = project.table("tx").append([ROWS[0], ROWS[1] | {"x": 9.0}, ROWS[0] | {"id": "new"}])
    assert (receipt.accepted, receipt.known, receipt.different) == (1, 2, 1)
