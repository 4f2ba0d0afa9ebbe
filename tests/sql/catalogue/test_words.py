"""What people read of a function of the catalogue, and what it adds to a plan."""

from __future__ import annotations

import pytest

from workbench.plan.explain import explain
from workbench.plan.model import FeaturePlan
from workbench.plan.tables import SourceTable
from workbench.sql.catalogue import example
from workbench.sql.define import define
from workbench.sql.functions import Functions
from workbench.storage.session import connect

TABLES = {"visits": SourceTable("visits", example.COLUMNS, "at")}


@pytest.fixture(scope="module")
def functions() -> Functions:
    return Functions(connect(threads=1))


def _plan(functions: Functions, text: str) -> FeaturePlan:
    return define(example.query(text), TABLES, functions)


def test_explain_says_calls_as_the_query_does(functions: Functions) -> None:
    plan = _plan(
        functions, "slope(amount, INTERVAL 1 DAY) FILTER (WHERE ok) OVER w AS s, zscore(amount) OVER w"
    )
    said = explain(plan)
    assert "computes slope(amount, INTERVAL '1' DAY) where ok, zscore(amount)\n" in said


def test_an_aggregate_that_two_calls_need_is_computed_once(functions: Functions) -> None:
    plan = _plan(functions, "avg(amount) OVER w + zscore(amount) OVER w + cv(amount) OVER w")
    assert [(a.function, a.written) for a in plan.aggregates] == [
        ("avg", ""),
        ("stddev_samp", "zscore(amount)"),
    ]


def test_the_words_of_a_query_are_no_part_of_its_identity(functions: Functions) -> None:
    first = _plan(functions, "decayed_sum(amount, INTERVAL 1 DAY) OVER w")
    second = _plan(functions, "Decayed_Sum(AMOUNT, INTERVAL '1 day') OVER w")
    assert first.aggregates[0].written != second.aggregates[0].written
    assert first.hash == second.hash
    assert FeaturePlan.from_json(first.to_json()) == first


def test_both_names_of_a_function_make_the_same_plan(functions: Functions) -> None:
    assert _plan(functions, "hash64(shop)").hash == _plan(functions, "farm_fingerprint(shop)").hash
    assert _plan(functions, "std(amount) OVER w").hash == _plan(functions, "stddev(amount) OVER w").hash
