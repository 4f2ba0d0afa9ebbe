"""``project.sql()`` looks at the tables, and at nothing else, and changes nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from workbench.errors import DefinitionError, NotFound, WorkbenchError


@pytest.mark.parametrize(
    ("query", "rows"),
    [
        ("SELECT count(*) AS c FROM tx", [{"c": 60}]),
        ('SELECT max(id) AS m FROM "TX"; -- all', [{"m": 59}]),
        ("FROM cards SELECT card LIMIT 1", [{"card": "a"}]),
        ("WITH a AS (SELECT 1 AS x) SELECT * FROM a", [{"x": 1}]),
        ("VALUES (7)", [{"col0": 7}]),
        ("SELECT 1 AS a, 2 AS a, 3 AS a_1", [{"a": 1, "a_1": 2, "a_1_1": 3}]),
        ("SELECT column_name AS c FROM (DESCRIBE cards)", [{"c": "card"}, {"c": "limit_"}, {"c": "opened"}]),
        ("SELECT DISTINCT card FROM cards ORDER BY 1", [{"card": "a"}, {"card": "b"}]),
    ],
)
def test_one_select(project: Any, query: str, rows: list[dict[str, Any]]) -> None:
    result = project.sql(query)
    assert result.to_pyarrow().to_pylist() == rows
    assert list(result.columns) == list(rows[0])


@pytest.mark.parametrize(
    "query",
    [
        "INSERT INTO tx SELECT * FROM tx",
        "DELETE FROM tx",
        "UPDATE tx SET n = 1",
        "DROP TABLE tx",
        "CREATE TABLE x (a INTEGER)",
        "COPY tx TO 'x.csv'",
        "COPY (SELECT 1) TO 'x.csv'",
        "EXPORT DATABASE 'x'",
        "ATTACH 'x.db'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET threads = 1",
        "BEGIN",
        "SELECT 1; DROP TABLE tx",
        "",
        "-- nothing",
    ],
)
def test_anything_else_than_one_select_is_refused(
    project: Any, query: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DefinitionError, match=r"project\.sql\(\) takes one SELECT") as caught:
        project.sql(query)
    assert "create_table" in str(caught.value)
    assert not list(tmp_path.iterdir())
    assert project.table("tx").count() == 60


@pytest.mark.parametrize(
    "source",
    [
        "read_csv('{f}')",
        "read_text('{f}')",
        "'{f}'",
        "read_parquet('{f}')",
        "glob('/etc/*')",
        "read_json('{f}')",
    ],
)
def test_files_are_out_of_reach(project: Any, source: str, tmp_path: Path) -> None:
    file = tmp_path / "secret.csv"
    file.write_text("a\n1\n")
    with pytest.raises(DefinitionError, match="reads the project's tables only, not files") as caught:
        project.sql(f"SELECT * FROM {source.format(f=file)}")
    assert "project.create_table" in str(caught.value)


@pytest.mark.parametrize(
    ("query", "error", "message"),
    [
        ("SELECT * FROM txx", NotFound, "no table 'txx' in this project; did you mean 'tx'?"),
        ("SELECT nope FROM tx", DefinitionError, 'Referenced column "nope" not found'),
        ("SELEC 1", DefinitionError, 'syntax error at or near "SELEC"'),
        ("SELECT uper(mcc) FROM tx", DefinitionError, "uper does not exist"),
        (None, DefinitionError, "the text of one SELECT, not NoneType"),
    ],
)
def test_what_does_not_bind(project: Any, query: Any, error: type[WorkbenchError], message: str) -> None:
    with pytest.raises(error) as caught:
        project.sql(query)
    assert message in str(caught.value)
    assert "Error:" not in str(caught.value) and "LINE" not in str(caught.value)


def test_a_value_that_cannot_be_computed(project: Any) -> None:
    result = project.sql("SELECT mcc::INTEGER AS x FROM tx")
    with pytest.raises(WorkbenchError, match="Could not convert string 'food'"):
        result.to_pyarrow()
