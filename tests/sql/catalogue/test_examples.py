"""Every entry's example gives what the entry says, offline and as a request."""

from __future__ import annotations

from typing import Any

import pytest

from workbench.plan.tables import SourceTable
from workbench.plan.text import text_of
from workbench.sql import catalogue
from workbench.sql.catalogue import Function, example
from workbench.sql.define import define
from workbench.sql.functions import Functions
from workbench.storage.session import connect

TABLES = {"visits": SourceTable("visits", example.COLUMNS, "at")}
FUNCTIONS = [function for _, functions in catalogue.TOPICS.values() for function in functions]


@pytest.fixture(scope="module")
def functions() -> Functions:
    return Functions(connect(threads=1))


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.name)
def test_examples(asked: Any, stored: Any, function: Function) -> None:
    query = example.query(function.example)
    view = stored.define("example", query)
    offline = [row["result"] for row in view.offline().to_pyarrow().to_pylist() if row["id"] == 5]
    (found,) = offline
    assert _plain(found) == _about(function.gives), "offline"
    answer = asked.define("example", query).request(example.ROWS[-1])["result"]
    assert _plain(answer) == _about(function.gives), "request"
    assert view.schema["result"] == asked.view("example").schema["result"]


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.name)
def test_what_a_call_stands_for_can_be_written(functions: Functions, stored: Any, function: Function) -> None:
    """The plan as text is a query that means the same, though it names the parts of the function."""
    written = text_of(define(example.query(function.example), TABLES, functions), TABLES)
    rows = stored.define("written", written).offline().to_pyarrow().to_pylist()
    (found,) = [row["result"] for row in rows if row["id"] == 5]
    assert _plain(found) == _about(function.gives), written


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
