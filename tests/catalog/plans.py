"""Small plans, as the analyzer would make them."""

from __future__ import annotations

from workbench.catalog import views
from workbench.catalog.views import ViewVersion
from workbench.plan.expr import AggregateRef, Column, Literal, Op
from workbench.plan.model import Aggregate, Feature, FeaturePlan, Frame, Key, Lookup, Source, Window
from workbench.storage import Storage


def constant(number: int = 1, table: str = "tx") -> FeaturePlan:
    """A plan over one table whose only feature is a constant."""
    output = Feature("n", Literal(str(number), "INTEGER"), "INTEGER")
    return FeaturePlan(table, "ts", (("card", "BIGINT"),), None, (), (), (), (output,))


def risk() -> FeaturePlan:
    """Features from the anchor, from its history in a window, and from a lookup whose key is an expression."""
    card, amount = Column("anchor", "card", "BIGINT"), Column("anchor", "amount", "DOUBLE")
    shop = Op("+", (Column("anchor", "shop", "BIGINT"), Literal("1", "BIGINT")), "BIGINT")
    window = Window(
        "w",
        Source("tx", "ts", own=True),
        history=True,
        keys=(Key("card", card),),
        order="ts",
        order_anchor=Column("anchor", "ts", "TIMESTAMP"),
        frame=Frame("rows", 9, 0),
    )
    lookup = Lookup(
        "m", Source("shops", None), (Key("id", shop),), None, (("city", Column("row", "town", "VARCHAR")),)
    )
    total = Aggregate("total", "w", "sum", (Column("row", "amount", "DOUBLE"),), "DOUBLE")
    outputs = (
        Feature("amount", amount, "DOUBLE"),
        Feature("total", AggregateRef("total", "DOUBLE"), "DOUBLE"),
        Feature("city", Column("m", "city", "VARCHAR"), "VARCHAR"),
    )
    columns = (("amount", "DOUBLE"), ("card", "BIGINT"), ("shop", "BIGINT"), ("ts", "TIMESTAMP"))
    return FeaturePlan("tx", "ts", columns, None, (lookup,), (window,), (total,), outputs)


def define(storage: Storage, view: str, plan: FeaturePlan, sql: str = "SELECT 1") -> ViewVersion:
    """Save a plan as a view's latest definition."""
    return views.save_draft(storage, view, sql, "workbench", plan.to_json(), plan.hash)
