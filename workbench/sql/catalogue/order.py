"""Single rows, changes and runs in the window's order: oldest first."""

from __future__ import annotations

from workbench.sql.catalogue.entry import Function, Part

_VALUES = {"values": Part("list", ("{x}",), where="{x} IS NOT NULL")}
_FLAGS = {"flags": Part("list", ("coalesce({condition}, false)",))}
#: Whether the row before was the same: the places where a run ends.
_RUN = "coalesce(list_position(list_reverse({flags}), false) - 1, len({flags}), 0)"

FUNCTIONS = (
    Function(
        "first_value",
        "x",
        "The value of the window's oldest row; with IGNORE NULLS the oldest value.",
        "first_value(amount) OVER w",
        10.0,
        native="first_value",
        aggregate=True,
        source="SQL",
    ),
    Function(
        "last_value",
        "x",
        "The value of the window's newest row; with IGNORE NULLS the newest value.",
        "last_value(shop IGNORE NULLS) OVER w",
        "food",
        native="last_value",
        aggregate=True,
        source="SQL",
    ),
    Function(
        "nth_value",
        "x, n: count",
        "The value of the n-th row of the window, counted from the oldest, or from the first of its own ORDER BY.",
        "nth_value(amount, 2) OVER w",
        20.0,
        native="nth_value",
        aggregate=True,
        source="SQL",
    ),
    Function(
        "nth_value_where",
        "x, n: integer, condition",
        "The value of the n-th row that satisfies the condition, counted from the oldest, or from the newest where n "
        "is negative.",
        "nth_value_where(amount, -2, ok) OVER w",
        40.0,
        parts={"values": Part("list", ("{x}",), where="{condition}")},
        result="{values}[{n}]",
        source="OpenMLDB",
    ),
    Function(
        "lag",
        "x, n: whole = 1, default = NULL",
        "The value n rows before the anchor row, whatever the frame says, or the default where there is no such row; "
        "with IGNORE NULLS the n-th value before it.",
        "lag(amount, 2, 0) OVER w",
        None,
        native="lag",
        aggregate=True,
        aliases=("at",),
        source="SQL",
    ),
    Function(
        "delta",
        "x: number",
        "The newest value minus the one before it; NULLs are skipped.",
        "delta(amount) OVER w",
        -10.0,
        parts=_VALUES,
        result="{values}[-1] - {values}[-2]",
        source="x - previous x",
    ),
    Function(
        "delta_ratio",
        "x: number",
        "The change from the value before to the newest, as a share of the value before; NULLs are skipped.",
        "delta_ratio(amount) OVER w",
        -0.25,
        parts=_VALUES,
        result="({values}[-1] - {values}[-2]) / nullif({values}[-2], 0)",
        source="(x - previous x) / previous x",
    ),
    Function(
        "streak",
        "condition",
        "How many of the newest rows in a row satisfy the condition, counted back to the first that does not.",
        "streak(amount >= 30) OVER w",
        2,
        parts=_FLAGS,
        result=_RUN,
        empty="0",
        source="length of the run that ends at the newest row",
    ),
)
