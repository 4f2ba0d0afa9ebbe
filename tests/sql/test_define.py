"""Conditions of ``where=``: one expression over the anchor's columns, with errors in the condition's own text."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sql.conftest import TABLES
from workbench.errors import DefinitionError
from workbench.plan.render import plan_sql
from workbench.sql.define import condition, define
from workbench.sql.functions import Functions


@pytest.mark.parametrize(
    ("text", "sql"),
    [
        ("amount > 1", '(a."amount" > 1)'),
        ("AMOUNT > 1 -- large", '(a."amount" > 1)'),
        ("tx.n = 3 OR\n  mcc IS NULL", '((a."n" = 3) OR (a."mcc" IS NULL))'),
        ("ts >= '2024-01-01'", "(a.\"ts\" >= '2024-01-01')"),
    ],
)
def test_conditions(functions: Functions, text: str, sql: str) -> None:
    assert plan_sql(condition(text, TABLES["tx"], functions)) == sql


@pytest.mark.parametrize(
    ("text", "message", "place"),
    [
        ("", "empty", None),
        ("  \n", "empty", None),
        ("n", "must be BOOLEAN, this is BIGINT", None),
        ("amont > 1", "did you mean 'amount'", (1, 1)),
        ("n > 1 AND\n  amont > 1", "did you mean 'amount'", (2, 3)),
        ("amount >", "", None),
        ("(amount > 1", "not one complete expression", None),
        ("amount > 1)", "", None),
        ("amount > 1;", "not one complete expression", None),
        ("n > 1, id > 2", "not one complete expression", None),
        ("true) AS x, (n > 1", "one expression", None),
        ("true FROM tx --", "FROM", (1, 6)),
        ("true; DROP TABLE tx", "one statement", (1, 7)),
        ("count(*) OVER (PARTITION BY card ORDER BY ts) > 3", "cannot use a window", None),
        ("n IN (SELECT 1)", "list of values", (1, 1)),
    ],
)
def test_a_condition_that_cannot_be_accepted(
    functions: Functions, text: str, message: str, place: tuple[int, int] | None
) -> None:
    with pytest.raises(DefinitionError) as caught:
        condition(text, TABLES["tx"], functions)
    assert message in f"{caught.value.message}\n{caught.value.hint}"
    position = caught.value.position
    if place is not None:
        assert position is not None and (position.line, position.column) == place
    elif position is not None:
        assert position.line <= len(text.splitlines())


def test_only_known_dialects(functions: Functions) -> None:
    with pytest.raises(DefinitionError, match="there is no dialect"):
        define("SELECT n FROM tx", TABLES, functions, "spark")


@pytest.mark.parametrize("query", [None, 3, {"n": 1}])
def test_what_is_neither_text_nor_ibis_is_refused(functions: Functions, query: Any) -> None:
    with pytest.raises(DefinitionError, match="the text of a SELECT or by an Ibis expression"):
        define(query, TABLES, functions)


@pytest.mark.parametrize(
    ("expression", "kind"),
    [
        ("ts::TIMESTAMPTZ", "TIMESTAMP"),
        ("to_timestamp(n)", "TIMESTAMP"),
        ("ts::TIMESTAMP_S", "TIMESTAMP"),
        ("max(ts::TIMESTAMPTZ) OVER (PARTITION BY card ORDER BY ts)", "TIMESTAMP"),
        ("n::HUGEINT", "HUGEINT"),
        ("ts - TIMESTAMP '2024-01-01'", "INTERVAL"),
    ],
)
def test_types_that_a_feature_has(functions: Functions, expression: str, kind: str) -> None:
    assert define(f"SELECT {expression} AS f FROM tx", TABLES, functions).features == {"f": kind}


@pytest.mark.parametrize(
    ("expression", "hint"),
    [
        ("n::INTEGER::BIT", "such as VARCHAR"),
        ("n::BIGNUM", "such as VARCHAR"),
        ("ts::TIMESTAMP_NS", "CAST it AS TIMESTAMP"),
        ("[ts::TIMESTAMPTZ]", "CAST it AS TIMESTAMP"),
        ("ts::TIMETZ", "CAST it AS TIMESTAMP"),
    ],
)
def test_types_that_a_feature_cannot_have_are_refused_at_their_place(
    functions: Functions, expression: str, hint: str
) -> None:
    with pytest.raises(DefinitionError, match="a feature cannot be") as caught:
        define(f"SELECT n,\n  {expression} AS f FROM tx", TABLES, functions)
    assert hint in str(caught.value)
    assert caught.value.position is not None and caught.value.position.line == 2
