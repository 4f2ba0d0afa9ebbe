"""Parameters: values that a query is defined with."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest

from tests.sql.conftest import TABLES
from workbench.errors import DefinitionError
from workbench.plan.model import FeaturePlan
from workbench.plan.render import plan_sql
from workbench.sql.define import define
from workbench.sql.functions import Functions

DAY = 86_400_000_000
W = "PARTITION BY card ORDER BY ts"


def plan_of(functions: Functions, query: str, **params: Any) -> FeaturePlan:
    return define(query, TABLES, functions, params=params)


@pytest.mark.parametrize(
    ("value", "sql", "kind"),
    [
        (3, "3", "INTEGER"),
        (-3, "-3", "INTEGER"),
        (2**40, "1099511627776", "BIGINT"),
        (1.5, "(CAST('1.5' AS DOUBLE))", "DOUBLE"),
        (float("inf"), "(CAST('inf' AS DOUBLE))", "DOUBLE"),
        (Decimal("1.50"), "1.50", "DECIMAL(3,2)"),
        ("it's", "'it''s'", "VARCHAR"),
        (True, "true", "BOOLEAN"),
        (None, "NULL", "INTEGER"),
        (dt.date(2026, 1, 31), "(CAST('2026-01-31' AS DATE))", "DATE"),
        (dt.datetime(2026, 1, 31, 12), "(CAST('2026-01-31 12:00:00' AS TIMESTAMP))", "TIMESTAMP"),
        (
            dt.datetime(2026, 1, 31, 12, tzinfo=dt.timezone(dt.timedelta(hours=2))),
            "(CAST('2026-01-31 10:00:00' AS TIMESTAMP))",
            "TIMESTAMP",
        ),
        (dt.timedelta(hours=36), "INTERVAL '129600 seconds'", "INTERVAL"),
        ([1, 2], "([1, 2])", "INTEGER[]"),
    ],
)
def test_a_value_is_a_literal_of_its_type(functions: Functions, value: Any, sql: str, kind: str) -> None:
    plan = plan_of(functions, "SELECT :p AS f FROM tx", p=value)
    assert (plan_sql(plan.outputs[0].expr), plan.outputs[0].type) == (sql, kind)


@pytest.mark.parametrize("written", [":p", "$p", ":P"])
def test_how_a_parameter_is_written(functions: Functions, written: str) -> None:
    plan = plan_of(functions, f"SELECT n + {written} AS f FROM tx", p=2)
    assert plan == plan_of(functions, "SELECT n + :p AS f FROM tx", p=2)
    assert plan.hash == define("SELECT n + 2 AS f FROM tx", TABLES, functions).hash


@pytest.mark.parametrize(
    ("clause", "params", "literal"),
    [
        (f"({W} ROWS BETWEEN :n PRECEDING AND CURRENT ROW MAXSIZE :m)", {"n": 5, "m": 3},
         f"({W} ROWS BETWEEN 5 PRECEDING AND CURRENT ROW MAXSIZE 3)"),
        (f"({W} RANGE BETWEEN INTERVAL :d DAY PRECEDING AND CURRENT ROW)", {"d": 7},
         f"({W} ROWS_RANGE BETWEEN 7d PRECEDING AND CURRENT ROW)"),
        (f"({W} ROWS_RANGE BETWEEN :far PRECEDING AND :near OPEN PRECEDING)",
         {"far": dt.timedelta(days=2), "near": dt.timedelta(0)},
         f"({W} ROWS_RANGE BETWEEN 2d PRECEDING AND 0s OPEN PRECEDING)"),
    ],
)  # fmt: skip
def test_parameters_of_windows(
    functions: Functions, clause: str, params: dict[str, Any], literal: str
) -> None:
    query = "SELECT sum(n) OVER {} AS f FROM tx"
    bound = plan_of(functions, query.format(clause), **params)
    assert bound.hash == define(query.format(literal), TABLES, functions).hash


def test_a_list_is_spread_in_IN(functions: Functions) -> None:
    plan = plan_of(functions, "SELECT mcc IN (:m) AS f FROM tx", m=["food", "fuel"])
    assert plan_sql(plan.outputs[0].expr) == "(a.\"mcc\" IN ('food', 'fuel'))"


def test_values_are_part_of_the_version_and_recorded(functions: Functions) -> None:
    one, two = (plan_of(functions, "SELECT n + :p AS f FROM tx", p=value) for value in (1, 2))
    assert one.hash != two.hash
    assert [(name, value.sql) for name, value in two.params] == [("p", "2")]


@pytest.mark.parametrize(
    ("query", "params", "message", "place"),
    [
        ("SELECT n,\n  n + :dayz AS f FROM tx", {"days": 7},
         "the parameter :dayz has no value; did you mean 'days'?", (2, 7)),
        ("SELECT n + :days AS f FROM tx", {}, "the parameter :days has no value", (1, 12)),
        ("SELECT n AS f FROM tx", {"days": 7}, "the query has no parameter :days", None),
        ("SELECT n + ? AS f FROM tx", {}, "a parameter has a name", (1, 12)),
        ("SELECT n + :x AS f FROM tx", {"x": object()}, "the parameter :x is of type object", (1, 12)),
        ("SELECT n FROM :t", {"t": "tx"}, "cannot stand for the name of a table", (1, 15)),
        (f"SELECT sum(n) OVER ({W} MAXSIZE :m) AS f FROM tx", {"m": 0}, "MAXSIZE needs a whole number", (1, 51)),
        (f"SELECT sum(n) OVER ({W} ROWS BETWEEN :n PRECEDING AND CURRENT ROW) AS f FROM tx", {"n": -1},
         "not negative", (1, 64)),
    ],
)  # fmt: skip
def test_wrong_parameters(
    functions: Functions, query: str, params: dict[str, Any], message: str, place: tuple[int, int] | None
) -> None:
    with pytest.raises(DefinitionError) as caught:
        plan_of(functions, query, **params)
    assert message in caught.value.message
    position = caught.value.position
    assert (position and (position.line, position.column)) == place
