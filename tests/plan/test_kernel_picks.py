"""Elements and lengths of lists become aggregates that kernels have; other uses of lists stay."""

from __future__ import annotations

import pytest

from workbench.plan.expr import AggregateRef, Call, Column, Expr, Literal, Op, Sql
from workbench.plan.kernel_calls import KernelCall, kernel_call
from workbench.plan.kernel_picks import with_picks
from workbench.plan.model import Aggregate, Feature, FeaturePlan, Frame, Key, Source, Window

X = Column("row", "x", "BIGINT")
KEEP = Op("not", (Op("is null", (X,), "BOOLEAN"),), "BOOLEAN")
LIST = AggregateRef("a0", "BIGINT[]")


def _plan(expr: Expr, kind: str = "BIGINT", *, distinct: bool = False) -> FeaturePlan:
    key = Key("k", Column("anchor", "k", "BIGINT"))
    window = Window("w", Source("t", "ts", own=True), True, (key,), "ts", None, Frame("rows", None, 0))
    values = Aggregate("a0", "w", "list", (X,), "BIGINT[]", where=KEEP, distinct=distinct)
    other = Aggregate("a1", "w", "max", (X,), "BIGINT")
    return FeaturePlan(
        table="t",
        time="ts",
        anchor_columns=(("k", "BIGINT"), ("ts", "TIMESTAMP"), ("x", "BIGINT")),
        where=None,
        lookups=(),
        windows=(window,),
        aggregates=(values, other),
        outputs=(Feature("f", expr, kind), Feature("g", AggregateRef("a1", "BIGINT"), "BIGINT")),
    )


def _index(n: int) -> Op:
    return Op("index", (LIST, Literal(str(n), "INTEGER")), "BIGINT")


@pytest.mark.parametrize(
    ("n", "function", "place"), [(1, "nth", 1), (3, "nth", 3), (-1, "nth_newest", 0), (-2, "nth_newest", 1)]
)
def test_an_element_is_a_row_by_its_number(n: int, function: str, place: int) -> None:
    plan = with_picks(_plan(_index(n)))
    kept, made = plan.aggregates
    assert kept.name == "a1"
    assert (made.function, made.args, made.where, made.type) == (
        function,
        (X, Literal(str(place), "INTEGER")),
        KEEP,
        "BIGINT",
    )
    assert plan.outputs[0].expr == AggregateRef(made.name, "BIGINT")
    assert kernel_call(made) == KernelCall(function, X, n=place, ignores_null=False)


def test_a_length_is_a_count_that_is_null_of_no_rows() -> None:
    plan = with_picks(_plan(Call("len", (LIST,), "BIGINT")))
    made = plan.aggregates[-1]
    assert (made.function, made.where) == ("count_star", KEEP)
    assert plan.outputs[0].expr == Call(
        "nullif", (AggregateRef(made.name, "BIGINT"), Literal("0", "INTEGER")), "BIGINT"
    )


def test_elements_in_text_are_found_too() -> None:
    plan = with_picks(_plan(Sql("{0}[-1] - {0}[-2]", (LIST,), "BIGINT")))
    assert [a.function for a in plan.aggregates] == ["max", "nth_newest", "nth_newest"]


@pytest.mark.parametrize(
    "expr",
    [
        Sql("len(list_filter({0}, lambda v: v > 1))", (LIST,), "BIGINT"),
        Op("index", (LIST, Column("anchor", "k", "BIGINT")), "BIGINT"),
        Sql("{0}[1] + list_sum({0})", (LIST,), "BIGINT"),
        _index(0),
    ],
)
def test_other_uses_of_lists_stay(expr: Expr) -> None:
    plan = _plan(expr)
    assert with_picks(plan) == plan


def test_lists_of_distinct_values_stay() -> None:
    plan = _plan(_index(1), distinct=True)
    assert with_picks(plan) == plan
