"""Every entry's example gives what the entry says, offline and as a request."""

from __future__ import annotations

import string
from typing import Any

import pytest

import workbench
from workbench.plan.tables import SourceTable
from workbench.plan.text import text_of
from workbench.sql import catalogue
from workbench.sql.catalogue import Function, example
from workbench.sql.define import define
from workbench.sql.functions import Functions
from workbench.storage.session import connect

TABLES = {"visits": SourceTable("visits", example.COLUMNS, "at")}
FUNCTIONS = [function for _, functions in catalogue.TOPICS.values() for function in functions]


COLUMNS = ", ".join(f"{function.example} AS f{n}" for n, function in enumerate(FUNCTIONS))
QUERY = example.query("1").replace("1 AS result", COLUMNS)
CASES = pytest.mark.parametrize(
    ("place", "function"), list(enumerate(FUNCTIONS)), ids=[function.name for function in FUNCTIONS]
)


def _newest(view: Any) -> dict[str, Any]:
    rows = view.offline().to_pyarrow().to_pylist()
    (found,) = [row for row in rows if row["id"] == example.ROWS[-1]["id"]]
    return dict(found)


@pytest.fixture(scope="module")
def offline(stored: Any) -> dict[str, Any]:
    return _newest(stored.define("example", QUERY))


@pytest.fixture(scope="module")
def answer(asked: Any) -> dict[str, Any]:
    return dict(asked.define("example", QUERY).request(example.ROWS[-1]))


@pytest.fixture(scope="module")
def again(stored: Any) -> dict[str, Any]:
    """The features of the plan as text, which names the parts of each function."""
    plan = define(QUERY, TABLES, Functions(connect(threads=1)))
    return _newest(stored.define("again", text_of(plan, TABLES)))


@CASES
def test_offline(offline: dict[str, Any], place: int, function: Function) -> None:
    assert _plain(offline[f"f{place}"]) == _about(function.gives)


@CASES
def test_request(answer: dict[str, Any], place: int, function: Function) -> None:
    assert _plain(answer[f"f{place}"]) == _about(function.gives)


@CASES
def test_what_a_call_stands_for_can_be_written(again: dict[str, Any], place: int, function: Function) -> None:
    assert _plain(again[f"f{place}"]) == _about(function.gives)


@pytest.fixture(scope="module")
def nothing(stored: Any) -> list[dict[str, Any]]:
    """The features of rows whose window is empty, offline and as a request."""
    query = QUERY.replace("CURRENT ROW)", "CURRENT ROW EXCLUDE CURRENT_ROW)")
    view = stored.define("nothing", query)
    oldest = min(view.offline().to_pyarrow().to_pylist(), key=lambda row: row["id"])
    return [oldest, view.request({**example.ROWS[-1], "card": "nobody"})]


@CASES
def test_of_no_rows(nothing: list[dict[str, Any]], place: int, function: Function) -> None:
    if not function.is_aggregate or function.native == "lag":
        return  # of one row, or with a default
    expected = {"NULL": None, "0": 0, "''": ""}[function.empty]
    assert [row[f"f{place}"] for row in nothing] == [expected, expected]


def test_columns_may_have_any_name(tmp_path: Any, offline: dict[str, Any]) -> None:
    """What a function stands for has variables of its own, which no column of the same name may be taken for."""
    project = workbench.open(tmp_path / "project")
    letters = dict.fromkeys(string.ascii_lowercase, "VARCHAR")
    project.create_table("visits", {**example.COLUMNS, **letters}, time="at")
    project.table("visits").append([{**row, **dict.fromkeys(letters, "?")} for row in example.ROWS])
    named = ", ".join(f"{letter} AS {letter}_" for letter in letters)
    found = _newest(project.define("letters", QUERY.replace("SELECT id,", f"SELECT id, {named},")))
    assert {name: found[name] for name in offline} == offline


def test_names_are_not_taken_from_duckdb(stored: Any) -> None:
    native = set(
        stored.sql("SELECT DISTINCT lower(function_name) AS name FROM duckdb_functions()").to_pandas().name
    )
    for name in catalogue.names():
        function = catalogue.find(name)
        assert function is not None
        assert name not in native or name == function.native or function.native, name


def test_every_name_is_one_function() -> None:
    names = [name for function in FUNCTIONS for name in (function.name, *function.aliases)]
    assert len(names) == len(set(names))
    assert all(function.summary.endswith(".") and function.example.count("(") for function in FUNCTIONS)


def _about(value: Any) -> Any:
    return pytest.approx(value, rel=1e-9) if isinstance(value, float | dict) else value


def _plain(value: Any) -> Any:
    """Maps as dicts, whichever way they come."""
    if isinstance(value, list) and value and isinstance(value[0], tuple):
        return dict(value)
    return value
