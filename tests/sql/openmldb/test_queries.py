"""Joins, windows and names of OpenMLDB's queries, and what is refused."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

import workbench as wb
from tests.sql.openmldb.conftest import ROW

OVER = "(PARTITION BY k ORDER BY ts ROWS BETWEEN 9 PRECEDING AND CURRENT ROW)"


def ask(project: wb.Project, query: str, **row: Any) -> dict[str, Any] | None:
    view = project.define("query", query, dialect="openmldb")
    anchor = {name: value for name, value in (ROW | row).items() if name in view.request_schema}
    return view.request(anchor)


def test_joins_see_every_row_unless_the_query_bounds_them(project: wb.Project) -> None:
    assert ask(project, "SELECT v FROM t LAST JOIN other ON t.k = other.k") == {"v": 2}
    bounded = "SELECT v FROM t LAST JOIN other ORDER BY other.ts ON t.k = other.k AND t.ts >= other.ts"
    assert ask(project, bounded) == {"v": 1}
    view = project.view("query")
    assert [finding.code for finding in view.lint()] == [] and "with ts <= t.ts" in view.explain()
    rows = view.offline(spine=[ROW | {"k": None}, ROW, ROW | {"ts": datetime(2021, 1, 1)}]).to_pyarrow()
    assert rows.column("v").to_pylist() == [3, 1, 2]
    assert ask(project, bounded, k=None) == {"v": 3}
    ask(project, "SELECT v FROM t LAST JOIN other ON t.k = other.k")
    assert [finding.code for finding in project.view("query").lint()] == ["join-without-time"]
    assert project.view("query").check(rows="all").different == 0


def test_null_keys_match(project: wb.Project) -> None:
    assert ask(project, "SELECT v FROM t LAST JOIN other ON t.k = other.k", k=None) == {"v": 3}
    with_null = ROW | {"k": None}
    view = project.view("query")
    rows = view.offline(spine=[with_null, ROW]).to_pyarrow()
    assert rows.column("v").to_pylist() == [3, 2]


def test_joins_of_tables_without_time(project: wb.Project) -> None:
    assert ask(project, "SELECT v FROM t LAST JOIN plain ON t.k = plain.k") == {"v": 3}
    assert ask(project, "SELECT v FROM t LAST JOIN plain ORDER BY plain.o ON t.k = plain.k AND v < 3") == {
        "v": 1
    }
    assert ask(project, "SELECT o.v AS v FROM plain LAST JOIN other o ON plain.k = o.k", v=1, o=1) == {"v": 2}


def test_a_subquery_of_the_anchors_table_is_the_anchor_row(project: wb.Project) -> None:
    query = f"""SELECT * FROM (SELECT k AS k1, sum(i) OVER w AS total FROM t WINDOW w AS {OVER}) AS out0
        LAST JOIN (SELECT k AS k2, count(i) OVER w AS n FROM t WINDOW w AS {OVER}) AS out1 ON out0.k1 = out1.k2"""
    assert ask(project, query) == {"k1": "a", "total": -2147483646, "k2": "a", "n": 3}
    assert project.view("query").check(rows="all").different == 0


def test_union_all_in_a_join_takes_the_newest(project: wb.Project) -> None:
    query = """SELECT u.v AS v FROM t LAST JOIN (
        SELECT * FROM (SELECT k, v - 9 AS v, ts FROM other UNION ALL SELECT k, v + 10 AS v, ts FROM other) WHERE v > 1
    ) u ON t.k = u.k"""
    assert ask(project, query) == {"v": 12}


def test_names(project: wb.Project) -> None:
    assert ask(project, "SELECT k, k, i+1, 1, T.I FROM t") == {
        "k": "a",
        "k_2": "a",
        "i + 1": -2147483648,
        "1": 1,
        "I": 2147483647,
    }
    assert ask(project, f"SELECT db.t.k, sum(db.t.i) OVER {OVER} AS s FROM db.t LIMIT 5") == {
        "k": "a",
        "s": -2147483646,
    }


def test_windows(project: wb.Project) -> None:
    for frame, count in (
        ("ROWS_RANGE BETWEEN 1005 PRECEDING AND CURRENT ROW", 2),
        ("ROWS_RANGE BETWEEN 1s OPEN PRECEDING AND 0s PRECEDING", 1),
        ("ROWS_RANGE BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING", 2),
        ("ROWS BETWEEN 1 PRECEDING AND -1 PRECEDING", 2),
    ):
        answer = ask(project, f"SELECT count(*) OVER (PARTITION BY k ORDER BY ts {frame}) AS c FROM t")
        assert answer == {"c": count}, frame
    for frame, o, count in (("3s", 3001, 4), ("5", 15, 2), ("1m", 15, 3)):
        query = f"""SELECT count(*) OVER (PARTITION BY k ORDER BY o
            ROWS_RANGE BETWEEN {frame} PRECEDING AND CURRENT ROW) AS c FROM plain"""
        assert ask(project, query, v=0, o=o) == {"c": count}, frame


def test_windows_without_order(project: wb.Project) -> None:
    for frame in (
        "ROWS BETWEEN 1 PRECEDING AND CURRENT ROW",
        "ROWS BETWEEN 2 OPEN PRECEDING AND CURRENT ROW",
    ):
        assert ask(project, f"SELECT count(*) OVER (PARTITION BY k {frame}) AS c FROM t") == {"c": 2}
    whole = "ROWS_RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW"
    assert ask(project, f"SELECT count(*) OVER (PARTITION BY k {whole}) AS c FROM t") == {"c": 3}


def test_the_dialect_is_part_of_the_version(project: wb.Project) -> None:
    mine = project.define("both", "SELECT k FROM t").plan.hash
    theirs = project.define("both", "SELECT k FROM t", dialect="openmldb")
    assert theirs.plan.hash != mine and theirs.dialect == "openmldb"


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("SELECT k FROM t CONFIG (execute_mode = 'request', values = (1))", "CONFIG (values = ...)"),
        ("SELECT t.k FROM t LEFT JOIN other ON t.k = other.k", "LEFT JOIN may give several rows"),
        ("SELECT count(*) OVER (PARTITION BY k ORDER BY ts ROWS 2 PRECEDING) AS c FROM t", "both bounds"),
        ("SELECT CAST(k AS decimal) FROM t", "OpenMLDB has no type DECIMAL"),
        ("SELECT 1.5 DIV 2 FROM t", "DIV divides whole numbers"),
        ("SELECT f & 1 FROM t", "bitwise operators take whole numbers, not FLOAT"),
        ("SELECT substr(k) FROM t", "substr() takes 2 to 3 arguments, not 1"),
        ("SELECT at(k, 1) FROM t", "at() of a column is a value of a window"),
        ("SELECT map('a') FROM t", "a value for each key"),
        ("SELECT count(*) FROM t", "count() is an aggregate and needs a window"),
        ("SELECT k FROM t WHERE k LIKE 'a' ESCAPE", "'"),
    ],
)
def test_what_is_refused(project: wb.Project, query: str, said: str) -> None:
    with pytest.raises(wb.DefinitionError) as error:
        project.define("refused", query, dialect="openmldb")
    assert said in error.value.message
    assert error.value.position is not None


def test_findings_of_the_text(project: wb.Project) -> None:
    query = """SELECT t.k AS k, u.v AS v FROM t LAST JOIN (
        SELECT plain.k AS k, other.v AS v, plain.o AS o FROM plain LEFT JOIN other ON plain.k = other.k
    ) u ON t.k = u.k LIMIT 3"""
    assert ask(project, query) == {"k": "a", "v": 2}
    codes = {finding.code for finding in project.view("query").lint()}
    assert {"limit-without-effect", "left-join-newest"} <= codes


def test_parameters(project: wb.Project) -> None:
    query = "SELECT i + ? AS a, ts > ? AS b, s = ? AS c FROM t"
    values = {"p1": 1, "p2": ROW["ts"], "p3": "Hello"}
    view = project.define("asked", query, dialect="openmldb", params=values)
    assert view.request(ROW) == {"a": -2147483648, "b": False, "c": True}


def test_config_without_rows_is_left_out(project: wb.Project) -> None:
    assert ask(project, "SELECT k FROM t CONFIG (execute_mode = 'online')") == {"k": "a"}
