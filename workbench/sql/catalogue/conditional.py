"""Aggregates of the rows that satisfy a condition. A condition that is NULL is not satisfied."""

from __future__ import annotations

from typing import Any

from workbench.sql.catalogue.entry import Function, Part


def _where(
    name: str, what: str, example: str, gives: Any, kind: str = "any", empty: str = "NULL"
) -> Function:
    return Function(
        f"{name}_where",
        f"x: {kind}, condition",
        f"{what} among the rows that satisfy the condition.",
        example,
        gives,
        parts={"found": Part(name, ("{x}",), where="{condition}")},
        result="{found}",
        empty=empty,
        source=f"{name}(x) FILTER (WHERE condition)",
    )


FUNCTIONS = (
    _where("count", "How many values there are", "count_where(amount, ok) OVER w", 3, empty="0"),
    _where("sum", "The sum", "sum_where(amount, items > 1) OVER w", 90.0, "number"),
    _where("avg", "The mean", "avg_where(amount, ok) OVER w", 80 / 3, "number"),
    _where("min", "The least value", "min_where(amount, items > 1) OVER w", 20.0),
    _where("max", "The greatest value", "max_where(amount, shop = 'food') OVER w", 30.0),
    Function(
        "share_where",
        "condition",
        "The share of rows that satisfy the condition.",
        "share_where(shop = 'food') OVER w",
        0.6,
        parts={"found": Part("count", where="{condition}"), "rows": Part("count")},
        result="{found} / nullif({rows}, 0)",
        source="count(*) FILTER (WHERE condition) / count(*)",
    ),
)
