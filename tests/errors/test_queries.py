"""Queries that cannot be accepted, and what their authors read: class, message, line and column.

The cases are in ``bad_queries.txt``, made to be read.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from workbench.errors import DefinitionError, NotFound, WorkbenchError

W = "WINDOW w AS (PARTITION BY card ORDER BY ts)"


@dataclass(frozen=True)
class Bad:
    name: str
    sql: str
    line: int
    column: int
    phrases: tuple[str, ...]


def read_cases() -> list[Bad]:
    cases = []
    for block in (Path(__file__).parent / "bad_queries.txt").read_text().split("\n== ")[1:]:
        name, _, rest = block.partition("\n")
        marked, _, phrases = rest.partition("\n-> ")
        before, _, after = marked.partition("^")
        line, column = before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1
        cases.append(Bad(name, before + after, line, column, tuple(phrases.partition("\n")[0].split(" | "))))
    return cases


CASES = read_cases()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_bad_queries_say_what_and_where(project: Any, case: Bad) -> None:
    with pytest.raises(WorkbenchError) as caught:
        project.define("bad", case.sql)
    error = caught.value
    said = f"{error.message}\n{error.hint or ''}"
    assert type(error) is DefinitionError, repr(error)
    for phrase in case.phrases:
        assert phrase.casefold() in said.casefold(), said
    assert error.position is not None, said
    assert (error.position.line, error.position.column) == (case.line, case.column), str(error)
    assert str(error).startswith(f"line {case.line}, column {case.column}: ")


def test_a_query_that_was_refused_leaves_no_view(project: Any) -> None:
    with pytest.raises(DefinitionError):
        project.define("refused", "SELECT amont FROM tx")
    with pytest.raises(NotFound, match="refused"):
        project.view("refused")


def test_the_error_shows_the_line_with_a_caret(project: Any) -> None:
    with pytest.raises(DefinitionError) as caught:
        project.define("bad", "SELECT amount,\n       amont\nFROM tx")
    assert "    2 |        amont\n               ^^^^^" in str(caught.value)


@pytest.mark.parametrize(
    "name", ["", "a b", "1st", "a.b", "a/b", "..", "x" * 200, "__hidden", 7], ids=lambda name: f"{name!s:.12}"
)
def test_names_of_views_are_plain(project: Any, name: Any) -> None:
    with pytest.raises(WorkbenchError) as caught:
        project.define(name, "SELECT n FROM tx")
    assert "name" in caught.value.message


def test_unknown_dialect(project: Any) -> None:
    with pytest.raises(WorkbenchError, match="dialect") as caught:
        project.define("v", "SELECT n FROM tx", dialect="postgres")
    assert "workbench" in str(caught.value)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT now() AS t, n FROM tx",
        "SELECT date_diff('day', ts, now()) AS age FROM tx",
        "SELECT n /* read_csv('x') */ FROM tx -- random()",
        "SELECT 'read_csv(''x'')' AS text FROM tx",
        "SELECT n FROM tx;",
        'select N, "amount" from TX',
        f"SELECT sum(n) OVER w AS s FROM tx {W};\n-- done\n",
    ],
)
def test_what_looks_bad_but_is_fine(project: Any, sql: str) -> None:
    project.define("fine", sql)


def test_queries_cannot_write_files_through_ad_hoc_sql(project: Any, tmp_path: Path) -> None:
    (tmp_path / "secret.csv").write_text("a\n1\n")
    for sql in [
        f"SELECT * FROM read_csv('{tmp_path}/secret.csv')",
        f"SELECT * FROM '{tmp_path}/secret.csv'",
        f"COPY (SELECT 1) TO '{tmp_path}/out.csv'",
        f"ATTACH '{tmp_path}/x.db' AS x",
        "SET threads = 1",
        "SET enable_external_access = true",
        "INSTALL httpfs",
        "DROP TABLE tx",
        "INSERT INTO tx (id) VALUES (1)",
        "SELECT getenv('HOME')",
    ]:
        with pytest.raises(WorkbenchError):
            project.sql(sql).to_pyarrow()  # lazy results may fail when they are read
    assert sorted(path.name for path in tmp_path.iterdir()) == ["secret.csv"]
