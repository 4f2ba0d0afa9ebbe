"""The reader of a checkout's YAML files."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path

import pytest

from tests.conformance.replay import run
from tests.conformance.yaml_cases import read_folder

pytest.importorskip("yaml")

FILE = """
db: test
debugs: []
cases:
  - id: 0
    desc: a window
    inputs:
      - columns: ["id int", "c1 string", "c4 bigint", "c7 timestamp", "c8 date"]
        indexs: ["index1:c1:c7"]
        rows:
          - [1, aa, 30, 1590738990000, "2020-05-01"]
          - [2, aa, null, 1590738991000, NULL]
          - [3, aa, 32, 1590738992000, "2020-05-03"]
    dataProvider:
      - ["ROWS BETWEEN 1 PRECEDING", "ROWS_RANGE BETWEEN 2s PRECEDING"]
      - ["sum", "count"]
    sql: |
      SELECT id, c1, d[1](c4) OVER w1 as m FROM {0} WINDOW w1 AS (
        PARTITION BY {0}.c1 ORDER BY {0}.c7 d[0] AND CURRENT ROW);
    expect:
      order: id
      columns: ["id int", "c1 string", "m bigint"]
    expectProvider:
      0:
        0: {rows: [[1, aa, 30], [2, aa, 30], [3, aa, 32]]}
        1: {rows: [[1, aa, 1], [2, aa, 1], [3, aa, 1]]}
      1:
        0: {rows: [[1, aa, 30], [2, aa, 30], [3, aa, 62]]}
        1: {rows: [[1, aa, 1], [2, aa, 1], [3, aa, 2]]}
  - id: 1
    desc: other spellings
    inputs:
      - name: t1
        schema: "col0:string, col1:int32, col2:timestamp"
        index: "index1:col0:col2"
        data: |
          a, 1, 1000
          b, 2, 2000
      - create: "create table {1} (k string, v int, ts timestamp, index(key=k, ts=ts));"
        name: t2
        insert: "insert into {1} values ('a', 5, 1000L);"
    sql: select col0, t2.v as v from t1 last join t2 order by t2.ts on t1.col0 = t2.k
    expect:
      schema: "col0:string, v:int32"
      data: |
        a, 5
        b, NULL
  - id: 2
    desc: an error
    inputs: [{columns: ["id int"], rows: [[1]]}]
    sql: select nothing from {0}
    expect: {success: false}
  - id: 3
    mode: request-unsupport
    inputs: [{columns: ["id int"], rows: [[1]]}]
    sql: select id from {0}
    expect: {columns: ["id int"], rows: [[1]]}
  - id: 4
    tags: ["TODO", "later"]
    inputs: [{columns: ["id int"], rows: [[1]]}]
    sql: select id from {0}
    expect: {columns: ["id int"], rows: [[1]]}
"""


def test_cases_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "function").mkdir()
    (tmp_path / "function/a.yaml").write_text(FILE)
    (tmp_path / "broken.yml").write_text("cases: [")
    (tmp_path / "empty.yaml").write_text("")
    cases = read_folder(tmp_path)
    assert [case.source for case in cases] == ["function/a.yaml#0"] * 4 + ["function/a.yaml#1"]
    first, spelled = cases[0], cases[-1]
    assert "ROWS BETWEEN 1 PRECEDING AND" in first.sql and "FROM t0" in first.sql and "sum(c4)" in first.sql
    assert first.tables[0].time == "c7" and first.order == "id"
    assert first.tables[0].rows[1] == {
        "id": 2,
        "c1": "aa",
        "c4": None,
        "c7": datetime(2020, 5, 29, 7, 56, 31),
        "c8": None,
    }
    assert first.tables[0].rows[0]["c8"] == date(2020, 5, 1)
    assert first.features == ("rows", "window")
    assert spelled.rows == [("a", 5), ("b", None)] and spelled.types == ("VARCHAR", "INTEGER")
    assert [outcome.problem for case in cases for outcome in run(case)] == [None] * 10
